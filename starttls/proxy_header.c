/* see starttls/proxy_header.h; section numbers are those of proxy-protocol.txt */
#include "starttls/proxy_header.h"
#include "starttls/proxy_tlv.h"

#include <stdlib.h>

enum {
    FIXED_BYTES = 16, /* signature, version and command, family, length */
    LENGTH_OFFSET = 14,
    COMMAND_LOCAL = 0x20,
    COMMAND_PROXY = 0x21,
    FAMILY_UNSPEC = 0x00,
    FAMILY_TCP4 = 0x11,
    FAMILY_TCP6 = 0x21,

    SUBTYPE_SSL_VERSION = 0x21,
    SUBTYPE_SSL_CN = 0x22,
    SUBTYPE_SSL_CIPHER = 0x23,
    SUBTYPE_SSL_CLIENT_CERT = 0x28,

    CLIENT_SSL = 0x01,
    CLIENT_CERT_CONN = 0x02,
    CLIENT_CERT_SESS = 0x04,
};

const uint8_t starttls_proxy_signature[STARTTLS_PROXY_SIGNATURE_BYTES] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                                          0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static bool is_mapped(const uint8_t *address)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(address, prefix, sizeof(prefix)) == 0;
}

static struct starttls_proxy_addresses unmap(const struct starttls_proxy_addresses *addresses)
{
    struct starttls_proxy_addresses a = *addresses;

    assert(a.size == 0 || a.size == 4 || a.size == 16);
    if (a.size == 16 && is_mapped(a.source) && is_mapped(a.destination)) {
        a.source += 12;
        a.destination += 12;
        a.size = 4;
    }
    return a;
}

/* ---- version 1, section 2.1 ---- */

/* "Canonical": decimal without leading zeros; hexadecimal in lower case, the first longest run of zeros as "::"
 * (RFC 5952 section 4). */
