/* see tls/established.h
 *
 *     in --> open --> data ------> taken
 *                 --> alert -----> the end of the peer's direction, or of all
 *                 --> KeyUpdate -> the next read secret; and one of ours, if it asks for that
 *                 --> ticket ----> NSS's socket, if it lingers on; else nothing
 *                 --> a hello of TLS 1.2 -> no_renegotiation
 *     put -> seal --> out */
#include "tls/established.h"
#include "tls/handshake_internal.h"

#include <prerror.h>
#include <secerr.h>
#include <sslerr.h>
#include <stdlib.h>

enum {
    ALERT_SIZE = 2,
    ALERT_WARNING = 1,
    ALERT_FATAL = 2,
    HANDSHAKE_HELLO_REQUEST = 0,
    HANDSHAKE_CLIENT_HELLO = 1,
    HANDSHAKE_NEW_SESSION_TICKET = 4,
    HANDSHAKE_KEY_UPDATE = 24,
    UPDATE_NOT_REQUESTED = 0,
    UPDATE_REQUESTED = 1,
};

/* ---- sending ---- */

static enum tls_status fail_internal(struct tls_engine *e)
{
    return tls_engine_fail_nss(e, SEC_ERROR_LIBRARY_FAILURE);
}

/* The room kept free of plaintext (tls/limits.h) is for these; without it the peer is beyond listening. */
static void say_alert(struct tls_engine *e, int level, int description)
{
    uint8_t alert[ALERT_SIZE] = {(uint8_t)level, (uint8_t)description};

    if (tls_record_seal(&e->own->write, TLS_CONTENT_ALERT, span_of(alert, sizeof(alert)), &e->transport.out) &&
        (level == ALERT_FATAL || description == TLS_ALERT_CLOSE_NOTIFY))
        e->report.alert_sent = description;
}

/* Nothing is said behind close_notify (RFC 8446 section 6.1). */
static void say_fatal(struct tls_engine *e, int alert)
{
    if (!e->closing)
        say_alert(e, ALERT_FATAL, alert);
}

/* `code` is NSS's name for it, so that a failure is called the same with its record layer and with ours. */
static enum tls_status fail(struct tls_engine *e, int alert, int32_t code)
{
    say_fatal(e, alert);
    return tls_engine_fail_nss(e, code);
}

/* see tls/engine_internal.h */
enum tls_status tls_engine_fail_flooded(struct tls_engine *e)
{
    /* NSS has no call that sends an alert. It is left in the middle of what it reads, which nobody is to read any more.
     */
    if (e->own == NULL && e->version == TLS_VERSION_13) {
        tls_established_settle_write_key(e);
        (void)!tls_established_start_13(e);
    }
    if (e->own != NULL)
        say_fatal(e, TLS_ALERT_UNEXPECTED_MESSAGE);
    if (e->version == TLS_VERSION_13)
        return tls_engine_fail(e, "key_update_flood", base_strdup("the peer changes its keys again and again"));
    return tls_engine_fail(e, "renegotiation_flood", base_strdup("the peer renegotiates again and again"));
}

/* A KeyUpdate goes out under the old key; whatever comes after it under the new one. */
static enum tls_status update_write_key(struct tls_engine *e)
{
    static const uint8_t message[] = {HANDSHAKE_KEY_UPDATE, 0, 0, 1, UPDATE_NOT_REQUESTED};

    if (!tls_record_seal(&e->own->write, TLS_CONTENT_HANDSHAKE, span_of(message, sizeof(message)), &e->transport.out))
        return TLS_OK; /* no room: what was owed is still owed */
    e->own->update_owed = false;
    return tls_record_direction_update(&e->own->write) ? TLS_OK : fail_internal(e);
}

/* The key is used up (section 5.5). TLS 1.2 has no other one to offer. */
static bool is_used_up(const struct tls_established *own)
{
    return own->write.sequence >= TLS_RECORDS_PER_KEY_MAX;
}

/* The peer has asked for it (section 4.6.3), or the key is used up. */
static bool update_is_due(const struct tls_established *own)
{
    return own->update_owed || is_used_up(own);
}

static enum tls_status own_encrypt(struct tls_engine *e, struct span plaintext, size_t *consumed)
{
    struct span part = plaintext;

    if (part.size > e->own->plaintext_max)
        part.size = e->own->plaintext_max;
    *consumed = 0;
    if (e->version == TLS_VERSION_12 && is_used_up(e->own))
        return fail(e, TLS_ALERT_INTERNAL_ERROR, SSL_ERROR_TOO_MANY_RECORDS);
    if (update_is_due(e->own) && update_write_key(e) != TLS_OK)
        return TLS_FAILED;
    if (update_is_due(e->own)) /* there is room where plaintext is taken: it was NSS that could not */
        return fail_internal(e);
    if (!tls_record_seal(&e->own->write, TLS_CONTENT_DATA, part, &e->transport.out))
        return fail_internal(e);
    tls_engine_see_data(e, part.size);
    *consumed = part.size;
    return TLS_OK;
}

