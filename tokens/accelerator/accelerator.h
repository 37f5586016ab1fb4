/* tokens/accelerator/: yett-accelerator.so, a PKCS #11 3.0 module on OpenSSL's libcrypto for NSS to compute with.
 *
 * NSS stays the TLS library: policy, certificates, the handshake and its state are NSS's. The module is a token beside
 * NSS's own, whose slot NSS asks first for the arithmetic of a handshake: key pairs and ECDH on X25519, P-256, P-384
 * and P-521; HKDF, HMAC, SHA-2 with operation state; the master secret and keys of TLS 1.2; AES-GCM and
 * ChaCha20-Poly1305; signatures and their checks with ECDSA and RSA; and the wrapping of session secrets. A key that
 * comes to life in its slot stays there, and what it is used for follows. What the module cannot do (slots.c has the
 * list) NSS does itself.
 *
 * Words: an *object* is a key or data (object.h), a *secret* has its bytes in it (secret.h), a *key* is libcrypto's
 * (key.h); a *signer* signs and verifies (signer.h); a *derivation* makes a secret from another (derive.h).
 *
 * What it does not do: keep anything (no token objects, no PIN), generate random bytes for others, unwrap with private
 * keys, export them, and be there after fork().
 *
 * Threads: all functions may be called from any number of threads at once. There is no lock for all of them; see
 * handles.h and session.h for what there is.
 *
 * This is the only folder that knows libcrypto; and the module links nothing of yett but base/. */
#ifndef YETT_TOKENS_ACCELERATOR_ACCELERATOR_H
#define YETT_TOKENS_ACCELERATOR_ACCELERATOR_H

#include "tokens/accelerator/cryptoki.h"

/* All that the shared object shows. */
#define ACCEL_EXPORT __attribute__((visibility("default")))
ACCEL_EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);
ACCEL_EXPORT CK_RV C_GetInterfaceList(CK_INTERFACE *list, CK_ULONG *count);
ACCEL_EXPORT CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **found, CK_FLAGS flags);

#endif
