/* SMTP and LMTP inside TLS: what a relayed session must not offer or ask for.
 *
 * Server to client. Replies are lines and nothing else, so a line filter is sound for the whole session: a line of a
 * 250 reply that offers STARTTLS, XCLIENT or XFORWARD is left out. Each line is held back until the next one is known,
 * because leaving out the last line turns the "250-" of the one before it into "250 ". The first line of a reply is
 * never left out: in the reply to EHLO it is the server's name. A line longer than the filter holds passes by as it
 * comes, its first bytes having told what it is; only one that has to be changed must fit.
 *
 * Client to server. A command for one of the three gets a name that no server knows, and the server refuses it in its
 * turn, so that no reply is ever out of order. To tell commands from message text the filter follows the session:
 *
 *       COMMAND --reply 354--> DATA --CRLF.CRLF--> COMMAND          RFC 5321 section 4.1.1.4
 *       COMMAND --reply 334--> ANSWER --end of line--> COMMAND      RFC 4954 section 4
 *       COMMAND --BDAT n--> CHUNK --n bytes--> COMMAND              RFC 3030; only where the server offers CHUNKING
 *
 * What one server takes for data and another for commands may carry a command past the filter (SMTP smuggling,
 * CVE-2023-51764). So BDAT goes through only as RFC 3030 writes it, with a size that every server can hold, and after
 * the server has offered CHUNKING in the last EHLO's reply, of which the client has to know; any other gets a name that
 * no server knows, and what follows are commands to both. And a line of a message that is a lone dot, with line ends
 * that are not both CRLF, ends the session before the server sees where that line ends.
 *
 * It is a reply that leaves COMMAND, and a client waits for it (RFC 2920 section 3.1). When a 3xx reply comes while
 * the client has already said more, nobody can tell what those bytes are: text to the server, commands to us. The
 * session ends then. For that the filter counts the commands that have no reply yet. As many as it can count are on
 * their way at a time; a client that pipelines more (RFC 2920 section 3.1 sets no bound) is read on when replies come.
 */
#include "starttls/smtp.h"

enum client_state { CLIENT_COMMAND, CLIENT_REST, CLIENT_DATA, CLIENT_ANSWER, CLIENT_CHUNK };

/* What a command's reply changes. */
enum command {
    COMMAND_OTHER,
    COMMAND_HELLO, /* EHLO, HELO, LHLO */
    COMMAND_MAIL,
    COMMAND_RCPT,
    COMMAND_MESSAGE /* DATA, and the last BDAT */
};

enum server_state { SERVER_LINE, SERVER_REST /* of a line that is passing by */ };

/* LOOSE: behind CR or LF alone, where some servers begin a line too. */
enum end_of_data {
    DATA_LINE_START,
    DATA_DOT,
    DATA_DOT_CR,
    DATA_TEXT,
    DATA_CR,
    DATA_LOOSE_START,
    DATA_LOOSE_DOT,
    DATA_ENDED,
    DATA_UNCLEAR
};

struct smtp_filter {
    struct line_filter l;
    struct pending_commands pending;
    size_t recipients; /* accepted ones of this message: LMTP answers a message once for each */

    /* From the server. */
    struct buffer held; /* the line before, when it is not the last of its reply */
    enum server_state server_state;
    unsigned rest_ends;   /* SERVER_REST: the code of the reply that ends with it; 0: none does */
    bool in_reply;        /* a line of this reply has been seen */
    bool answered;        /* a whole reply has been seen */
    bool says_chunking;   /* in this reply */
    bool offers_chunking; /* in the reply to the last EHLO */

    /* From the client. */
    enum client_state state;
    uint64_t chunk_left;
    enum end_of_data end_of_data;
};

static struct smtp_filter *filter_of(struct starttls_filter *f)
{
    return CONTAINER_OF(f, struct smtp_filter, l.f);
}

static void start(struct starttls_filter *f)
{
    line_filter_start(f);
    buffer_init(&filter_of(f)->held, STARTTLS_SMTP_REPLY_BYTES_MAX);
}

