/* The strict profile's rules about fields and extensions, and what the default profile says of the same chains:
 * pkix/lint.h, pkix/lint_form.h. */
#include "strict_chain.h"

#include <setjmp.h>
#include <cmocka.h>

enum { KEY_ID = 0x80, AKI_ISSUER = 0xa1, AKI_SERIAL = 0x82, FULL_NAME = 0xa0, URI = 0x86, DIRECTORY = 0xa4 };

/* Each changes one thing in a good chain. */
#define CHANGE(name) static void name(struct strict_chain *c)
#define ROW(name, want_default, want_rule)                                                                             \
    {                                                                                                                  \
#name, name, want_default, want_rule                                                                           \
    }

static struct span sequence(struct span contents)
{
    return builder_tlv(ASN1_SEQUENCE, contents, builder_end);
}

static struct span bytes(const char *text)
{
    return builder_bytes(text, strlen(text));
}

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
    c->ca.serial = bytes("\x21");
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
    builder_add_extension(&c->leaf, OID_CERTIFICATE_POLICIES, false, sequence(sequence(builder_oid(OID_ANY_POLICY))));
    builder_add_extension(
        &c->leaf, OID_CRL_DISTRIBUTION_POINTS, false,
        sequence(sequence(builder_tlv(
            0xa0, builder_tlv(FULL_NAME, builder_general_name(URI, "http://crl.test/1"), builder_end), builder_end))));
    builder_add_extension(&c->leaf, OID_SCT_LIST, false, builder_tlv(ASN1_OCTET_STRING, bytes("list"), builder_end));
    builder_add_extension(
        &c->leaf, OID_AUTHORITY_INFO_ACCESS, false,
        sequence(sequence(builder_join(builder_oid(OID_AD_OCSP), builder_general_name(URI, "http://ocsp.test/")))));
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
                                    builder_tlv(AKI_SERIAL, bytes("\x01"), builder_end), builder_end);
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
                    builder_tlv(AKI_SERIAL, bytes("\x01"), builder_end), builder_end);
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
    c->ca.serial = bytes("\x22");
}

CHANGE(leaf_names_another_issuer)
{
    c->ca.serial = bytes("\x21");
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
    c->leaf_authority = sequence(builder_tlv(KEY_ID, span_of(NULL, 0), builder_end));
}

CHANGE(leaf_authority_has_more_behind)
{
    c->leaf_authority = builder_join(strict_chain_authority(c->ca_key_id), builder_integer(1));
}

CHANGE(leaf_key_id_malformed)
{
    builder_add_extension(&c->leaf, OID_SUBJECT_KEY_ID, false, bytes("xx"));
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
    c->leaf.serial = bytes("\x80\x01");
}

CHANGE(serial_of_twenty_octets)
{
    c->leaf.serial = bytes("\x7f"
                           "1234567890123456789");
}

