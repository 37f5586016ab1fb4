/* see tls/identity.h: finding a certificate, its key and its chain. */
#include "tls/identity_internal.h"

#include "base/nss_scope.h"
#include "tls/identity_chain.h"
#include "tls/identity_file.h"
#include "tls/limits.h"
#include "tls/runtime_internal.h"
#include "tokens/shim/shim.h"

#include <prtime.h>
#include <secoid.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SHA256_SIZE = 32 };

/* NSS says no more than SEC_ERROR_INVALID_ARGS, and much later, when a certificate and a key are not a pair. */
static bool is_pair(CERTCertificate *cert, SECKEYPrivateKey *key)
{
    SCOPED_PUBLIC_KEY public_key = CERT_ExtractPublicKey(cert);
    uint8_t digest[SHA256_SIZE] = {1};
    SECItem hash = {.type = siBuffer, .data = digest, .len = sizeof(digest)};
    SECItem signature = {.type = siBuffer};
    int size = PK11_SignatureLen(key);
    bool ok;

    if (public_key == NULL || size <= 0)
        return false;
    signature.data = base_alloc((size_t)size);
    signature.len = (unsigned)size;
    ok = PK11_Sign(key, &signature, &hash) == SECSuccess &&
         PK11_Verify(public_key, &signature, &hash, NULL) == SECSuccess;
    free(signature.data);
    return ok;
}

static CERTCertificate *decode_certificate(struct span der)
{
    SECItem item = {.type = siDERCertBuffer, .data = (unsigned char *)(uintptr_t)der.data, .len = (unsigned)der.size};

    return CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &item, NULL, PR_FALSE, PR_TRUE);
}

static bool is_certificate(struct span der)
{
    SCOPED_CERT cert = decode_certificate(der);

    return cert != NULL;
}

/* The public half is optional in an EC key (RFC 5915 section 3), and NSS wants it: it comes from the certificate. That
 * the two belong together is_pair() finds out. */
static bool import_key(struct span pkcs8, const CERTCertificate *leaf, SECKEYPrivateKey **key, char **error)
{
    SCOPED_PUBLIC_KEY public_key = CERT_ExtractPublicKey((CERTCertificate *)(uintptr_t)leaf);
    SECItem *value = public_key != NULL && public_key->keyType == ecKey ? &public_key->u.ec.publicValue : NULL;

    return tls_private_key_import(pkcs8, value, key, error);
}

static bool take_chain(const struct span *above, size_t count, struct tls_identity *identity, char **error)
{
    if (count > TLS_CHAIN_LENGTH_MAX) {
        *error = base_printf("there are more than %d certificates after the first", TLS_CHAIN_LENGTH_MAX);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_certificate(above[i]))
            return tls_nss_fail(error, "a certificate of the chain cannot be decoded");
        tls_identity_add_above(identity, above[i]);
    }
    return true;
}

bool tls_identity_put_in_slot(struct tls_identity *identity, char **error)
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

    if (!identity->in_memory || identity->in_slot != NULL)
        return true;
    if (slot != NULL)
        identity->in_slot = PK11_CreateManagedGenericObject(slot, template, ARRAY_LEN(template), PR_FALSE);
    /* NSS notes in the certificate where it found it: here, and not in two handshakes at once. */
    return identity->in_slot != NULL && PK11_FindObjectForCert(cert, NULL, &found) != CK_INVALID_HANDLE
               ? true
               : tls_nss_fail(error, "NSS does not take the certificate");
}

/* Which of the others the key belongs to, as in a file that begins with the authority's; 0: none. */
static size_t find_pair(const struct span *certs, size_t count, SECKEYPrivateKey *key)
{
    for (size_t i = 1; i < count && i <= TLS_CHAIN_LENGTH_MAX; i++) {
        SCOPED_CERT cert = decode_certificate(certs[i]);

        if (cert != NULL && is_pair(cert, key))
            return i;
    }
    return 0;
}

/* Takes `key`. */
static bool open_pair(const struct span *certs, size_t count, CERTCertificate *leaf, SECKEYPrivateKey *key,
                      struct tls_identity **identity, char **error)
{
    if (!tls_identity_create(CERT_DupCertificate(leaf), key, identity, error))
        return false;
    if (!is_pair((*identity)->cert, (*identity)->key)) {
        size_t fits = find_pair(certs, count, (*identity)->key);

        *error = fits == 0
                     ? base_strdup("the first certificate and the private key do not belong together")
                     : base_printf("the private key belongs to certificate %zu of the file, and its own must be the "
                                   "first one, with its issuers behind it",
                                   fits + 1);
        return false;
    }
    (*identity)->in_memory = true;
    return take_chain(certs + 1, count - 1, *identity, error);
}

static bool open_parts(const struct tls_identity_file *file, struct tls_identity **identity, char **error)
{
    SCOPED_CERT leaf = decode_certificate(file->certs[0]);
    SECKEYPrivateKey *key = NULL;

    if (leaf == NULL)
        return tls_nss_fail(error, "the certificate cannot be decoded");
    return import_key(span_of(file->pkcs8, file->pkcs8_size), leaf, &key, error) &&
           open_pair(file->certs, file->cert_count, leaf, key, identity, error);
}

static bool fail_of(const char *path, char *why, char **error)
{
    char quoted[BASE_QUOTE_SIZE];

    *error = base_printf("%s: %s", base_quote(path, strlen(path), quoted, sizeof(quoted)), why);
    free(why);
    return false;
}

static bool open_file(const char *path, struct tls_identity **identity, char **error)
{
    struct tls_identity_file file;
    char *why = NULL;
    bool ok;

    if (!tls_identity_file_read(path, &file, error))
        return false;
    ok = open_parts(&file, identity, &why);
    tls_identity_file_clear(&file);
    return ok || fail_of(path, why, error);
}

/* What comes of a key that is elsewhere. */
static void signs_elsewhere(struct tls_identity *identity, bool pss)
{
    identity->may_block = true;
    if (pss)
        return;
    identity->version_max = TLS_VERSION_12;
    free(identity->warning);
    identity->warning =
        base_strdup("the token cannot make RSA-PSS signatures: whoever gets this certificate has TLS 1.2 at most");
}

/* As of a token that has no certificates; the chain is that of the file. */
static bool open_with_agent(const struct tls_identity_parts *parts, struct tls_identity **identity, char **error)
{
    SCOPED_CERT leaf = decode_certificate(parts->certs[0]);
    SECKEYPrivateKey *key = NULL;
    bool pss = false;

    if (leaf == NULL)
        return tls_nss_fail(error, "the certificate cannot be decoded");
    if (!tokens_shim_identity(parts->key_uri, NULL, &key, &pss, error))
        return false;
    if (!open_pair(parts->certs, parts->cert_count, leaf, key, identity, error)) {
        if (tokens_shim_error()[0] != '\0') { /* there was no signature to look at */
            free(*error);
            *error = base_strdup(tokens_shim_error());
        }
        return false;
    }
    signs_elsewhere(*identity, pss);
    return true;
}

bool tls_identity_open_parts(const struct tls_identity_parts *parts, struct tls_identity **identity, char **error)
{
    char *why = NULL;

    assert(parts->cert_count > 0);
    *identity = NULL;
    if (open_with_agent(parts, identity, &why))
        return true;
    tls_identity_destroy(identity);
    return fail_of(parts->path, why, error);
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
    tls_identity_find_chain(*identity, time(NULL));
    signs_elsewhere(*identity, pss);
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
