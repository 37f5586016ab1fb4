/* see tls/manage/database.h: PKCS#12 (RFC 7292) in and out. */
#include "base/nss_scope.h"
#include "base/buffer.h"
#include "tls/manage/database.h"
#include "tls/manage/database_internal.h"
#include "tls/runtime_internal.h"

#include <p12.h>
#include <p12plcy.h>
#include <stdlib.h>

enum { PKCS12_PASSWORD_MAX = 1024, PKCS12_OUT_MAX = 1024 * 1024 };

/* In */

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

/* A certificate of the file, and what of it the database does not have yet. */
struct wanted {
    char sha256[TLS_SHA256_HEX_SIZE];
    unsigned added;
};

static unsigned missing_of(CERTCertificate *cert, const char *sha256)
{
    char *not_there = NULL;
    SCOPED_CERT stored = tls_database_cert(sha256, &not_there);
    SCOPED_PRIVATE_KEY key = PK11_FindKeyByAnyCert(cert, NULL);

    free(not_there);
    return (stored == NULL ? TLS_DATABASE_ADDED_CERT : 0u) | (key == NULL ? TLS_DATABASE_ADDED_KEY : 0u);
}

/* Owned by the caller. */
static struct wanted *list_wanted(SEC_PKCS12DecoderContext *decoder, size_t *count)
{
    SCOPED_CERT_LIST certs = SEC_PKCS12DecoderGetCerts(decoder);
    struct wanted *list = NULL;

    *count = 0;
    if (certs == NULL)
        return NULL;
    for (CERTCertListNode *n = CERT_LIST_HEAD(certs); !CERT_LIST_END(n, certs); n = CERT_LIST_NEXT(n)) {
        list = base_realloc_array(list, *count + 1, sizeof(*list));
        tls_database_fingerprint(&n->cert->derCert, list[*count].sha256);
        list[*count].added = missing_of(n->cert, list[*count].sha256);
        ++*count;
    }
    return list;
}

/* NSS stores one after the other and stops where it fails. */
static void take_back(const struct wanted *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *not_there = NULL;

        (void)!tls_database_take_back(list[i].sha256, list[i].added, &not_there);
        free(not_there);
    }
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
    struct wanted *wanted = NULL;
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
        wanted = list_wanted(decoder, count);
        ok = SEC_PKCS12DecoderImportBags(decoder) == SECSuccess;
    }
    if (readable && !ok) {
        tls_nss_fail(error, "the certificates and keys of the PKCS#12 file cannot be stored");
        take_back(wanted, *count);
    }
    free(wanted);
    SEC_PKCS12DecoderFinish(decoder);
    return ok;
}

/* Out */

struct output {
    struct buffer bytes;
    bool full;
};

static void PR_CALLBACK take_output(void *arg, const char *data, unsigned long size)
{
    struct output *output = arg;

    output->full = output->full || !buffer_append(&output->bytes, span_of(data, size));
}

/* The certificate with the issuers that the database has, in one encrypted part; the key, encrypted by itself, in
 * another. What is neither secret nor named by us is what OpenSSL 3 and GnuTLS write too: PBES2 with AES-256-CBC, and a
 * MAC with SHA-256. NSS converts the password, which is UTF-8, as each of them wants it. */
static bool encode(CERTCertificate *cert, SECItem *password, struct output *output, char **error)
{
    SCOPED_SLOT slot = PK11_GetInternalKeySlot();
    SEC_PKCS12ExportContext *context = slot == NULL ? NULL : SEC_PKCS12CreateExportContext(NULL, NULL, slot, NULL);
    SEC_PKCS12SafeInfo *certs = NULL, *keys = NULL;
    bool done = context != NULL && SEC_PKCS12AddPasswordIntegrity(context, password, SEC_OID_SHA256) == SECSuccess;

    if (done) {
        keys = SEC_PKCS12CreateUnencryptedSafe(context);
        certs = SEC_PKCS12CreatePasswordPrivSafe(context, password, SEC_OID_AES_256_CBC);
    }
    done = keys != NULL && certs != NULL &&
           SEC_PKCS12AddCertOrChainAndKey(context, certs, NULL, cert, CERT_GetDefaultCertDB(), keys, NULL, PR_TRUE,
                                          password, SEC_OID_AES_256_CBC, PR_TRUE) == SECSuccess &&
           SEC_PKCS12Encode(context, take_output, output) == SECSuccess;
    if (!done)
        tls_nss_fail(error, "the PKCS#12 file cannot be made");
    if (context != NULL)
        SEC_PKCS12DestroyExportContext(context);
    if (done && output->full) {
        *error = base_printf("the PKCS#12 file would be larger than %d bytes", PKCS12_OUT_MAX);
        return false;
    }
    return done;
}

bool tls_database_export_pkcs12(const char *sha256, const char *password, uint8_t **der, size_t *size, char **error)
{
    SCOPED_CERT cert = tls_database_cert(sha256, error);
    SCOPED_PRIVATE_KEY key = cert == NULL ? NULL : PK11_FindKeyByAnyCert(cert, NULL);
    SECItem secret = {siBuffer, (unsigned char *)(uintptr_t)password, (unsigned)strlen(password)};
    struct output output = {.full = false};
    bool done;

    *der = NULL;
    *size = 0;
    if (cert == NULL)
        return false;
    if (key == NULL) {
        *error = base_strdup("the certificate's private key is not in the database");
        return false;
    }
    if (password[0] == '\0' || secret.len > PKCS12_PASSWORD_MAX) {
        *error = base_printf("the password of a PKCS#12 file has 1 to %d bytes", PKCS12_PASSWORD_MAX);
        return false;
    }
    if (!tls_database_key_may_leave(key, error))
        return false;
    buffer_init(&output.bytes, PKCS12_OUT_MAX);
    PORT_SetUCS2_ASCIIConversionFunction(convert_text);
    done = encode(cert, &secret, &output, error);
    if (done) {
        *size = output.bytes.size;
        *der = base_memdup(buffer_span(&output.bytes).data, *size);
    }
    buffer_release(&output.bytes);
    return done;
}
