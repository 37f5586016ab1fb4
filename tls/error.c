/* see tls/engine_internal.h
 *
 * Every failure has a name and a sentence an administrator can act on. NSS's own texts are used where nothing better
 * can be said; what is read often has a sentence of ours. */
#include "tls/engine_internal.h"
#include "tls/runtime.h"
#include "tokens/shim.h"

#include <prerror.h>
#include <secerr.h>
#include <sslerr.h>
#include <stdlib.h>

struct alert {
    int number;
    const char *name;     /* of the alert */
    const char *received; /* name of the error it makes */
    const char *meaning;
};

/* RFC 8446 section 6, and those of RFC 5246 that TLS 1.2 peers still send. */
#define ALERT(number, name, meaning)                                                                                   \
    {                                                                                                                  \
        number, name, "alert_received_" name, meaning                                                                  \
    }
static const struct alert alerts[] = {
    ALERT(0, "close_notify", "it closed the connection"),
    ALERT(10, "unexpected_message", "it got a message that does not belong there"),
    ALERT(20, "bad_record_mac", "a record was altered on its way"),
    ALERT(21, "decryption_failed", "it could not decrypt a record"),
    ALERT(22, "record_overflow", "it got a record that is too long"),
    ALERT(30, "decompression_failure", "it could not decompress a record"),
    ALERT(40, "handshake_failure", "it found no parameters that both sides accept"),
    ALERT(41, "no_certificate", "it has no certificate to give"),
    ALERT(42, "bad_certificate", "it does not accept our certificate"),
    ALERT(43, "unsupported_certificate", "it does not support the kind of our certificate"),
    ALERT(44, "certificate_revoked", "it takes our certificate to be revoked"),
    ALERT(45, "certificate_expired", "it takes our certificate to be expired"),
    ALERT(46, "certificate_unknown", "it does not accept our certificate"),
    ALERT(47, "illegal_parameter", "it got a value that is not allowed"),
    ALERT(48, "unknown_ca", "it does not know the authority that issued our certificate"),
    ALERT(49, "access_denied", "our certificate is good, but it does not let us in"),
    ALERT(50, "decode_error", "it could not decode a message"),
    ALERT(51, "decrypt_error", "a signature or a Finished message of ours did not verify there"),
    ALERT(60, "export_restriction", "it keeps to an export restriction"),
    ALERT(70, "protocol_version", "it does not speak a TLS version that we allow"),
    ALERT(71, "insufficient_security", "it asks for stronger ciphers than we offer"),
    ALERT(80, "internal_error", "it failed for a reason of its own"),
    ALERT(86, "inappropriate_fallback", "it takes us to have been downgraded"),
    ALERT(90, "user_canceled", "its user gave up"),
    ALERT(100, "no_renegotiation", "it does not renegotiate"),
    ALERT(109, "missing_extension", "it misses an extension it needs"),
    ALERT(110, "unsupported_extension", "it got an extension it did not ask for"),
    ALERT(111, "certificate_unobtainable", "it could not fetch our certificate"),
    ALERT(112, "unrecognized_name", "it does not serve the name we asked for"),
    ALERT(113, "bad_certificate_status_response", "it does not accept the OCSP response we stapled"),
    ALERT(114, "bad_certificate_hash_value", "our certificate does not match the hash given for it"),
    ALERT(115, "unknown_psk_identity", "it does not know the session"),
    ALERT(116, "certificate_required", "it demands a client certificate, and we gave none"),
    ALERT(120, "no_application_protocol", "it speaks none of the application protocols offered"),
    ALERT(121, "ech_required", "it demands Encrypted Client Hello"),
};

static const struct alert *find_alert(int number)
{
    for (size_t i = 0; i < ARRAY_LEN(alerts); i++)
        if (alerts[i].number == number)
            return &alerts[i];
    return NULL;
}

const char *tls_alert_name(int number)
{
    const struct alert *alert = find_alert(number);

    return alert == NULL ? "unknown" : alert->name;
}

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

/* The alert says more than the error NSS makes of it. */
static enum tls_status fail_alert(struct tls_engine *e)
{
    const struct alert *alert = find_alert(e->report.alert_received);

    if (alert == NULL)
        return tls_engine_fail(
            e, "alert_received_unknown",
            base_printf("the peer ended the connection with the unknown alert %d", e->report.alert_received));
    return tls_engine_fail(
        e, alert->received,
        base_printf("the peer ended the connection with the alert %s: %s", alert->name, alert->meaning));
}

/* What the agent said of the signature that failed just now, on this thread; "" when it was about something else. */
static const char *token_says(int32_t code)
{
    switch (code) {
    case SEC_ERROR_TOKEN_NOT_LOGGED_IN:
    case SEC_ERROR_NO_TOKEN:
    case SEC_ERROR_PKCS11_DEVICE_ERROR:
    case SEC_ERROR_PKCS11_FUNCTION_FAILED:
    case SEC_ERROR_PKCS11_GENERAL_ERROR:
        return tokens_shim_error();
    default:
        return "";
    }
}

/* Of the codes above: our own key could not sign. */
static bool is_key_failure(int32_t code)
{
    switch (code) {
    case SEC_ERROR_TOKEN_NOT_LOGGED_IN:
    case SEC_ERROR_NO_TOKEN:
    case SEC_ERROR_PKCS11_DEVICE_ERROR:
    case SEC_ERROR_PKCS11_FUNCTION_FAILED:
    case SEC_ERROR_PKCS11_GENERAL_ERROR:
    case SSL_ERROR_SIGN_HASHES_FAILURE:
        return true;
    default:
        return false;
    }
}

enum tls_status tls_engine_fail_nss(struct tls_engine *e, int32_t code)
{
    const char *name = PR_ErrorToName(code);
    const char *text = NULL;
    const char *hint = e->cert_wanted && e->identity == NULL && e->context->role == TLS_ROLE_CLIENT
                           ? " (it had asked for a client certificate, and none of ours fits)"
                           : "";

    e->report.key_failed = e->report.key_failed || is_key_failure(code);
    tls_no_common_note(e, code);
    if (e->report.error_name[0] != '\0') /* a hook has said it better */
        return tls_engine_fail(e, "", NULL);
    if (e->report.alert_received > TLS_ALERT_CLOSE_NOTIFY) {
        enum tls_status status = fail_alert(e);

        if (hint[0] != '\0') {
            char *longer = base_printf("%s%s", e->report.error, hint);

            free(e->report.error);
            e->report.error = longer;
        }
        return status;
    }
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
