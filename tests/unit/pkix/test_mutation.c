/* Ten thousand damaged certificates, CRLs and OCSP responses: none is taken for good, none breaks anything. */
#include "scene.h"
#include "pkix/crl_parse.h"
#include "pkix/describe.h"
#include "pkix/identity.h"
#include "pkix/ocsp.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MUTATIONS = 10000 };

static uint32_t state_of_random = 12345;

/* xorshift: the same damage in every run. */
static uint32_t next_random(void)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 17;
    state_of_random ^= state_of_random << 5;
    return state_of_random;
}

/* A copy with a few bytes changed, cut out or put in; never the same as the original. */
static uint8_t *mutate(struct span original, size_t *size)
{
    uint8_t *copy = base_alloc(original.size + 64);

    memcpy(copy, original.data, original.size);
    *size = original.size;
    do {
        size_t at = next_random() % *size;

        switch (next_random() % 5) {
        case 0:
            copy[at] ^= (uint8_t)(1u << next_random() % 8);
            break;
        case 1:
            copy[at] = (uint8_t)next_random();
            break;
        case 2:
            memmove(copy + at, copy + at + 1, *size - at - 1);
            --*size;
            break;
        case 3:
            if (*size < original.size + 60) {
                memmove(copy + at + 1, copy + at, *size - at);
                copy[at] = (uint8_t)next_random();
                ++*size;
            }
            break;
        case 4:
            copy[at] = (uint8_t)(copy[at] + (next_random() % 2 == 0 ? 1 : -1));
            break;
        }
    } while (next_random() % 3 == 0 || span_equal(span_of(copy, *size), original));
    return copy;
}

static struct span rich_leaf(void)
{
    struct cert_spec spec = builder_server("www.example.com", 2, "ca", 1);

    builder_add_dns(&spec, "*.example.com");
    spec.sans[spec.san_count++] = builder_general_name(0x81, "a@example.com");
    spec.sans[spec.san_count++] = builder_general_name(0x86, "https://example.com/");
    builder_add_extension(&spec, OID_AUTHORITY_INFO_ACCESS, false,
                          builder_tlv(ASN1_SEQUENCE,
                                      builder_tlv(ASN1_SEQUENCE, builder_oid(OID_AD_OCSP),
                                                  builder_general_name(0x86, "http://o/"), builder_end),
                                      builder_end));
    return builder_cert(&spec);
}

static void damaged_leaves_are_never_valid(void **state)
{
    struct cert_spec root = builder_authority("root", 0, "root", 0), ca = builder_authority("ca", 1, "root", 0);
    struct pkix_store *store = pkix_store_create();
    struct span leaf = rich_leaf(), extras[2];
    char *error = NULL;

    (void)state;
    builder_add_extension(&ca, OID_NAME_CONSTRAINTS, true,
                          builder_constraints(builder_general_name(0x82, "example.com"), span_of(NULL, 0)));
    extras[0] = builder_cert(&ca);
    assert_true(pkix_store_add_anchor(store, builder_cert(&root), &error));
    for (unsigned i = 0; i < MUTATIONS; i++) {
        size_t size;
        uint8_t *damaged = mutate(i % 2 == 0 ? leaf : extras[0], &size), *exact = base_memdup(damaged, size);
        struct pkix_request request = {.leaf = i % 2 == 0 ? span_of(exact, size) : leaf,
                                       .extras = extras,
                                       .extras_count = 1,
                                       .profile = i % 3 == 0 ? PKIX_PROFILE_STRICT : PKIX_PROFILE_DEFAULT,
                                       .name = {PKIX_NAME_DNS, span_of_string("www.example.com")},
                                       .time = builder_now};
        struct pkix_verdict *verdict = NULL;
        struct pkix_identity identity;
        struct pkix_description description;
        struct span whole_ca = extras[0];

        if (i % 2 != 0)
            extras[0] = span_of(exact, size);
        if (pkix_verify(store, &request, &verdict) == PKIX_OK)
            fail_msg("mutation %u is valid", i);
        extras[0] = whole_ca;
        pkix_verdict_destroy(&verdict);
        if (!pkix_identity_read(span_of(exact, size), &identity))
            assert_int_equal(identity.count, 0);
        pkix_identity_clear(&identity);
        if (!pkix_describe(span_of(exact, size), &description))
            assert_null(description.subject);
        pkix_description_clear(&description);
        free(exact);
        free(damaged);
    }
    pkix_store_destroy(&store);
}

static enum pkix_error accept_any_signature(void *ctx, const struct pkix_signed *statement, struct span spki)
{
    (void)ctx;
    (void)statement;
    (void)spki;
    return PKIX_OK;
}

static void damaged_crls_and_responses_break_nothing(void **state)
{
    struct cert_spec ca_spec = builder_authority("ca", 1, "root", 0);
    struct span leaf = rich_leaf(), ca = builder_cert(&ca_spec), crl, response;
    struct crl_spec crl_of_ca = builder_crl_of("ca", 1);
    struct ocsp_spec about = builder_ocsp_about(leaf, ca, "ca", 1);
    struct pkix_cert leaf_cert, ca_cert;
    unsigned readable = 0;

    (void)state;
    crl_of_ca.serials[0] = builder_bytes("\x01\x02", 2);
    crl_of_ca.serial_count = 1;
    crl = builder_crl(&crl_of_ca);
    response = builder_ocsp(&about);
    assert_int_equal(pkix_cert_read(leaf, &leaf_cert), PKIX_OK);
    assert_int_equal(pkix_cert_read(ca, &ca_cert), PKIX_OK);
    for (unsigned i = 0; i < MUTATIONS; i++) {
        size_t size;
        uint8_t *damaged = mutate(i % 2 == 0 ? crl : response, &size), *exact = base_memdup(damaged, size);
        struct pkix_crl parsed;
        struct pkix_statement statement;

        if (i % 2 == 0) {
            if (pkix_crl_read(span_of(exact, size), &parsed) == PKIX_OK) {
                readable++;
                (void)pkix_crl_covers(&parsed, &leaf_cert, false);
                (void)pkix_crl_find(&parsed, leaf_cert.serial);
            }
            pkix_crl_clear(&parsed);
        } else if (pkix_ocsp_judge(span_of(exact, size), &leaf_cert, &ca_cert, builder_now, accept_any_signature, NULL,
                                   &statement) == PKIX_OK) {
            readable++;
        }
        free(exact);
        free(damaged);
    }
    assert_true(readable > 0); /* else the mutations would test nothing but the first byte */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_leaves_are_never_valid),
        cmocka_unit_test(damaged_crls_and_responses_break_nothing),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
