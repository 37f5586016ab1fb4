/* The strict profile's rules about extensions (their list, what they are for, how they are written), and what the
 * default profile says of the same chains: pkix/lint_form.h. */
#include "strict_chain.h"

#include <setjmp.h>
#include <cmocka.h>

enum { FULL_NAME = 0xa0, URI = 0x86 };

CHANGE(unknown_extension_twice)
{
    builder_add_extension(&c->leaf, OID_USER_ID, false, strict_chain_bytes("a"));
    builder_add_extension(&c->leaf, OID_USER_ID, false, strict_chain_bytes("b"));
}

CHANGE(explicit_not_critical)
{
    c->leaf.extensions[c->leaf.extension_count++] =
        builder_tlv(ASN1_SEQUENCE, builder_oid(OID_USER_ID), builder_boolean(false),
                    builder_tlv(ASN1_OCTET_STRING, strict_chain_bytes("a"), builder_end), builder_end);
}

CHANGE(more_extensions_than_are_looked_at)
{
    struct span all = span_of(NULL, 0);

    for (uint8_t i = 0; i < 70; i++)
        all = builder_join(
            all, builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_OID, builder_bytes((uint8_t[]){0x2a, i}, 2), builder_end),
                             builder_tlv(ASN1_OCTET_STRING, strict_chain_bytes("a"), builder_end), builder_end));
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
    builder_add_extension(&c->leaf, OID_BASIC_CONSTRAINTS, true, strict_chain_sequence(builder_boolean(false)));
}

CHANGE(path_length_negative)
{
    c->ca.ca = BUILDER_NO_CONSTRAINTS;
    builder_add_extension(
        &c->ca, OID_BASIC_CONSTRAINTS, true,
        strict_chain_sequence(
            builder_join(builder_boolean(true), builder_tlv(ASN1_INTEGER, strict_chain_bytes("\xff"), builder_end))));
}

CHANGE(usage_critical)
{
    c->leaf.eku = span_of(NULL, 0);
    builder_add_extension(&c->leaf, OID_EXTENDED_KEY_USAGE, true, strict_chain_sequence(builder_oid(OID_SERVER_AUTH)));
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
    builder_add_extension(&c->leaf, OID_CERTIFICATE_POLICIES, false,
                          strict_chain_sequence(builder_join(strict_chain_sequence(builder_oid(OID_ANY_POLICY)),
                                                             strict_chain_sequence(builder_oid(OID_ANY_POLICY)))));
}

CHANGE(policy_with_empty_qualifiers)
{
    builder_add_extension(&c->leaf, OID_CERTIFICATE_POLICIES, false,
                          strict_chain_sequence(strict_chain_sequence(
                              builder_join(builder_oid(OID_ANY_POLICY), strict_chain_sequence(span_of(NULL, 0))))));
}

CHANGE(policy_constraints_empty)
{
    builder_add_extension(&c->ca, OID_POLICY_CONSTRAINTS, true, builder_tlv(ASN1_SEQUENCE, builder_end));
}

CHANGE(policy_constraints_not_critical)
{
    builder_add_extension(&c->ca, OID_POLICY_CONSTRAINTS, false,
                          strict_chain_sequence(builder_tlv(0x81, builder_bytes("\0", 1), builder_end)));
}

CHANGE(inhibit_any_policy_negative)
{
    builder_add_extension(&c->ca, OID_INHIBIT_ANY_POLICY, true,
                          builder_tlv(ASN1_INTEGER, strict_chain_bytes("\xff"), builder_end));
}

CHANGE(policy_mapped_to_any)
{
    builder_add_extension(&c->ca, OID_POLICY_MAPPINGS, false,
                          strict_chain_sequence(strict_chain_sequence(
                              builder_join(builder_oid(OID_USER_ID), builder_oid(OID_ANY_POLICY)))));
}

CHANGE(policy_mappings_critical)
{
    builder_add_extension(
        &c->ca, OID_POLICY_MAPPINGS, true,
        strict_chain_sequence(strict_chain_sequence(builder_join(builder_oid(OID_USER_ID), builder_oid(OID_USER_ID)))));
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
    builder_add_extension(&c->leaf, OID_CRL_DISTRIBUTION_POINTS, false,
                          strict_chain_sequence(strict_chain_sequence(span_of(NULL, 0))));
}

