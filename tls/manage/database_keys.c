/* see tls/manage/database.h: private keys into and out of the database
 *
 * NSS finds the key of a certificate by CKA_ID, which it makes from the public key. A private key in DER need not
 * hold its public half (PKCS#8 of an EC key), so a key is stored only together with a certificate it is shown to
 * belong to: it signs, and the certificate's public key verifies. */
#include "base/nss_scope.h"
#include "tls/manage/database.h"
#include "tls/manage/database_internal.h"
#include "tls/key_der.h"
#include "tls/runtime_internal.h"

#include <stdlib.h>

enum { PROBE_BYTES = 32, WRAP_PASSWORD_BYTES = 32, WRAP_ITERATIONS = 1 };

/* Keys in */

static SECKEYPrivateKey *import_key(SECItem *pkcs8, SECItem *public_value, PRBool permanent)
{
    SCOPED_SLOT slot = PK11_GetInternalKeySlot();
    SECKEYPrivateKey *key = NULL;
    SECItem whole = {siBuffer, NULL, 0};
    size_t size;

    if (tls_key_der_put_public(span_of(pkcs8->data, pkcs8->len), span_of(public_value->data, public_value->len),
                               &whole.data, &size)) {
        whole.len = (unsigned)size;
        pkcs8 = &whole;
    }
    if (slot == NULL || PK11_ImportDERPrivateKeyInfoAndReturnKey(slot, pkcs8, NULL, public_value, permanent, permanent,
                                                                 KU_DIGITAL_SIGNATURE, &key, NULL) != SECSuccess)
        key = NULL;
    base_wipe(whole.data, whole.len);
    free(whole.data);
    return key;
}

/* What a public key's CKA_ID is made from. */
static SECItem *public_value_of(SECKEYPublicKey *key)
{
    if (key->keyType == rsaKey)
        return &key->u.rsa.modulus;
    return key->keyType == ecKey ? &key->u.ec.publicValue : NULL;
}

static bool belongs(SECKEYPrivateKey *key, SECKEYPublicKey *public_key)
{
    uint8_t probe[PROBE_BYTES];
    SECItem hash = {siBuffer, probe, sizeof(probe)}, signature = {siBuffer, NULL, 0};
    int signature_len = PK11_SignatureLen(key);
    bool matches;

    if (key->keyType != public_key->keyType || signature_len <= 0 ||
        PK11_GenerateRandom(probe, sizeof(probe)) != SECSuccess)
        return false;
    signature.len = (unsigned int)signature_len;
    signature.data = base_alloc(signature.len);
    matches = PK11_Sign(key, &signature, &hash) == SECSuccess &&
              PK11_Verify(public_key, &signature, &hash, NULL) == SECSuccess;
    free(signature.data);
    return matches;
}

/* The certificate the key belongs to: a new reference, or NULL. */
static CERTCertificate *cert_of_key(SECItem *pkcs8)
{
    SCOPED_SLOT slot = PK11_GetInternalKeySlot();
    SCOPED_CERT_LIST certs = slot == NULL ? NULL : PK11_ListCertsInSlot(slot);

    if (certs == NULL)
        return NULL;
    for (CERTCertListNode *n = CERT_LIST_HEAD(certs); !CERT_LIST_END(n, certs); n = CERT_LIST_NEXT(n)) {
        SCOPED_PUBLIC_KEY public_key = CERT_ExtractPublicKey(n->cert);
        SECItem *public_value = public_key == NULL ? NULL : public_value_of(public_key);
        SCOPED_PRIVATE_KEY key = public_value == NULL ? NULL : import_key(pkcs8, public_value, PR_FALSE);

        if (key != NULL && belongs(key, public_key))
            return CERT_DupCertificate(n->cert);
    }
    return NULL;
}

static bool store_key(SECItem *pkcs8, char sha256[65], unsigned *added, char **error)
{
    SCOPED_CERT cert = cert_of_key(pkcs8);
    SCOPED_PUBLIC_KEY public_key = NULL;
    SCOPED_PRIVATE_KEY key = NULL;
    SECItem *public_value;

    if (cert == NULL) {
        *error = base_strdup("the private key cannot be read, or belongs to no certificate in the database; import its "
                             "certificate first or with it");
        return false;
    }
    tls_database_fingerprint(&cert->derCert, sha256);
    key = PK11_FindKeyByAnyCert(cert, NULL);
    if (key != NULL)
        return true;
    public_key = CERT_ExtractPublicKey(cert);
    public_value = public_key == NULL ? NULL : public_value_of(public_key);
    key = public_value == NULL ? NULL : import_key(pkcs8, public_value, PR_TRUE);
    if (key == NULL)
        return tls_nss_fail(error, "the private key cannot be stored");
    *added = TLS_DATABASE_ADDED_KEY;
    return true;
}

