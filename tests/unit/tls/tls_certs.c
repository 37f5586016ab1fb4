/* see tls_certs.h */
#include "tls_certs.h"

#include "base/nss_scope.h"
#include "tls/pem.h"
#include "tls/runtime_internal.h"

#include <certdb.h>
#include <cryptohi.h>
#include <prnetdb.h>
#include <prtime.h>
#include <secoid.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILES_MAX = 128, KEY_ID_SIZE = 8 };

struct authority {
    uint8_t key_id[KEY_ID_SIZE];
    SECKEYPrivateKey *key;
    SECKEYPublicKey *public_key;
    CERTCertificate *cert;
};

struct test_certs {
    char directory[64];
    char *files[FILES_MAX];
    size_t file_count;
    unsigned long serial;
    struct authority root, intermediate, other;
    SECKEYPrivateKey *rsa; /* made once: RSA keys take their time */
    SECKEYPublicKey *rsa_public;
};

static SECKEYPrivateKey *make_key(enum test_key type, SECKEYPublicKey **public_key)
{
    SCOPED_SLOT slot = PK11_GetInternalSlot();
    SECKEYPrivateKey *key;

    if (type == TEST_KEY_P256 || type == TEST_KEY_P384) {
        const SECOidData *curve =
            SECOID_FindOIDByTag(type == TEST_KEY_P256 ? SEC_OID_ANSIX962_EC_PRIME256V1 : SEC_OID_SECG_EC_SECP384R1);
        uint8_t encoded[16] = {SEC_ASN1_OBJECT_ID, (uint8_t)curve->oid.len};
        SECItem parameters = {.data = encoded, .len = curve->oid.len + 2};

        memcpy(encoded + 2, curve->oid.data, curve->oid.len);
        key = PK11_GenerateKeyPair(slot, CKM_EC_KEY_PAIR_GEN, &parameters, public_key, PR_FALSE, PR_FALSE, NULL);
    } else {
        PK11RSAGenParams parameters = {.keySizeInBits = type == TEST_KEY_RSA_1024 ? 1024 : 2048, .pe = 65537};

        key = PK11_GenerateKeyPair(slot, CKM_RSA_PKCS_KEY_PAIR_GEN, &parameters, public_key, PR_FALSE, PR_FALSE, NULL);
    }
    assert_non_null(key);
    return key;
}

static void add_extension(void *extensions, SECOidTag tag, const void *data, size_t size, PRBool critical)
{
    SECItem value = {.data = base_memdup(data, size), .len = (unsigned)size};

    assert_int_equal(CERT_AddExtension(extensions, (int)tag, &value, critical, PR_TRUE), SECSuccess);
    free(value.data);
}

static void add_names(void *extensions, const char *const *names, size_t count)
{
    SCOPED_ARENA arena = PORT_NewArena(1024);
    CERTGeneralName *first = NULL;
    SECItem encoded = {0};

    for (size_t i = 0; i < count && names[i] != NULL; i++) {
        CERTGeneralName *name = PORT_ArenaZAlloc(arena, sizeof(*name));
        PRNetAddr address;

        if (strncmp(names[i], "ip:", 3) == 0) {
            assert_int_equal(PR_StringToNetAddr(names[i] + 3, &address), PR_SUCCESS);
            name->type = certIPAddress;
            name->name.other.data = PORT_ArenaZAlloc(arena, 4);
            memcpy(name->name.other.data, &address.inet.ip, 4);
            name->name.other.len = 4;
        } else {
            name->type = certDNSName;
            name->name.other.data = (unsigned char *)PORT_ArenaStrdup(arena, names[i]);
            name->name.other.len = (unsigned)strlen(names[i]);
        }
        PR_INIT_CLIST(&name->l);
        if (first == NULL)
            first = name;
        else
            PR_INSERT_BEFORE(&name->l, &first->l);
    }
    if (first == NULL)
        return;
    assert_int_equal(CERT_EncodeAltNameExtension(arena, first, &encoded), SECSuccess);
    add_extension(extensions, SEC_OID_X509_SUBJECT_ALT_NAME, encoded.data, encoded.len, PR_FALSE);
}

static void add_key_id(void *extensions, const struct authority *issuer)
{
    uint8_t value[] = {0x30, KEY_ID_SIZE + 2, 0x80, KEY_ID_SIZE, 0, 0, 0, 0, 0, 0, 0, 0};

    memcpy(value + 4, issuer->key_id, KEY_ID_SIZE);
    add_extension(extensions, SEC_OID_X509_AUTH_KEY_ID, value, sizeof(value), PR_FALSE);
}

