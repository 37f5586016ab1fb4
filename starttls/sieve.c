/* ManageSieve (RFC 5804) around STARTTLS (section 2.2).
 *
 *   accepted:   GREETED --STARTTLS--> UPGRADE      CAPABILITY and NOOP are answered here, credentials never taken
 *                  `--LOGOUT--> CLOSED
 *
 *   connected:  GREETING --OK, "STARTTLS" was offered--> STARTTLS --OK--> UPGRADE
 *                  `--OK, nothing to upgrade--> READY                     the greeting is kept, without the offer
 *
 * A server greets twice: in clear, and again, unasked, once TLS is up. So a client of ours hears inside TLS what the
 * target says there, and of what was said in clear nothing but whether STARTTLS was offered. A string may be a literal
 * anywhere; before TLS none is taken, for one side's literal is another side's commands. */
#include "starttls/sieve.h"
#include "starttls/imap_syntax.h"

enum accept_state { ACCEPT_GREETED, ACCEPT_UPGRADE, ACCEPT_CLOSED, ACCEPT_STATE_COUNT };
enum connect_state { CONNECT_GREETING, CONNECT_STARTTLS, CONNECT_UPGRADE, CONNECT_READY, CONNECT_STATE_COUNT };

static const char *const accept_names[] = {"SIEVE_GREETED", "SIEVE_UPGRADE", "SIEVE_CLOSED"};
static const char *const connect_names[] = {"SIEVE_GREETING", "SIEVE_STARTTLS", "SIEVE_UPGRADE", "SIEVE_READY"};
static_assert(ARRAY_LEN(accept_names) == ACCEPT_STATE_COUNT, "one name for each state");
static_assert(ARRAY_LEN(connect_names) == CONNECT_STATE_COUNT, "one name for each state");

enum sieve_reply sieve_reply_of(struct span line)
{
    struct span rest = line;
    struct span word;

    if (line.size != 0 && (line.data[0] == '"' || line.data[0] == '{'))
        return SIEVE_REPLY_STRING;
    word = text_next_word(&rest);
    if (word.data != line.data) /* behind a space: no reply begins with one */
        return SIEVE_REPLY_NONE;
    if (text_word_is(word, "OK"))
        return SIEVE_REPLY_OK;
    if (text_word_is(word, "NO"))
        return SIEVE_REPLY_NO;
    return text_word_is(word, "BYE") ? SIEVE_REPLY_BYE : SIEVE_REPLY_NONE;
}

struct span sieve_capability_of(struct span line)
{
    const uint8_t *end;

    if (line.size < 2 || line.data[0] != '"')
        return span_of(NULL, 0);
    line = span_skip(line, 1);
    end = memchr(line.data, '"', line.size);
    return end == NULL ? span_of(NULL, 0) : span_of(line.data, (size_t)(end - line.data));
}

bool sieve_is_refused(struct span name)
{
    return text_word_is(name, "STARTTLS") || text_word_is(name, "XCLIENT");
}

/* ---- the accepted side ---- */

/* RFC 5804 section 1.7: no SASL mechanism before TLS, and VERSION is required. What the server behind us can do, it
 * says inside TLS. gnutls-cli waits for a space behind OK. */
static void say_capabilities(struct starttls_machine *m)
{
    machine_say(
        m, "\"IMPLEMENTATION\" \"%s\"\r\n\"SASL\" \"\"\r\n\"SIEVE\" \"\"\r\n%s\"VERSION\" \"1.0\"\r\nOK \"Ready\"\r\n",
        m->options.name, m->options.upgrade ? "\"STARTTLS\"\r\n" : "");
}

/* Nothing on UPGRADE: the go-ahead waits for the hinge. */
static const char *const accept_says[ACCEPT_STATE_COUNT] = {[ACCEPT_CLOSED] = "OK \"Bye\"\r\n"};

static void accept_start(struct starttls_machine *m)
{
    machine_enter(m, ACCEPT_GREETED);
    say_capabilities(m);
}

/* A refused command: its reply, and the end when there were too many. */
static enum starttls_status refuse_command(struct starttls_machine *m, const char *reply)
{
    machine_say(m, "NO %s\r\n", reply);
    return machine_refuse_command(m, "BYE \"Too many refused commands\"");
}

static enum starttls_status on_starttls(struct starttls_machine *m)
{
    if (!m->options.upgrade)
        return refuse_command(m, "(TRYLATER) \"TLS is not available now\"");
    machine_enter(m, ACCEPT_UPGRADE);
    return STARTTLS_UPGRADE;
}

/* A string that may be said again as it is: in quotes, with nothing in it that another parser could read as their end.
 */
static bool is_plain_string(struct span text)
{
    if (text.size < 2 || text.size > STARTTLS_SIEVE_NOOP_BYTES_MAX || text.data[0] != '"' ||
        text.data[text.size - 1] != '"')
        return false;
    for (size_t i = 1; i + 1 < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] > '~' || text.data[i] == '"' || text.data[i] == '\\')
            return false;
    return true;
}

