/* base/pem.h: PEM (RFC 7468), text to bytes and back: the one reader for keys, certificates, requests and CRLs.
 *
 * Words: a *block* is what stands between one BEGIN line and its END line; its *label* is the text between the dashes
 * ("CERTIFICATE"); its *body* is the base64 in between. Text between blocks is passed over. Blanks at the ends of
 * lines, CR before LF, and blank lines do no harm.
 * What it does not do: files, sentences, decrypting. Memory is bounded by the text that is given. Pure. */
#ifndef YETT_BASE_PEM_H
#define YETT_BASE_PEM_H

#include "base/span.h"

enum { BASE_PEM_LABEL_MAX = 63 /* a longer one is text, and no block */ };

enum base_pem_status {
    BASE_PEM_BLOCK,      /* *label and *body are set */
    BASE_PEM_END,        /* there are no more */
    BASE_PEM_NO_END,     /* the block never ends */
    BASE_PEM_OTHER_END,  /* it ends with another label than it began with */
    BASE_PEM_HAS_HEADERS /* "Proc-Type: 4,ENCRYPTED" and the like (RFC 1421), as of an encrypted key */
};

/* The next block of *text, which moves on past it, or, when it is broken, past where that shows. *label is set for all
 * but BASE_PEM_END. Both spans are lent from the text. */
MUST_CHECK enum base_pem_status base_pem_next(struct span *text, struct span *label, struct span *body);

/* Base64 (RFC 4648 section 4) with its padding, in lines or not. False when it is empty or anything else. The caller
 * frees *data, and wipes it before if it may be a key. */
MUST_CHECK bool base_pem_decode(struct span body, uint8_t **data, size_t *size);

/* One block with its BEGIN and END lines, 64 columns. Owned by the caller, who wipes it if it is a key. */
char *base_pem_encode(const char *label, struct span data);

#endif
