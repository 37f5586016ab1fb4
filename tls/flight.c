/* see tls/flight.h */
#include "tls/flight.h"
#include "tls/handshake_internal.h"

#include <secerr.h>
#include <ssl.h>
#include <sslerr.h>

enum {
    MESSAGE_CERTIFICATE = 11,
    MESSAGE_SERVER_HELLO_DONE = 14,
    MESSAGE_CERTIFICATE_VERIFY = 15,
    MESSAGE_FINISHED = 20,
    RECORD_BODY_MAX = 16384 + 2048, /* RFC 5246 section 6.2.3: the most of any version */
    ALERT_WARNING = 1,
    ALERT_FATAL = 2,
    ALERT_SIZE = 2,
};

/* What becomes of a record. FAIL: the engine has failed. */
enum fate { PASS, HOLD, FAIL };

void tls_flight_init(struct tls_flight *f)
{
    *f = (struct tls_flight){0};
    buffer_init(&f->certificate, TLS_CERTIFICATE_MESSAGE_MAX);
}

void tls_flight_clear(struct tls_flight *f)
{
    if (f->secret != NULL)
        PK11_FreeSymKey(f->secret);
    if (f->own_secret != NULL)
        PK11_FreeSymKey(f->own_secret);
    if (f->opens)
        tls_record_direction_clear(&f->opener);
    buffer_release(&f->certificate);
    tls_flight_init(f);
}

void tls_flight_keep_secret(struct tls_flight *f, PK11SymKey *secret)
{
    if (f->secret == NULL)
        f->secret = PK11_ReferenceSymKey(secret);
}

void tls_flight_keep_own_secret(struct tls_flight *f, PK11SymKey *secret)
{
    if (f->own_secret != NULL)
        PK11_FreeSymKey(f->own_secret);
    f->own_secret = PK11_ReferenceSymKey(secret);
}

static bool may_see_certificates(const struct tls_engine *e)
{
    return e->context->role == TLS_ROLE_CLIENT || e->context->peer != TLS_PEER_NONE;
}

static enum tls_certificate_form form_of(const struct tls_flight *f)
{
    return f->opens ? TLS_CERTIFICATE_TLS13 : TLS_CERTIFICATE_TLS12;
}

/* ---- messages ---- */

struct chain {
    struct span certs[TLS_PEER_CERTS_MAX];
    size_t count;
    bool too_many;
};

static bool add_cert(void *arg, struct span cert)
{
    struct chain *chain = arg;

    chain->too_many = chain->count == TLS_PEER_CERTS_MAX;
    if (!chain->too_many)
        chain->certs[chain->count++] = cert;
    return !chain->too_many;
}

/* What NSS is not to decode must be refused by ourselves. Nothing of ours was protected before with the keys of this
 * moment: a client has said nothing since the server's hello, a server nothing since its Finished. */
static void say_alert(struct tls_engine *e, int alert)
{
    struct tls_flight *f = &e->hs->flight;
    uint8_t content[ALERT_SIZE] = {ALERT_FATAL, (uint8_t)alert};
    uint8_t clear[] = {TLS_CONTENT_ALERT, 3, 3, 0, ALERT_SIZE, ALERT_FATAL, (uint8_t)alert};
    struct tls_record_direction d;
    bool said;

    if (!f->opens) {
        said = buffer_append(&e->transport.out, span_of(clear, sizeof(clear)));
    } else {
        said =
            f->own_secret != NULL && tls_record_direction_init(&d, f->opener.suite, TLS_RECORD_SEAL, f->own_secret, 0);
        if (said) {
            said = tls_record_seal(&d, TLS_CONTENT_ALERT, span_of(content, sizeof(content)), &e->transport.out);
            tls_record_direction_clear(&d);
        }
    }
    if (said)
        e->report.alert_sent = alert;
}

static enum fate fail(struct tls_engine *e, int alert, int32_t code)
{
    say_alert(e, alert);
    (void)tls_engine_fail_nss(e, code);
    return FAIL;
}

static enum fate fail_too_many(struct tls_engine *e)
{
    say_alert(e, TLS_ALERT_BAD_CERTIFICATE);
    (void)tls_engine_fail(e, "too_many_certificates",
                          base_printf("the %s sent more than %d certificates, or %d bytes of them",
                                      e->context->calls->peer, TLS_PEER_CERTS_MAX, TLS_CERTIFICATE_MESSAGE_MAX));
    return FAIL;
}

