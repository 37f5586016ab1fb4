/* see starttls/proxy_reader.h; section numbers are those of proxy-protocol.txt */
#include "starttls/proxy_reader.h"
#include "starttls/proxy_tlv.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    FIXED_BYTES = 16, /* signature, version and command, family, length */
    COMMAND_OFFSET = 12,
    FAMILY_OFFSET = 13,
    LENGTH_OFFSET = 14,
    TLV_HEAD_BYTES = 3,
    CHECKSUM_BYTES = 4,
    TOKEN_PORT_DIGITS_MAX = 5,
};

static const char v1_start[] = "PROXY ";
enum { V1_START_BYTES = sizeof(v1_start) - 1 };

static size_t common_start(struct span bytes, const void *start, size_t size)
{
    const uint8_t *want = start;
    size_t same = 0;

    while (same < bytes.size && same < size && bytes.data[same] == want[same])
        same++;
    return same;
}

size_t starttls_proxy_likeness(struct span bytes)
{
    size_t v1 = common_start(bytes, v1_start, V1_START_BYTES),
           v2 = common_start(bytes, starttls_proxy_signature, STARTTLS_PROXY_SIGNATURE_BYTES);

    return v1 > v2 ? v1 : v2;
}

bool starttls_proxy_is_header(struct span bytes)
{
    size_t same = starttls_proxy_likeness(bytes);

    /* No common prefix of the two is as long as the shorter one. */
    return same == STARTTLS_PROXY_SIGNATURE_BYTES || (same == V1_START_BYTES && bytes.data[0] == 'P');
}

/* What the reading comes to, with a sentence. */
static enum starttls_proxy_read broken(const char **why, const char *sentence)
{
    *why = sentence;
    return STARTTLS_PROXY_BROKEN;
}

/* ---- version 1, section 2.1 ---- */

/* The next word of a line: exactly one space before it, none within. */
static bool take_word(struct span *line, struct span *word)
{
    size_t size = 0;

    if (line->size == 0 || line->data[0] != ' ')
        return false;
    *line = span_skip(*line, 1);
    while (size < line->size && line->data[size] != ' ')
        size++;
    *word = span_of(line->data, size);
    *line = span_skip(*line, size);
    return size != 0;
}

/* Decimal, without a leading zero. */
static bool take_port(struct span *line, uint16_t *port)
{
    struct span word;
    unsigned value = 0;

    if (!take_word(line, &word) || word.size > TOKEN_PORT_DIGITS_MAX || (word.data[0] == '0' && word.size > 1))
        return false;
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] < '0' || word.data[i] > '9')
            return false;
        value = value * 10 + (unsigned)(word.data[i] - '0');
    }
    *port = (uint16_t)value;
    return value <= UINT16_MAX;
}

/* An address of the family that was said, by how it is written: "::ffff:192.0.2.1" is written as one of IPv6. */
static bool take_address(struct span *line, bool is_v6, struct address *a)
{
    struct span word;

    return take_word(line, &word) && (memchr(word.data, ':', word.size) != NULL) == is_v6 && address_parse(word, a);
}

static enum starttls_proxy_read read_line(struct span line, struct starttls_proxy_said *said, const char **why)
{
    struct span family;
    bool is_v6;

    line = span_skip(line, V1_START_BYTES - 1);
    if (!take_word(&line, &family))
        return broken(why, "behind PROXY there is no TCP4, TCP6 or UNKNOWN");
    if (span_equal(family, span_of_string("UNKNOWN"))) {
        said->subject = STARTTLS_PROXY_UNKNOWN; /* and the rest of the line is ignored */
        return STARTTLS_PROXY_WHOLE;
    }
    is_v6 = span_equal(family, span_of_string("TCP6"));
    if (!is_v6 && !span_equal(family, span_of_string("TCP4")))
        return broken(why, "its family is not TCP4, TCP6 or UNKNOWN");
    if (!take_address(&line, is_v6, &said->source) || !take_address(&line, is_v6, &said->destination))
        return broken(why, "its addresses are not two of the family that it says");
    if (!take_port(&line, &said->source_port) || !take_port(&line, &said->destination_port))
        return broken(why, "its ports are not two numbers up to 65535 without leading zeros");
    if (line.size != 0)
        return broken(why, "something stands behind its ports");
    said->subject = STARTTLS_PROXY_CLIENT;
    return STARTTLS_PROXY_WHOLE;
}

