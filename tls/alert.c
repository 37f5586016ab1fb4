/* see tls/alert.h */
#include "tls/alert.h"
#include "tls/record.h"

enum { ALERT_WARNING = 1, ALERT_FATAL = 2, RECORD_VERSION_MAJOR = 3 };

enum about { ABOUT_TLS, ABOUT_CERTIFICATE };

struct alert {
    int number;
    enum about about;
    const char *name;     /* of the alert */
    const char *received; /* name of the error it makes */
    const char *meaning;  /* "it ..." */
    const char *advice;   /* "": the meaning says it */
};

#define ROW(number, about, name, meaning, advice)                                                                      \
    {                                                                                                                  \
        number, ABOUT_##about, name, "alert_received_" name, meaning, advice                                           \
    }

/* What is in several rows. */
#define REPORT   "one of the two programs does not keep to the protocol"
#define ALTERED  "one of the two programs is at fault, or something between them alters what they say"
#define ITS_LOG  "its log says why"
#define SETTINGS "compare ciphers and tls_min with what it allows"

/* RFC 8446 section 6, and those of RFC 5246 and before that peers still send. */
static const struct alert alerts[] = {
    ROW(0, TLS, "close_notify", "it closed the connection", ""),
    ROW(10, TLS, "unexpected_message", "it got a message that does not belong there", REPORT),
    ROW(20, TLS, "bad_record_mac", "a record was altered on its way, or made with another key", ALTERED),
    ROW(21, TLS, "decryption_failed", "it could not decrypt a record", ALTERED),
    ROW(22, TLS, "record_overflow", "it got a record that is too long", REPORT),
    ROW(30, TLS, "decompression_failure", "it could not decompress a record", REPORT),
    ROW(40, TLS, "handshake_failure", "it found no parameters that both sides accept", SETTINGS),
    ROW(41, TLS, "no_certificate", "it has no certificate to give", "give it one, or do without (peer)"),
    ROW(42, CERTIFICATE, "bad_certificate", "it does not accept our certificate", ITS_LOG),
    ROW(43, CERTIFICATE, "unsupported_certificate", "it does not support our certificate's kind of key or purpose",
        "give it a certificate with another key, or with the extended key usage that it needs"),
    ROW(44, CERTIFICATE, "certificate_revoked", "it takes our certificate to be revoked", "have a new one issued"),
    ROW(45, CERTIFICATE, "certificate_expired", "it takes our certificate, or one above it, to be expired",
        "renew it, or set the clock there right"),
    ROW(46, CERTIFICATE, "certificate_unknown", "it does not accept our certificate", ITS_LOG),
    ROW(47, TLS, "illegal_parameter", "it got a value that is not allowed", REPORT),
    ROW(48, CERTIFICATE, "unknown_ca", "it does not trust the authority that issued our certificate",
        "make it trust that authority, or put the intermediate certificates that are missing into the identity"),
    ROW(49, CERTIFICATE, "access_denied", "it takes our certificate to be good, but does not let us in",
        "its administrator says who may"),
    ROW(50, TLS, "decode_error", "it could not decode a message", REPORT),
    ROW(51, TLS, "decrypt_error", "a signature or a Finished message of ours did not verify there", ALTERED),
    ROW(60, TLS, "export_restriction", "it keeps to an export restriction", "it is too old"),
    ROW(70, TLS, "protocol_version", "it does not speak a TLS version that we allow",
        "it needs TLS 1.2 or newer; see tls_min"),
    ROW(71, TLS, "insufficient_security", "it asks for stronger ciphers than we offer", SETTINGS),
    ROW(80, TLS, "internal_error", "it failed for a reason of its own", ITS_LOG),
    ROW(86, TLS, "inappropriate_fallback", "it speaks a newer version than this, and takes us to have been downgraded",
        "something between the two interferes, or tls_min here is above what the first try allowed"),
    ROW(90, TLS, "user_canceled", "its user gave up", ""),
    ROW(100, TLS, "no_renegotiation", "it does not renegotiate", ""),
    ROW(109, TLS, "missing_extension", "it misses an extension it needs", REPORT),
    ROW(110, TLS, "unsupported_extension", "it got an extension it did not ask for", REPORT),
    ROW(111, CERTIFICATE, "certificate_unobtainable", "it could not fetch our certificate", ITS_LOG),
    ROW(112, TLS, "unrecognized_name", "it does not serve the name we asked for", "see connect and verify_name"),
    ROW(113, CERTIFICATE, "bad_certificate_status_response", "it does not accept the OCSP response we stapled",
        "renew the file in ocsp_staple"),
    ROW(114, CERTIFICATE, "bad_certificate_hash_value", "our certificate does not match the hash given for it", REPORT),
    ROW(115, TLS, "unknown_psk_identity", "it does not know the session", ITS_LOG),
    ROW(116, TLS, "certificate_required", "it demands a client certificate, and we gave none", "see connect_identity"),
    ROW(120, TLS, "no_application_protocol", "it speaks none of the application protocols (ALPN) offered",
        "see alpn, and whether this port is the one for the protocol"),
    ROW(121, TLS, "ech_required", "it demands Encrypted Client Hello", "it is not for us"),
};

static const struct alert *find(int number)
{
    for (size_t i = 0; i < ARRAY_LEN(alerts); i++)
        if (alerts[i].number == number)
            return &alerts[i];
    return NULL;
}

int tls_alert_in_clear(struct span record)
{
    const uint8_t *r = record.data;

    return record.size == TLS_ALERT_RECORD_SIZE && r[0] == TLS_CONTENT_ALERT && r[1] == RECORD_VERSION_MAJOR &&
                   tls_record_body_size(r) == 2 && (r[5] == ALERT_WARNING || r[5] == ALERT_FATAL)
               ? r[6]
               : -1;
}

const char *tls_alert_name(int alert)
{
    const struct alert *found = find(alert);

    return found == NULL ? "unknown" : found->name;
}

const char *tls_alert_error_name(int alert)
{
    const struct alert *found = find(alert);

    return found == NULL ? "alert_received_unknown" : found->received;
}

char *tls_alert_sentence(int alert, const char *peer, const char *shown)
{
    const struct alert *found = find(alert);
    bool with_shown;

    if (found == NULL)
        return base_printf("the %s ended the connection with the unknown alert %d", peer, alert);
    with_shown = found->about == ABOUT_CERTIFICATE && shown[0] != '\0';
    return base_printf("the %s ended the connection with the alert %s: %s%s%s%s%s%s", peer, found->name, found->meaning,
                       with_shown ? " (" : "", with_shown ? shown : "", with_shown ? ")" : "",
                       found->advice[0] == '\0' ? "" : ": ", found->advice);
}
