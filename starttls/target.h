/* starttls/target.h: where a client may ask to be taken: the grammar of hosts and ports, and the networks that are
 * nobody's to ask for.
 *
 * A host name that comes from a client is written into headers, given to a resolver and compared with rules; each of
 * them would read "127.1", "0x7f.1", "a\r\nX: y" or "user@host" in its own way. So there is one strict grammar, and
 * what is outside of it does not exist. What this does not do: resolve names, or decide what is allowed. */
#ifndef YETT_STARTTLS_TARGET_H
#define YETT_STARTTLS_TARGET_H

#include "base/address.h"

enum {
    STARTTLS_HOST_BYTES_MAX = 253,
    STARTTLS_LABEL_BYTES_MAX = 63,
};

enum starttls_host_kind {
    STARTTLS_HOST_INVALID,
    STARTTLS_HOST_NAME, /* labels of letters, digits, "-" and "_"; the last one not a number in any notation */
    STARTTLS_HOST_IPV4, /* written with dots alone; base/address.h has both grammars */
    STARTTLS_HOST_IPV6, /* written with colons, whichever address it is */
};

/* What `host` is. Brackets are not part of an IPv6 address here, a trailing dot not part of a name. */
enum starttls_host_kind starttls_host_kind(struct span host);

/* Read authority-form, "host:port" (RFC 9110 section 9.3.6): a name (one trailing dot is dropped, letters become
 * lower case), an IPv4 literal, or an IPv6 literal in brackets; and a port of 1 to 65535 in digits without a leading
 * zero. An address in *host is written as address_text() has it, so that one host has one text. *host is the caller's
 * to free(), and NULL when the answer is false. */
MUST_CHECK bool starttls_authority_parse(struct span authority, char **host, uint16_t *port);

/* As starttls_authority_parse(), where ":port" may be missing; *port is 0 then. For a Host field. */
MUST_CHECK bool starttls_authority_parse_optional_port(struct span authority, char **host, uint16_t *port);

/* Whether an address (4 or 16 bytes, network order) is one that a proxy must not be talked into reaching unless a
 * rule names it: this host, private and link-local networks, multicast, reserved blocks, and IPv6 addresses that carry
 * such an IPv4 address inside (mapped, compatible, NAT64, 6to4, Teredo). Any other size is denied. To be asked for
 * every address a name resolves to, and the address then connected to must be that very one (DNS rebinding). */
bool starttls_address_denied_by_default(const uint8_t *address, size_t size);

#endif