static char *address_text(const uint8_t *a, size_t size)
{
    size_t run_start = 8, run_len = 1; /* one group alone is not shortened */
    char *text;

    if (size == 4)
        return base_printf("%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
    for (size_t start = 0; start < 8; start++) {
        size_t end = start;

        while (end < 8 && a[2 * end] == 0 && a[2 * end + 1] == 0)
            end++;
        if (end - start > run_len) {
            run_start = start;
            run_len = end - start;
        }
    }
    text = base_strdup("");
    for (size_t i = 0; i < 8; i++) {
        bool in_run = i >= run_start && i < run_start + run_len;
        bool after_run = run_start < 8 && i == run_start + run_len;
        char *longer;

        if (in_run && i != run_start)
            continue;
        longer = in_run ? base_printf("%s::", text)
                        : base_printf("%s%s%x", text, i == 0 || after_run ? "" : ":", (a[2 * i] << 8) | a[2 * i + 1]);
        free(text);
        text = longer;
    }
    return text;
}

bool starttls_proxy_header_v1(const struct starttls_proxy_addresses *addresses, struct buffer *out)
{
    struct starttls_proxy_addresses a = unmap(addresses);
    char *source, *destination;
    bool fits;

    if (a.size == 0)
        return buffer_append(out, span_of_string("PROXY UNKNOWN\r\n"));
    source = address_text(a.source, a.size);
    destination = address_text(a.destination, a.size);
    fits = buffer_printf(out, "PROXY %s %s %s %u %u\r\n", a.size == 4 ? "TCP4" : "TCP6", source, destination,
                         a.source_port, a.destination_port);
    free(source);
    free(destination);
    return fits;
}

/* ---- version 2, section 2.2 ---- */

/* A header being built: the first thing that does not fit spoils it. */
struct header {
    struct buffer bytes;
    bool is_spoilt;
};

static void put(struct header *h, const void *data, size_t size)
{
    if (!buffer_append(&h->bytes, span_of(data, size)))
        h->is_spoilt = true;
}

static void put_u8(struct header *h, unsigned value)
{
    uint8_t byte = (uint8_t)value;

    put(h, &byte, 1);
}

static void put_u16(struct header *h, size_t value)
{
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    if (value > UINT16_MAX)
        h->is_spoilt = true;
    put(h, bytes, sizeof(bytes));
}

static void put_tlv(struct header *h, unsigned type, struct span value)
{
    if (value.size == 0)
        return;
    put_u8(h, type);
    put_u16(h, value.size);
    put(h, value.data, value.size);
}

/* Text that a receiver may log, put into a header or take for a login, as many do. */
static void put_text_tlv(struct header *h, unsigned type, struct span text)
{
    if (span_is_clean_utf8(text))
        put_tlv(h, type, text);
}

/* Fill in the 16-bit length at `offset` with what follows it. */
static void set_length(struct header *h, size_t offset)
{
    size_t size = h->bytes.size - offset - 2;
    uint8_t *length;

    if (size > UINT16_MAX)
        h->is_spoilt = true;
    if (h->is_spoilt)
        return;
    length = h->bytes.data + h->bytes.start + offset;
    length[0] = (uint8_t)(size >> 8);
    length[1] = (uint8_t)size;
}

/* PP2_TYPE_SSL, section 2.2.6: <client> and <verify>, then TLVs of its own. */
static void put_ssl(struct header *h, const struct starttls_proxy_tls *tls)
{
    bool has_cert = tls->client_cert_on_connection || tls->client_cert_in_session;
    uint8_t verify[4] = {0, 0, 0, has_cert && tls->client_cert_is_verified ? 0 : 1};
    size_t length_offset;

    put_u8(h, STARTTLS_PROXY_TLV_SSL);
    length_offset = h->bytes.size;
    put_u16(h, 0);
    put_u8(h, CLIENT_SSL | (tls->client_cert_on_connection ? CLIENT_CERT_CONN : 0) | (has_cert ? CLIENT_CERT_SESS : 0));
    put(h, verify, sizeof(verify));
    put_tlv(h, SUBTYPE_SSL_VERSION, tls->version);
    put_tlv(h, SUBTYPE_SSL_CIPHER, tls->cipher);
    put_text_tlv(h, SUBTYPE_SSL_CN, tls->client_common_name);
    put_tlv(h, SUBTYPE_SSL_CLIENT_CERT, tls->client_cert);
    set_length(h, length_offset);
}

/* What a balancer in front of us said. Its checksum was over another header; a name is a client's word wherever it was
 * read. */
static void put_passed(struct header *h, const struct starttls_proxy_passed *passed)
{
    struct span tlvs = passed->tlvs, value;
    unsigned type;

    while (starttls_proxy_tlv_take(&tlvs, &type, &value)) {
        bool is_about_tls =
            type == STARTTLS_PROXY_TLV_ALPN || type == STARTTLS_PROXY_TLV_AUTHORITY || type == STARTTLS_PROXY_TLV_SSL;

        if (type == STARTTLS_PROXY_TLV_CRC32C || type == STARTTLS_PROXY_TLV_NOOP ||
            (is_about_tls && !passed->about_tls))
            continue;
        if (type == STARTTLS_PROXY_TLV_AUTHORITY)
            put_text_tlv(h, type, value);
        else
            put_tlv(h, type, value);
    }
}

static void put_addresses(struct header *h, const struct starttls_proxy_addresses *a)
{
    if (a->size == 0)
        return;
    put(h, a->source, a->size);
    put(h, a->destination, a->size);
    put_u16(h, a->source_port);
    put_u16(h, a->destination_port);
}

static void start(struct header *h, unsigned command, unsigned family)
{
    h->is_spoilt = false;
    buffer_init(&h->bytes, FIXED_BYTES + UINT16_MAX);
    put(h, starttls_proxy_signature, sizeof(starttls_proxy_signature));
    put_u8(h, command);
    put_u8(h, family);
    put_u16(h, 0);
}

static bool finish(struct header *h, struct buffer *out)
{
    bool is_good;

    set_length(h, LENGTH_OFFSET);
    is_good = !h->is_spoilt && buffer_append(out, buffer_span(&h->bytes));
    buffer_release(&h->bytes);
    return is_good;
}

bool starttls_proxy_header_v2(const struct starttls_proxy_addresses *addresses, const struct starttls_proxy_tls *tls,
                              const struct starttls_proxy_passed *passed, struct buffer *out)
{
    struct starttls_proxy_addresses a = unmap(addresses);
    struct header h;

    start(&h, COMMAND_PROXY, a.size == 4 ? FAMILY_TCP4 : a.size == 16 ? FAMILY_TCP6 : FAMILY_UNSPEC);
    put_addresses(&h, &a);
    if (tls != NULL) {
        put_tlv(&h, STARTTLS_PROXY_TLV_ALPN, tls->alpn);
        put_text_tlv(&h, STARTTLS_PROXY_TLV_AUTHORITY, tls->authority);
        if (tls->is_tls)
            put_ssl(&h, tls);
    }
    if (passed != NULL)
        put_passed(&h, passed);
    return finish(&h, out);
}

bool starttls_proxy_header_v2_local(struct buffer *out)
{
    struct header h;

    start(&h, COMMAND_LOCAL, FAMILY_UNSPEC);
    return finish(&h, out);
}