CHANGE(distribution_point_with_reasons_alone)
{
    builder_add_extension(
        &c->leaf, OID_CRL_DISTRIBUTION_POINTS, false,
        strict_chain_sequence(strict_chain_sequence(builder_tlv(0x81, builder_bytes("\x01\x02", 2), builder_end))));
}

CHANGE(timestamps_malformed)
{
    builder_add_extension(&c->leaf, OID_SCT_LIST, false, builder_integer(1));
}

CHANGE(access_info_critical)
{
    builder_add_extension(&c->leaf, OID_AUTHORITY_INFO_ACCESS, true,
                          strict_chain_sequence(strict_chain_sequence(
                              builder_join(builder_oid(OID_AD_OCSP), builder_general_name(URI, "http://ocsp.test/")))));
}

CHANGE(access_info_malformed)
{
    builder_add_extension(&c->leaf, OID_AUTHORITY_INFO_ACCESS, false,
                          strict_chain_sequence(strict_chain_bytes("malformed")));
}

CHANGE(access_info_to_nowhere)
{
    builder_add_extension(&c->leaf, OID_AUTHORITY_INFO_ACCESS, false,
                          strict_chain_sequence(strict_chain_sequence(builder_join(
                              builder_oid(OID_AD_OCSP), builder_general_name(URI, "file:///etc/passwd")))));
}

CHANGE(access_info_not_in_ascii)
{
    builder_add_extension(&c->leaf, OID_AUTHORITY_INFO_ACCESS, false,
                          strict_chain_sequence(strict_chain_sequence(builder_join(
                              builder_oid(OID_AD_OCSP), builder_general_name(URI, "http://\xc3\xbc.test/")))));
}

CHANGE(distribution_point_not_in_ascii)
{
    builder_add_extension(
        &c->leaf, OID_CRL_DISTRIBUTION_POINTS, false,
        strict_chain_sequence(strict_chain_sequence(
            builder_tlv(0xa0, builder_tlv(FULL_NAME, builder_general_name(URI, "http://\xc3\xbc.test/"), builder_end),
                        builder_end))));
}

CHANGE(policies_critical)
{
    builder_add_extension(&c->leaf, OID_CERTIFICATE_POLICIES, true,
                          strict_chain_sequence(strict_chain_sequence(builder_oid(OID_ANY_POLICY))));
}

CHANGE(empty_identifier)
{
    c->leaf.extensions[c->leaf.extension_count++] =
        builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_OID, builder_end),
                    builder_tlv(ASN1_OCTET_STRING, strict_chain_bytes("a"), builder_end), builder_end);
}

CHANGE(identifier_cut_short)
{
    c->leaf.extensions[c->leaf.extension_count++] =
        builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_OID, strict_chain_bytes("\x2a\x83"), builder_end),
                    builder_tlv(ASN1_OCTET_STRING, strict_chain_bytes("a"), builder_end), builder_end);
}

CHANGE(identifier_with_leading_zeros)
{
    builder_add_extension(&c->leaf, OID_AUTHORITY_INFO_ACCESS, false,
                          strict_chain_sequence(strict_chain_sequence(
                              builder_join(builder_tlv(ASN1_OID, strict_chain_bytes("\x2a\x80\x01"), builder_end),
                                           builder_general_name(URI, "http://ocsp.test/")))));
}

static void add_qualifier_of(struct strict_chain *c, enum pkix_oid kind, bool critical, struct span qualifier)
{
    builder_add_extension(
        &c->leaf, OID_CERTIFICATE_POLICIES, critical,
        strict_chain_sequence(strict_chain_sequence(
            builder_join(builder_oid(OID_ANY_POLICY),
                         strict_chain_sequence(strict_chain_sequence(builder_join(builder_oid(kind), qualifier)))))));
}

/* In a place nobody reads: a policy's qualifier. */
static void add_qualifier(struct strict_chain *c, struct span qualifier)
{
    add_qualifier_of(c, OID_QUALIFIER_USER_NOTICE, false, qualifier);
}

