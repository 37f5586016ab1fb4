/* POP3 inside TLS until the client has logged in: what the relayed session must not offer or ask for.
 *
 * Server to client: the line of STLS is left out of the answer to CAPA, and so is XCLIENT; Dovecot's "[XCLIENT]" is cut
 * out of the greeting. Client to server: STLS and XCLIENT, with which a server that trusts us would take another
 * address for the client's, get a name no server knows, so that the server refuses them in their turn. At the +OK to
 * PASS, APOP or AUTH the filter ends (STARTTLS_READY) and the session is relayed blindly: STLS is for before the login
 * (RFC 2595 section 4), and a message may hold any line.
 *
 * A reply is one line; that of some commands a list behind it, when it is +OK, up to a lone dot (RFC 1939 section 3).
 * Only the command tells, and a client may pipeline (RFC 2449 section 6.8), so the commands that have no reply yet are
 * counted and remembered:
 *
 *       REPLY --+OK to CAPA, to AUTH or LANG alone--> LIST --"."--> REPLY
 *
 * And the greeting answers no command, though some may have come before it: a client that could make the filter take it
 * for one of their replies would be one ahead of it, and could have the reply to USER taken for that to PASS.
 *
 *       COMMAND --reply "+ ..."--> ANSWER --end of line--> COMMAND          RFC 5034 section 4
 *
 * A challenge makes the client's next line no command, and a client waits for it. When one comes while the client has
 * already said more, nobody can tell what those bytes are: an answer to the server, commands to us. The session ends
 * then. */
#include "starttls/pop3.h"

enum client_state { CLIENT_COMMAND, CLIENT_REST /* of a line that is passing by */, CLIENT_ANSWER };
enum server_state { SERVER_LINE, SERVER_REST };

/* What a command's +OK means. */
enum command {
    COMMAND_OTHER, /* it is done */
    COMMAND_LIST,  /* a list follows: AUTH and LANG without an argument */
    COMMAND_CAPA,  /* likewise, one with STLS in it */
    COMMAND_LOGIN, /* the client is in */
};

struct pop3_filter {
    struct starttls_filter f;

    /* From the server. */
    struct buffer line;
    enum server_state server_state;
    bool greeting_follows;
    bool in_list;       /* of the oldest command without a whole reply */
    bool rest_is_login; /* SERVER_REST: the client is in when the line has ended */
    bool server_ended;  /* no reply comes any more */

    /* From the client. */
    enum client_state state;
    struct buffer command;
    bool spoke; /* the first line has been judged */

    /* Commands without a whole reply yet, oldest first: a ring. */
    uint8_t pending[STARTTLS_POP3_COMMANDS_PENDING_MAX];
    size_t pending_start, pending_count;
};

static struct pop3_filter *filter_of(struct starttls_filter *f)
{
    return CONTAINER_OF(f, struct pop3_filter, f);
}

static void start(struct starttls_filter *f)
{
    struct pop3_filter *p = filter_of(f);

    buffer_init(&p->line, STARTTLS_POP3_REPLY_BYTES_MAX);
    buffer_init(&p->command, STARTTLS_POP3_COMMAND_BYTES_MAX);
    p->greeting_follows = f->greeting == STARTTLS_GREETING_FOLLOWS;
}

static void clear(struct starttls_filter *f)
{
    struct pop3_filter *p = filter_of(f);

    buffer_wipe(&p->line);
    buffer_wipe(&p->command); /* PASS carries passwords */
}

/* ---- the commands that have no reply yet ---- */

/* Whether one more can be remembered. After the server's end nothing is: no reply comes that could change a meaning. */
static bool can_push_command(const struct pop3_filter *p)
{
    return p->server_ended || p->pending_count < ARRAY_LEN(p->pending);
}

static void push_command(struct pop3_filter *p, enum command command)
{
    if (p->pending_count < ARRAY_LEN(p->pending))
        p->pending[(p->pending_start + p->pending_count++) % ARRAY_LEN(p->pending)] = (uint8_t)command;
}

static enum command oldest_command(const struct pop3_filter *p)
{
    return p->pending_count == 0 ? COMMAND_OTHER : (enum command)p->pending[p->pending_start];
}

static void pop_command(struct pop3_filter *p)
{
    p->in_list = false;
    if (p->pending_count == 0)
        return; /* a reply out of the blue: the server says why it closes */
    p->pending_start = (p->pending_start + 1) % ARRAY_LEN(p->pending);
    p->pending_count--;
}

/* What must not be asked for, or offered, inside TLS. */
static bool is_refused(struct span word)
{
    return text_word_is(word, "STLS") || text_word_is(word, "XCLIENT");
}

/* ---- server to client ---- */

static enum starttls_status on_challenge(struct pop3_filter *p)
{
    if (p->pending_count != 1 || p->state != CLIENT_COMMAND || p->command.size != 0)
        return filter_broken(&p->f, STARTTLS_FAULT_CLIENT,
                             "the client did not wait for the server's challenge: what it said could be taken "
                             "for commands or for an answer");
    p->state = CLIENT_ANSWER;
    return STARTTLS_NEED_MORE;
}

