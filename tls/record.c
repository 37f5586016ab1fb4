/* see tls/record.h */
#include "tls/record.h"
#include "tls/runtime_internal.h"

#include "base/nss_scope.h"

#include <sslproto.h>
#include <string.h>

enum { VERSION_TLS13 = 0x0304, RECORD_VERSION_MAJOR = 3, RECORD_VERSION_MINOR = 3, NONCE_COUNTER_AT = 4 };

struct tls_record_suite {
    unsigned number;
    CK_MECHANISM_TYPE mechanism;
    unsigned key_size, secret_size;
};

static const struct tls_record_suite suites[] = {
    {TLS_AES_128_GCM_SHA256, CKM_AES_GCM, 16, 32},
    {TLS_AES_256_GCM_SHA384, CKM_AES_GCM, 32, 48},
    {TLS_CHACHA20_POLY1305_SHA256, CKM_CHACHA20_POLY1305, 32, 32},
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

const struct tls_record_suite *tls_record_suite_find(unsigned cipher_suite)
{
    for (size_t i = 0; i < ARRAY_LEN(suites); i++)
        if (suites[i].number == cipher_suite)
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

static PK11SymKey *import_key(const uint8_t *bytes, size_t size, CK_MECHANISM_TYPE mechanism,
                              CK_ATTRIBUTE_TYPE operation)
{
    SCOPED_SLOT slot = PK11_GetInternalSlot();
    SECItem item = {.type = siBuffer, .data = (unsigned char *)(uintptr_t)bytes, .len = (unsigned)size};

    return slot == NULL ? NULL : PK11_ImportSymKey(slot, mechanism, PK11_OriginUnwrap, operation, &item, NULL);
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
    PK11SymKey *key;

    if (d->aead != NULL)
        return true;
    key = import_key(d->key, d->suite->key_size, d->suite->mechanism, operation);
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

static void make_nonce(const struct tls_record_direction *d, uint8_t nonce[static TLS_RECORD_IV_SIZE])
{
    memcpy(nonce, d->iv, TLS_RECORD_IV_SIZE);
    for (size_t i = 0; i < sizeof(d->sequence); i++)
        nonce[NONCE_COUNTER_AT + i] ^= (uint8_t)(d->sequence >> (8 * (sizeof(d->sequence) - 1 - i)));
}

bool tls_record_seal(struct tls_record_direction *d, enum tls_content_type type, struct span content,
                     struct buffer *out)
{
    size_t inner_size = content.size + 1, body_size = inner_size + TLS_RECORD_TAG_SIZE;
    size_t size = TLS_RECORD_HEADER_SIZE + body_size, space;
    uint8_t *record = buffer_reserve(out, size, &space), *inner = record + TLS_RECORD_HEADER_SIZE;
    uint8_t nonce[TLS_RECORD_IV_SIZE];
    int sealed_size = 0;

    if (space < size || d->sequence == UINT64_MAX || !wake(d))
        return false;
    record[0] = TLS_CONTENT_DATA;
    record[1] = RECORD_VERSION_MAJOR;
    record[2] = RECORD_VERSION_MINOR;
    record[3] = (uint8_t)(body_size >> 8);
    record[4] = (uint8_t)body_size;
    if (content.size != 0)
        memcpy(inner, content.data, content.size);
    inner[content.size] = (uint8_t)type;
    make_nonce(d, nonce);
    /* In place, as NSS's own record layer does it. */
    if (PK11_AEADOp(d->aead, CKG_NO_GENERATE, 0, nonce, sizeof(nonce), record, TLS_RECORD_HEADER_SIZE, inner,
                    &sealed_size, (int)inner_size, inner + inner_size, TLS_RECORD_TAG_SIZE, inner,
                    (int)inner_size) != SECSuccess ||
        (size_t)sealed_size != inner_size)
        return false;
    d->sequence++;
    buffer_commit(out, size);
    return true;
}

bool tls_record_open(struct tls_record_direction *d, struct span record, uint8_t *out, size_t *content_size,
                     unsigned *type)
{
    size_t inner_size = tls_record_inner_size(record.size - TLS_RECORD_HEADER_SIZE);
    struct span body = span_skip(record, TLS_RECORD_HEADER_SIZE);
    uint8_t nonce[TLS_RECORD_IV_SIZE], tag[TLS_RECORD_TAG_SIZE];
    int opened_size = 0;
    size_t at;

    if (d->sequence == UINT64_MAX || !wake(d))
        return false;
    make_nonce(d, nonce);
    memcpy(tag, body.data + inner_size, sizeof(tag));
    if (PK11_AEADOp(d->aead, CKG_NO_GENERATE, 0, nonce, sizeof(nonce), record.data, TLS_RECORD_HEADER_SIZE, out,
                    &opened_size, (int)inner_size, tag, sizeof(tag), body.data, (int)inner_size) != SECSuccess ||
        (size_t)opened_size != inner_size)
        return false;
    d->sequence++;
    /* Behind the content stand its type, which is not zero, and padding, which is. */
    for (at = inner_size; at > 0 && out[at - 1] == 0; at--)
        continue;
    *type = at == 0 ? 0 : out[at - 1];
    *content_size = at == 0 ? 0 : at - 1;
    return true;
}
