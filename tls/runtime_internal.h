/* tls/runtime_internal.h: what the parts of tls/ share of the runtime. Private to tls/. */
#ifndef YETT_TLS_RUNTIME_INTERNAL_H
#define YETT_TLS_RUNTIME_INTERNAL_H

#include "tls/runtime.h"

#include <keythi.h>
#include <ssl.h>
#include <sslexp.h>

/* NSS's experimental functions (sslexp.h), found by name once. */
typedef SECStatus (*tls_hello_retry_callback_call)(PRFileDesc *fd, SSLHelloRetryRequestCallback callback, void *arg);
typedef SECStatus (*tls_send_session_ticket_call)(PRFileDesc *fd, const PRUint8 *token, unsigned int size);
typedef SECStatus (*tls_set_time_func_call)(PRFileDesc *fd, SSLTimeFunc func, void *arg);
typedef SECStatus (*tls_set_resumption_token_call)(PRFileDesc *fd, const PRUint8 *token, unsigned int size);
typedef SECStatus (*tls_resumption_token_callback_call)(PRFileDesc *fd, SSLResumptionTokenCallback callback, void *arg);
typedef SECStatus (*tls_secret_callback_call)(PRFileDesc *fd, SSLSecretCallback callback, void *arg);
typedef SECStatus (*tls_hkdf_expand_label_call)(PRUint16 version, PRUint16 suite, PK11SymKey *secret,
                                                const PRUint8 *hash, unsigned int hash_size, const char *label,
                                                unsigned int label_size, CK_MECHANISM_TYPE mechanism,
                                                unsigned int key_size, PK11SymKey **key);

struct tls_nss_calls {
    tls_hello_retry_callback_call hello_retry_callback;
    tls_send_session_ticket_call send_session_ticket;
    tls_set_time_func_call set_time_func;
    tls_set_resumption_token_call set_resumption_token;
    tls_resumption_token_callback_call resumption_token_callback;
    tls_secret_callback_call secret_callback;
    tls_hkdf_expand_label_call hkdf_expand_label;
};
const struct tls_nss_calls *tls_nss_calls(void);

/* The two keys of tls_ticket_key_generate(), in memory. NULL both when there are none. */
struct tls_runtime_keys {
    SECKEYPrivateKey *rsa;
    SECKEYPrivateKey *ec;
};
const struct tls_runtime_keys *tls_runtime_keys(void);

/* ticket_key.c */
MUST_CHECK bool tls_runtime_keys_import(struct span der, struct tls_runtime_keys *keys, char **error);
void tls_runtime_keys_clear(struct tls_runtime_keys *keys);

/* A PKCS#8 key as a session object of the accelerator, or of NSS's internal token where there is none. `public_value`
 * (may be NULL) is the point of an EC key, for where the encoding lacks it, or has it wrong. */
MUST_CHECK bool tls_private_key_import(struct span pkcs8, SECItem *public_value, SECKEYPrivateKey **key, char **error);

/* A key that NSS shows as PKCS#8, with its public half right (see tls_key_der_put_public()). False, with NSS's error,
 * when NSS does not show it. The caller wipes and frees *der. */
MUST_CHECK bool tls_private_key_export(SECKEYPrivateKey *key, const SECKEYPublicKey *public_key, uint8_t **der,
                                       size_t *size);

/* wrapping.c: see "A server key on a token, and session tickets" there. */
MUST_CHECK bool tls_wrapping_keys_make(char **error);

/* Whether this process has joined, or made, the shared session cache. */
bool tls_runtime_has_session_cache(void);
void tls_runtime_note_session_cache(void);

/* *error = "what: NSS's error of this thread". Returns false. */
bool tls_nss_fail(char **error, const char *what);

#endif
