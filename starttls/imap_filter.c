/* IMAP inside TLS until the client has logged in: what the relayed session must not offer or ask for.
 *
 * Server to client: STARTTLS is taken out of "* CAPABILITY ..." and of every "[CAPABILITY ...]" code. Responses are
 * followed with their literals, since what a literal holds may look like a response. A line longer than the filter
 * holds passes by as it comes, its first words having told what it is, and its end being watched for a literal; only
 * one that has to be changed must fit. PREAUTH ends the session. Client to server: "tag STARTTLS" gets a name no server
 * knows, so that the server refuses it in its turn. At the tagged OK to a LOGIN or AUTHENTICATE the filter ends
 * (STARTTLS_READY) and the session is relayed blindly: from there on messages pass, perhaps compressed (RFC 4978).
 *
 * The client's side is lines, literals, and the lines that answer a "+":
 *
 *       COMMAND --{n+}--> LITERAL --n bytes--> COMMAND (the same one goes on)
 *       COMMAND --{n}, then "+"--> LITERAL
 *       COMMAND --AUTHENTICATE, then "+"--> ANSWER --end of line--> COMMAND
 *
 * What one server takes for a literal and another for commands may carry a command past the filter. So a literal that
 * no
 * "+" has asked for (RFC 7888) passes only where it can be nothing else, as an argument of LOGIN. And ID (RFC 2971), by
 * which Dovecot lets those it trusts name another client's address (x-originating-ip), says NIL.
 *
 * A client waits for the "+". One that comes when the client has already said more makes those bytes data to the
 * server and commands to us: the session ends. As many logins as the filter can remember are on their way at a time;
 * what a client pipelines behind them is read on when they have been answered. */
#include "starttls/imap.h"
#include "starttls/imap_syntax.h"

enum client_state { CLIENT_COMMAND, CLIENT_LITERAL, CLIENT_ANSWER };
enum wait { WAIT_NONE, WAIT_LITERAL, WAIT_AUTHENTICATE };
enum server_state { SERVER_LINE, SERVER_REST /* of a line that is passing by */, SERVER_LITERAL };

struct tag {
    uint8_t bytes[STARTTLS_IMAP_TAG_BYTES_MAX];
    size_t size; /* 0: none */
};

struct imap_filter {
    struct line_filter l;

    enum server_state server_state;
    uint64_t server_literal_left;
    uint8_t tail[IMAP_LITERAL_BYTES_MAX + 2]; /* SERVER_REST: the last bytes that passed */
    size_t tail_size;
    bool response_goes_on; /* the next line is the rest of a response, after its literal */

    enum client_state client_state;
    uint64_t client_literal_left;
    bool command_goes_on;
    unsigned login_args; /* of the LOGIN that goes on; IMAP_LOGIN_UNCLEAR: it is another command, or not well formed */
    enum wait wait;      /* what the next "+" is for */
    struct tag last;     /* the command the client gave last */
    struct tag logins[STARTTLS_IMAP_LOGINS_PENDING_MAX];
};

static struct imap_filter *filter_of(struct line_filter *l)
{
    return CONTAINER_OF(l, struct imap_filter, l);
}

static bool tag_is(const struct tag *tag, struct span wanted)
{
    return tag->size != 0 && span_equal(span_of(tag->bytes, tag->size), wanted);
}

/* A tag, by imap_is_tag(). A longer value is none, and none is kept. */
static void set_tag(struct tag *tag, struct span value)
{
    tag->size = value.size <= sizeof(tag->bytes) ? value.size : 0;
    if (tag->size != 0)
        memcpy(tag->bytes, value.data, tag->size);
}

/* ---- server to client ---- */

/* The capability list in a response without its line end, or an empty span. */
static struct span find_capabilities(struct span text)
{
    static const char code[] = "[CAPABILITY";
    struct span rest = text;
    struct span tag = imap_take_word(&rest);
    struct span word = imap_take_word(&rest);
    const uint8_t *end;

