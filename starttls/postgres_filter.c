/* PostgreSQL inside TLS: what a client opens with, and how the server lets it log in.
 *
 *   client:   OPENING --StartupMessage--> SESSION           as it is from there: no message asks for TLS any more
 *                `------CancelRequest--> CANCEL             and not a byte behind it
 *
 *   server:   MESSAGE --how to log in--> REST               once both are in a session, the filter is over
 *
 * SSLRequest and GSSENCRequest have been answered before the server was reached (postgres.c): here they would begin
 * TLS, or worse, inside TLS. And a client may have said its CancelRequest in clear: what it said behind that would be a
 * session without TLS. A server that cancels answers nothing, and closes.
 *
 * Server to client: of the mechanisms in AuthenticationSASL those that bind the login to the certificate that the
 * client saw (-PLUS, RFC 5802 section 6) are left out. It is not the server's, or there was none; libpq refuses a
 * server that offers them without TLS. */
#include "starttls/postgres.h"

enum client_state { CLIENT_OPENING, CLIENT_SESSION, CLIENT_CANCEL };
enum server_state {
    SERVER_HEAD,
    SERVER_BODY /* of AuthenticationRequest */,
    SERVER_PASSING /* another's */,
    SERVER_REST
};

enum { AUTHENTICATION = 'R', NOTICE = 'N', NEGOTIATE_VERSION = 'v' };
enum { TYPED_HEAD_BYTES = 5, METHOD_BYTES = 4, METHOD_SASL = 10 };

struct postgres_filter {
    struct starttls_filter f;

    /* From the client. */
    enum client_state state;
    uint8_t head[POSTGRES_HEAD_BYTES];
    size_t head_size;
    size_t cancel_left; /* bytes of the CancelRequest */

    /* From the server. */
    enum server_state server_state;
    struct buffer message; /* its head, or all of AuthenticationRequest */
    size_t message_left;   /* bytes of its body that have not come */
};

static struct postgres_filter *filter_of(struct starttls_filter *f)
{
    return CONTAINER_OF(f, struct postgres_filter, f);
}

static void start(struct starttls_filter *f)
{
    buffer_init(&filter_of(f)->message, STARTTLS_POSTGRES_ANSWER_BYTES_MAX);
}

static void clear(struct starttls_filter *f)
{
    buffer_release(&filter_of(f)->message);
}

/* Whether nothing is left to be looked at. */
static enum starttls_status status_of(const struct postgres_filter *p)
{
    return p->state == CLIENT_SESSION && p->server_state == SERVER_REST ? STARTTLS_READY : STARTTLS_NEED_MORE;
}

/* ---- server to client ---- */

/* AuthenticationSASL without the mechanisms that bind: names, each with a NUL behind it, and a NUL at the end. */
static void put_sasl(struct span message, struct sink *sink)
{
    struct span names = span_skip(message, TYPED_HEAD_BYTES + METHOD_BYTES);
    size_t left_out = 0, size;

    for (int pass = 0; pass < 2; pass++) {
        struct span rest = names;

        if (pass == 1) {
            size = message.size - 1 - left_out;
            sink_put(sink, span_of((const uint8_t[]){AUTHENTICATION, 0, 0, (uint8_t)(size >> 8), (uint8_t)size}, 5));
            sink_put(sink, span_of(message.data + TYPED_HEAD_BYTES, METHOD_BYTES));
        }
        while (rest.size != 0) {
            static const char suffix[] = "-PLUS"; /* with its NUL */
            const uint8_t *end = memchr(rest.data, '\0', rest.size);
            struct span name = span_of(rest.data, end == NULL ? rest.size : (size_t)(end - rest.data) + 1);
            bool binds = name.size >= sizeof(suffix) &&
                         memcmp(name.data + name.size - sizeof(suffix), suffix, sizeof(suffix)) == 0;

            if (binds && pass == 0)
                left_out += name.size;
            if (!binds && pass == 1)
                sink_put(sink, name);
            rest = span_skip(rest, name.size);
        }
    }
}

