/* NNTP inside TLS until the client has logged in: what the relayed session must not offer or ask for.
 *
 * Server to client: the line of STARTTLS is left out of the answer to CAPABILITIES. Client to server: STARTTLS gets a
 * name no server knows, so that the server refuses it in its turn. At 281 or 283 to AUTHINFO (RFC 4643) the filter ends
 * (STARTTLS_READY) and the session is relayed blindly: STARTTLS is for before the login (RFC 4642 section 2.2.1). So it
 * does when what follows may be compressed (RFC 8054, XFEATURE). Many clients never log in; their session is watched to
 * its end.
 *
 * A reply is one line, and behind some codes a block of lines up to a lone dot (RFC 3977 section 3.1.1). 211 has one
 * when it answers LISTGROUP, so commands that have no reply yet are remembered; a client may pipeline. The greeting
 * answers none.
 *
 *       COMMAND --POST, IHAVE, then 340, 335--> ARTICLE --CRLF.CRLF--> COMMAND
 *       COMMAND --TAKETHIS (RFC 4644), waiting for nothing--> ARTICLE
 *       COMMAND --AUTHINFO SASL, then 383--> ANSWER --end of line--> COMMAND
 *
 * A client waits for 340, 335 and 383. One that has said more by then ends the session: nobody can tell what those
 * bytes are. So does an article with a line that is a dot between other line ends than CRLF: to one server it ends
 * there, to another it goes on. */
#include "starttls/nntp.h"

enum client_state { CLIENT_COMMAND, CLIENT_REST /* of a line that is passing by */, CLIENT_ANSWER, CLIENT_ARTICLE };

/* Where in an article: behind which line end, and what of a lone dot has come. */
enum article {
    ARTICLE_START,
    ARTICLE_DOT,
    ARTICLE_DOT_CR,
    ARTICLE_LINE,
    ARTICLE_CR,
    ARTICLE_BARE, /* behind an LF alone */
    ARTICLE_BARE_DOT,
    ARTICLE_BARE_DOT_CR,
    ARTICLE_END,
    ARTICLE_UNCLEAR,
};

/* What a command's reply may mean. */
enum command {
    COMMAND_OTHER,
    COMMAND_CAPABILITIES,
    COMMAND_LISTGROUP, /* 211 has a block */
    COMMAND_ARTICLE,   /* 340 or 335: an article comes */
    COMMAND_LOGIN,     /* 281 or 283: the client is in */
    COMMAND_COMPRESS,  /* 206 or 290: no lines any more */
};

struct nntp_filter {
    struct list_filter x;
    enum client_state state;
    enum article article;
};

static struct nntp_filter *filter_of(struct list_filter *x)
{
    return CONTAINER_OF(x, struct nntp_filter, x);
}

/* What must not be asked for, or offered, inside TLS. */
static bool is_refused(struct span word)
{
    return text_word_is(word, "STARTTLS");
}

/* ---- server to client ---- */

/* RFC 3977 appendix C, RFC 2980. */
static bool has_block(unsigned code, enum command command)
{
    static const unsigned codes[] = {100, 101, 215, 218, 220, 221, 222, 224, 225, 230, 231, 282, 288};

    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i] == code)
            return true;
    return code == 211 && command == COMMAND_LISTGROUP;
}

/* The client is to say something that is no command. */
static enum starttls_status on_go_ahead(struct list_filter *x, enum client_state state)
{
    struct nntp_filter *n = filter_of(x);

    if (x->pending.count != 1 || n->state != CLIENT_COMMAND || x->l.command.size != 0)
        return filter_broken(&x->l.f, STARTTLS_FAULT_CLIENT,
                             "the client did not wait for the server's go-ahead: what it said could be taken for "
                             "commands or for an article");
    n->state = state;
    n->article = ARTICLE_START;
    return STARTTLS_NEED_MORE;
}

static bool ends_all(unsigned code, enum command command)
{
    return (command == COMMAND_LOGIN && (code == 281 || code == 283)) ||
           (command == COMMAND_COMPRESS && (code == 206 || code == 290));
}

static enum starttls_status on_reply(struct list_filter *x, struct span line, struct sink *sink, bool *is_over)
{
    unsigned code = nntp_reply_code(filter_line_text(line));
    enum command command = (enum command)pending_oldest(&x->pending);

    sink_put(sink, line);
    if (code == 0)
        return STARTTLS_NEED_MORE; /* of a block that we do not know: it counts for nothing */
    if (x->l.greeting_follows) {
        x->l.greeting_follows = false;
        return STARTTLS_NEED_MORE;
    }
    if (command == COMMAND_ARTICLE && (code == 340 || code == 335))
        return on_go_ahead(x, CLIENT_ARTICLE);
    if (command == COMMAND_LOGIN && code == 383)
        return on_go_ahead(x, CLIENT_ANSWER);
    *is_over = ends_all(code, command);
    x->in_list = has_block(code, command);
    if (!x->in_list)
        list_filter_answered(x);
    return STARTTLS_NEED_MORE;
}

/* ---- client to server ---- */

static enum command command_of(struct span verb)
{
    static const struct {
        const char *verb;
        enum command command;
    } rows[] = {{"CAPABILITIES", COMMAND_CAPABILITIES},
                {"LISTGROUP", COMMAND_LISTGROUP},
                {"POST", COMMAND_ARTICLE},
                {"IHAVE", COMMAND_ARTICLE},
                {"AUTHINFO", COMMAND_LOGIN},
                {"COMPRESS", COMMAND_COMPRESS},
                {"XFEATURE", COMMAND_COMPRESS}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (text_word_is(verb, rows[i].verb))
            return rows[i].command;
    return COMMAND_OTHER;
}

/* A command line, or as much of one as the filter holds (`is_complete` tells). The state is CLIENT_COMMAND. */
static enum starttls_status on_command(struct line_filter *l, bool is_complete, struct buffer *out)
{
    struct list_filter *x = CONTAINER_OF(l, struct list_filter, l);
    struct nntp_filter *n = filter_of(x);
    struct span text = filter_line_text(buffer_span(&l->command)), rest = text;
    struct span verb = text_next_word(&rest);

