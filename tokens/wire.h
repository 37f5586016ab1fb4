/* tokens/wire.h: what the shim and the agent say to each other over a Unix stream socket.
 *
 * A *frame* is a 4-byte big-endian size and that many bytes of *payload*: one byte type, four bytes request id, then
 * the fields of the type. Requests carry all the agent needs (the identity by its URI, never by a handle), so that a
 * request can be sent again to an agent that was started in place of another. Replies carry the request's id and come
 * in any order. Both ends run under the same user; still every size is bounded, and what does not parse ends the
 * connection. Spans in decoded structs point into the payload. What it does not do: move bytes, allocate, know PKCS#11
 * headers (mechanisms have their own numbers here). */
#ifndef YETT_TOKENS_WIRE_H
#define YETT_TOKENS_WIRE_H

#include "base/buffer.h"
#include "base/span.h"

enum {
    TOKENS_WIRE_HEADER_SIZE = 4,      /* bytes of the size field */
    TOKENS_WIRE_REQUEST_MAX = 4096,   /* payload of a request, bytes */
    TOKENS_WIRE_REPLY_MAX = 131072,   /* payload of a reply, bytes */
    TOKENS_WIRE_URI_MAX = 2048,       /* a URI, bytes */
    TOKENS_WIRE_DATA_MAX = 1024,      /* what is signed: a digest, or a DigestInfo; bytes */
    TOKENS_WIRE_SIGNATURE_MAX = 2048, /* bytes: RSA-16384 */
    TOKENS_WIRE_CERT_MAX = 16384,     /* one certificate, bytes */
    TOKENS_WIRE_CHAIN_MAX = 6,        /* certificates of a token beside the identity's own */
    TOKENS_WIRE_CERTS_MAX = 512,      /* certificates that one URI names */
    TOKENS_WIRE_PAGE_MAX = 64,        /* of them in one reply */
    TOKENS_WIRE_TEXT_MAX = 2048       /* a sentence; longer ones are clipped */
};

enum tokens_wire_type {
    TOKENS_WIRE_FIND = 1, /* request: which identity is this URI? */
    TOKENS_WIRE_SIGN,     /* request: sign this digest */
    TOKENS_WIRE_FOUND,    /* reply to FIND */
    TOKENS_WIRE_SIGNED,   /* reply to SIGN */
    TOKENS_WIRE_FAILED,   /* reply to any */
    TOKENS_WIRE_LIST,     /* request: which certificates does this URI name? */
    TOKENS_WIRE_LISTED    /* reply to LIST: some of them */
};

enum tokens_wire_key { TOKENS_WIRE_KEY_RSA = 1, TOKENS_WIRE_KEY_EC };

enum tokens_wire_mechanism {
    TOKENS_WIRE_ECDSA = 1, /* data: digest; signature: r || s */
    TOKENS_WIRE_RSA_PKCS1, /* data: DigestInfo */
    TOKENS_WIRE_RSA_PSS    /* data: digest; hash is that of digest and MGF1 */
};

enum tokens_wire_hash {
    TOKENS_WIRE_HASH_NONE = 0,
    TOKENS_WIRE_HASH_SHA1,
    TOKENS_WIRE_HASH_SHA256,
    TOKENS_WIRE_HASH_SHA384,
    TOKENS_WIRE_HASH_SHA512
};

/* Why a request failed. */
enum tokens_wire_failure {
    TOKENS_WIRE_NOT_FOUND = 1, /* no key (LIST: no certificate) matches the URI */
    TOKENS_WIRE_AMBIGUOUS,     /* several keys (LIST: several tokens) do */
    TOKENS_WIRE_BAD_URI,       /* not a URI that can name an identity (LIST: certificates of a token) */
    TOKENS_WIRE_GONE,          /* the token is not there now */
    TOKENS_WIRE_LOGIN,         /* not logged in, and no PIN that may be tried */
    TOKENS_WIRE_TIMEOUT,       /* no answer from the token by the deadline */
    TOKENS_WIRE_QUEUE_FULL,    /* queue_max requests are waiting already */
    TOKENS_WIRE_KEY_CHANGED,   /* the URI names another key, or other certificates, than were found at first */
    TOKENS_WIRE_REFUSED        /* the token said no: see ckr */
};

