/* see tokens/key.h */
#include "tokens/key.h"
#include "tokens/der.h"

#include <p11-kit/pkcs11x.h>
#include <stdlib.h>

enum { SPKI_SIZE_MAX = 2304 };

/* see tokens/key.h */
void tokens_key_clear(struct tokens_key *key)
{
    tokens_bytes_clear(&key->id);
    tokens_bytes_clear(&key->label);
    tokens_bytes_clear(&key->modulus);
    tokens_bytes_clear(&key->exponent);
    tokens_bytes_clear(&key->ec_params);
    tokens_bytes_clear(&key->ec_point);
    tokens_bytes_clear(&key->spki);
    key->handle = CK_INVALID_HANDLE;
}

static void strip_zeros(struct tokens_bytes *number)
{
    size_t zeros = 0;

    while (zeros + 1 < number->size && number->data[zeros] == 0)
        zeros++;
    if (zeros != 0) {
        memmove(number->data, number->data + zeros, number->size - zeros);
        number->size -= zeros;
    }
}

/* Some tokens give the bare point although PKCS#11 2.20 and later want a DER OCTET STRING around it. The sizes tell
 * which (P-256, P-384, P-521): the first byte is 4 either way, as tag or as "uncompressed". */
static void wrap_point(struct tokens_bytes *point)
{
    struct buffer out;

    if (point->size != 65 && point->size != 97 && point->size != 133)
        return;
    buffer_init(&out, SPKI_SIZE_MAX);
    der_write(&out, ASN1_OCTET_STRING, tokens_bytes_span(point));
    tokens_bytes_set(point, buffer_span(&out));
    buffer_release(&out);
}

/* The public half as one object shows it: works for private keys that tell, and for public keys. */
static void read_public_half(const struct tokens_module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                             struct tokens_key *key)
{
    switch (key->type) {
    case TOKENS_WIRE_KEY_RSA:
        if (key->modulus.size == 0)
            (void)!tokens_attribute(module, session, object, CKA_MODULUS, &key->modulus);
        if (key->exponent.size == 0)
            (void)!tokens_attribute(module, session, object, CKA_PUBLIC_EXPONENT, &key->exponent);
        strip_zeros(&key->modulus);
        strip_zeros(&key->exponent);
        break;
    case TOKENS_WIRE_KEY_EC:
        if (key->ec_params.size == 0)
            (void)!tokens_attribute(module, session, object, CKA_EC_PARAMS, &key->ec_params);
        if (key->ec_point.size == 0 && tokens_attribute(module, session, object, CKA_EC_POINT, &key->ec_point) &&
            key->ec_point.size != 0)
            wrap_point(&key->ec_point);
        break;
    }
}

static bool public_half_known(const struct tokens_key *key)
{
    switch (key->type) {
    case TOKENS_WIRE_KEY_RSA:
        return key->modulus.size != 0 && key->exponent.size != 0;
    case TOKENS_WIRE_KEY_EC:
        return key->ec_params.size != 0 && key->ec_point.size != 0;
    }
    return false;
}

/* From a SubjectPublicKeyInfo, as CKA_PUBLIC_KEY_INFO or a certificate has it. */
static void take_spki(struct tokens_key *key, struct span spki)
{
    struct span parameters, bits, modulus, exponent;
    struct tokens_bytes point = {0};

    if (!tokens_der_spki_read(spki, &parameters, &bits))
        return;
    switch (key->type) {
    case TOKENS_WIRE_KEY_RSA:
        if (!tokens_der_rsa_read(bits, &modulus, &exponent) ||
            (key->modulus.size != 0 && !span_equal(modulus, tokens_bytes_span(&key->modulus))))
            return;
        tokens_bytes_set(&key->modulus, modulus);
        tokens_bytes_set(&key->exponent, exponent);
        break;
    case TOKENS_WIRE_KEY_EC:
        if (bits.size == 0 || (key->ec_params.size != 0 && !span_equal(parameters, tokens_bytes_span(&key->ec_params))))
            return;
        tokens_bytes_set(&key->ec_params, parameters);
        tokens_bytes_set(&point, bits);
        wrap_point(&point);
        tokens_bytes_clear(&key->ec_point);
        key->ec_point = point;
        break;
    }
}

/* Ask the objects with the same CKA_ID: public keys first, then certificates. */
static void read_public_half_elsewhere(const struct tokens_module *module, CK_SESSION_HANDLE session,
                                       struct tokens_key *key)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_PUBLIC_KEY, CKO_CERTIFICATE};

    for (size_t i = 0; i < ARRAY_LEN(classes) && key->id.size != 0 && !public_half_known(key); i++) {
        CK_OBJECT_CLASS class = classes[i];
        CK_ATTRIBUTE wanted[] = {
            {.type = CKA_CLASS, .pValue = &class, .ulValueLen = sizeof(class)},
            {.type = CKA_ID, .pValue = key->id.data, .ulValueLen = key->id.size},
        };
        CK_OBJECT_HANDLE *objects;
        size_t count;

        if (tokens_objects(module, session, wanted, ARRAY_LEN(wanted), &objects, &count) != CKR_OK)
            continue;
        for (size_t k = 0; k < count && !public_half_known(key); k++) {
            struct tokens_bytes der = {0};
            struct tokens_der_cert cert;

            if (class == CKO_PUBLIC_KEY)
                read_public_half(module, session, objects[k], key);
            else if (tokens_attribute(module, session, objects[k], CKA_VALUE, &der) &&
                     tokens_der_cert_read(tokens_bytes_span(&der), &cert))
                take_spki(key, cert.spki);
            tokens_bytes_clear(&der);
        }
        free(objects);
    }
}

