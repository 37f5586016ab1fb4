/* see pkix/dn.h */
#include "pkix/dn.h"
#include "base/buffer.h"
#include "pkix/oid.h"

#include <stdio.h>

enum { DN_ATTRIBUTES_MAX = 64, CODE_POINT_MAX = 0x10ffff };

static const struct {
    enum pkix_oid oid;
    const char *text;
} attribute_names[] = {
    {OID_COMMON_NAME, "CN"},
    {OID_COUNTRY, "C"},
    {OID_LOCALITY, "L"},
    {OID_STATE, "ST"},
    {OID_STREET, "STREET"},
    {OID_ORGANIZATION, "O"},
    {OID_ORGANIZATIONAL_UNIT, "OU"},
    {OID_DOMAIN_COMPONENT, "DC"},
    {OID_USER_ID, "UID"},
    {OID_SERIAL_NUMBER, "serialNumber"},
    {OID_EMAIL_ADDRESS, "emailAddress"},
};

bool pkix_dn_visit(struct span name, bool (*visit)(void *ctx, struct span oid, unsigned tag, struct span value),
                   void *ctx)
{
    struct der rdns, rdn, attribute;

    if (der_enter_only(name, ASN1_SEQUENCE, DER_SMALL, &rdns) != PKIX_OK)
        return false;
    while (!der_at_end(&rdns)) {
        if (der_enter(&rdns, ASN1_SET, &rdn) != PKIX_OK || der_at_end(&rdn))
            return false;
        while (!der_at_end(&rdn)) {
            struct span oid, value;
            unsigned tag;

            if (der_enter(&rdn, ASN1_SEQUENCE, &attribute) != PKIX_OK ||
                der_read(&attribute, ASN1_OID, &oid) != PKIX_OK ||
                der_read_any(&attribute, &tag, &value, NULL) != PKIX_OK || der_end(&attribute) != PKIX_OK)
                return false;
            if (!visit(ctx, oid, tag, value))
                return true;
        }
    }
    return true;
}

/* One character of UTF-8, shortest form, no surrogates (RFC 3629). Returns its bytes, 0 when it is not one. */
static size_t utf8_next(struct span s, uint32_t *code_point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = s.data[0];
    size_t size = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;

    if (size == 0 || size > s.size)
        return 0;
    *code_point = size == 1 ? first : first & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((s.data[i] & 0xc0) != 0x80)
            return 0;
        *code_point = *code_point << 6 | (s.data[i] & 0x3f);
    }
    if (*code_point < smallest[size] || *code_point > CODE_POINT_MAX ||
        (*code_point >= 0xd800 && *code_point <= 0xdfff))
        return 0;
    return size;
}

static bool is_control(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}

