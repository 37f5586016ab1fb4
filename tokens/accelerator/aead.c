/* AES-GCM and ChaCha20-Poly1305 by the message interface of PKCS #11 3.0 (section 5.9): one key, many messages, each
 * with a nonce, a tag apart from it, and additional data.
 *
 * For AES-GCM the caller may leave the nonce to the token: libssl does, so that no nonce is used twice whatever happens
 * above. The rules are softoken's, which NSS relies on: the first message has counter 0; the counter is put into
 * (COUNTER) or added without carry to (COUNTER_XOR) the bits of the nonce behind the fixed ones; the generator must
 * stay the same; and when the bits are used up there are no more messages. Decryption takes the nonce as it is. */
#include "tokens/accelerator/crypto.h"
#include "tokens/accelerator/object.h"
#include "tokens/accelerator/session.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdlib.h>

enum { TAG_SIZE = 16, TAG_SIZE_MIN = 12, NONCE_SIZE = 12, NONCE_MAX = 128 /* libcrypto's */, COUNTER_BITS = 64 };

struct aead {
    struct accel_operation operation;
    EVP_CIPHER_CTX *context; /* keyed */
    bool encrypts, gcm;
    size_t nonce_size; /* that the context is set to */
    CK_GENERATOR_FUNCTION generator;
    CK_ULONG fixed_bits, generated_size; /* of the first nonce that was made */
    uint64_t counter;                    /* nonces made so far */
};

/* A message's parameters, whichever cipher they are for. */
struct message {
    uint8_t *nonce, *tag;
    size_t nonce_size, tag_size;
    CK_GENERATOR_FUNCTION generator;
    CK_ULONG fixed_bits;
};

static void aead_destroy(struct accel_operation *operation)
{
    struct aead *aead = CONTAINER_OF(operation, struct aead, operation);

    EVP_CIPHER_CTX_free(aead->context); /* wipes */
    free(aead);
}

static CK_RV choose_cipher(const CK_MECHANISM *mechanism, const struct accel_object *key, const EVP_CIPHER **cipher)
{
    if (mechanism->mechanism == CKM_AES_GCM) {
        if (key->type != CKK_AES)
            return CKR_KEY_TYPE_INCONSISTENT;
        *cipher = accel_crypto_cipher(key->value_size == 16   ? ACCEL_AES_128_GCM
                                      : key->value_size == 24 ? ACCEL_AES_192_GCM
                                                              : ACCEL_AES_256_GCM);
        return CKR_OK;
    }
    if (mechanism->mechanism != CKM_CHACHA20_POLY1305)
        return CKR_MECHANISM_INVALID;
    if (key->type != CKK_CHACHA20)
        return CKR_KEY_TYPE_INCONSISTENT;
    *cipher = accel_crypto_cipher(ACCEL_CHACHA20_POLY1305);
    return CKR_OK;
}

static CK_RV start(const CK_MECHANISM *mechanism, const struct accel_object *key, bool encrypts, struct aead **started)
{
    const EVP_CIPHER *cipher;
    struct aead *aead;
    CK_RV rv = choose_cipher(mechanism, key, &cipher);

    if (rv != CKR_OK)
        return rv;
    aead = base_alloc(sizeof(*aead));
    aead->operation = (struct accel_operation){
        encrypts ? ACCEL_OPERATION_ENCRYPT_MESSAGES : ACCEL_OPERATION_DECRYPT_MESSAGES, aead_destroy};
    aead->encrypts = encrypts;
    aead->gcm = mechanism->mechanism == CKM_AES_GCM;
    aead->nonce_size = NONCE_SIZE;
    aead->context = EVP_CIPHER_CTX_new();
    if (aead->context == NULL ||
        EVP_CipherInit_ex2(aead->context, cipher, key->value, NULL, encrypts ? 1 : 0, NULL) != 1) {
        aead_destroy(&aead->operation);
        return CKR_FUNCTION_FAILED;
    }
    *started = aead;
    return CKR_OK;
}

