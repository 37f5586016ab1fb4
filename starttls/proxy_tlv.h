/* starttls/proxy_tlv.h: what the writer and the reader of PROXY headers share (proxy-protocol.txt, section 2.2). */
#ifndef YETT_STARTTLS_PROXY_TLV_H
#define YETT_STARTTLS_PROXY_TLV_H

#include "base/span.h"

enum { STARTTLS_PROXY_SIGNATURE_BYTES = 12 };
extern const uint8_t starttls_proxy_signature[STARTTLS_PROXY_SIGNATURE_BYTES];

/* PP2_TYPE_*, section 2.2.1 and on. */
enum starttls_proxy_tlv {
    STARTTLS_PROXY_TLV_ALPN = 0x01,
    STARTTLS_PROXY_TLV_AUTHORITY = 0x02,
    STARTTLS_PROXY_TLV_CRC32C = 0x03,
    STARTTLS_PROXY_TLV_NOOP = 0x04,
    STARTTLS_PROXY_TLV_UNIQUE_ID = 0x05,
    STARTTLS_PROXY_TLV_SSL = 0x20,
    STARTTLS_PROXY_TLV_NETNS = 0x30,
};

/* Take the next one from the front of `tlvs`. False: there is none, or it reaches behind their end. */
MUST_CHECK bool starttls_proxy_tlv_take(struct span *tlvs, unsigned *type, struct span *value);

#endif
