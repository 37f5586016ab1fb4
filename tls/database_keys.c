/* see tls/database.h: private keys into and out of the database
 *
 * NSS finds the key of a certificate by CKA_ID, which it makes from the public key. A private key in DER need not
 * hold its public half (PKCS#8 of an EC key), so a key is stored only together with a certificate it is shown to
 * belong to: it signs, and the certificate's public key verifies. */
#include "base/nss_scope.h"
#include "tls/database.h"
#include "tls/database_internal.h"
#include "tls/key_der.h"
#include "tls/runtime_internal.h"

#include <p12.h>
#include <p12plcy.h>
#include <stdlib.h>

enum { PROBE_BYTES = 32, PKCS12_PASSWORD_MAX = 1024, WRAP_PASSWORD_BYTES = 32, WRAP_ITERATIONS = 1 };

/* Keys in */

static SECKEYPrivateKey *import_key(SECItem *pkcs8, SECItem *public_value, PRBool permanent)
{
    SCOPED_SLOT slot = PK11_GetInternalKeySlot();
    SECKEYPrivateKey *key = NULL;

    if (slot == NULL || PK11_ImportDERPrivateKeyInfoAndReturnKey(slot, pkcs8, NULL, public_value, permanent, permanent,
                                                                 KU_DIGITAL_SIGNATURE, &key, NULL) != SECSuccess)
        return NULL;
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

static bool store_key(SECItem *pkcs8, char sha256[65], char **error)
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
    return true;
}

bool tls_database_import_key(const char *label, struct span der, char sha256[65], char **error)
{
    SECItem pkcs8 = {siBuffer, NULL, 0};
    size_t pkcs8_size;
    bool ok;

    if (!tls_key_der_to_pkcs8(label, der, &pkcs8.data, &pkcs8_size, error))
        return false;
    pkcs8.len = (unsigned int)pkcs8_size;
    ok = store_key(&pkcs8, sha256, error);
    base_wipe(pkcs8.data, pkcs8.len);
    free(pkcs8.data);
    return ok;
}

/* PKCS#12 */

/* As PKCS#12 wants it: UTF-16, most significant byte first, with a NUL (RFC 7292 appendix B.1). */
static SECItem *pkcs12_password(const char *password, char **error)
{
    size_t len = strlen(password);
    unsigned int used = 0;
    SECItem *item;

    if (len > PKCS12_PASSWORD_MAX) {
        *error = base_printf("the PKCS#12 password is longer than %d bytes", PKCS12_PASSWORD_MAX);
        return NULL;
    }
    item = SECITEM_AllocItem(NULL, NULL, (unsigned int)(len * 2 + 2));
    if (item == NULL)
        base_abort("out of memory (a password)");
    if (!PORT_UCS2_UTF8Conversion(PR_TRUE, (unsigned char *)(uintptr_t)password, (unsigned int)len, item->data,
                                  item->len, &used)) {
        SECITEM_ZfreeItem(item, PR_TRUE);
        *error = base_strdup("the PKCS#12 password is not UTF-8");
        return NULL;
    }
    item->data[used] = item->data[used + 1] = 0;
    item->len = used + 2;
    return item;
}

/* Text inside a PKCS#12 file is UTF-16; NSS leaves its conversion to the program. */
static PRBool convert_text(PRBool to_unicode, unsigned char *in, unsigned int in_len, unsigned char *out,
                           unsigned int out_max, unsigned int *out_len, PRBool swap)
{
    (void)swap;
    return PORT_UCS2_UTF8Conversion(to_unicode, in, in_len, out, out_max, out_len);
}

/* Every certificate gets its fingerprint as label, like those stored otherwise. */
static SECStatus rename_cert(const CERTCertificate *cert, const SECItem *old_name, SECItem **name, void *arg)
{
    (void)old_name;
    (void)arg;
    *name = SECITEM_AllocItem(NULL, NULL, TLS_SHA256_HEX_SIZE);
    if (*name == NULL)
        return SECFailure;
    (*name)->type = siAsciiString;
    tls_database_fingerprint(&cert->derCert, (char *)(*name)->data);
    return SECSuccess;
}

/* Called for a name that is taken; ours are unique, unless the certificate itself is there already. */
static SECItem *name_taken(SECItem *old_name, PRBool *cancel, void *cert)
{
    SECItem *name = NULL;

    (void)old_name;
    *cancel = rename_cert(cert, NULL, &name, NULL) != SECSuccess;
    return name;
}

