/* tls/runtime.h: NSS in this process: started once, stopped at the end, with what all engines share.
 *
 * NSS is process-global and not fork-safe: start it after any fork, once. Threads: start and stop from the main thread
 * while no engine exists. */
#ifndef YETT_TLS_RUNTIME_H
#define YETT_TLS_RUNTIME_H

#include "base/span.h"

struct tls_runtime_options {
    const char *database;       /* "sql:/path", opened read-only unless database_writable; NULL: none */
    bool database_writable;     /* for yett cert */
    struct span ticket_key;     /* PKCS#8 DER of the RSA pair that protects session tickets; size 0: none (client only) */
    const char *session_cache;  /* what tls_session_cache_create() gave, with its descriptor inherited; NULL: none */
};

/* Initialises NSS (roots module not included: pkix/ loads it when asked), sets the algorithm policy, the ticket key
 * pair, joins the session cache, and makes the ticket wrapping keys with throw-away in-memory identities of each
 * authentication type, so that a sign-only token is never asked for one. On failure *error has a sentence (owned by
 * the caller) that names the database. */
MUST_CHECK bool tls_runtime_start(const struct tls_runtime_options *options, char **error);

/* Shuts NSS down. Fails, with a sentence, when a reference is still held: the leak test of every program. */
MUST_CHECK bool tls_runtime_stop(char **error);

/* Supervisor: make the ticket key pair (RSA-2048), as PKCS#8 DER. The caller wipes and frees *der. */
MUST_CHECK bool tls_ticket_key_generate(uint8_t **der, size_t *size, char **error);

/* Supervisor: make the session cache shared by all workers of this machine (SSL_ConfigMPServerSIDCache).
 * *inherit gets the text workers need (owned by the caller); *fd the descriptor that must have the same number in the
 * worker. */
MUST_CHECK bool tls_session_cache_create(unsigned entries_max, char **inherit, int *fd, char **error);

/* Versions of the libraries in use, for "yett version". */
const char *tls_nss_version(void);
const char *tls_nspr_version(void);

#endif