static enum starttls_proxy_read read_v1(struct span bytes, struct starttls_proxy_said *said, size_t *size,
                                        const char **why)
{
    size_t most = bytes.size < STARTTLS_PROXY_V1_BYTES_MAX ? bytes.size : STARTTLS_PROXY_V1_BYTES_MAX;

    for (size_t i = 0; i < most; i++) {
        uint8_t c = bytes.data[i];

        if (c == '\r' && i + 1 < most && bytes.data[i + 1] == '\n') {
            *size = i + 2;
            return read_line(span_of(bytes.data, i), said, why);
        }
        if (c == '\r' && i + 1 == bytes.size && i + 1 < STARTTLS_PROXY_V1_BYTES_MAX)
            break; /* LF may come */
        if (c < ' ' || c > '~')
            return broken(why, "there is a control character, or one that is not ASCII, in its line");
    }
    if (most == STARTTLS_PROXY_V1_BYTES_MAX)
        return broken(why, "its line is longer than 107 bytes");
    return STARTTLS_PROXY_NEED_MORE;
}

/* ---- version 2, section 2.2 ---- */

static size_t size_at(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

/* Castagnoli's polynomial, bits reversed; four bytes of zeros stand where the checksum is (section 2.2.5). */
static uint32_t crc32c(struct span bytes, size_t hole)
{
    enum { BITS = 8 };
    const uint32_t polynomial = 0x82f63b78;
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= i >= hole && i < hole + CHECKSUM_BYTES ? 0 : bytes.data[i];
        for (unsigned bit = 0; bit < BITS; bit++)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? polynomial : 0);
    }
    return ~crc;
}

static bool checksum_is_right(struct span header, struct span value)
{
    return value.size == CHECKSUM_BYTES &&
           crc32c(header, (size_t)(value.data - header.data)) ==
               ((uint32_t)size_at(value.data) << 16 | (uint32_t)size_at(value.data + 2));
}

bool starttls_proxy_tlv_take(struct span *tlvs, unsigned *type, struct span *value)
{
    if (tlvs->size < TLV_HEAD_BYTES || size_at(tlvs->data + 1) > tlvs->size - TLV_HEAD_BYTES)
        return false;
    *type = tlvs->data[0];
    *value = span_of(tlvs->data + TLV_HEAD_BYTES, size_at(tlvs->data + 1));
    *tlvs = span_skip(*tlvs, TLV_HEAD_BYTES + value->size);
    return true;
}

/* Each within the bounds of the whole; a checksum is right. */
static enum starttls_proxy_read read_tlvs(struct span header, struct span tlvs, const char **why)
{
    while (tlvs.size != 0) {
        unsigned type;
        struct span value;

        if (!starttls_proxy_tlv_take(&tlvs, &type, &value))
            return broken(why, "one of its TLVs reaches behind its end");
        if (type == STARTTLS_PROXY_TLV_CRC32C && !checksum_is_right(header, value))
            return broken(why, "its checksum (CRC32C) is wrong");
    }
    return STARTTLS_PROXY_WHOLE;
}

/* What section 2.2 has of families. Addresses are of `size` bytes each; of the others a block of `block` is passed
 * over.
 */
static const struct {
    uint8_t byte;
    size_t size, block;
} families[] = {{0x00, 0, 0}, {0x11, 4, 0}, {0x21, 16, 0}, {0x31, 0, 216}};

/* `rest`: addresses and TLVs. */
static enum starttls_proxy_read read_addresses(struct span header, struct span rest, size_t family,
                                               struct starttls_proxy_said *said, const char **why)
{
    size_t size = families[family].size, block = size == 0 ? families[family].block : 2 * size + 4;

    if (block > rest.size)
        return broken(why, "it is too short for the addresses of its family");
    if (size != 0) {
        said->source = address_of_bytes(rest.data, size);
        said->destination = address_of_bytes(rest.data + size, size);
        said->source_port = (uint16_t)size_at(rest.data + 2 * size);
        said->destination_port = (uint16_t)size_at(rest.data + 2 * size + 2);
    }
    said->subject = size != 0 ? STARTTLS_PROXY_CLIENT : STARTTLS_PROXY_UNKNOWN;
    said->tlvs = span_skip(rest, block);
    return read_tlvs(header, said->tlvs, why);
}

static enum starttls_proxy_read read_v2(struct span bytes, struct starttls_proxy_said *said, size_t *size,
                                        const char **why)
{
    enum { VERSION = 0x20, COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };
    size_t family = 0;

    if (bytes.size > COMMAND_OFFSET && (bytes.data[COMMAND_OFFSET] & 0xf0) != VERSION)
        return broken(why, "its signature is that of version 2, and its version another");
    if (bytes.size > COMMAND_OFFSET && bytes.data[COMMAND_OFFSET] > COMMAND_PROXY)
        return broken(why, "its command is not LOCAL or PROXY");
    if (bytes.size < FIXED_BYTES)
        return STARTTLS_PROXY_NEED_MORE;
    *size = FIXED_BYTES + size_at(bytes.data + LENGTH_OFFSET);
    if (*size > STARTTLS_PROXY_V2_BYTES_MAX)
        return broken(why, "it is longer than 4112 bytes");
    /* LOCAL: whatever the family is, the addresses are the connection's own (section 2.2). */
    while (bytes.data[COMMAND_OFFSET] == COMMAND_PROXY && families[family].byte != bytes.data[FAMILY_OFFSET])
        if (++family == ARRAY_LEN(families))
            return broken(why, "its family is not TCP over IPv4 or IPv6, a Unix stream, or unspecified");
    if (bytes.size < *size)
        return STARTTLS_PROXY_NEED_MORE;
    if (bytes.data[COMMAND_OFFSET] == COMMAND_PROXY)
        return read_addresses(span_of(bytes.data, *size), span_skip(span_of(bytes.data, *size), FIXED_BYTES), family,
                              said, why);
    said->subject = STARTTLS_PROXY_LOCAL;
    return STARTTLS_PROXY_WHOLE;
}