static void allow_ciphers(void)
{
    /* For reading only, the old ones too: what exports of other programs are made with. */
    static const long ciphers[] = {PKCS12_AES_CBC_128,  PKCS12_AES_CBC_192, PKCS12_AES_CBC_256,
                                   PKCS12_DES_EDE3_168, PKCS12_RC2_CBC_128, PKCS12_RC2_CBC_40};

    for (size_t i = 0; i < ARRAY_LEN(ciphers); i++)
        SEC_PKCS12EnableCipher(ciphers[i], 1);
}

static size_t count_certs(SEC_PKCS12DecoderContext *decoder)
{
    SCOPED_CERT_LIST certs = SEC_PKCS12DecoderGetCerts(decoder);
    size_t count = 0;

    if (certs != NULL)
        for (CERTCertListNode *n = CERT_LIST_HEAD(certs); !CERT_LIST_END(n, certs); n = CERT_LIST_NEXT(n))
            count++;
    return count;
}

/* Whether a file ends before its outermost SEQUENCE does. NSS (3.87) says so too, but leaks its inner decoders then. */
static bool is_cut_short(struct span der)
{
    size_t size = 0, header = 2;

    if (der.size < 2 || der.data[0] != (SEC_ASN1_SEQUENCE | SEC_ASN1_CONSTRUCTED))
        return true;
    if (der.data[1] == 0x80) /* indefinite length, as some exporters write */
        return false;
    if (der.data[1] < 0x80)
        return der.size < header + der.data[1];
    header += der.data[1] & 0x7fu;
    if (header > 2 + sizeof(uint32_t) || der.size < header)
        return true;
    for (size_t i = 2; i < header; i++)
        size = size << 8 | der.data[i];
    return der.size - header < size;
}

bool tls_database_import_pkcs12(struct span der, const char *password, size_t *count, char **error)
{
    SCOPED_SLOT slot = PK11_GetInternalKeySlot();
    SCOPED_ITEM secret = pkcs12_password(password, error);
    SEC_PKCS12DecoderContext *decoder;
    bool readable, ok;

    *count = 0;
    if (secret == NULL)
        return false;
    if (is_cut_short(der)) {
        *error = base_strdup("this is not a whole PKCS#12 file");
        return false;
    }
    allow_ciphers();
    PORT_SetUCS2_ASCIIConversionFunction(convert_text);
    decoder = slot == NULL ? NULL : SEC_PKCS12DecoderStart(secret, slot, NULL, NULL, NULL, NULL, NULL, NULL);
    if (decoder == NULL)
        return tls_nss_fail(error, "the PKCS#12 file cannot be read");
    readable = SEC_PKCS12DecoderUpdate(decoder, (unsigned char *)(uintptr_t)der.data, der.size) == SECSuccess &&
               SEC_PKCS12DecoderVerify(decoder) == SECSuccess;
    if (!readable)
        tls_nss_fail(error, "the PKCS#12 file cannot be read, or its password is another");
    ok = readable && SEC_PKCS12DecoderRenameCertNicknames(decoder, rename_cert, NULL) == SECSuccess &&
         SEC_PKCS12DecoderValidateBags(decoder, name_taken) == SECSuccess;
    if (ok) {
        *count = count_certs(decoder);
        ok = SEC_PKCS12DecoderImportBags(decoder) == SECSuccess;
    }
    if (readable && !ok)
        tls_nss_fail(error, "the certificates and keys of the PKCS#12 file cannot be stored");
    SEC_PKCS12DecoderFinish(decoder);
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

bool tls_database_export_key(const char *sha256, uint8_t **der, size_t *size, char **error)
{
    SCOPED_CERT cert = tls_database_cert(sha256, error);
    SCOPED_PRIVATE_KEY key = cert == NULL ? NULL : PK11_FindKeyByAnyCert(cert, NULL);
    SCOPED_PUBLIC_KEY public_key = cert == NULL ? NULL : CERT_ExtractPublicKey(cert);
    SECItem *public_value = public_key == NULL ? NULL : public_value_of(public_key);
    SCOPED_PRIVATE_KEY copy = NULL;
    SCOPED_ITEM item = NULL;

    *der = NULL;
    *size = 0;
    if (cert == NULL)
        return false;
    if (key == NULL || public_value == NULL) {
        *error = base_strdup("the certificate's private key is not in the database");
        return false;
    }
    copy = readable_copy(key, public_value);
    item = copy == NULL ? NULL : PK11_ExportDERPrivateKeyInfo(copy, NULL);
    if (item == NULL)
        return tls_nss_fail(error, "the private key cannot be exported");
    *der = base_memdup(item->data, item->len);
    *size = item->len;
    return true;
}
