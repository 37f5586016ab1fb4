/* see pkix/dn_compare.h
 *
 * RFC 5280 section 7.1 has names compared as LDAP does (RFC 4518): case, blanks and the string's type do not matter. It
 * is asked where a name forbids or permits (section 4.2.1.10). There bytes are not enough: an authority from which
 * "O=Example" is excluded would issue for "O=EXAMPLE", to the same reader. It is not asked where an issuer is looked
 * for (pkix/search_candidates.c), for which bytes are enough and which a peer can have us do thousands of times.
 *
 * The form of a name: for each RDN a SET's tag, its length and its attributes, sorted; for each attribute its OID, its
 * tag (that of UTF8String for all prepared text) and its value, both with their lengths. Lengths take four bytes. */
#include "pkix/dn_compare.h"

#include "base/buffer.h"
#include "pkix/dn.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

enum { LENGTH_SIZE = 4 };

/* RFC 4518 section 2.2: characters that stand for nothing. Control characters are not here: pkix_dn_value_utf8() takes
 * no text with them. */
static bool is_nothing(ucs4_t c)
{
    return c == 0xad /* soft hyphen */ || c == 0x34f || c == 0x1806 || (c >= 0x180b && c <= 0x180d) ||
           (c >= 0xfe00 && c <= 0xfe0f) || c == 0x200b /* zero width space */ || c == 0xfffc || c == 0x6dd ||
           c == 0x70f || c == 0x180e || (c >= 0x200c && c <= 0x200f) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x2063) || (c >= 0x206a && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb) || (c >= 0x1d173 && c <= 0x1d17a) || c == 0xe0001 ||
           (c >= 0xe0020 && c <= 0xe007f);
}

/* Section 2.2 maps every separator to a space: a no-break space is another character, and to who reads the name the
 * same one. */
static bool is_blank(ucs4_t c)
{
    return uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Zs | UC_CATEGORY_MASK_Zl | UC_CATEGORY_MASK_Zp);
}

/* Sections 2.2 and 2.6.1, in place: nothing left of what is nothing, one space for all blanks together. Shorter or as
 * long, never longer. RFC 4518 has one space at both ends and two within, where we have none and one: the same names
 * are equal, in fewer bytes. */
static size_t squeeze(uint8_t *text, size_t size)
{
    size_t in = 0, out = 0;
    bool blank = false;

    while (in < size) {
        ucs4_t c;
        int length = u8_mbtouc(&c, text + in, size - in);

        if (is_blank(c)) {
            blank = out != 0;
        } else if (!is_nothing(c)) {
            if (blank)
                text[out++] = ' ';
            blank = false;
            memmove(text + out, text + in, (size_t)length);
            out += (size_t)length;
        }
        in += (size_t)length;
    }
    return out;
}

/* The text of an attribute made ready to be compared, or NULL: it is compared by its bytes. malloc()'s. RFC 4518
 * section 2: transcode, map, normalise, prohibit, and at the end insignificant blanks. That what is prohibited
 * (unassigned, private use) is not looked for is a leniency towards names that are equal anyway. */
static uint8_t *prepare(unsigned tag, struct span value, size_t *size)
{
    char *text = pkix_dn_value_utf8(tag, value);
    uint8_t *folded;
    size_t length;

    if (text == NULL)
        return NULL;
    length = squeeze((uint8_t *)text, strlen(text));
    /* No language: the Turkish dotless i is of no use in a name that all read alike. */
    folded = u8_casefold((const uint8_t *)text, length, NULL, UNINORM_NFKC, NULL, size);
    free(text);
    /* Compatibility characters may have become blanks (RFC 4518 section 2.6.1 comes after 2.3). */
    if (folded != NULL)
        *size = squeeze(folded, *size);
    return folded;
}

/* With lengths in front no two names have one form: without them "a" + "bc" and "ab" + "c" would. */
static bool put_sized(struct buffer *out, struct span bytes)
{
    uint8_t length[LENGTH_SIZE] = {(uint8_t)(bytes.size >> 24), (uint8_t)(bytes.size >> 16), (uint8_t)(bytes.size >> 8),
                                   (uint8_t)bytes.size};

    return buffer_append(out, span_of(length, sizeof(length))) && buffer_append(out, bytes);
}

static bool put_attribute(struct buffer *out, struct der *attribute)
{
    struct span oid, value;
    unsigned tag;
    uint8_t *prepared, tag_byte;
    size_t size = 0;
    bool ok;

    if (der_read(attribute, ASN1_OID, &oid) != PKIX_OK || der_read_any(attribute, &tag, &value, NULL) != PKIX_OK ||
        der_end(attribute) != PKIX_OK)
        return false;
    /* All string types of one text get one tag: PrintableString and UTF8String of the same letters are the same name
     * (RFC 5280 section 7.1), and authorities have changed from one to the other. */
    prepared = value.size == 0 ? NULL : prepare(tag, value, &size);
    tag_byte = prepared == NULL ? (uint8_t)tag : ASN1_UTF8_STRING;
    ok = put_sized(out, oid) && buffer_append(out, span_of(&tag_byte, 1)) &&
         put_sized(out, prepared == NULL ? value : span_of(prepared, size));
    free(prepared);
    return ok;
}

