/* starttls/ber.h: as much of BER (X.690) as LDAP has use for (RFC 4511 section 5.1), and less. Private to starttls/.
 *
 * Lengths are definite, of four bytes at most, in as many bytes as their sender likes (Windows sends four for any);
 * tags are of one byte. What else BER allows, LDAP forbids, or nobody sends: it is bad. Reads borrowed bytes, owns
 * nothing. */
#ifndef YETT_STARTTLS_BER_H
#define YETT_STARTTLS_BER_H

#include "base/span.h"

enum ber_tag {
    BER_BOOLEAN = 0x01,
    BER_INTEGER = 0x02,
    BER_OCTET_STRING = 0x04,
    BER_ENUMERATED = 0x0a,
    BER_SEQUENCE = 0x30,
    BER_SET = 0x31,
};

enum ber_status { BER_OK, BER_NEED_MORE, BER_BAD };

struct ber_header {
    uint8_t tag;
    size_t size;         /* of the header itself, bytes */
    size_t content_size; /* bytes behind it */
};

/* The header at the front of `bytes`, which may be cut off anywhere. */
MUST_CHECK enum ber_status ber_read_header(struct span bytes, struct ber_header *header);

/* Cut the element at the front off `rest`. False: it is not there, has another tag, or is cut off; `rest` is of no use
 * then. */
MUST_CHECK bool ber_take(struct span *rest, uint8_t tag, struct span *content);

/* An INTEGER's or ENUMERATED's content: from 0 to 2^31-1, in four bytes at most. */
MUST_CHECK bool ber_number(struct span content, uint32_t *number);

/* Whether `bytes` are whole elements, and so is the content of each constructed one, no deeper than `depth_max` (at
 * most BER_DEPTH_MAX). */
enum { BER_DEPTH_MAX = 8 };
MUST_CHECK bool ber_is_whole(struct span bytes, unsigned depth_max);

#endif