static void add_leaf_extensions(CERTCertificate *cert, const struct test_leaf *leaf, const struct authority *issuer)
{
    static const uint8_t key_usage[] = {3, 2, 7, 0x80};
    static const uint8_t server[] = {0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1};
    static const uint8_t client[] = {0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2};
    static const uint8_t policies[] = {0x30, 9, 0x30, 7, 6, 5, 0x67, 0x81, 0x0c, 1, 1};
    void *extensions = CERT_StartCertExtensions(cert);

    add_extension(extensions, SEC_OID_X509_KEY_USAGE, key_usage, sizeof(key_usage), PR_TRUE);
    add_extension(extensions, SEC_OID_X509_EXT_KEY_USAGE, leaf->use == TEST_USE_SERVER ? server : client,
                  sizeof(server), PR_FALSE);
    if (leaf->has_policy)
        add_extension(extensions, SEC_OID_X509_CERTIFICATE_POLICIES, policies, sizeof(policies), PR_FALSE);
    add_names(extensions, leaf->names, ARRAY_LEN(leaf->names));
    add_key_id(extensions, issuer);
    assert_int_equal(CERT_FinishExtensions(extensions), SECSuccess);
}

static void add_ca_extensions(CERTCertificate *cert, const struct authority *made, const struct authority *issuer)
{
    uint8_t key_id[] = {4, KEY_ID_SIZE, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t key_usage[] = {3, 2, 1, 0x06};
    static const uint8_t constraints[] = {0x30, 3, 1, 1, 0xff};
    void *extensions = CERT_StartCertExtensions(cert);

    add_extension(extensions, SEC_OID_X509_BASIC_CONSTRAINTS, constraints, sizeof(constraints), PR_TRUE);
    add_extension(extensions, SEC_OID_X509_KEY_USAGE, key_usage, sizeof(key_usage), PR_TRUE);
    memcpy(key_id + 2, made->key_id, KEY_ID_SIZE);
    add_extension(extensions, SEC_OID_X509_SUBJECT_KEY_ID, key_id, sizeof(key_id), PR_FALSE);
    if (issuer != NULL)
        add_key_id(extensions, issuer);
    assert_int_equal(CERT_FinishExtensions(extensions), SECSuccess);
}

/* A certificate of `subject`, signed by `issuer` (NULL: by `key` itself). With `made` it is an authority's; `leaf` says
 * its dates then, and may be NULL. */
static CERTCertificate *make_cert(struct test_certs *certs, const char *subject, SECKEYPublicKey *public_key,
                                  SECKEYPrivateKey *key, const struct authority *issuer, const struct test_leaf *leaf,
                                  const struct authority *made)
{
    static const struct test_leaf authority_leaf = {0};
    const struct test_leaf *of = leaf == NULL ? &authority_leaf : leaf;
    PRTime day = (PRTime)86400 * PR_USEC_PER_SEC;
    bool dated = of->days_from != 0 || of->days_to != 0;
    CERTName *name = CERT_AsciiToName(subject);
    CERTName *issuer_name = CERT_AsciiToName(issuer == NULL ? subject : issuer->cert->subjectName);
    CERTValidity *validity = CERT_CreateValidity(PR_Now() + (dated ? of->days_from : -1) * day,
                                                 PR_Now() + (dated ? of->days_to : 365) * day);
    CERTSubjectPublicKeyInfo *spki = SECKEY_CreateSubjectPublicKeyInfo(public_key);
    CERTCertificateRequest *request;
    CERTCertificate *cert, *whole_cert;
    SECItem body = {0}, whole = {0};
    SECOidTag algorithm = SEC_OID_ANSIX962_ECDSA_SHA256_SIGNATURE;

    assert_true(name != NULL && issuer_name != NULL && validity != NULL && spki != NULL);
    if (leaf != NULL && leaf->key == TEST_KEY_RSA_PSS) {
        assert_int_equal(SECOID_SetAlgorithmID(spki->arena, &spki->algorithm, SEC_OID_PKCS1_RSA_PSS_SIGNATURE, NULL),
                         SECSuccess);
        spki->algorithm.parameters = (SECItem){0};
    }
    request = CERT_CreateCertificateRequest(name, spki, NULL);
    cert = CERT_CreateCertificate(++certs->serial, issuer_name, validity, request);
    assert_non_null(cert);
    cert->version.data[0] = SEC_CERTIFICATE_VERSION_3;
    if (made != NULL)
        add_ca_extensions(cert, made, issuer);
    else
        add_leaf_extensions(cert, leaf, issuer);
    assert_int_equal(SECOID_SetAlgorithmID(cert->arena, &cert->signature, algorithm, NULL), SECSuccess);
    assert_non_null(SEC_ASN1EncodeItem(cert->arena, &body, cert, SEC_ASN1_GET(CERT_CertificateTemplate)));
    assert_int_equal(
        SEC_DerSignData(cert->arena, &whole, body.data, (int)body.len, issuer == NULL ? key : issuer->key, algorithm),
        SECSuccess);
    whole_cert = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &whole, NULL, PR_FALSE, PR_TRUE);
    assert_non_null(whole_cert);
    CERT_DestroyCertificate(cert);
    CERT_DestroyCertificateRequest(request);
    SECKEY_DestroySubjectPublicKeyInfo(spki);
    CERT_DestroyValidity(validity);
    CERT_DestroyName(issuer_name);
    CERT_DestroyName(name);
    return whole_cert;
}

