/* tls/layer.h: who protects the records of an engine, as a table of functions. Private to tls/.
 *
 * There are two: NSS's socket (layer_nss.c), which every handshake needs, and our own (established.c), which takes over
 * afterwards. An engine has one at a time; tls_engine_step(), take_plaintext() and put_plaintext() do not know which.
 */
#ifndef YETT_TLS_LAYER_H
#define YETT_TLS_LAYER_H

#include "tls/engine.h"

struct tls_layer {
    /* Decrypt records that have come into `out` until it is full or nothing more can be decrypted (e->dry). TLS_CLOSED:
     * the peer has ended its direction, or the transport was ended; the engine tells which. */
    enum tls_status (*decrypt)(struct tls_engine *e, uint8_t *out, size_t size, size_t *taken);
    /* Make one record of the beginning of `plaintext`, for which there is room; *consumed says how much of it. */
    enum tls_status (*encrypt)(struct tls_engine *e, struct span plaintext, size_t *consumed);
    void (*close)(struct tls_engine *e); /* say close_notify */
    void (*trim)(struct tls_engine *e);  /* it is idle */
    bool may_sign; /* reading may: a server of TLS 1.2 may renegotiate, to ask for a client's certificate */
};

extern const struct tls_layer tls_layer_nss, tls_layer_own;

#endif