/* The line that answers a command. *is_login: the client is in once it has gone out. */
static enum starttls_status on_reply(struct pop3_filter *p, struct span line, bool *is_login)
{
    enum command command = oldest_command(p);

    switch (pop3_reply_of(line)) {
    case POP3_REPLY_NONE:
        return STARTTLS_NEED_MORE; /* of a list that we do not know: it counts for nothing */
    case POP3_REPLY_CHALLENGE:
        return on_challenge(p);
    case POP3_REPLY_ERR:
        pop_command(p);
        return STARTTLS_NEED_MORE;
    case POP3_REPLY_OK:
        break;
    }
    if (command == COMMAND_CAPA || command == COMMAND_LIST) {
        p->in_list = true;
        return STARTTLS_NEED_MORE;
    }
    pop_command(p);
    *is_login = command == COMMAND_LOGIN;
    return STARTTLS_NEED_MORE;
}

/* Whether a line of a list is to be left out. One whose first word may go on behind its start is, to be sure. */
static bool is_offer(const struct pop3_filter *p, struct span text, bool is_complete)
{
    struct span rest = text;
    struct span word = text_next_word(&rest);
    bool may_be = !is_complete && rest.size == 0 && word.size < sizeof("XCLIENT");

    return oldest_command(p) == COMMAND_CAPA && (is_refused(word) || may_be);
}

/* A line of a list, or its start. *is_left_out: it is not for the client. */
static enum starttls_status on_listed(struct pop3_filter *p, struct span text, bool is_complete, bool *is_left_out)
{
    if (is_complete && span_equal(text, span_of_string("."))) {
        pop_command(p);
        return STARTTLS_NEED_MORE;
    }
    *is_left_out = is_offer(p, text, is_complete);
    if (*is_left_out && !is_complete)
        return filter_broken_by(&p->f, STARTTLS_FAULT_SERVER,
                                "the server sent a capability that is too long to be left out", text);
    return STARTTLS_NEED_MORE;
}

/* "+OK [XCLIENT] hello": Dovecot's offer to those whom it trusts. */
static void put_greeting(struct span line, struct sink *sink)
{
    static const char offer[] = "+OK [XCLIENT] ";

    if (span_starts_with_nocase(line, offer)) {
        sink_put_text(sink, "+OK ");
        line = span_skip(line, sizeof(offer) - 1);
    }
    sink_put(sink, line);
}

/* A whole line, or (not `is_complete`) the start of one that is longer than what is held of it. */
static enum starttls_status on_server_line(struct pop3_filter *p, bool is_complete, struct buffer *out)
{
    struct span line = buffer_span(&p->line);
    struct span text = filter_line_text(line);
    enum starttls_status status = STARTTLS_NEED_MORE;
    bool is_login = false, is_left_out = false;
    struct sink sink;

    sink_open(&sink, out, line.size + STARTTLS_SERVER_LINE_GROWTH_MAX);
    if (p->greeting_follows) {
        p->greeting_follows = false;
        put_greeting(line, &sink);
    } else {
        status = p->in_list ? on_listed(p, text, is_complete, &is_left_out) : on_reply(p, text, &is_login);
        if (!is_left_out)
            sink_put(&sink, line);
    }
    buffer_consume(&p->line, p->line.size);
    if (!is_complete) {
        p->server_state = SERVER_REST;
        p->rest_is_login = is_login;
    }
    return filter_close(&p->f, &sink, is_login && is_complete ? STARTTLS_READY : status);
}

static enum starttls_status put_server_line(struct pop3_filter *p, struct span bytes, size_t *taken, struct buffer *out)
{
    bool complete;

    *taken = 0;
    if (buffer_room(out) < STARTTLS_FILTER_LINE_BYTES_MAX)
        return STARTTLS_NEED_MORE;
    complete = filter_line_put(&p->line, bytes, taken);
    return complete || buffer_room(&p->line) == 0 ? on_server_line(p, complete, out) : STARTTLS_NEED_MORE;
}

static enum starttls_status put_server_rest(struct pop3_filter *p, struct span bytes, size_t *taken, struct buffer *out)
{
    bool ended;

    *taken = filter_pass_line(bytes, out, &ended);
    if (!ended)
        return STARTTLS_NEED_MORE;
    p->server_state = SERVER_LINE;
    return p->rest_is_login ? STARTTLS_READY : STARTTLS_NEED_MORE;
}

static enum starttls_status step_from_server(struct starttls_filter *f, struct span bytes, size_t *taken,
                                             struct buffer *out)
{
    struct pop3_filter *p = filter_of(f);
    enum starttls_status status = STARTTLS_NEED_MORE;

    switch (p->server_state) {
    case SERVER_LINE:
        status = put_server_line(p, bytes, taken, out);
        break;
    case SERVER_REST:
        status = put_server_rest(p, bytes, taken, out);
        break;
    }
    return status;
}

