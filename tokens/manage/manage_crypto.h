/* tokens/manage/manage_crypto.h: the few things "yett token" needs NSS for: SHA-1 for a CKA_ID, SHA-2 for a request's
 * signature, names and addresses as text. Apart from manage.c because NSS's PKCS#11 header and p11-kit's exclude each
 * other. NSS is started without a database when nobody has started it. */
#ifndef YETT_TOKENS_MANAGE_MANAGE_CRYPTO_H
#define YETT_TOKENS_MANAGE_MANAGE_CRYPTO_H

#include "base/buffer.h"
#include "tokens/wire.h"

/* NSS for as long as a command works; count on it once for each. */
struct manage_crypto;
struct manage_crypto *manage_crypto_start(char **error);
void manage_crypto_stop(struct manage_crypto **crypto);

MUST_CHECK bool manage_hash(enum tokens_wire_hash hash, struct span data, uint8_t *out);

/* RFC 4514 text to the DER of a Name. */
MUST_CHECK bool manage_name(const char *subject, struct buffer *out, char **error);

/* "dns:HOST", "email:ADDR", "ip:ADDR", "uri:URI" to the DER of a GeneralName. RFC 5280 section 4.2.1.6 */
MUST_CHECK bool manage_general_name(const char *san, struct buffer *out, char **error);

#endif
