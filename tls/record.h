/* tls/record.h: records of TLS, and those that an AEAD protects: TLS 1.3 (RFC 8446 section 5), and of TLS 1.2 AES-GCM
 * (RFC 5288) and ChaCha20-Poly1305 (RFC 7905). Private to tls/.
 *
 * A *direction* is one of the two ways of an established connection: the key and IV, in TLS 1.3 the traffic secret that
 * they are made of, and the sequence number of the next record. It *rests* while nothing of NSS stands ready for it.
 * *Sealing* makes a record of content, *opening* gives the content back. The cryptography is NSS's (HKDF and AEAD, in
 * which of its tokens record_slot.h says); no I/O, no policy: what a record means is the caller's to judge.
 *
 * The nonce is the IV xor the sequence number (RFC 8446 section 5.3, RFC 7905 section 2), or, with AES-GCM in TLS 1.2,
 * a salt and eight bytes that stand in the record, for which we take the sequence number (RFC 5288 section 3). So a
 * number is never used twice with a key: whoever takes a direction over from NSS must know exactly how many records NSS
 * has made or read with it. */
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
    TLS_RECORD_EXPLICIT_SIZE = 8,     /* of a nonce, in the record: AES-GCM in TLS 1.2 */
    TLS_RECORD_INNER_MAX = 16384 + 1, /* TLSInnerPlaintext: content, its type, padding (section 5.4) */
    /* Of a protected record. Section 5.2 allows 16384 + 256, for an AEAD that adds more than any of TLS 1.3's does. */
    TLS_RECORD_BODY_MAX = TLS_RECORD_INNER_MAX + TLS_RECORD_TAG_SIZE,
    TLS_RECORD_MASTER_SIZE = 48, /* of TLS 1.2 */
    TLS_RECORD_RANDOM_SIZE = 32,
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

/* NULL: not one of the version's (0x0303, 0x0304) that are known here. */
const struct tls_record_suite *tls_record_suite_find(unsigned version, unsigned cipher_suite);

enum tls_record_use { TLS_RECORD_SEAL, TLS_RECORD_OPEN };

struct tls_record_direction {
    const struct tls_record_suite *suite;
    enum tls_record_use use;
    bool explicit_nonce;
    PK11Context *aead; /* NULL while the direction rests */
    uint64_t sequence; /* of the next record */
    /* Bytes, and not keys of NSS: a key object of its software token takes 5 KiB. Wiped by
     * tls_record_direction_clear(). */
    uint8_t secret[TLS_RECORD_SECRET_MAX]; /* TLS 1.3: client_ or server_application_traffic_secret_N */
    uint8_t key[TLS_RECORD_KEY_MAX];
    uint8_t iv[TLS_RECORD_IV_SIZE];
};

/* Derive key and IV (section 7.3). The secret stays the caller's. False: NSS could not, or does not give the bytes
 * away; the direction is empty. */
MUST_CHECK bool tls_record_direction_init(struct tls_record_direction *d, const struct tls_record_suite *suite,
                                          enum tls_record_use use, PK11SymKey *secret, uint64_t sequence);
/* Both directions of a connection of TLS 1.2, from its master secret (RFC 5246 section 6.3), with sequence numbers of
 * 0. False: NSS could not; both are empty. */
struct tls_record_master {
    uint8_t secret[TLS_RECORD_MASTER_SIZE];
    uint8_t client_random[TLS_RECORD_RANDOM_SIZE], server_random[TLS_RECORD_RANDOM_SIZE];
};
MUST_CHECK bool tls_record_directions_init12(const struct tls_record_suite *suite,
                                             const struct tls_record_master *master, enum tls_record_use client_use,
                                             enum tls_record_use server_use, struct tls_record_direction *client,
                                             struct tls_record_direction *server);
void tls_record_direction_clear(struct tls_record_direction *d);

/* Hold nothing of NSS until the next record, which costs a few microseconds more then. */
void tls_record_direction_rest(struct tls_record_direction *d);

/* TLS 1.3: the next secret, key and IV (section 7.2), and a sequence that begins anew. False: NSS could not; nothing
 * can be done with the direction any more. */
MUST_CHECK bool tls_record_direction_update(struct tls_record_direction *d);

/* Append a record. `content` is at most 16384 bytes and not inside `out`. False: no room, no sequence number left
 * (section 5.3), or NSS could not. */
MUST_CHECK bool tls_record_seal(struct tls_record_direction *d, enum tls_content_type type, struct span content,
                                struct buffer *out);

/* Of the body of a record, what is not content. */
static inline size_t tls_record_overhead(const struct tls_record_direction *d)
{
    return TLS_RECORD_TAG_SIZE + (d->explicit_nonce ? TLS_RECORD_EXPLICIT_SIZE : 0);
}

/* Bytes that opening a record writes: content and, in TLS 1.3, type and padding. `body_size`: of the record, at least
 * tls_record_overhead(). */
static inline size_t tls_record_inner_size(const struct tls_record_direction *d, size_t body_size)
{
    return body_size - tls_record_overhead(d);
}

/* Open one whole record, header included, into `out` (of tls_record_inner_size() bytes, not inside `record`). False: it
 * was altered, or made with another key, or there is no sequence number left. *content_size may be 0; *type is 0 when
 * there was nothing but padding. */
MUST_CHECK bool tls_record_open(struct tls_record_direction *d, struct span record, uint8_t *out, size_t *content_size,
                                unsigned *type);

#endif