/* RFC 5804 section 2.13: a string that comes with it is said again, so that the client finds its place. */
static enum starttls_status on_noop(struct starttls_machine *m, struct span argument, bool has_argument)
{
    if (has_argument && !is_plain_string(argument))
        return refuse_command(m, "\"NOOP takes one short string\"");
    if (has_argument)
        machine_say(m, "OK (TAG %.*s) \"Done\"\r\n", (int)argument.size, (const char *)argument.data);
    else
        machine_say(m, "OK \"Done\"\r\n");
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_plain_command(struct starttls_machine *m, struct span verb)
{
    if (text_word_is(verb, "STARTTLS"))
        return on_starttls(m);
    if (text_word_is(verb, "CAPABILITY")) {
        say_capabilities(m);
        return STARTTLS_NEED_MORE;
    }
    machine_enter(m, ACCEPT_CLOSED);
    return STARTTLS_CLOSE;
}

static enum starttls_status accept_line(struct starttls_machine *m, struct span line)
{
    struct span argument;
    bool has_argument;
    struct span verb = text_word(line, &argument, &has_argument);

    /* A browser made to speak to a mail server (X3): no reply a page could read back, one line and the end. */
    if (text_looks_like_http(line, HTTP_LIKENESS_METHOD)) {
        machine_say(m, "BYE \"This is not an HTTP server\"\r\n");
        return machine_broken_by(m, "the client speaks HTTP", text_verb(line));
    }
    /* I8: whose content would be read as commands by whoever does not know it for a literal. */
    if (imap_ends_with_literal(line, NULL)) {
        machine_say(m, "BYE \"No literal is taken before TLS\"\r\n");
        return machine_broken_by(m, "the client sent a literal before TLS", text_verb(line));
    }
    if (text_word_is(verb, "AUTHENTICATE"))
        return refuse_command(m, "(ENCRYPT-NEEDED) \"Say STARTTLS first\"");
    if (text_word_is(verb, "NOOP"))
        return on_noop(m, argument, has_argument);
    if (!text_word_is(verb, "STARTTLS") && !text_word_is(verb, "CAPABILITY") && !text_word_is(verb, "LOGOUT"))
        return refuse_command(m, "\"Unknown command, or not before STARTTLS\"");
    return has_argument ? refuse_command(m, "\"No argument is taken\"") : on_plain_command(m, verb);
}

static void accept_fault(struct starttls_machine *m, enum line_status fault)
{
    machine_say(m, "BYE \"A line %s\"\r\n", line_fault_text(fault));
}

static void accept_hinge(struct starttls_machine *m, enum hinge hinge)
{
    machine_say(m, hinge == HINGE_CLEAN ? "OK \"Begin TLS negotiation now\"\r\n"
                                        : "BYE \"Nothing may follow STARTTLS before TLS\"\r\n");
}

/* ---- the connected side ---- */

static const char *const connect_says[CONNECT_STATE_COUNT] = {[CONNECT_STARTTLS] = "STARTTLS\r\n"};

struct connect {
    struct starttls_machine m;
    bool offered; /* STARTTLS is in the greeting */
};

/* A line of the greeting for the client, where nothing is upgraded any more. */
static enum starttls_status keep_line(struct starttls_machine *m, struct span line)
{
    if (m->options.upgrade || machine_keep_greeting(m, line))
        return STARTTLS_NEED_MORE;
    return machine_broken(m, "the server's greeting is longer than %d bytes", STARTTLS_GREETING_BYTES_MAX);
}

static enum starttls_status on_capability(struct starttls_machine *m, struct span line)
{
    struct span name = sieve_capability_of(line);

    if (name.size == 0)
        return machine_broken_by(m, "the server sent something that is not a capability", line);
    if (text_word_is(name, "STARTTLS"))
        CONTAINER_OF(m, struct connect, m)->offered = true;
    return sieve_is_refused(name) ? STARTTLS_NEED_MORE : keep_line(m, line);
}

static enum starttls_status on_greeted(struct starttls_machine *m, struct span line)
{
    if (!m->options.upgrade) {
        enum starttls_status status = keep_line(m, line);

        machine_enter(m, CONNECT_READY);
        return status == STARTTLS_NEED_MORE ? STARTTLS_READY : status;
    }
    if (!CONTAINER_OF(m, struct connect, m)->offered)
        return machine_refused(m, STARTTLS_REFUSAL_NO_TLS, "the server does not offer STARTTLS");
    machine_enter(m, CONNECT_STARTTLS);
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_greeting(struct starttls_machine *m, enum sieve_reply reply, struct span line)
{
    switch (reply) {
    case SIEVE_REPLY_STRING:
        return on_capability(m, line);
    case SIEVE_REPLY_OK:
        return on_greeted(m, line);
    case SIEVE_REPLY_NO:
    case SIEVE_REPLY_BYE:
        return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", line);
    case SIEVE_REPLY_NONE:
        break;
    }
    return machine_broken_by(m, "the server sent something that is not a reply", line);
}

/* No way back to plain text, whatever the server says: somebody else may be saying it. */
static enum starttls_status on_starttls_reply(struct starttls_machine *m, enum sieve_reply reply, struct span line)
{
    switch (reply) {
    case SIEVE_REPLY_OK:
        machine_enter(m, CONNECT_UPGRADE);
        return STARTTLS_UPGRADE;
    case SIEVE_REPLY_NO:
        return machine_refused_by(m, STARTTLS_REFUSAL_TLS, "the server refuses STARTTLS", line);
    case SIEVE_REPLY_BYE:
        return machine_refused_by(m, STARTTLS_REFUSAL_GOODBYE, "the server said goodbye", line);
    case SIEVE_REPLY_STRING:
    case SIEVE_REPLY_NONE:
        break;
    }
    return machine_broken_by(m, "the server sent something that is not a reply", line);
}

static enum starttls_status connect_line(struct starttls_machine *m, struct span line)
{
    enum sieve_reply reply = sieve_reply_of(line);

