/* see starttls/target.h: the networks that are nobody's to ask for */
#include "starttls/target.h"

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