/* The whole Certificate is there. PASS: there is nothing in it that NSS could hold. */
static enum fate see_certificate(struct tls_engine *e)
{
    struct tls_flight *f = &e->hs->flight;
    struct chain chain = {.count = 0};

    if (tls_certificate_message_each(form_of(f), buffer_span(&f->certificate), add_cert, &chain)) {
        f->has_chain = chain.count != 0;
        return f->has_chain ? HOLD : PASS;
    }
    return chain.too_many ? fail_too_many(e) : fail(e, TLS_ALERT_DECODE_ERROR, SSL_ERROR_RX_MALFORMED_CERTIFICATE);
}

static bool ends_what_is_held(const struct tls_engine *e, unsigned type)
{
    if (e->context->role == TLS_ROLE_SERVER)
        return type == MESSAGE_CERTIFICATE_VERIFY;
    return type == (e->hs->flight.opens ? MESSAGE_FINISHED : MESSAGE_SERVER_HELLO_DONE);
}

/* The header of a message is there. */
static enum fate begin_message(struct tls_engine *e)
{
    struct tls_flight *f = &e->hs->flight;

    f->body_left = (size_t)f->header[1] << 16 | (size_t)f->header[2] << 8 | f->header[3];
    if (f->header[0] != MESSAGE_CERTIFICATE)
        return f->holding ? HOLD : PASS;
    if (f->holding)
        return fail(e, TLS_ALERT_UNEXPECTED_MESSAGE, SSL_ERROR_RX_UNEXPECTED_CERTIFICATE);
    if (f->body_left > TLS_CERTIFICATE_MESSAGE_MAX)
        return fail_too_many(e);
    f->holding = true;
    return HOLD;
}

static enum fate end_message(struct tls_engine *e)
{
    struct tls_flight *f = &e->hs->flight;
    unsigned type = f->header[0];

    f->header_size = 0;
    if (!f->holding) /* a Certificate of which NSS has got a part should have made it fail */
        return type != MESSAGE_CERTIFICATE ? PASS
                                           : fail(e, TLS_ALERT_UNEXPECTED_MESSAGE, SSL_ERROR_RX_UNEXPECTED_CERTIFICATE);
    if (type == MESSAGE_CERTIFICATE)
        return see_certificate(e);
    f->complete = f->complete || ends_what_is_held(e, type);
    return HOLD;
}

/* Content of handshake records. Once something is to go to NSS all of it goes. */
static enum fate see_messages(struct tls_engine *e, struct span content)
{
    struct tls_flight *f = &e->hs->flight;
    enum fate fate = f->holding ? HOLD : PASS;

    while (content.size != 0) {
        struct span part;

        if (f->header_size < sizeof(f->header)) {
            f->header[f->header_size++] = content.data[0];
            content = span_skip(content, 1);
            if (f->header_size < sizeof(f->header))
                continue;
            fate = begin_message(e);
            if (fate == FAIL)
                return FAIL;
        }
        part = span_of(content.data, content.size < f->body_left ? content.size : f->body_left);
        if (f->holding && f->header[0] == MESSAGE_CERTIFICATE && !buffer_append(&f->certificate, part))
            return fail_too_many(e);
        f->body_left -= part.size;
        content = span_skip(content, part.size);
        if (f->body_left != 0)
            continue;
        fate = end_message(e);
        if (fate == FAIL || (fate == PASS && f->holding))
            return fate;
    }
    return fate;
}

/* ---- records ---- */

/* A warning would be a way to have all that is held back given to NSS, and to keep it waiting there. */
static enum fate see_alert(const struct tls_flight *f, struct span content)
{
    bool ends = content.size != ALERT_SIZE || content.data[1] == TLS_ALERT_CLOSE_NOTIFY ||
                (f->opens ? content.data[1] != TLS_ALERT_USER_CANCELED : content.data[0] != ALERT_WARNING);

    return f->holding && !ends ? HOLD : PASS;
}

static bool make_opener(struct tls_engine *e)
{
    struct tls_flight *f = &e->hs->flight;
    SSLPreliminaryChannelInfo info = {0};
    const struct tls_record_suite *suite;

    if (f->opens || f->secret == NULL)
        return f->opens;
    if (SSL_GetPreliminaryChannelInfo(e->fd, &info, sizeof(info)) != SECSuccess)
        return false;
    suite = tls_record_suite_find(TLS_VERSION_13, info.cipherSuite);
    f->opens = suite != NULL && tls_record_direction_init(&f->opener, suite, TLS_RECORD_OPEN, f->secret, 0);
    return f->opens;
}