static void own_close(struct tls_engine *e)
{
    say_alert(e, ALERT_WARNING, TLS_ALERT_CLOSE_NOTIFY);
}

/* ---- receiving ---- */

/* TLS 1.2 has warnings (RFC 5246 section 7.2), which cost a peer nothing: some are passed over. */
static enum tls_status pass_over_warning(struct tls_engine *e)
{
    if (++e->own->warnings <= TLS_WARNINGS_MAX)
        return TLS_OK;
    say_fatal(e, TLS_ALERT_UNEXPECTED_MESSAGE);
    return tls_engine_fail(e, "warning_flood", base_strdup("the peer sends one warning after the other, and no data"));
}

/* RFC 8446 section 6: one whole alert in a record; levels mean nothing any more. */
static enum tls_status take_alert(struct tls_engine *e, struct span content)
{
    if (content.size == 0) /* section 5.4 */
        return fail(e, TLS_ALERT_UNEXPECTED_MESSAGE, SSL_ERROR_RX_MALFORMED_ALERT);
    if (content.size != ALERT_SIZE)
        return fail(e, TLS_ALERT_DECODE_ERROR, SSL_ERROR_RX_MALFORMED_ALERT);
    switch (content.data[1]) {
    case TLS_ALERT_CLOSE_NOTIFY:
        e->report.alert_received = TLS_ALERT_CLOSE_NOTIFY;
        return TLS_CLOSED;
    case TLS_ALERT_USER_CANCELED: /* section 6.1: a close_notify follows */
        if (e->version == TLS_VERSION_13)
            return TLS_OK;
        break;
    }
    if (e->version == TLS_VERSION_12 && content.data[0] == ALERT_WARNING)
        return pass_over_warning(e);
    e->report.alert_received = content.data[1];
    return tls_engine_fail_nss(e, SSL_ERROR_HANDSHAKE_FAILURE_ALERT); /* the alert itself says more, and is told */
}

/* Section 4.6.3. `last`: nothing follows in its record (section 5.1: a message before a change of keys ends its
 * record). */
static enum tls_status take_key_update(struct tls_engine *e, bool last)
{
    uint8_t request = e->own->message[TLS_MESSAGE_HEADER_SIZE];

    e->own->message_held = 0;
    if (request != UPDATE_NOT_REQUESTED && request != UPDATE_REQUESTED)
        return fail(e, TLS_ALERT_ILLEGAL_PARAMETER, SSL_ERROR_RX_MALFORMED_KEY_UPDATE);
    if (!last)
        return fail(e, TLS_ALERT_UNEXPECTED_MESSAGE, SSL_ERROR_RX_UNEXPECTED_KEY_UPDATE);
    if (!tls_engine_see_key_update(e))
        return tls_engine_fail_flooded(e);
    if (!tls_record_direction_update(&e->own->read))
        return fail(e, TLS_ALERT_INTERNAL_ERROR, SEC_ERROR_LIBRARY_FAILURE);
    e->own->update_owed = e->own->update_owed || request == UPDATE_REQUESTED;
    return TLS_OK;
}

/* TLS 1.2: a message that begins another handshake. It is refused with a warning (RFC 5246 section 7.2.2), and passed
 * over; who insists is not listened to any more. */
static enum tls_status see_renegotiation(struct tls_engine *e, unsigned type, size_t size)
{
    bool server = e->context->role == TLS_ROLE_SERVER;

    if (type != (server ? HANDSHAKE_CLIENT_HELLO : HANDSHAKE_HELLO_REQUEST) || size > TLS_HELLO_KEPT_MAX)
        return fail(e, TLS_ALERT_UNEXPECTED_MESSAGE, SSL_ERROR_RX_UNKNOWN_HANDSHAKE);
    if (++e->flood.handshakes > 1 + TLS_RENEGOTIATIONS_MAX) {
        say_fatal(e, TLS_ALERT_NO_RENEGOTIATION);
        if (server)
            return tls_engine_fail_nss(e, SSL_ERROR_RENEGOTIATION_NOT_ALLOWED);
        return tls_engine_fail_flooded(e);
    }
    if (!e->closing)
        say_alert(e, ALERT_WARNING, TLS_ALERT_NO_RENEGOTIATION);
    e->own->skip_left = size;
    e->own->message_held = 0;
    return TLS_OK;
}