static enum starttls_status on_authentication(struct postgres_filter *p, struct buffer *out)
{
    struct span message = buffer_span(&p->message);
    bool is_sasl = message.size >= TYPED_HEAD_BYTES + METHOD_BYTES &&
                   postgres_number(message.data + TYPED_HEAD_BYTES) == METHOD_SASL;
    struct sink sink;

    sink_open(&sink, out, message.size + STARTTLS_SERVER_LINE_GROWTH_MAX);
    if (is_sasl)
        put_sasl(message, &sink);
    else
        sink_put(&sink, message);
    buffer_release(&p->message);
    p->server_state = SERVER_REST;
    return filter_close(&p->f, &sink, status_of(p));
}

static enum starttls_status on_head(struct postgres_filter *p, struct buffer *out)
{
    const uint8_t *head = buffer_span(&p->message).data;
    size_t size;

    assert(head != NULL);             /* TYPED_HEAD_BYTES of it have been gathered */
    size = postgres_number(head + 1); /* of itself and the body */
    if (size < 4)
        return filter_broken(&p->f, STARTTLS_FAULT_SERVER, "the server sent a message of no size");
    p->message_left = size - 4;
    if (head[0] == AUTHENTICATION) {
        if (1 + size > STARTTLS_POSTGRES_ANSWER_BYTES_MAX)
            return filter_broken(&p->f, STARTTLS_FAULT_SERVER,
                                 "the server sent an AuthenticationRequest of more than %d bytes",
                                 STARTTLS_POSTGRES_ANSWER_BYTES_MAX);
        p->server_state = SERVER_BODY;
        return p->message_left == 0 ? on_authentication(p, out) : STARTTLS_NEED_MORE;
    }
    p->server_state = head[0] != NOTICE && head[0] != NEGOTIATE_VERSION ? SERVER_REST
                      : p->message_left == 0                            ? SERVER_HEAD
                                                                        : SERVER_PASSING;
    return filter_move(&p->message, out)
               ? status_of(p)
               : filter_broken(&p->f, STARTTLS_FAULT_YETT, "a message does not fit: this is a fault of yett's own");
}

/* The next `size` bytes of the message, as far as they have come. True: all have. */
static bool gather(struct postgres_filter *p, struct span bytes, size_t size, size_t *taken)
{
    *taken = size < bytes.size ? size : bytes.size;
    return buffer_append(&p->message, span_of(bytes.data, *taken)) && *taken == size;
}

static enum starttls_status put_server_some(struct postgres_filter *p, struct span bytes, size_t *taken,
                                            struct buffer *out)
{
    switch (p->server_state) {
    case SERVER_HEAD:
    case SERVER_BODY:
        break;
    case SERVER_PASSING:
        *taken = filter_pass(bytes, p->message_left, out);
        p->message_left -= *taken;
        if (p->message_left == 0)
            p->server_state = SERVER_HEAD;
        return STARTTLS_NEED_MORE;
    case SERVER_REST:
        *taken = filter_pass(bytes, UINT64_MAX, out);
        return STARTTLS_NEED_MORE;
    }
    if (buffer_room(out) < STARTTLS_FILTER_LINE_BYTES_MAX)
        return STARTTLS_NEED_MORE;
    if (p->server_state == SERVER_HEAD)
        return gather(p, bytes, TYPED_HEAD_BYTES - p->message.size, taken) ? on_head(p, out) : STARTTLS_NEED_MORE;
    if (gather(p, bytes, p->message_left, taken))
        return on_authentication(p, out);
    p->message_left -= *taken;
    return STARTTLS_NEED_MORE;
}

static enum starttls_status put_from_server(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                            struct buffer *out)
{
    enum starttls_status status = STARTTLS_NEED_MORE;

