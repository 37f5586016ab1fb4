/* see tls/runtime.h */
#include "tls/runtime_internal.h"

#include "base/nss_scope.h"
#include "tls/accelerator.h"
#include "tls/key_der.h"

#include <secasn1.h>
#include <secoid.h>
#include <ssl.h>
#include <stdlib.h>

enum { TICKET_RSA_BITS = 2048, TICKET_RSA_EXPONENT = 65537 };

static bool import_into(PK11SlotInfo *slot, struct span pkcs8, SECItem *public_value, SECKEYPrivateKey **key,
                        char **error)
{
    SECItem item = {.type = siBuffer, .data = base_memdup(pkcs8.data, pkcs8.size), .len = (unsigned)pkcs8.size};
    SECStatus status;
    uint8_t *whole;
    size_t size;

    *key = NULL;
    if (public_value != NULL &&
        tls_key_der_put_public(pkcs8, span_of(public_value->data, public_value->len), &whole, &size)) {
        base_wipe(item.data, item.len);
        free(item.data);
        item.data = whole;
        item.len = (unsigned)size;
    }
    /* Not permanent: it lives in memory as long as the reference does. Not private (in the sense of CKA_PRIVATE): the
     * slot has no user to log in. It is sensitive all the same: NSS does not give it out again by itself. */
    status = slot == NULL ? SECFailure
                          : PK11_ImportDERPrivateKeyInfoAndReturnKey(slot, &item, NULL, public_value, PR_FALSE,
                                                                     PR_FALSE, KU_ALL, key, NULL);
    base_wipe(item.data, item.len);
    free(item.data);
    return status == SECSuccess && *key != NULL ? true : tls_nss_fail(error, "NSS does not take the private key");
}

bool tls_private_key_export(SECKEYPrivateKey *key, const SECKEYPublicKey *public_key, uint8_t **der, size_t *size)
{
    SCOPED_ITEM item = PK11_ExportDERPrivateKeyInfo(key, NULL);
    struct span written;

    if (item == NULL)
        return false;
    written = span_of(item->data, item->len);
    if (public_key->keyType != ecKey ||
        !tls_key_der_put_public(written, span_of(public_key->u.ec.publicValue.data, public_key->u.ec.publicValue.len),
                                der, size)) {
        *der = base_memdup(item->data, item->len);
        *size = item->len;
    }
    return true;
}

/* A key that the accelerator does not take is NSS's own: it knows more kinds. */
bool tls_private_key_import(struct span pkcs8, SECItem *public_value, SECKEYPrivateKey **key, char **error)
{
    SCOPED_SLOT slot = PK11_GetInternalSlot();
    char *ignored = NULL;

    if (tls_accelerator_slot() != NULL && import_into(tls_accelerator_slot(), pkcs8, public_value, key, &ignored))
        return true;
    free(ignored);
    return import_into(slot, pkcs8, public_value, key, error);
}

/* NSS's own token, with or without an accelerator: these keys wrap and unwrap, and that one only signs. */
static bool import_typed(struct span pkcs8, KeyType type, SECKEYPrivateKey **key, char **error)
{
    SCOPED_SLOT slot = PK11_GetInternalSlot();

    if (!import_into(slot, pkcs8, NULL, key, error))
        return false;
    if (SECKEY_GetPrivateKeyType(*key) == type)
        return true;
    *error = base_strdup("the session ticket key is of the wrong type");
    return false;
}

bool tls_runtime_keys_import(struct span der, struct tls_runtime_keys *keys, char **error)
{
    SCOPED_PUBLIC_KEY public_key = NULL;
    struct span rsa, ec;

    if (!tls_key_der_split(der, &rsa, &ec)) {
        *error = base_strdup("the session ticket key is malformed");
        return false;
    }
    if (!import_typed(rsa, rsaKey, &keys->rsa, error) || !import_typed(ec, ecKey, &keys->ec, error))
        return false;
    /* Set before any server key is configured: NSS would otherwise copy the first RSA server key for this
     * (ssl_MaybeSetSelfEncryptKeyPair), which a key on a token refuses. */
    public_key = SECKEY_ConvertToPublicKey(keys->rsa);
    if (public_key == NULL || SSL_SetSessionTicketKeyPair(public_key, keys->rsa) != SECSuccess)
        return tls_nss_fail(error, "cannot set the session ticket key");
    return true;
}

void tls_runtime_keys_clear(struct tls_runtime_keys *keys)
{
    scope_release_private_key(&keys->rsa);
    scope_release_private_key(&keys->ec);
}

/* A new key as PKCS#8. */
static bool generate(CK_MECHANISM_TYPE mechanism, void *parameters, uint8_t **der, size_t *size)
{
    SCOPED_SLOT slot = PK11_GetInternalSlot();
    SCOPED_PUBLIC_KEY public_key = NULL;
    SCOPED_PRIVATE_KEY key =
        slot == NULL ? NULL : PK11_GenerateKeyPair(slot, mechanism, parameters, &public_key, PR_FALSE, PR_FALSE, NULL);

    return key != NULL && tls_private_key_export(key, public_key, der, size);
}

static bool generate_rsa(uint8_t **der, size_t *size)
{
    PK11RSAGenParams parameters = {.keySizeInBits = TICKET_RSA_BITS, .pe = TICKET_RSA_EXPONENT};

    return generate(CKM_RSA_PKCS_KEY_PAIR_GEN, &parameters, der, size);
}

static bool generate_ec(uint8_t **der, size_t *size)
{
    const SECOidData *curve = SECOID_FindOIDByTag(SEC_OID_ANSIX962_EC_PRIME256V1);
    uint8_t encoded[16];
    SECItem parameters = {.type = siBuffer, .data = encoded};

    if (curve == NULL || curve->oid.len + 2 > sizeof(encoded))
        return false;
    encoded[0] = SEC_ASN1_OBJECT_ID;
    encoded[1] = (uint8_t)curve->oid.len;
    memcpy(encoded + 2, curve->oid.data, curve->oid.len);
    parameters.len = curve->oid.len + 2;
    return generate(CKM_EC_KEY_PAIR_GEN, &parameters, der, size);
}

bool tls_ticket_key_generate(uint8_t **der, size_t *size, char **error)
{
    uint8_t *rsa = NULL, *ec = NULL;
    size_t rsa_size = 0, ec_size = 0;
    bool ok = generate_rsa(&rsa, &rsa_size) && generate_ec(&ec, &ec_size);

    if (ok) {
        *size = rsa_size + ec_size;
        *der = base_alloc(*size);
        memcpy(*der, rsa, rsa_size);
        memcpy(*der + rsa_size, ec, ec_size);
    }
    base_wipe(rsa, rsa_size);
    base_wipe(ec, ec_size);
    free(rsa);
    free(ec);
    return ok ? true : tls_nss_fail(error, "cannot make the session ticket key");
}
