/* see tls/identity.h: finding a certificate, its key and its chain. */
#include "tls/identity_internal.h"

#include "base/nss_scope.h"
#include "tls/identity_chain.h"
#include "tls/key_der.h"
#include "tls/limits.h"
#include "tls/pem.h"
#include "tls/runtime_internal.h"
#include "tokens/shim/shim.h"

#include <prtime.h>
#include <secoid.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SHA256_SIZE = 32 };

/* NSS says no more than SEC_ERROR_INVALID_ARGS, and much later, when a certificate and a key are not a pair. */
static bool is_pair(struct tls_identity *identity)
{
    SCOPED_PUBLIC_KEY public_key = CERT_ExtractPublicKey(identity->cert);
    uint8_t digest[SHA256_SIZE] = {1};
    SECItem hash = {.type = siBuffer, .data = digest, .len = sizeof(digest)};
    SECItem signature = {.type = siBuffer};
    int size = PK11_SignatureLen(identity->key);
    bool ok;

    if (public_key == NULL || size <= 0)
        return false;
    signature.data = base_alloc((size_t)size);
    signature.len = (unsigned)size;
    ok = PK11_Sign(identity->key, &signature, &hash) == SECSuccess &&
         PK11_Verify(public_key, &signature, &hash, NULL) == SECSuccess;
    free(signature.data);
    return ok;
}

static CERTCertificate *decode_certificate(const struct tls_pem_block *block)
{
    SECItem item = {.type = siDERCertBuffer, .data = block->der, .len = (unsigned)block->size};

    return CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &item, NULL, PR_FALSE, PR_TRUE);
}

static bool is_certificate(const struct tls_pem_block *block)
{
    SCOPED_CERT cert = decode_certificate(block);

    return cert != NULL;
}

/* The public half is optional in an EC key (RFC 5915 section 3), and NSS wants it: it comes from the certificate. That
 * the two belong together is_pair() finds out. */
static bool import_block(const struct tls_pem_block *block, const CERTCertificate *leaf, SECKEYPrivateKey **key,
                         char **error)
{
    SCOPED_PUBLIC_KEY public_key = CERT_ExtractPublicKey((CERTCertificate *)(uintptr_t)leaf);
    SECItem *value = public_key != NULL && public_key->keyType == ecKey ? &public_key->u.ec.publicValue : NULL;
    uint8_t *pkcs8;
    size_t size;
    bool ok;

    if (!tls_key_der_to_pkcs8(block->label, span_of(block->der, block->size), &pkcs8, &size, error))
        return false;
    ok = tls_private_key_import(span_of(pkcs8, size), value, key, error);
    base_wipe(pkcs8, size);
    free(pkcs8);
    return ok;
}

/* The first certificate and the one private key of the file; NULL where there is none. False: there are several keys.
 */
static bool find_pair(const struct tls_pem *pem, const struct tls_pem_block **cert, const struct tls_pem_block **key,
                      char **error)
{
    for (size_t i = 0; i < pem->count; i++) {
        const struct tls_pem_block *block = &pem->blocks[i];

        if (block->kind == BASE_PEM_CERTIFICATE && *cert == NULL)
            *cert = block;
        if (block->kind != BASE_PEM_KEY)
            continue;
        if (*key != NULL) {
            *error =
                base_printf("there is more than one private key, in line %u and line %u", (*key)->line, block->line);
            return false;
        }
        *key = block;
    }
    if (*cert != NULL && *key != NULL)
        return true;
    *error = base_printf("there is no %s: the certificate, those of its issuers and the key belong into this one file",
                         *cert == NULL ? "certificate" : "private key");
    return false;
}

static bool read_pair(const struct tls_pem *pem, CERTCertificate **leaf, SECKEYPrivateKey **key, char **error)
{
    const struct tls_pem_block *cert_block = NULL, *key_block = NULL;

    if (!find_pair(pem, &cert_block, &key_block, error))
        return false;
    *leaf = decode_certificate(cert_block);
    return *leaf == NULL ? tls_nss_fail(error, "the certificate cannot be decoded")
                         : import_block(key_block, *leaf, key, error);
}

static bool read_chain(const struct tls_pem *pem, struct tls_identity *identity, char **error)
{
    bool first = true;

    for (size_t i = 0; i < pem->count; i++) {
        if (pem->blocks[i].kind != BASE_PEM_CERTIFICATE)
            continue;
        if (first) {
            first = false;
            continue;
        }
        if (identity->chain_length == TLS_CHAIN_LENGTH_MAX) {
            *error = base_printf("there are more than %d certificates after the first", TLS_CHAIN_LENGTH_MAX);
            return false;
        }
        if (!is_certificate(&pem->blocks[i]))
            return tls_nss_fail(error, "a certificate of the chain cannot be decoded");
        tls_identity_add_above(identity, span_of(pem->blocks[i].der, pem->blocks[i].size));
    }
    return true;
}

