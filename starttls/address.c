/* see starttls/target.h: addresses */
#include "starttls/target.h"

/* ---- text to bytes ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* A strict dotted quad: four decimal octets, no leading zeros (which some read as octal). */
static bool parse_ipv4(struct span text, uint8_t address[4])
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned octet = 0;
        size_t digits = 0;

        if (i != 0) {
            if (text.size == 0 || text.data[0] != '.')
                return false;
            text = span_skip(text, 1);
        }
        while (digits < text.size && digits < 4 && is_digit(text.data[digits]))
            octet = octet * 10 + (unsigned)(text.data[digits++] - '0');
        if (digits == 0 || digits > 3 || octet > 255 || (digits > 1 && text.data[0] == '0'))
            return false;
        address[i] = (uint8_t)octet;
        text = span_skip(text, digits);
    }
    return text.size == 0;
}

static int hex_value(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One to four hexadecimal digits at the front of *text. */
static bool take_group(struct span *text, uint8_t group[2])
{
    unsigned value = 0;
    size_t digits = 0;

    while (digits < text->size && digits < 5 && hex_value(text->data[digits]) >= 0)
        value = value * 16 + (unsigned)hex_value(text->data[digits++]);
    if (digits == 0 || digits > 4)
        return false;
    group[0] = (uint8_t)(value >> 8);
    group[1] = (uint8_t)value;
    *text = span_skip(*text, digits);
    return true;
}

/* Groups with ":" between them, the last two perhaps as a dotted quad, up to the end or to "::". *size is 0 to 16. */
static bool take_groups(struct span *text, uint8_t bytes[16], size_t size_max, size_t *size)
{
    *size = 0;
    while (text->size != 0 && !(text->size >= 2 && text->data[0] == ':' && text->data[1] == ':')) {
        if (*size != 0) {
            if (text->data[0] != ':')
                return false;
            *text = span_skip(*text, 1);
        }
        if (*size + 4 <= size_max && parse_ipv4(*text, bytes + *size)) {
            *size += 4;
            *text = span_skip(*text, text->size);
            return true;
        }
        if (*size + 2 > size_max || !take_group(text, bytes + *size))
            return false;
        *size += 2;
    }
    return true;
}

/* RFC 4291 section 2.2. Stricter than inet_pton() in nothing, laxer in nothing. */
static bool parse_ipv6(struct span text, uint8_t address[16])
{
    uint8_t tail[16];
    size_t head_size, tail_size;

    memset(address, 0, 16);
    if (!take_groups(&text, address, 16, &head_size))
        return false;
    if (text.size == 0)
        return head_size == 16;
    text = span_skip(text, 2); /* "::" stands for at least one group */
    if (head_size > 14 || !take_groups(&text, tail, 14 - head_size, &tail_size) || text.size != 0)
        return false;
    memcpy(address + 16 - tail_size, tail, tail_size);
    return true;
}

bool starttls_address_parse(struct span text, uint8_t address[STARTTLS_ADDRESS_BYTES_MAX], size_t *size)
{
    *size = 4;
    if (parse_ipv4(text, address))
        return true;
    *size = 16;
    return parse_ipv6(text, address);
}

/* ---- networks ---- */

struct network {
    uint8_t prefix[16];
    unsigned bits;
};

/* RFC 6890 and its successors, as far as none of them is a place in the Internet. */
static const struct network denied_ipv4[] = {
    {{0}, 8},          /* this network */
    {{10}, 8},         /* private */
    {{100, 64}, 10},   /* shared by carriers' NAT */
    {{127}, 8},        /* loopback */
    {{169, 254}, 16},  /* link-local; cloud metadata */
    {{172, 16}, 12},   /* private */
    {{192, 0, 0}, 24}, /* IETF protocol assignments */
    {{192, 168}, 16},  /* private */
    {{198, 18}, 15},   /* benchmarks */
    {{224}, 4},        /* multicast */
    {{240}, 4},        /* reserved, broadcast */
};

static const struct network denied_ipv6[] = {
    {{0}, 128},                                 /* unspecified */
    {{[15] = 1}, 128},                          /* loopback */
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48}, /* NAT64 of a local network, RFC 8215 */
    {{0xfc}, 7},                                /* unique local */
    {{0xfe, 0x80}, 10},                         /* link-local */
    {{0xfe, 0xc0}, 10},                         /* site-local */
    {{0xff}, 8},                                /* multicast */
};

/* IPv6 networks whose addresses stand for an IPv4 address: what is connected to in the end is that one. */
static const struct {
    struct network network;
    size_t offset; /* of the IPv4 address */
    uint8_t mask;  /* each of its bytes is XORed with this */
} carriers[] = {
    {{{0}, 96}, 12, 0x00},                        /* compatible, RFC 4291 section 2.5.5.1 */
    {{{[10] = 0xff, [11] = 0xff}, 96}, 12, 0x00}, /* mapped, section 2.5.5.2 */
    {{{[8] = 0xff, [9] = 0xff}, 96}, 12, 0x00},   /* translated, RFC 2765 section 2.1 */
    {{{0x00, 0x64, 0xff, 0x9b}, 96}, 12, 0x00},   /* NAT64, RFC 6052 */
    {{{0x20, 0x02}, 16}, 2, 0x00},                /* 6to4, RFC 3056 */
    {{{0x20, 0x01, 0x00, 0x00}, 32}, 4, 0x00},    /* Teredo's server, RFC 4380 */
    {{{0x20, 0x01, 0x00, 0x00}, 32}, 12, 0xff},   /* Teredo's client */
};

static bool is_in(const struct network *n, const uint8_t *address)
{
    unsigned whole = n->bits / 8, left = n->bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> left);

    if (memcmp(n->prefix, address, whole) != 0)
        return false;
    return left == 0 || ((n->prefix[whole] ^ address[whole]) & mask) == 0;
}

static bool is_in_any(const struct network *networks, size_t count, const uint8_t *address)
{
    for (size_t i = 0; i < count; i++)
        if (is_in(&networks[i], address))
            return true;
    return false;
}

bool starttls_address_denied_by_default(const uint8_t *address, size_t size)
{
    if (size == 4)
        return is_in_any(denied_ipv4, ARRAY_LEN(denied_ipv4), address);
    if (size != 16 || is_in_any(denied_ipv6, ARRAY_LEN(denied_ipv6), address))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(carriers); i++) {
        uint8_t inner[4];

        if (!is_in(&carriers[i].network, address))
            continue;
        for (size_t n = 0; n < sizeof(inner); n++)
            inner[n] = address[carriers[i].offset + n] ^ carriers[i].mask;
        if (is_in_any(denied_ipv4, ARRAY_LEN(denied_ipv4), inner))
            return true;
    }
    return false;
}
