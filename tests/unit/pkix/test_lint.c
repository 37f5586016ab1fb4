/* The strict profile's rules about fields and key identifiers, and what the default profile says of the same chains:
 * pkix/lint.h. Extensions have test_lint_form.c. */
#include "strict_chain.h"

#include <setjmp.h>
#include <cmocka.h>

enum { KEY_ID = 0x80, AKI_ISSUER = 0xa1, AKI_SERIAL = 0x82, FULL_NAME = 0xa0, URI = 0x86, DIRECTORY = 0xa4 };

/* ---- Nothing is wrong: what must pass. ---- */

CHANGE(nothing)
{
    (void)c;
}

CHANGE(root_names_its_own_key)
{
    c->root_authority = strict_chain_authority(c->root_key_id);
}

CHANGE(leaf_names_issuer_and_serial)
{
    c->ca.serial = strict_chain_bytes("\x21");
    c->leaf_authority =
        builder_tlv(ASN1_SEQUENCE, builder_tlv(KEY_ID, c->ca_key_id, builder_end),
                    builder_tlv(AKI_ISSUER, builder_tlv(DIRECTORY, builder_name("root"), builder_end), builder_end),
                    builder_tlv(AKI_SERIAL, c->ca.serial, builder_end), builder_end);
}

CHANGE(leaf_is_valid_into_2050)
{
    c->leaf.not_after = 2524608000; /* 2050-01-01T00:00:00Z */
}

CHANGE(client_without_names)
{
    c->leaf = builder_client("alice", 2, "ca", 1);
    c->purpose = PKIX_PURPOSE_CLIENT;
}

CHANGE(leaf_with_usual_extensions)
{
    builder_add_extension(&c->leaf, OID_CERTIFICATE_POLICIES, false,
                          strict_chain_sequence(strict_chain_sequence(builder_oid(OID_ANY_POLICY))));
    builder_add_extension(
        &c->leaf, OID_CRL_DISTRIBUTION_POINTS, false,
        strict_chain_sequence(strict_chain_sequence(builder_tlv(
            0xa0, builder_tlv(FULL_NAME, builder_general_name(URI, "http://crl.test/1"), builder_end), builder_end))));
    builder_add_extension(&c->leaf, OID_SCT_LIST, false,
                          builder_tlv(ASN1_OCTET_STRING, strict_chain_bytes("list"), builder_end));
    builder_add_extension(&c->leaf, OID_AUTHORITY_INFO_ACCESS, false,
                          strict_chain_sequence(strict_chain_sequence(
                              builder_join(builder_oid(OID_AD_OCSP), builder_general_name(URI, "http://ocsp.test/")))));
}

static void strict_accepts_what_is_right(void **state)
{
    static const struct strict_case cases[] = {
        ROW(nothing, PKIX_OK, NULL),
        ROW(root_names_its_own_key, PKIX_OK, NULL),
        ROW(leaf_names_issuer_and_serial, PKIX_OK, NULL),
        ROW(leaf_is_valid_into_2050, PKIX_OK, NULL),
        ROW(client_without_names, PKIX_OK, NULL),
        ROW(leaf_with_usual_extensions, PKIX_OK, NULL),
    };

    (void)state;
    strict_chain_run(cases, ARRAY_LEN(cases));
}

/* ---- Key identifiers, RFC 5280 sections 4.2.1.1 and 4.2.1.2. ---- */

CHANGE(leaf_without_authority)
{
    c->leaf_authority = span_of(NULL, 0);
}

CHANGE(ca_without_authority)
{
    c->ca_authority = span_of(NULL, 0);
}

CHANGE(ca_without_key_id)
{
    c->ca_key_id = span_of(NULL, 0);
}

CHANGE(root_without_key_id)
{
    c->root_key_id = span_of(NULL, 0);
}

/* A trusted certificate that another key signed says whose. */
CHANGE(cross_signed_root_without_authority)
{
    c->root = builder_authority("root", 0, "older root", 9);
}

CHANGE(root_names_another_key)
{
    c->root_authority = strict_chain_authority(strict_chain_key_id('x'));
}

CHANGE(root_names_serial_alone)
{
    c->root_authority = builder_tlv(ASN1_SEQUENCE, builder_tlv(KEY_ID, c->root_key_id, builder_end),
                                    builder_tlv(AKI_SERIAL, strict_chain_bytes("\x01"), builder_end), builder_end);
}

