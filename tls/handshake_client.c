/* see tls/handshake_internal.h: what is a client's alone in a handshake. */
#include "tls/handshake_internal.h"

static bool client_look_again(struct tls_engine *e, bool done, PRErrorCode code, enum tls_status *status)
{
    (void)e;
    (void)done;
    (void)code;
    (void)status;
    return false;
}

/* A client's first step has nothing to read; afterwards any may bring the server's certificate. */
static bool client_can_be_judged(const struct tls_engine *e)
{
    return !e->context->insecure_no_verify;
}

/* NSS sends an alert for a certificate that auth_certificate() refuses, before it would use a key of ours. */
static enum tls_status client_give_up(struct tls_engine *e)
{
    if (e->fd != NULL)
        return tls_engine_step(e);
    return tls_engine_fail(e, e->hs->give_up_name, base_strdup(e->hs->give_up_sentence));
}

static PRFileDesc *client_make_socket(struct tls_engine *e, PRFileDesc *layer)
{
    return SSL_ImportFD(e->context->model, layer);
}

const struct tls_role_calls tls_client_calls = {
    .peer = "server",
    .make_socket = client_make_socket,
    .prepare = tls_client_socket_prepare,
    .look_again = client_look_again,
    .finished = tls_client_session_settle,
    .can_be_judged = client_can_be_judged,
    .give_up = client_give_up,
};
