/* pkix/dn_compare.c: names that are the same, however they are encoded. */
#include "pkix/dn_compare.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NAME_MAX_SIZE = 4096, CN = 3, O = 10, DC = 100 };

/* An attribute; `same_rdn`: in one RDN with the one before. */
struct attribute {
    int type; /* 0: the end */
    unsigned tag;
    const char *value;
    size_t size; /* 0: up to the NUL */
    bool same_rdn;
};

struct name {
    struct attribute attributes[6];
};

static void put(struct buffer *out, unsigned tag, struct span contents)
{
    uint8_t header[] = {(uint8_t)tag, 0x82, (uint8_t)(contents.size >> 8), (uint8_t)contents.size};
    uint8_t short_header[] = {(uint8_t)tag, (uint8_t)contents.size};

    assert_true(contents.size < 0x80 ? buffer_append(out, span_of(short_header, 2))
                                     : buffer_append(out, span_of(header, contents.size < 0x100 ? 0 : 4)));
    if (contents.size >= 0x80 && contents.size < 0x100) {
        uint8_t middle[] = {(uint8_t)tag, 0x81, (uint8_t)contents.size};

        assert_true(buffer_append(out, span_of(middle, sizeof(middle))));
    }
    assert_true(buffer_append(out, contents));
}

static void put_attribute(struct buffer *out, const struct attribute *a)
{
    const uint8_t x500[] = {6, 3, 0x55, 4, (uint8_t)a->type};
    const uint8_t dc[] = {6, 10, 0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25};
    struct buffer body;

    buffer_init(&body, NAME_MAX_SIZE);
    assert_true(buffer_append(&body, a->type == DC ? span_of(dc, sizeof(dc)) : span_of(x500, sizeof(x500))));
    put(&body, a->tag, span_of(a->value, a->size == 0 ? strlen(a->value) : a->size));
    put(out, ASN1_SEQUENCE, buffer_span(&body));
    buffer_release(&body);
}

static struct span encode(const struct name *name, struct buffer *out)
{
    struct buffer rdns, rdn;

    buffer_init(out, NAME_MAX_SIZE);
    buffer_init(&rdns, NAME_MAX_SIZE);
    for (size_t i = 0; i < ARRAY_LEN(name->attributes) && name->attributes[i].type != 0;) {
        buffer_init(&rdn, NAME_MAX_SIZE);
        do
            put_attribute(&rdn, &name->attributes[i++]);
        while (i < ARRAY_LEN(name->attributes) && name->attributes[i].same_rdn);
        put(&rdns, ASN1_SET, buffer_span(&rdn));
        buffer_release(&rdn);
    }
    put(out, ASN1_SEQUENCE, buffer_span(&rdns));
    buffer_release(&rdns);
    return buffer_span(out);
}

#define UTF8      ASN1_UTF8_STRING
#define PRINTABLE ASN1_PRINTABLE_STRING

/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define SIZED(type, tag, value, size)                                                                                  \
    {                                                                                                                  \
        type, tag, value, size, false                                                                                  \
    }
#define JOINED(type, tag, value)                                                                                       \
    {                                                                                                                  \
        type, tag, value, 0, true                                                                                      \
    }
/* NOLINTEND(bugprone-macro-parentheses) */
#define A(type, tag, value) SIZED(type, tag, value, 0)

static const struct {
    struct name a, b;
    bool equal;
} pairs[] = {
    /* string types and case */
    {{{A(CN, PRINTABLE, "Example CA")}}, {{A(CN, UTF8, "Example CA")}}, true},
    {{{A(CN, PRINTABLE, "Example CA")}}, {{A(CN, UTF8, "EXAMPLE ca")}}, true},
    {{{SIZED(CN, ASN1_BMP_STRING, "\0C\0A", 4)}}, {{A(CN, UTF8, "ca")}}, true},
    {{{SIZED(CN, ASN1_UNIVERSAL_STRING, "\0\0\0C\0\0\0A", 8)}}, {{A(CN, PRINTABLE, "CA")}}, true},
    {{{A(CN, ASN1_TELETEX_STRING, "Caf\xe9")}}, {{A(CN, UTF8, "CAF\xc3\x89")}}, true},
    {{{A(CN, ASN1_TELETEX_STRING, "Caf\xe9")}}, {{A(CN, UTF8, "CAFE\xcc\x81")}}, true}, /* a combining accent */
    {{{A(CN, UTF8,
         "stra\xc3\x9f"
         "e")}},
     {{A(CN, UTF8, "STRASSE")}},
     true},
    {{{A(CN, UTF8, "\xef\xac\x81n")}}, {{A(CN, UTF8, "FIN")}}, true},                 /* a ligature */
    {{{A(CN, UTF8, "\xce\xa3\xce\xa3")}}, {{A(CN, UTF8, "\xcf\x83\xcf\x82")}}, true}, /* sigma at the end */
    {{{A(DC, ASN1_IA5_STRING, "Example")}}, {{A(DC, ASN1_IA5_STRING, "example")}}, true},
    /* blanks */
    {{{A(CN, PRINTABLE, "  Example   CA ")}}, {{A(CN, PRINTABLE, "Example CA")}}, true},
    {{{A(CN, UTF8,
         "Example\xc2\xa0"
         "CA")}},
     {{A(CN, PRINTABLE, "Example CA")}},
     true},
    {{{A(CN, UTF8, "Exam\xc2\xadple")}}, {{A(CN, PRINTABLE, "Example")}}, true},
    {{{A(CN, PRINTABLE, "ExampleCA")}}, {{A(CN, PRINTABLE, "Example CA")}}, false},
    /* what differs */
    {{{A(CN, UTF8, "a")}}, {{A(O, UTF8, "a")}}, false},
    {{{A(CN, UTF8, "a")}}, {{A(CN, UTF8, "b")}}, false},
    {{{A(CN, UTF8, "a")}}, {{A(CN, UTF8, "a"), A(CN, UTF8, "a")}}, false},
    {{{A(CN, UTF8, "a"), A(O, UTF8, "b")}}, {{A(O, UTF8, "b"), A(CN, UTF8, "a")}}, false},
    {{{A(CN, UTF8, "a"), A(O, UTF8, "b")}}, {{A(CN, UTF8, "a"), JOINED(O, UTF8, "b")}}, false},
    {{{A(CN, UTF8, "a"), JOINED(O, UTF8, "B")}}, {{A(O, UTF8, "b"), JOINED(CN, UTF8, "A")}}, true},
    /* no text: tag and bytes */
    {{{A(CN, UTF8, "a\x01")}}, {{A(CN, UTF8, "a\x01")}}, true},
    {{{A(CN, UTF8, "a\x01")}}, {{A(CN, PRINTABLE, "a\x01")}}, false},
    {{{A(CN, UTF8, "A\xff")}}, {{A(CN, UTF8, "a\xff")}}, false},
    {{{A(CN, ASN1_OCTET_STRING, "A")}}, {{A(CN, ASN1_OCTET_STRING, "a")}}, false},
    {{{A(CN, ASN1_OCTET_STRING, "a")}}, {{A(CN, UTF8, "a")}}, false},
};