bool tls_database_import_key(const char *label, struct span der, char sha256[65], unsigned *added, char **error)
{
    SECItem pkcs8 = {siBuffer, NULL, 0};
    size_t pkcs8_size;
    bool ok;

    *added = TLS_DATABASE_ADDED_NOTHING;
    if (!tls_key_der_to_pkcs8(label, der, &pkcs8.data, &pkcs8_size, error))
        return false;
    pkcs8.len = (unsigned int)pkcs8_size;
    ok = store_key(&pkcs8, sha256, added, error);
    base_wipe(pkcs8.data, pkcs8.len);
    free(pkcs8.data);
    return ok;
}

/* Keys out */

/* A copy of the key that NSS gives the parts of: keys in a database are sensitive, which means that they leave it
 * encrypted only. So it is encrypted for ourselves, with a password of this moment. */
static SECKEYPrivateKey *readable_copy(SECKEYPrivateKey *key, SECItem *public_value)
{
    SCOPED_SLOT slot = PK11_GetInternalKeySlot();
    uint8_t bytes[WRAP_PASSWORD_BYTES];
    SECItem password = {siBuffer, bytes, sizeof(bytes)};
    SECKEYEncryptedPrivateKeyInfo *wrapped = NULL;
    SECKEYPrivateKey *copy = NULL;

    if (slot == NULL || PK11_GenerateRandom(bytes, sizeof(bytes)) != SECSuccess)
        return NULL;
    wrapped = PK11_ExportEncryptedPrivKeyInfoV2(slot, SEC_OID_AES_256_CBC, SEC_OID_UNKNOWN, SEC_OID_HMAC_SHA256,
                                                &password, key, WRAP_ITERATIONS, NULL);
    if (wrapped != NULL &&
        PK11_ImportEncryptedPrivateKeyInfoAndReturnKey(slot, wrapped, &password, NULL, public_value, PR_FALSE, PR_FALSE,
                                                       key->keyType, KU_DIGITAL_SIGNATURE, &copy, NULL) != SECSuccess)
        copy = NULL;
    if (wrapped != NULL)
        SECKEY_DestroyEncryptedPrivateKeyInfo(wrapped, PR_TRUE);
    base_wipe(bytes, sizeof(bytes));
    return copy;
}

/* see tls/manage/database_internal.h */
bool tls_database_key_may_leave(SECKEYPrivateKey *key, char **error)
{
    SECItem value = {siBuffer, NULL, 0};
    bool may = PK11_ReadRawAttribute(PK11_TypePrivKey, key, CKA_EXTRACTABLE, &value) != SECSuccess || value.len != 1 ||
               value.data[0] != CK_FALSE;

    SECITEM_FreeItem(&value, PR_FALSE);
    if (!may)
        *error = base_printf("the private key may not leave \"%s\": its CKA_EXTRACTABLE is false",
                             PK11_GetTokenName(key->pkcs11Slot));
    return may;
}

bool tls_database_export_key(const char *sha256, uint8_t **der, size_t *size, char **error)
{
    SCOPED_CERT cert = tls_database_cert(sha256, error);
    SCOPED_PRIVATE_KEY key = cert == NULL ? NULL : PK11_FindKeyByAnyCert(cert, NULL);
    SCOPED_PUBLIC_KEY public_key = cert == NULL ? NULL : CERT_ExtractPublicKey(cert);
    SECItem *public_value = public_key == NULL ? NULL : public_value_of(public_key);
    SCOPED_PRIVATE_KEY copy = NULL;

    *der = NULL;
    *size = 0;
    if (cert == NULL)
        return false;
    if (key == NULL || public_value == NULL) {
        *error = base_strdup("the certificate's private key is not in the database");
        return false;
    }
    if (!tls_database_key_may_leave(key, error))
        return false;
    copy = readable_copy(key, public_value);
    return copy != NULL && tls_private_key_export(copy, public_key, der, size)
               ? true
               : tls_nss_fail(error, "the private key cannot be exported");
}
