/* see tls/certificate_message.h */
#include "tls/certificate_message.h"
#include "tls/vector.h"

bool tls_certificate_message_each(enum tls_certificate_form form, struct span body,
                                  bool (*add)(void *arg, struct span cert), void *arg)
{
    struct span list, cert, skipped;

    if (form == TLS_CERTIFICATE_TLS13 && !tls_vector_take(&body, 1, &skipped)) /* certificate_request_context */
        return false;
    if (!tls_vector_take(&body, 3, &list) || body.size != 0)
        return false;
    while (list.size != 0) {
        if (!tls_vector_take(&list, 3, &cert) || cert.size == 0)
            return false;
        if (form == TLS_CERTIFICATE_TLS13 && !tls_vector_take(&list, 2, &skipped)) /* extensions of the entry */
            return false;
        if (!add(arg, cert))
            return false;
    }
    return true;
}