static void clear(struct starttls_filter *f)
{
    line_filter_clear(f);
    buffer_wipe(&filter_of(f)->held);
}

/* ---- the commands that have no reply yet ---- */

/* The oldest command has its final reply. */
static void pop_command(struct smtp_filter *s, unsigned code)
{
    enum command command = (enum command)pending_oldest(&s->pending);

    if (command == COMMAND_HELLO && code / 100 == 2)
        s->offers_chunking = s->says_chunking;
    if (command == COMMAND_MAIL)
        s->recipients = 0;
    if (command == COMMAND_RCPT && code / 100 == 2)
        s->recipients++;
    if (command == COMMAND_MESSAGE && s->l.f.protocol == STARTTLS_LMTP && s->recipients > 1) {
        s->recipients--; /* RFC 2033 section 4.2: one reply for each accepted recipient */
        return;
    }
    pending_pop(&s->pending);
}

/* ---- server to client ---- */

static unsigned reply_code(struct span line)
{
    unsigned code = 0;

    for (size_t i = 0; i < 3; i++) {
        if (i == line.size || line.data[i] < '0' || line.data[i] > '9')
            return 0;
        code = code * 10 + (unsigned)(line.data[i] - '0');
    }
    return code;
}

/* A reply line's keyword, after "250-" or "250 ". */
static struct span keyword_of(struct span line)
{
    struct span text = span_skip(line, line.size < 4 ? line.size : 4);

    return text_next_word(&text);
}

/* What must not be offered inside TLS. */
static bool is_refused(struct span word)
{
    return text_word_is(word, "STARTTLS") || text_word_is(word, "XCLIENT") || text_word_is(word, "XFORWARD");
}

/* Whether the keyword of a line whose first bytes are `start` is still to come, or to be completed, behind them. */
static bool keyword_is_cut(struct span start)
{
    struct span word = keyword_of(start);
    bool is_at_end = word.size == 0 || word.data + word.size == start.data + start.size;

    return is_at_end && word.size <= STARTTLS_SMTP_KEYWORD_BYTES_MAX;
}

static enum starttls_status on_intermediate_reply(struct smtp_filter *s, unsigned code)
{
    if (s->pending.count != 1 || s->state != CLIENT_COMMAND || s->l.command.size != 0)
        return filter_broken(&s->l.f, STARTTLS_FAULT_CLIENT,
                             "the client did not wait for the %u reply that came: what it said could be taken "
                             "for commands or for data",
                             code);
    if (code == 354) {
        s->state = CLIENT_DATA;
        s->end_of_data = DATA_LINE_START;
        pending_replace_oldest(&s->pending, COMMAND_MESSAGE);
        return STARTTLS_NEED_MORE;
    }
    if (code != 334)
        return filter_broken(&s->l.f, STARTTLS_FAULT_SERVER, "the server sent a %u reply, which no known command has",
                             code);
    s->state = CLIENT_ANSWER;
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_reply_end(struct smtp_filter *s, unsigned code)
{
    bool is_greeting = !s->answered && code == 220; /* it answers no command, though one may have come before it */

    s->in_reply = false;
    s->answered = true;
    if (is_greeting)
        return STARTTLS_NEED_MORE;
    if (code / 100 == 3)
        return on_intermediate_reply(s, code);
    /* A final reply in the middle of the message: the server takes what follows for commands, so must we. */
    if (s->state == CLIENT_DATA)
        s->state = CLIENT_COMMAND;
    pop_command(s, code);
    return STARTTLS_NEED_MORE;
}

/* What a reply line is, by its first bytes. */
struct reply_line {
    unsigned code; /* 0: this is no reply */
    bool is_last;  /* of its reply */
    bool is_offer; /* to be left out */
};

static struct reply_line judge_reply_line(struct smtp_filter *s, struct span text)
{
    struct reply_line r = {.code = reply_code(text)};
    struct span keyword = keyword_of(text);

