/* starttls/proxy_header.h: writing the PROXY protocol's header (proxy-protocol.txt, versions 1 and 2).
 *
 * A server behind us sees every client with our address; the header, first on the connection and in clear or inside
 * TLS, tells it the client's, and in version 2 what TLS learnt about it. Such headers are read by
 * starttls/proxy_reader.h. Addresses are bytes in network order, so that no socket type is needed here. */
#ifndef YETT_STARTTLS_PROXY_HEADER_H
#define YETT_STARTTLS_PROXY_HEADER_H

#include "base/buffer.h"

/* Both ends of the accepted connection. IPv4 addresses that are mapped into IPv6 (a dual-stack listener) on both ends
 * are written as IPv4. */
struct starttls_proxy_addresses {
    const uint8_t *source, *destination; /* borrowed; may be NULL when size is 0 */
    size_t size;                         /* 4, 16, or 0: not known, or a Unix socket ("UNKNOWN", AF_UNSPEC) */
    uint16_t source_port, destination_port;
};

/* What version 2 may add. Everything is borrowed; an empty span is left out, and so is a name that is not UTF-8 or has
 * control characters: a server that writes it into a log or a line would take what follows a CR LF for a line of its
 * own, and a name that was cleaned could be somebody else's. */
struct starttls_proxy_tls {
    struct span alpn;               /* PP2_TYPE_ALPN: as negotiated, without a length byte */
    struct span authority;          /* PP2_TYPE_AUTHORITY: the name the client asked for (SNI), UTF-8 */
    bool is_tls;                    /* PP2_TYPE_SSL is written only then */
    struct span version;            /* PP2_SUBTYPE_SSL_VERSION: "TLSv1.3" */
    struct span cipher;             /* PP2_SUBTYPE_SSL_CIPHER: "TLS_AES_128_GCM_SHA256" */
    bool client_cert_on_connection; /* the client sent a certificate in this handshake */
    bool client_cert_in_session;    /* ... or in the one this session was resumed from */
    bool client_cert_is_verified;   /* without a verified one, the header's <verify> is not zero */
    struct span client_common_name; /* PP2_SUBTYPE_SSL_CN: UTF-8 */
    struct span client_cert;        /* PP2_SUBTYPE_SSL_CLIENT_CERT (0x28): the client's own certificate in DER,
                                     * without its chain */
};

/* What came in a header that a balancer sent to us, and goes on: all TLVs, in their order, but those about the header
 * itself (checksum, padding), and a name that is not as above. Borrowed; each TLV within its bounds. */
struct starttls_proxy_passed {
    struct span tlvs;
    bool about_tls; /* also ALPN, AUTHORITY and SSL: no TLS of the client's ended here, of which these would be said
                     * twice, or wrongly */
};

/* "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n". False, and nothing written, when `out` has no room. */
MUST_CHECK bool starttls_proxy_header_v1(const struct starttls_proxy_addresses *addresses, struct buffer *out);

/* The binary header, command PROXY. `tls` and `passed` may be NULL. False, and nothing written, when `out` has no room
 * or a value does not fit its 16-bit length; leaving out a certificate in silence would make a client a stranger. */
MUST_CHECK bool starttls_proxy_header_v2(const struct starttls_proxy_addresses *addresses,
                                         const struct starttls_proxy_tls *tls,
                                         const struct starttls_proxy_passed *passed, struct buffer *out);

/* Command LOCAL: a connection of our own, such as a health check. */
MUST_CHECK bool starttls_proxy_header_v2_local(struct buffer *out);

#endif