static bool write_spki(struct tokens_key *key)
{
    struct buffer out;
    bool good = true;

    buffer_init(&out, 2 * SPKI_SIZE_MAX);
    switch (key->type) {
    case TOKENS_WIRE_KEY_RSA:
        good = key->modulus.size + key->exponent.size < SPKI_SIZE_MAX - 64;
        if (good)
            tokens_der_spki_rsa(&out, tokens_bytes_span(&key->modulus), tokens_bytes_span(&key->exponent));
        break;
    case TOKENS_WIRE_KEY_EC:
        good = key->ec_params.size + key->ec_point.size < SPKI_SIZE_MAX - 64 &&
               tokens_der_spki_ec(&out, tokens_bytes_span(&key->ec_params), tokens_bytes_span(&key->ec_point));
        break;
    }
    if (good)
        tokens_bytes_set(&key->spki, buffer_span(&out));
    buffer_release(&out);
    return good;
}

/* see tokens/key.h */
bool tokens_key_take_spki(struct tokens_key *key, enum tokens_wire_key type, struct span spki)
{
    key->type = type;
    take_spki(key, spki);
    return public_half_known(key) && write_spki(key);
}

/* see tokens/key.h */
bool tokens_key_read(const struct tokens_module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
                     struct tokens_key *key, char **error)
{
    CK_ULONG type = 0;
    struct tokens_bytes spki = {0};

    *key = (struct tokens_key){.handle = handle};
    if (!tokens_attribute_ulong(module, session, handle, CKA_KEY_TYPE, &type) || (type != CKK_RSA && type != CKK_EC)) {
        *error = base_strdup("the key is neither an RSA nor an EC key");
        return false;
    }
    key->type = type == CKK_RSA ? TOKENS_WIRE_KEY_RSA : TOKENS_WIRE_KEY_EC;
    (void)!tokens_attribute(module, session, handle, CKA_ID, &key->id);
    (void)!tokens_attribute(module, session, handle, CKA_LABEL, &key->label);
    key->always_authenticate = tokens_attribute_bool(module, session, handle, CKA_ALWAYS_AUTHENTICATE);
    read_public_half(module, session, handle, key);
    if (!public_half_known(key)) {
        if (tokens_attribute(module, session, handle, CKA_PUBLIC_KEY_INFO, &spki) && spki.size != 0)
            take_spki(key, tokens_bytes_span(&spki));
        tokens_bytes_clear(&spki);
    }
    if (!public_half_known(key))
        read_public_half_elsewhere(module, session, key);
    if (!public_half_known(key) || !write_spki(key)) {
        *error = base_strdup("the token has no public key and no certificate with the key's CKA_ID");
        tokens_key_clear(key);
        return false;
    }
    return true;
}

/* see tokens/key.h */
bool tokens_key_matches_cert(const struct tokens_key *key, struct span cert)
{
    struct tokens_der_cert fields;
    struct span parameters, bits, key_parameters, key_bits;

    return tokens_der_cert_read(cert, &fields) && tokens_der_spki_read(fields.spki, &parameters, &bits) &&
           tokens_der_spki_read(tokens_bytes_span(&key->spki), &key_parameters, &key_bits) &&
           span_equal(bits, key_bits) && (key->type == TOKENS_WIRE_KEY_RSA || span_equal(parameters, key_parameters));
}

/* see tokens/key.h */
CK_RV tokens_cert_list_read(const struct tokens_module *module, CK_SESSION_HANDLE session,
                            struct tokens_cert_list *list)
{
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_ATTRIBUTE wanted = {.type = CKA_CLASS, .pValue = &class, .ulValueLen = sizeof(class)};
    CK_OBJECT_HANDLE *objects;
    size_t count;
    CK_RV rv = tokens_objects(module, session, &wanted, 1, &objects, &count);

    *list = (struct tokens_cert_list){0};
    if (rv != CKR_OK)
        return rv;
    list->certs = base_alloc(count * sizeof(*list->certs));
    list->cut = count == TOKENS_OBJECTS_MAX;
    for (size_t i = 0; i < count; i++) {
        struct tokens_cert *cert = &list->certs[list->count];
        struct tokens_der_cert fields;

        cert->handle = objects[i];
        if (tokens_attribute(module, session, objects[i], CKA_VALUE, &cert->der) &&
            cert->der.size <= TOKENS_WIRE_CERT_MAX && tokens_der_cert_read(tokens_bytes_span(&cert->der), &fields)) {
            (void)!tokens_attribute(module, session, objects[i], CKA_ID, &cert->id);
            list->count++;
        } else {
            tokens_bytes_clear(&cert->der);
            list->unreadable++;
        }
    }
    free(objects);
    return CKR_OK;
}

