/* base/der_write.h: writing DER (X.690), the one writer of elements.
 *
 * Begin an element, write its contents, end it: its head goes in before them when their size is known. The buffer's
 * ceiling must be above all that is written: running into it is a broken contract. Secrets: a buffer whose room was
 * reserved beforehand is not moved, and so leaves nothing behind that buffer_wipe() does not find. */
#ifndef YETT_BASE_DER_WRITE_H
#define YETT_BASE_DER_WRITE_H

#include "base/buffer.h"
#include "base/der_read.h"

enum { DER_HEAD_SIZE_MAX = 6 /* tag and length of one element */ };

size_t der_write_begin(struct buffer *out);
void der_write_end(struct buffer *out, size_t mark, unsigned tag);

/* Bytes that are whole elements already. */
void der_write_raw(struct buffer *out, struct span bytes);

void der_write(struct buffer *out, unsigned tag, struct span contents);
void der_write_unsigned(struct buffer *out, struct span number); /* big-endian bytes to INTEGER */
void der_write_bit_string(struct buffer *out, struct span bits); /* of whole bytes */

#endif
