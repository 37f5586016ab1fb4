/* Keys and certificates onto a token: see tokens/manage/manage.h. Listing is in manage_list.c, requests in
 * manage_request.c */
#include "tokens/manage/manage.h"
#include "tokens/der.h"
#include "tokens/manage/manage_crypto.h"
#include "tokens/manage/manage_session.h"

#include <stdlib.h>
#include <sys/random.h>

enum { SHA1_SIZE = 20 };

/* see tokens/manage/manage.h */
bool tokens_init(struct tokens_module *module, const char *label, const struct tokens_pin *so_pin,
                 const struct tokens_pin *pin, char **error)
{
    CK_FUNCTION_LIST *p11 = module->p11;
    const char *so_text = tokens_pin_text(so_pin), *text = tokens_pin_text(pin);
    unsigned char padded[32];
    size_t len = strlen(label), count;
    CK_SLOT_ID *slots, slot = 0;
    bool found = false;
    CK_SESSION_HANDLE session;
    CK_RV rv = tokens_slots(module, &slots, &count);

    for (size_t i = 0; rv == CKR_OK && i < count && !found; i++) {
        CK_TOKEN_INFO info;

        found = p11->C_GetTokenInfo(slots[i], &info) == CKR_OK && (info.flags & CKF_TOKEN_INITIALIZED) == 0;
        slot = slots[i];
    }
    free(slots);
    if (!found || len > sizeof(padded)) {
        *error = base_strdup(found ? "the label is longer than 32 bytes" : "there is no token that is not initialised");
        return false;
    }
    memset(padded, ' ', sizeof(padded));
    memcpy(padded, label, len);
    rv = p11->C_InitToken(slot, (unsigned char *)(uintptr_t)so_text, strlen(so_text), padded);
    if (rv == CKR_OK)
        rv = p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
    if (rv == CKR_OK) {
        rv = p11->C_Login(session, CKU_SO, (unsigned char *)(uintptr_t)so_text, strlen(so_text));
        if (rv == CKR_OK)
            rv = p11->C_InitPIN(session, (unsigned char *)(uintptr_t)text, strlen(text));
        p11->C_CloseSession(session);
    }
    if (rv == CKR_OK)
        return true;
    *error = manage_ckr_error("cannot initialise a token", rv);
    return false;
}

static const struct key_type {
    CK_ULONG bits;   /* RSA; 0: EC */
    uint8_t oid[12]; /* EC: the curve, whole DER element */
    size_t oid_size;
} key_types[] = {
    [TOKENS_KEY_RSA_2048] = {.bits = 2048},
    [TOKENS_KEY_RSA_3072] = {.bits = 3072},
    [TOKENS_KEY_RSA_4096] = {.bits = 4096},
    [TOKENS_KEY_P256] = {.oid = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, .oid_size = 10},
    [TOKENS_KEY_P384] = {.oid = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, .oid_size = 7},
    [TOKENS_KEY_P521] = {.oid = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23}, .oid_size = 7},
};
static_assert(ARRAY_LEN(key_types) == TOKENS_KEY_P521 + 1, "one entry for each type of key");

/* A key that signs and does nothing else, and never leaves. `id`: NULL: without one. */
static CK_RV generate(struct manage_session *session, const struct key_type *type, CK_ATTRIBUTE *id,
                      CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    static unsigned char exponent[] = {1, 0, 1};
    const CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(session->uri, CKA_LABEL);
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ULONG bits = type->bits;
    CK_MECHANISM mechanism = {.mechanism = bits != 0 ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN};
    CK_ATTRIBUTE public_template[9] = {
        {CKA_TOKEN, &yes, sizeof(yes)}, {CKA_VERIFY, &yes, sizeof(yes)}, {CKA_PRIVATE, &no, sizeof(no)}};
    CK_ATTRIBUTE private_template[11] = {{CKA_TOKEN, &yes, sizeof(yes)},     {CKA_PRIVATE, &yes, sizeof(yes)},
                                         {CKA_SENSITIVE, &yes, sizeof(yes)}, {CKA_EXTRACTABLE, &no, sizeof(no)},
                                         {CKA_SIGN, &yes, sizeof(yes)},      {CKA_DECRYPT, &no, sizeof(no)},
                                         {CKA_UNWRAP, &no, sizeof(no)},      {CKA_DERIVE, &no, sizeof(no)}};
    CK_ULONG public_count = 3, private_count = 8;

    if (bits != 0) {
        public_template[public_count++] = (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof(bits)};
        public_template[public_count++] = (CK_ATTRIBUTE){CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent)};
    } else {
        public_template[public_count++] = (CK_ATTRIBUTE){CKA_EC_PARAMS, (void *)(uintptr_t)type->oid, type->oid_size};
    }
    if (label != NULL) {
        public_template[public_count++] = *label;
        private_template[private_count++] = *label;
    }
    if (id != NULL) {
        public_template[public_count++] = *id;
        private_template[private_count++] = *id;
    }
    return session->module->p11->C_GenerateKeyPair(session->handle, &mechanism, public_template, public_count,
                                                   private_template, private_count, public_key, private_key);
}