/* see tokens/key.h */
void tokens_cert_list_clear(struct tokens_cert_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        tokens_bytes_clear(&list->certs[i].der);
        tokens_bytes_clear(&list->certs[i].id);
    }
    free(list->certs);
    *list = (struct tokens_cert_list){0};
}

static bool matches_uri(const struct tokens_module *module, CK_SESSION_HANDLE session, const struct tokens_cert *cert,
                        P11KitUri *uri)
{
    struct tokens_bytes label = {0};
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_ATTRIBUTE have[3];
    bool matches;

    (void)!tokens_attribute(module, session, cert->handle, CKA_LABEL, &label);
    have[0] = (CK_ATTRIBUTE){.type = CKA_CLASS, .pValue = &class, .ulValueLen = sizeof(class)};
    have[1] = (CK_ATTRIBUTE){.type = CKA_LABEL, .pValue = label.data, .ulValueLen = label.size};
    have[2] = (CK_ATTRIBUTE){.type = CKA_ID, .pValue = cert->id.data, .ulValueLen = cert->id.size};
    matches = p11_kit_uri_match_attributes(uri, have, ARRAY_LEN(have));
    tokens_bytes_clear(&label);
    return matches;
}

/* see tokens/key.h */
char *tokens_cert_uri_problem(P11KitUri *uri, const char *text)
{
    const CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(uri);
    const CK_ATTRIBUTE *class = p11_kit_uri_get_attribute(uri, CKA_CLASS);

    if (token->label[0] == '\0' && token->serialNumber[0] == '\0')
        return base_printf(
            "%s does not say on which token the certificates are: token=LABEL or serial=NUMBER is needed", text);
    if (class != NULL && *(const CK_OBJECT_CLASS *)class->pValue != CKO_CERTIFICATE)
        return base_printf("%s names no certificate: leave type out, or make it cert", text);
    return NULL;
}

/* see tokens/key.h */
void tokens_cert_list_select(const struct tokens_module *module, CK_SESSION_HANDLE session, P11KitUri *uri,
                             struct tokens_cert_list *list)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct tokens_cert *cert = &list->certs[i];

        if (matches_uri(module, session, cert, uri) &&
            !tokens_attribute_bool(module, session, cert->handle, CKA_X_DISTRUSTED)) {
            list->certs[kept++] = *cert;
        } else {
            tokens_bytes_clear(&cert->der);
            tokens_bytes_clear(&cert->id);
        }
    }
    list->count = kept;
}

/* A renewed certificate has the key and the CKA_ID of the old one: the one that ends last is meant.
 * see tokens/key.h */
const struct tokens_cert *tokens_cert_for_key(const struct tokens_module *module, CK_SESSION_HANDLE session,
                                              const struct tokens_cert_list *list, const struct tokens_key *key,
                                              P11KitUri *only)
{
    const struct tokens_cert *best = NULL;
    char best_end[16] = "";

    for (size_t i = 0; i < list->count; i++) {
        const struct tokens_cert *cert = &list->certs[i];
        struct tokens_der_cert fields;

        if (!span_equal(tokens_bytes_span(&cert->id), tokens_bytes_span(&key->id)) ||
            !tokens_key_matches_cert(key, tokens_bytes_span(&cert->der)) ||
            (only != NULL && !matches_uri(module, session, cert, only)) ||
            !tokens_der_cert_read(tokens_bytes_span(&cert->der), &fields))
            continue;
        if (best == NULL || strcmp(fields.not_after, best_end) > 0) {
            best = cert;
            memcpy(best_end, fields.not_after, sizeof(best_end));
        }
    }
    return best;
}

static bool in_chain(struct span leaf, const struct span *chain, size_t count, struct span der)
{
    if (span_equal(leaf, der))
        return true;
    for (size_t i = 0; i < count; i++)
        if (span_equal(chain[i], der))
            return true;
    return false;
}

/* Breadth first over "is named as issuer by": cross-certificates come along too. see tokens/key.h */
size_t tokens_cert_chain(const struct tokens_cert_list *list, struct span leaf, struct span *chain)
{
    size_t count = 0;

    for (size_t next = 0; next <= count; next++) {
        struct tokens_der_cert below, above;

        if (!tokens_der_cert_read(next == 0 ? leaf : chain[next - 1], &below))
            continue;
        for (size_t i = 0; i < list->count && count < TOKENS_WIRE_CHAIN_MAX; i++) {
            struct span der = tokens_bytes_span(&list->certs[i].der);

            if (tokens_der_cert_read(der, &above) && span_equal(above.subject, below.issuer) &&
                !in_chain(leaf, chain, count, der))
                chain[count++] = der;
        }
    }
    return count;
}
