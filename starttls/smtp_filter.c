/* SMTP and LMTP inside TLS: what a relayed session must not offer or ask for.
 *
 * Server to client. Replies are lines and nothing else, so a line filter is sound for the whole session: a line of a
 * 250 reply that offers STARTTLS, XCLIENT or XFORWARD is left out. Each line is held back until the next one is known,
 * because leaving out the last line turns the "250-" of the one before it into "250 ". The first line of a reply is
 * never left out: in the reply to EHLO it is the server's name.
 *
 * Client to server. A command for one of the three gets a name that no server knows, and the server refuses it in its
 * turn, so that no reply is ever out of order. To tell commands from message text the filter follows the session:
 *
 *       COMMAND --reply 354--> DATA --CRLF.CRLF--> COMMAND          RFC 5321 section 4.1.1.4
 *       COMMAND --reply 334--> ANSWER --end of line--> COMMAND      RFC 4954 section 4
 *       COMMAND --BDAT n--> CHUNK --n bytes--> COMMAND              RFC 3030; only where the server offers CHUNKING
 *
 * It is a reply that leaves COMMAND, and a client waits for it (RFC 2920 section 3.1). When a 3xx reply comes while
 * the client has already said more, nobody can tell what those bytes are: text to the server, commands to us. The
 * session ends then. For that the filter counts the commands that have no reply yet. */
#include "starttls/machine.h"

enum client_state { CLIENT_COMMAND, CLIENT_REST, CLIENT_DATA, CLIENT_ANSWER, CLIENT_CHUNK };

/* What a command's reply changes. */
enum command { COMMAND_OTHER, COMMAND_MAIL, COMMAND_RCPT, COMMAND_MESSAGE /* DATA, and the last BDAT */ };

enum end_of_data { DATA_LINE_START, DATA_DOT, DATA_DOT_CR, DATA_TEXT, DATA_CR };

struct smtp_filter {
    struct starttls_filter f;

    /* From the server. */
    struct buffer held; /* the line before, when it is not the last of its reply */
    struct buffer line;
    bool in_reply; /* a line of this reply has been seen */
    bool answered; /* a whole reply has been seen */
    bool offers_chunking;

    /* From the client. */
    enum client_state state;
    struct buffer command;
    bool spoke; /* the first line has been judged */
    uint64_t chunk_left;
    enum end_of_data end_of_data;

    /* Commands without a reply yet, oldest first: a ring. */
    uint8_t pending[STARTTLS_SMTP_COMMANDS_PENDING_MAX];
    size_t pending_start, pending_count;
    size_t recipients; /* accepted ones of this message: LMTP answers a message once for each */
};

static struct smtp_filter *filter_of(struct starttls_filter *f)
{
    return CONTAINER_OF(f, struct smtp_filter, f);
}

static void start(struct starttls_filter *f)
{
    struct smtp_filter *s = filter_of(f);

    buffer_init(&s->held, STARTTLS_SMTP_REPLY_BYTES_MAX);
    buffer_init(&s->line, STARTTLS_SMTP_REPLY_BYTES_MAX);
    buffer_init(&s->command, STARTTLS_SMTP_COMMAND_BYTES_MAX);
}

static void clear(struct starttls_filter *f)
{
    struct smtp_filter *s = filter_of(f);

    buffer_wipe(&s->held);
    buffer_wipe(&s->line);
    buffer_wipe(&s->command); /* AUTH carries passwords */
}

/* ---- the commands that have no reply yet ---- */

static bool push_command(struct smtp_filter *s, enum command command)
{
    if (s->pending_count == ARRAY_LEN(s->pending))
        return false;
    s->pending[(s->pending_start + s->pending_count++) % ARRAY_LEN(s->pending)] = (uint8_t)command;
    return true;
}

/* The oldest command has its final reply. */
static void pop_command(struct smtp_filter *s, unsigned code)
{
    enum command command;

    if (s->pending_count == 0)
        return; /* the greeting, or a 421 out of the blue */
    command = (enum command)s->pending[s->pending_start];
    if (command == COMMAND_MAIL)
        s->recipients = 0;
    if (command == COMMAND_RCPT && code / 100 == 2)
        s->recipients++;
    if (command == COMMAND_MESSAGE && s->f.protocol == STARTTLS_LMTP && s->recipients > 1) {
        s->recipients--; /* RFC 2033 section 4.2: one reply for each accepted recipient */
        return;
    }
    s->pending_start = (s->pending_start + 1) % ARRAY_LEN(s->pending);
    s->pending_count--;
}

/* ---- words ---- */

/* Peers differ in what they take for space, and some stop at a NUL; whatever one of them might skip or stop at is no
 * part of a word. */
static bool is_space(uint8_t c)
{
    return c <= ' ';
}

static struct span take_word(struct span *line)
{
    size_t start = 0, end;

