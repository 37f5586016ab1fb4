/* Names and name constraints, in both profiles: pkix/lint_names.h, and what pkix/constraints.h says of the same chains.
 */
#include "strict_chain.h"

#include <setjmp.h>
#include <cmocka.h>

enum { EMAIL = 0x81, DNS = 0x82, DIRECTORY = 0xa4, URI = 0x86, IP = 0x87 };

static struct span none(void)
{
    return span_of(NULL, 0);
}

static struct span attribute(enum pkix_oid oid, unsigned tag, const char *text)
{
    return builder_tlv(ASN1_SEQUENCE, builder_oid(oid), builder_tlv(tag, span_of_string(text), builder_end),
                       builder_end);
}

static struct span name_of_rdn(struct span contents)
{
    return builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_SET, contents, builder_end), builder_end);
}

static struct span address(const char *bytes, size_t size)
{
    return builder_tlv(IP, builder_bytes(bytes, size), builder_end);
}

static void constrain(struct strict_chain *c, struct span permitted, struct span excluded)
{
    builder_add_extension(&c->ca, OID_NAME_CONSTRAINTS, true, builder_constraints(permitted, excluded));
}

/* ---- Subjects and issuers. ---- */

static void name_ca(struct strict_chain *c, struct span name)
{
    c->ca.subject_der = c->leaf.issuer_der = name;
}

CHANGE(subject_printable_with_at)
{
    name_ca(c, name_of_rdn(attribute(OID_COMMON_NAME, ASN1_PRINTABLE_STRING, "a@b")));
}

CHANGE(subject_not_utf8)
{
    name_ca(c, name_of_rdn(attribute(OID_COMMON_NAME, ASN1_UTF8_STRING, "a\xff")));
}

CHANGE(subject_with_empty_value)
{
    name_ca(c, name_of_rdn(attribute(OID_COMMON_NAME, ASN1_UTF8_STRING, "")));
}

CHANGE(subject_that_is_no_text)
{
    name_ca(c, name_of_rdn(attribute(OID_COMMON_NAME, ASN1_OCTET_STRING, "a")));
}

CHANGE(subject_of_an_unknown_type_that_is_no_text)
{
    name_ca(c, name_of_rdn(attribute(OID_KEY_USAGE, ASN1_OCTET_STRING, "a")));
}

CHANGE(subject_of_an_unknown_type_and_class)
{
    name_ca(c, name_of_rdn(attribute(OID_KEY_USAGE, ASN1_CONTEXT, "a")));
}

CHANGE(subject_unsorted)
{
    name_ca(c, name_of_rdn(builder_join(attribute(OID_ORGANIZATION, ASN1_UTF8_STRING, "aaa"),
                                        attribute(OID_COMMON_NAME, ASN1_UTF8_STRING, "aaa"))));
}

CHANGE(subject_sorted)
{
    name_ca(c, name_of_rdn(builder_join(attribute(OID_COMMON_NAME, ASN1_UTF8_STRING, "aaa"),
                                        attribute(OID_ORGANIZATION, ASN1_UTF8_STRING, "aaa"))));
}

CHANGE(subject_with_an_empty_rdn)
{
    name_ca(c, name_of_rdn(none()));
}

CHANGE(authority_without_name)
{
    name_ca(c, builder_tlv(ASN1_SEQUENCE, builder_end));
}

static void strict_checks_distinguished_names(void **state)
{
    static const struct strict_case cases[] = {
        ROW(subject_sorted, PKIX_OK, NULL),
        ROW(subject_printable_with_at, PKIX_OK, "string type does not allow"),
        ROW(subject_not_utf8, PKIX_OK, "string type does not allow"),
        ROW(subject_with_empty_value, PKIX_OK, "string type does not allow"),
        ROW(subject_that_is_no_text, PKIX_OK, "string type does not allow"),
        ROW(subject_of_an_unknown_type_that_is_no_text, PKIX_OK, NULL),
        ROW(subject_of_an_unknown_type_and_class, PKIX_OK, "string type does not allow"),
        ROW(subject_unsorted, PKIX_OK, "not sorted"),
        ROW(subject_with_an_empty_rdn, PKIX_OK, "is empty"),
        ROW(authority_without_name, PKIX_EMPTY_ISSUER, NULL),
    };

    (void)state;
    strict_chain_run(cases, ARRAY_LEN(cases));
}

