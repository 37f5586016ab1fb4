/* What is asked about a certificate, and where: OCSP requests, and the addresses it names (pkix/ocsp.h). */
#include "cert_builder.h"
#include "pkix/ocsp.h"

#include <setjmp.h>
#include <cmocka.h>

static const char host[] = "www.example.com";

static void ocsp_request_is_what_responders_expect(void **state)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0), leaf = builder_server(host, 2, "ca", 1);
    struct pkix_cert cert, issuer;
    uint8_t request[PKIX_OCSP_REQUEST_SIZE_MAX];
    size_t size = 0;
    struct der d;

    (void)state;
    leaf.serial = builder_bytes("\x12\x34\x56", 3);
    assert_int_equal(pkix_cert_read(builder_cert(&leaf), &cert), PKIX_OK);
    assert_int_equal(pkix_cert_read(builder_cert(&ca), &issuer), PKIX_OK);
    assert_true(pkix_ocsp_request_write(&cert, &issuer, request, &size));
    d = der_over(span_of(request, size), DER_SMALL);
    for (unsigned level = 0; level < 5; level++) {
        struct der inner;

        assert_int_equal(der_enter(&d, ASN1_SEQUENCE, &inner), PKIX_OK);
        assert_true(der_at_end(&d));
        d = inner;
    }
    assert_memory_equal(request + size - 3, leaf.serial.data, 3);
}

static void urls_are_found_and_filtered(void **state)
{
    struct cert_spec leaf = builder_server(host, 2, "ca", 1);
    struct span urls[PKIX_CRL_URLS_MAX];
    struct pkix_cert cert;

    (void)state;
    builder_add_extension(&leaf, OID_AUTHORITY_INFO_ACCESS, false,
                          builder_tlv(ASN1_SEQUENCE,
                                      builder_tlv(ASN1_SEQUENCE, builder_oid(OID_AD_CA_ISSUERS),
                                                  builder_general_name(0x86, "http://issuers.example/"), builder_end),
                                      builder_tlv(ASN1_SEQUENCE, builder_oid(OID_AD_OCSP),
                                                  builder_general_name(0x86, "http://bad\r\nHost: x/"), builder_end),
                                      builder_tlv(ASN1_SEQUENCE, builder_oid(OID_AD_OCSP),
                                                  builder_general_name(0x86, "http://ocsp.example/"), builder_end),
                                      builder_end));
    builder_add_extension(
        &leaf, OID_CRL_DISTRIBUTION_POINTS, false,
        builder_tlv(ASN1_SEQUENCE,
                    builder_tlv(ASN1_SEQUENCE,
                                builder_point(builder_join(builder_general_name(0x86, "ldap://crl.example/"),
                                                           builder_general_name(0x86, "http://crl.example/"))),
                                builder_end),
                    builder_end));
    assert_int_equal(pkix_cert_read(builder_cert(&leaf), &cert), PKIX_OK);
    assert_true(span_equal(pkix_cert_ocsp_url(&cert), span_of_string("http://ocsp.example/")));
    assert_int_equal(pkix_cert_crl_urls(&cert, urls), 1);
    assert_true(span_equal(urls[0], span_of_string("http://crl.example/")));
}

/* All distribution points count (GHSA-pwjx-qhcg-rvj4), but not those for some reasons or with a CRL of another issuer.
 */
static void crl_urls_are_those_of_all_points(void **state)
{
    struct span a = builder_point(builder_general_name(0x86, "http://a/")),
                b = builder_point(builder_general_name(0x86, "http://b/")),
                reasons = builder_tlv(ASN1_CONTEXT | 1, builder_bytes("\x06\x40", 2), builder_end),
                issuer = builder_tlv(ASN1_CONTEXT_CONSTRUCTED | 2, builder_general_name(0xa4, ""), builder_end),
                relative = builder_tlv(ASN1_CONTEXT_CONSTRUCTED | 0,
                                       builder_tlv(ASN1_CONTEXT_CONSTRUCTED | 1, builder_bytes("x", 1), builder_end),
                                       builder_end),
                wrong = builder_point(builder_general_name(0x99, "x")), many = builder_end;
    struct span urls[PKIX_CRL_URLS_MAX];

    for (unsigned i = 0; i < 2 * PKIX_CRL_URLS_MAX; i++)
        many = builder_join(many, builder_general_name(0x86, i == 0 ? "http://a/" : "http://b/"));
    many = builder_point(many);
    const struct {
        struct span points[3];
        size_t want;
        const char *first;
    } table[] = {
        {{a, b, a}, 3, "http://a/"},
        {{issuer, b, relative}, 1, "http://b/"},
        {{builder_join(a, reasons), b, builder_end}, 1, "http://b/"},
        {{builder_join(a, issuer), builder_end, b}, 1, "http://b/"},
        {{builder_join(b, builder_join(reasons, issuer)), builder_end, builder_end}, 0, NULL},
        {{many, b, b}, PKIX_CRL_URLS_MAX, "http://a/"},
        {{a, wrong, b}, 0, NULL},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct cert_spec leaf = builder_server(host, 2, "ca", 1);
        struct span list = builder_end;
        struct pkix_cert cert;
        size_t count;

        for (unsigned n = 0; n < 3; n++)
            list = builder_join(list, builder_tlv(ASN1_SEQUENCE, table[i].points[n], builder_end));
        builder_add_extension(&leaf, OID_CRL_DISTRIBUTION_POINTS, false, builder_tlv(ASN1_SEQUENCE, list, builder_end));
        assert_int_equal(pkix_cert_read(builder_cert(&leaf), &cert), PKIX_OK);
        count = pkix_cert_crl_urls(&cert, urls);
        if (count != table[i].want)
            fail_msg("row %u: %zu URLs", i, count);
        if (count != 0)
            assert_true(span_equal(urls[0], span_of_string(table[i].first)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ocsp_request_is_what_responders_expect),
        cmocka_unit_test(urls_are_found_and_filtered),
        cmocka_unit_test(crl_urls_are_those_of_all_points),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