/* Some callers give the mechanism the parameters of a first message: they are not looked at. */
static CK_RV init(CK_SESSION_HANDLE handle, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key_handle, bool encrypts)
{
    struct accel_session *session;
    struct accel_object *key = NULL;
    struct aead *aead;
    CK_RV rv;

    if (mechanism == NULL)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_enter(handle, &session);
    if (rv == CKR_OK && session->operation != NULL)
        rv = CKR_OPERATION_ACTIVE;
    if (rv == CKR_OK)
        rv = accel_object_get_key(key_handle, CKO_SECRET_KEY, encrypts ? ACCEL_USE_ENCRYPT : ACCEL_USE_DECRYPT, &key);
    if (rv == CKR_OK)
        rv = start(mechanism, key, encrypts, &aead);
    if (rv == CKR_OK)
        rv = accel_session_begin(session, &aead->operation);
    accel_object_put(&key);
    accel_session_leave(&session);
    return rv;
}

static bool read_message(const struct aead *aead, void *parameter, CK_ULONG size, struct message *m)
{
    if (parameter == NULL)
        return false;
    if (aead->gcm) {
        const CK_GCM_MESSAGE_PARAMS *p = parameter;

        if (size != sizeof(*p))
            return false;
        *m = (struct message){p->pIv, p->pTag, p->ulIvLen, p->ulTagBits / 8, p->ivGenerator, p->ulIvFixedBits};
        if (p->ulTagBits % 8 != 0 || m->tag_size < TAG_SIZE_MIN || m->tag_size > TAG_SIZE || m->nonce_size == 0 ||
            m->nonce_size > NONCE_MAX)
            return false;
    } else {
        const CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS *p = parameter;

        if (size != sizeof(*p))
            return false;
        *m = (struct message){p->pNonce, p->pTag, p->ulNonceLen, TAG_SIZE, CKG_NO_GENERATE, 0};
        if (m->nonce_size != NONCE_SIZE)
            return false;
    }
    return m->nonce != NULL && m->tag != NULL;
}

/* A counter's byte for the nonce's byte `at`, of which the last is the lowest. */
static uint8_t counter_byte(uint64_t counter, size_t at, size_t nonce_size)
{
    size_t from_end = nonce_size - 1 - at;

    return from_end < sizeof(counter) ? (uint8_t)(counter >> (8 * from_end)) : 0;
}

static bool generator_is_sound(const struct aead *aead, const struct message *m)
{
    if (m->generator != CKG_GENERATE && m->generator != CKG_GENERATE_COUNTER &&
        m->generator != CKG_GENERATE_COUNTER_XOR)
        return false;
    if (m->fixed_bits >= m->nonce_size * 8)
        return false;
    return aead->counter == 0 || (m->generator == aead->generator && m->fixed_bits == aead->fixed_bits &&
                                  m->nonce_size == aead->generated_size);
}

static CK_RV make_nonce(struct aead *aead, const struct message *m)
{
    size_t free_bits = m->nonce_size * 8 - m->fixed_bits, first = m->fixed_bits / 8;

    if (!generator_is_sound(aead, m))
        return CKR_MECHANISM_PARAM_INVALID;
    if (free_bits < COUNTER_BITS ? aead->counter >> free_bits != 0 : aead->counter == UINT64_MAX)
        return CKR_DATA_LEN_RANGE; /* the nonces of this key are used up */
    for (size_t i = first; i < m->nonce_size; i++) {
        uint8_t mask = i == first ? (uint8_t)(0xff >> (m->fixed_bits % 8)) : 0xff;
        uint8_t byte = counter_byte(aead->counter, i, m->nonce_size) & mask;

        m->nonce[i] =
            m->generator == CKG_GENERATE_COUNTER_XOR ? m->nonce[i] ^ byte : (uint8_t)((m->nonce[i] & ~mask) | byte);
    }
    aead->generator = m->generator;
    aead->fixed_bits = m->fixed_bits;
    aead->generated_size = m->nonce_size;
    aead->counter++;
    return CKR_OK;
}

static bool set_nonce(struct aead *aead, const struct message *m)
{
    if (aead->nonce_size != m->nonce_size &&
        EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_SET_IVLEN, (int)m->nonce_size, NULL) != 1)
        return false;
    aead->nonce_size = m->nonce_size;
    return EVP_CipherInit_ex2(aead->context, NULL, NULL, m->nonce, aead->encrypts ? 1 : 0, NULL) == 1;
}

struct text {
    const uint8_t *additional, *in;
    size_t additional_size, in_size;
    uint8_t *out;
};

