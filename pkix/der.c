/* see pkix/der.h
 *
 * Strict, on purpose. BER writes one value in many ways; where two readers of a certificate disagree about one, the
 * authority that checked it has checked something else than the one that relies on it. Each rule below has been such a
 * difference somewhere. */
#include "pkix/der.h"

/* The end is part of the form. */
enum pkix_error der_end(const struct der *d)
{
    return der_at_end(d) ? PKIX_OK : PKIX_BAD_DER;
}

enum pkix_error der_read_any(struct der *d, unsigned *tag, struct span *value, struct span *whole)
{
    return der_take(d, tag, value, whole) ? PKIX_OK : PKIX_BAD_DER;
}

/* The tag is asked for and not found out: what stands where another type has to stand is refused, and never read as
 * what it says that it is (CVE-2023-0286: an x400Address, written as one type and compared as another). */
enum pkix_error der_read(struct der *d, unsigned tag, struct span *value)
{
    return der_next_is(d, tag) ? der_read_any(d, NULL, value, NULL) : PKIX_BAD_DER;
}

/* Names, keys and algorithm identifiers are compared as they stand, with tag and length: two readers who agree on the
 * bytes need not agree on what they mean. */
enum pkix_error der_read_whole(struct der *d, unsigned tag, struct span *whole)
{
    return der_next_is(d, tag) ? der_read_any(d, NULL, NULL, whole) : PKIX_BAD_DER;
}

/* The contents' cursor cannot leave the element that it is over: an inner length that says more than the outer one is
 * refused where it is read. */
enum pkix_error der_enter(struct der *d, unsigned tag, struct der *inner)
{
    struct span value;
    enum pkix_error error = der_read(d, tag, &value);

    if (error == PKIX_OK)
        *inner = der_over(value, d->size);
    return error;
}

/* Most values are one element and nothing else. What would stand behind it is where something is smuggled in: bytes
 * that this reader passes over and the next one reads. */
enum pkix_error der_enter_only(struct span bytes, unsigned tag, enum der_size size, struct der *inner)
{
    struct der outer = der_over(bytes, size);
    enum pkix_error error = der_enter(&outer, tag, inner);

    return error != PKIX_OK ? error : der_end(&outer);
}

/* By its tag alone, as DER has it: a field that is out of its order is left over, and der_end() then objects. */
enum pkix_error der_read_optional(struct der *d, unsigned tag, struct span *value, bool *present)
{
    *present = der_next_is(d, tag);
    *value = span_of(NULL, 0);
    return *present ? der_read(d, tag, value) : PKIX_OK;
}

enum pkix_error der_read_optional_boolean(struct der *d, bool *value)
{
    struct span contents;
    bool present;
    enum pkix_error error = der_read_optional(d, ASN1_BOOLEAN, &contents, &present);

    *value = false;
    if (error != PKIX_OK || !present)
        return error;
    /* X.690 section 11.1: true is 0xff. BER's readers take any byte but 0, and so "critical" and "cA" of 0x01 are true
     * for some. */
    if (contents.size != 1 || (contents.data[0] != 0x00 && contents.data[0] != 0xff))
        return PKIX_BAD_DER;
    *value = contents.data[0] == 0xff;
    return PKIX_OK;
}

/* ITU-T X.690 section 8.3.2: the first nine bits are neither all zero nor all one. One number, one spelling: serial
 * numbers are compared by their bytes, in lists of revoked and of distrusted ones. */
static enum pkix_error check_minimal(struct span value)
{
    if (value.size == 0)
        return PKIX_BAD_DER;
    if (value.size > 1 && ((value.data[0] == 0x00 && (value.data[1] & 0x80) == 0) ||
                           (value.data[0] == 0xff && (value.data[1] & 0x80) != 0)))
        return PKIX_BAD_INTEGER;
    return PKIX_OK;
}

/* Negative ones pass: serial numbers of that kind have been issued. Who needs a positive one asks for it below. */
enum pkix_error der_read_integer(struct der *d, struct span *value)
{
    enum pkix_error error = der_read(d, ASN1_INTEGER, value);

    return error != PKIX_OK ? error : check_minimal(*value);
}

/* For a modulus, an exponent, and r and s of a signature, none of which is ever zero or negative: r = s = 0 verified
 * for everything where nobody looked (CVE-2022-21449). */
enum pkix_error der_read_positive_integer(struct der *d, struct span *value)
{
    enum pkix_error error = der_read_integer(d, value);

    if (error != PKIX_OK)
        return error;
    if ((value->data[0] & 0x80) != 0 || (value->size == 1 && value->data[0] == 0))
        return PKIX_BAD_INTEGER;
    if (value->data[0] == 0)
        *value = span_skip(*value, 1);
    return PKIX_OK;
}

/* Versions, path lengths, statuses and reasons: all have room in one byte. A longer one is refused before anything is
 * computed with it, so that there is nothing to overflow. */
enum pkix_error der_read_small(struct der *d, unsigned tag, unsigned *value)
{
    struct span contents;
    enum pkix_error error = der_read(d, tag, &contents);

    if (error != PKIX_OK)
        return error;
    if (contents.size != 1 || contents.data[0] > 127)
        return PKIX_BAD_DER;
    *value = contents.data[0];
    return PKIX_OK;
}

/* Keys and signatures are whole bytes. With unused bits one signature would have several encodings, which caches and
 * fingerprints take for several. */
enum pkix_error der_read_bit_string(struct der *d, struct span *value)
{
    struct span contents;
    enum pkix_error error = der_read(d, ASN1_BIT_STRING, &contents);

    if (error != PKIX_OK)
        return error;
    if (contents.size == 0 || contents.data[0] != 0)
        return PKIX_BAD_DER;
    *value = span_skip(contents, 1);
    return PKIX_OK;
}
