/* see chains.h */
#include "chains.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

static EVP_PKEY *make_key(enum chain_kind kind)
{
    static const char *const curves[CHAIN_KIND_COUNT] = {"P-256", "P-384", "P-521"};
    static const unsigned rsa_bits[CHAIN_KIND_COUNT] = {
        [CHAIN_RSA2048] = 2048, [CHAIN_RSA4096] = 4096, [CHAIN_RSA8192] = 8192};
    EVP_PKEY *key = curves[kind] != NULL ? EVP_EC_gen(curves[kind]) : EVP_RSA_gen(rsa_bits[kind]);

    if (key == NULL)
        base_abort("no key");
    return key;
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    if (extension == NULL || X509_add_ext(cert, extension, -1) != 1)
        base_abort("no extension %s", value);
    X509_EXTENSION_free(extension);
}

enum cert_kind { CERT_ROOT, CERT_AUTHORITY, CERT_LEAF };

static struct span make_cert(enum cert_kind kind, const char *subject, EVP_PKEY *key, const char *issuer,
                             EVP_PKEY *signer, long serial)
{
    X509 *cert = X509_new();
    unsigned char *der = NULL;
    int size;
    struct span copy;

    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)subject, -1, -1,
                               0);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)issuer, -1, -1,
                               0);
    X509_set_pubkey(cert, key);
    add_extension(cert, NID_basic_constraints, kind == CERT_LEAF ? "critical,CA:FALSE" : "critical,CA:TRUE");
    add_extension(cert, NID_key_usage,
                  kind == CERT_LEAF ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign");
    if (kind == CERT_LEAF) {
        add_extension(cert, NID_ext_key_usage, "serverAuth");
        add_extension(cert, NID_subject_alt_name, "DNS:www.example.com");
    }
    if (X509_sign(cert, signer, EVP_sha256()) == 0)
        base_abort("no signature");
    size = i2d_X509(cert, &der);
    copy = span_of(base_memdup(der, (size_t)size), (size_t)size);
    OPENSSL_free(der);
    X509_free(cert);
    return copy;
}

void chain_make(struct chain *chain, enum chain_kind kind, unsigned candidates)
{
    EVP_PKEY *root = make_key(kind), *leaf = make_key(kind), *first = NULL;

    *chain = (struct chain){.root = make_cert(CERT_ROOT, "root", root, "root", root, 1)};
    for (unsigned i = 0; i < candidates; i++) {
        EVP_PKEY *key = make_key(kind);

        chain->intermediates[chain->intermediate_count++] = make_cert(CERT_AUTHORITY, "ca", key, "root", root, 2 + i);
        if (i == 0)
            first = key;
        else
            EVP_PKEY_free(key);
    }
    chain->leaf = make_cert(CERT_LEAF, "www.example.com", leaf, "ca", first, 1000);
    EVP_PKEY_free(root);
    EVP_PKEY_free(leaf);
    EVP_PKEY_free(first);
}

void chain_clear(struct chain *chain)
{
    free((void *)(uintptr_t)chain->root.data);
    free((void *)(uintptr_t)chain->leaf.data);
    for (size_t i = 0; i < chain->intermediate_count; i++)
        free((void *)(uintptr_t)chain->intermediates[i].data);
}
