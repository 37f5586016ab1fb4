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
enum server_state { SERVER_LINE, SERVER_REST };

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
    struct starttls_filter f;

    /* From the server. */
    struct buffer line;
    enum server_state server_state;
    bool greeting_follows;
    bool in_block;      /* of the oldest command without a whole reply */
    bool rest_ends_all; /* SERVER_REST: the filter is over when the line has ended */
    bool server_ended;  /* no reply comes any more */

    /* From the client. */
    enum client_state state;
    enum article article;
    struct buffer command;
    bool spoke; /* the first line has been judged */

    /* Commands without a whole reply yet, oldest first: a ring. */
    uint8_t pending[STARTTLS_NNTP_COMMANDS_PENDING_MAX];
    size_t pending_start, pending_count;
};

static struct nntp_filter *filter_of(struct starttls_filter *f)
{
    return CONTAINER_OF(f, struct nntp_filter, f);
}

static void start(struct starttls_filter *f)
{
    struct nntp_filter *n = filter_of(f);

    buffer_init(&n->line, STARTTLS_NNTP_REPLY_BYTES_MAX);
    buffer_init(&n->command, STARTTLS_NNTP_COMMAND_BYTES_MAX);
    n->greeting_follows = f->greeting == STARTTLS_GREETING_FOLLOWS;
}

static void clear(struct starttls_filter *f)
{
    struct nntp_filter *n = filter_of(f);

    buffer_wipe(&n->line);
    buffer_wipe(&n->command); /* AUTHINFO carries passwords */
}

/* ---- the commands that have no reply yet ---- */

/* Whether one more can be remembered. After the server's end nothing is: no reply comes that could change a meaning. */
static bool can_push_command(const struct nntp_filter *n)
{
    return n->server_ended || n->pending_count < ARRAY_LEN(n->pending);
}

static void push_command(struct nntp_filter *n, enum command command)
{
    if (n->pending_count < ARRAY_LEN(n->pending))
        n->pending[(n->pending_start + n->pending_count++) % ARRAY_LEN(n->pending)] = (uint8_t)command;
}

static enum command oldest_command(const struct nntp_filter *n)
{
    return n->pending_count == 0 ? COMMAND_OTHER : (enum command)n->pending[n->pending_start];
}

