/* tokens/pss.h: RSA-PSS padding (EMSA-PSS, RFC 8017 section 9.1.1) for tokens that only do raw RSA.
 *
 * Hashes with NSS, which is started without any database for it: the agent links it, and has no other use for it. */
#ifndef YETT_TOKENS_PSS_H
#define YETT_TOKENS_PSS_H

#include "base/span.h"
#include "tokens/wire.h"

/* Start the hash functions; call before the first tokens_pss_encode(), from any thread, as often as wanted. */
MUST_CHECK bool tokens_pss_start(void);
void tokens_pss_stop(void);

/* Pad `digest` for an RSA key whose modulus has `modulus_bits` bits into `out`, of (modulus_bits + 7) / 8 bytes.
 * MGF1 and digest use the same hash. false: the key is too small for hash and salt, or no random salt. */
MUST_CHECK bool tokens_pss_encode(enum tokens_wire_hash hash, size_t salt_size, struct span digest, size_t modulus_bits,
                                  uint8_t *out);

#endif