static bool transform(struct aead *aead, const struct message *m, const struct text *t)
{
    uint8_t rest[TAG_SIZE];
    int size;

    if (!set_nonce(aead, m) ||
        (!aead->encrypts && EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_SET_TAG, (int)m->tag_size, m->tag) != 1))
        return false;
    if (t->additional_size != 0 &&
        EVP_CipherUpdate(aead->context, NULL, &size, t->additional, (int)t->additional_size) != 1)
        return false;
    if (t->in_size != 0 && EVP_CipherUpdate(aead->context, t->out, &size, t->in, (int)t->in_size) != 1)
        return false;
    if (EVP_CipherFinal_ex(aead->context, rest, &size) != 1)
        return false;
    return !aead->encrypts || EVP_CIPHER_CTX_ctrl(aead->context, EVP_CTRL_AEAD_GET_TAG, (int)m->tag_size, m->tag) == 1;
}

static CK_RV do_message(struct aead *aead, void *parameter, CK_ULONG parameter_size, const struct text *t)
{
    struct message m;
    CK_RV rv = CKR_OK;

    if (!read_message(aead, parameter, parameter_size, &m))
        return CKR_MECHANISM_PARAM_INVALID;
    if (aead->encrypts && m.generator != CKG_NO_GENERATE)
        rv = make_nonce(aead, &m);
    if (rv == CKR_OK && !transform(aead, &m, t)) {
        base_wipe(t->out, t->in_size); /* nobody sees what was not authenticated */
        ERR_clear_error();
        rv = aead->encrypts ? CKR_FUNCTION_FAILED : CKR_ENCRYPTED_DATA_INVALID;
    }
    return rv;
}

/* A message that fails does not end the operation: the next may be good, and the caller decides. */
static CK_RV message(CK_SESSION_HANDLE handle, enum accel_operation_kind kind, void *parameter, CK_ULONG parameter_size,
                     const struct text *t, CK_ULONG *out_size)
{
    struct accel_session *session;
    struct accel_operation *operation;
    CK_ULONG room;
    CK_RV rv;

    if (out_size == NULL || !accel_readable(t->additional, t->additional_size) || !accel_readable(t->in, t->in_size) ||
        t->additional_size > INT_MAX || t->in_size > INT_MAX)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_enter(handle, &session);
    if (rv != CKR_OK)
        return rv;
    operation = accel_session_operation(session, kind);
    room = *out_size;
    if (operation == NULL) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
    } else {
        *out_size = t->in_size;
        if (t->out != NULL)
            rv = room < t->in_size
                     ? CKR_BUFFER_TOO_SMALL
                     : do_message(CONTAINER_OF(operation, struct aead, operation), parameter, parameter_size, t);
    }
    accel_session_leave(&session);
    return rv;
}

static CK_RV final(CK_SESSION_HANDLE handle, enum accel_operation_kind kind)
{
    struct accel_session *session;
    CK_RV rv = accel_session_enter(handle, &session);

    if (rv != CKR_OK)
        return rv;
    if (accel_session_operation(session, kind) == NULL)
        rv = CKR_OPERATION_NOT_INITIALIZED;
    else
        accel_session_end(session);
    accel_session_leave(&session);
    return rv;
}

CK_RV C_MessageEncryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return init(handle, mechanism, key, true);
}

CK_RV C_MessageDecryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    return init(handle, mechanism, key, false);
}

CK_RV C_EncryptMessage(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size, CK_BYTE *additional,
                       CK_ULONG additional_size, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size)
{
    struct text t = {additional, in, additional_size, in_size, out};

    return message(handle, ACCEL_OPERATION_ENCRYPT_MESSAGES, parameter, parameter_size, &t, out_size);
}

CK_RV C_DecryptMessage(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_size, CK_BYTE *additional,
                       CK_ULONG additional_size, CK_BYTE *in, CK_ULONG in_size, CK_BYTE *out, CK_ULONG *out_size)
{
    struct text t = {additional, in, additional_size, in_size, out};

    return message(handle, ACCEL_OPERATION_DECRYPT_MESSAGES, parameter, parameter_size, &t, out_size);
}

CK_RV C_MessageEncryptFinal(CK_SESSION_HANDLE handle)
{
    return final(handle, ACCEL_OPERATION_ENCRYPT_MESSAGES);
}

CK_RV C_MessageDecryptFinal(CK_SESSION_HANDLE handle)
{
    return final(handle, ACCEL_OPERATION_DECRYPT_MESSAGES);
}