/* RFC 5280 section 4.2.1.4: two kinds; a critical extension is interpreted or refused. */
CHANGE(qualifier_of_another_kind)
{
    add_qualifier_of(c, OID_USER_ID, false, strict_chain_sequence(builder_end));
}

CHANGE(qualifier_of_another_kind_critical)
{
    add_qualifier_of(c, OID_USER_ID, true, strict_chain_sequence(builder_end));
}

CHANGE(qualifier_critical)
{
    add_qualifier_of(c, OID_QUALIFIER_CPS, true,
                     builder_tlv(ASN1_IA5_STRING, strict_chain_bytes("http://a/"), builder_end));
}

CHANGE(directory_attributes_none)
{
    builder_add_extension(&c->leaf, OID_SUBJECT_DIRECTORY_ATTRIBUTES, false, strict_chain_sequence(builder_end));
}

CHANGE(directory_attributes)
{
    builder_add_extension(
        &c->leaf, OID_SUBJECT_DIRECTORY_ATTRIBUTES, false,
        strict_chain_sequence(strict_chain_sequence(builder_join(
            builder_oid(OID_COUNTRY),
            builder_tlv(ASN1_SET, builder_tlv(ASN1_PRINTABLE_STRING, strict_chain_bytes("SE"), builder_end),
                        builder_end)))));
}

CHANGE(subject_access_none)
{
    builder_add_extension(&c->ca, OID_SUBJECT_INFO_ACCESS, false, strict_chain_sequence(builder_end));
}

CHANGE(subject_access)
{
    builder_add_extension(&c->ca, OID_SUBJECT_INFO_ACCESS, false,
                          strict_chain_sequence(strict_chain_sequence(builder_join(
                              builder_oid(OID_AD_CA_ISSUERS), builder_general_name(URI, "http://a.example/")))));
}

CHANGE(subject_access_relative)
{
    builder_add_extension(&c->ca, OID_SUBJECT_INFO_ACCESS, false,
                          strict_chain_sequence(strict_chain_sequence(
                              builder_join(builder_oid(OID_AD_CA_ISSUERS), builder_general_name(URI, "a/b")))));
}

CHANGE(issuer_names_relative)
{
    builder_add_extension(&c->leaf, OID_ISSUER_ALT_NAME, false,
                          strict_chain_sequence(builder_general_name(URI, "../ca")));
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
    add_qualifier(c, strict_chain_sequence(builder_tlv(ASN1_INTEGER, builder_bytes("\0\x01", 2), builder_end)));
}

CHANGE(qualifier_with_a_truth_of_one)
{
    add_qualifier(c, builder_tlv(ASN1_BOOLEAN, strict_chain_bytes("\x01"), builder_end));
}

CHANGE(qualifier_with_unused_bits_set)
{
    add_qualifier(c, builder_tlv(ASN1_BIT_STRING, builder_bytes("\x04\xff", 2), builder_end));
}

CHANGE(qualifier_with_a_string_in_pieces)
{
    add_qualifier(c, builder_tlv(ASN1_OCTET_STRING | 0x20,
                                 builder_tlv(ASN1_OCTET_STRING, strict_chain_bytes("a"), builder_end), builder_end));
}

CHANGE(qualifier_with_a_primitive_sequence)
{
    add_qualifier(c, builder_tlv(0x10, strict_chain_bytes("a"), builder_end));
}

CHANGE(qualifier_nested_too_deeply)
{
    struct span nested = builder_integer(1);

    for (unsigned i = 0; i < 40; i++)
        nested = strict_chain_sequence(nested);
    add_qualifier(c, nested);
}

CHANGE(qualifier_as_it_should_be)
{
    add_qualifier(c,
                  strict_chain_sequence(builder_join(
                      builder_integer(300), builder_tlv(ASN1_BIT_STRING, builder_bytes("\x04\xf0", 2), builder_end))));
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
        cmocka_unit_test(strict_checks_that_everything_is_der),
        cmocka_unit_test(strict_checks_extensions),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
