/* pkix/der.h: a strict reader for DER.
 *
 * A struct der is a cursor that cannot run past its end. What is refused: tags of more than one byte, indefinite,
 * non-minimal and too long lengths, and, in der_end(), anything left over. Nothing is copied: every span given out
 * borrows the bytes read.
 *
 * Sizes: DER_SMALL (certificates, OCSP) takes lengths to 65,535 bytes; DER_LARGE (CRLs) to 2^32 - 1. */
#ifndef YETT_PKIX_DER_H
#define YETT_PKIX_DER_H

#include "base/span.h"
#include "pkix/error.h"

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

enum { DER_SMALL_SIZE_MAX = 65535, DER_SMALL_LENGTH_BYTES = 2, DER_LARGE_LENGTH_BYTES = 4 };

enum der_size { DER_SMALL = DER_SMALL_LENGTH_BYTES, DER_LARGE = DER_LARGE_LENGTH_BYTES };

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

/* PKIX_BAD_DER unless everything has been read. */
MUST_CHECK enum pkix_error der_end(const struct der *d);

/* One element of any tag. `value` is its contents, `whole` tag and length too; each may be NULL. */
MUST_CHECK enum pkix_error der_read_any(struct der *d, unsigned *tag, struct span *value, struct span *whole);

/* The contents of an element that must have this tag. */
MUST_CHECK enum pkix_error der_read(struct der *d, unsigned tag, struct span *value);

/* As der_read(), keeping tag and length. */
MUST_CHECK enum pkix_error der_read_whole(struct der *d, unsigned tag, struct span *whole);

/* A cursor over the contents of the next element. */
MUST_CHECK enum pkix_error der_enter(struct der *d, unsigned tag, struct der *inner);

/* The contents of the only element in `bytes`; PKIX_BAD_DER when more follows. */
MUST_CHECK enum pkix_error der_enter_only(struct span bytes, unsigned tag, enum der_size size, struct der *inner);

/* The next element if it has this tag; *present says. An absent one leaves *value empty. */
MUST_CHECK enum pkix_error der_read_optional(struct der *d, unsigned tag, struct span *value, bool *present);

/* BOOLEAN DEFAULT FALSE; an explicit FALSE is taken, as mozilla::pkix does. */
MUST_CHECK enum pkix_error der_read_optional_boolean(struct der *d, bool *value);

/* A minimally encoded INTEGER of any size; PKIX_BAD_INTEGER otherwise. */
MUST_CHECK enum pkix_error der_read_integer(struct der *d, struct span *value);

/* As der_read_integer(), and greater than zero; *value has no leading zero byte. */
MUST_CHECK enum pkix_error der_read_positive_integer(struct der *d, struct span *value);

/* An INTEGER or ENUMERATED of 0..127. */
MUST_CHECK enum pkix_error der_read_small(struct der *d, unsigned tag, unsigned *value);

/* A BIT STRING of whole bytes. */
MUST_CHECK enum pkix_error der_read_bit_string(struct der *d, struct span *value);

/* UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 has it, years 1970 to 9999; PKIX_BAD_TIME otherwise.
 * Seconds since 1970-01-01T00:00:00Z. */
MUST_CHECK enum pkix_error der_read_time(struct der *d, int64_t *seconds);
MUST_CHECK enum pkix_error der_read_generalized_time(struct der *d, int64_t *seconds);

/* The calendar, without libc's time zones. Months and days count from 1. */
struct der_date {
    unsigned year, month, day, hour, minute, second;
};
bool der_date_to_seconds(const struct der_date *date, int64_t *seconds);
void der_date_of_seconds(int64_t seconds, struct der_date *date);

#endif
