/* ManageSieve inside TLS until the client has logged in: what the relayed session must not offer or ask for.
 *
 * Server to client: the lines of STARTTLS and XCLIENT are left out of every list of capabilities. Client to server:
 * STARTTLS, and XCLIENT, with which a server that trusts us would take another address for the client's, get a name no
 * server knows, so that the server refuses them in their turn. At the OK to AUTHENTICATE the filter ends
 * (STARTTLS_READY) and the session is relayed blindly: STARTTLS is for before the login (RFC 5804 section 2.2), and a
 * script may hold any line.
 *
 * OK and NO answer a command each, in order, and a client may pipeline; so commands without a reply are counted. The
 * greeting's OK answers none. A string in the place of the reply to AUTHENTICATE is a challenge:
 *
 *       COMMAND --AUTHENTICATE, then a string--> ANSWER --end of line--> COMMAND            RFC 5804 section 2.1
 *
 * A client waits for it. One that has already said more by then ends the session: nobody can tell what those bytes are,
 * an answer to the server, commands to us.
 *
 * A literal, too, may be one thing to a server, and to another, which skips a line that it does not like, commands.
 * Before the login only AUTHENTICATE has a use for one; elsewhere it ends the session, and in what it holds there is
 * nothing but a mechanism's name or base64, with which no command can be said. */
#include "starttls/sieve.h"
#include "starttls/imap_syntax.h"

enum client_state { CLIENT_COMMAND, CLIENT_ANSWER, CLIENT_LITERAL, CLIENT_REST /* of a command, behind its literal */ };
enum server_state { SERVER_LINE, SERVER_LITERAL, SERVER_REST };

/* What a command's OK means. */
enum command { COMMAND_OTHER, COMMAND_LOGIN };

struct sieve_filter {
    struct line_filter l;
    struct pending_commands pending;

    /* From the server. */
    enum server_state server_state;
    enum sieve_reply reply; /* how the one began that is under way */
    uint64_t server_literal_left;

    /* From the client. */
    enum client_state state;
    uint64_t client_literal_left;
    bool client_literal_is_short; /* no longer than a command that is refused */
};

static struct sieve_filter *filter_of(struct line_filter *l)
{
    return CONTAINER_OF(l, struct sieve_filter, l);
}

/* ---- server to client ---- */

static bool is_challenge(const struct sieve_filter *s)
{
    return !s->l.greeting_follows && pending_oldest(&s->pending) == COMMAND_LOGIN;
}

static enum starttls_status on_challenge(struct sieve_filter *s)
{
    if (s->pending.count != 1 || s->state != CLIENT_COMMAND || s->l.command.size != 0)
        return filter_broken(&s->l.f, STARTTLS_FAULT_CLIENT,
                             "the client did not wait for the server's challenge: what it said could be taken "
                             "for commands or for an answer");
    s->state = CLIENT_ANSWER;
    return STARTTLS_NEED_MORE;
}

/* A reply, or a line of a list, is whole, with what literals it has. */
static enum starttls_status on_reply_end(struct sieve_filter *s)
{
    bool is_login;

    switch (s->reply) {
    case SIEVE_REPLY_STRING:
        return is_challenge(s) ? on_challenge(s) : STARTTLS_NEED_MORE;
    case SIEVE_REPLY_OK:
    case SIEVE_REPLY_NO:
        break;
    case SIEVE_REPLY_BYE:
    case SIEVE_REPLY_NONE:
        return STARTTLS_NEED_MORE;
    }
    if (s->l.greeting_follows) {
        s->l.greeting_follows = false;
        return STARTTLS_NEED_MORE;
    }
    is_login = pending_oldest(&s->pending) == COMMAND_LOGIN;
    pending_pop(&s->pending);
    return is_login && s->reply == SIEVE_REPLY_OK ? STARTTLS_READY : STARTTLS_NEED_MORE;
}