static enum starttls_status put_from_server(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                            struct buffer *out)
{
    enum starttls_status status = filter_put_steps(f, step_from_server, bytes, consumed, out);

    filter_line_forget(&filter_of(f)->line);
    return status;
}

/* ---- client to server ---- */

static enum command command_of(struct span verb, bool has_argument)
{
    if (text_word_is(verb, "CAPA"))
        return COMMAND_CAPA;
    if (!has_argument && (text_word_is(verb, "AUTH") || text_word_is(verb, "LANG")))
        return COMMAND_LIST; /* the names of mechanisms (older than RFC 5034), of languages (RFC 6856 section 3) */
    return text_word_is(verb, "PASS") || text_word_is(verb, "APOP") || text_word_is(verb, "AUTH") ? COMMAND_LOGIN
                                                                                                  : COMMAND_OTHER;
}

/* A command line, or as much of one as the filter holds (`is_complete` tells). The state is CLIENT_COMMAND. */
static enum starttls_status on_command(struct pop3_filter *p, bool is_complete, struct buffer *out)
{
    struct span line = buffer_span(&p->command);
    struct span text = filter_line_text(line), rest = text;
    struct span verb = text_next_word(&rest);
    struct span argument = text_next_word(&rest);
    struct sink sink;

    /* ALPACA (X1): a browser sent here by someone who holds the network. Not a byte of it is answered. */
    if (!p->spoke && text_looks_like_http(text, HTTP_LIKENESS_METHOD))
        return filter_broken_by(&p->f, STARTTLS_FAULT_CLIENT, "the client speaks HTTP", text_verb(text));
    p->spoke = true;
    if (!is_complete && (is_refused(verb) || argument.size == 0))
        return filter_broken_by(&p->f, STARTTLS_FAULT_CLIENT, "the client sent a command line that is too long",
                                text_verb(text));
    push_command(p, command_of(verb, argument.size != 0));
    if (!is_complete)
        p->state = CLIENT_REST; /* AUTH with an initial response: a ticket or a token may be long */
    sink_open(&sink, out, line.size + STARTTLS_CLIENT_LINE_GROWTH_MAX);
    if (is_refused(verb)) {
        sink_put_text(&sink, "REFUSED-");
        sink_put(&sink, verb);
        sink_put_text(&sink, "\r\n");
    } else {
        sink_put(&sink, line);
    }
    buffer_consume(&p->command, p->command.size);
    return filter_close(&p->f, &sink, STARTTLS_NEED_MORE);
}

static enum starttls_status put_command(struct pop3_filter *p, struct span bytes, size_t *taken, struct buffer *out)
{
    bool complete;

    *taken = 0;
    if (buffer_room(out) < STARTTLS_FILTER_LINE_BYTES_MAX || !can_push_command(p))
        return STARTTLS_NEED_MORE;
    complete = filter_line_put(&p->command, bytes, taken);
    return complete || buffer_room(&p->command) == 0 ? on_command(p, complete, out) : STARTTLS_NEED_MORE;
}

/* Straight through to the end of the line. */
static size_t pass_line(struct pop3_filter *p, struct span bytes, struct buffer *out)
{
    bool ended;
    size_t passed = filter_pass_line(bytes, out, &ended);

    if (ended)
        p->state = CLIENT_COMMAND;
    return passed;
}

static enum starttls_status step_from_client(struct starttls_filter *f, struct span bytes, size_t *taken,
                                             struct buffer *out)
{
    struct pop3_filter *p = filter_of(f);
    enum starttls_status status = STARTTLS_NEED_MORE;

    switch (p->state) {
    case CLIENT_COMMAND:
        status = put_command(p, bytes, taken, out);
        break;
    case CLIENT_REST:
    case CLIENT_ANSWER:
        *taken = pass_line(p, bytes, out);
        break;
    }
    return status;
}

static enum starttls_status put_from_client(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                            struct buffer *out)
{
    enum starttls_status status = filter_put_steps(f, step_from_client, bytes, consumed, out);

    filter_line_forget(&filter_of(f)->command);
    return status;
}

static bool rest(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out)
{
    struct pop3_filter *p = filter_of(f);

    return filter_move(direction == STARTTLS_FROM_CLIENT ? &p->command : &p->line, out);
}

static enum starttls_status end(struct starttls_filter *f, enum starttls_direction direction)
{
    if (direction == STARTTLS_FROM_SERVER)
        filter_of(f)->server_ended = true;
    return STARTTLS_NEED_MORE;
}

static_assert(STARTTLS_POP3_REPLY_BYTES_MAX + STARTTLS_SERVER_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a line");
static_assert(STARTTLS_POP3_COMMAND_BYTES_MAX + STARTTLS_CLIENT_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a command");

const struct filter_class pop3_filter_class = {
    .size = sizeof(struct pop3_filter),
    .start = start,
    .put = {[STARTTLS_FROM_CLIENT] = put_from_client, [STARTTLS_FROM_SERVER] = put_from_server},
    .rest = rest,
    .end = end,
    .clear = clear,
};
