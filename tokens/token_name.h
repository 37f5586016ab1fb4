/* tokens/token_name.h: which token a pkcs11: URI means, for those who know nothing of PKCS#11. */
#ifndef YETT_TOKENS_TOKEN_NAME_H
#define YETT_TOKENS_TOKEN_NAME_H

#include "base/base.h"

/* Label and serial number that the URI names, as tokens_padded_text() writes them, owned by the caller; "" where it
 * names none. False with a sentence. */
MUST_CHECK bool tokens_token_name(const char *uri, char **label, char **serial, char **error);

#endif
