/* tls/certificate_message.h: the certificates in a Certificate message (RFC 8446 section 4.4.2, RFC 5246
 * section 7.4.2). Private to tls/. */
#ifndef YETT_TLS_CERTIFICATE_MESSAGE_H
#define YETT_TLS_CERTIFICATE_MESSAGE_H

#include "base/span.h"

enum tls_certificate_form { TLS_CERTIFICATE_TLS12, TLS_CERTIFICATE_TLS13 };

/* Call `add` for each certificate (DER, borrowed) of a message's body, in order, until it says false. False: the
 * message is malformed, which NSS will find too; or `add` said so. */
MUST_CHECK bool tls_certificate_message_each(enum tls_certificate_form form, struct span body,
                                             bool (*add)(void *arg, struct span cert), void *arg);

#endif
