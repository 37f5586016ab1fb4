/* base/pem.h: PEM (RFC 7468), text to bytes and back: the one reader for keys, certificates, requests and CRLs.
 *
 * Words: a *block* is what stands between one BEGIN line and its END line; its *label* is the text between the dashes
 * ("CERTIFICATE"); its *body* is the base64 in between; its *kind* is what labels of the same meaning have in common.
 *
 * One rule for every file: lines and the byte order mark are base/text.h's; blanks at both ends of a line, and blank
 * lines, do no harm (indented blocks are read); text before, between and after blocks is passed over. All else is a
 * mistake that is told with its line, for a block that is silently not there may be the CRL that revokes: a BEGIN or
 * END in a line that is no proper boundary, an END without its BEGIN, a block that does not end or is not base64, a
 * block that the file is not for, a file without any.
 * What it does not do: read files (base/file.h), decrypt, look into the bytes. Memory is bounded by the text. Pure. */
#ifndef YETT_BASE_PEM_H
#define YETT_BASE_PEM_H

#include "base/text.h"

enum { BASE_PEM_LABEL_MAX = 63 /* a longer one is no proper boundary */ };

/* What blocks are; bits. */
enum base_pem_kind {
    BASE_PEM_OTHER = 0,            /* any other label */
    BASE_PEM_CERTIFICATE = 1 << 0, /* CERTIFICATE, X509 CERTIFICATE */
    BASE_PEM_CRL = 1 << 1,         /* X509 CRL, CRL */
    BASE_PEM_KEY = 1 << 2,         /* PRIVATE KEY, RSA PRIVATE KEY, EC PRIVATE KEY */
    BASE_PEM_REQUEST = 1 << 3,     /* CERTIFICATE REQUEST, NEW CERTIFICATE REQUEST */
    BASE_PEM_PARAMETERS = 1 << 4,  /* EC PARAMETERS, DH PARAMETERS: openssl(1) and others put them beside a key */
};

/* What one kind of file takes. */
struct base_pem_file {
    unsigned take;      /* kinds that are handed out */
    unsigned pass;      /* kinds that may be there and are passed over */
    const char *what;   /* what the file is for, as "CRLs" */
    bool may_have_none; /* blocks that are passed over, and no other, are no mistake */
};

struct base_pem_block {
    enum base_pem_kind kind;
    struct span label, der; /* lent */
    unsigned line;          /* of its BEGIN line */
    size_t number;          /* among those handed out, from 1 */
};

/* Called for each block that the file takes, in order. False, with a sentence in *error, stops. */
typedef bool base_pem_visit(void *ctx, const struct base_pem_block *block, char **error);

/* All blocks of a text; `name` is for messages, which begin "NAME:LINE: " or "NAME: ". *count (may be NULL): how many
 * were handed out. False with *error, the caller's, for any mistake, and when none was handed out; what was handed out
 * before stays so. Decoded bytes are wiped when the visitor returns. */
MUST_CHECK bool base_pem_each(struct span text, const char *name, const struct base_pem_file *file,
                              base_pem_visit *visit, void *ctx, size_t *count, char **error);

/* Base64 (RFC 4648 section 4) with its padding, in lines or not. False when it is empty or anything else. The caller
 * frees *data, and wipes it before if it may be a key. */
MUST_CHECK bool base_pem_decode(struct span body, uint8_t **data, size_t *size);

/* One block with its BEGIN and END lines, 64 columns. Owned by the caller, who wipes it if it is a key. */
char *base_pem_encode(const char *label, struct span data);

#endif