/* As NSS does: SHA-1 of the modulus, or of the point. */
static CK_RV set_id(struct manage_session *session, CK_OBJECT_HANDLE public_key, CK_OBJECT_HANDLE private_key,
                    const struct tokens_key *key)
{
    CK_FUNCTION_LIST *p11 = session->module->p11;
    struct span point = tokens_bytes_span(&key->ec_point), inner = point;
    uint8_t id[SHA1_SIZE], tag;
    CK_ATTRIBUTE attribute = {.type = CKA_ID, .pValue = id, .ulValueLen = sizeof(id)};
    struct span source = tokens_bytes_span(&key->modulus);
    CK_RV rv;

    if (key->type == TOKENS_WIRE_KEY_EC && !tokens_der_read(&point, &tag, &inner, NULL))
        return CKR_GENERAL_ERROR;
    if (key->type == TOKENS_WIRE_KEY_EC)
        source = inner;
    if (!manage_hash(TOKENS_WIRE_HASH_SHA1, source, id))
        return CKR_GENERAL_ERROR;
    rv = p11->C_SetAttributeValue(session->handle, private_key, &attribute, 1);
    return rv == CKR_OK ? p11->C_SetAttributeValue(session->handle, public_key, &attribute, 1) : rv;
}

/* Any that nothing else has; there is no public key yet to make it from. */
static CK_RV generate_with_id(struct manage_session *session, const struct key_type *type, bool *has_id,
                              CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    uint8_t id[SHA1_SIZE];
    CK_ATTRIBUTE attribute = {.type = CKA_ID, .pValue = id, .ulValueLen = sizeof(id)};
    CK_RV rv;

    *has_id = getrandom(id, sizeof(id), 0) == (ssize_t)sizeof(id);
    rv = generate(session, type, *has_id ? &attribute : NULL, public_key, private_key);
    if (!*has_id || (rv != CKR_ATTRIBUTE_TYPE_INVALID && rv != CKR_ATTRIBUTE_VALUE_INVALID &&
                     rv != CKR_ATTRIBUTE_READ_ONLY && rv != CKR_TEMPLATE_INCONSISTENT))
        return rv;
    *has_id = false; /* some tokens choose it themselves */
    return generate(session, type, NULL, public_key, private_key);
}

/* false with *error: a private key of the new one's label is there. */
static bool label_is_free(struct manage_session *session, char **error)
{
    const CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(session->uri, CKA_LABEL);
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof(class)}, {.type = CKA_LABEL}};
    CK_OBJECT_HANDLE *keys;
    char *there;
    size_t count;
    CK_RV rv;

    if (label == NULL)
        return true;
    wanted[1] = *label;
    rv = tokens_objects(session->module, session->handle, wanted, ARRAY_LEN(wanted), &keys, &count);
    if (rv != CKR_OK) {
        *error = manage_ckr_error("the token does not list its keys", rv);
        return false;
    }
    if (count > 0) {
        there = tokens_uri_format(session->module, &session->info, session->handle, keys[0]);
        *error =
            base_printf("there is a key of this label already: %s. Give the new one another (object=), or make it all "
                        "the same with --force",
                        there);
        free(there);
    }
    free(keys);
    return count == 0;
}

/* see tokens/manage/manage.h */
bool tokens_keygen(struct tokens_module *module, const char *token_uri, enum tokens_key_type type,
                   enum tokens_label_use use, const struct tokens_pin *pin, char **uri, char **error)
{
    struct manage_session session = {.handle = CK_INVALID_HANDLE};
    struct tokens_key key = {0};
    struct manage_crypto *crypto = manage_crypto_start(error);
    CK_OBJECT_HANDLE public_key, private_key;
    bool generated = false, has_id;
    CK_RV rv;