/* An attribute of an RDN that has several: a SET OF, whose order means nothing (X.690 section 11.6 sorts it, and who
 * wrote it may not have). */
struct part {
    uint8_t *bytes;
    size_t size;
};

/* Bytes, then length: any order will do as long as both names are put into the same one. It need not be X.690's: forms
 * are compared with each other and with nothing else. */
static int compare_parts(const void *a, const void *b)
{
    const struct part *left = a, *right = b;
    int difference = memcmp(left->bytes, right->bytes, left->size < right->size ? left->size : right->size);

    return difference != 0 ? difference : (left->size > right->size) - (left->size < right->size);
}

/* The attributes of one RDN, sorted. RFC 5280 section 4.1.2.4 has at least one in it, and an empty SET is no name. More
 * than PKIX_DN_RDN_MAX nobody writes but to have us sort them, at each comparison; such a name has no form, and so is
 * equal to nothing. */
static bool put_rdn(struct buffer *out, struct der *rdn)
{
    struct part parts[PKIX_DN_RDN_MAX];
    struct buffer all;
    size_t count = 0;
    uint8_t set = ASN1_SET;
    bool ok = !der_at_end(rdn);

    buffer_init(&all, PKIX_DN_FORM_MAX);
    while (ok && !der_at_end(rdn)) {
        struct der attribute;
        struct buffer one;

        buffer_init(&one, PKIX_DN_FORM_MAX);
        ok = count < ARRAY_LEN(parts) && der_enter(rdn, ASN1_SEQUENCE, &attribute) == PKIX_OK &&
             put_attribute(&one, &attribute);
        if (ok) {
            parts[count].bytes = buffer_take(&one, &parts[count].size);
            count++;
        }
        buffer_release(&one);
    }
    qsort(parts, count, sizeof(parts[0]), compare_parts);
    for (size_t i = 0; i < count; i++) {
        ok = ok && buffer_append(&all, span_of(parts[i].bytes, parts[i].size));
        free(parts[i].bytes);
    }
    ok = ok && buffer_append(out, span_of(&set, 1)) && put_sized(out, buffer_span(&all));
    buffer_release(&all);
    return ok;
}

/* Bounded (PKIX_DN_FORM_MAX), since a character folded or taken apart may become several: eighteen, of U+FDFA. */
uint8_t *pkix_dn_form(struct span name, size_t *size)
{
    struct buffer out;
    struct der rdns, rdn;
    bool ok = der_enter_only(name, ASN1_SEQUENCE, DER_SMALL, &rdns) == PKIX_OK;

    buffer_init(&out, PKIX_DN_FORM_MAX);
    while (ok && !der_at_end(&rdns))
        ok = der_enter(&rdns, ASN1_SET, &rdn) == PKIX_OK && put_rdn(&out, &rdn);
    *size = 0;
    if (!ok) {
        buffer_release(&out);
        return NULL;
    }
    /* An empty name has a form too, of no bytes. */
    return out.size == 0 ? base_alloc(1) : buffer_take(&out, size);
}

/* A form of a base is the beginning of the form of what is within it, because RDNs stand one behind the other. */
enum relation { RELATION_EQUAL, RELATION_WITHIN };

/* Two forms and a comparison of bytes. A name without a form is equal to nothing, itself included; whoever asks whether
 * two are the same looks at their bytes first. */
static bool compare(struct span base, struct span name, enum relation relation)
{
    size_t base_size, name_size;
    uint8_t *base_form = pkix_dn_form(base, &base_size);
    uint8_t *name_form = base_form == NULL ? NULL : pkix_dn_form(name, &name_size);
    bool result = name_form != NULL && base_size <= name_size && memcmp(base_form, name_form, base_size) == 0 &&
                  (relation == RELATION_WITHIN || base_size == name_size);

    free(base_form);
    free(name_form);
    return result;
}

/* Bytes first: nearly all equal names are equal there, and a name without a form is equal to itself at least. */
bool pkix_dn_equal(struct span a, struct span b)
{
    return span_equal(a, b) || compare(a, b, RELATION_EQUAL);
}

/* RFC 5280 section 4.2.1.10: a directoryName constraint is a subtree, and what is in it begins with the same RDNs. Of
 * whole RDNs, since each has its length in front: "O=Exam" is not the beginning of "O=Example". */
bool pkix_dn_within(struct span base, struct span name)
{
    return compare(base, name, RELATION_WITHIN);
}
