/* LDAP (RFC 4511) around StartTLS (section 4.14).
 *
 *   accepted:   OPEN --StartTLS--> UPGRADE     every other request is answered with confidentialityRequired
 *                 `--Unbind--> CLOSED
 *
 *   connected:  ASKED --success--> UPGRADE
 *
 * The client speaks first. Requests are answered one at a time, so that none is outstanding when TLS begins. A message
 * is gathered, held to what BER may be (starttls/ber.h), and only then looked at. close_notify, behind which LDAP would
 * let both sides go on in clear (section 4.14.3.1), ends the connection as in every protocol here. */
#include "starttls/ldap.h"

enum accept_state { ACCEPT_OPEN, ACCEPT_UPGRADE, ACCEPT_CLOSED, ACCEPT_STATE_COUNT };
enum connect_state { CONNECT_ASKED, CONNECT_UPGRADE, CONNECT_STATE_COUNT };

static const char *const accept_names[] = {"LDAP_OPEN", "LDAP_UPGRADE", "LDAP_CLOSED"};
static const char *const connect_names[] = {"LDAP_ASKED", "LDAP_UPGRADE"};
static_assert(ARRAY_LEN(accept_names) == ACCEPT_STATE_COUNT, "one name for each state");
static_assert(ARRAY_LEN(connect_names) == CONNECT_STATE_COUNT, "one name for each state");

enum { TAG_CONTROLS = 0xa0, TAG_REQUEST_NAME = 0x80, TAG_REFERRAL = 0xa3, TAG_RESPONSE_NAME = 0x8a };
enum { OID_BYTES = sizeof(LDAP_STARTTLS_OID) - 1, SHORT_LENGTH_MAX = 127 };

bool ldap_message_read(struct span bytes, struct ldap_message *message)
{
    struct span id, controls, inside;
    struct ber_header header;

    if (!ber_is_whole(bytes, BER_DEPTH_MAX) || !ber_take(&bytes, BER_SEQUENCE, &inside) || bytes.size != 0 ||
        !ber_take(&inside, BER_INTEGER, &id) || !ber_number(id, &message->id) ||
        ber_read_header(inside, &header) != BER_OK)
        return false;
    message->op = header.tag;
    message->has_controls = false;
    if (!ber_take(&inside, header.tag, &message->content))
        return false;
    if (inside.size == 0)
        return true;
    message->has_controls = true;
    return ber_take(&inside, TAG_CONTROLS, &controls) && inside.size == 0;
}

enum ber_status ldap_message_gather(struct buffer *held, struct span bytes, size_t *consumed)
{
    struct ber_header header;
    size_t size;

    *consumed = 0;
    for (;;) {
        enum ber_status status = ber_read_header(buffer_span(held), &header);

        if (status == BER_OK && header.content_size > held->size_max - header.size)
            return BER_BAD;
        size = status == BER_OK ? header.size + header.content_size : held->size + 1;
        if (status == BER_BAD || (held->size != 0 && buffer_span(held).data[0] != BER_SEQUENCE))
            return BER_BAD;
        if (status == BER_OK && held->size == size)
            return BER_OK;
        if (*consumed == bytes.size)
            return BER_NEED_MORE;
        size -= held->size;
        if (size > bytes.size - *consumed)
            size = bytes.size - *consumed;
        if (!buffer_append(held, span_of(bytes.data + *consumed, size)))
            return BER_BAD;
        *consumed += size;
    }
}

/* An LDAPResult of our own in its message (section 4.1.9), with the name of an extended operation where there is one.
 * All lengths are short. */