CHANGE(serial_of_twenty_one_octets)
{
    c->leaf.serial = bytes("\x7f"
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
    c->leaf.validity = builder_join(builder_tlv(ASN1_UTC_TIME, bytes("250101000000+0000"), builder_end),
                                    builder_time(c->leaf.not_after));
}

CHANGE(utc_time_without_seconds)
{
    c->leaf.validity =
        builder_join(builder_tlv(ASN1_UTC_TIME, bytes("2501010000Z"), builder_end), builder_time(c->leaf.not_after));
}

CHANGE(generalized_time_with_fraction)
{
    c->leaf.validity = builder_join(builder_time(c->leaf.not_before),
                                    builder_tlv(ASN1_GENERALIZED_TIME, bytes("20510101000000.5Z"), builder_end));
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

/* ---- Extensions: their list, what they are for, their form. ---- */

CHANGE(unknown_extension_twice)
{
    builder_add_extension(&c->leaf, OID_USER_ID, false, bytes("a"));
    builder_add_extension(&c->leaf, OID_USER_ID, false, bytes("b"));
}

CHANGE(explicit_not_critical)
{
    c->leaf.extensions[c->leaf.extension_count++] =
        builder_tlv(ASN1_SEQUENCE, builder_oid(OID_USER_ID), builder_boolean(false),
                    builder_tlv(ASN1_OCTET_STRING, bytes("a"), builder_end), builder_end);
}

CHANGE(more_extensions_than_are_looked_at)
{
    struct span all = span_of(NULL, 0);

    for (uint8_t i = 0; i < 70; i++)
        all = builder_join(all, builder_tlv(ASN1_SEQUENCE,
                                            builder_tlv(ASN1_OID, builder_bytes((uint8_t[]){0x2a, i}, 2), builder_end),
                                            builder_tlv(ASN1_OCTET_STRING, bytes("a"), builder_end), builder_end));
    c->leaf.extensions[c->leaf.extension_count++] = all;
}

CHANGE(root_basic_constraints_not_critical)
{
    c->root.basic_constraints_not_critical = true;
}

CHANGE(ca_basic_constraints_not_critical)
{
    c->ca.basic_constraints_not_critical = true;
}

CHANGE(ca_without_key_usage)
{
    c->ca.key_usage = -1;
}

CHANGE(key_usage_with_zero_bits_at_its_end)
{
    c->ca.key_usage = -1;
    builder_add_extension(&c->ca, OID_KEY_USAGE, true, builder_bytes("\x03\x02\x00\x06", 4));
}

CHANGE(leaf_may_sign_certificates)
{
    c->leaf.key_usage = BUILDER_KU_SIGN | BUILDER_KU_CERT_SIGN;
}

CHANGE(leaf_with_path_length)
{
    c->leaf.ca = BUILDER_NOT_CA;
    c->leaf.path_length = 0;
}

CHANGE(leaf_says_false)
{
    builder_add_extension(&c->leaf, OID_BASIC_CONSTRAINTS, true, sequence(builder_boolean(false)));
}

CHANGE(path_length_negative)
{
    c->ca.ca = BUILDER_NO_CONSTRAINTS;
    builder_add_extension(
        &c->ca, OID_BASIC_CONSTRAINTS, true,
        sequence(builder_join(builder_boolean(true), builder_tlv(ASN1_INTEGER, bytes("\xff"), builder_end))));
}

CHANGE(usage_critical)
{
    c->leaf.eku = span_of(NULL, 0);
    builder_add_extension(&c->leaf, OID_EXTENDED_KEY_USAGE, true, sequence(builder_oid(OID_SERVER_AUTH)));
}

CHANGE(usage_lists_any)
{
    c->leaf.eku = builder_join(builder_oid(OID_SERVER_AUTH), builder_oid(OID_ANY_EXTENDED_KEY_USAGE));
}

CHANGE(root_with_usage)
{
    c->root.eku = builder_oid(OID_SERVER_AUTH);
}

CHANGE(policies_empty)
{
    builder_add_extension(&c->leaf, OID_CERTIFICATE_POLICIES, false, builder_tlv(ASN1_SEQUENCE, builder_end));
}

CHANGE(root_policies_empty)
{
    builder_add_extension(&c->root, OID_CERTIFICATE_POLICIES, false, builder_tlv(ASN1_SEQUENCE, builder_end));
}

CHANGE(policy_twice)
{
    builder_add_extension(
        &c->leaf, OID_CERTIFICATE_POLICIES, false,
        sequence(builder_join(sequence(builder_oid(OID_ANY_POLICY)), sequence(builder_oid(OID_ANY_POLICY)))));
}

CHANGE(policy_with_empty_qualifiers)
{
    builder_add_extension(&c->leaf, OID_CERTIFICATE_POLICIES, false,
                          sequence(sequence(builder_join(builder_oid(OID_ANY_POLICY), sequence(span_of(NULL, 0))))));
}

CHANGE(policy_constraints_empty)
{
    builder_add_extension(&c->ca, OID_POLICY_CONSTRAINTS, true, builder_tlv(ASN1_SEQUENCE, builder_end));
}

CHANGE(policy_constraints_not_critical)
{
    builder_add_extension(&c->ca, OID_POLICY_CONSTRAINTS, false,
                          sequence(builder_tlv(0x81, builder_bytes("\0", 1), builder_end)));
}

CHANGE(inhibit_any_policy_negative)
{
    builder_add_extension(&c->ca, OID_INHIBIT_ANY_POLICY, true, builder_tlv(ASN1_INTEGER, bytes("\xff"), builder_end));
}

CHANGE(policy_mapped_to_any)
{
    builder_add_extension(&c->ca, OID_POLICY_MAPPINGS, false,
                          sequence(sequence(builder_join(builder_oid(OID_USER_ID), builder_oid(OID_ANY_POLICY)))));
}

CHANGE(policy_mappings_critical)
{
    builder_add_extension(&c->ca, OID_POLICY_MAPPINGS, true,
                          sequence(sequence(builder_join(builder_oid(OID_USER_ID), builder_oid(OID_USER_ID)))));
}

CHANGE(leaf_with_inhibit_any_policy)
{
    builder_add_extension(&c->leaf, OID_INHIBIT_ANY_POLICY, true, builder_integer(0));
}

CHANGE(leaf_with_name_constraints)
{
    builder_add_extension(&c->leaf, OID_NAME_CONSTRAINTS, true,
                          builder_constraints(builder_general_name(0x82, strict_chain_host), builder_end));
}

CHANGE(distribution_point_empty)
{
    builder_add_extension(&c->leaf, OID_CRL_DISTRIBUTION_POINTS, false, sequence(sequence(span_of(NULL, 0))));
}

CHANGE(distribution_point_with_reasons_alone)
{
    builder_add_extension(&c->leaf, OID_CRL_DISTRIBUTION_POINTS, false,
                          sequence(sequence(builder_tlv(0x81, builder_bytes("\x01\x02", 2), builder_end))));
}

CHANGE(timestamps_malformed)
{
    builder_add_extension(&c->leaf, OID_SCT_LIST, false, builder_integer(1));
}

CHANGE(access_info_critical)
{
    builder_add_extension(
        &c->leaf, OID_AUTHORITY_INFO_ACCESS, true,
        sequence(sequence(builder_join(builder_oid(OID_AD_OCSP), builder_general_name(URI, "http://ocsp.test/")))));
}

CHANGE(access_info_malformed)
{
    builder_add_extension(&c->leaf, OID_AUTHORITY_INFO_ACCESS, false, sequence(bytes("malformed")));
}

CHANGE(access_info_to_nowhere)
{
    builder_add_extension(
        &c->leaf, OID_AUTHORITY_INFO_ACCESS, false,
        sequence(sequence(builder_join(builder_oid(OID_AD_OCSP), builder_general_name(URI, "file:///etc/passwd")))));
}

CHANGE(access_info_not_in_ascii)
{
    builder_add_extension(
        &c->leaf, OID_AUTHORITY_INFO_ACCESS, false,
        sequence(sequence(builder_join(builder_oid(OID_AD_OCSP), builder_general_name(URI, "http://\xc3\xbc.test/")))));
}

CHANGE(distribution_point_not_in_ascii)
{
    builder_add_extension(
        &c->leaf, OID_CRL_DISTRIBUTION_POINTS, false,
        sequence(sequence(
            builder_tlv(0xa0, builder_tlv(FULL_NAME, builder_general_name(URI, "http://\xc3\xbc.test/"), builder_end),
                        builder_end))));
}

CHANGE(policies_critical)
{
    builder_add_extension(&c->leaf, OID_CERTIFICATE_POLICIES, true, sequence(sequence(builder_oid(OID_ANY_POLICY))));
}

CHANGE(empty_identifier)
{
    c->leaf.extensions[c->leaf.extension_count++] =
        builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_OID, builder_end),
                    builder_tlv(ASN1_OCTET_STRING, bytes("a"), builder_end), builder_end);
}

