/* pkix/pem.h: certificates and CRLs in text files.
 *
 * Finds the blocks of one label in a file (the format is base/pem.h's) and hands out DER. Blocks of other labels are
 * passed over. */
#ifndef YETT_PKIX_PEM_H
#define YETT_PKIX_PEM_H

#include "base/span.h"

enum { PKIX_FILE_SIZE_MAX = 64 * 1024 * 1024 };

/* Called for each block with its DER, lent; `origin` is "FILE: certificate N", for messages. Returns false with *error
 * to stop. */
typedef bool pkix_pem_visit(void *ctx, struct span der, const char *origin, char **error);

/* A whole file of at most PKIX_FILE_SIZE_MAX bytes; *data is the caller's to free(). */
MUST_CHECK bool pkix_file_read(const char *path, uint8_t **data, size_t *size, char **error);

/* All "-----BEGIN label-----" blocks of a text. `label` "CERTIFICATE" also finds "X509 CERTIFICATE". *count says how
 * many there were. False with *error when one does not decode or the visitor says so. */
MUST_CHECK bool pkix_pem_each(struct span text, const char *label, const char *path, pkix_pem_visit *visit, void *ctx,
                              size_t *count, char **error);

/* A PEM or DER file, or each *.pem, *.crt, *.cer, *.crl, *.der and *.0-*.9 file of a directory. At least one block
 * is required in a file, and in a directory as a whole. */
MUST_CHECK bool pkix_pem_each_path(const char *path, const char *label, pkix_pem_visit *visit, void *ctx, char **error);

#endif
