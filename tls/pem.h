/* tls/pem.h: PEM files in and out: keys, certificates and requests. The format is base/pem.h's.
 *
 * Encrypted PEM keys ("ENCRYPTED PRIVATE KEY", "Proc-Type:" headers) are refused, not decrypted.
 * Needs no initialised NSS. Threads: no state. On failure *error has a sentence, owned by the caller, that names the
 * file. */
#ifndef YETT_TLS_PEM_H
#define YETT_TLS_PEM_H

#include "base/pem.h"

/* Largest file read, and the most blocks taken from one. */
enum { TLS_PEM_FILE_MAX = 4 * 1024 * 1024, TLS_PEM_BLOCKS_MAX = 4096 };

struct tls_pem_block {
    char label[BASE_PEM_LABEL_MAX + 1];
    uint8_t *der; /* may be a private key: wiped by tls_pem_clear() */
    size_t size;  /* bytes */
};

struct tls_pem {
    struct tls_pem_block *blocks;
    size_t count;
};

/* All blocks of `text`, in order; `name` is for messages. A text without any block is a failure. All or nothing. */
MUST_CHECK bool tls_pem_parse(struct span text, const char *name, struct tls_pem *pem, char **error);

/* As tls_pem_parse(), of a file. The bytes read are wiped. */
MUST_CHECK bool tls_pem_read_file(const char *path, struct tls_pem *pem, char **error);

/* Wipes and frees. */
void tls_pem_clear(struct tls_pem *pem);

/* The whole contents of a file of at most `size_max` bytes; the caller wipes (if secret) and frees *data, which has a
 * NUL after its last byte. */
MUST_CHECK bool tls_file_read(const char *path, size_t size_max, uint8_t **data, size_t *size, char **error);

/* One block with its BEGIN and END lines, 64 columns. Owned by the caller, who wipes it if it is a key. */
char *tls_pem_encode(const char *label, struct span der);

/* TLS_PEM_PUBLIC: mode 0644, an existing file is replaced at once and whole (written beside it, then renamed).
 * TLS_PEM_SECRET: mode 0600, and an existing file is never touched: that is a failure. */
enum tls_pem_access { TLS_PEM_PUBLIC, TLS_PEM_SECRET };
MUST_CHECK bool tls_pem_write_file(const char *path, enum tls_pem_access access, const char *text, char **error);

/* As TLS_PEM_SECRET, of any bytes. */
MUST_CHECK bool tls_file_write_secret(const char *path, struct span bytes, char **error);

#endif