    if (text_word_is(tag, "*") && text_word_is(word, "CAPABILITY"))
        return rest;
    if (!text_word_is(imap_take_word(&rest), code))
        return span_of(NULL, 0);
    end = rest.size == 0 ? NULL : memchr(rest.data, ']', rest.size);
    return span_of(rest.data, end == NULL ? rest.size : (size_t)(end - rest.data));
}

/* Write `line` without STARTTLS, and the blanks before it, in its `capabilities`, which are a part of it or empty. All
 * else stays as the server wrote it: what only takes away cannot make a line longer, whatever is in it. */
static void put_without_starttls(struct span line, struct span capabilities, struct sink *sink)
{
    size_t before = capabilities.size == 0 ? 0 : (size_t)(capabilities.data - line.data);
    struct span after = span_skip(line, before + capabilities.size);

    sink_put(sink, span_of(line.data, before));
    while (capabilities.size != 0) {
        struct span whole = capabilities;
        struct span word = imap_take_word(&capabilities);

        if (word.size == 0 && capabilities.size != 0) /* at a control byte: the server's to answer for */
            capabilities = span_skip(capabilities, 1);
        if (!text_word_is(word, "STARTTLS"))
            sink_put(sink, span_of(whole.data, whole.size - capabilities.size));
    }
    sink_put(sink, after);
}

/* A tagged response: does it end a login, and was it the one that succeeded? */
static enum starttls_status on_tagged(struct imap_filter *i, struct span tag, struct span word)
{
    bool logged_in = false;

    if (tag_is(&i->last, tag))
        i->wait = WAIT_NONE;
    for (size_t n = 0; n < ARRAY_LEN(i->logins); n++) {
        if (!tag_is(&i->logins[n], tag))
            continue;
        i->logins[n].size = 0;
        logged_in = text_word_is(word, "OK");
        break;
    }
    return logged_in ? STARTTLS_READY : STARTTLS_NEED_MORE;
}

static bool awaits_login(const struct imap_filter *i)
{
    for (size_t n = 0; n < ARRAY_LEN(i->logins); n++)
        if (i->logins[n].size != 0)
            return true;
    return false;
}

static enum starttls_status on_continuation(struct imap_filter *i)
{
    switch (i->wait) {
    case WAIT_LITERAL:
        i->client_state = i->client_literal_left == 0 ? CLIENT_COMMAND : CLIENT_LITERAL;
        i->wait = WAIT_NONE;
        i->command_goes_on = true;
        return STARTTLS_NEED_MORE;
    case WAIT_AUTHENTICATE:
        i->client_state = CLIENT_ANSWER;
        return STARTTLS_NEED_MORE;
    case WAIT_NONE:
        break;
    }
    if (awaits_login(i)) /* it is what the server answers, and more has been said since */
        return filter_broken(
            &i->l.f, STARTTLS_FAULT_CLIENT,
            "the client did not wait for the server's \"+\": what it said could be taken for commands or "
            "for an answer");
    return filter_broken(&i->l.f, STARTTLS_FAULT_SERVER,
                         "the server sent a \"+\" that nobody waits for: what the client says next could be taken for "
                         "commands or for data");
}

static enum starttls_status on_response(struct imap_filter *i, struct span text)
{
    struct span rest = text;
    struct span tag = imap_take_word(&rest);
    struct span word = imap_take_word(&rest);

    if (text_word_is(tag, "+"))
        return on_continuation(i);
    if (!text_word_is(tag, "*"))
        return on_tagged(i, tag, word);
    if (text_word_is(word, "PREAUTH"))
        return filter_broken(&i->l.f, STARTTLS_FAULT_SERVER,
                             "the server greets with PREAUTH: a session somebody else has logged in");
    return STARTTLS_NEED_MORE;
}

/* A line of the server ends with `text`, which may announce a literal. */
static enum starttls_status on_server_line_end(struct imap_filter *i, struct span text)
{
    struct imap_literal literal = {0};