/* Whether a client certificate suits a server, NSS tells (SSL_CertIsUsable) of certificates that it finds in a slot. */
static bool put_in_slot(struct tls_identity *identity, char **error)
{
    SCOPED_SLOT slot = PK11_GetInternalSlot();
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_CERTIFICATE_TYPE type = CKC_X_509;
    CK_BBOOL no = CK_FALSE;
    CERTCertificate *cert = identity->cert;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_TOKEN, &no, sizeof(no)},
        {CKA_CERTIFICATE_TYPE, &type, sizeof(type)},
        {CKA_SUBJECT, cert->derSubject.data, cert->derSubject.len},
        {CKA_ISSUER, cert->derIssuer.data, cert->derIssuer.len},
        {CKA_SERIAL_NUMBER, cert->serialNumber.data, cert->serialNumber.len},
        {CKA_VALUE, cert->derCert.data, cert->derCert.len},
    };

    SCOPED_SLOT found = NULL;

    if (slot != NULL)
        identity->in_slot = PK11_CreateManagedGenericObject(slot, template, ARRAY_LEN(template), PR_FALSE);
    /* NSS notes in the certificate where it found it: here, and not in two handshakes at once. */
    return identity->in_slot != NULL && PK11_FindObjectForCert(cert, NULL, &found) != CK_INVALID_HANDLE
               ? true
               : tls_nss_fail(error, "NSS does not take the certificate");
}

static bool open_pem(const struct tls_pem *pem, struct tls_identity **identity, char **error)
{
    SCOPED_CERT leaf = NULL;
    SCOPED_PRIVATE_KEY key = NULL;

    if (!read_pair(pem, &leaf, &key, error) || !tls_identity_create(SCOPE_TAKE(leaf), SCOPE_TAKE(key), identity, error))
        return false;
    if (!is_pair(*identity)) {
        *error = base_strdup("the first certificate and the private key do not belong together");
        return false;
    }
    return put_in_slot(*identity, error) && read_chain(pem, *identity, error);
}

static bool open_file(const char *path, struct tls_identity **identity, char **error)
{
    struct tls_pem pem = {0};
    char quoted[BASE_QUOTE_SIZE];
    char *why = NULL;
    bool ok;

    if (!tls_pem_read_file(path, &tls_pem_identity, BASE_FILE_KEY, &pem, error))
        return false;
    ok = open_pem(&pem, identity, &why);
    tls_pem_clear(&pem);
    if (!ok)
        *error = base_printf("%s: %s", base_quote(path, strlen(path), quoted, sizeof(quoted)), why);
    free(why);
    return ok;
}

static bool has_fingerprint(CERTCertificate *cert, const char *hex)
{
    uint8_t digest[SHA256_SIZE];
    char text[SHA256_SIZE * 2 + 1];

    if (PK11_HashBuf(SEC_OID_SHA256, digest, cert->derCert.data, (PRInt32)cert->derCert.len) != SECSuccess)
        return false;
    for (size_t i = 0; i < SHA256_SIZE; i++)
        (void)snprintf(text + i * 2, 3, "%02x", digest[i]);
    return strcmp(text, hex) == 0;
}

static bool open_database(const char *hex, struct tls_identity **identity, char **error)
{
    SCOPED_CERT_LIST list = PK11_ListCerts(PK11CertListUser, NULL);
    char quoted[BASE_QUOTE_SIZE];

    for (CERTCertListNode *n = list == NULL ? NULL : CERT_LIST_HEAD(list); n != NULL && !CERT_LIST_END(n, list);
         n = CERT_LIST_NEXT(n)) {
        SCOPED_PRIVATE_KEY key = NULL;

        if (!has_fingerprint(n->cert, hex))
            continue;
        key = PK11_FindKeyByAnyCert(n->cert, NULL);
        if (key == NULL)
            return tls_nss_fail(error, "the private key of the certificate cannot be used");
        if (!tls_identity_create(CERT_DupCertificate(n->cert), SCOPE_TAKE(key), identity, error))
            return false;
        tls_identity_find_chain(*identity, time(NULL));
        return true;
    }
    *error = base_printf("the NSS database has no certificate with a private key and the SHA-256 fingerprint %s",
                         base_quote(hex, strlen(hex), quoted, sizeof(quoted)));
    return false;
}

static bool open_token(const char *uri, struct tls_identity **identity, char **error)
{
    CERTCertificate *cert = NULL;
    SECKEYPrivateKey *key = NULL;
    bool pss = false;

    if (!tokens_shim_identity(uri, &cert, &key, &pss, error) || !tls_identity_create(cert, key, identity, error))
        return false;
    (*identity)->may_block = true;
    tls_identity_find_chain(*identity, time(NULL));
    if (!pss) {
        (*identity)->version_max = TLS_VERSION_12;
        free((*identity)->warning);
        (*identity)->warning =
            base_strdup("the token cannot make RSA-PSS signatures: whoever gets this certificate has TLS 1.2 at most");
    }
    return true;
}

bool tls_identity_open(enum tls_identity_source source, const char *value, struct tls_identity **identity, char **error)
{
    bool ok = false;

    *identity = NULL;
    switch (source) {
    case TLS_IDENTITY_FILE:
        ok = open_file(value, identity, error);
        break;
    case TLS_IDENTITY_DATABASE:
        ok = open_database(value, identity, error);
        break;
    case TLS_IDENTITY_PKCS11:
        ok = open_token(value, identity, error);
        break;
    }
    if (!ok)
        tls_identity_destroy(identity);
    return ok;
}