    /* HEAD and POST are NNTP as well as HTTP. */
    if (line_filter_judge_first(l, text, HTTP_LIKENESS_REQUEST_LINE) == STARTTLS_BROKEN)
        return STARTTLS_BROKEN;
    if (!is_complete && !text_word_is(verb, "AUTHINFO")) /* by SASL: a ticket or a token may be long */
        return filter_broken_by(&l->f, STARTTLS_FAULT_CLIENT, "the client sent a command line that is too long",
                                text_verb(text));
    pending_push(&x->pending, command_of(verb));
    if (!is_complete) {
        n->state = CLIENT_REST;
    } else if (text_word_is(verb, "TAKETHIS")) {
        n->state = CLIENT_ARTICLE;
        n->article = ARTICLE_START;
    }
    return line_filter_send_command(l, is_refused(verb) ? LINE_FILTER_REFUSED : LINE_FILTER_PASSES, verb, out);
}

static enum article after_other(uint8_t byte)
{
    return byte == '\r' ? ARTICLE_CR : byte == '\n' ? ARTICLE_BARE : ARTICLE_LINE;
}

static enum article article_step(enum article at, uint8_t byte)
{
    switch (at) {
    case ARTICLE_START:
        return byte == '.' ? ARTICLE_DOT : after_other(byte);
    case ARTICLE_DOT:
        return byte == '\r' ? ARTICLE_DOT_CR : byte == '\n' ? ARTICLE_UNCLEAR : ARTICLE_LINE;
    case ARTICLE_DOT_CR:
        return byte == '\n' ? ARTICLE_END : after_other(byte);
    case ARTICLE_LINE:
        return after_other(byte);
    case ARTICLE_CR:
        return byte == '\n' ? ARTICLE_START : after_other(byte);
    case ARTICLE_BARE:
        return byte == '.' ? ARTICLE_BARE_DOT : after_other(byte);
    case ARTICLE_BARE_DOT:
        return byte == '\r' ? ARTICLE_BARE_DOT_CR : byte == '\n' ? ARTICLE_UNCLEAR : ARTICLE_LINE;
    case ARTICLE_BARE_DOT_CR:
        return byte == '\n' ? ARTICLE_UNCLEAR : after_other(byte);
    case ARTICLE_END:
    case ARTICLE_UNCLEAR:
        break;
    }
    return at;
}

/* Up to the end of the article, as far as there is room. */
static enum starttls_status put_article(struct nntp_filter *n, struct span bytes, size_t *taken, struct buffer *out)
{
    size_t size = 0, room = buffer_room(out);
    enum article at = n->article;

    while (size < bytes.size && size < room && at != ARTICLE_END && at != ARTICLE_UNCLEAR)
        at = article_step(at, bytes.data[size++]);
    *taken = filter_pass(bytes, at == ARTICLE_UNCLEAR ? size - 1 : size, out);
    if (at == ARTICLE_UNCLEAR)
        return filter_broken(
            &n->x.l.f, STARTTLS_FAULT_CLIENT,
            "the client sent an article with a line that is a lone dot, between line ends that are not "
            "CRLF: to one server it ends there, to another it goes on");
    n->article = at;
    if (at == ARTICLE_END)
        n->state = CLIENT_COMMAND;
    return STARTTLS_NEED_MORE;
}

static enum starttls_status step_from_client(struct starttls_filter *f, struct span bytes, size_t *taken,
                                             struct buffer *out)
{
    struct nntp_filter *n = CONTAINER_OF(f, struct nntp_filter, x.l.f);
    struct line_filter *l = &n->x.l;
    bool ended = false;

    switch (n->state) {
    case CLIENT_COMMAND:
        if (!line_filter_can_push(l, &n->x.pending))
            break;
        return line_filter_gather(l, &l->command, on_command, bytes, taken, out);
    case CLIENT_REST:
    case CLIENT_ANSWER:
        *taken = filter_pass_line(bytes, out, &ended);
        if (ended)
            n->state = CLIENT_COMMAND;
        break;
    case CLIENT_ARTICLE:
        return put_article(n, bytes, taken, out);
    }
    return STARTTLS_NEED_MORE;
}

static_assert(STARTTLS_NNTP_REPLY_BYTES_MAX + STARTTLS_SERVER_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a line");
static_assert(STARTTLS_NNTP_COMMAND_BYTES_MAX + STARTTLS_CLIENT_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a command");

const struct list_filter_class nntp_filter_class = {
    .lines =
        {.class = LINE_FILTER_CLASS(nntp_filter),
         .line_bytes_max = STARTTLS_NNTP_REPLY_BYTES_MAX,
         .command_bytes_max = STARTTLS_NNTP_COMMAND_BYTES_MAX,
         .step = {[STARTTLS_FROM_CLIENT] = step_from_client, [STARTTLS_FROM_SERVER] = list_filter_step_from_server}},
    .on_reply = on_reply,
    .capabilities = COMMAND_CAPABILITIES,
    .is_offer = is_refused,
    .offer_bytes_max = sizeof("STARTTLS") - 1,
};