static void make_authority(struct test_certs *certs, const char *subject, const struct authority *issuer,
                           struct authority *made)
{
    made->key = make_key(TEST_KEY_P256, &made->public_key);
    assert_int_equal(PK11_GenerateRandom(made->key_id, sizeof(made->key_id)), SECSuccess);
    made->cert = make_cert(certs, subject, made->public_key, made->key, issuer, NULL, made);
}

struct test_certs *test_certs_create(void)
{
    struct test_certs *certs = base_alloc(sizeof(*certs));

    (void)snprintf(certs->directory, sizeof(certs->directory), "/tmp/yett-test-tls-XXXXXX");
    assert_non_null(mkdtemp(certs->directory));
    certs->serial = (unsigned long)getpid() * 1000;
    make_authority(certs, "CN=Test Root,O=yett", NULL, &certs->root);
    make_authority(certs, "CN=Test Intermediate,O=yett", &certs->root, &certs->intermediate);
    make_authority(certs, "CN=Other Root,O=yett", NULL, &certs->other);
    certs->rsa = make_key(TEST_KEY_RSA, &certs->rsa_public);
    return certs;
}

static void clear_authority(struct authority *a)
{
    CERT_DestroyCertificate(a->cert);
    SECKEY_DestroyPrivateKey(a->key);
    SECKEY_DestroyPublicKey(a->public_key);
}

void test_certs_destroy(struct test_certs **certs)
{
    struct test_certs *c = *certs;

    *certs = NULL;
    for (size_t i = 0; i < c->file_count; i++) {
        (void)unlink(c->files[i]);
        free(c->files[i]);
    }
    (void)rmdir(c->directory);
    clear_authority(&c->root);
    clear_authority(&c->intermediate);
    clear_authority(&c->other);
    SECKEY_DestroyPrivateKey(c->rsa);
    SECKEY_DestroyPublicKey(c->rsa_public);
    free(c);
}

const char *test_certs_file(struct test_certs *certs, const char *text)
{
    char *path = base_printf("%s/%zu.pem", certs->directory, certs->file_count);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0); /* it may have a key in it */
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_true(certs->file_count < FILES_MAX);
    certs->files[certs->file_count++] = path;
    return path;
}

static char *encode_cert(const CERTCertificate *cert)
{
    return base_pem_encode("CERTIFICATE", span_of(cert->derCert.data, cert->derCert.len));
}

static char *encode_key(SECKEYPrivateKey *key, const SECKEYPublicKey *public_key)
{
    uint8_t *der = NULL;
    size_t size = 0;
    char *pem;

    assert_true(tls_private_key_export(key, public_key, &der, &size));
    pem = base_pem_encode("PRIVATE KEY", span_of(der, size));
    base_wipe(der, size);
    free(der);
    return pem;
}

static const struct authority *issuer_of(const struct test_certs *certs, enum test_issuer issuer)
{
    switch (issuer) {
    case TEST_ISSUER_ROOT:
        return &certs->root;
    case TEST_ISSUER_INTERMEDIATE:
        return &certs->intermediate;
    case TEST_ISSUER_OTHER:
        return &certs->other;
    }
    return NULL;
}

CERTCertificate *test_certs_for_key(struct test_certs *certs, const struct test_leaf *leaf, SECKEYPublicKey *key)
{
    return make_cert(certs, leaf->subject == NULL ? "CN=leaf,O=yett" : leaf->subject, key, NULL,
                     issuer_of(certs, leaf->issuer), leaf, NULL);
}