    while (start < line->size && is_space(line->data[start]))
        start++;
    for (end = start; end < line->size && !is_space(line->data[end]); end++)
        ;
    struct span word = span_of(line->size == 0 ? NULL : line->data + start, end - start);
    *line = span_skip(*line, end);
    return word;
}

static bool is_word(struct span word, const char *wanted)
{
    return span_equal_nocase(word, span_of_string(wanted));
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

/* Whether a reply line's keyword, after "250-" or "250 ", is this one. */
static bool offers(struct span line, const char *keyword)
{
    struct span text = span_skip(line, line.size < 4 ? line.size : 4);

    return is_word(take_word(&text), keyword);
}

static enum starttls_status on_intermediate_reply(struct smtp_filter *s, unsigned code)
{
    if (s->pending_count != 1 || s->state != CLIENT_COMMAND || s->command.size != 0)
        return filter_broken(&s->f,
                             "the client did not wait for the %u reply that came: what it said could be taken "
                             "for commands or for data",
                             code);
    if (code == 354) {
        s->state = CLIENT_DATA;
        s->end_of_data = DATA_LINE_START;
        s->pending[s->pending_start] = COMMAND_MESSAGE;
        return STARTTLS_NEED_MORE;
    }
    if (code != 334)
        return filter_broken(&s->f, "the server sent a %u reply, which no known command has", code);
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

static enum starttls_status on_reply_line(struct smtp_filter *s, struct buffer *out)
{
    struct span line = buffer_span(&s->line);
    struct span text = filter_line_text(line);
    unsigned code = reply_code(text);
    bool is_last = code == 0 || text.size < 4 || text.data[3] != '-';
    bool is_offer =
        code == 250 && s->in_reply && (offers(text, "STARTTLS") || offers(text, "XCLIENT") || offers(text, "XFORWARD"));

    if (code == 250 && s->in_reply && offers(text, "CHUNKING"))
        s->offers_chunking = true;
    if (is_offer && is_last && s->held.size > 3)
        s->held.data[s->held.start + 3] = ' ';
    if (!is_offer || is_last)
        filter_move(&s->held, out);
    if (!is_offer)
        filter_append(is_last ? out : &s->held, line);
    buffer_consume(&s->line, s->line.size);
    s->in_reply = code != 0;
    return is_last && code != 0 ? on_reply_end(s, code) : STARTTLS_NEED_MORE;
}

static enum starttls_status put_from_server(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                            struct buffer *out)
{
    struct smtp_filter *s = filter_of(f);
    enum starttls_status status = STARTTLS_NEED_MORE;

    while (status == STARTTLS_NEED_MORE && *consumed < bytes.size &&
           buffer_room(out) >= STARTTLS_FILTER_LINE_BYTES_MAX) {
        size_t taken;
        bool complete = filter_line_put(&s->line, span_skip(bytes, *consumed), &taken);

        *consumed += taken;
        if (complete)
            status = on_reply_line(s, out);
        else if (buffer_room(&s->line) == 0)
            status = filter_broken_by(f, "the server sent a reply line that is too long", buffer_span(&s->line));
    }
    filter_line_forget(&s->line);
    return status;
}

/* ---- client to server ---- */

/* "BDAT size [LAST]". False when the size is none; then the server will say so and read no chunk. */
static bool parse_chunk(struct span arguments, uint64_t *size, enum command *command)
{
    struct span number = take_word(&arguments);

    *size = 0;
    if (number.size == 0 || number.size > 18)
        return false;
    for (size_t i = 0; i < number.size; i++) {
        if (number.data[i] < '0' || number.data[i] > '9')
            return false;
        *size = *size * 10 + (uint64_t)(number.data[i] - '0');
    }
    *command = is_word(take_word(&arguments), "LAST") ? COMMAND_MESSAGE : COMMAND_OTHER;
    return true;
}

/* A command line, or as much of one as the filter holds (`is_complete` tells). The state is CLIENT_COMMAND. */
static enum starttls_status on_command(struct smtp_filter *s, bool is_complete, struct buffer *out)
{
    struct span line = buffer_span(&s->command);
    struct span arguments = filter_line_text(line);
    struct span verb;
    enum command command = COMMAND_OTHER;
    bool is_refused;

    /* ALPACA (X1): a browser sent here by someone who holds the network. Not a byte of it is answered. */
    if (!s->spoke && text_looks_like_http(arguments, HTTP_LIKENESS_METHOD))
        return filter_broken_by(&s->f, "the client speaks HTTP", arguments);
    s->spoke = true;
    verb = take_word(&arguments);
    is_refused = is_word(verb, "STARTTLS") || is_word(verb, "XCLIENT") || is_word(verb, "XFORWARD");
    if (!is_complete && (is_refused || is_word(verb, "BDAT") || arguments.size == 0))
        return filter_broken_by(&s->f, "the client sent a command line that is too long", line);
    if (is_word(verb, "MAIL"))
        command = COMMAND_MAIL;
    if (is_word(verb, "RCPT"))
        command = COMMAND_RCPT;
    if (is_word(verb, "BDAT") && s->offers_chunking && parse_chunk(arguments, &s->chunk_left, &command))
        s->state = s->chunk_left == 0 ? CLIENT_COMMAND : CLIENT_CHUNK;
    if (!push_command(s, command))
        return filter_broken(&s->f, "the client gave more than %d commands without waiting for a reply",
                             STARTTLS_SMTP_COMMANDS_PENDING_MAX);
    if (is_refused) {
        filter_append_text(out, "REFUSED-");
        filter_append(out, verb);
        filter_append_text(out, "\r\n");
        buffer_consume(&s->command, s->command.size);
    } else {
        filter_move(&s->command, out);
    }
    if (!is_complete)
        s->state = CLIENT_REST;
    return STARTTLS_NEED_MORE;
}

/* How many of `bytes` belong to the message, its end CRLF.CRLF included; *ended tells whether it is there. */
static size_t scan_data(enum end_of_data *state, struct span bytes, bool *ended)
{
    *ended = false;
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        enum end_of_data before = *state;

        *state = c == '\r' ? DATA_CR : DATA_TEXT;
        if (before == DATA_CR && c == '\n')
            *state = DATA_LINE_START;
        else if (before == DATA_LINE_START && c == '.')
            *state = DATA_DOT;
        else if (before == DATA_DOT && c == '\r')
            *state = DATA_DOT_CR;
        else if (before == DATA_DOT_CR && c == '\n') {
            *ended = true;
            return i + 1;
        }
    }
    return bytes.size;
}

static enum starttls_status put_command(struct smtp_filter *s, struct span bytes, size_t *taken, struct buffer *out)
{
    bool complete;

    *taken = 0;
    if (buffer_room(out) < STARTTLS_FILTER_LINE_BYTES_MAX)
        return STARTTLS_NEED_MORE;
    complete = filter_line_put(&s->command, bytes, taken);
    if (complete || buffer_room(&s->command) == 0)
        return on_command(s, complete, out);
    return STARTTLS_NEED_MORE;
}

/* Straight through, unchanged; returns how many bytes. */
static size_t pass_data(struct smtp_filter *s, struct span bytes, struct buffer *out)
{
    bool ended;
    size_t size;

    if (bytes.size > buffer_room(out))
        bytes.size = buffer_room(out);
    size = scan_data(&s->end_of_data, bytes, &ended);
    if (ended)
        s->state = CLIENT_COMMAND;
    return filter_pass(bytes, size, out);
}

/* Straight through to the end of the line. */
static size_t pass_line(struct smtp_filter *s, struct span bytes, struct buffer *out)
{
    const uint8_t *end = memchr(bytes.data, '\n', bytes.size);
    size_t wanted = end == NULL ? bytes.size : (size_t)(end - bytes.data) + 1;
    size_t passed = filter_pass(bytes, wanted, out);

    if (end != NULL && passed == wanted)
        s->state = CLIENT_COMMAND;
    return passed;
}

static size_t pass_chunk(struct smtp_filter *s, struct span bytes, struct buffer *out)
{
    size_t passed = filter_pass(bytes, s->chunk_left, out);

    s->chunk_left -= passed;
    if (s->chunk_left == 0)
        s->state = CLIENT_COMMAND;
    return passed;
}

static enum starttls_status put_from_client(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                            struct buffer *out)
{
    struct smtp_filter *s = filter_of(f);
    enum starttls_status status = STARTTLS_NEED_MORE;

    while (status == STARTTLS_NEED_MORE && *consumed < bytes.size) {
        struct span rest = span_skip(bytes, *consumed);
        size_t taken = 0;

        switch (s->state) {
        case CLIENT_COMMAND:
            status = put_command(s, rest, &taken, out);
            break;
        case CLIENT_DATA:
            taken = pass_data(s, rest, out);
            break;
        case CLIENT_REST:
        case CLIENT_ANSWER:
            taken = pass_line(s, rest, out);
            break;
        case CLIENT_CHUNK:
            taken = pass_chunk(s, rest, out);
            break;
        }
        *consumed += taken;
        if (taken == 0)
            break;
    }
    filter_line_forget(&s->command);
    return status;
}

static bool rest(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out)
{
    struct smtp_filter *s = filter_of(f);

    if (direction == STARTTLS_FROM_CLIENT)
        return filter_move(&s->command, out);
    return filter_move(&s->held, out) && filter_move(&s->line, out);
}

const struct filter_class smtp_filter_class = {
    .size = sizeof(struct smtp_filter),
    .start = start,
    .put = {[STARTTLS_FROM_CLIENT] = put_from_client, [STARTTLS_FROM_SERVER] = put_from_server},
    .rest = rest,
    .clear = clear,
};