    *uri = NULL;
    if (crypto == NULL || !manage_session_open(&session, module, token_uri, MANAGE_READ_WRITE, pin, error) ||
        (use == TOKENS_LABEL_ONCE && !label_is_free(&session, error)))
        goto out;
    rv = generate_with_id(&session, &key_types[type], &has_id, &public_key, &private_key);
    if (rv != CKR_OK) {
        *error = manage_ckr_error("the token does not make the key pair", rv);
        goto out;
    }
    generated = true;
    /* The public key object: where there is no CKA_ID yet, the private one cannot be asked for its public half. */
    if (!tokens_key_read(module, session.handle, public_key, &key, error))
        goto out;
    rv = set_id(&session, public_key, private_key, &key);
    if (rv != CKR_OK && !has_id) {
        *error = manage_ckr_error("the token does not take the key's CKA_ID", rv);
        goto out;
    }
    *uri = tokens_uri_format(module, &session.info, session.handle, private_key);
out:
    if (generated && *uri == NULL) {
        /* Before or after, never between: a key that nobody can name is of no use. */
        module->p11->C_DestroyObject(session.handle, private_key);
        module->p11->C_DestroyObject(session.handle, public_key);
    }
    tokens_key_clear(&key);
    manage_session_clear(&session);
    manage_crypto_stop(&crypto);
    return *uri != NULL;
}

/* The private key whose public half the certificate has. */
static bool find_key_of_cert(struct manage_session *session, struct span cert, struct tokens_key *key, char **error)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted = {.type = CKA_CLASS, .pValue = &class, .ulValueLen = sizeof(class)};
    CK_OBJECT_HANDLE *keys;
    size_t count;
    bool found = false;
    CK_RV rv = tokens_objects(session->module, session->handle, &wanted, 1, &keys, &count);

    if (rv != CKR_OK) {
        *error = manage_ckr_error("the token does not list its keys", rv);
        return false;
    }
    for (size_t i = 0; i < count && !found; i++) {
        char *why = NULL;

        tokens_key_clear(key);
        found =
            tokens_key_read(session->module, session->handle, keys[i], key, &why) && tokens_key_matches_cert(key, cert);
        free(why);
    }
    free(keys);
    if (!found)
        *error = base_strdup("the token has no private key for this certificate");
    return found;
}

/* One C_CreateObject: it is there, or it is not. */
static CK_RV create_cert(struct manage_session *session, struct span der, const struct tokens_der_cert *fields,
                         const struct tokens_key *key, CK_OBJECT_HANDLE *object)
{
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_CERTIFICATE_TYPE type = CKC_X_509;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_CERTIFICATE_TYPE, &type, sizeof(type)},
        {CKA_TOKEN, &yes, sizeof(yes)},
        {CKA_PRIVATE, &no, sizeof(no)},
        {CKA_VALUE, (void *)(uintptr_t)der.data, der.size},
        {CKA_SUBJECT, (void *)(uintptr_t)fields->subject.data, fields->subject.size},
        {CKA_ISSUER, (void *)(uintptr_t)fields->issuer.data, fields->issuer.size},
        {CKA_SERIAL_NUMBER, (void *)(uintptr_t)fields->serial.data, fields->serial.size},
        {CKA_ID, key->id.data, key->id.size},
        {CKA_LABEL, key->label.data, key->label.size},
    };

    return session->module->p11->C_CreateObject(session->handle, template, ARRAY_LEN(template), object);
}

static bool has_cert(struct manage_session *session, struct span der, char **uri)
{
    struct tokens_cert_list list;

    if (tokens_cert_list_read(session->module, session->handle, &list) != CKR_OK)
        return false;
    for (size_t i = 0; i < list.count && *uri == NULL; i++)
        if (span_equal(tokens_bytes_span(&list.certs[i].der), der))
            *uri = tokens_uri_format(session->module, &session->info, session->handle, list.certs[i].handle);
    tokens_cert_list_clear(&list);
    return *uri != NULL;
}

/* see tokens/manage/manage.h */
bool tokens_import_certificate(struct tokens_module *module, const char *token_uri, struct span der,
                               const struct tokens_pin *pin, char **uri, char **error)
{
    struct manage_session session = {.handle = CK_INVALID_HANDLE};
    struct tokens_key key = {0};
    struct tokens_der_cert fields;
    CK_OBJECT_HANDLE object;
    CK_RV rv;

    *uri = NULL;
    if (!tokens_der_cert_read(der, &fields)) {
        *error = base_strdup("this is not a certificate in DER");
        return false;
    }
    if (!manage_session_open(&session, module, token_uri, MANAGE_READ_WRITE, pin, error) ||
        !find_key_of_cert(&session, der, &key, error) || has_cert(&session, der, uri))
        goto out;
    rv = create_cert(&session, der, &fields, &key, &object);
    if (rv == CKR_OK)
        *uri = tokens_uri_format(module, &session.info, session.handle, object);
    else
        *error = manage_ckr_error("the token does not take the certificate", rv);
out:
    tokens_key_clear(&key);
    manage_session_clear(&session);
    return *uri != NULL;
}