/* Its header is there. */
static enum tls_status see_message(struct tls_engine *e)
{
    const uint8_t *m = e->own->message;
    size_t size = (size_t)m[1] << 16 | (size_t)m[2] << 8 | m[3];

    if (e->version == TLS_VERSION_12)
        return see_renegotiation(e, m[0], size);
    if (m[0] == HANDSHAKE_KEY_UPDATE)
        return size == 1 ? TLS_OK : fail(e, TLS_ALERT_DECODE_ERROR, SSL_ERROR_RX_MALFORMED_KEY_UPDATE);
    if (m[0] != HANDSHAKE_NEW_SESSION_TICKET || e->context->role != TLS_ROLE_CLIENT)
        return fail(e, TLS_ALERT_UNEXPECTED_MESSAGE, SSL_ERROR_RX_UNKNOWN_HANDSHAKE);
    if (size > TLS_TICKET_MESSAGE_MAX)
        return fail(e, TLS_ALERT_ILLEGAL_PARAMETER, SSL_ERROR_RX_MALFORMED_NEW_SESSION_TICKET);
    e->own->skip_left = size;
    e->own->message_held = 0;
    return TLS_OK;
}

static enum tls_status take_handshake(struct tls_engine *e, struct span content)
{
    struct tls_established *own = e->own;
    enum tls_status status = TLS_OK;

    if (content.size == 0) /* sections 5.1 and 5.4 */
        return fail(e, TLS_ALERT_UNEXPECTED_MESSAGE, SSL_ERROR_RX_MALFORMED_HANDSHAKE);
    while (content.size != 0 && status == TLS_OK) {
        if (own->skip_left != 0) {
            size_t part = content.size < own->skip_left ? content.size : own->skip_left;

            own->skip_left -= part;
            content = span_skip(content, part);
            continue;
        }
        own->message[own->message_held++] = content.data[0];
        content = span_skip(content, 1);
        if (own->message_held == TLS_MESSAGE_HEADER_SIZE)
            status = see_message(e);
        else if (own->message_held > TLS_MESSAGE_HEADER_SIZE)
            status = take_key_update(e, content.size == 0);
    }
    return status;
}

/* Half a handshake message may not be followed by anything else (section 5.1). */
static bool is_mid_message(const struct tls_established *own)
{
    return own->message_held != 0 || own->skip_left != 0;
}

/* What was in a record other than data. */
static enum tls_status take_other(struct tls_engine *e, unsigned type, struct span content)
{
    if (type == TLS_CONTENT_HANDSHAKE)
        return take_handshake(e, content);
    if (is_mid_message(e->own) || type != TLS_CONTENT_ALERT)
        return fail(e, TLS_ALERT_UNEXPECTED_MESSAGE, SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE);
    return take_alert(e, content);
}

/* One in the clear, the first thing that comes: its name is told (alert.h). */
static bool is_first_alert(const struct tls_engine *e, struct span held)
{
    return e->own->read.sequence == 0 && held.data[0] == TLS_CONTENT_ALERT &&
           tls_record_body_size(held.data) == TLS_ALERT_RECORD_SIZE - TLS_RECORD_HEADER_SIZE;
}

/* What stands outside of a record that may come now. */
static bool may_be_type(const struct tls_engine *e, unsigned type)
{
    return type == TLS_CONTENT_DATA ||
           (e->version == TLS_VERSION_12 && (type == TLS_CONTENT_ALERT || type == TLS_CONTENT_HANDSHAKE));
}

/* The next whole record; size 0: it has not come yet. */
static enum tls_status next_record(struct tls_engine *e, struct span *record)
{
    size_t overhead = tls_record_overhead(&e->own->read), body_size;
    size_t inner_max = e->version == TLS_VERSION_13 ? TLS_RECORD_INNER_MAX : TLS_RECORD_PLAINTEXT_MAX;
    struct span held = buffer_span(&e->transport.in);

    *record = span_of(NULL, 0);
    if (held.size < TLS_RECORD_HEADER_SIZE)
        return TLS_OK;
    body_size = tls_record_body_size(held.data);
    if (is_first_alert(e, held)) {
        if (held.size < TLS_ALERT_RECORD_SIZE)
            return TLS_OK;
        tls_transport_note_last(&e->transport, span_of(held.data, TLS_ALERT_RECORD_SIZE));
    }
    if (!may_be_type(e, held.data[0]))
        return fail(e, TLS_ALERT_UNEXPECTED_MESSAGE, SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE);
    if (body_size > inner_max + overhead) /* sections 5.2 and 5.4 */
        return fail(e, TLS_ALERT_RECORD_OVERFLOW, SSL_ERROR_RX_RECORD_TOO_LONG);
    if (body_size < overhead)
        return fail(e, TLS_ALERT_BAD_RECORD_MAC, SSL_ERROR_BAD_MAC_READ);
    if (held.size >= TLS_RECORD_HEADER_SIZE + body_size)
        *record = span_of(held.data, TLS_RECORD_HEADER_SIZE + body_size);
    return TLS_OK;
}