static void put_response(uint32_t id, uint8_t op, enum ldap_result result, const char *text, const char *oid,
                         struct buffer *out)
{
    const uint8_t id_bytes[] = {(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    size_t text_size = strlen(text), oid_size = oid == NULL ? 0 : strlen(oid), skip = 0;
    size_t op_size = 3 + 2 + 2 + text_size + (oid == NULL ? 0 : 2 + oid_size);
    struct sink sink;

    while (skip < 3 && id_bytes[skip] == 0 && (id_bytes[skip + 1] & 0x80) == 0)
        skip++;
    const uint8_t head[] = {BER_SEQUENCE, (uint8_t)(2 + 4 - skip + 2 + op_size), BER_INTEGER, (uint8_t)(4 - skip)};
    const uint8_t op_head[] = {op, (uint8_t)op_size, BER_ENUMERATED,    1, (uint8_t)result, BER_OCTET_STRING,
                               0,  BER_OCTET_STRING, (uint8_t)text_size};
    const uint8_t name_head[] = {TAG_RESPONSE_NAME, (uint8_t)oid_size};

    assert(2 + 4 + 2 + op_size <= SHORT_LENGTH_MAX);
    sink_open(&sink, out, 2 + SHORT_LENGTH_MAX);
    sink_put(&sink, span_of(head, sizeof(head)));
    sink_put(&sink, span_of(id_bytes + skip, 4 - skip));
    sink_put(&sink, span_of(op_head, sizeof(op_head)));
    sink_put_text(&sink, text);
    if (oid != NULL) {
        sink_put(&sink, span_of(name_head, sizeof(name_head)));
        sink_put_text(&sink, oid);
    }
    if (!sink_close(&sink))
        buffer_trim(out); /* nobody reads: the peer will see the close alone */
}

static void put_notice(enum ldap_result result, const char *text, struct buffer *out)
{
    put_response(0, LDAP_EXTENDED_RESPONSE, result, text, LDAP_NOTICE_OID, out);
}

/* ---- the accepted side ---- */

struct accept {
    struct starttls_machine m;
    struct buffer message;
    uint32_t starttls_id; /* of the request that TLS answers */
};

static struct accept *accept_of(struct starttls_machine *m)
{
    return CONTAINER_OF(m, struct accept, m);
}

static void accept_start(struct starttls_machine *m)
{
    buffer_init(&accept_of(m)->message, STARTTLS_LDAP_MESSAGE_BYTES_MAX);
    m->state = ACCEPT_OPEN;
}

static void accept_clear(struct starttls_machine *m)
{
    buffer_wipe(&accept_of(m)->message); /* a Bind has a password */
}

static enum starttls_status accept_broken(struct starttls_machine *m, const char *error)
{
    put_notice(LDAP_PROTOCOL_ERROR, "Not understood", &m->out);
    return machine_broken(m, "%s", error);
}

/* A refused request: its answer (0: it has none), and the end when there were too many. */
static enum starttls_status refuse(struct starttls_machine *m, const struct ldap_message *message, uint8_t op,
                                   enum ldap_result result, const char *text)
{
    if (op != 0)
        put_response(message->id, op, result, text, NULL, &m->out);
    if (!machine_bad_command(m))
        return STARTTLS_NEED_MORE;
    put_notice(LDAP_CONFIDENTIALITY_REQUIRED, "Too many refused requests", &m->out);
    return machine_broken(m, "the client made %d requests that are refused before TLS", STARTTLS_BAD_COMMANDS_MAX);
}

/* Section 4.14.1: no value. A control might be critical, and is none that we know. */
static enum starttls_status on_extended(struct starttls_machine *m, const struct ldap_message *message)
{
    struct span rest = message->content, name;

    if (!ber_take(&rest, TAG_REQUEST_NAME, &name))
        return accept_broken(m, "the client sent an extended request without a name");
    if (!span_equal(name, span_of_string(LDAP_STARTTLS_OID)))
        return refuse(m, message, LDAP_EXTENDED_RESPONSE, LDAP_CONFIDENTIALITY_REQUIRED, "Say StartTLS first");
    if (rest.size != 0)
        return refuse(m, message, LDAP_EXTENDED_RESPONSE, LDAP_PROTOCOL_ERROR, "StartTLS takes no value");
    if (message->has_controls)
        return refuse(m, message, LDAP_EXTENDED_RESPONSE, LDAP_UNAVAILABLE_CRITICAL_EXTENSION,
                      "StartTLS takes no controls");
    if (!m->options.upgrade)
        return refuse(m, message, LDAP_EXTENDED_RESPONSE, LDAP_UNAVAILABLE, "TLS is not available now");
    accept_of(m)->starttls_id = message->id;
    m->state = ACCEPT_UPGRADE;
    return STARTTLS_UPGRADE;
}

/* What answers a request; 0: nothing does, or it is none. */
static uint8_t response_to(uint8_t op)
{
    switch (op) {
    case LDAP_BIND_REQUEST:
    case LDAP_MODIFY_REQUEST:
    case LDAP_ADD_REQUEST:
    case LDAP_MODIFY_DN_REQUEST:
    case LDAP_COMPARE_REQUEST:
        return (uint8_t)(op + 1);
    case LDAP_SEARCH_REQUEST:
        return LDAP_SEARCH_DONE;
    case LDAP_DELETE_REQUEST:
        return 0x6b;
    default:
        return 0;
    }
}

static enum starttls_status on_request(struct starttls_machine *m, struct span bytes)
{
    struct ldap_message message;

    if (!ldap_message_read(bytes, &message) || message.id == 0)
        return accept_broken(m, "the client sent something that is not an LDAP message");
    switch (message.op) {
    case LDAP_EXTENDED_REQUEST:
        return on_extended(m, &message);
    case LDAP_UNBIND_REQUEST:
        m->state = ACCEPT_CLOSED;
        return STARTTLS_CLOSE;
    case LDAP_ABANDON_REQUEST:
        return refuse(m, &message, 0, LDAP_SUCCESS, "");
    default:
        break;
    }
    if (response_to(message.op) == 0)
        return accept_broken(m, "the client sent an LDAP message that is not a request");
    return refuse(m, &message, response_to(message.op), LDAP_CONFIDENTIALITY_REQUIRED, "Say StartTLS first");
}

static enum starttls_status accept_bytes(struct starttls_machine *m, struct span bytes, size_t *consumed)
{
    struct buffer *message = &accept_of(m)->message;
    enum starttls_status status;

    switch (ldap_message_gather(message, bytes, consumed)) {
    case BER_OK:
        break;
    case BER_NEED_MORE:
        return STARTTLS_NEED_MORE;
    case BER_BAD:
        return accept_broken(m, "the client sent something that is not an LDAP message, or one that is too long");
    }
    status = on_request(m, buffer_span(message));
    buffer_wipe(message);
    return status;
}

static void accept_fault(struct starttls_machine *m, enum line_status fault)
{
    (void)fault; /* there are no lines: too much was said */
    put_notice(LDAP_PROTOCOL_ERROR, "Too much was said before TLS", &m->out);
}

static void accept_hinge(struct starttls_machine *m, enum hinge hinge)
{
    if (hinge == HINGE_CLEAN)
        put_response(accept_of(m)->starttls_id, LDAP_EXTENDED_RESPONSE, LDAP_SUCCESS, "", LDAP_STARTTLS_OID, &m->out);
    else
        put_notice(LDAP_PROTOCOL_ERROR, "Nothing may follow StartTLS before TLS", &m->out);
}

/* ---- the connected side ---- */

struct connect {
    struct starttls_machine m;
    struct buffer message;
};

static struct connect *connect_of(struct starttls_machine *m)
{
    return CONTAINER_OF(m, struct connect, m);
}

enum { STARTTLS_ID = 1 };

static void connect_start(struct starttls_machine *m)
{
    static const uint8_t head[] = {BER_SEQUENCE,          OID_BYTES + 7, BER_INTEGER,      1,        STARTTLS_ID,
                                   LDAP_EXTENDED_REQUEST, OID_BYTES + 2, TAG_REQUEST_NAME, OID_BYTES};

    buffer_init(&connect_of(m)->message, STARTTLS_LDAP_MESSAGE_BYTES_MAX);
    m->state = CONNECT_ASKED;
    if (!m->options.upgrade)
        return; /* no server greets */
    machine_put(m, span_of(head, sizeof(head)));
    machine_put(m, span_of_string(LDAP_STARTTLS_OID));
}

static void connect_clear(struct starttls_machine *m)
{
    buffer_release(&connect_of(m)->message);
}

/* The name may be missing (RFC 4511 section 4.12 leaves it to the server); another name is of another operation. */
static bool names_starttls(struct span rest)
{
    struct span referral, name;
    struct ber_header header;

    if (ber_read_header(rest, &header) == BER_OK && header.tag == TAG_REFERRAL &&
        !ber_take(&rest, TAG_REFERRAL, &referral))
        return false;
    if (rest.size == 0 || rest.data[0] != TAG_RESPONSE_NAME)
        return true;
    return ber_take(&rest, TAG_RESPONSE_NAME, &name) && span_equal(name, span_of_string(LDAP_STARTTLS_OID));
}

/* No way back to plain text, nor to where a referral points, whatever the server says: somebody else may be saying it.
 */
static enum starttls_status on_response(struct starttls_machine *m, const struct ldap_message *message)
{
    struct span rest = message->content, code, dn, text;
    uint32_t result;

    if (!ber_take(&rest, BER_ENUMERATED, &code) || !ber_number(code, &result) ||
        !ber_take(&rest, BER_OCTET_STRING, &dn) || !ber_take(&rest, BER_OCTET_STRING, &text) || !names_starttls(rest))
        return machine_broken(m, "the server sent something that is no answer to StartTLS");
    if (result == LDAP_SUCCESS) {
        m->state = CONNECT_UPGRADE;
        return STARTTLS_UPGRADE;
    }
    return machine_refused_by(
        m, result == LDAP_PROTOCOL_ERROR ? STARTTLS_REFUSAL_NO_TLS : STARTTLS_REFUSAL_TLS,
        result == LDAP_PROTOCOL_ERROR ? "the server knows no StartTLS" : "the server refuses StartTLS", text);
}

static enum starttls_status connect_bytes(struct starttls_machine *m, struct span bytes, size_t *consumed)
{
    struct ldap_message message;

    if (!m->options.upgrade)
        return STARTTLS_READY;
    switch (ldap_message_gather(&connect_of(m)->message, bytes, consumed)) {
    case BER_OK:
        break;
    case BER_NEED_MORE:
        return STARTTLS_NEED_MORE;
    case BER_BAD:
        return machine_broken(m, "the server sent something that is not an LDAP message, or one that is too long");
    }
    if (!ldap_message_read(buffer_span(&connect_of(m)->message), &message))
        return machine_broken(m, "the server sent something that is not an LDAP message");
    if (message.id == 0)
        return machine_refused(m, STARTTLS_REFUSAL_SERVICE, "the server said goodbye before it was asked");
    if (message.id != STARTTLS_ID || message.op != LDAP_EXTENDED_RESPONSE)
        return machine_broken(m, "the server answers something that it was not asked");
    return on_response(m, &message);
}

static void connect_hinge(struct starttls_machine *m, enum hinge hinge)
{
    (void)m; /* there is no go-ahead of ours, and no last word to an attacker */
    (void)hinge;
}

/* ---- words ---- */

static void failure_text(enum starttls_failure failure, bool greeted, const char *name, struct buffer *out)
{
    static const struct {
        enum ldap_result result;
        const char *text;
    } words[] = {
        [STARTTLS_FAILURE_OVERLOAD] = {LDAP_BUSY, "Too busy, try again later"},
        [STARTTLS_FAILURE_TLS_UNAVAILABLE] = {LDAP_UNAVAILABLE, "TLS is not available now"},
        [STARTTLS_FAILURE_TARGET_REFUSED] = {LDAP_INSUFFICIENT_ACCESS_RIGHTS, "Not allowed"},
        [STARTTLS_FAILURE_TARGET_DOWN] = {LDAP_UNAVAILABLE, "No server answers, try again later"},
        [STARTTLS_FAILURE_TARGET_TIMEOUT] = {LDAP_UNAVAILABLE, "No server answers in time, try again later"},
        [STARTTLS_FAILURE_TARGET_UNWILLING] = {LDAP_UNAVAILABLE, "The server does not want to serve now"},
        [STARTTLS_FAILURE_TARGET_SPEECH] = {LDAP_UNAVAILABLE, "The server's answer is not understood"},
        [STARTTLS_FAILURE_TARGET_NO_TLS] = {LDAP_UNAVAILABLE, "The server offers no TLS"},
        [STARTTLS_FAILURE_TARGET_TLS] = {LDAP_UNAVAILABLE, "The server's TLS cannot be trusted"},
        [STARTTLS_FAILURE_IDENTITY] = {LDAP_UNAVAILABLE, "The key that the server asks of us is not there"},
        [STARTTLS_FAILURE_SHUTDOWN] = {LDAP_UNAVAILABLE, "Shutting down"},
        [STARTTLS_FAILURE_TIMEOUT] = {LDAP_UNAVAILABLE, "Timeout"},
        [STARTTLS_FAILURE_BAD_REQUEST] = {LDAP_PROTOCOL_ERROR, "Not understood"},
    };
    static_assert(ARRAY_LEN(words) == STARTTLS_FAILURE_COUNT, "one notice for each failure");

    (void)greeted;
    (void)name;
    put_notice(words[failure].result, words[failure].text, out);
}

static const struct machine_class accept_class = {
    .size = sizeof(struct accept),
    .line_bytes_max = STARTTLS_LDAP_MESSAGE_BYTES_MAX,
    .bytes_max = STARTTLS_ACCEPTED_BYTES_MAX,
    .state_names = accept_names,
    .start = accept_start,
    .on_bytes = accept_bytes,
    .on_fault = accept_fault,
    .on_hinge = accept_hinge,
    .clear = accept_clear,
};

static const struct machine_class connect_class = {
    .size = sizeof(struct connect),
    .line_bytes_max = STARTTLS_LDAP_MESSAGE_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .state_names = connect_names,
    .start = connect_start,
    .on_bytes = connect_bytes,
    .on_hinge = connect_hinge,
    .clear = connect_clear,
};

const struct protocol starttls_ldap = {
    .accept = &accept_class,
    .connect = &connect_class,
    .probe = &ldap_probe_class,
    .filter = &ldap_filter_class,
    .failure_text = failure_text,
};
