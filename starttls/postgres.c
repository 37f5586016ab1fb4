/* PostgreSQL's protocol 3.0 around SSLRequest ("SSL Session Encryption" in the protocol's chapter of its manual).
 *
 *   accepted:   OPENING --SSLRequest--> UPGRADE ('S')       --GSSENCRequest--> OPENING ('N')
 *                  |----- a TLS record at once --> DIRECT   TLS by ALPN "postgresql", as clients of version 17 begin it
 *                  `----- CancelRequest --> READY           in clear, as libpq sends it before version 17
 *
 *   inside TLS, or where there is none (`opens_here`):
 *               OPENING --SSLRequest, GSSENCRequest--> OPENING ('N')   --StartupMessage, CancelRequest--> READY
 *
 *   connected:  ASKED --'S'--> UPGRADE                      one byte, and not another: CVE-2021-23222
 *
 * The client speaks first, and its first bytes have no type. What it opens with is kept and goes to the server once
 * that is reached; its passwords come later, and only inside TLS: a StartupMessage in clear is refused where TLS was to
 * come first. A CancelRequest has a process and its secret, and nothing of a session can follow it (postgres_filter.c).
 */
#include "starttls/postgres.h"

enum accept_state { ACCEPT_OPENING, ACCEPT_UPGRADE, ACCEPT_DIRECT, ACCEPT_READY, ACCEPT_STATE_COUNT };
enum connect_state { CONNECT_ASKED, CONNECT_UPGRADE, CONNECT_STATE_COUNT };

static const char *const accept_names[] = {"POSTGRES_OPENING", "POSTGRES_UPGRADE", "POSTGRES_DIRECT", "POSTGRES_READY"};
static const char *const connect_names[] = {"POSTGRES_ASKED", "POSTGRES_UPGRADE"};
static_assert(ARRAY_LEN(accept_names) == ACCEPT_STATE_COUNT, "one name for each state");
static_assert(ARRAY_LEN(connect_names) == CONNECT_STATE_COUNT, "one name for each state");

enum { TLS_HANDSHAKE_RECORD = 0x16 };
enum { CODE_CANCEL = 80877102, CODE_SSL = 80877103, CODE_GSS = 80877104, PROTOCOL_MAJOR = 3 };

enum postgres_opening postgres_opening_of(const uint8_t *head, size_t *size)
{
    uint32_t code = postgres_number(head + 4);

    *size = postgres_number(head);
    if (*size < POSTGRES_HEAD_BYTES || *size > STARTTLS_POSTGRES_STARTUP_BYTES_MAX)
        return POSTGRES_OPENING_NONE;
    if (code == CODE_CANCEL)
        return *size >= POSTGRES_CANCEL_BYTES && *size <= POSTGRES_CANCEL_BYTES_MAX ? POSTGRES_OPENING_CANCEL
                                                                                    : POSTGRES_OPENING_NONE;
    if (code == CODE_SSL || code == CODE_GSS) {
        if (*size != POSTGRES_HEAD_BYTES)
            return POSTGRES_OPENING_NONE;
        return code == CODE_SSL ? POSTGRES_OPENING_SSL : POSTGRES_OPENING_GSS;
    }
    return code >> 16 == PROTOCOL_MAJOR ? POSTGRES_OPENING_STARTUP : POSTGRES_OPENING_NONE;
}

/* ErrorResponse: fields of a letter and a text each, the last one empty. SQLSTATE by appendix A of the manual. */
static void put_error(const char *sqlstate, const char *message, struct buffer *out)
{
    enum { LETTERS = 4, SEVERITY = sizeof("FATAL"), SQLSTATE = 6 };
    size_t size = 4 + LETTERS + 2 * SEVERITY + SQLSTATE + strlen(message) + 1 + 1;
    const uint8_t head[] = {'E', 0, 0, (uint8_t)(size >> 8), (uint8_t)size};
    struct sink sink;

    assert(strlen(sqlstate) == SQLSTATE - 1 && size <= UINT16_MAX);
    sink_open(&sink, out, 1 + size);
    sink_put(&sink, span_of(head, sizeof(head)));
    sink_put(&sink, span_of("SFATAL\0VFATAL\0C", 2 * (1 + SEVERITY) + 1));
    sink_put(&sink, span_of(sqlstate, SQLSTATE));
    sink_put_text(&sink, "M");
    sink_put(&sink, span_of(message, strlen(message) + 1));
    sink_put(&sink, span_of("", 1));
    if (!sink_close(&sink))
        buffer_trim(out); /* nobody reads: the peer will see the close alone */
}