    r.is_last = r.code == 0 || text.size < 4 || text.data[3] != '-';
    r.is_offer = r.code == 250 && s->in_reply && is_refused(keyword);
    s->says_chunking = s->in_reply && (s->says_chunking || (r.code == 250 && text_word_is(keyword, "CHUNKING")));
    s->in_reply = r.code != 0;
    return r;
}

/* A whole line. It is passed on, or held back while it is not the last, or left out. */
static enum starttls_status on_reply_line(struct smtp_filter *s, struct buffer *out)
{
    struct span line = buffer_span(&s->l.line);
    struct reply_line r = judge_reply_line(s, filter_line_text(line));
    struct sink sink;

    if (r.is_offer && r.is_last && s->held.size <= 3)
        return filter_broken(&s->l.f, STARTTLS_FAULT_SERVER,
                             "the server offers TLS, or another client's address, in the last line of a reply, "
                             "behind one that is too long to become the last");
    sink_open(&sink, out, s->held.size + line.size + STARTTLS_SERVER_LINE_GROWTH_MAX);
    if (r.is_offer && r.is_last)
        s->held.data[s->held.start + 3] = ' ';
    if (!r.is_offer || r.is_last) {
        sink_put(&sink, buffer_span(&s->held));
        buffer_consume(&s->held, s->held.size);
    }
    if (!r.is_offer && r.is_last)
        sink_put(&sink, line);
    if (!r.is_offer && !r.is_last && !buffer_append(&s->held, line))
        return filter_broken(&s->l.f, STARTTLS_FAULT_SERVER, "the server sent a reply line that is too long");
    buffer_consume(&s->l.line, s->l.line.size);
    filter_line_forget(&s->held);
    return filter_close(&s->l.f, &sink, r.is_last && r.code != 0 ? on_reply_end(s, r.code) : STARTTLS_NEED_MORE);
}

/* The start of a line that is longer than what is held of one. Nothing of it has to be changed, or the session ends. */
static enum starttls_status on_long_reply_line(struct smtp_filter *s, struct buffer *out)
{
    struct span start = buffer_span(&s->l.line);
    bool may_offer = s->in_reply && reply_code(start) == 250 && keyword_is_cut(start);
    struct reply_line r = judge_reply_line(s, start);

    if (r.is_offer || may_offer)
        return filter_broken_by(&s->l.f, STARTTLS_FAULT_SERVER,
                                "the server sent a reply line that is too long to be rewritten", start);
    if (!filter_move(&s->held, out) || !filter_move(&s->l.line, out))
        return filter_broken(&s->l.f, STARTTLS_FAULT_SERVER, "the server sent a reply line that is too long");
    s->server_state = SERVER_REST;
    s->rest_ends = r.is_last ? r.code : 0;
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_server_line(struct line_filter *l, bool is_complete, struct buffer *out)
{
    struct smtp_filter *s = CONTAINER_OF(l, struct smtp_filter, l);

    return is_complete ? on_reply_line(s, out) : on_long_reply_line(s, out);
}

static enum starttls_status put_reply_rest(struct smtp_filter *s, struct span bytes, size_t *taken, struct buffer *out)
{
    bool ended;

    *taken = filter_pass_line(bytes, out, &ended);
    if (!ended)
        return STARTTLS_NEED_MORE;
    s->server_state = SERVER_LINE;
    return s->rest_ends == 0 ? STARTTLS_NEED_MORE : on_reply_end(s, s->rest_ends);
}

static enum starttls_status step_from_server(struct starttls_filter *f, struct span bytes, size_t *taken,
                                             struct buffer *out)
{
    struct smtp_filter *s = filter_of(f);