CERTCertificate *test_certs_forge(struct test_certs *certs)
{
    static const struct test_leaf later = {.days_from = 0, .days_to = 3650};

    return make_cert(certs, certs->intermediate.cert->subjectName, certs->other.public_key, NULL, &certs->other, &later,
                     &certs->intermediate);
}

CERTCertificate *test_certs_stranger(struct test_certs *certs, const char *subject)
{
    return make_cert(certs, subject, certs->other.public_key, certs->other.key, NULL, NULL, &certs->other);
}

struct span test_certs_intermediate(const struct test_certs *certs)
{
    return span_of(certs->intermediate.cert->derCert.data, certs->intermediate.cert->derCert.len);
}

/* The parts of a leaf's file. */
static void make_leaf(struct test_certs *certs, const struct test_leaf *leaf, char **cert_text, char **key_text)
{
    SECKEYPublicKey *made_public = NULL;
    bool shared = leaf->key == TEST_KEY_RSA || leaf->key == TEST_KEY_RSA_PSS;
    SECKEYPrivateKey *made = shared ? NULL : make_key(leaf->key, &made_public);
    const char *subject = leaf->subject == NULL ? "CN=leaf,O=yett" : leaf->subject;
    CERTCertificate *cert = make_cert(certs, subject, shared ? certs->rsa_public : made_public,
                                      shared ? certs->rsa : made, issuer_of(certs, leaf->issuer), leaf, NULL);

    *cert_text = encode_cert(cert);
    *key_text = encode_key(shared ? certs->rsa : made, shared ? certs->rsa_public : made_public);
    CERT_DestroyCertificate(cert);
    if (!shared) {
        SECKEY_DestroyPrivateKey(made);
        SECKEY_DestroyPublicKey(made_public);
    }
}

const char *test_certs_leaf(struct test_certs *certs, const struct test_leaf *leaf)
{
    char *cert_text, *key_text, *chain_text, *all;
    const char *path;

    make_leaf(certs, leaf, &cert_text, &key_text);
    chain_text = leaf->issuer == TEST_ISSUER_INTERMEDIATE ? encode_cert(certs->intermediate.cert) : base_strdup("");
    all = base_printf("%s%s%s", cert_text, chain_text, key_text);
    path = test_certs_file(certs, all);
    free(cert_text);
    free(chain_text);
    base_wipe_string(&key_text);
    base_wipe_string(&all);
    return path;
}

const char *test_certs_leaf_below(struct test_certs *certs, const struct test_leaf *leaf, const CERTCertificate *above)
{
    char *cert_text, *key_text, *above_text = encode_cert(above), *all;
    const char *path;

    make_leaf(certs, leaf, &cert_text, &key_text);
    all = base_printf("%s%s%s", cert_text, above_text, key_text);
    path = test_certs_file(certs, all);
    free(cert_text);
    free(above_text);
    base_wipe_string(&key_text);
    base_wipe_string(&all);
    return path;
}

const char *test_certs_mismatch(struct test_certs *certs)
{
    static const struct test_leaf leaf = {0};
    char *cert_text[2], *key_text[2], *all;
    const char *path;

    for (size_t i = 0; i < 2; i++)
        make_leaf(certs, &leaf, &cert_text[i], &key_text[i]);
    all = base_printf("%s%s", cert_text[0], key_text[1]);
    path = test_certs_file(certs, all);
    for (size_t i = 0; i < 2; i++) {
        free(cert_text[i]);
        base_wipe_string(&key_text[i]);
    }
    base_wipe_string(&all);
    return path;
}

struct tls_identity *test_certs_identity(struct test_certs *certs, const struct test_leaf *leaf)
{
    struct tls_identity *identity = NULL;
    char *error = NULL;

    if (!tls_identity_open(TLS_IDENTITY_FILE, test_certs_leaf(certs, leaf), &identity, &error))
        fail_msg("%s", error);
    return identity;
}

struct span test_certs_root(const struct test_certs *certs)
{
    return span_of(certs->root.cert->derCert.data, certs->root.cert->derCert.len);
}

struct pkix_store *test_certs_store(const struct test_certs *certs)
{
    struct pkix_store *store = pkix_store_create();
    char *error = NULL;

    if (!pkix_store_add_anchor(store, test_certs_root(certs), &error))
        fail_msg("%s", error);
    return store;
}