enum starttls_proxy_read starttls_proxy_read(struct span bytes, enum starttls_proxy_accept accept,
                                             struct starttls_proxy_said *said, size_t *size, const char **why)
{
    enum starttls_proxy_read result = STARTTLS_PROXY_NEED_MORE;
    size_t same = starttls_proxy_likeness(bytes);
    bool is_v1 = bytes.size != 0 && bytes.data[0] == 'P',
         is_whole_start = same == (is_v1 ? (size_t)V1_START_BYTES : (size_t)STARTTLS_PROXY_SIGNATURE_BYTES);

    *said = (struct starttls_proxy_said){.subject = STARTTLS_PROXY_UNKNOWN};
    *size = 0;
    *why = NULL;
    if (same < bytes.size && !is_whole_start) {
        *why = "what came first is no PROXY header";
        return STARTTLS_PROXY_MISSING;
    }
    if (!is_whole_start)
        return STARTTLS_PROXY_NEED_MORE;
    if (is_v1 ? accept == STARTTLS_PROXY_ACCEPT_V2 : accept == STARTTLS_PROXY_ACCEPT_V1)
        return broken(why, is_v1 ? "it is one of version 1, and accept_proxy takes version 2"
                                 : "it is one of version 2, and accept_proxy takes version 1");
    result = is_v1 ? read_v1(bytes, said, size, why) : read_v2(bytes, said, size, why);
    if (result != STARTTLS_PROXY_WHOLE)
        *said = (struct starttls_proxy_said){.subject = STARTTLS_PROXY_UNKNOWN};
    return result;
}

/* ---- for the log ---- */

static bool is_plain_text(struct span value)
{
    return value.size != 0 && span_is_clean_utf8(value) && memchr(value.data, ' ', value.size) == NULL &&
           memchr(value.data, '=', value.size) == NULL;
}

/* "name=value", or of a value that is no text digits. It has room for all of it. */
static size_t put_tlv_text(unsigned type, struct span value, char *out, size_t room)
{
    enum { VALUE_BYTES_TOLD = 64, DIGITS_BYTES_TOLD = 16 };
    static const struct {
        unsigned type;
        const char *name;
    } names[] = {{STARTTLS_PROXY_TLV_ALPN, "alpn"},
                 {STARTTLS_PROXY_TLV_AUTHORITY, "authority"},
                 {STARTTLS_PROXY_TLV_UNIQUE_ID, "unique_id"},
                 {STARTTLS_PROXY_TLV_SSL, "ssl"},
                 {STARTTLS_PROXY_TLV_NETNS, "netns"}};
    char name[16], digits[2 * DIGITS_BYTES_TOLD + 3] = "";
    bool is_text = value.size <= VALUE_BYTES_TOLD && is_plain_text(value);
    size_t told = value.size < DIGITS_BYTES_TOLD ? value.size : DIGITS_BYTES_TOLD;
    int written;

    snprintf(name, sizeof(name), "0x%02x", type);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].type == type)
            snprintf(name, sizeof(name), "%s", names[i].name);
    for (size_t i = 0; i < told; i++)
        snprintf(digits + 2 * i, 3, "%02x", value.data[i]);
    if (told < value.size)
        memcpy(digits + 2 * told, "..", sizeof(".."));
    written = is_text ? snprintf(out, room, "%s=%.*s", name, (int)value.size, (const char *)value.data)
                      : snprintf(out, room, "%s=%s", name, digits);
    return (size_t)written;
}

const char *starttls_proxy_tlvs_text(struct span tlvs, char out[static STARTTLS_PROXY_TLVS_TEXT_SIZE])
{
    size_t used = 0;
    unsigned type;
    struct span value;

    out[0] = '\0';
    while (starttls_proxy_tlv_take(&tlvs, &type, &value)) {
        char text[128];
        size_t size = put_tlv_text(type, value, text, sizeof(text));

        if (type == STARTTLS_PROXY_TLV_CRC32C || type == STARTTLS_PROXY_TLV_NOOP)
            continue; /* about the header, and not about the client */
        if (used + size + 2 > STARTTLS_PROXY_TLVS_TEXT_SIZE)
            break;
        if (used != 0)
            out[used++] = ' ';
        memcpy(out + used, text, size + 1);
        used += size;
    }
    return out;
}