/* ---- the accepted side ---- */

struct accept {
    struct starttls_machine m;
    uint8_t opening[POSTGRES_CANCEL_BYTES_MAX];
    size_t opening_size;
    bool ssl_asked, gss_asked;
    bool may_leave;
};

static void accept_enter(struct starttls_machine *m, enum accept_state state)
{
    m->state = state;
}

static void accept_start(struct starttls_machine *m)
{
    accept_enter(m, ACCEPT_OPENING);
}

static enum starttls_status refuse(struct starttls_machine *m, const char *sqlstate, const char *message,
                                   const char *error)
{
    put_error(sqlstate, message, &m->out);
    return machine_broken(m, "%s", error);
}

/* Each is asked once at most, as PostgreSQL has it. */
static enum starttls_status on_encryption(struct accept *a, bool *asked, bool granted)
{
    a->opening_size = 0;
    if (*asked)
        return refuse(&a->m, "08P01", "TLS and GSSAPI are asked for once", "the client asks for encryption twice");
    *asked = true;
    if (granted) {
        accept_enter(&a->m, ACCEPT_UPGRADE);
        return STARTTLS_UPGRADE;
    }
    machine_put(&a->m, span_of("N", 1));
    return STARTTLS_NEED_MORE;
}

/* What it opens with is the server's. */
static enum starttls_status pass_on(struct accept *a)
{
    if (!buffer_append(&a->m.early, span_of(a->opening, a->opening_size)))
        return machine_broken(&a->m, "what the client opens with does not fit: this is a fault of yett's own");
    accept_enter(&a->m, ACCEPT_READY);
    return STARTTLS_READY;
}

static enum starttls_status on_startup(struct accept *a)
{
    if (a->m.options.opens_here)
        return pass_on(a);
    return refuse(&a->m, "28000",
                  a->ssl_asked ? "TLS is not available now" : "TLS is required: connect with sslmode=require or better",
                  "the client begins its session without TLS");
}

static enum starttls_status on_cancel(struct accept *a, size_t size)
{
    if (!a->m.options.opens_here && !a->m.options.cancels_in_clear)
        return refuse(&a->m, "28000", "TLS is required to cancel a query here",
                      "the client cancels a query in clear, where clients need a certificate");
    if (!a->m.options.opens_here && size != POSTGRES_CANCEL_BYTES)
        return refuse(&a->m, "08P01", "Not understood", "the client cancels a query in clear with more than 16 bytes");
    if (a->opening_size < size)
        return STARTTLS_NEED_MORE;
    a->may_leave = true;
    return pass_on(a);
}

static enum starttls_status on_opening(struct accept *a)
{
    size_t size;

    switch (postgres_opening_of(a->opening, &size)) {
    case POSTGRES_OPENING_STARTUP:
        return on_startup(a);
    case POSTGRES_OPENING_CANCEL:
        return on_cancel(a, size);
    case POSTGRES_OPENING_SSL:
        return on_encryption(a, &a->ssl_asked, a->m.options.upgrade && !a->m.options.opens_here);
    case POSTGRES_OPENING_GSS:
        return on_encryption(a, &a->gss_asked, false);
    case POSTGRES_OPENING_NONE:
        break;
    }
    return refuse(&a->m, "08P01", "Not understood", "the client does not open as PostgreSQL's protocol 3 has it");
}

/* How many bytes are wanted to go on. */
static size_t wanted(const struct accept *a)
{
    size_t size = POSTGRES_HEAD_BYTES;

    if (a->opening_size >= POSTGRES_HEAD_BYTES)
        (void)postgres_opening_of(a->opening, &size);
    return size < sizeof(a->opening) ? size : sizeof(a->opening);
}

static enum starttls_status accept_bytes(struct starttls_machine *m, struct span bytes, size_t *consumed)
{
    struct accept *a = CONTAINER_OF(m, struct accept, m);
    size_t want = wanted(a) - a->opening_size;

    if (m->bytes_taken == 0 && bytes.data[0] == TLS_HANDSHAKE_RECORD && !m->options.opens_here) {
        accept_enter(m, ACCEPT_DIRECT);
        return STARTTLS_DIRECT;
    }
    if (want > bytes.size)
        want = bytes.size;
    memcpy(a->opening + a->opening_size, bytes.data, want);
    a->opening_size += want;
    *consumed = want;
    return a->opening_size < POSTGRES_HEAD_BYTES ? STARTTLS_NEED_MORE : on_opening(a);
}

