/* see proxy/session/session_advice.h */
#include "proxy/session/session_advice.h"

#include <string.h>

#define LOOK_AT_THE_SERVER "see the server's own log: connect_tls may be wrong for its port, or it does not let us in"
#define NOT_TLS            "see that port, protocol and listen_tls or connect_tls are right"

const char session_advice_limit[] = "raise the setting that the reason names, if such requests or answers are right";
const char session_advice_injected[] =
    "nothing of it was used: somebody between may have put it there, or that program does not wait for the answer to its "
    "request for TLS, and has to be mended";

/* What is wrong with TLS. NULL: for that side there is nothing more exact to say. `target_fault`: who has to do
 * something about the target's; it is this yett where its own certificate is what the target does not like. */
static const struct {
    const char *error, *client, *target;
    enum session_fault target_fault;
} table[] = {
    {"unknown_issuer", "peer_trust must name the authority that issued it, and the client must send its intermediates",
     "trust must name the authority that issued it, and the server must send its intermediates", SESSION_FAULT_TARGET},
    {"self_signed", "peer_trust must name it, or the client needs a certificate of a trusted authority",
     "trust must name it, or the server needs a certificate of a trusted authority", SESSION_FAULT_TARGET},
    {"name_mismatch", NULL,
     "verify_name must be a name the certificate is for, or the server needs another certificate",
     SESSION_FAULT_TARGET},
    {"expired", "the client needs a new certificate", "the server needs a new certificate", SESSION_FAULT_TARGET},
    {"not_yet_valid", "see to the clocks of both machines", "see to the clocks of both machines", SESSION_FAULT_TARGET},
    {"revoked", "the client needs a new certificate", "the server needs a new certificate", SESSION_FAULT_TARGET},
    {"expired_issuer", "the client needs the certificate of an authority that is still valid",
     "the server needs the certificate of an authority that is still valid", SESSION_FAULT_TARGET},
    {"bad_extended_key_usage", "the client needs a certificate that is for clients (clientAuth)",
     "the server needs a certificate that is for servers (serverAuth)", SESSION_FAULT_TARGET},
    {"revocation_unknown", "the responder must answer, crl name a list, or revocation be soft",
     "the responder must answer, crl name a list, or revocation be soft", SESSION_FAULT_TARGET},
    {"pin_mismatch", "pin_spki_sha256 must name a key of its path", "pin_spki_sha256 must name a key of its path",
     SESSION_FAULT_TARGET},
    {"SSL_ERROR_NO_CERTIFICATE",
     "give the client a certificate of an authority in peer_trust; peer = request lets in those without one", NULL,
     SESSION_FAULT_TARGET},
    {"not_tls", NOT_TLS, NOT_TLS, SESSION_FAULT_TARGET},
    {"SSL_ERROR_RENEGOTIATION_NOT_ALLOWED",
     "the client must do without renegotiation, which TLS 1.3 does not have: nothing is to be set here", NULL,
     SESSION_FAULT_TARGET},
    {"renegotiation_refused", "the client must do without renegotiation, which TLS 1.3 does not have",
     "where the server wants a client certificate, set connect_identity; else it must do without renegotiation",
     SESSION_FAULT_TARGET},
    {"closed_in_handshake", NULL, LOOK_AT_THE_SERVER, SESSION_FAULT_TARGET},
    {"ECONNRESET", NULL, LOOK_AT_THE_SERVER, SESSION_FAULT_TARGET},
    {"alert_received_certificate_required", NULL, "the server wants a client certificate: set connect_identity",
     SESSION_FAULT_HERE},
    {"alert_received_unknown_ca", NULL, "the server does not trust the issuer of our certificate: see connect_identity",
     SESSION_FAULT_HERE},
    {"alert_received_bad_certificate", NULL, "the server does not take our certificate: see connect_identity",
     SESSION_FAULT_HERE},
    {"alert_received_certificate_expired", NULL, "our certificate has expired: see connect_identity",
     SESSION_FAULT_HERE},
    {"alert_received_access_denied", NULL, "the server does not let our certificate in: see connect_identity",
     SESSION_FAULT_HERE},
};

/* Names in capitals are NSS's or the system's: yett(8) has none of them, and the reason is their sentence. */
#define OTHERS_NAME                                                                                                    \
    "the error's name is NSS's, and the reason its sentence: look at the program on the other side, and at the network"

/* An http-proxy's client asked for something else than is served: by our answer. */
static const char *proxy_advice(unsigned http_status)
{
    switch (http_status) {
    case 403:
        return "let the client ask with CONNECT, or for an https URI: plain HTTP is not forwarded, whatever the rules";
    case 405:
        return "let the client ask with CONNECT, or with a common method for an https URI";
    case 505:
        return "let the client speak HTTP/1.1";
    default:
        return "see that the client takes this port for an HTTP proxy: it asks with CONNECT, or for an https URI";
    }
}

static const char *relay_advice(enum session_fault fault)
{
    switch (fault) {
    case SESSION_FAULT_CLIENT:
        return "see what the client is, and that it is meant for this port";
    case SESSION_FAULT_TARGET:
        return "see the server's own log, and that protocol is right for it";
    case SESSION_FAULT_HERE:
        return "please report it, with this line";
    case SESSION_FAULT_NOBODY:
    case SESSION_FAULT_PEER:
    case SESSION_FAULT_COUNT:
        break;
    }
    return NULL;
}

static struct session_remedy tls_remedy(const struct session_cause *cause, struct session_remedy remedy)
{
    bool is_client = remedy.fault == SESSION_FAULT_CLIENT;

    if (cause->is_proxy && strcmp(cause->error, "name_mismatch") == 0)
        return (struct session_remedy){remedy.fault,
                                       "the server needs a certificate for the name that the client asked for, or the "
                                       "client has to ask for a name that it is for"};
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *advice = is_client ? table[i].client : table[i].target;

        if (strcmp(table[i].error, cause->error) == 0 && advice != NULL)
            return (struct session_remedy){is_client ? remedy.fault : table[i].target_fault, advice};
    }
    if (cause->error[0] >= 'A' && cause->error[0] <= 'Z')
        remedy.advice = OTHERS_NAME;
    return remedy;
}

struct session_remedy session_remedy(const struct session_cause *cause)
{
    const struct session_end *end = session_end_of(cause->ended);
    struct session_remedy remedy = {end->fault, end->advice};
    const char *advice = NULL;

    if (cause->fault != SESSION_FAULT_NOBODY)
        remedy.fault = cause->fault;
    if (cause->ended == SESSION_ENDED_tls_failed || cause->ended == SESSION_ENDED_target_tls_failed ||
        cause->ended == SESSION_ENDED_relay_tls_failed)
        return tls_remedy(cause, remedy);
    if (cause->ended == SESSION_ENDED_relay_protocol_error)
        advice = relay_advice(cause->fault);
    else if (cause->key_is_of_file)
        advice =
            "see the process that has the keys of files: yett status, and the log; if it hangs, kill it, and another "
            "takes its place";
    else if (cause->ended == SESSION_ENDED_protocol_error && cause->is_proxy)
        advice = proxy_advice(cause->http_status);
    if (advice != NULL)
        remedy.advice = advice;
    return remedy;
}
