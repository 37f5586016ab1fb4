/* base/der_read.h: walking over DER (X.690), the one reader of elements.
 *
 * A struct der is a cursor that cannot run past its end. What is refused: tags of more than one byte, indefinite and
 * too long lengths, and, but for DER_LOOSE, lengths that are not in their shortest form. Nothing is copied: every span
 * given out borrows the bytes read. What a value means, and whether it is good, is said by those who read it
 * (pkix/der.h).
 *
 * Sizes: DER_SMALL (certificates, OCSP) takes lengths to 65,535 bytes; DER_LARGE (CRLs) to 2^32 - 1. DER_LOOSE is as
 * large, for what a token keeps: it is looked into, not judged. */
#ifndef YETT_BASE_DER_READ_H
#define YETT_BASE_DER_READ_H

#include "base/span.h"

/* Tags. (DER_SEQUENCE and its like are macros of NSS, with other values.) */
enum {
    ASN1_BOOLEAN = 0x01,
    ASN1_INTEGER = 0x02,
    ASN1_BIT_STRING = 0x03,
    ASN1_OCTET_STRING = 0x04,
    ASN1_NULL = 0x05,
    ASN1_OID = 0x06,
    ASN1_ENUMERATED = 0x0a,
    ASN1_UTF8_STRING = 0x0c,
    ASN1_PRINTABLE_STRING = 0x13,
    ASN1_TELETEX_STRING = 0x14,
    ASN1_IA5_STRING = 0x16,
    ASN1_UTC_TIME = 0x17,
    ASN1_GENERALIZED_TIME = 0x18,
    ASN1_UNIVERSAL_STRING = 0x1c,
    ASN1_BMP_STRING = 0x1e,
    ASN1_SEQUENCE = 0x30,
    ASN1_SET = 0x31,
    ASN1_CONTEXT = 0x80,
    ASN1_CONTEXT_CONSTRUCTED = 0xa0,
};

enum { DER_SMALL_SIZE_MAX = 65535 };

enum der_size { DER_SMALL, DER_LARGE, DER_LOOSE };

struct der {
    const uint8_t *next;
    const uint8_t *end;
    enum der_size size;
};

struct der der_over(struct span bytes, enum der_size size);

static inline bool der_at_end(const struct der *d)
{
    return d->next == d->end;
}

static inline bool der_next_is(const struct der *d, unsigned tag)
{
    return !der_at_end(d) && *d->next == tag;
}

/* One element of any tag. `value` is its contents, `whole` tag and length too; each may be NULL. False when there is
 * none that is whole; where the cursor then stands is not said. */
MUST_CHECK bool der_take(struct der *d, unsigned *tag, struct span *value, struct span *whole);

#endif