    i->server_state = SERVER_LINE;
    i->response_goes_on = imap_ends_with_literal(text, &literal);
    if (i->response_goes_on && literal.size == UINT64_MAX)
        return filter_broken_by(&i->l.f, STARTTLS_FAULT_SERVER, "the server sent a literal of no known size", text);
    if (i->response_goes_on && literal.size != 0) {
        i->server_state = SERVER_LITERAL;
        i->server_literal_left = literal.size;
    }
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_whole_server_line(struct imap_filter *i, struct buffer *out)
{
    struct span line = buffer_span(&i->l.line);
    struct span text = filter_line_text(line);
    struct span capabilities = i->response_goes_on ? span_of(NULL, 0) : find_capabilities(text);
    enum starttls_status status = i->response_goes_on ? STARTTLS_NEED_MORE : on_response(i, text);
    struct sink sink;

    if (status == STARTTLS_BROKEN || on_server_line_end(i, text) == STARTTLS_BROKEN)
        return STARTTLS_BROKEN;
    sink_open(&sink, out, line.size + STARTTLS_SERVER_LINE_GROWTH_MAX);
    put_without_starttls(line, capabilities, &sink);
    buffer_consume(&i->l.line, i->l.line.size);
    return filter_close(&i->l.f, &sink, status);
}

/* Whether one of the words that tell what a response is may lie, or end, behind these first bytes of it. */
static bool response_is_cut(struct span start)
{
    for (unsigned n = 0; n < 3; n++) {
        size_t size = imap_take_word(&start).size;

        if (start.size == 0)
            return size <= STARTTLS_IMAP_TAG_BYTES_MAX; /* a longer one is none that is looked for */
    }
    return false;
}

/* Keep the end of what passed: a literal's announcement, and the line's end. */
static void keep_tail(struct imap_filter *i, struct span passed)
{
    size_t kept = i->tail_size;

    if (passed.size >= sizeof(i->tail)) {
        passed = span_skip(passed, passed.size - sizeof(i->tail));
        kept = 0;
    } else if (kept + passed.size > sizeof(i->tail)) {
        kept = sizeof(i->tail) - passed.size;
        memmove(i->tail, i->tail + i->tail_size - kept, kept);
    }
    if (passed.size != 0)
        memcpy(i->tail + kept, passed.data, passed.size);
    i->tail_size = kept + passed.size;
}

/* The start of a line that is longer than what is held of one: what has to be changed in it is here, or the session
 * ends. */
static enum starttls_status on_long_server_line(struct imap_filter *i, struct buffer *out)
{
    struct span start = buffer_span(&i->l.line);
    struct span capabilities = i->response_goes_on ? span_of(NULL, 0) : find_capabilities(start);
    enum starttls_status status = STARTTLS_NEED_MORE;
    struct sink sink;

    if (!i->response_goes_on &&
        (response_is_cut(start) ||
         (capabilities.size != 0 && capabilities.data + capabilities.size == start.data + start.size)))
        return filter_broken_by(&i->l.f, STARTTLS_FAULT_SERVER,
                                "the server sent a line that is too long to be rewritten", start);
    if (!i->response_goes_on)
        status = on_response(i, start);
    if (status == STARTTLS_BROKEN)
        return status;
    i->server_state = SERVER_REST;
    i->tail_size = 0;
    keep_tail(i, start);
    sink_open(&sink, out, start.size + STARTTLS_SERVER_LINE_GROWTH_MAX);
    put_without_starttls(start, capabilities, &sink);
    buffer_consume(&i->l.line, i->l.line.size);
    return filter_close(&i->l.f, &sink, status);
}

static enum starttls_status on_server_line(struct line_filter *l, bool is_complete, struct buffer *out)
{
    return is_complete ? on_whole_server_line(filter_of(l), out) : on_long_server_line(filter_of(l), out);
}

static enum starttls_status put_server_rest(struct imap_filter *i, struct span bytes, size_t *taken, struct buffer *out)
{
    struct span text;
    bool ended;

    *taken = filter_pass_line(bytes, out, &ended);
    keep_tail(i, span_of(bytes.data, *taken));
    if (!ended)
        return STARTTLS_NEED_MORE;
    text = filter_line_text(span_of(i->tail, i->tail_size));
    if (imap_literal_is_cut(text))
        return filter_broken_by(&i->l.f, STARTTLS_FAULT_SERVER, "the server sent a literal of no known size", text);
    return on_server_line_end(i, text);
}

static enum starttls_status step_from_server(struct starttls_filter *f, struct span bytes, size_t *taken,
                                             struct buffer *out)
{
    struct imap_filter *i = CONTAINER_OF(f, struct imap_filter, l.f);

