/* tls/alert.h: what alerts mean, and alerts in the clear. Private to tls/.
 *
 * A client of TLS 1.3 has the keys to protect an alert as soon as the server has answered, but several send what they
 * think of the server's certificate before they change to them (OpenSSL, and all that is built on it), so in the clear.
 * RFC 8446 has no such record: section 5 lets a peer end the connection with unexpected_message, as NSS does, whose
 * error then speaks of record types, and not of the certificate. The connection has failed either way; what the alert
 * says is told. Nobody vouches for it: anyone on the way could have written it, who could have cut the connection too.
 * So it decides nothing, and it counts only while the peer has not been heard under the keys of the application's data.
 */
#ifndef YETT_TLS_ALERT_H
#define YETT_TLS_ALERT_H

#include "base/span.h"

enum { TLS_ALERT_RECORD_SIZE = 5 + 2 };

/* The alert in a record that is nothing but one alert in the clear, or -1. */
int tls_alert_in_clear(struct span record);

const char *tls_alert_name(int alert); /* "unknown" */

/* The name of the error that it makes when it is received: "alert_received_unknown_ca". Static. */
const char *tls_alert_error_name(int alert);

/* What the peer says with it, and what can be done; `peer` is "client" or "server", and `shown`, which may be "", the
 * certificate that it was shown. Owned by the caller. */
char *tls_alert_sentence(int alert, const char *peer, const char *shown);

#endif
