/* see tls/record.h */
#include "tls/record.h"
#include "tls/record_slot.h"
#include "tls/runtime_internal.h"

#include "base/nss_scope.h"

#include <sslproto.h>
#include <string.h>

enum {
    VERSION_TLS12 = 0x0303,
    VERSION_TLS13 = 0x0304,
    RECORD_VERSION_MAJOR = 3,
    RECORD_VERSION_MINOR = 3,
    NONCE_COUNTER_AT = 4,
    SEQUENCE_SIZE = 8,
    ADDITIONAL_DATA_MAX = SEQUENCE_SIZE + TLS_RECORD_HEADER_SIZE,
    GCM_SALT_SIZE = 4,
    HASH_MAX = 48,
    KEY_BLOCK_MAX = 2 * (TLS_RECORD_KEY_MAX + TLS_RECORD_IV_SIZE),
};

struct tls_record_suite {
    unsigned version, number;
    CK_MECHANISM_TYPE mechanism;
    unsigned key_size, iv_size;
    unsigned secret_size;   /* TLS 1.3: of a traffic secret */
    CK_MECHANISM_TYPE hmac; /* TLS 1.2: of its PRF */
    unsigned hash_size;
};

#define SUITE13(number, mechanism, key_size, secret_size)                                                              \
    {                                                                                                                  \
        VERSION_TLS13, number, mechanism, key_size, TLS_RECORD_IV_SIZE, secret_size, 0, 0                              \
    }
#define GCM12(number, key_size, hmac, hash_size)                                                                       \
    {                                                                                                                  \
        VERSION_TLS12, number, CKM_AES_GCM, key_size, GCM_SALT_SIZE, 0, hmac, hash_size                                \
    }
#define CHACHA12(number)                                                                                               \
    {                                                                                                                  \
        VERSION_TLS12, number, CKM_CHACHA20_POLY1305, 32, TLS_RECORD_IV_SIZE, 0, CKM_SHA256_HMAC, 32                   \
    }