/* The first line of a reply. *is_left_out: it is not for the client. */
static enum starttls_status on_reply_start(struct sieve_filter *s, struct span text, bool has_literal,
                                           bool *is_left_out)
{
    s->reply = sieve_reply_of(text);
    if (s->reply != SIEVE_REPLY_STRING || is_challenge(s))
        return STARTTLS_NEED_MORE;
    *is_left_out = sieve_is_refused(sieve_capability_of(text));
    if (text.data[0] == '{' || (*is_left_out && has_literal))
        return filter_broken_by(&s->l.f, STARTTLS_FAULT_SERVER,
                                "the server sent a capability with a literal, which cannot be left out", text);
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_server_line(struct line_filter *l, bool is_complete, struct buffer *out)
{
    struct sieve_filter *s = filter_of(l);
    struct span line = buffer_span(&l->line);
    struct span text = filter_line_text(line);
    struct imap_literal literal = {.size = 0};
    bool has_literal = imap_ends_with_literal(text, &literal), is_left_out = false;
    enum starttls_status status = STARTTLS_NEED_MORE;
    struct sink sink;

    if (!is_complete)
        return filter_broken_by(&l->f, STARTTLS_FAULT_SERVER, "the server sent a line that is too long", line);
    sink_open(&sink, out, line.size + STARTTLS_SERVER_LINE_GROWTH_MAX);
    if (s->server_state == SERVER_LINE)
        status = on_reply_start(s, text, has_literal, &is_left_out);
    if (has_literal && literal.size == UINT64_MAX)
        status = filter_broken_by(&s->l.f, STARTTLS_FAULT_SERVER, "the server sent a literal of no known size", text);
    if (!is_left_out)
        sink_put(&sink, line);
    buffer_consume(&l->line, l->line.size);
    s->server_literal_left = literal.size;
    s->server_state = !has_literal ? SERVER_LINE : literal.size == 0 ? SERVER_REST : SERVER_LITERAL;
    if (status == STARTTLS_NEED_MORE && !has_literal)
        status = on_reply_end(s);
    return filter_close(&s->l.f, &sink, status);
}

static size_t put_server_literal(struct sieve_filter *s, struct span bytes, struct buffer *out)
{
    size_t taken = filter_pass(bytes, s->server_literal_left, out);

    s->server_literal_left -= taken;
    if (s->server_literal_left == 0)
        s->server_state = SERVER_REST;
    return taken;
}

static enum starttls_status step_from_server(struct starttls_filter *f, struct span bytes, size_t *taken,
                                             struct buffer *out)
{
    struct sieve_filter *s = CONTAINER_OF(f, struct sieve_filter, l.f);

    if (s->server_state != SERVER_LITERAL)
        return line_filter_gather(&s->l, &s->l.line, on_server_line, bytes, taken, out);
    *taken = put_server_literal(s, bytes, out);
    return STARTTLS_NEED_MORE;
}

/* ---- client to server ---- */

/* The line's literal, if it ends with one. `may_have_one`: it is AUTHENTICATE's, or an answer's. */
static enum starttls_status on_client_literal(struct sieve_filter *s, struct span text, bool may_have_one)
{
    struct imap_literal literal;

    s->state = CLIENT_COMMAND;
    if (!imap_ends_with_literal(text, &literal))
        return STARTTLS_NEED_MORE;
    if (!may_have_one || literal.is_synchronizing || literal.size == UINT64_MAX)
        return filter_broken_by(&s->l.f, STARTTLS_FAULT_CLIENT,
                                "the client sent a literal where it could be taken for commands", text_verb(text));
    s->client_literal_left = literal.size;
    s->client_literal_is_short = literal.size < sizeof("STARTTLS");
    s->state = literal.size == 0 ? CLIENT_REST : CLIENT_LITERAL;
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_command(struct sieve_filter *s, struct span text, struct span line, struct sink *sink)
{
    struct span rest = text;
    struct span verb = text_next_word(&rest);
    bool is_login = text_word_is(verb, "AUTHENTICATE");

    if (line_filter_judge_first(&s->l, text, HTTP_LIKENESS_METHOD) == STARTTLS_BROKEN)
        return STARTTLS_BROKEN;
    pending_push(&s->pending, is_login ? COMMAND_LOGIN : COMMAND_OTHER);
    line_filter_write_command(sink, sieve_is_refused(verb) ? LINE_FILTER_REFUSED : LINE_FILTER_PASSES, verb, line);
    return on_client_literal(s, text, is_login);
}

/* RFC 5804 section 2.1: a string. */
static enum starttls_status on_answer(struct sieve_filter *s, struct span text, struct span line, struct sink *sink)
{
    if (sieve_reply_of(text) != SIEVE_REPLY_STRING)
        return filter_broken(&s->l.f, STARTTLS_FAULT_CLIENT,
                             "the client answered the server's challenge with something that is not a string");
    sink_put(sink, line);
    return on_client_literal(s, text, true);
}

/* What is behind a literal is strings. By what else a server might be led, if it has taken the literal for something
 * else, is not passed on. */
static enum starttls_status on_client_rest(struct sieve_filter *s, struct span text, struct span line,
                                           struct sink *sink)
{
    struct span strings = text;

    while (strings.size != 0 && strings.data[0] == ' ')
        strings = span_skip(strings, 1);
    if (strings.size != 0 && sieve_reply_of(strings) != SIEVE_REPLY_STRING)
        return filter_broken(&s->l.f, STARTTLS_FAULT_CLIENT,
                             "the client sent something behind a literal that is not a string");
    sink_put(sink, line);
    return on_client_literal(s, text, true);
}

/* The state is that of the line's beginning. */
static enum starttls_status on_client_line(struct line_filter *l, bool is_complete, struct buffer *out)
{
    struct sieve_filter *s = filter_of(l);
    struct span line = buffer_span(&l->command);
    struct span text = filter_line_text(line);
    enum starttls_status status = STARTTLS_NEED_MORE;
    struct sink sink;

    if (!is_complete)
        return filter_broken_by(&l->f, STARTTLS_FAULT_CLIENT, "the client sent a command line that is too long",
                                text_verb(line));
    sink_open(&sink, out, line.size + STARTTLS_CLIENT_LINE_GROWTH_MAX);
    switch (s->state) {
    case CLIENT_COMMAND:
        status = on_command(s, text, line, &sink);
        break;
    case CLIENT_ANSWER:
        status = on_answer(s, text, line, &sink);
        break;
    case CLIENT_REST:
        status = on_client_rest(s, text, line, &sink);
        break;
    case CLIENT_LITERAL:
        break;
    }
    buffer_consume(&l->command, l->command.size);
    return filter_close(&s->l.f, &sink, status);
}

/* A mechanism's name (RFC 4422 section 3.1) or base64. */
static bool is_login_byte(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=' || c == '-' || c == '_';
}

/* One so short that it could be a command: it is kept until it is whole. */
static enum starttls_status put_short_literal(struct sieve_filter *s, struct span bytes, struct buffer *out)
{
    bool all;

    if (!buffer_append(&s->l.command, bytes))
        return filter_broken(&s->l.f, STARTTLS_FAULT_YETT, "a literal does not fit: this is a fault of yett's own");
    s->client_literal_left -= bytes.size;
    if (s->client_literal_left != 0)
        return STARTTLS_NEED_MORE;
    if (sieve_is_refused(buffer_span(&s->l.command)))
        return filter_broken_by(&s->l.f, STARTTLS_FAULT_CLIENT,
                                "the client sent a literal that could be taken for a command",
                                buffer_span(&s->l.command));
    all = filter_move(&s->l.command, out);
    s->state = CLIENT_REST;
    return all ? STARTTLS_NEED_MORE
               : filter_broken(&s->l.f, STARTTLS_FAULT_YETT, "a literal does not fit: this is a fault of yett's own");
}

static enum starttls_status put_client_literal(struct sieve_filter *s, struct span bytes, size_t *taken,
                                               struct buffer *out)
{
    size_t good = 0;
    bool is_bad;

    if (s->client_literal_is_short && buffer_room(out) < STARTTLS_FILTER_LINE_BYTES_MAX)
        return STARTTLS_NEED_MORE;
    while (good < bytes.size && good < s->client_literal_left && is_login_byte(bytes.data[good]))
        good++;
    is_bad = good < bytes.size && good < s->client_literal_left;
    *taken = s->client_literal_is_short ? good : filter_pass(bytes, good, out);
    if (is_bad && *taken == good)
        return filter_broken(&s->l.f, STARTTLS_FAULT_CLIENT, "the client sent a literal that is not base64");
    if (s->client_literal_is_short)
        return put_short_literal(s, span_of(bytes.data, good), out);
    s->client_literal_left -= *taken;
    if (s->client_literal_left == 0)
        s->state = CLIENT_REST;
    return STARTTLS_NEED_MORE;
}

static enum starttls_status step_from_client(struct starttls_filter *f, struct span bytes, size_t *taken,
                                             struct buffer *out)
{
    struct sieve_filter *s = CONTAINER_OF(f, struct sieve_filter, l.f);

    if (s->state == CLIENT_LITERAL)
        return put_client_literal(s, bytes, taken, out);
    if (s->state == CLIENT_COMMAND && !line_filter_can_push(&s->l, &s->pending))
        return STARTTLS_NEED_MORE;
    return line_filter_gather(&s->l, &s->l.command, on_client_line, bytes, taken, out);
}

static_assert(STARTTLS_SIEVE_RELAYED_BYTES_MAX + STARTTLS_SERVER_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a line");
static_assert(STARTTLS_SIEVE_RELAYED_BYTES_MAX + STARTTLS_CLIENT_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a command");

const struct line_filter_class sieve_filter_class = {
    .class = LINE_FILTER_CLASS(sieve_filter),
    .line_bytes_max = STARTTLS_SIEVE_RELAYED_BYTES_MAX,
    .command_bytes_max = STARTTLS_SIEVE_RELAYED_BYTES_MAX,
    .step = {[STARTTLS_FROM_CLIENT] = step_from_client, [STARTTLS_FROM_SERVER] = step_from_server},
};