static size_t utf8_put(uint32_t c, uint8_t out[4])
{
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xc0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xe0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* One character of the string type at the front of `s`. */
static size_t next_character(unsigned tag, struct span s, uint32_t *c)
{
    switch (tag) {
    case ASN1_UTF8_STRING:
        return utf8_next(s, c);
    case ASN1_PRINTABLE_STRING:
    case ASN1_IA5_STRING:
        *c = s.data[0];
        return *c < 0x80 ? 1 : 0;
    case ASN1_TELETEX_STRING: /* in practice Latin-1 */
        *c = s.data[0];
        return 1;
    case ASN1_BMP_STRING:
        if (s.size < 2)
            return 0;
        *c = (uint32_t)s.data[0] << 8 | s.data[1];
        return *c >= 0xd800 && *c <= 0xdfff ? 0 : 2;
    case ASN1_UNIVERSAL_STRING:
        if (s.size < 4 || s.data[0] != 0)
            return 0;
        *c = (uint32_t)s.data[1] << 16 | (uint32_t)s.data[2] << 8 | s.data[3];
        return *c > CODE_POINT_MAX || (*c >= 0xd800 && *c <= 0xdfff) ? 0 : 4;
    }
    return 0;
}

char *pkix_dn_value_utf8(unsigned tag, struct span contents)
{
    /* No character takes more than twice its bytes in UTF-8. */
    char *text = base_alloc(2 * contents.size + 4);
    size_t out = 0;

    while (contents.size != 0) {
        uint32_t c = 0;
        size_t size = next_character(tag, contents, &c);

        if (size == 0 || is_control(c)) {
            base_wipe_string(&text);
            return NULL;
        }
        out += utf8_put(c, (uint8_t *)text + out);
        contents = span_skip(contents, size);
    }
    text[out] = '\0';
    return text;
}

struct dn_writer {
    struct buffer *out;
    struct span attributes[DN_ATTRIBUTES_MAX]; /* oid, then value; written in reverse */
    struct span values[DN_ATTRIBUTES_MAX];
    unsigned tags[DN_ATTRIBUTES_MAX];
    unsigned count;
    bool full;
};

static bool note_attribute(void *ctx, struct span oid, unsigned tag, struct span value)
{
    struct dn_writer *w = ctx;

    if (w->count == DN_ATTRIBUTES_MAX) {
        w->full = true;
        return false;
    }
    w->attributes[w->count] = oid;
    w->values[w->count] = value;
    w->tags[w->count++] = tag;
    return true;
}

static void put_text(struct dn_writer *w, const char *text)
{
    w->full = w->full || !buffer_append(w->out, span_of_string(text));
}

static void put_hex(struct dn_writer *w, struct span bytes)
{
    for (size_t i = 0; i < bytes.size && !w->full; i++) {
        char hex[3];

        snprintf(hex, sizeof(hex), "%02x", bytes.data[i]);
        put_text(w, hex);
    }
}

/* The dotted form of an object identifier, or '#' and its bytes. */
static void put_oid(struct dn_writer *w, struct span oid)
{
    uint64_t arc = 0;
    bool first = true;

    for (unsigned i = 0; i < ARRAY_LEN(attribute_names); i++) {
        if (pkix_oid_is(oid, attribute_names[i].oid)) {
            put_text(w, attribute_names[i].text);
            return;
        }
    }
    for (size_t i = 0; i < oid.size; i++) {
        char text[48];

        if (arc > UINT32_MAX)
            break;
        arc = arc << 7 | (oid.data[i] & 0x7f);
        if ((oid.data[i] & 0x80) != 0)
            continue;
        if (first)
            snprintf(text, sizeof(text), "%u.%llu", arc < 80 ? (unsigned)arc / 40 : 2u,
                     (unsigned long long)(arc < 80 ? arc % 40 : arc - 80));
        else
            snprintf(text, sizeof(text), ".%llu", (unsigned long long)arc);
        put_text(w, text);
        first = false;
        arc = 0;
    }
    if (first)
        put_text(w, "?");
}

static void put_value(struct dn_writer *w, unsigned tag, struct span value)
{
    bool at_start = true;

    if (value.size != 0 && next_character(tag, value, &(uint32_t){0}) == 0 && tag != ASN1_UTF8_STRING &&
        tag != ASN1_PRINTABLE_STRING && tag != ASN1_IA5_STRING) {
        put_text(w, "#");
        put_hex(w, value);
        return;
    }
    while (value.size != 0 && !w->full) {
        uint32_t c = 0;
        size_t size = next_character(tag, value, &c);
        char text[8] = {0};

        if (size == 0) {
            snprintf(text, sizeof(text), "\\%02x", value.data[0]);
            size = 1;
        } else if (is_control(c)) {
            snprintf(text, sizeof(text), "\\%02x", (unsigned)c & 0xff);
        } else {
            bool special = (c < 0x80 && strchr("\"+,;<>\\", (int)c) != NULL) || (at_start && (c == ' ' || c == '#')) ||
                           (value.size == size && c == ' ');

            if (special)
                text[0] = '\\';
            utf8_put(c, (uint8_t *)text + (special ? 1 : 0));
        }
        put_text(w, text);
        at_start = false;
        value = span_skip(value, size);
    }
}

char *pkix_dn_text(struct span name)
{
    struct buffer out;
    struct dn_writer writer = {.out = &out};
    char *text;
    bool well_formed;

    buffer_init(&out, PKIX_DN_TEXT_MAX);
    well_formed = pkix_dn_visit(name, note_attribute, &writer);
    for (unsigned i = writer.count; i > 0 && !writer.full; i--) {
        if (i != writer.count)
            put_text(&writer, ",");
        put_oid(&writer, writer.attributes[i - 1]);
        put_text(&writer, "=");
        put_value(&writer, writer.tags[i - 1], writer.values[i - 1]);
    }
    text =
        base_printf("%.*s%s%s", (int)buffer_span(&out).size,
                    buffer_span(&out).size == 0 ? "" : (const char *)buffer_span(&out).data, writer.full ? "..." : "",
                    well_formed ? (writer.count == 0 ? "(empty name)" : "") : "(malformed)");
    buffer_release(&out);
    return text;
}
