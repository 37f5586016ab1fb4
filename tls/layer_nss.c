/* see tls/layer.h
 *
 * NSS pulls from `in` and pushes to `out` through the layer of nspr_layer.c, whenever one of its functions is called.
 * Plaintext is put only when `out` has room for the whole record, so that PR_Write() never ends half way. */
#include "tls/engine_internal.h"
#include "tls/established.h"

#include <prerror.h>
#include <sslerr.h>

static enum tls_status read_on(struct tls_engine *e, uint8_t *out, size_t size, size_t *taken)
{
    while (*taken < size) {
        size_t held = e->transport.in.size;
        size_t space = size - *taken > INT32_MAX ? INT32_MAX : size - *taken;
        PRInt32 n = PR_Read(e->fd, out + *taken, (PRInt32)space);
        PRErrorCode code = n < 0 ? PR_GetError() : 0;

        if (e->flood.seen)
            return tls_engine_fail_flooded(e);
        if (n > 0) {
            tls_engine_see_data(e, (size_t)n);
            *taken += (size_t)n;
            continue;
        }
        if (n == 0)
            return TLS_CLOSED;
        /* A client of TLS 1.2 was told no_renegotiation, a warning: the connection goes on, unless it insists. */
        if (code == SSL_ERROR_RENEGOTIATION_NOT_ALLOWED && e->context->role == TLS_ROLE_SERVER &&
            ++e->flood.handshakes <= 1 + TLS_RENEGOTIATIONS_MAX)
            continue;
        if (code != PR_WOULD_BLOCK_ERROR)
            return tls_engine_fail_nss(e, code);
        /* NSS says so too after a record without data; there may be more records behind it. */
        if (e->transport.in.size != 0 && e->transport.in.size != held)
            continue;
        e->dry = true;
        return TLS_OK;
    }
    return TLS_OK;
}

static enum tls_status nss_decrypt(struct tls_engine *e, uint8_t *out, size_t size, size_t *taken)
{
    enum tls_status status = read_on(e, out, size, taken);

    if (status == TLS_OK)
        tls_established_follow_keys(e);
    return status;
}

static enum tls_status nss_encrypt(struct tls_engine *e, struct span plaintext, size_t *consumed)
{
    size_t most = plaintext.size < TLS_RECORD_PLAINTEXT_MAX ? plaintext.size : TLS_RECORD_PLAINTEXT_MAX;
    PRErrorCode code;
    PRInt32 n;

    tls_established_settle_write_key(e);
    n = PR_Write(e->fd, plaintext.data, (PRInt32)most);
    code = n < 0 ? PR_GetError() : 0;
    *consumed = n > 0 ? (size_t)n : 0;
    tls_engine_see_data(e, *consumed);
    /* It would block in the middle of a renegotiation. */
    return n > 0 || code == PR_WOULD_BLOCK_ERROR ? TLS_OK : tls_engine_fail_nss(e, code);
}

static void nss_trim(struct tls_engine *e)
{
    tls_established_begin(e, TLS_BEGIN_IDLE);
}

static void nss_close(struct tls_engine *e)
{
    (void)PR_Shutdown(e->fd, PR_SHUTDOWN_SEND);
}

const struct tls_layer tls_layer_nss = {
    .decrypt = nss_decrypt,
    .encrypt = nss_encrypt,
    .close = nss_close,
    .trim = nss_trim,
    .may_sign = true,
};