CHANGE(identifier_cut_short)
{
    c->leaf.extensions[c->leaf.extension_count++] =
        builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_OID, bytes("\x2a\x83"), builder_end),
                    builder_tlv(ASN1_OCTET_STRING, bytes("a"), builder_end), builder_end);
}

CHANGE(identifier_with_leading_zeros)
{
    builder_add_extension(&c->leaf, OID_AUTHORITY_INFO_ACCESS, false,
                          sequence(sequence(builder_join(builder_tlv(ASN1_OID, bytes("\x2a\x80\x01"), builder_end),
                                                         builder_general_name(URI, "http://ocsp.test/")))));
}

static void add_qualifier_of(struct strict_chain *c, enum pkix_oid kind, bool critical, struct span qualifier)
{
    builder_add_extension(
        &c->leaf, OID_CERTIFICATE_POLICIES, critical,
        sequence(sequence(builder_join(builder_oid(OID_ANY_POLICY),
                                       sequence(sequence(builder_join(builder_oid(kind), qualifier)))))));
}

/* In a place nobody reads: a policy's qualifier. */
static void add_qualifier(struct strict_chain *c, struct span qualifier)
{
    add_qualifier_of(c, OID_QUALIFIER_USER_NOTICE, false, qualifier);
}

/* RFC 5280 section 4.2.1.4: two kinds; a critical extension is interpreted or refused. */
CHANGE(qualifier_of_another_kind)
{
    add_qualifier_of(c, OID_USER_ID, false, sequence(builder_end));
}

CHANGE(qualifier_of_another_kind_critical)
{
    add_qualifier_of(c, OID_USER_ID, true, sequence(builder_end));
}

CHANGE(qualifier_critical)
{
    add_qualifier_of(c, OID_QUALIFIER_CPS, true, builder_tlv(ASN1_IA5_STRING, bytes("http://a/"), builder_end));
}