/* NSS's socket lingers on for session tickets, which servers send before anything else. */
static void end_lingering(struct tls_engine *e, unsigned type, struct span content, size_t record_size, bool *shown)
{
    bool ticket = type == TLS_CONTENT_HANDSHAKE &&
                  (e->own->skip_left != 0 ||
                   (e->own->message_held == 0 && content.size != 0 && content.data[0] == HANDSHAKE_NEW_SESSION_TICKET));

    *shown = ticket;
    if (ticket)
        tls_established_show_ticket(e, record_size);
    else
        tls_handshake_drop_socket(e);
}

/* Open a record into `out`, which has room for it: bytes of data to *taken. */
static enum tls_status take_record(struct tls_engine *e, struct span record, uint8_t *out, size_t *taken)
{
    bool shown = false;
    unsigned type;
    size_t size;

    *taken = 0;
    if (!tls_record_open(&e->own->read, record, out, &size, &type))
        return fail(e, TLS_ALERT_BAD_RECORD_MAC, SSL_ERROR_BAD_MAC_READ);
    if (e->fd != NULL)
        end_lingering(e, type, span_of(out, size), record.size, &shown);
    if (!shown)
        buffer_consume(&e->transport.in, record.size);
    if (type != TLS_CONTENT_DATA || is_mid_message(e->own))
        return take_other(e, type, span_of(out, size));
    tls_engine_see_data(e, size);
    if (size != 0)
        e->own->warnings = 0;
    *taken = size;
    return TLS_OK;
}

/* By way of e->plaintext, for who has less room than a record may need. */
static enum tls_status take_record_aside(struct tls_engine *e, struct span record, uint8_t *out, size_t size,
                                         size_t *taken)
{
    size_t space, opened;
    uint8_t *aside = buffer_reserve(&e->plaintext, TLS_RECORD_INNER_MAX, &space);
    enum tls_status status;

    *taken = 0;
    if (space < tls_record_inner_size(&e->own->read, record.size - TLS_RECORD_HEADER_SIZE))
        return fail(e, TLS_ALERT_RECORD_OVERFLOW, SSL_ERROR_RX_RECORD_TOO_LONG);
    status = take_record(e, record, aside, &opened);
    buffer_commit(&e->plaintext, opened);
    *taken = opened < size ? opened : size;
    if (*taken != 0)
        memcpy(out, aside, *taken);
    buffer_consume(&e->plaintext, *taken);
    return status;
}

static size_t take_aside(struct tls_engine *e, uint8_t *out, size_t size)
{
    struct span held = buffer_span(&e->plaintext);
    size_t part = held.size < size ? held.size : size;

    if (part != 0)
        memcpy(out, held.data, part);
    buffer_consume(&e->plaintext, part);
    return part;
}

static enum tls_status own_decrypt(struct tls_engine *e, uint8_t *out, size_t size, size_t *taken)
{
    enum tls_status status = TLS_OK;

    *taken = take_aside(e, out, size);
    while (status == TLS_OK && *taken < size && e->plaintext.size == 0) {
        struct span record;
        size_t part = 0, room = size - *taken;

        if ((status = next_record(e, &record)) != TLS_OK)
            break;
        if (record.size == 0) {
            e->dry = true;
            break;
        }
        if (tls_record_inner_size(&e->own->read, record.size - TLS_RECORD_HEADER_SIZE) <= room)
            status = take_record(e, record, out + *taken, &part);
        else if (*taken == 0)
            status = take_record_aside(e, record, out, size, &part);
        else
            break; /* what there is, is enough for now */
        *taken += part;
    }
    /* At once, when all that was read together has been gone through: one answer does for several requests, and it
     * comes before our next data whatever else happens (tls_engine_put_plaintext()). */
    if (status == TLS_OK && e->dry && e->own->update_owed && !e->closing)
        status = update_write_key(e);
    return status;
}

static void own_rest(struct tls_engine *e)
{
    if (e->fd != NULL)
        tls_handshake_drop_socket(e);
    tls_record_direction_rest(&e->own->read);
    tls_record_direction_rest(&e->own->write);
}

const struct tls_layer tls_layer_own = {
    .decrypt = own_decrypt,
    .encrypt = own_encrypt,
    .close = own_close,
    .trim = own_rest,
    .may_sign = false,
};