/* TLS 1.3, protected. One that does not open is passed over by NSS too, where it is early data that was not asked for.
 */
static enum fate see_protected(struct tls_engine *e, struct span record)
{
    struct tls_flight *f = &e->hs->flight;
    size_t space, size, body_size = record.size - TLS_RECORD_HEADER_SIZE;
    uint8_t *opened;
    enum fate fate;
    unsigned type;

    if (!make_opener(e) || body_size < TLS_RECORD_TAG_SIZE || body_size > TLS_RECORD_BODY_MAX)
        return PASS;
    opened = buffer_reserve(&e->plaintext, TLS_RECORD_INNER_MAX, &space); /* which has no other use yet */
    if (!tls_record_open(&f->opener, record, opened, &size, &type))
        return PASS;
    fate = PASS;
    if (type == TLS_CONTENT_HANDSHAKE)
        fate = see_messages(e, span_of(opened, size));
    else if (type == TLS_CONTENT_ALERT)
        fate = see_alert(f, span_of(opened, size));
    return fate;
}

static enum fate see_record(struct tls_engine *e, struct span record)
{
    struct tls_flight *f = &e->hs->flight;
    struct span body = span_skip(record, TLS_RECORD_HEADER_SIZE);

    if (!may_see_certificates(e))
        return PASS;
    switch (record.data[0]) {
    case TLS_CONTENT_CHANGE_CIPHER_SPEC:
        /* Of no meaning in TLS 1.3 (RFC 8446 appendix D.4). In TLS 1.2 all is there that NSS needs to judge. */
        if (f->secret != NULL)
            return f->holding ? HOLD : PASS;
        f->sealed = true;
        return PASS;
    case TLS_CONTENT_ALERT:
        return f->sealed ? PASS : see_alert(f, body);
    case TLS_CONTENT_HANDSHAKE:
        return f->sealed || f->opens ? PASS : see_messages(e, body);
    case TLS_CONTENT_DATA:
        return see_protected(e, record);
    default:
        return PASS;
    }
}

/* Warning alerts and empty records cost a peer nothing, and NSS takes any number of them (limits.h). */
static void count_record(struct tls_engine *e, struct span record)
{
    struct tls_handshake *hs = e->hs;

    if (hs->given_again != 0) {
        hs->given_again -= hs->given_again < record.size ? hs->given_again : record.size;
        return;
    }
    hs->bytes += record.size;
    hs->records++;
    hs->empty_records += record.size == TLS_RECORD_HEADER_SIZE;
    hs->alerts += record.data[0] == TLS_CONTENT_ALERT;
    if (hs->records > TLS_HANDSHAKE_RECORDS_MAX || hs->alerts > TLS_HANDSHAKE_ALERTS_MAX ||
        hs->empty_records > TLS_HANDSHAKE_EMPTY_RECORDS_MAX || hs->bytes > TLS_HANDSHAKE_BYTES_MAX)
        e->flood.seen = true;
}

static bool give(struct tls_engine *e, size_t size)
{
    struct tls_flight *f = &e->hs->flight;

    f->looked_at = 0;
    f->holding = f->has_chain = f->complete = false;
    buffer_release(&f->certificate);
    e->transport.readable = size;
    return size != 0;
}

/* ---- the claim ---- */

/* Another peer's certificate is in the way: which of these are on a good path? */
static void look_ahead(struct tls_engine *e, const struct chain *chain)
{
    struct tls_flight *f = &e->hs->flight;

    if (f->looked_ahead)
        return;
    f->looked_ahead = true;
    f->waits_since_ms = e->context->clock->now_ms();
    memset(f->verified, 0, sizeof(f->verified));
    f->is_good = e->context->insecure_no_verify;
    if (f->is_good)
        return;
    f->is_good = tls_peer_verify(e, TLS_VERDICT_AHEAD, chain->certs[0], chain->certs + 1, chain->count - 1, NULL, 0);
    for (size_t i = 0; f->is_good && i < chain->count; i++)
        f->verified[i] = tls_peer_chain_has(e, chain->certs[i]);
}

