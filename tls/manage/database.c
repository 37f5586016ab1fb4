/* see tls/manage/database.h and tls/manage/database_internal.h */
#include "tls/manage/database.h"
#include "base/nss_scope.h"
#include "tls/manage/database_internal.h"
#include "tls/runtime_internal.h"

#include <certdb.h>
#include <stdio.h>
#include <stdlib.h>

/* Password */

/* NSS asks for the password by this function when a key is first used; we log in beforehand, so it never gets one. */
static char *no_password(PK11SlotInfo *slot, PRBool retry, void *arg)
{
    (void)slot;
    (void)retry;
    (void)arg;
    return NULL;
}

bool tls_database_unlock(const char *password, char **error)
{
    SCOPED_SLOT slot = PK11_GetInternalKeySlot();

    PK11_SetPasswordFunc(no_password);
    if (slot == NULL)
        return tls_nss_fail(error, "the database is not open");
    if (PK11_NeedUserInit(slot)) {
        if (PK11_IsReadOnly(slot))
            return true; /* a new or empty one, opened to look only */
        if (PK11_InitPin(slot, NULL, password == NULL ? "" : password) != SECSuccess)
            return tls_nss_fail(error, "the database's password cannot be set");
    }
    if (!PK11_NeedLogin(slot)) {
        if (password == NULL || *password == '\0')
            return true;
        *error = base_strdup("the database has no password; leave it out");
        return false;
    }
    if (password == NULL) {
        *error = base_strdup("the database has a password; give the file that holds it");
        return false;
    }
    if (PK11_CheckUserPassword(slot, password) != SECSuccess)
        return tls_nss_fail(error, "the database's password is not right");
    return true;
}

/* Fingerprints */

bool tls_database_sha256_parse(const char *text, char sha256[65])
{
    size_t len = 0;

    for (; *text != '\0'; text++) {
        char c = *text;

        if (c == ':' && len > 0 && len % 2 == 0)
            continue;
        if (c >= 'A' && c <= 'F')
            c = (char)(c - 'A' + 'a');
        if (len == TLS_SHA256_HEX_SIZE - 1 || strchr("0123456789abcdef", c) == NULL)
            return false;
        sha256[len++] = c;
    }
    sha256[len] = '\0';
    return len == TLS_SHA256_HEX_SIZE - 1;
}

static CERTCertList *list_certs(char **error)
{
    SCOPED_SLOT slot = PK11_GetInternalKeySlot();
    CERTCertList *certs = slot == NULL ? NULL : PK11_ListCertsInSlot(slot);

    if (certs == NULL)
        tls_nss_fail(error, "the database's certificates cannot be listed");
    return certs;
}

CERTCertificate *tls_database_cert(const char *sha256, char **error)
{
    char wanted[TLS_SHA256_HEX_SIZE], got[TLS_SHA256_HEX_SIZE], quoted[BASE_QUOTE_SIZE];
    SCOPED_CERT_LIST certs = NULL;

    if (!tls_database_sha256_parse(sha256, wanted)) {
        *error = base_printf("%s is not a SHA-256 fingerprint (64 hexadecimal digits)",
                             base_quote(sha256, strlen(sha256), quoted, sizeof(quoted)));
        return NULL;
    }
    certs = list_certs(error);
    if (certs == NULL)
        return NULL;
    for (CERTCertListNode *n = CERT_LIST_HEAD(certs); !CERT_LIST_END(n, certs); n = CERT_LIST_NEXT(n)) {
        tls_database_fingerprint(&n->cert->derCert, got);
        if (strcmp(got, wanted) == 0)
            return CERT_DupCertificate(n->cert);
    }
    *error = base_printf("no certificate in the database has the fingerprint sha256=%s", wanted);
    return NULL;
}

/* Entries */

static unsigned trust_of(CERTCertificate *cert)
{
    CERTCertTrust trust;
    unsigned bits = TLS_DATABASE_TRUST_NONE;

    if (CERT_GetCertTrust(cert, &trust) != SECSuccess)
        return bits;
    if (trust.sslFlags & CERTDB_TRUSTED_CA)
        bits |= TLS_DATABASE_TRUST_SERVER;
    if (trust.sslFlags & CERTDB_TRUSTED_CLIENT_CA)
        bits |= TLS_DATABASE_TRUST_CLIENT;
    return bits;
}