    switch (s->server_state) {
    case SERVER_LINE:
        return line_filter_gather(&s->l, &s->l.line, on_server_line, bytes, taken, out);
    case SERVER_REST:
        break;
    }
    return put_reply_rest(s, bytes, taken, out);
}

/* ---- client to server ---- */

static struct span skip_spaces(struct span text)
{
    while (text.size != 0 && text.data[0] == ' ')
        text = span_skip(text, 1);
    return text;
}

/* The size of a chunk, without zeros before it, that some would take for octal. */
static bool take_chunk_size(struct span *text, uint64_t *size)
{
    struct span digits = *text;

    *size = 0;
    for (; text->size != 0 && text->data[0] >= '0' && text->data[0] <= '9'; *text = span_skip(*text, 1)) {
        *size = *size * 10 + (uint64_t)(text->data[0] - '0');
        if (*size > STARTTLS_SMTP_CHUNK_BYTES_MAX)
            return false;
    }
    return digits.size != text->size && (digits.data[0] != '0' || *size == 0);
}

/* Exactly "BDAT size [LAST]" CRLF. */
static bool parse_chunk(struct span line, uint64_t *size, enum command *command)
{
    static const char verb[] = "BDAT ", last[] = " LAST", end[] = "\r\n";
    struct span text = line, rest;

    if (text.size < sizeof(verb) - 1 + sizeof(end) - 1 ||
        !span_equal_nocase(span_of(text.data, sizeof(verb) - 1), span_of_string(verb)) ||
        !span_equal(span_skip(text, text.size - (sizeof(end) - 1)), span_of_string(end)))
        return false;
    text = span_of(text.data, text.size - (sizeof(end) - 1));
    text = skip_spaces(span_skip(text, sizeof(verb) - 1));
    if (!take_chunk_size(&text, size))
        return false;
    rest = skip_spaces(text);
    if (rest.size == 0) {
        *command = COMMAND_OTHER;
        return true;
    }
    if (rest.size == text.size || rest.size < sizeof(last) - 2 ||
        !span_equal_nocase(span_of(rest.data, sizeof(last) - 2), span_of_string(last + 1)))
        return false;
    *command = COMMAND_MESSAGE;
    return skip_spaces(span_skip(rest, sizeof(last) - 2)).size == 0;
}

static bool is_hello(struct span verb)
{
    return text_word_is(verb, "EHLO") || text_word_is(verb, "HELO") || text_word_is(verb, "LHLO");
}

/* False: it is a BDAT of which servers may think otherwise than we. */
static bool judge_chunk(struct smtp_filter *s, struct span line, enum command *command)
{
    if (!s->offers_chunking || pending_has(&s->pending, COMMAND_HELLO) || !parse_chunk(line, &s->chunk_left, command))
        return false;
    s->state = s->chunk_left == 0 ? CLIENT_COMMAND : CLIENT_CHUNK;
    return true;
}

/* A command line, or as much of one as the filter holds (`is_complete` tells). The state is CLIENT_COMMAND. */
static enum starttls_status on_command(struct line_filter *l, bool is_complete, struct buffer *out)
{
    struct smtp_filter *s = CONTAINER_OF(l, struct smtp_filter, l);
    struct span line = buffer_span(&s->l.command);
    struct span arguments = filter_line_text(line);
    struct span verb;
    enum command command = COMMAND_OTHER;
    bool refused;

    if (line_filter_judge_first(l, arguments, HTTP_LIKENESS_METHOD) == STARTTLS_BROKEN)
        return STARTTLS_BROKEN;
    verb = text_next_word(&arguments);
    if (!is_complete && (is_refused(verb) || text_word_is(verb, "BDAT") || arguments.size == 0))
        return filter_broken_by(&s->l.f, STARTTLS_FAULT_CLIENT, "the client sent a command line that is too long",
                                text_verb(line));
    if (text_word_is(verb, "MAIL"))
        command = COMMAND_MAIL;
    if (text_word_is(verb, "RCPT"))
        command = COMMAND_RCPT;
    if (is_hello(verb))
        command = COMMAND_HELLO;
    refused = is_refused(verb) || (text_word_is(verb, "BDAT") && !judge_chunk(s, line, &command));
    pending_push(&s->pending, command);
    if (!is_complete)
        s->state = CLIENT_REST;
    return line_filter_send_command(l, refused ? LINE_FILTER_REFUSED : LINE_FILTER_PASSES, verb, out);
}

/* What comes after `state` with `c`. */
static enum end_of_data data_step(enum end_of_data state, uint8_t c)
{
    bool at_start = state == DATA_LINE_START || state == DATA_LOOSE_START || state == DATA_CR;

