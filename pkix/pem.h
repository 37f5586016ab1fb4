/* pkix/pem.h: certificates and CRLs in files: PEM (base/pem.h has the rules) or DER, alone or a folder of them. */
#ifndef YETT_PKIX_PEM_H
#define YETT_PKIX_PEM_H

#include "base/pem.h"

enum { PKIX_FILE_SIZE_MAX = 64 * 1024 * 1024 };

/* What a file may have in it. */
extern const struct base_pem_file pkix_pem_certificates;
extern const struct base_pem_file pkix_pem_chain; /* certificates; a key beside them is passed over */
extern const struct base_pem_file pkix_pem_crls;

/* Called for each block with its DER, lent; `origin` is "FILE:LINE: certificate N", or the path of a DER file, for
 * messages. Returns false with *error to stop. */
typedef bool pkix_pem_visit(void *ctx, struct span der, const char *origin, char **error);

/* A whole file of at most PKIX_FILE_SIZE_MAX bytes to which not everybody may write; *data is the caller's to free().
 */
MUST_CHECK bool pkix_file_read(const char *path, uint8_t **data, size_t *size, char **error);

/* All blocks of a text that is for them. *count says how many there were. False with *error for any mistake in it, when
 * there is none, or the visitor says so. */
MUST_CHECK bool pkix_pem_each(struct span text, const struct base_pem_file *file, const char *path,
                              pkix_pem_visit *visit, void *ctx, size_t *count, char **error);

/* A PEM or DER file, or a folder's: of certificates each *.pem, *.crt, *.cer, *.der and *.0-*.9 file, of CRLs each
 * *.pem, *.crl, *.der and *.r0-*.r9. At least one block is required in a file, and in a folder as a whole; files of a
 * folder may have certificates and CRLs side by side. Not everybody may write to the file or folder. */
MUST_CHECK bool pkix_pem_each_path(const char *path, const struct base_pem_file *file, pkix_pem_visit *visit, void *ctx,
                                   char **error);

#endif