static void fill_standing(CERTCertificate *cert, struct tls_database_entry *entry)
{
    SCOPED_PRIVATE_KEY key = PK11_FindKeyByAnyCert(cert, NULL);

    entry->has_key = key != NULL;
    entry->trust = trust_of(cert);
}

static int compare_entries(const void *a, const void *b)
{
    const struct tls_database_entry *x = a, *y = b;
    int order = strcmp(x->subject, y->subject);

    if (order == 0)
        order = (x->not_after > y->not_after) - (x->not_after < y->not_after);
    return order != 0 ? order : strcmp(x->sha256, y->sha256);
}

bool tls_database_list(struct tls_database_list *list, char **error)
{
    SCOPED_CERT_LIST certs = list_certs(error);

    *list = (struct tls_database_list){.entries = NULL};
    if (certs == NULL)
        return false;
    for (CERTCertListNode *n = CERT_LIST_HEAD(certs); !CERT_LIST_END(n, certs); n = CERT_LIST_NEXT(n)) {
        list->entries = base_realloc_array(list->entries, list->count + 1, sizeof(*list->entries));
        if (!tls_database_entry_fill(n->cert, &list->entries[list->count], error)) {
            tls_database_list_clear(list);
            return false;
        }
        fill_standing(n->cert, &list->entries[list->count++]);
    }
    if (list->count > 1)
        qsort(list->entries, list->count, sizeof(*list->entries), compare_entries);
    return true;
}

void tls_database_list_clear(struct tls_database_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        tls_database_entry_clear(&list->entries[i]);
    free(list->entries);
    *list = (struct tls_database_list){.entries = NULL};
}

bool tls_database_find(const char *sha256, struct tls_database_entry *entry, char **error)
{
    SCOPED_CERT cert = tls_database_cert(sha256, error);

    *entry = (struct tls_database_entry){.der = NULL};
    if (cert == NULL || !tls_database_entry_fill(cert, entry, error))
        return false;
    fill_standing(cert, entry);
    return true;
}

static CERTCertificate *decode_cert(struct span der, char **error)
{
    SECItem item = {siDERCertBuffer, (unsigned char *)(uintptr_t)der.data, (unsigned int)der.size};
    CERTCertificate *cert = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &item, NULL, PR_FALSE, PR_TRUE);

    if (cert == NULL)
        tls_nss_fail(error, "this is not a certificate");
    return cert;
}

bool tls_database_describe(struct span der, struct tls_database_entry *entry, char **error)
{
    SCOPED_CERT cert = decode_cert(der, error);

    *entry = (struct tls_database_entry){.der = NULL};
    return cert != NULL && tls_database_entry_fill(cert, entry, error);
}

/* Changes */

bool tls_database_store_cert(CERTCertificate *cert, char **error)
{
    SCOPED_SLOT slot = PK11_GetInternalKeySlot();
    char label[TLS_SHA256_HEX_SIZE];

    /* The label is for other tools' lists; here nothing is ever found by it. */
    tls_database_fingerprint(&cert->derCert, label);
    if (slot == NULL || PK11_ImportCert(slot, cert, CK_INVALID_HANDLE, label, PR_FALSE) != SECSuccess)
        return tls_nss_fail(error, "the certificate cannot be stored");
    return true;
}

bool tls_database_import_cert(struct span der, char sha256[65], unsigned *added, char **error)
{
    SCOPED_CERT cert = decode_cert(der, error);
    SCOPED_CERT stored = NULL;
    char *not_there = NULL;

    *added = TLS_DATABASE_ADDED_NOTHING;
    if (cert == NULL)
        return false;
    tls_database_fingerprint(&cert->derCert, sha256);
    stored = tls_database_cert(sha256, &not_there);
    free(not_there);
    if (stored != NULL)
        return true;
    if (!tls_database_store_cert(cert, error))
        return false;
    *added = TLS_DATABASE_ADDED_CERT;
    return true;
}

bool tls_database_set_trust(const char *sha256, unsigned trust, char **error)
{
    SCOPED_CERT cert = tls_database_cert(sha256, error);
    CERTCertTrust flags = {.sslFlags = 0};

    if (cert == NULL)
        return false;
    if (trust != TLS_DATABASE_TRUST_NONE && !tls_database_is_ca(cert)) {
        *error = base_strdup("only the certificate of an authority (basic constraints: CA) can be trusted");
        return false;
    }
    if (trust != TLS_DATABASE_TRUST_NONE)
        flags.sslFlags |= CERTDB_VALID_CA;
    if (trust & TLS_DATABASE_TRUST_SERVER)
        flags.sslFlags |= CERTDB_TRUSTED_CA;
    if (trust & TLS_DATABASE_TRUST_CLIENT)
        flags.sslFlags |= CERTDB_TRUSTED_CLIENT_CA;
    if (CERT_ChangeCertTrust(CERT_GetDefaultCertDB(), cert, &flags) != SECSuccess)
        return tls_nss_fail(error, "the trust cannot be set");
    return true;
}