static void accept_fault(struct starttls_machine *m, enum line_status fault)
{
    (void)fault; /* there are no lines: too much was said */
    put_error("08P01", "Not understood", &m->out);
}

/* CVE-2021-23214. */
static void accept_hinge(struct starttls_machine *m, enum hinge hinge)
{
    if (hinge == HINGE_CLEAN)
        machine_put(m, span_of("S", 1));
    else
        put_error("08P01", "Nothing may follow the request for TLS before it", &m->out);
}

static bool accept_client_may_leave(const struct starttls_machine *m)
{
    return ((const struct accept *)(const void *)m)->may_leave;
}

/* ---- the connected side ---- */

static void connect_start(struct starttls_machine *m)
{
    static const uint8_t request[] = {0, 0, 0, POSTGRES_HEAD_BYTES, 0x04, 0xd2, 0x16, 0x2f}; /* CODE_SSL */

    m->state = CONNECT_ASKED;
    if (m->options.upgrade)
        machine_put(m, span_of(request, sizeof(request)));
}

/* An error comes from whoever holds the network: its text is for nobody (CVE-2024-10977). */
static enum starttls_status connect_bytes(struct starttls_machine *m, struct span bytes, size_t *consumed)
{
    if (!m->options.upgrade)
        return STARTTLS_READY; /* no server greets */
    *consumed = 1;
    switch (bytes.data[0]) {
    case 'S':
        m->state = CONNECT_UPGRADE;
        return STARTTLS_UPGRADE;
    case 'N':
        return machine_refused(m, STARTTLS_REFUSAL_NO_TLS, "the server does not offer TLS");
    case 'E':
        return machine_refused(m, STARTTLS_REFUSAL_SERVICE, "the server answers the request for TLS with an error");
    default:
        return machine_broken(m, "the server sent something that is no answer to the request for TLS");
    }
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
        const char *sqlstate, *message;
    } words[] = {
        [STARTTLS_FAILURE_OVERLOAD] = {"53300", "Too busy, try again later"},
        [STARTTLS_FAILURE_TLS_UNAVAILABLE] = {"08006", "TLS is not available now"},
        [STARTTLS_FAILURE_TARGET_REFUSED] = {"28000", "Not allowed"},
        [STARTTLS_FAILURE_TARGET_DOWN] = {"08006", "No server answers, try again later"},
        [STARTTLS_FAILURE_TARGET_TIMEOUT] = {"08006", "No server answers in time, try again later"},
        [STARTTLS_FAILURE_TARGET_UNWILLING] = {"08006", "The server does not want to serve now, try again later"},
        [STARTTLS_FAILURE_TARGET_SPEECH] = {"08006", "The server's answer is not understood"},
        [STARTTLS_FAILURE_TARGET_NO_TLS] = {"08001", "The server offers no TLS"},
        [STARTTLS_FAILURE_TARGET_TLS] = {"08001", "The server's TLS cannot be trusted"},
        [STARTTLS_FAILURE_IDENTITY] = {"08006", "The key that the server asks of us is not available now"},
        [STARTTLS_FAILURE_SHUTDOWN] = {"57P01", "Shutting down"},
        [STARTTLS_FAILURE_TIMEOUT] = {"08006", "Timeout"},
        [STARTTLS_FAILURE_BAD_REQUEST] = {"08P01", "Not understood"},
    };
    static_assert(ARRAY_LEN(words) == STARTTLS_FAILURE_COUNT, "one error for each failure");

    (void)greeted;
    (void)name;
    put_error(words[failure].sqlstate, words[failure].message, out);
}

static const struct machine_class accept_class = {
    .size = sizeof(struct accept),
    .line_bytes_max = STARTTLS_POSTGRES_STARTUP_BYTES_MAX,
    .bytes_max = STARTTLS_ACCEPTED_BYTES_MAX,
    .state_names = accept_names,
    .start = accept_start,
    .on_bytes = accept_bytes,
    .on_fault = accept_fault,
    .on_hinge = accept_hinge,
    .client_may_leave = accept_client_may_leave,
};

static const struct machine_class connect_class = {
    .size = sizeof(struct starttls_machine),
    .line_bytes_max = STARTTLS_POSTGRES_STARTUP_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .state_names = connect_names,
    .start = connect_start,
    .on_bytes = connect_bytes,
    .on_hinge = connect_hinge,
};

const struct protocol starttls_postgres = {
    .alpn = "postgresql",
    .client_opens = true,
    .accept = &accept_class,
    .connect = &connect_class,
    .probe = &postgres_probe_class,
    .filter = &postgres_filter_class,
    .failure_text = failure_text,
};