CHANGE(root_names_issuer_alone)
{
    c->root_authority = builder_tlv(
        ASN1_SEQUENCE, builder_tlv(KEY_ID, c->root_key_id, builder_end),
        builder_tlv(AKI_ISSUER, builder_tlv(DIRECTORY, builder_name("root"), builder_end), builder_end), builder_end);
}

CHANGE(ca_names_issuer_and_serial)
{
    c->ca_authority =
        builder_tlv(ASN1_SEQUENCE, builder_tlv(KEY_ID, c->root_key_id, builder_end),
                    builder_tlv(AKI_ISSUER, builder_tlv(DIRECTORY, builder_name("root"), builder_end), builder_end),
                    builder_tlv(AKI_SERIAL, strict_chain_bytes("\x01"), builder_end), builder_end);
}

CHANGE(leaf_names_serial_without_key)
{
    leaf_names_issuer_and_serial(c);
    c->leaf_authority = builder_tlv(
        ASN1_SEQUENCE, builder_tlv(AKI_ISSUER, builder_tlv(DIRECTORY, builder_name("root"), builder_end), builder_end),
        builder_tlv(AKI_SERIAL, c->ca.serial, builder_end), builder_end);
}

CHANGE(leaf_names_another_serial)
{
    leaf_names_issuer_and_serial(c);
    c->ca.serial = strict_chain_bytes("\x22");
}

CHANGE(leaf_names_another_issuer)
{
    c->ca.serial = strict_chain_bytes("\x21");
    c->leaf_authority =
        builder_tlv(ASN1_SEQUENCE, builder_tlv(KEY_ID, c->ca_key_id, builder_end),
                    builder_tlv(AKI_ISSUER, builder_tlv(DIRECTORY, builder_name("boot"), builder_end), builder_end),
                    builder_tlv(AKI_SERIAL, c->ca.serial, builder_end), builder_end);
}

CHANGE(leaf_names_another_key)
{
    c->leaf_authority = strict_chain_authority(strict_chain_key_id('x'));
}

CHANGE(leaf_names_an_empty_key)
{
    c->leaf_authority = strict_chain_sequence(builder_tlv(KEY_ID, span_of(NULL, 0), builder_end));
}

CHANGE(leaf_authority_has_more_behind)
{
    c->leaf_authority = builder_join(strict_chain_authority(c->ca_key_id), builder_integer(1));
}

CHANGE(leaf_key_id_malformed)
{
    builder_add_extension(&c->leaf, OID_SUBJECT_KEY_ID, false, strict_chain_bytes("xx"));
}

CHANGE(leaf_key_id_critical)
{
    builder_add_extension(&c->leaf, OID_SUBJECT_KEY_ID, true,
                          builder_tlv(ASN1_OCTET_STRING, strict_chain_key_id('l'), builder_end));
}

CHANGE(leaf_authority_critical)
{
    builder_add_extension(&c->leaf, OID_AUTHORITY_KEY_ID, true, c->leaf_authority);
    c->leaf_authority = span_of(NULL, 0);
}

static void strict_checks_key_identifiers(void **state)
{
    static const struct strict_case cases[] = {
        ROW(leaf_without_authority, PKIX_OK, "no authority key identifier"),
        ROW(ca_without_authority, PKIX_OK, "no authority key identifier"),
        ROW(ca_without_key_id, PKIX_OK, "no subject key identifier"),
        ROW(root_without_key_id, PKIX_OK, "no subject key identifier"),
        ROW(cross_signed_root_without_authority, PKIX_OK, "no authority key identifier"),
        ROW(root_names_another_key, PKIX_OK, "two key identifiers differ"),
        ROW(root_names_serial_alone, PKIX_OK, "one of issuer and serial number"),
        ROW(root_names_issuer_alone, PKIX_OK, "one of issuer and serial number"),
        ROW(ca_names_issuer_and_serial, PKIX_OK, "names issuer and serial number"),
        ROW(leaf_names_serial_without_key, PKIX_OK, "names no key"),
        ROW(leaf_names_another_serial, PKIX_OK, "serial number that is not its issuer's"),
        ROW(leaf_names_another_issuer, PKIX_OK, "an issuer that is not its issuer's"),
        ROW(leaf_names_another_key, PKIX_OK, "not its issuer's subject key identifier"),
        ROW(leaf_names_an_empty_key, PKIX_OK, "names no key"),
        ROW(leaf_authority_has_more_behind, PKIX_OK, "authority key identifier is malformed"),
        ROW(leaf_key_id_malformed, PKIX_OK, "subject key identifier is malformed"),
        ROW(leaf_key_id_critical, PKIX_UNKNOWN_CRITICAL_EXTENSION, NULL),
        ROW(leaf_authority_critical, PKIX_UNKNOWN_CRITICAL_EXTENSION, NULL),
    };

    (void)state;
    strict_chain_run(cases, ARRAY_LEN(cases));
}

