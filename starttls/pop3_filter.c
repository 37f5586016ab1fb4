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

/* What a command's +OK means. */
enum command {
    COMMAND_OTHER, /* it is done */
    COMMAND_LIST,  /* a list follows: AUTH and LANG without an argument */
    COMMAND_CAPA,  /* likewise, one with STLS in it */
    COMMAND_LOGIN, /* the client is in */
};

struct pop3_filter {
    struct list_filter x;
    enum client_state state;
};

static struct pop3_filter *filter_of(struct list_filter *x)
{
    return CONTAINER_OF(x, struct pop3_filter, x);
}

/* What must not be asked for, or offered, inside TLS. */
static bool is_refused(struct span word)
{
    return text_word_is(word, "STLS") || text_word_is(word, "XCLIENT");
}

/* ---- server to client ---- */

static enum starttls_status on_challenge(struct list_filter *x)
{
    struct pop3_filter *p = filter_of(x);

    if (x->pending.count != 1 || p->state != CLIENT_COMMAND || x->l.command.size != 0)
        return filter_broken(&x->l.f, STARTTLS_FAULT_CLIENT,
                             "the client did not wait for the server's challenge: what it said could be taken "
                             "for commands or for an answer");
    p->state = CLIENT_ANSWER;
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

/* *is_over: the client is in. */
static enum starttls_status on_answer(struct list_filter *x, struct span text, bool *is_over)
{
    enum command command = (enum command)pending_oldest(&x->pending);

    switch (pop3_reply_of(text)) {
    case POP3_REPLY_NONE:
        return STARTTLS_NEED_MORE; /* of a list that we do not know: it counts for nothing */
    case POP3_REPLY_CHALLENGE:
        return on_challenge(x);
    case POP3_REPLY_ERR:
        list_filter_answered(x);
        return STARTTLS_NEED_MORE;
    case POP3_REPLY_OK:
        break;
    }
    x->in_list = command == COMMAND_CAPA || command == COMMAND_LIST;
    if (!x->in_list)
        list_filter_answered(x);
    *is_over = command == COMMAND_LOGIN;
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_reply(struct list_filter *x, struct span line, struct sink *sink, bool *is_over)
{
    if (x->l.greeting_follows) {
        x->l.greeting_follows = false;
        put_greeting(line, sink);
        return STARTTLS_NEED_MORE;
    }
    sink_put(sink, line);
    return on_answer(x, filter_line_text(line), is_over);
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
static enum starttls_status on_command(struct line_filter *l, bool is_complete, struct buffer *out)
{
    struct list_filter *x = CONTAINER_OF(l, struct list_filter, l);
    struct span text = filter_line_text(buffer_span(&l->command)), rest = text;
    struct span verb = text_next_word(&rest);
    struct span argument = text_next_word(&rest);

    if (line_filter_judge_first(l, text, HTTP_LIKENESS_METHOD) == STARTTLS_BROKEN)
        return STARTTLS_BROKEN;
    if (!is_complete && (is_refused(verb) || argument.size == 0))
        return filter_broken_by(&l->f, STARTTLS_FAULT_CLIENT, "the client sent a command line that is too long",
                                text_verb(text));
    pending_push(&x->pending, command_of(verb, argument.size != 0));
    if (!is_complete)
        filter_of(x)->state = CLIENT_REST; /* AUTH with an initial response: a ticket or a token may be long */
    return line_filter_send_command(l, is_refused(verb) ? LINE_FILTER_REFUSED : LINE_FILTER_PASSES, verb, out);
}

static enum starttls_status step_from_client(struct starttls_filter *f, struct span bytes, size_t *taken,
                                             struct buffer *out)
{
    struct pop3_filter *p = CONTAINER_OF(f, struct pop3_filter, x.l.f);
    struct line_filter *l = &p->x.l;
    bool ended = false;

    switch (p->state) {
    case CLIENT_COMMAND:
        if (!line_filter_can_push(l, &p->x.pending))
            break;
        return line_filter_gather(l, &l->command, on_command, bytes, taken, out);
    case CLIENT_REST:
    case CLIENT_ANSWER:
        *taken = filter_pass_line(bytes, out, &ended);
        if (ended)
            p->state = CLIENT_COMMAND;
        break;
    }
    return STARTTLS_NEED_MORE;
}

static_assert(STARTTLS_POP3_REPLY_BYTES_MAX + STARTTLS_SERVER_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a line");
static_assert(STARTTLS_POP3_COMMAND_BYTES_MAX + STARTTLS_CLIENT_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a command");

const struct list_filter_class pop3_filter_class = {
    .lines =
        {.class = LINE_FILTER_CLASS(pop3_filter),
         .line_bytes_max = STARTTLS_POP3_REPLY_BYTES_MAX,
         .command_bytes_max = STARTTLS_POP3_COMMAND_BYTES_MAX,
         .step = {[STARTTLS_FROM_CLIENT] = step_from_client, [STARTTLS_FROM_SERVER] = list_filter_step_from_server}},
    .on_reply = on_reply,
    .capabilities = COMMAND_CAPA,
    .is_offer = is_refused,
    .offer_bytes_max = sizeof("XCLIENT") - 1,
};
