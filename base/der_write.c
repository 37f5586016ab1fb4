/* see base/der_write.h */
#include "base/der_write.h"

void der_write_raw(struct buffer *out, struct span bytes)
{
    bool fits = buffer_append(out, bytes);

    assert(fits);
}

size_t der_write_begin(struct buffer *out)
{
    return out->size;
}

void der_write_end(struct buffer *out, size_t mark, unsigned tag)
{
    size_t size = out->size - mark;
    uint8_t head[DER_HEAD_SIZE_MAX] = {(uint8_t)tag};
    size_t head_size = 1;
    uint8_t *start;

    if (size < 0x80) {
        head[head_size++] = (uint8_t)size;
    } else {
        unsigned count = size > 0xffffff ? 4 : size > 0xffff ? 3 : size > 0xff ? 2 : 1;

        head[head_size++] = (uint8_t)(0x80 + count);
        while (count-- > 0)
            head[head_size++] = (uint8_t)(size >> (8 * count));
    }
    der_write_raw(out, span_of(head, head_size)); /* makes the room */
    start = out->data + out->start + mark;
    memmove(start + head_size, start, size);
    memcpy(start, head, head_size);
}

void der_write(struct buffer *out, unsigned tag, struct span contents)
{
    size_t mark = der_write_begin(out);

    der_write_raw(out, contents);
    der_write_end(out, mark, tag);
}

/* X.690 section 8.3: no leading zeros, but the one that keeps a number from being negative. */
void der_write_unsigned(struct buffer *out, struct span number)
{
    static const uint8_t zero[1] = {0};
    size_t mark = der_write_begin(out);

    while (number.size > 1 && number.data[0] == 0)
        number = span_skip(number, 1);
    if (number.size == 0 || (number.data[0] & 0x80) != 0)
        der_write_raw(out, span_of(zero, 1));
    der_write_raw(out, number);
    der_write_end(out, mark, ASN1_INTEGER);
}

void der_write_bit_string(struct buffer *out, struct span bits)
{
    static const uint8_t no_unused_bits[1] = {0};
    size_t mark = der_write_begin(out);

    der_write_raw(out, span_of(no_unused_bits, 1));
    der_write_raw(out, bits);
    der_write_end(out, mark, ASN1_BIT_STRING);
}