    switch (i->server_state) {
    case SERVER_LINE:
        return line_filter_gather(&i->l, &i->l.line, on_server_line, bytes, taken, out);
    case SERVER_REST:
        return put_server_rest(i, bytes, taken, out);
    case SERVER_LITERAL:
        *taken = filter_pass(bytes, i->server_literal_left, out);
        i->server_literal_left -= *taken;
        if (i->server_literal_left == 0)
            i->server_state = SERVER_LINE;
        break;
    }
    return STARTTLS_NEED_MORE;
}

/* ---- client to server ---- */

/* Room to remember one more login, or NULL. */
static struct tag *free_login(struct imap_filter *i)
{
    for (size_t n = 0; n < ARRAY_LEN(i->logins); n++)
        if (i->logins[n].size == 0)
            return &i->logins[n];
    return NULL;
}

/* After the server's end no login is answered: there is nothing to wait for, or to remember. */
static bool can_take_command(struct imap_filter *i)
{
    return i->l.command.size != 0 || i->command_goes_on || i->l.server_ended || free_login(i) != NULL;
}

static void remember_login(struct imap_filter *i, struct span tag)
{
    struct tag *login = free_login(i);

    if (login != NULL)
        set_tag(login, tag);
}

static bool ends_with_crlf(struct span line)
{
    return line.size >= 2 && memcmp(line.data + line.size - 2, "\r\n", 2) == 0;
}

/* A line ends with a literal. */
static unsigned see_login_literal(const struct imap_filter *i, struct span text)
{
    if (!i->command_goes_on)
        return imap_count_login_args(text);
    return i->login_args < IMAP_LOGIN_ARGS && imap_is_literal_alone(text) ? i->login_args + 1 : IMAP_LOGIN_UNCLEAR;
}

/* "tag STARTTLS", and ID: what the server gets instead. False: the line is to go as it is. */
static bool put_instead(struct span tag, struct span word, bool has_literal, struct sink *sink)
{
    bool is_id = text_word_is(word, "ID");

    if (!is_id && !text_word_is(word, "STARTTLS"))
        return false;
    sink_put(sink, tag);
    if (!is_id)
        sink_put_text(sink, " REFUSED-STARTTLS\r\n");
    else if (has_literal) /* which the server is not to ask for */
        sink_put_text(sink, " REFUSED-ID\r\n");
    else
        sink_put_text(sink, " ID NIL\r\n");
    return true;
}

/* The first line of a command, or as much of it as the filter holds. */
static enum starttls_status on_command(struct imap_filter *i, struct span text, bool is_complete, struct buffer *out)
{
    struct span rest = text;
    struct span tag = imap_take_word(&rest);
    struct span word = imap_take_word(&rest);
    bool is_authenticate = text_word_is(word, "AUTHENTICATE");
    struct sink sink;

    if (line_filter_judge_first(&i->l, text, HTTP_LIKENESS_REQUEST_LINE) == STARTTLS_BROKEN)
        return STARTTLS_BROKEN;
    i->last.size = 0;
    if (!is_complete && !is_authenticate) /* only an initial response (RFC 4959) is ever that long */
        return filter_broken(&i->l.f, STARTTLS_FAULT_CLIENT, "the client sent a command line that is too long");
    if (!imap_is_tag(tag)) {
        filter_move(&i->l.command, out); /* the server's to refuse */
        return STARTTLS_NEED_MORE;
    }
    set_tag(&i->last, tag);
    if (is_authenticate || text_word_is(word, "LOGIN"))
        remember_login(i, tag);
    if (is_authenticate)
        i->wait = WAIT_AUTHENTICATE;
    sink_open(&sink, out, i->l.command.size + STARTTLS_CLIENT_LINE_GROWTH_MAX);
    if (!put_instead(tag, word, imap_ends_with_literal(text, NULL), &sink))
        sink_put(&sink, buffer_span(&i->l.command));
    buffer_consume(&i->l.command, i->l.command.size);
    return filter_close(&i->l.f, &sink, STARTTLS_NEED_MORE);
}

static enum starttls_status on_client_line(struct line_filter *l, bool is_complete, struct buffer *out)
{
    struct imap_filter *i = filter_of(l);
    struct span text = filter_line_text(buffer_span(&i->l.command));
    struct imap_literal literal = {0};
    bool has_literal = is_complete && imap_ends_with_literal(text, &literal);
    enum starttls_status status = STARTTLS_NEED_MORE;

