/* see tls/engine_internal.h
 *
 * Every failure has a name and a sentence an administrator can act on. NSS's own texts are used where nothing better
 * can be said; what is read often has a sentence of ours. */
#include "tls/alert.h"
#include "tls/handshake_internal.h"
#include "tls/established.h"
#include "tokens/shim/shim.h"

#include <prerror.h>
#include <secerr.h>
#include <sslerr.h>
#include <stdlib.h>

struct sentence {
    PRErrorCode code;
    const char *text;
};

static const struct sentence sentences[] = {
    {SSL_ERROR_NO_CERTIFICATE, "the client gave no certificate, and one is required"},
    {SSL_ERROR_BAD_CLIENT, "the client sent something that TLS does not allow"},
    {SSL_ERROR_BAD_SERVER, "the server sent something that TLS does not allow"},
    {SSL_ERROR_BAD_MAC_READ, "a record of the peer was altered on its way, or made with another key"},
    {SSL_ERROR_RX_MALFORMED_CLIENT_HELLO, "the client's first message is malformed"},
    {SSL_ERROR_RX_MALFORMED_SERVER_HELLO, "the server's first message is malformed"},
    {SSL_ERROR_RX_UNEXPECTED_CLIENT_HELLO, "the client sent another first message within a connection"},
    {SSL_ERROR_RX_RECORD_TOO_LONG, "the peer sent a record longer than TLS allows: it may not speak TLS"},
    {SSL_ERROR_RX_UNKNOWN_RECORD_TYPE, "the peer sent a record of an unknown type: it may not speak TLS"},
    {SSL_ERROR_UNRECOGNIZED_NAME_ALERT, "the client asked for a name that is not served here"},
    {SSL_ERROR_NEXT_PROTOCOL_NO_PROTOCOL, "the two sides have no application protocol (ALPN) in common"},
    {SSL_ERROR_RENEGOTIATION_NOT_ALLOWED, "the peer tried to renegotiate, which is not allowed"},
    {SSL_ERROR_UNSAFE_NEGOTIATION, "the peer tried to renegotiate in a way that is not safe"},
    {SSL_ERROR_SIGN_HASHES_FAILURE, "the private key could not sign: is its token there and logged in?"},
    {SSL_ERROR_HANDSHAKE_FAILED, "the handshake failed"},
    {SSL_ERROR_WEAK_SERVER_CERT_KEY, "the server's key is too weak"},
    {SSL_ERROR_WEAK_SERVER_EPHEMERAL_DH_KEY, "the server's ephemeral key is too weak"},
    {SSL_ERROR_MISSING_EXTENDED_MASTER_SECRET, "the session to be resumed was protected better than this one would be"},
    {SSL_ERROR_TOO_MANY_RECORDS, "too many records were sent with one key"},
    /* Of the token with the private key: token_says() has the rest. */
    {SEC_ERROR_TOKEN_NOT_LOGGED_IN, "the token with the private key is not logged in"},
    {SEC_ERROR_NO_TOKEN, "the token with the private key is not there"},
    {SEC_ERROR_PKCS11_DEVICE_ERROR, "the token with the private key reports a device error"},
    {SEC_ERROR_PKCS11_FUNCTION_FAILED, "the token with the private key could not do its part"},
    {SEC_ERROR_PKCS11_GENERAL_ERROR, "the token with the private key reports a general error"},
};

void tls_engine_note_error(struct tls_engine *e, const char *name, char *sentence)
{
    if (e->report.error_name[0] != '\0') {
        free(sentence);
        return;
    }
    e->report.error_name = name;
    e->report.error = sentence;
}

enum tls_status tls_engine_fail(struct tls_engine *e, const char *name, char *sentence)
{
    tls_engine_note_error(e, name, sentence);
    if (!tls_engine_has_failed(e))
        tls_engine_enter(e, e->phase == TLS_PHASE_OPEN ? TLS_PHASE_BROKEN : TLS_PHASE_REFUSED);
    e->failure_told = true; /* by who gets our result; taken back where that is nobody */
    return TLS_FAILED;
}

/* The certificate that the peer was shown, for a sentence; owned by the caller. */
static char *describe_shown(struct tls_engine *e)
{
    const struct tls_identity *identity = tls_handshake_identity(e);

    return base_strdup(identity == NULL ? "" : tls_identity_describe(identity));
}