CHANGE(directory_attributes_none)
{
    builder_add_extension(&c->leaf, OID_SUBJECT_DIRECTORY_ATTRIBUTES, false, sequence(builder_end));
}

CHANGE(directory_attributes)
{
    builder_add_extension(
        &c->leaf, OID_SUBJECT_DIRECTORY_ATTRIBUTES, false,
        sequence(sequence(builder_join(
            builder_oid(OID_COUNTRY),
            builder_tlv(ASN1_SET, builder_tlv(ASN1_PRINTABLE_STRING, bytes("SE"), builder_end), builder_end)))));
}

CHANGE(subject_access_none)
{
    builder_add_extension(&c->ca, OID_SUBJECT_INFO_ACCESS, false, sequence(builder_end));
}

CHANGE(subject_access)
{
    builder_add_extension(&c->ca, OID_SUBJECT_INFO_ACCESS, false,
                          sequence(sequence(builder_join(builder_oid(OID_AD_CA_ISSUERS),
                                                         builder_general_name(URI, "http://a.example/")))));
}

CHANGE(subject_access_relative)
{
    builder_add_extension(
        &c->ca, OID_SUBJECT_INFO_ACCESS, false,
        sequence(sequence(builder_join(builder_oid(OID_AD_CA_ISSUERS), builder_general_name(URI, "a/b")))));
}

CHANGE(issuer_names_relative)
{
    builder_add_extension(&c->leaf, OID_ISSUER_ALT_NAME, false, sequence(builder_general_name(URI, "../ca")));
}

/* A real root has it; nobody else may. */
CHANGE(root_with_serial_zero)
{
    c->root.serial = builder_bytes("\0", 1);
}

CHANGE(ca_with_serial_zero)
{
    c->ca.serial = builder_bytes("\0", 1);
}

CHANGE(leaf_with_a_key_beside_its_curve)
{
    struct span spki = builder_spki(2);
    struct span changed = builder_bytes(spki.data, spki.size);

    ((uint8_t *)(uintptr_t)changed.data)[changed.size - 1] ^= 1;
    c->leaf.spki = changed;
}

CHANGE(qualifier_with_a_number_that_is_not_minimal)
{
    add_qualifier(c, sequence(builder_tlv(ASN1_INTEGER, builder_bytes("\0\x01", 2), builder_end)));
}

CHANGE(qualifier_with_a_truth_of_one)
{
    add_qualifier(c, builder_tlv(ASN1_BOOLEAN, bytes("\x01"), builder_end));
}

CHANGE(qualifier_with_unused_bits_set)
{
    add_qualifier(c, builder_tlv(ASN1_BIT_STRING, builder_bytes("\x04\xff", 2), builder_end));
}

CHANGE(qualifier_with_a_string_in_pieces)
{
    add_qualifier(
        c, builder_tlv(ASN1_OCTET_STRING | 0x20, builder_tlv(ASN1_OCTET_STRING, bytes("a"), builder_end), builder_end));
}

CHANGE(qualifier_with_a_primitive_sequence)
{
    add_qualifier(c, builder_tlv(0x10, bytes("a"), builder_end));
}

CHANGE(qualifier_nested_too_deeply)
{
    struct span nested = builder_integer(1);

    for (unsigned i = 0; i < 40; i++)
        nested = sequence(nested);
    add_qualifier(c, nested);
}

CHANGE(qualifier_as_it_should_be)
{
    add_qualifier(c, sequence(builder_join(builder_integer(300),
                                           builder_tlv(ASN1_BIT_STRING, builder_bytes("\x04\xf0", 2), builder_end))));
}

CHANGE(client_without_any_name)
{
    c->leaf = builder_client(NULL, 2, "ca", 1);
    c->purpose = PKIX_PURPOSE_CLIENT;
}

