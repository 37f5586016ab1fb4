/* see base/der_read.h */
#include "base/der_read.h"

enum { TAG_NUMBER_HIGH = 0x1f, LENGTH_LONG = 0x80, SMALL_LENGTH_BYTES = 2, LARGE_LENGTH_BYTES = 4 };

struct der der_over(struct span bytes, enum der_size size)
{
    return (struct der){
        .next = bytes.data, .end = bytes.size == 0 ? bytes.data : bytes.data + bytes.size, .size = size};
}

static size_t left(const struct der *d)
{
    return der_at_end(d) ? 0 : (size_t)(d->end - d->next);
}

/* X.690 section 10.1: the one form that DER has for each length. Of two forms, two readers could take one each. */
static bool is_shortest(size_t length, unsigned bytes)
{
    return length >= LENGTH_LONG && length >> (8 * (bytes - 1)) != 0;
}

static bool take_length(struct der *d, size_t *length)
{
    unsigned first, bytes, bytes_max = d->size == DER_SMALL ? SMALL_LENGTH_BYTES : LARGE_LENGTH_BYTES;

    if (left(d) < 1)
        return false;
    first = *d->next++;
    *length = first;
    if (first < LENGTH_LONG)
        return true;
    bytes = first - LENGTH_LONG;
    if (bytes == 0 || bytes > bytes_max || left(d) < bytes)
        return false;
    *length = 0;
    for (unsigned i = 0; i < bytes; i++)
        *length = *length << 8 | *d->next++;
    return d->size == DER_LOOSE || is_shortest(*length, bytes);
}

bool der_take(struct der *d, unsigned *tag, struct span *value, struct span *whole)
{
    const uint8_t *start = d->next;
    size_t length;

    if (left(d) < 2 || (*d->next & TAG_NUMBER_HIGH) == TAG_NUMBER_HIGH)
        return false;
    if (tag != NULL)
        *tag = *d->next;
    d->next++;
    if (!take_length(d, &length) || length > left(d))
        return false;
    if (value != NULL)
        *value = span_of(d->next, length);
    d->next += length;
    if (whole != NULL)
        *whole = span_of(start, (size_t)(d->next - start));
    return true;
}
