/* base/address.h: IP addresses as values: one reader of how they are written, one writer, one comparison.
 *
 * An address may be written in many ways (RFC 4291 section 2.2: "::1" and "0:0:0:0:0:0:0:1"), so texts are never
 * compared: they are read into this value, and values are compared; what is kept as text is kept as address_text()
 * writes it. One rule for IPv4-mapped IPv6 addresses ("::ffff:192.0.2.1", section 2.5.5.2): such an address *is* the
 * IPv4 address it carries, wherever an address is read, compared, connected to, logged or looked for in a certificate,
 * since the kernel reaches the same machine by both. Other addresses that carry an IPv4 address (NAT64, 6to4,
 * compatible) are addresses of their own. */
#ifndef YETT_BASE_ADDRESS_H
#define YETT_BASE_ADDRESS_H

#include "base/span.h"

enum { ADDRESS_BYTES_MAX = 16, ADDRESS_TEXT_SIZE = 46 };

struct address {
    uint8_t bytes[ADDRESS_BYTES_MAX]; /* network order; what is not used is zero */
    size_t size;                      /* 4 or 16; 0: none, as of a Unix socket */
};

/* Read an IPv4 literal (four decimal numbers, no leading zeros, which some read as octal) or an IPv6 literal without
 * brackets and without a zone. Nothing else, and nothing around it. */
MUST_CHECK bool address_parse(struct span text, struct address *a);

/* Of 4 or 16 bytes in network order. */
struct address address_of_bytes(const uint8_t *bytes, size_t size);

/* The address of a socket, without its port; size 0 for other families than IPv4 and IPv6. */
struct sockaddr;
struct address address_of_socket(const struct sockaddr *address);

bool address_equal(const struct address *a, const struct address *b);

/* As RFC 5952 has it. Returns `out`; "" for none. */
const char *address_text(const struct address *a, char out[static ADDRESS_TEXT_SIZE]);

/* Whether the first `prefix_bits` of both are the same; never when one is IPv4 and the other IPv6. */
bool address_in_network(const struct address *a, const struct address *network, unsigned prefix_bits);

#endif