/* ---- Alternative names and the common name. ---- */

static void add_san(struct strict_chain *c, struct span name)
{
    c->leaf.sans[c->leaf.san_count++] = name;
}

CHANGE(no_alternative_names)
{
    c->leaf.san_count = 0;
}

CHANGE(alternative_names_empty)
{
    c->leaf = builder_client("alice", 2, "ca", 1);
    c->purpose = PKIX_PURPOSE_CLIENT;
    builder_add_extension(&c->leaf, OID_SUBJECT_ALT_NAME, false, builder_tlv(ASN1_SEQUENCE, builder_end));
}

CHANGE(alternative_names_critical_beside_a_subject)
{
    c->leaf.san_count = 0;
    builder_add_extension(&c->leaf, OID_SUBJECT_ALT_NAME, true,
                          builder_tlv(ASN1_SEQUENCE, builder_general_name(DNS, strict_chain_host), builder_end));
}

CHANGE(alternative_names_alone_not_critical)
{
    c->leaf.subject_der = builder_tlv(ASN1_SEQUENCE, builder_end);
}

CHANGE(alternative_names_alone_critical)
{
    c->leaf.subject = NULL;
}

CHANGE(host_with_underscore)
{
    add_san(c, builder_general_name(DNS, "a_b.example.com"));
}

CHANGE(host_of_a_blank)
{
    add_san(c, builder_general_name(DNS, " "));
}

CHANGE(host_ends_in_a_dot)
{
    add_san(c, builder_general_name(DNS, "example.com."));
}

CHANGE(host_begins_with_a_dot)
{
    add_san(c, builder_general_name(DNS, ".example.com"));
}

CHANGE(wildcard_in_a_label)
{
    add_san(c, builder_general_name(DNS, "w*.example.com"));
}

CHANGE(wildcard_twice)
{
    add_san(c, builder_general_name(DNS, "*.*.example.com"));
}

CHANGE(wildcard_not_first)
{
    add_san(c, builder_general_name(DNS, "a.*.example.com"));
}

CHANGE(wildcard_alone)
{
    add_san(c, builder_general_name(DNS, "*"));
}

CHANGE(wildcard_of_a_top_level_domain)
{
    add_san(c, builder_general_name(DNS, "*.com"));
}

CHANGE(host_in_utf8)
{
    add_san(c, builder_general_name(DNS, "stra\xc3\x9f"
                                         "e.example.com"));
}

CHANGE(address_in_a_host)
{
    add_san(c, builder_general_name(DNS, "192.0.2.1"));
}

CHANGE(address_of_five_bytes)
{
    add_san(c, address("\x01\x02\x03\x04\x05", 5));
}

CHANGE(mail_without_host)
{
    add_san(c, builder_general_name(EMAIL, "alice@"));
}

CHANGE(uri_relative)
{
    add_san(c, builder_general_name(URI, "/path"));
}

CHANGE(uri_of_a_host_without_slashes)
{
    add_san(c, builder_general_name(URI, "https:www.example.com/"));
}

CHANGE(uri_without_a_host)
{
    add_san(c, builder_general_name(URI, "https:///path"));
}

CHANGE(uri_with_a_colon_in_its_path)
{
    add_san(c, builder_general_name(URI, "//www.example.com/a:b"));
}

CHANGE(uri_without_authority)
{
    add_san(c, builder_general_name(URI, "urn:uuid:1"));
}

CHANGE(uri_of_any_directory)
{
    add_san(c, builder_general_name(URI, "ldap:///CN=ca"));
}

CHANGE(uri_absolute)
{
    add_san(c, builder_general_name(URI, "spiffe://example.com/web"));
}

CHANGE(common_name_is_another_host)
{
    c->leaf.subject = "other.example.com";
}

CHANGE(common_name_in_other_case)
{
    c->leaf.subject = "WWW.example.com";
}

CHANGE(common_name_in_unicode)
{
    c->leaf.subject = "b\xc3\xbc"
                      "cher.example.com";
    add_san(c, builder_general_name(DNS, "xn--bcher-kva.example.com"));
}

CHANGE(common_name_in_punycode)
{
    c->leaf.subject = "xn--bcher-kva.example.com";
    add_san(c, builder_general_name(DNS, "xn--bcher-kva.example.com"));
}

