/* tls/runtime.h: NSS in this process: started once, stopped at the end, with what all engines share.
 *
 * NSS is process-global and not fork-safe: start it after any fork, once. Threads: start and stop from the main thread
 * while no engine exists. */
#ifndef YETT_TLS_RUNTIME_H
#define YETT_TLS_RUNTIME_H

#include "base/span.h"

struct tls_runtime_options {
    const char *database;      /* "sql:/path", opened read-only unless database_writable; NULL: none */
    bool database_writable;    /* for yett cert */
    struct span ticket_key;    /* what tls_ticket_key_generate() gave; size 0: none (clients only) */
    const char *accelerator;   /* path of a module that NSS is to compute with; NULL: none */
    const char *session_cache; /* what tls_session_cache_create() gave, with its descriptor inherited; NULL: none */
};

/* Names an NSS or NSPR error: "SEC_ERROR_BAD_DATABASE (the text NSS has for it)". Owned by the caller. */
char *tls_nss_error_text(int32_t code);

/* Initialises NSS (roots module not included: pkix/ loads it when asked), sets the algorithm policy, the ticket key
 * pair, joins the session cache, and makes the ticket wrapping keys with throw-away in-memory identities of each
 * authentication type, so that a sign-only token is never asked for one. On failure *error has a sentence (owned by
 * the caller) that names the database. */
MUST_CHECK bool tls_runtime_start(const struct tls_runtime_options *options, char **error);

/* The module that NSS computes with, while the runtime is started: its path, borrowed; NULL: NSS's own token, as there
 * is none, or NSS is in FIPS mode. */
const char *tls_accelerator_path(void);

/* Where NSS's own token is as a module: the file, beside the NSS in use; NULL: it is not found. Owned by the caller. */
char *tls_nss_token_path(void);

/* Shuts NSS down. Fails, with a sentence, when a reference is still held: the leak test of every program. */
MUST_CHECK bool tls_runtime_stop(char **error);

/* Supervisor: make the keys that protect sessions: an RSA-2048 and a P-256 key, PKCS#8 DER one after the other. Every
 * worker needs the same: with the first NSS wraps the ticket keys that the workers share, and the throw-away identities
 * that make the wrapping keys use both, so that each worker can unwrap what another put into the session cache.
 * NSS must be initialised. The caller wipes and frees *der. */
MUST_CHECK bool tls_ticket_key_generate(uint8_t **der, size_t *size, char **error);

/* Supervisor: make the session cache shared by all workers of this machine (SSL_ConfigServerSessionIDCacheWithOpt). NSS
 * must be initialised, and this process keeps the cache until tls_runtime_stop(). *inherit gets the text workers need
 * (owned by the caller). NSS locks the cache with pipes whose numbers are in the shared memory: the worker must have
 * every descriptor from *fd_first to *fd_last under the same number (they are not close-on-exec; *fd_first is at least
 * TLS_SESSION_CACHE_FD_MIN, so that the descriptors a worker is given can have the numbers below). Memory: some
 * 200 bytes for each session that was kept and 1 KiB for each server name of theirs; next to nothing at first. */
enum { TLS_SESSION_CACHE_FD_MIN = 64 };
MUST_CHECK bool tls_session_cache_create(unsigned entries_max, char **inherit, int *fd_first, int *fd_last,
                                         char **error);

/* Versions of the libraries in use, for "yett version". */
const char *tls_nss_version(void);
const char *tls_nspr_version(void);

#endif