    if (state == DATA_DOT_CR)
        return c == '\n' ? DATA_ENDED : DATA_UNCLEAR;
    if (c == '\r')
        return state == DATA_LOOSE_DOT ? DATA_UNCLEAR : state == DATA_DOT ? DATA_DOT_CR : DATA_CR;
    if (c == '\n') {
        if (state == DATA_DOT || state == DATA_LOOSE_DOT)
            return DATA_UNCLEAR;
        return state == DATA_CR ? DATA_LINE_START : DATA_LOOSE_START;
    }
    if (c == '.' && at_start)
        return state == DATA_LINE_START ? DATA_DOT : DATA_LOOSE_DOT;
    return DATA_TEXT;
}

/* How many of `bytes` belong to the message: as far as it goes, its end CRLF.CRLF included, or up to the byte with
 * which it is unclear whether it ends. */
static size_t scan_data(enum end_of_data *state, struct span bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        *state = data_step(*state, bytes.data[i]);
        if (*state == DATA_UNCLEAR)
            return i;
        if (*state == DATA_ENDED)
            return i + 1;
    }
    return bytes.size;
}

/* Straight through, unchanged. */
static enum starttls_status pass_data(struct smtp_filter *s, struct span bytes, size_t *taken, struct buffer *out)
{
    if (bytes.size > buffer_room(out))
        bytes.size = buffer_room(out);
    *taken = filter_pass(bytes, scan_data(&s->end_of_data, bytes), out);
    if (s->end_of_data == DATA_UNCLEAR)
        return filter_broken(&s->l.f, STARTTLS_FAULT_CLIENT,
                             "the client's message has a line that is a lone dot, with line ends that are not "
                             "CRLF: some servers take it for the end, and what follows for commands");
    if (s->end_of_data == DATA_ENDED)
        s->state = CLIENT_COMMAND;
    return STARTTLS_NEED_MORE;
}

static size_t pass_chunk(struct smtp_filter *s, struct span bytes, struct buffer *out)
{
    size_t passed = filter_pass(bytes, s->chunk_left, out);

    s->chunk_left -= passed;
    if (s->chunk_left == 0)
        s->state = CLIENT_COMMAND;
    return passed;
}

static enum starttls_status step_from_client(struct starttls_filter *f, struct span bytes, size_t *taken,
                                             struct buffer *out)
{
    struct smtp_filter *s = filter_of(f);
    bool ended = false;

    switch (s->state) {
    case CLIENT_COMMAND:
        if (!line_filter_can_push(&s->l, &s->pending))
            break;
        return line_filter_gather(&s->l, &s->l.command, on_command, bytes, taken, out);
    case CLIENT_DATA:
        return pass_data(s, bytes, taken, out);
    case CLIENT_REST:
    case CLIENT_ANSWER:
        *taken = filter_pass_line(bytes, out, &ended);
        if (ended)
            s->state = CLIENT_COMMAND;
        break;
    case CLIENT_CHUNK:
        *taken = pass_chunk(s, bytes, out);
        break;
    }
    return STARTTLS_NEED_MORE;
}

static bool rest(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out)
{
    if (direction == STARTTLS_FROM_SERVER && !filter_move(&filter_of(f)->held, out))
        return false;
    return line_filter_rest(f, direction, out);
}

static_assert(2 * STARTTLS_SMTP_REPLY_BYTES_MAX + STARTTLS_SERVER_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a line and the one before it");
static_assert(STARTTLS_SMTP_COMMAND_BYTES_MAX + STARTTLS_CLIENT_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a command");

const struct line_filter_class smtp_filter_class = {
    .class = {.size = sizeof(struct smtp_filter),
              .start = start,
              .put = LINE_FILTER_PUT,
              .rest = rest,
              .end = line_filter_end,
              .clear = clear},
    .line_bytes_max = STARTTLS_SMTP_REPLY_BYTES_MAX,
    .command_bytes_max = STARTTLS_SMTP_COMMAND_BYTES_MAX,
    .step = {[STARTTLS_FROM_CLIENT] = step_from_client, [STARTTLS_FROM_SERVER] = step_from_server},
};