static void names_are_compared(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct buffer a, b;
        struct span left = encode(&pairs[i].a, &a), right = encode(&pairs[i].b, &b);

        if (pkix_dn_equal(left, right) != pairs[i].equal || pkix_dn_equal(right, left) != pairs[i].equal)
            fail_msg("pair %zu", i);
        assert_true(pkix_dn_equal(left, left));
        if (pairs[i].equal)
            assert_true(pkix_dn_within(left, right) && pkix_dn_within(right, left));
        buffer_release(&a);
        buffer_release(&b);
    }
}

static void names_within(void **state)
{
    static const struct name base = {{A(O, PRINTABLE, "Example")}};
    static const struct name below = {{A(O, UTF8, "EXAMPLE"), A(CN, UTF8, "a")}};
    static const struct name beside = {{A(O, UTF8, "Example 2"), A(CN, UTF8, "a")}};
    static const struct name joined = {{A(O, UTF8, "Example"), JOINED(CN, UTF8, "a")}};
    static const struct name empty = {.attributes[0].type = 0};
    struct buffer a, b, c, d, e;
    struct span base_name = encode(&base, &a), below_name = encode(&below, &b), beside_name = encode(&beside, &c),
                joined_name = encode(&joined, &d), empty_name = encode(&empty, &e);

    (void)state;
    assert_true(pkix_dn_within(base_name, base_name));
    assert_true(pkix_dn_within(base_name, below_name));
    assert_false(pkix_dn_within(below_name, base_name));
    assert_false(pkix_dn_within(base_name, beside_name));
    assert_false(pkix_dn_within(base_name, joined_name)); /* another RDN, of two attributes */
    assert_true(pkix_dn_within(empty_name, below_name));
    assert_false(pkix_dn_within(below_name, empty_name));
    assert_true(pkix_dn_equal(empty_name, empty_name));
    buffer_release(&a);
    buffer_release(&b);
    buffer_release(&c);
    buffer_release(&d);
    buffer_release(&e);
}

static void malformed_names(void **state)
{
    static const uint8_t cut[] = {0x30, 5, 0x31, 3, 0x30, 1};
    static const uint8_t empty_set[] = {0x30, 2, 0x31, 0};
    static const uint8_t behind[] = {0x30, 0, 0};
    size_t size;

    (void)state;
    assert_null(pkix_dn_form(span_of(cut, sizeof(cut)), &size));
    assert_null(pkix_dn_form(span_of(empty_set, sizeof(empty_set)), &size));
    assert_null(pkix_dn_form(span_of(behind, sizeof(behind)), &size));
    assert_null(pkix_dn_form(span_of(NULL, 0), &size));
    assert_true(pkix_dn_equal(span_of(cut, sizeof(cut)), span_of(cut, sizeof(cut))));
    assert_false(pkix_dn_within(span_of(cut, sizeof(cut)), span_of(cut, sizeof(cut))));
}

/* An RDN of more attributes than anybody has is not compared, but by its bytes. */
static void too_many_attributes(void **state)
{
    struct buffer rdn, set, whole;
    size_t size;

    (void)state;
    for (int count = PKIX_DN_RDN_MAX; count <= PKIX_DN_RDN_MAX + 1; count++) {
        uint8_t *form;

        buffer_init(&rdn, NAME_MAX_SIZE);
        buffer_init(&set, NAME_MAX_SIZE);
        buffer_init(&whole, NAME_MAX_SIZE);
        for (int i = 0; i < count; i++)
            put_attribute(&rdn, &(struct attribute){CN, UTF8, "a", 0, false});
        put(&set, ASN1_SET, buffer_span(&rdn));
        put(&whole, ASN1_SEQUENCE, buffer_span(&set));
        form = pkix_dn_form(buffer_span(&whole), &size);
        assert_int_equal(form != NULL, count == PKIX_DN_RDN_MAX);
        free(form);
        buffer_release(&rdn);
        buffer_release(&set);
        buffer_release(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_compared),
        cmocka_unit_test(names_within),
        cmocka_unit_test(malformed_names),
        cmocka_unit_test(too_many_attributes),
    };

    return cmocka_run_group_tests_name("pkix dn_compare", tests, NULL, NULL);
}