    while (status == STARTTLS_NEED_MORE && *consumed < bytes.size) {
        size_t taken = 0;

        status = put_server_some(filter_of(f), span_skip(bytes, *consumed), &taken, out);
        *consumed += taken;
        if (taken == 0)
            break;
    }
    return status;
}

/* ---- client to server ---- */

static enum starttls_status on_opening(struct postgres_filter *p, struct buffer *out)
{
    size_t size;
    struct sink sink;

    switch (postgres_opening_of(p->head, &size)) {
    case POSTGRES_OPENING_STARTUP:
        p->state = CLIENT_SESSION;
        break;
    case POSTGRES_OPENING_CANCEL:
        p->state = CLIENT_CANCEL;
        p->cancel_left = size - POSTGRES_HEAD_BYTES;
        break;
    case POSTGRES_OPENING_SSL:
    case POSTGRES_OPENING_GSS:
        return filter_broken(&p->f, STARTTLS_FAULT_CLIENT, "the client asks for encryption inside TLS");
    case POSTGRES_OPENING_NONE:
        return filter_broken(&p->f, STARTTLS_FAULT_CLIENT,
                             "the client does not open as PostgreSQL's protocol 3 has it");
    }
    sink_open(&sink, out, p->head_size);
    sink_put(&sink, span_of(p->head, p->head_size));
    p->head_size = 0;
    return filter_close(&p->f, &sink, status_of(p));
}

static enum starttls_status put_opening(struct postgres_filter *p, struct span bytes, size_t *taken, struct buffer *out)
{
    size_t want = POSTGRES_HEAD_BYTES - p->head_size;

    if (buffer_room(out) < STARTTLS_FILTER_LINE_BYTES_MAX)
        return STARTTLS_NEED_MORE;
    *taken = want < bytes.size ? want : bytes.size;
    memcpy(p->head + p->head_size, bytes.data, *taken);
    p->head_size += *taken;
    return p->head_size == POSTGRES_HEAD_BYTES ? on_opening(p, out) : STARTTLS_NEED_MORE;
}

static enum starttls_status put_client_some(struct postgres_filter *p, struct span bytes, size_t *taken,
                                            struct buffer *out)
{
    switch (p->state) {
    case CLIENT_OPENING:
        return put_opening(p, bytes, taken, out);
    case CLIENT_SESSION:
        *taken = filter_pass(bytes, UINT64_MAX, out);
        break;
    case CLIENT_CANCEL:
        if (p->cancel_left == 0)
            return filter_broken(&p->f, STARTTLS_FAULT_CLIENT, "the client said something behind its CancelRequest");
        *taken = filter_pass(bytes, p->cancel_left, out);
        p->cancel_left -= *taken;
        break;
    }
    return STARTTLS_NEED_MORE;
}

static enum starttls_status put_from_client(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                            struct buffer *out)
{
    enum starttls_status status = STARTTLS_NEED_MORE;

    while (status == STARTTLS_NEED_MORE && *consumed < bytes.size) {
        size_t taken = 0;

        status = put_client_some(filter_of(f), span_skip(bytes, *consumed), &taken, out);
        *consumed += taken;
        if (taken == 0)
            break;
    }
    return status;
}

static bool rest(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out)
{
    struct postgres_filter *p = filter_of(f);
    size_t passed;

    if (direction == STARTTLS_FROM_SERVER)
        return filter_move(&p->message, out);
    passed = filter_pass(span_of(p->head, p->head_size), UINT64_MAX, out);
    p->head_size -= passed;
    memmove(p->head, p->head + passed, p->head_size);
    return p->head_size == 0;
}

static_assert(STARTTLS_POSTGRES_ANSWER_BYTES_MAX + STARTTLS_SERVER_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a message");

const struct filter_class postgres_filter_class = {
    .size = sizeof(struct postgres_filter),
    .start = start,
    .put = {[STARTTLS_FROM_CLIENT] = put_from_client, [STARTTLS_FROM_SERVER] = put_from_server},
    .rest = rest,
    .clear = clear,
};
