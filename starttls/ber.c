/* see starttls/ber.h */
#include "starttls/ber.h"

enum { LONG_FORM = 0x80, LENGTH_BYTES_MAX = 4, CONSTRUCTED = 0x20, TAG_NUMBER = 0x1f };

enum ber_status ber_read_header(struct span bytes, struct ber_header *header)
{
    size_t length_bytes;

    if (bytes.size >= 1 && (bytes.data[0] & TAG_NUMBER) == TAG_NUMBER) /* of more bytes than one */
        return BER_BAD;
    if (bytes.size < 2)
        return BER_NEED_MORE;
    header->tag = bytes.data[0];
    if ((bytes.data[1] & LONG_FORM) == 0) {
        header->size = 2;
        header->content_size = bytes.data[1];
        return BER_OK;
    }
    length_bytes = bytes.data[1] & ~LONG_FORM;
    if (length_bytes == 0 || length_bytes > LENGTH_BYTES_MAX) /* 0: indefinite */
        return BER_BAD;
    if (bytes.size < 2 + length_bytes)
        return BER_NEED_MORE;
    header->size = 2 + length_bytes;
    header->content_size = 0;
    for (size_t i = 0; i < length_bytes; i++)
        header->content_size = header->content_size << 8 | bytes.data[2 + i];
    return BER_OK;
}

bool ber_take(struct span *rest, uint8_t tag, struct span *content)
{
    struct ber_header header;

    if (ber_read_header(*rest, &header) != BER_OK || header.tag != tag ||
        header.content_size > rest->size - header.size)
        return false;
    *content = span_of(rest->data + header.size, header.content_size);
    *rest = span_skip(*rest, header.size + header.content_size);
    return true;
}

bool ber_number(struct span content, uint32_t *number)
{
    *number = 0;
    if (content.size == 0 || content.size > 4 || (content.data[0] & 0x80) != 0)
        return false;
    for (size_t i = 0; i < content.size; i++)
        *number = *number << 8 | content.data[i];
    return true;
}

/* Without recursion: the end of each constructed element that is open. */
bool ber_is_whole(struct span bytes, unsigned depth_max)
{
    size_t ends[BER_DEPTH_MAX], at = 0, end = bytes.size;
    unsigned depth = 0;

    assert(depth_max <= BER_DEPTH_MAX);
    for (;;) {
        struct ber_header header;

        while (at == end && depth > 0)
            end = ends[--depth];
        if (at == end)
            return true;
        if (ber_read_header(span_of(bytes.data + at, end - at), &header) != BER_OK ||
            header.content_size > end - at - header.size)
            return false;
        at += header.size;
        if ((header.tag & CONSTRUCTED) == 0) {
            at += header.content_size;
            continue;
        }
        if (depth == depth_max)
            return false;
        ends[depth++] = end;
        end = at + header.content_size;
    }
}