static enum fate fail_at_odds(struct tls_engine *e)
{
    say_alert(e, TLS_ALERT_CERTIFICATE_UNKNOWN);
    if (e->hs->give_up_name != NULL)
        (void)tls_engine_fail(e, e->hs->give_up_name, base_strdup(e->hs->give_up_sentence));
    else
        (void)tls_engine_fail(
            e, "certificate_at_odds",
            base_printf(
                "the %s sent a certificate with the issuer and serial number of another one, which another peer "
                "has sent at the same time",
                e->context->calls->peer));
    return FAIL;
}

/* Who is not who it should be waits as well, since it can only be refused with NSS's help, but neither long nor at the
 * cost of others. HOLD: not now. */
static enum fate claim_in_turn(struct tls_engine *e, const struct chain *chain)
{
    struct tls_flight *f = &e->hs->flight;
    bool waited;

    if (e->hs->give_up_name != NULL)
        return fail_at_odds(e);
    e->hs->must_wait = true; /* the next step is one that may */
    if (!e->hs->may_wait)
        return HOLD;
    look_ahead(e, chain);
    waited = e->context->clock->now_ms() - f->waits_since_ms >=
             (uint64_t)(f->is_good ? TLS_PEER_CERTS_WAIT_MS : TLS_PEER_CERTS_WAIT_BAD_MS);
    if (tls_peer_certs_claim_in_turn(e->certs, chain->certs, chain->count, f->verified, waited && f->is_good) ==
        TLS_CLAIM_HELD) {
        e->hs->must_wait = false;
        return PASS;
    }
    return waited ? fail_at_odds(e) : HOLD;
}

static enum fate claim(struct tls_engine *e)
{
    struct chain chain = {.count = 0};

    if (!tls_certificate_message_each(form_of(&e->hs->flight), buffer_span(&e->hs->flight.certificate), add_cert,
                                      &chain))
        return fail(e, TLS_ALERT_DECODE_ERROR, SSL_ERROR_RX_MALFORMED_CERTIFICATE); /* it was read before: not so */
    tls_engine_hold_certs(e);
    switch (tls_peer_certs_claim(e->certs, chain.certs, chain.count)) {
    case TLS_CLAIM_HELD:
        break;
    case TLS_CLAIM_BUSY:
        return claim_in_turn(e, &chain);
    case TLS_CLAIM_BAD_DER:
        return fail(e, TLS_ALERT_BAD_CERTIFICATE, SEC_ERROR_BAD_DER);
    }
    e->hs->must_wait = false;
    return PASS;
}

bool tls_flight_next(struct tls_engine *e)
{
    struct tls_transport *t = &e->transport;
    struct tls_flight *f = &e->hs->flight;
    size_t alone = 0; /* of ChangeCipherSpec, which goes with the record behind it: a call of NSS less */

    if (t->readable != 0)
        return false; /* NSS has something else in mind */
    for (;;) {
        struct span rest = span_skip(buffer_span(&t->in), f->looked_at);
        size_t size;

        if (f->complete)
            return claim(e) == PASS && give(e, f->looked_at);
        if (t->ended || t->in.size >= TLS_FLIGHT_MAX) { /* then NSS is to say what is missing, or too much */
            f->looked_at = t->in.size;
            if (f->holding && !f->has_chain)
                return t->ended ? give(e, f->looked_at) : (fail_too_many(e), false);
            if (!f->holding)
                return give(e, f->looked_at);
            f->complete = true;
            continue;
        }
        if (rest.size < TLS_RECORD_HEADER_SIZE)
            return alone != 0 && give(e, alone);
        size = TLS_RECORD_HEADER_SIZE + tls_record_body_size(rest.data);
        if (size > TLS_RECORD_HEADER_SIZE + RECORD_BODY_MAX)
            return give(e, t->in.size); /* NSS will not have it */
        if (rest.size < size)
            return alone != 0 && give(e, alone);
        count_record(e, span_of(rest.data, size));
        if (e->flood.seen)
            return false;
        f->looked_at += size;
        switch (see_record(e, span_of(rest.data, size))) {
        case FAIL:
            return false;
        case HOLD:
            alone = 0;
            continue;
        case PASS:
            break;
        }
        if (rest.data[0] == TLS_CONTENT_CHANGE_CIPHER_SPEC && !f->holding) {
            alone = f->looked_at;
            continue;
        }
        if (!f->has_chain)
            return give(e, f->looked_at);
        f->complete = true; /* something odd behind it: NSS is to say so */
    }
}
