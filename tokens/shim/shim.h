/* tokens/shim/shim.h: token identities in a worker: what NSS sees of the tokens, and the line to their agents.
 *
 * The *shim* is a PKCS#11 module of ours (a shared object, yett-shim.so) that NSS loads. It shows one slot per
 * identity the configuration names, holding its certificates and a sign-only private key with just the mechanisms the
 * real key has, and turns C_Sign into a request to the token's *agent* process over a Unix socket (many in flight on
 * one connection). It never sees a PIN, a device or the real module.
 * Threads: start and stop from the main thread; signing from any number of threads at once. */
#ifndef YETT_TOKENS_SHIM_SHIM_H
#define YETT_TOKENS_SHIM_SHIM_H

#include "base/base.h"
#include <keythi.h>
#include <certt.h>

struct tokens_shim_module {
    const char *name;         /* [module NAME] */
    const char *socket_path;  /* the agent's Unix socket */
    uint32_t sign_timeout_ms; /* a signature that takes longer fails */
    bool file_keys;           /* the agent of file keys: asked for their URIs (tokens/file_keys.h), and for no others */
};

struct tokens_shim_options {
    const char *library_path; /* yett-shim.so; NULL: beside the executable, then where it is installed */
    const struct tokens_shim_module *modules;
    size_t module_count;
    const char *const *uris;  /* identities, RFC 7512, and keys of files; copied */
    const char *const *names; /* what messages call them; NULL: by their URIs */
    size_t uri_count;
    size_t *failed;   /* index of the URI that was not found, if one was not; may be NULL */
    bool may_be_away; /* tokens that are not there, or not logged in, are no failure: see tokens_shim_away() */
};

/* Loads the shim into NSS and asks the agents for every identity. Call once, after tls_runtime_start(). Fails with a
 * sentence in *error that names the URI and, for zero or several matches, the candidates. */
MUST_CHECK bool tokens_shim_start(const struct tokens_shim_options *options, char **error);
void tokens_shim_stop(void); /* before tls_runtime_stop(); every key and certificate must have been released */

/* The certificate and key of a URI given at start. References are the caller's. The token's other certificates that
 * belong above it are in the same slot, where NSS finds them. `cert` may be NULL when only the key is wanted (its
 * certificate is in a file); otherwise a key without a certificate on the token is an error.
 * *pss says whether the key can make RSA-PSS signatures (true for EC). */
MUST_CHECK bool tokens_shim_identity(const char *uri, CERTCertificate **cert, SECKEYPrivateKey **key, bool *pss,
                                     char **error);

/* Why the token of a URI given at start cannot be used now, though it may be later; NULL: it can, or is not one of
 * those. Lent until tokens_shim_stop(). */
const char *tokens_shim_away(const char *uri);

/* Why the calling thread's last signature through a token failed, as a sentence for the log; "" when it did not. NSS
 * itself only tells a SEC_ERROR_. Valid until the thread's next signature. */
const char *tokens_shim_error(void);

#endif
