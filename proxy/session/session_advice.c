/* see proxy/session/session_advice.h */
#include "proxy/session/session_advice.h"

#include <string.h>

#define LOOK_AT_THE_SERVER "see the server's own log: connect_tls may be wrong for its port, or it does not let us in"

/* NULL: for that side there is nothing more exact to say. */
static const struct {
    const char *error, *client, *target;
} table[] = {
    {"unknown_issuer", "peer_trust must name the authority that issued it, and the client must send its intermediates",
     "trust must name the authority that issued it, and the server must send its intermediates"},
    {"self_signed", "peer_trust must name it, or the client needs a certificate of a trusted authority",
     "trust must name it, or the server needs a certificate of a trusted authority"},
    {"name_mismatch", NULL,
     "verify_name must be a name the certificate is for, or the server needs another certificate"},
    {"expired", "the client needs a new certificate", "the server needs a new certificate"},
    {"not_yet_valid", "see to the clocks of both machines", "see to the clocks of both machines"},
    {"revoked", "the client needs a new certificate", "the server needs a new certificate"},
    {"expired_issuer", "the client needs the certificate of an authority that is still valid",
     "the server needs the certificate of an authority that is still valid"},
    {"bad_extended_key_usage", "the client needs a certificate that is for clients (clientAuth)",
     "the server needs a certificate that is for servers (serverAuth)"},
    {"revocation_unknown", "the responder must answer, crl name a list, or revocation be soft",
     "the responder must answer, crl name a list, or revocation be soft"},
    {"pin_mismatch", "pin_spki_sha256 must name a key of its path", "pin_spki_sha256 must name a key of its path"},
    {"SSL_ERROR_NO_CERTIFICATE",
     "give the client a certificate of an authority in peer_trust; peer = request lets in those without one", NULL},
    {"closed_in_handshake", NULL, LOOK_AT_THE_SERVER},
    {"ECONNRESET", NULL, LOOK_AT_THE_SERVER},
    {"alert_received_certificate_required", NULL, "the server wants a client certificate: set connect_identity"},
    {"alert_received_unknown_ca", NULL,
     "the server does not trust the issuer of our certificate: see connect_identity"},
    {"alert_received_bad_certificate", NULL, "the server does not take our certificate: see connect_identity"},
    {"alert_received_certificate_expired", NULL, "our certificate has expired: see connect_identity"},
    {"alert_received_access_denied", NULL, "the server does not let our certificate in: see connect_identity"},
};

const char *session_advice(enum session_ended ended, const char *error)
{
    if (ended != SESSION_ENDED_tls_failed && ended != SESSION_ENDED_target_tls_failed)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strcmp(table[i].error, error) == 0)
            return ended == SESSION_ENDED_tls_failed ? table[i].client : table[i].target;
    return NULL;
}