/* ---- Version, serial number, dates, algorithms. ---- */

CHANGE(leaf_of_version_1)
{
    c->leaf.version = 0;
}

CHANGE(serial_zero)
{
    c->leaf.serial = builder_bytes("\0", 1);
}

CHANGE(serial_negative)
{
    c->leaf.serial = strict_chain_bytes("\x80\x01");
}

CHANGE(serial_of_twenty_octets)
{
    c->leaf.serial = strict_chain_bytes("\x7f"
                                        "1234567890123456789");
}

CHANGE(serial_of_twenty_one_octets)
{
    c->leaf.serial = strict_chain_bytes("\x7f"
                                        "12345678901234567890");
}

CHANGE(generalized_time_before_2050)
{
    c->leaf.validity = builder_join(builder_generalized(c->leaf.not_before), builder_time(c->leaf.not_after));
}

CHANGE(ca_generalized_time_before_2050)
{
    c->ca.validity = builder_join(builder_time(c->ca.not_before), builder_generalized(c->ca.not_after));
}

CHANGE(utc_time_with_offset)
{
    c->leaf.validity = builder_join(builder_tlv(ASN1_UTC_TIME, strict_chain_bytes("250101000000+0000"), builder_end),
                                    builder_time(c->leaf.not_after));
}

CHANGE(utc_time_without_seconds)
{
    c->leaf.validity = builder_join(builder_tlv(ASN1_UTC_TIME, strict_chain_bytes("2501010000Z"), builder_end),
                                    builder_time(c->leaf.not_after));
}

CHANGE(generalized_time_with_fraction)
{
    c->leaf.validity =
        builder_join(builder_time(c->leaf.not_before),
                     builder_tlv(ASN1_GENERALIZED_TIME, strict_chain_bytes("20510101000000.5Z"), builder_end));
}

CHANGE(dates_in_the_wrong_order)
{
    c->leaf.validity = builder_join(builder_time(c->leaf.not_after), builder_time(c->leaf.not_before));
}

CHANGE(one_algorithm_with_null)
{
    c->leaf.outer_algorithm =
        builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ECDSA_SHA256), builder_tlv(ASN1_NULL, builder_end), builder_end);
}

CHANGE(both_algorithms_with_null)
{
    one_algorithm_with_null(c);
    c->leaf.inner_algorithm = c->leaf.outer_algorithm;
}

static void strict_checks_version_serial_dates_and_algorithms(void **state)
{
    static const struct strict_case cases[] = {
        ROW(leaf_of_version_1, PKIX_OK, "not of version 3"),
        ROW(serial_zero, PKIX_OK, "serial number is zero"),
        ROW(serial_negative, PKIX_OK, "serial number is negative"),
        ROW(serial_of_twenty_octets, PKIX_OK, NULL),
        ROW(serial_of_twenty_one_octets, PKIX_OK, "longer than 20 octets"),
        ROW(generalized_time_before_2050, PKIX_OK, "not a UTCTime"),
        ROW(ca_generalized_time_before_2050, PKIX_OK, "not a UTCTime"),
        ROW(utc_time_with_offset, PKIX_BAD_TIME, NULL),
        ROW(utc_time_without_seconds, PKIX_BAD_TIME, NULL),
        ROW(generalized_time_with_fraction, PKIX_BAD_TIME, NULL),
        ROW(dates_in_the_wrong_order, PKIX_BAD_TIME, NULL),
        ROW(one_algorithm_with_null, PKIX_OK, "not the same bytes"),
        ROW(both_algorithms_with_null, PKIX_OK, "not NULL for RSA and absent for ECDSA"),
    };

    (void)state;
    strict_chain_run(cases, ARRAY_LEN(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_accepts_what_is_right),
        cmocka_unit_test(strict_checks_key_identifiers),
        cmocka_unit_test(strict_checks_version_serial_dates_and_algorithms),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