static void pop_command(struct nntp_filter *n)
{
    n->in_block = false;
    if (n->pending_count == 0)
        return; /* a reply out of the blue: the server says why it closes */
    n->pending_start = (n->pending_start + 1) % ARRAY_LEN(n->pending);
    n->pending_count--;
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
static enum starttls_status on_go_ahead(struct nntp_filter *n, enum client_state state)
{
    if (n->pending_count != 1 || n->state != CLIENT_COMMAND || n->command.size != 0)
        return filter_broken(&n->f, STARTTLS_FAULT_CLIENT,
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

/* The line that answers a command. *is_over: nothing is watched once it has gone out. */
static enum starttls_status on_reply(struct nntp_filter *n, struct span line, bool *is_over)
{
    unsigned code = nntp_reply_code(line);
    enum command command = oldest_command(n);

    if (code == 0)
        return STARTTLS_NEED_MORE; /* of a block that we do not know: it counts for nothing */
    if (n->greeting_follows) {
        n->greeting_follows = false;
        return STARTTLS_NEED_MORE;
    }
    if (command == COMMAND_ARTICLE && (code == 340 || code == 335))
        return on_go_ahead(n, CLIENT_ARTICLE);
    if (command == COMMAND_LOGIN && code == 383)
        return on_go_ahead(n, CLIENT_ANSWER);
    *is_over = ends_all(code, command);
    n->in_block = has_block(code, command);
    if (!n->in_block)
        pop_command(n);
    return STARTTLS_NEED_MORE;
}

/* A line of a block, or its start. *is_left_out: it is not for the client. One whose first word may go on is, to be
 * sure. */
static enum starttls_status on_listed(struct nntp_filter *n, struct span text, bool is_complete, bool *is_left_out)
{
    struct span rest = text;
    struct span word = text_next_word(&rest);
    bool may_be = !is_complete && rest.size == 0 && word.size < sizeof("STARTTLS");

    if (is_complete && span_equal(text, span_of_string("."))) {
        pop_command(n);
        return STARTTLS_NEED_MORE;
    }
    *is_left_out = oldest_command(n) == COMMAND_CAPABILITIES && (text_word_is(word, "STARTTLS") || may_be);
    if (*is_left_out && !is_complete)
        return filter_broken_by(&n->f, STARTTLS_FAULT_SERVER,
                                "the server sent a capability that is too long to be left out", text);
    return STARTTLS_NEED_MORE;
}

/* A whole line, or (not `is_complete`) the start of one that is longer than what is held of it. */
static enum starttls_status on_server_line(struct nntp_filter *n, bool is_complete, struct buffer *out)
{
    struct span line = buffer_span(&n->line);
    struct span text = filter_line_text(line);
    bool is_over = false, is_left_out = false;
    enum starttls_status status;
    struct sink sink;

    sink_open(&sink, out, line.size + STARTTLS_SERVER_LINE_GROWTH_MAX);
    status = n->in_block ? on_listed(n, text, is_complete, &is_left_out) : on_reply(n, text, &is_over);
    if (!is_left_out)
        sink_put(&sink, line);
    buffer_consume(&n->line, n->line.size);
    if (!is_complete) {
        n->server_state = SERVER_REST;
        n->rest_ends_all = is_over;
    }
    return filter_close(&n->f, &sink, is_over && is_complete ? STARTTLS_READY : status);
}

static enum starttls_status put_server_line(struct nntp_filter *n, struct span bytes, size_t *taken, struct buffer *out)
{
    bool complete;

    if (buffer_room(out) < STARTTLS_FILTER_LINE_BYTES_MAX)
        return STARTTLS_NEED_MORE;
    complete = filter_line_put(&n->line, bytes, taken);
    return complete || buffer_room(&n->line) == 0 ? on_server_line(n, complete, out) : STARTTLS_NEED_MORE;
}

static enum starttls_status put_server_rest(struct nntp_filter *n, struct span bytes, size_t *taken, struct buffer *out)
{
    bool ended;

    *taken = filter_pass_line(bytes, out, &ended);
    if (!ended)
        return STARTTLS_NEED_MORE;
    n->server_state = SERVER_LINE;
    return n->rest_ends_all ? STARTTLS_READY : STARTTLS_NEED_MORE;
}

static enum starttls_status put_from_server(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                            struct buffer *out)
{
    struct nntp_filter *n = filter_of(f);
    enum starttls_status status = STARTTLS_NEED_MORE;

    while (status == STARTTLS_NEED_MORE && *consumed < bytes.size) {
        struct span rest = span_skip(bytes, *consumed);
        size_t taken = 0;

        switch (n->server_state) {
        case SERVER_LINE:
            status = put_server_line(n, rest, &taken, out);
            break;
        case SERVER_REST:
            status = put_server_rest(n, rest, &taken, out);
            break;
        }
        *consumed += taken;
        if (taken == 0)
            break;
    }
    filter_line_forget(&n->line);
    return status;
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
static enum starttls_status on_command(struct nntp_filter *n, bool is_complete, struct buffer *out)
{
    struct span line = buffer_span(&n->command);
    struct span text = filter_line_text(line), rest = text;
    struct span verb = text_next_word(&rest);
    bool is_refused = text_word_is(verb, "STARTTLS"), takes_this = text_word_is(verb, "TAKETHIS");
    struct sink sink;

    /* ALPACA (X1): a browser sent here by someone who holds the network. Not a byte of it is answered. HEAD and POST
     * are NNTP as well. */
    if (!n->spoke && text_looks_like_http(text, HTTP_LIKENESS_REQUEST_LINE))
        return filter_broken_by(&n->f, STARTTLS_FAULT_CLIENT, "the client speaks HTTP", text_verb(text));
    n->spoke = true;
    if (!is_complete && !text_word_is(verb, "AUTHINFO")) /* by SASL: a ticket or a token may be long */
        return filter_broken_by(&n->f, STARTTLS_FAULT_CLIENT, "the client sent a command line that is too long",
                                text_verb(text));
    push_command(n, command_of(verb));
    if (!is_complete) {
        n->state = CLIENT_REST;
    } else if (takes_this) {
        n->state = CLIENT_ARTICLE;
        n->article = ARTICLE_START;
    }
    sink_open(&sink, out, line.size + STARTTLS_CLIENT_LINE_GROWTH_MAX);
    if (is_refused) {
        sink_put_text(&sink, "REFUSED-");
        sink_put(&sink, verb);
        sink_put_text(&sink, "\r\n");
    } else {
        sink_put(&sink, line);
    }
    buffer_consume(&n->command, n->command.size);
    return filter_close(&n->f, &sink, STARTTLS_NEED_MORE);
}

static enum starttls_status put_command(struct nntp_filter *n, struct span bytes, size_t *taken, struct buffer *out)
{
    bool complete;

    if (buffer_room(out) < STARTTLS_FILTER_LINE_BYTES_MAX || !can_push_command(n))
        return STARTTLS_NEED_MORE;
    complete = filter_line_put(&n->command, bytes, taken);
    return complete || buffer_room(&n->command) == 0 ? on_command(n, complete, out) : STARTTLS_NEED_MORE;
}

/* Straight through to the end of the line. */
static size_t pass_line(struct nntp_filter *n, struct span bytes, struct buffer *out)
{
    bool ended;
    size_t passed = filter_pass_line(bytes, out, &ended);

    if (ended)
        n->state = CLIENT_COMMAND;
    return passed;
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
            &n->f, STARTTLS_FAULT_CLIENT,
            "the client sent an article with a line that is a lone dot, between line ends that are not "
            "CRLF: to one server it ends there, to another it goes on");
    n->article = at;
    if (at == ARTICLE_END)
        n->state = CLIENT_COMMAND;
    return STARTTLS_NEED_MORE;
}

static enum starttls_status put_client_some(struct nntp_filter *n, struct span bytes, size_t *taken, struct buffer *out)
{
    switch (n->state) {
    case CLIENT_COMMAND:
        return put_command(n, bytes, taken, out);
    case CLIENT_REST:
    case CLIENT_ANSWER:
        *taken = pass_line(n, bytes, out);
        break;
    case CLIENT_ARTICLE:
        return put_article(n, bytes, taken, out);
    }
    return STARTTLS_NEED_MORE;
}

static enum starttls_status put_from_client(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                            struct buffer *out)
{
    struct nntp_filter *n = filter_of(f);
    enum starttls_status status = STARTTLS_NEED_MORE;

    while (status == STARTTLS_NEED_MORE && *consumed < bytes.size) {
        size_t taken = 0;

        status = put_client_some(n, span_skip(bytes, *consumed), &taken, out);
        *consumed += taken;
        if (taken == 0)
            break;
    }
    filter_line_forget(&n->command);
    return status;
}

static bool rest(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out)
{
    struct nntp_filter *n = filter_of(f);

    return filter_move(direction == STARTTLS_FROM_CLIENT ? &n->command : &n->line, out);
}

static enum starttls_status end(struct starttls_filter *f, enum starttls_direction direction)
{
    if (direction == STARTTLS_FROM_SERVER)
        filter_of(f)->server_ended = true;
    return STARTTLS_NEED_MORE;
}

static_assert(STARTTLS_NNTP_REPLY_BYTES_MAX + STARTTLS_SERVER_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a line");
static_assert(STARTTLS_NNTP_COMMAND_BYTES_MAX + STARTTLS_CLIENT_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a command");

const struct filter_class nntp_filter_class = {
    .size = sizeof(struct nntp_filter),
    .start = start,
    .put = {[STARTTLS_FROM_CLIENT] = put_from_client, [STARTTLS_FROM_SERVER] = put_from_server},
    .rest = rest,
    .end = end,
    .clear = clear,
};