    if (has_literal && literal.size == UINT64_MAX)
        return filter_broken(&i->l.f, STARTTLS_FAULT_CLIENT, "the client sent a literal of no known size");
    i->login_args = has_literal ? see_login_literal(i, text) : IMAP_LOGIN_UNCLEAR;
    if (has_literal && !literal.is_synchronizing &&
        (i->login_args == IMAP_LOGIN_UNCLEAR || !ends_with_crlf(buffer_span(&i->l.command))))
        return filter_broken(&i->l.f, STARTTLS_FAULT_CLIENT,
                             "the client sent a literal that nobody asked for before it has logged in, and that is no "
                             "user name or password of a LOGIN: some servers take it for commands");
    if (i->command_goes_on && !is_complete)
        return filter_broken(&i->l.f, STARTTLS_FAULT_CLIENT, "the client sent a command line that is too long");
    if (i->command_goes_on)
        filter_move(&i->l.command, out);
    else
        status = on_command(i, text, is_complete, out);
    i->command_goes_on = false;
    if (!is_complete)
        i->client_state = CLIENT_ANSWER; /* to the end of the line */
    if (has_literal) {
        i->client_literal_left = literal.size;
        i->wait = literal.is_synchronizing ? WAIT_LITERAL : i->wait;
        i->command_goes_on = !literal.is_synchronizing;
        if (!literal.is_synchronizing && literal.size != 0)
            i->client_state = CLIENT_LITERAL;
    }
    return status;
}

static enum starttls_status put_command(struct imap_filter *i, struct span bytes, size_t *taken, struct buffer *out)
{
    if (buffer_room(out) < STARTTLS_FILTER_LINE_BYTES_MAX || !can_take_command(i))
        return STARTTLS_NEED_MORE;
    /* It did not wait, or it was refused: this is a new command, and no "+" may come for the one before. */
    i->wait = WAIT_NONE;
    return line_filter_gather(&i->l, &i->l.command, on_client_line, bytes, taken, out);
}

static enum starttls_status step_from_client(struct starttls_filter *f, struct span bytes, size_t *taken,
                                             struct buffer *out)
{
    struct imap_filter *i = CONTAINER_OF(f, struct imap_filter, l.f);
    bool ended = false;

    switch (i->client_state) {
    case CLIENT_COMMAND:
        return put_command(i, bytes, taken, out);
    case CLIENT_LITERAL:
        *taken = filter_pass(bytes, i->client_literal_left, out);
        i->client_literal_left -= *taken;
        if (i->client_literal_left == 0)
            i->client_state = CLIENT_COMMAND;
        break;
    case CLIENT_ANSWER:
        *taken = filter_pass_line(bytes, out, &ended);
        if (ended)
            i->client_state = CLIENT_COMMAND;
        break;
    }
    return STARTTLS_NEED_MORE;
}

static_assert(STARTTLS_IMAP_LINE_BYTES_MAX + STARTTLS_SERVER_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a line");
static_assert(STARTTLS_IMAP_LINE_BYTES_MAX + STARTTLS_CLIENT_LINE_GROWTH_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX,
              "a command");

const struct line_filter_class imap_filter_class = {
    .class = LINE_FILTER_CLASS(imap_filter),
    .line_bytes_max = STARTTLS_IMAP_LINE_BYTES_MAX,
    .command_bytes_max = STARTTLS_IMAP_LINE_BYTES_MAX,
    .step = {[STARTTLS_FROM_CLIENT] = step_from_client, [STARTTLS_FROM_SERVER] = step_from_server},
};
