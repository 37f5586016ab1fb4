/* tls/identity_file.h: a PEM file with an identity in it, taken apart: its certificates, and its one private key.
 *
 * For those who give the two to different processes (proxy/supervisor/file_keys.h), and for tls_identity_open(). What
 * the bytes are good for is not asked here, nor whether certificate and key belong together.
 * Needs no initialised NSS, but for tls_identity_file_id(). Threads: no state. */
#ifndef YETT_TLS_IDENTITY_FILE_H
#define YETT_TLS_IDENTITY_FILE_H

#include "tls/pem.h"

enum { TLS_IDENTITY_FILE_ID_SIZE = 32 };

struct tls_identity_file {
    struct tls_pem pem;
    struct span *certs; /* DER, in the order of the file: the leaf is the first; into `pem` */
    size_t cert_count;  /* at least 1 */
    uint8_t *pkcs8;     /* the private key: wiped by tls_identity_file_clear() */
    size_t pkcs8_size;
};

/* False, with a sentence that begins with the path, when the file cannot be had (base/file.h, BASE_FILE_KEY), is not
 * PEM, or has not one certificate and exactly one private key that is not encrypted. */
MUST_CHECK bool tls_identity_file_read(const char *path, struct tls_identity_file *file, char **error);
void tls_identity_file_clear(struct tls_identity_file *file); /* wipes the key, and frees */

/* A name for this leaf and this key, and for no other two: SHA-256 of `salt`, which others must not know, and them. */
MUST_CHECK bool tls_identity_file_id(const struct tls_identity_file *file, struct span salt,
                                     uint8_t id[TLS_IDENTITY_FILE_ID_SIZE]);

#endif