CHANGE(common_name_is_an_address_there)
{
    c->leaf.subject = "192.0.2.1";
    add_san(c, address("\xc0\x00\x02\x01", 4));
}

CHANGE(common_name_is_an_address_in_hexadecimal)
{
    c->leaf.subject = "0xc0000201";
    add_san(c, address("\xc0\x00\x02\x01", 4));
}

CHANGE(common_name_is_an_address_with_zeros)
{
    c->leaf.subject = "192.000.002.001";
    add_san(c, address("\xc0\x00\x02\x01", 4));
}

CHANGE(common_name_is_an_address_of_six_as_rfc_5952)
{
    c->leaf.subject = "2001:db8::1";
    add_san(c, address("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16));
}

CHANGE(common_name_is_an_address_of_six_in_capitals)
{
    c->leaf.subject = "2001:DB8::1";
    add_san(c, address("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16));
}

CHANGE(common_name_is_an_address_of_six_in_full)
{
    c->leaf.subject = "2001:db8:0:0:0:0:0:1";
    add_san(c, address("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16));
}

static void strict_checks_alternative_and_common_names(void **state)
{
    static const struct strict_case cases[] = {
        ROW(no_alternative_names, PKIX_NAME_MISMATCH, "no alternative names"),
        ROW(alternative_names_empty, PKIX_OK, "no alternative names"),
        ROW(alternative_names_critical_beside_a_subject, PKIX_OK, "alternative names are critical"),
        ROW(alternative_names_alone_not_critical, PKIX_OK, "alternative names are not critical"),
        ROW(alternative_names_alone_critical, PKIX_OK, NULL),
        ROW(host_with_underscore, PKIX_OK, "not a host name"),
        ROW(host_of_a_blank, PKIX_OK, "not a host name"),
        ROW(host_ends_in_a_dot, PKIX_OK, "not a host name"),
        ROW(host_begins_with_a_dot, PKIX_OK, "not a host name"),
        ROW(wildcard_in_a_label, PKIX_OK, "not a host name"),
        ROW(wildcard_twice, PKIX_OK, "not a host name"),
        ROW(wildcard_not_first, PKIX_OK, "not a host name"),
        ROW(wildcard_alone, PKIX_OK, "not a host name"),
        ROW(wildcard_of_a_top_level_domain, PKIX_OK, "not a host name"),
        ROW(host_in_utf8, PKIX_OK, "not a host name"),
        ROW(address_in_a_host, PKIX_OK, "not a host name"),
        ROW(address_of_five_bytes, PKIX_OK, "neither IPv4 nor IPv6"),
        ROW(mail_without_host, PKIX_OK, "not a mail address"),
        ROW(uri_relative, PKIX_OK, "not an absolute URI"),
        ROW(uri_of_a_host_without_slashes, PKIX_OK, "not an absolute URI"),
        ROW(uri_without_a_host, PKIX_OK, "not an absolute URI"),
        ROW(uri_with_a_colon_in_its_path, PKIX_OK, "not an absolute URI"),
        ROW(uri_without_authority, PKIX_OK, NULL),
        ROW(uri_of_any_directory, PKIX_OK, NULL),
        ROW(uri_absolute, PKIX_OK, NULL),
        ROW(common_name_is_another_host, PKIX_OK, "common name"),
        ROW(common_name_in_other_case, PKIX_OK, "common name"),
        ROW(common_name_in_unicode, PKIX_OK, "common name"),
        ROW(common_name_in_punycode, PKIX_OK, NULL),
        ROW(common_name_is_an_address_there, PKIX_OK, NULL),
        ROW(common_name_is_an_address_in_hexadecimal, PKIX_OK, "common name"),
        ROW(common_name_is_an_address_with_zeros, PKIX_OK, "common name"),
        ROW(common_name_is_an_address_of_six_as_rfc_5952, PKIX_OK, NULL),
        ROW(common_name_is_an_address_of_six_in_capitals, PKIX_OK, "common name"),
        ROW(common_name_is_an_address_of_six_in_full, PKIX_OK, "common name"),
    };

    (void)state;
    strict_chain_run(cases, ARRAY_LEN(cases));
}

/* ---- Name constraints, RFC 5280 section 4.2.1.10: their form, whether or not a name of the kind is there. ---- */

CHANGE(constraint_permits_the_host)
{
    constrain(c, builder_general_name(DNS, "example.com"), none());
}

CHANGE(constraint_of_a_network)
{
    constrain(c, address("\x0a\0\0\0\xff\xff\xf0\0", 8), none());
}

CHANGE(constraint_with_holes_in_the_mask)
{
    constrain(c, address("\x0a\0\0\0\xff\0\xff\0", 8), none());
}

CHANGE(constraint_of_an_address_without_mask)
{
    constrain(c, address("\x0a\0\0\0", 4), none());
}

CHANGE(constraint_begins_with_a_dot)
{
    constrain(c, builder_general_name(DNS, ".example.com"), none());
}

CHANGE(constraint_of_no_host)
{
    constrain(c, builder_general_name(DNS, ""), none());
}

CHANGE(constraint_is_a_wildcard)
{
    constrain(c, none(), builder_general_name(DNS, "*.example.org"));
}

CHANGE(constraint_of_mail_is_a_wildcard)
{
    constrain(c, builder_general_name(EMAIL, "*@example.com"), none());
}

CHANGE(constraint_of_mail_is_not_mail)
{
    constrain(c, builder_general_name(EMAIL, "alice@"), none());
}

CHANGE(constraint_of_mail_is_a_domain)
{
    constrain(c, builder_general_name(EMAIL, ".example.com"), none());
}

CHANGE(constraint_of_uris_is_a_uri)
{
    constrain(c, none(), builder_general_name(URI, "https://example.com/"));
}

CHANGE(constraints_not_critical)
{
    builder_add_extension(&c->ca, OID_NAME_CONSTRAINTS, false,
                          builder_constraints(builder_general_name(DNS, "example.com"), none()));
}

CHANGE(constraints_empty)
{
    builder_add_extension(&c->ca, OID_NAME_CONSTRAINTS, true, builder_tlv(ASN1_SEQUENCE, builder_end));
}

CHANGE(constraints_both_empty)
{
    builder_add_extension(
        &c->ca, OID_NAME_CONSTRAINTS, true,
        builder_tlv(ASN1_SEQUENCE, builder_tlv(0xa0, builder_end), builder_tlv(0xa1, builder_end), builder_end));
}

/* minimum [0] 0 is the default and not written; maximum is never there. */
CHANGE(constraint_with_minimum)
{
    struct span subtree = builder_tlv(ASN1_SEQUENCE, builder_general_name(DNS, "example.com"),
                                      builder_tlv(0x80, builder_bytes("\0", 1), builder_end), builder_end);

    builder_add_extension(&c->ca, OID_NAME_CONSTRAINTS, true,
                          builder_tlv(ASN1_SEQUENCE, builder_tlv(0xa0, subtree, builder_end), builder_end));
}

static void strict_checks_the_form_of_constraints(void **state)
{
    static const struct strict_case cases[] = {
        ROW(constraint_permits_the_host, PKIX_OK, NULL),
        ROW(constraint_of_a_network, PKIX_OK, NULL),
        ROW(constraint_of_mail_is_a_domain, PKIX_OK, NULL),
        ROW(constraint_with_holes_in_the_mask, PKIX_OK, "not an address and a mask"),
        ROW(constraint_of_an_address_without_mask, PKIX_OK, "not an address and a mask"),
        ROW(constraint_begins_with_a_dot, PKIX_OK, "begins with a period"),
        ROW(constraint_of_no_host, PKIX_OK, "not a domain"),
        ROW(constraint_is_a_wildcard, PKIX_BAD_DER, NULL),
        ROW(constraint_of_mail_is_a_wildcard, PKIX_OK, NULL), /* '*' is an atom like another */
        ROW(constraint_of_mail_is_not_mail, PKIX_OK, "neither mailbox, host nor domain"),
        ROW(constraint_of_uris_is_a_uri, PKIX_OK, "neither host nor domain"),
        ROW(constraints_not_critical, PKIX_OK, "name constraints are not critical"),
        ROW(constraints_empty, PKIX_BAD_DER, NULL),
        ROW(constraints_both_empty, PKIX_BAD_DER, NULL),
        ROW(constraint_with_minimum, PKIX_BAD_DER, NULL),
    };

    (void)state;
    strict_chain_run(cases, ARRAY_LEN(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_checks_distinguished_names),
        cmocka_unit_test(strict_checks_alternative_and_common_names),
        cmocka_unit_test(strict_checks_the_form_of_constraints),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