    if (imap_ends_with_literal(line, NULL))
        return machine_broken_by(m, "the server sent a literal, which it has no reason for", line);
    switch ((enum connect_state)m->state) {
    case CONNECT_GREETING:
        return on_greeting(m, reply, line);
    case CONNECT_STARTTLS:
        return on_starttls_reply(m, reply, line);
    case CONNECT_UPGRADE:
    case CONNECT_READY:
    case CONNECT_STATE_COUNT:
        break;
    }
    return machine_broken_by(m, "the server speaks out of turn", line);
}

/* ---- words ---- */

static void failure_text(enum starttls_failure failure, bool greeted, const char *name, struct buffer *out)
{
    /* RFC 5804 section 1.3: TRYLATER may pass by itself. BYE is right as a greeting and in the place of any reply. */
    static const char *const replies[] = {
        [STARTTLS_FAILURE_OVERLOAD] = "(TRYLATER) \"Too busy, try again later\"",
        [STARTTLS_FAILURE_TLS_UNAVAILABLE] = "(TRYLATER) \"TLS is not available now\"",
        [STARTTLS_FAILURE_TARGET_REFUSED] = "\"Not allowed\"",
        [STARTTLS_FAILURE_TARGET_DOWN] = "(TRYLATER) \"No server answers, try again later\"",
        [STARTTLS_FAILURE_TARGET_TIMEOUT] = "(TRYLATER) \"No server answers in time, try again later\"",
        [STARTTLS_FAILURE_TARGET_UNWILLING] = "(TRYLATER) \"The server does not want to serve now, try again later\"",
        [STARTTLS_FAILURE_TARGET_SPEECH] = "(TRYLATER) \"The server's answer is not understood\"",
        [STARTTLS_FAILURE_TARGET_NO_TLS] = "\"The server offers no TLS\"",
        [STARTTLS_FAILURE_TARGET_TLS] = "\"The server's TLS cannot be trusted\"",
        [STARTTLS_FAILURE_IDENTITY] = "(TRYLATER) \"The key that the server asks of us is not available now\"",
        [STARTTLS_FAILURE_SHUTDOWN] = "(TRYLATER) \"Shutting down\"",
        [STARTTLS_FAILURE_TIMEOUT] = "\"Timeout\"",
        [STARTTLS_FAILURE_BAD_REQUEST] = "\"Not understood\"",
    };
    static_assert(ARRAY_LEN(replies) == STARTTLS_FAILURE_COUNT, "one reply for each failure");

    (void)greeted;
    (void)name;
    text_append(out, "BYE %s\r\n", replies[failure]);
}

static const struct machine_class accept_class = {
    .size = sizeof(struct starttls_machine),
    .line_bytes_max = STARTTLS_SIEVE_LINE_BYTES_MAX,
    .bytes_max = STARTTLS_ACCEPTED_BYTES_MAX,
    .text = LINE_TEXT_ASCII,
    .state_names = accept_names,
    .says = accept_says,
    .start = accept_start,
    .on_line = accept_line,
    .on_fault = accept_fault,
    .on_hinge = accept_hinge,
};

static const struct machine_class connect_class = {
    .size = sizeof(struct connect),
    .line_bytes_max = STARTTLS_SIEVE_LINE_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .text = LINE_TEXT_EIGHT_BIT,
    .state_names = connect_names,
    .says = connect_says,
    .start = machine_start,
    .on_line = connect_line,
    .on_hinge = machine_hinge_in_silence,
};

const struct protocol starttls_sieve = {
    .alpn = "managesieve",
    .greets_in_tls = true,
    .accept = &accept_class,
    .connect = &connect_class,
    .probe = &sieve_probe_class,
    .filter = &sieve_filter_class.class,
    .failure_text = failure_text,
};