/* Whether another certificate of the database has the same public key. */
static bool key_is_shared(const CERTCertificate *cert, CERTCertList *certs)
{
    for (CERTCertListNode *n = CERT_LIST_HEAD(certs); !CERT_LIST_END(n, certs); n = CERT_LIST_NEXT(n))
        if (SECITEM_CompareItem(&n->cert->derCert, &cert->derCert) != SECEqual &&
            SECITEM_CompareItem(&n->cert->derPublicKey, &cert->derPublicKey) == SECEqual)
            return true;
    return false;
}

/* The public half that key generation left beside the private one. */
static void delete_public_key(CERTCertificate *cert)
{
    SCOPED_SLOT slot = PK11_GetInternalKeySlot();
    SECKEYPublicKeyList *keys = slot == NULL ? NULL : PK11_ListPublicKeysInSlot(slot, NULL);

    if (keys == NULL)
        return;
    for (SECKEYPublicKeyListNode *n = PUBKEY_LIST_HEAD(keys); !PUBKEY_LIST_END(n, keys); n = PUBKEY_LIST_NEXT(n)) {
        SCOPED_ITEM spki = SECKEY_EncodeDERSubjectPublicKeyInfo(n->key);
        SECKEYPublicKey *mine; /* deleting takes the reference */

        if (spki == NULL || SECITEM_CompareItem(spki, &cert->derPublicKey) != SECEqual)
            continue;
        mine = SECKEY_CopyPublicKey(n->key);
        if (mine != NULL)
            PK11_DeleteTokenPublicKey(mine);
    }
    SECKEY_DestroyPublicKeyList(keys);
}

enum delete_cert { KEEP_CERT, DELETE_CERT };

/* The key first: when that fails nothing is lost yet, and a key without its certificate could not be found again. Takes
 * `key`, which may be NULL. */
static bool delete_parts(CERTCertificate *cert, SECKEYPrivateKey *key, enum delete_cert delete_cert, char **error)
{
    if (key != NULL) {
        if (PK11_DeleteTokenPrivateKey(key, PR_TRUE) != SECSuccess)
            return tls_nss_fail(error, "the private key cannot be deleted");
        delete_public_key(cert);
    }
    if (delete_cert == DELETE_CERT && SEC_DeletePermCertificate(cert) != SECSuccess)
        return tls_nss_fail(error, key == NULL ? "the certificate cannot be deleted"
                                               : "the private key is deleted, but its certificate cannot be");
    return true;
}

bool tls_database_delete(const char *sha256, enum tls_database_delete_key delete_key, char **error)
{
    SCOPED_CERT cert = tls_database_cert(sha256, error);
    SCOPED_CERT_LIST certs = cert == NULL ? NULL : list_certs(error);
    SCOPED_PRIVATE_KEY key = NULL;

    if (certs == NULL)
        return false;
    key = key_is_shared(cert, certs) ? NULL : PK11_FindKeyByAnyCert(cert, NULL);
    if (key != NULL && delete_key == TLS_DATABASE_KEEP_KEY) {
        *error = base_strdup("the certificate has a private key in the database, which would be of no more use; say "
                             "that the key is to be deleted too");
        return false;
    }
    return delete_parts(cert, SCOPE_TAKE(key), DELETE_CERT, error);
}

bool tls_database_take_back(const char *sha256, unsigned added, char **error)
{
    SCOPED_CERT cert = added == TLS_DATABASE_ADDED_NOTHING ? NULL : tls_database_cert(sha256, error);

    if (added == TLS_DATABASE_ADDED_NOTHING)
        return true;
    return cert != NULL && delete_parts(cert, added & TLS_DATABASE_ADDED_KEY ? PK11_FindKeyByAnyCert(cert, NULL) : NULL,
                                        added & TLS_DATABASE_ADDED_CERT ? DELETE_CERT : KEEP_CERT, error);
}