struct tokens_wire_request {
    enum tokens_wire_type type; /* FIND, SIGN or LIST */
    uint32_t id;
    uint32_t timeout_ms;
    struct span uri;
    /* SIGN only */
    uint64_t key_tag; /* tokens_wire_key_tag() of the key that was found */
    enum tokens_wire_mechanism mechanism;
    enum tokens_wire_hash hash; /* NONE unless RSA_PSS */
    uint16_t salt_size;         /* bytes; 0 unless RSA_PSS */
    struct span data;
    /* LIST only */
    uint16_t first;    /* index of the first certificate wanted; 0 looks at the token again */
    uint64_t list_tag; /* of the reply to `first` 0; 0 in that request */
};

/* Bits of tokens_wire_identity.mechanisms: 1 << enum tokens_wire_mechanism */
struct tokens_wire_identity {
    enum tokens_wire_key key_type;
    unsigned mechanisms;
    struct span id;          /* CKA_ID */
    struct span label;       /* CKA_LABEL of the private key */
    struct span token_label; /* without padding */
    struct span spki;        /* SubjectPublicKeyInfo, DER */
    struct span modulus;     /* RSA: CKA_MODULUS, CKA_PUBLIC_EXPONENT */
    struct span exponent;
    struct span ec_params; /* EC: CKA_EC_PARAMS, CKA_EC_POINT (a DER OCTET STRING) */
    struct span ec_point;
    struct span cert; /* DER; size 0: the token has none for this key */
    size_t chain_count;
    struct span chain[TOKENS_WIRE_CHAIN_MAX]; /* other certificates of the token, DER */
};

/* Certificates of a list, in the order of the list: as many as a reply holds. */
struct tokens_wire_certs {
    uint64_t list_tag;                       /* tells lists apart by accident, not by an attacker */
    uint16_t total;                          /* certificates in the list: 1..TOKENS_WIRE_CERTS_MAX */
    uint16_t first;                          /* index of certs[0] */
    size_t count;                            /* at least 1 */
    struct span certs[TOKENS_WIRE_PAGE_MAX]; /* DER */
};

struct tokens_wire_reply {
    enum tokens_wire_type type; /* FOUND, SIGNED, LISTED or FAILED */
    uint32_t id;
    struct span identity;  /* FOUND: see tokens_wire_identity_decode() */
    struct span certs;     /* LISTED: see tokens_wire_certs_decode() */
    struct span signature; /* SIGNED */
    enum tokens_wire_failure failure;
    uint64_t ckr; /* FAILED: the CKR_ code that fits best */
    struct span text;
};

enum tokens_wire_status { TOKENS_WIRE_OK = 0, TOKENS_WIRE_MORE, TOKENS_WIRE_BAD };

/* The first frame of `bytes`. OK: *payload is its payload, and TOKENS_WIRE_HEADER_SIZE + payload->size bytes are its
 * own. MORE: not all of it is there. BAD: empty, or larger than payload_max. */
MUST_CHECK enum tokens_wire_status tokens_wire_frame(struct span bytes, size_t payload_max, struct span *payload);

/* Payload to struct. OK or BAD; BAD when anything is out of its bounds or left over. */
MUST_CHECK enum tokens_wire_status tokens_wire_request_decode(struct span payload, struct tokens_wire_request *request);
MUST_CHECK enum tokens_wire_status tokens_wire_reply_decode(struct span payload, struct tokens_wire_reply *reply);
MUST_CHECK enum tokens_wire_status tokens_wire_identity_decode(struct span bytes,
                                                               struct tokens_wire_identity *identity);
MUST_CHECK enum tokens_wire_status tokens_wire_certs_decode(struct span bytes, struct tokens_wire_certs *certs);

/* Append a whole frame (identity, certs: only their bytes). false, with nothing appended, when a field passes its bound
 * or `out` has no room. A text that is too long is clipped. */
MUST_CHECK bool tokens_wire_request_encode(const struct tokens_wire_request *request, struct buffer *out);
MUST_CHECK bool tokens_wire_reply_encode(const struct tokens_wire_reply *reply, struct buffer *out);
MUST_CHECK bool tokens_wire_identity_encode(const struct tokens_wire_identity *identity, struct buffer *out);
MUST_CHECK bool tokens_wire_certs_encode(const struct tokens_wire_certs *certs, struct buffer *out);

/* A short name for a key, made from its SubjectPublicKeyInfo. Tells keys apart by accident, not by an attacker. */
uint64_t tokens_wire_key_tag(struct span spki);

/* Bytes of a digest; 0 for NONE. */
size_t tokens_wire_hash_size(enum tokens_wire_hash hash);

#endif
