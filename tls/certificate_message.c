/* see tls/certificate_message.h */
#include "tls/certificate_message.h"

/* A length of `length_size` bytes, and as many bytes as it says: moves `rest` behind them. */
static bool take_vector(struct span *rest, size_t length_size, struct span *vector)
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

bool tls_certificate_message_each(enum tls_certificate_form form, struct span body,
                                  bool (*add)(void *arg, struct span cert), void *arg)
{
    struct span list, cert, skipped;

    if (form == TLS_CERTIFICATE_TLS13 && !take_vector(&body, 1, &skipped)) /* certificate_request_context */
        return false;
    if (!take_vector(&body, 3, &list) || body.size != 0)
        return false;
    while (list.size != 0) {
        if (!take_vector(&list, 3, &cert) || cert.size == 0)
            return false;
        if (form == TLS_CERTIFICATE_TLS13 && !take_vector(&list, 2, &skipped)) /* extensions of the entry */
            return false;
        if (!add(arg, cert))
            return false;
    }
    return true;
}