static void strict_checks_that_everything_is_der(void **state)
{
    static const struct strict_case cases[] = {
        ROW(qualifier_as_it_should_be, PKIX_OK, NULL),
        ROW(qualifier_of_another_kind, PKIX_OK, "neither a CPS pointer nor a user notice"),
        ROW(qualifier_of_another_kind_critical, PKIX_BAD_POLICY, NULL),
        ROW(qualifier_critical, PKIX_OK, "certificate policies are critical"),
        ROW(directory_attributes_none, PKIX_OK, "directory attributes"),
        ROW(directory_attributes, PKIX_OK, NULL),
        ROW(subject_access_none, PKIX_OK, "subject information access"),
        ROW(subject_access, PKIX_OK, NULL),
        ROW(subject_access_relative, PKIX_OK, "subject information access"),
        ROW(issuer_names_relative, PKIX_OK, "issuer's alternative names"),
        ROW(root_with_serial_zero, PKIX_OK, NULL),
        ROW(ca_with_serial_zero, PKIX_OK, "serial number is zero"),
        ROW(leaf_with_a_key_beside_its_curve, PKIX_OK, "not on its curve"),
        ROW(empty_identifier, PKIX_OK, "not DER"),
        ROW(identifier_cut_short, PKIX_OK, "not DER"),
        ROW(identifier_with_leading_zeros, PKIX_OK, "not DER"),
        ROW(qualifier_with_a_number_that_is_not_minimal, PKIX_OK, "not DER"),
        ROW(qualifier_with_a_truth_of_one, PKIX_OK, "not DER"),
        ROW(qualifier_with_unused_bits_set, PKIX_OK, "not DER"),
        ROW(qualifier_with_a_string_in_pieces, PKIX_OK, "not DER"),
        ROW(qualifier_with_a_primitive_sequence, PKIX_OK, "not DER"),
        ROW(qualifier_nested_too_deeply, PKIX_OK, "not DER"),
    };

    (void)state;
    strict_chain_run(cases, ARRAY_LEN(cases));
}

static void strict_checks_extensions(void **state)
{
    static const struct strict_case cases[] = {
        ROW(unknown_extension_twice, PKIX_OK, "there twice"),
        ROW(explicit_not_critical, PKIX_OK, "says that it is not critical"),
        ROW(more_extensions_than_are_looked_at, PKIX_OK, "more extensions"),
        ROW(root_basic_constraints_not_critical, PKIX_OK, "not critical"),
        ROW(ca_basic_constraints_not_critical, PKIX_OK, "not critical"),
        ROW(ca_without_key_usage, PKIX_OK, "no key usage"),
        ROW(key_usage_with_zero_bits_at_its_end, PKIX_OK, "zero bits"),
        ROW(leaf_may_sign_certificates, PKIX_BAD_KEY_USAGE, NULL),
        ROW(leaf_with_path_length, PKIX_OK, "path length without cA"),
        ROW(leaf_says_false, PKIX_OK, "cA FALSE"),
        ROW(path_length_negative, PKIX_BAD_EXTENSION, NULL),
        ROW(usage_critical, PKIX_OK, "extended key usage is critical"),
        ROW(usage_lists_any, PKIX_OK, "lists any usage"),
        ROW(root_with_usage, PKIX_OK, "root has an extended key usage"),
        ROW(client_without_any_name, PKIX_OK, "neither a subject nor an alternative name"),
        ROW(policies_critical, PKIX_OK, "certificate policies are critical"),
        ROW(policies_empty, PKIX_BAD_POLICY, NULL),
        ROW(policy_twice, PKIX_BAD_POLICY, NULL),
        ROW(policy_with_empty_qualifiers, PKIX_OK, "qualifiers of a certificate policy"),
        ROW(root_policies_empty, PKIX_OK, "certificatePolicies are malformed"),
        ROW(policy_constraints_empty, PKIX_BAD_POLICY, NULL),
        ROW(policy_constraints_not_critical, PKIX_OK, "policy constraints are not critical"),
        ROW(inhibit_any_policy_negative, PKIX_BAD_POLICY, NULL),
        ROW(policy_mapped_to_any, PKIX_BAD_POLICY, NULL),
        ROW(policy_mappings_critical, PKIX_OK, NULL),
        ROW(leaf_with_inhibit_any_policy, PKIX_OK, "for authorities"),
        ROW(leaf_with_name_constraints, PKIX_BAD_EXTENSION, NULL),
        ROW(distribution_point_empty, PKIX_OK, "distribution points are malformed"),
        ROW(distribution_point_with_reasons_alone, PKIX_OK, "distribution points are malformed"),
        ROW(access_info_not_in_ascii, PKIX_OK, "access is malformed"),
        ROW(distribution_point_not_in_ascii, PKIX_OK, "distribution points are malformed"),
        ROW(timestamps_malformed, PKIX_OK, "timestamps is malformed"),
        ROW(access_info_critical, PKIX_BAD_EXTENSION, NULL),
        ROW(access_info_malformed, PKIX_BAD_EXTENSION, NULL),
        ROW(access_info_to_nowhere, PKIX_OK, "access is malformed"),
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
        cmocka_unit_test(strict_checks_that_everything_is_der),
        cmocka_unit_test(strict_checks_extensions),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