/* TLS 1.2: it wanted to renegotiate and was told no, with a warning; what it says next is about that. */
static bool was_refused_renegotiation(const struct tls_engine *e)
{
    return (e->own != NULL || e->context->role == TLS_ROLE_SERVER) && tls_engine_was_open(e) &&
           e->version == TLS_VERSION_12 && e->flood.handshakes > 1;
}

/* The alert says more than the error NSS makes of it. */
static enum tls_status fail_alert(struct tls_engine *e)
{
    int alert = e->report.alert_received;
    char *shown = describe_shown(e), *sentence = tls_alert_sentence(alert, e->context->calls->peer, shown);

    if (e->cert_wanted && e->identity == NULL && e->context->role == TLS_ROLE_CLIENT) {
        /* identity_choice says "none: ..." */
        char *longer =
            base_printf("%s (it had asked for a client certificate, and got %s)", sentence, e->identity_choice);

        free(sentence);
        sentence = longer;
    }
    free(shown);
    if (was_refused_renegotiation(e)) {
        free(sentence);
        return tls_engine_fail(
            e, "renegotiation_refused",
            base_printf("the %s wanted to renegotiate, which is refused, and ended the connection with the alert %s",
                        e->context->calls->peer, tls_alert_name(alert)));
    }
    return tls_engine_fail(e, tls_alert_error_name(alert), sentence);
}

/* See alert.h. False: none, or it does not count. */
static bool note_clear_alert(struct tls_engine *e, int32_t code)
{
    struct span last = span_of(e->transport.last, e->transport.last_size);
    int alert = tls_alert_in_clear(last);
    bool heard = e->own != NULL ? e->own->read.sequence != 0
                                : tls_engine_was_open(e) && e->transport.read_records > e->secrets.read_before + 1;

    if (code != SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE || alert < 0 || heard)
        return false;
    if (alert == TLS_ALERT_CLOSE_NOTIFY && tls_engine_was_open(e))
        return false; /* data may be cut off there: that, nobody but the peer may say */
    e->report.alert_received = alert;
    return true;
}

/* Our own key could not sign, and a module says so. */
static bool is_token_failure(int32_t code)
{
    return code == SEC_ERROR_TOKEN_NOT_LOGGED_IN || code == SEC_ERROR_NO_TOKEN ||
           code == SEC_ERROR_PKCS11_DEVICE_ERROR || code == SEC_ERROR_PKCS11_FUNCTION_FAILED ||
           code == SEC_ERROR_PKCS11_GENERAL_ERROR;
}

/* What the agent said of the signature that failed just now, on this thread; "" when it was about something else. */
static const char *token_says(int32_t code)
{
    return is_token_failure(code) ? tokens_shim_error() : "";
}

static bool is_key_failure(int32_t code)
{
    return is_token_failure(code) || code == SSL_ERROR_SIGN_HASHES_FAILURE;
}

enum tls_status tls_engine_fail_nss(struct tls_engine *e, int32_t code)
{
    const char *name = PR_ErrorToName(code);
    const char *text = NULL;
    const char *hint;

    e->report.key_failed = e->report.key_failed || is_key_failure(code);
    tls_no_common_note(e, code);
    if (e->report.error_name[0] != '\0') /* a hook has said it better */
        return tls_engine_fail(e, "", NULL);
    if (note_clear_alert(e, code) && e->report.alert_received == TLS_ALERT_CLOSE_NOTIFY)
        return tls_handshake_closed(e);
    if (e->report.alert_received > TLS_ALERT_CLOSE_NOTIFY)
        return fail_alert(e);
    for (size_t i = 0; i < ARRAY_LEN(sentences); i++)
        if (sentences[i].code == code)
            text = sentences[i].text;
    if (name == NULL)
        return tls_engine_fail(e, "unknown_error", base_printf("NSS error %d", (int)code));
    if (text == NULL)
        text = PR_ErrorToString(code, PR_LANGUAGE_I_DEFAULT);
    hint = token_says(code);
    return tls_engine_fail(
        e, name, base_printf("%s%s%s", text == NULL ? "the connection failed" : text, *hint == '\0' ? "" : ": ", hint));
}
