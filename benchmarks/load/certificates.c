/* load certificates: many of them quickly, for configurations with a service for each. */
#include "load.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    if (extension == NULL || X509_add_ext(cert, extension, -1) != 1)
        load_die("an extension");
    X509_EXTENSION_free(extension);
}

static X509 *make_certificate(EVP_PKEY *key, unsigned long number)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    char text[64];

    snprintf(text, sizeof(text), "host%lu.example.org", number);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), (long)number + 1);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (unsigned char *)text, -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 30L * 86400);
    X509_set_pubkey(cert, key);
    add_extension(cert, NID_basic_constraints, "critical,CA:FALSE");
    snprintf(text, sizeof(text), "DNS:host%lu.example.org", number);
    add_extension(cert, NID_subject_alt_name, text);
    if (X509_sign(cert, key, EVP_sha256()) == 0)
        load_die("X509_sign");
    return cert;
}

void load_run_certificates(const struct load_options *o)
{
    umask(077);
    for (unsigned long i = 0; i < o->count; i++) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *cert = make_certificate(key, i);
        char path[4096];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%lu.pem", o->folder, i);
        file = fopen(path, "w");
        if (file == NULL || PEM_write_X509(file, cert) != 1 ||
            PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1 || fclose(file) != 0)
            load_die(path);
        X509_free(cert);
        EVP_PKEY_free(key);
    }
    printf("{\"count\": %lu}\n", o->count);
}
