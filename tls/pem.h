/* tls/pem.h: the blocks of a PEM file in a list: keys, certificates and requests. The one reader is base/pem.h's.
 *
 * Encrypted PEM keys ("ENCRYPTED PRIVATE KEY", "Proc-Type:" headers) are refused, not decrypted.
 * Needs no initialised NSS. Threads: no state. On failure *error has a sentence, owned by the caller, that names the
 * file, and the line where there is one. */
#ifndef YETT_TLS_PEM_H
#define YETT_TLS_PEM_H

#include "base/file.h"
#include "base/pem.h"

/* Largest file read, and the most blocks taken from one. */
enum { TLS_PEM_FILE_MAX = 4 * 1024 * 1024, TLS_PEM_BLOCKS_MAX = 4096 };

/* What a file may have in it. */
extern const struct base_pem_file tls_pem_identity;     /* certificates and a key; parameters are passed over */
extern const struct base_pem_file tls_pem_certificates; /* certificates; a key beside them is passed over */
extern const struct base_pem_file tls_pem_keys;         /* keys; certificates beside them are passed over */
extern const struct base_pem_file tls_pem_request;      /* certificate requests */

struct tls_pem_block {
    enum base_pem_kind kind;
    char label[BASE_PEM_LABEL_MAX + 1];
    unsigned line; /* of the file, where the block begins */
    uint8_t *der;  /* may be a private key: wiped by tls_pem_clear() */
    size_t size;   /* bytes */
};

struct tls_pem {
    struct tls_pem_block *blocks;
    size_t count; /* at least 1 */
};

/* All blocks of `text` that the file takes, in order; `name` is for messages. All or nothing. */
MUST_CHECK bool tls_pem_parse(struct span text, const struct base_pem_file *file, const char *name, struct tls_pem *pem,
                              char **error);

/* As tls_pem_parse(), of a file. The bytes read are wiped. With BASE_FILE_KEY a key in the file must be kept as one
 * (base/file.h); a file without a key need not be. */
MUST_CHECK bool tls_pem_read_file(const char *path, const struct base_pem_file *file, enum base_file_access access,
                                  struct tls_pem *pem, char **error);

/* Wipes and frees. */
void tls_pem_clear(struct tls_pem *pem);

#endif
