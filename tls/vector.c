/* see tls/vector.h */
#include "tls/vector.h"

bool tls_vector_take(struct span *rest, size_t length_size, struct span *vector)
{
    size_t length = 0;

    if (rest->size < length_size)
        return false;
    for (size_t i = 0; i < length_size; i++)
        length = length << 8 | rest->data[i];
    *rest = span_skip(*rest, length_size);
    if (rest->size < length)
        return false;
    *vector = span_of(rest->data, length);
    *rest = span_skip(*rest, length);
    return true;
}