static const struct tls_record_suite suites[] = {
    SUITE13(TLS_AES_128_GCM_SHA256, CKM_AES_GCM, 16, 32),
    SUITE13(TLS_AES_256_GCM_SHA384, CKM_AES_GCM, 32, 48),
    SUITE13(TLS_CHACHA20_POLY1305_SHA256, CKM_CHACHA20_POLY1305, 32, 32),
    GCM12(TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 16, CKM_SHA256_HMAC, 32),
    GCM12(TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, 16, CKM_SHA256_HMAC, 32),
    GCM12(TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, 32, CKM_SHA384_HMAC, 48),
    GCM12(TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, 32, CKM_SHA384_HMAC, 48),
    CHACHA12(TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    CHACHA12(TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
};

bool tls_record_reader_next(struct tls_record_reader *reader, struct span *bytes)
{
    while (bytes->size != 0) {
        size_t part = bytes->size, wanted;

        if (reader->body_left != 0) {
            part = part < reader->body_left ? part : reader->body_left;
            reader->body_left -= part;
            *bytes = span_skip(*bytes, part);
            continue;
        }
        wanted = TLS_RECORD_HEADER_SIZE - reader->header_size;
        part = part < wanted ? part : wanted;
        memcpy(reader->header + reader->header_size, bytes->data, part);
        reader->header_size += part;
        *bytes = span_skip(*bytes, part);
        if (reader->header_size == TLS_RECORD_HEADER_SIZE) {
            reader->header_size = 0;
            reader->body_left = tls_record_body_size(reader->header);
            return true;
        }
    }
    return false;
}

const struct tls_record_suite *tls_record_suite_find(unsigned version, unsigned cipher_suite)
{
    for (size_t i = 0; i < ARRAY_LEN(suites); i++)
        if (suites[i].version == version && suites[i].number == cipher_suite)
            return &suites[i];
    return NULL;
}

static bool copy_key(PK11SymKey *key, uint8_t *out, size_t size)
{
    SECItem *data; /* the key's */

    if (PK11_ExtractKeyValue(key) != SECSuccess)
        return false;
    data = PK11_GetKeyData(key);
    if (data == NULL || data->len != size)
        return false;
    memcpy(out, data->data, size);
    return true;
}

/* NULL also where there is no slot. */
static PK11SymKey *import_into(PK11SlotInfo *slot, const uint8_t *bytes, size_t size, CK_MECHANISM_TYPE mechanism,
                               CK_ATTRIBUTE_TYPE operation)
{
    SECItem item = {.type = siBuffer, .data = (unsigned char *)(uintptr_t)bytes, .len = (unsigned)size};

    return slot == NULL ? NULL : PK11_ImportSymKey(slot, mechanism, PK11_OriginUnwrap, operation, &item, NULL);
}

static PK11SymKey *import_key(const uint8_t *bytes, size_t size, CK_MECHANISM_TYPE mechanism,
                              CK_ATTRIBUTE_TYPE operation)
{
    SCOPED_SLOT slot = PK11_GetInternalSlot();

    return import_into(slot, bytes, size, mechanism, operation);
}

/* HKDF-Expand-Label with an empty context. */
static bool expand(const struct tls_record_suite *suite, PK11SymKey *secret, const char *label, uint8_t *out,
                   unsigned size)
{
    PK11SymKey *made = NULL;
    bool done =
        tls_nss_calls()->hkdf_expand_label(VERSION_TLS13, (PRUint16)suite->number, secret, NULL, 0, label,
                                           (unsigned)strlen(label), CKM_HKDF_DERIVE, size, &made) == SECSuccess &&
        copy_key(made, out, size);

    if (made != NULL)
        PK11_FreeSymKey(made);
    return done;
}

/* From the secret, which `secret` is a key of. */
static bool derive(struct tls_record_direction *d, PK11SymKey *secret)
{
    tls_record_direction_rest(d);
    return copy_key(secret, d->secret, d->suite->secret_size) &&
           expand(d->suite, secret, "key", d->key, d->suite->key_size) &&
           expand(d->suite, secret, "iv", d->iv, TLS_RECORD_IV_SIZE);
}

bool tls_record_direction_init(struct tls_record_direction *d, const struct tls_record_suite *suite,
                               enum tls_record_use use, PK11SymKey *secret, uint64_t sequence)
{
    *d = (struct tls_record_direction){.suite = suite, .use = use, .sequence = sequence};
    if (derive(d, secret))
        return true;
    tls_record_direction_clear(d);
    return false;
}

void tls_record_direction_clear(struct tls_record_direction *d)
{
    tls_record_direction_rest(d);
    base_wipe(d, sizeof(*d));
}

void tls_record_direction_rest(struct tls_record_direction *d)
{
    if (d->aead != NULL)
        PK11_DestroyContext(d->aead, PR_TRUE);
    d->aead = NULL;
}

static bool wake(struct tls_record_direction *d)
{
    CK_ATTRIBUTE_TYPE operation = d->use == TLS_RECORD_SEAL ? CKA_ENCRYPT : CKA_DECRYPT;
    SECItem none = {.type = siBuffer};
    SCOPED_SLOT slot = NULL;
    PK11SymKey *key;

    if (d->aead != NULL)
        return true;
    slot = tls_record_slot(d->suite->mechanism);
    key = import_into(slot, d->key, d->suite->key_size, d->suite->mechanism, operation);
    if (key == NULL)
        return false;
    d->aead = PK11_CreateContextBySymKey(d->suite->mechanism, CKA_NSS_MESSAGE | operation, key, &none);
    PK11_FreeSymKey(key);
    return d->aead != NULL;
}

bool tls_record_direction_update(struct tls_record_direction *d)
{
    uint8_t next[TLS_RECORD_SECRET_MAX];
    PK11SymKey *old = import_key(d->secret, d->suite->secret_size, CKM_HKDF_DERIVE, CKA_DERIVE), *secret = NULL;
    bool done = false;

    if (old != NULL && expand(d->suite, old, "traffic upd", next, d->suite->secret_size))
        secret = import_key(next, d->suite->secret_size, CKM_HKDF_DERIVE, CKA_DERIVE);
    if (secret != NULL)
        done = derive(d, secret);
    d->sequence = 0;
    base_wipe(next, sizeof(next));
    if (secret != NULL)
        PK11_FreeSymKey(secret);
    if (old != NULL)
        PK11_FreeSymKey(old);
    return done;
}

/* ---- TLS 1.2: keys (RFC 5246 sections 5 and 6.3) ---- */

static bool hmac(const struct tls_record_suite *suite, PK11SymKey *key, struct span a, struct span b,
                 uint8_t out[static HASH_MAX])
{
    SECItem none = {.type = siBuffer};
    SCOPED_PK11_CONTEXT context = PK11_CreateContextBySymKey(suite->hmac, CKA_SIGN, key, &none);
    unsigned size = 0;

    return context != NULL && PK11_DigestBegin(context) == SECSuccess &&
           PK11_DigestOp(context, a.data, (unsigned)a.size) == SECSuccess &&
           (b.size == 0 || PK11_DigestOp(context, b.data, (unsigned)b.size) == SECSuccess) &&
           PK11_DigestFinal(context, out, &size, HASH_MAX) == SECSuccess && size == suite->hash_size;
}

/* P_hash: A(0) is the seed, A(i) the HMAC of A(i-1); the output is the HMACs of A(i) and the seed, for i = 1, 2, ... */
static bool expand_seed(const struct tls_record_suite *suite, PK11SymKey *secret, struct span seed, uint8_t *out,
                        size_t size)
{
    uint8_t a[HASH_MAX], part[HASH_MAX];
    bool done = hmac(suite, secret, seed, span_of(NULL, 0), a);

    for (size_t at = 0; done && at < size; at += suite->hash_size) {
        size_t left = size - at < suite->hash_size ? size - at : suite->hash_size;

        done = hmac(suite, secret, span_of(a, suite->hash_size), seed, part);
        memcpy(out + at, part, done ? left : 0);
        done = done && hmac(suite, secret, span_of(a, suite->hash_size), span_of(NULL, 0), part);
        memcpy(a, part, sizeof(a));
    }
    base_wipe(a, sizeof(a));
    base_wipe(part, sizeof(part));
    return done;
}

static bool make_key_block(const struct tls_record_suite *suite, const struct tls_record_master *master, uint8_t *out)
{
    static const char label[] = "key expansion";
    enum { LABEL_SIZE = sizeof(label) - 1 };
    uint8_t seed[LABEL_SIZE + 2 * TLS_RECORD_RANDOM_SIZE];
    PK11SymKey *secret = import_key(master->secret, sizeof(master->secret), suite->hmac, CKA_SIGN);
    bool done;

    memcpy(seed, label, LABEL_SIZE);
    memcpy(seed + LABEL_SIZE, master->server_random, TLS_RECORD_RANDOM_SIZE);
    memcpy(seed + LABEL_SIZE + TLS_RECORD_RANDOM_SIZE, master->client_random, TLS_RECORD_RANDOM_SIZE);
    done = secret != NULL &&
           expand_seed(suite, secret, span_of(seed, sizeof(seed)), out, 2 * (size_t)(suite->key_size + suite->iv_size));
    if (secret != NULL)
        PK11_FreeSymKey(secret);
    return done;
}

bool tls_record_directions_init12(const struct tls_record_suite *suite, const struct tls_record_master *master,
                                  enum tls_record_use client_use, enum tls_record_use server_use,
                                  struct tls_record_direction *client, struct tls_record_direction *server)
{
    struct tls_record_direction *both[] = {client, server};
    uint8_t block[KEY_BLOCK_MAX];
    bool done = make_key_block(suite, master, block);

    /* client_write_key, server_write_key, client_write_IV, server_write_IV: an AEAD has no MAC keys. */
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        *both[i] = (struct tls_record_direction){.suite = suite, .use = i == 0 ? client_use : server_use};
        if (!done)
            continue;
        both[i]->explicit_nonce = suite->mechanism == CKM_AES_GCM;
        memcpy(both[i]->key, block + i * suite->key_size, suite->key_size);
        memcpy(both[i]->iv, block + 2 * (size_t)suite->key_size + i * suite->iv_size, suite->iv_size);
    }
    base_wipe(block, sizeof(block));
    return done;
}

/* ---- records ---- */

static void put_number(uint64_t number, uint8_t out[static SEQUENCE_SIZE])
{
    for (size_t i = 0; i < SEQUENCE_SIZE; i++)
        out[i] = (uint8_t)(number >> (8 * (SEQUENCE_SIZE - 1 - i)));
}

/* `explicit`: the eight bytes in the record, where the direction has such; else NULL. */
static void make_nonce(const struct tls_record_direction *d, const uint8_t *explicit,
                       uint8_t nonce[static TLS_RECORD_IV_SIZE])
{
    uint8_t number[SEQUENCE_SIZE];

    memcpy(nonce, d->iv, TLS_RECORD_IV_SIZE);
    if (explicit != NULL) {
        memcpy(nonce + GCM_SALT_SIZE, explicit, TLS_RECORD_EXPLICIT_SIZE);
        return;
    }
    put_number(d->sequence, number);
    for (size_t i = 0; i < SEQUENCE_SIZE; i++)
        nonce[NONCE_COUNTER_AT + i] ^= number[i];
}

static void put_header(uint8_t header[static TLS_RECORD_HEADER_SIZE], unsigned type, size_t size)
{
    header[0] = (uint8_t)type;
    header[1] = RECORD_VERSION_MAJOR;
    header[2] = RECORD_VERSION_MINOR;
    header[3] = (uint8_t)(size >> 8);
    header[4] = (uint8_t)size;
}

/* What is protected without being hidden: the header (RFC 8446 section 5.2), or the sequence number and the header of
 * the content alone (RFC 5246 section 6.2.3.3). Returns its size. */
static int make_additional_data(const struct tls_record_direction *d, const uint8_t *header, size_t inner_size,
                                uint8_t out[static ADDITIONAL_DATA_MAX])
{
    if (d->suite->version == VERSION_TLS13) {
        memcpy(out, header, TLS_RECORD_HEADER_SIZE);
        return TLS_RECORD_HEADER_SIZE;
    }
    put_number(d->sequence, out);
    put_header(out + SEQUENCE_SIZE, header[0], inner_size);
    return ADDITIONAL_DATA_MAX;
}

bool tls_record_seal(struct tls_record_direction *d, enum tls_content_type type, struct span content,
                     struct buffer *out)
{
    bool typed = d->suite->version == VERSION_TLS13; /* the type is inside */
    size_t inner_size = content.size + typed, body_size = inner_size + tls_record_overhead(d);
    size_t size = TLS_RECORD_HEADER_SIZE + body_size, space;
    uint8_t *record = buffer_reserve(out, size, &space), *body = record + TLS_RECORD_HEADER_SIZE;
    uint8_t *inner = body + (d->explicit_nonce ? TLS_RECORD_EXPLICIT_SIZE : 0);
    uint8_t nonce[TLS_RECORD_IV_SIZE], additional[ADDITIONAL_DATA_MAX];
    int sealed_size = 0, additional_size;

    if (space < size || d->sequence == UINT64_MAX || !wake(d))
        return false;
    put_header(record, typed ? TLS_CONTENT_DATA : type, body_size);
    if (d->explicit_nonce)
        put_number(d->sequence, body);
    if (content.size != 0)
        memcpy(inner, content.data, content.size);
    if (typed)
        inner[content.size] = (uint8_t)type;
    make_nonce(d, d->explicit_nonce ? body : NULL, nonce);
    additional_size = make_additional_data(d, record, inner_size, additional);
    /* In place, as NSS's own record layer does it. */
    if (PK11_AEADOp(d->aead, CKG_NO_GENERATE, 0, nonce, sizeof(nonce), additional, additional_size, inner, &sealed_size,
                    (int)inner_size, inner + inner_size, TLS_RECORD_TAG_SIZE, inner, (int)inner_size) != SECSuccess ||
        (size_t)sealed_size != inner_size)
        return false;
    d->sequence++;
    buffer_commit(out, size);
    return true;
}

/* Behind the content stand its type, which is not zero, and padding, which is. */
static void find_content(const uint8_t *inner, size_t size, size_t *content_size, unsigned *type)
{
    for (; size > 0 && inner[size - 1] == 0; size--)
        continue;
    *type = size == 0 ? 0 : inner[size - 1];
    *content_size = size == 0 ? 0 : size - 1;
}

bool tls_record_open(struct tls_record_direction *d, struct span record, uint8_t *out, size_t *content_size,
                     unsigned *type)
{
    struct span body = span_skip(record, TLS_RECORD_HEADER_SIZE);
    size_t inner_size = tls_record_inner_size(d, body.size);
    const uint8_t *inner = body.data + (d->explicit_nonce ? TLS_RECORD_EXPLICIT_SIZE : 0);
    uint8_t nonce[TLS_RECORD_IV_SIZE], additional[ADDITIONAL_DATA_MAX], tag[TLS_RECORD_TAG_SIZE];
    int opened_size = 0, additional_size;

    if (d->sequence == UINT64_MAX || !wake(d))
        return false;
    make_nonce(d, d->explicit_nonce ? body.data : NULL, nonce);
    memcpy(tag, inner + inner_size, sizeof(tag));
    additional_size = make_additional_data(d, record.data, inner_size, additional);
    if (PK11_AEADOp(d->aead, CKG_NO_GENERATE, 0, nonce, sizeof(nonce), additional, additional_size, out, &opened_size,
                    (int)inner_size, tag, sizeof(tag), inner, (int)inner_size) != SECSuccess ||
        (size_t)opened_size != inner_size)
        return false;
    d->sequence++;
    *type = record.data[0];
    *content_size = inner_size;
    if (d->suite->version == VERSION_TLS13)
        find_content(out, inner_size, content_size, type);
    return true;
}
