/* pkix/der.h: values in DER, strictly: base/der_read.h's cursor with pkix/'s errors.
 *
 * What der_take() refuses is PKIX_BAD_DER, and so is, in der_end(), anything left over. */
#ifndef YETT_PKIX_DER_H
#define YETT_PKIX_DER_H

#include "base/der_read.h"
#include "pkix/error.h"

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
