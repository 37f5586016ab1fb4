/* tls/record.h: records of TLS, and those of TLS 1.3 that are protected (RFC 8446 section 5). Private to tls/.
 *
 * A *direction* is one of the two ways of an established connection: a traffic secret, the key and IV made of it, and
 * the sequence number of the next record. It *rests* while nothing of NSS stands ready for it. *Sealing* makes a record
 * of content, *opening* gives the content back. The cryptography is NSS's (HKDF and AEAD); no I/O, no policy: what a
 * record means is the caller's to judge.
 *
 * The nonce is the IV xor the sequence number (section 5.3), so a number is never used twice with a key: whoever takes
 * a direction over from NSS must know exactly how many records NSS has made or read with the secret. */
#ifndef YETT_TLS_RECORD_H
#define YETT_TLS_RECORD_H

#include "base/buffer.h"

#include <pk11pub.h>

enum tls_content_type {
    TLS_CONTENT_CHANGE_CIPHER_SPEC = 20,
    TLS_CONTENT_ALERT = 21,
    TLS_CONTENT_HANDSHAKE = 22,
    TLS_CONTENT_DATA = 23,
};

enum {
    TLS_RECORD_HEADER_SIZE = 5,
    TLS_RECORD_TAG_SIZE = 16,
    TLS_RECORD_IV_SIZE = 12,
    TLS_RECORD_KEY_MAX = 32,
    TLS_RECORD_SECRET_MAX = 48,
    TLS_RECORD_INNER_MAX = 16384 + 1, /* TLSInnerPlaintext: content, its type, padding (section 5.4) */
    /* Of a protected record. Section 5.2 allows 16384 + 256, for an AEAD that adds more than any of TLS 1.3's does. */
    TLS_RECORD_BODY_MAX = TLS_RECORD_INNER_MAX + TLS_RECORD_TAG_SIZE,
};

/* ---- finding records in a stream of bytes, whatever pieces it comes in ---- */

struct tls_record_reader {
    uint8_t header[TLS_RECORD_HEADER_SIZE];
    size_t header_size; /* bytes of it that have come */
    size_t body_left;   /* of the record whose header came last */
};

/* Skip to the end of the next header in *bytes. True: it is in reader->header, and *bytes begins behind it. False: all
 * of *bytes has been looked at. */
MUST_CHECK bool tls_record_reader_next(struct tls_record_reader *reader, struct span *bytes);

static inline size_t tls_record_body_size(const uint8_t header[static TLS_RECORD_HEADER_SIZE])
{
    return (size_t)header[3] << 8 | header[4];
}

/* Between two records. */
static inline bool tls_record_reader_at_boundary(const struct tls_record_reader *reader)
{
    return reader->header_size == 0 && reader->body_left == 0;
}

/* ---- protection ---- */

struct tls_record_suite;

/* NULL: not one of TLS 1.3's that are known here. */
const struct tls_record_suite *tls_record_suite_find(unsigned cipher_suite);

enum tls_record_use { TLS_RECORD_SEAL, TLS_RECORD_OPEN };

struct tls_record_direction {
    const struct tls_record_suite *suite;
    enum tls_record_use use;
    PK11Context *aead; /* NULL while the direction rests */
    uint64_t sequence; /* of the next record */
    /* Bytes, and not keys of NSS: a key object of its software token takes 5 KiB. Wiped by
     * tls_record_direction_clear(). */
    uint8_t secret[TLS_RECORD_SECRET_MAX]; /* client_ or server_application_traffic_secret_N */
    uint8_t key[TLS_RECORD_KEY_MAX];
    uint8_t iv[TLS_RECORD_IV_SIZE];
};

/* Derive key and IV (section 7.3). The secret stays the caller's. False: NSS could not, or does not give the bytes
 * away; the direction is empty. */
MUST_CHECK bool tls_record_direction_init(struct tls_record_direction *d, const struct tls_record_suite *suite,
                                          enum tls_record_use use, PK11SymKey *secret, uint64_t sequence);
void tls_record_direction_clear(struct tls_record_direction *d);

/* Hold nothing of NSS until the next record, which costs a few microseconds more then. */
void tls_record_direction_rest(struct tls_record_direction *d);

/* The next secret, key and IV (section 7.2), and a sequence that begins anew. False: NSS could not; nothing can be done
 * with the direction any more. */
MUST_CHECK bool tls_record_direction_update(struct tls_record_direction *d);

/* Append a record. `content` is at most 16384 bytes and not inside `out`. False: no room, no sequence number left
 * (section 5.3), or NSS could not. */
MUST_CHECK bool tls_record_seal(struct tls_record_direction *d, enum tls_content_type type, struct span content,
                                struct buffer *out);

/* Bytes that opening a record writes: content, type and padding. `body_size`: of the record, at least
 * TLS_RECORD_TAG_SIZE. */
static inline size_t tls_record_inner_size(size_t body_size)
{
    return body_size - TLS_RECORD_TAG_SIZE;
}

/* Open one whole record, header included, into `out` (of tls_record_inner_size() bytes, not inside `record`). False: it
 * was altered, or made with another key, or there is no sequence number left. *content_size may be 0; *type is 0 when
 * there was nothing but padding. */
MUST_CHECK bool tls_record_open(struct tls_record_direction *d, struct span record, uint8_t *out, size_t *content_size,
                                unsigned *type);

#endif
