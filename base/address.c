/* see base/address.h */
#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

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

/* ---- values ---- */

enum { MAPPED_PREFIX_BYTES = 12 };

struct address address_of_bytes(const uint8_t *bytes, size_t size)
{
    static const uint8_t mapped[MAPPED_PREFIX_BYTES] = {[10] = 0xff, [11] = 0xff};
    struct address a = {.size = size};

    assert(size == 4 || size == 16);
    if (size == 16 && memcmp(bytes, mapped, sizeof(mapped)) == 0) {
        a.size = 4;
        bytes += sizeof(mapped);
    }
    memcpy(a.bytes, bytes, a.size);
    return a;
}

bool address_parse(struct span text, struct address *a)
{
    uint8_t bytes[ADDRESS_BYTES_MAX];

    *a = (struct address){.size = 0};
    if (parse_ipv4(text, bytes))
        *a = address_of_bytes(bytes, 4);
    else if (parse_ipv6(text, bytes))
        *a = address_of_bytes(bytes, 16);
    return a->size != 0;
}

struct address address_of_socket(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return address_of_bytes((const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    if (address->sa_family == AF_INET6)
        return address_of_bytes(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr, 16);
    return (struct address){.size = 0};
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

const char *address_text(const struct address *a, char out[static ADDRESS_TEXT_SIZE])
{
    out[0] = '\0';
    if (a->size != 0)
        (void)inet_ntop(a->size == 4 ? AF_INET : AF_INET6, a->bytes, out, ADDRESS_TEXT_SIZE);
    return out;
}

bool address_in_network(const struct address *a, const struct address *network, unsigned prefix_bits)
{
    size_t whole = prefix_bits / 8;
    unsigned rest = prefix_bits % 8;

    assert(prefix_bits <= network->size * 8);
    if (a->size != network->size || memcmp(a->bytes, network->bytes, whole) != 0)
        return false;
    return rest == 0 || (a->bytes[whole] ^ network->bytes[whole]) >> (8 - rest) == 0;
}
