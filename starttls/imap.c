/* IMAP (RFC 9051, RFC 3501) around STARTTLS (RFC 9051 section 6.2.1, RFC 2595).
 *
 *   accepted:   GREETED --STARTTLS--> UPGRADE          CAPABILITY, NOOP, ID are answered here, credentials never taken
 *                  `--LOGOUT--> CLOSED
 *
 *   connected:  GREETING --"* OK"--> STARTTLS --"S1 OK"--> UPGRADE
 *                  `--"* OK", nothing to upgrade--> READY
 *
 * Nothing a server says before TLS is believed or passed on: a PREAUTH greeting would log the application in to a
 * session of somebody else's making, and untagged responses would be shown to its user. So it is asked for STARTTLS
 * whatever it lists: who can change a list can take the word out of it, and the tagged answer is what counts. */
#include "starttls/imap.h"
#include "starttls/imap_syntax.h"

enum accept_state { ACCEPT_GREETED, ACCEPT_UPGRADE, ACCEPT_CLOSED, ACCEPT_STATE_COUNT };
enum connect_state { CONNECT_GREETING, CONNECT_STARTTLS, CONNECT_UPGRADE, CONNECT_READY, CONNECT_STATE_COUNT };

static const char *const accept_names[] = {"IMAP_GREETED", "IMAP_UPGRADE", "IMAP_CLOSED"};
static const char *const connect_names[] = {"IMAP_GREETING", "IMAP_STARTTLS", "IMAP_UPGRADE", "IMAP_READY"};
static_assert(ARRAY_LEN(accept_names) == ACCEPT_STATE_COUNT, "one name for each state");
static_assert(ARRAY_LEN(connect_names) == CONNECT_STATE_COUNT, "one name for each state");

/* ---- the accepted side ---- */

struct accept {
    struct starttls_machine m;
    char tag[STARTTLS_IMAP_TAG_BYTES_MAX + 1]; /* of the command that is being answered */
};

static const char *capabilities(const struct starttls_machine *m)
{
    return m->options.upgrade ? "IMAP4rev1 STARTTLS LOGINDISABLED ID" : "IMAP4rev1 LOGINDISABLED ID";
}

static void accept_enter(struct accept *a, enum accept_state state)
{
    a->m.state = state;
    switch (state) {
    case ACCEPT_GREETED:
        machine_say(&a->m, "* OK [CAPABILITY %s] %s\r\n", capabilities(&a->m), a->m.options.name);
        break;
    case ACCEPT_CLOSED:
        machine_say(&a->m, "* BYE Logging out\r\n%s OK Logged out\r\n", a->tag);
        break;
    case ACCEPT_UPGRADE: /* the go-ahead waits for the hinge */
    case ACCEPT_STATE_COUNT:
        break;
    }
}

static void accept_start(struct starttls_machine *m)
{
    accept_enter(CONTAINER_OF(m, struct accept, m), ACCEPT_GREETED);
}

/* A refused command: its reply (after `tag`, which is "*" where the client gave none), and the end when there were
 * too many. */
static enum starttls_status refuse_command(struct starttls_machine *m, const char *tag, const char *reply)
{
    machine_say(m, "%s %s\r\n", tag, reply);
    return machine_refuse_command(m, "* BYE Too many refused commands");
}

static enum starttls_status on_command(struct accept *a, struct span command, bool has_arguments)
{
    struct starttls_machine *m = &a->m;
    bool is_id = text_word_is(command, "ID");

    if (text_word_is(command, "LOGIN") || text_word_is(command, "AUTHENTICATE"))
        return refuse_command(m, a->tag, "NO [PRIVACYREQUIRED] Say STARTTLS first");
    /* All others take no argument, but ID must have one: a list that is not looked at (RFC 2971 section 3.1). */
    if (has_arguments != is_id)
        return refuse_command(m, a->tag, "BAD Unknown command, or not before STARTTLS");
    if (is_id) {
        machine_say(m, "* ID NIL\r\n%s OK ID completed\r\n", a->tag);
        return STARTTLS_NEED_MORE;
    }
    if (text_word_is(command, "CAPABILITY")) {
        machine_say(m, "* CAPABILITY %s\r\n%s OK CAPABILITY completed\r\n", capabilities(m), a->tag);
        return STARTTLS_NEED_MORE;
    }
    if (text_word_is(command, "NOOP")) {
        machine_say(m, "%s OK NOOP completed\r\n", a->tag);
        return STARTTLS_NEED_MORE;
    }
    if (text_word_is(command, "LOGOUT")) {
        accept_enter(a, ACCEPT_CLOSED);
        return STARTTLS_CLOSE;
    }
    if (!text_word_is(command, "STARTTLS"))
        return refuse_command(m, a->tag, "BAD Unknown command, or not before STARTTLS");
    if (!m->options.upgrade)
        return refuse_command(m, a->tag, "NO [UNAVAILABLE] TLS is not available now");
    accept_enter(a, ACCEPT_UPGRADE);
    return STARTTLS_UPGRADE;
}

static enum starttls_status accept_line(struct starttls_machine *m, struct span line)
{
    struct accept *a = CONTAINER_OF(m, struct accept, m);
    struct span rest, arguments;
    bool has_rest, has_arguments;
    struct span tag = text_word(line, &rest, &has_rest);
    bool tag_is_good = imap_is_tag(tag);
    struct span command = text_word(rest, &arguments, &has_arguments);

    if (text_looks_like_http(line, HTTP_LIKENESS_REQUEST_LINE)) {
        machine_say(m, "* BYE This is not an HTTP server\r\n");
        return machine_broken_by(m, "the client speaks HTTP", text_verb(line));
    }
    memcpy(a->tag, tag_is_good ? (const char *)tag.data : "*", tag_is_good ? tag.size : 1);
    a->tag[tag_is_good ? tag.size : 1] = '\0';
    /* What follows a literal marker is data to us and a command to a server that did not see the marker; a
     * non-synchronising literal does not even wait. Nobody needs one before TLS. */
    if (imap_ends_with_literal(line, NULL)) {
        machine_say(m, "%s BAD No literal is taken before STARTTLS\r\n* BYE Closing\r\n", a->tag);
        return machine_broken(m, "the client sent a literal before STARTTLS");
    }
    if (!tag_is_good)
        return refuse_command(m, a->tag, "BAD Invalid tag");
    if (!has_rest)
        return refuse_command(m, a->tag, "BAD A command is missing");
    return on_command(a, command, has_arguments);
}

static void accept_fault(struct starttls_machine *m, enum line_status fault)
{
    machine_say(m, "* BAD A line %s\r\n* BYE Closing\r\n", line_fault_text(fault));
}

static void accept_hinge(struct starttls_machine *m, enum hinge hinge)
{
    struct accept *a = CONTAINER_OF(m, struct accept, m);

    if (hinge == HINGE_CLEAN)
        machine_say(m, "%s OK Begin TLS negotiation now\r\n", a->tag);
    else
        machine_say(m, "%s BAD Nothing may follow STARTTLS before TLS\r\n* BYE Closing\r\n", a->tag);
}

/* ---- the connected side ---- */

/* RFC 9051 section 6.2.1: no CAPABILITY before it; its answer could not be believed. */
static const char *const connect_says[CONNECT_STATE_COUNT] = {[CONNECT_STARTTLS] = "S1 STARTTLS\r\n"};

struct connect {
    struct starttls_machine m;
    unsigned untagged_lines; /* since our STARTTLS */
};

static enum starttls_status on_greeting(struct starttls_machine *m, struct span tag, struct span word, struct span line)
{
    if (!text_word_is(tag, "*"))
        return machine_broken_by(m, "the server's greeting is not one", line);
    /* RFC 9051 section 7.1.4: who needs TLS must close on PREAUTH. */
    if (text_word_is(word, "PREAUTH"))
        return machine_refused(m, STARTTLS_REFUSAL_COMMAND,
                               "the server greets with PREAUTH: a session somebody else has logged in");
    if (text_word_is(word, "BYE"))
        return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", line);
    if (!text_word_is(word, "OK"))
        return machine_broken_by(m, "the server's greeting is not one", line);
    machine_enter(m, m->options.upgrade ? CONNECT_STARTTLS : CONNECT_READY);
    return m->options.upgrade ? STARTTLS_NEED_MORE : STARTTLS_READY;
}

static enum starttls_status on_starttls_reply(struct connect *c, struct span tag, struct span word, struct span line)
{
    struct starttls_machine *m = &c->m;

    if (text_word_is(tag, "*")) {
        if (text_word_is(word, "BYE"))
            return machine_refused_by(m, STARTTLS_REFUSAL_GOODBYE, "the server says goodbye instead of starting TLS",
                                      line);
        if (text_word_is(word, "PREAUTH"))
            return machine_broken_by(m, "the server greets twice", line);
        if (c->untagged_lines++ == STARTTLS_IMAP_UNTAGGED_LINES_MAX)
            return machine_broken(m, "the server sent more than %d untagged responses before its answer to STARTTLS",
                                  STARTTLS_IMAP_UNTAGGED_LINES_MAX);
        return STARTTLS_NEED_MORE; /* dropped: the application never sees it */
    }
    if (!span_equal(tag, span_of_string("S1")))
        return machine_broken_by(m, "the server answers something we did not ask", line);
    if (text_word_is(word, "NO") || text_word_is(word, "BAD"))
        return machine_refused_by(m, STARTTLS_REFUSAL_TLS, "the server refuses STARTTLS", line);
    if (!text_word_is(word, "OK"))
        return machine_broken_by(m, "the server sent something that is not a reply", line);
    machine_enter(m, CONNECT_UPGRADE);
    return STARTTLS_UPGRADE;
}

static enum starttls_status connect_line(struct starttls_machine *m, struct span line)
{
    struct connect *c = CONTAINER_OF(m, struct connect, m);
    struct span rest, text;
    bool has_rest, has_text;
    struct span tag = text_word(line, &rest, &has_rest);
    struct span word = text_word(rest, &text, &has_text);

    /* What a literal holds could pass for a reply. */
    if (imap_ends_with_literal(line, NULL))
        return machine_broken_by(m, "the server sent a literal before TLS", line);
    switch ((enum connect_state)m->state) {
    case CONNECT_GREETING:
        return on_greeting(m, tag, word, line);
    case CONNECT_STARTTLS:
        return on_starttls_reply(c, tag, word, line);
    case CONNECT_UPGRADE:
    case CONNECT_READY:
    case CONNECT_STATE_COUNT:
        break;
    }
    return machine_broken_by(m, "the server speaks out of turn", line);
}

/* ---- words ---- */

static void greeting_text(const char *name, struct buffer *out)
{
    text_append(out, "* OK %s\r\n", name); /* no capabilities: the client asks, and the server inside TLS answers */
}

static void failure_text(enum starttls_failure failure, bool greeted, const char *name, struct buffer *out)
{
    /* RFC 5530 section 3; BYE is legal as a greeting and at any time after it (RFC 9051 section 7.1.5). */
    static const char *const replies[] = {
        [STARTTLS_FAILURE_OVERLOAD] = "[UNAVAILABLE] Too busy, try again later",
        [STARTTLS_FAILURE_TLS_UNAVAILABLE] = "[UNAVAILABLE] TLS is not available now",
        [STARTTLS_FAILURE_TARGET_REFUSED] = "[NOPERM] Not allowed",
        [STARTTLS_FAILURE_TARGET_DOWN] = "[UNAVAILABLE] No server answers, try again later",
        [STARTTLS_FAILURE_TARGET_TIMEOUT] = "[UNAVAILABLE] No server answers in time, try again later",
        [STARTTLS_FAILURE_TARGET_UNWILLING] = "[UNAVAILABLE] The server does not want to serve now",
        [STARTTLS_FAILURE_TARGET_SPEECH] = "[UNAVAILABLE] The server's answer is not understood",
        [STARTTLS_FAILURE_TARGET_NO_TLS] = "[PRIVACYREQUIRED] The server offers no TLS",
        [STARTTLS_FAILURE_TARGET_TLS] = "[PRIVACYREQUIRED] The server's TLS cannot be trusted",
        [STARTTLS_FAILURE_IDENTITY] = "[UNAVAILABLE] The key that the server asks of us is not available now",
        [STARTTLS_FAILURE_SHUTDOWN] = "[UNAVAILABLE] Shutting down",
        [STARTTLS_FAILURE_TIMEOUT] = "Timeout",
        [STARTTLS_FAILURE_BAD_REQUEST] = "Not understood",
    };
    static_assert(ARRAY_LEN(replies) == STARTTLS_FAILURE_COUNT, "one reply for each failure");

    (void)greeted;
    (void)name;
    text_append(out, "* BYE %s\r\n", replies[failure]);
}

static const struct machine_class accept_class = {
    .size = sizeof(struct accept),
    .line_bytes_max = STARTTLS_IMAP_LINE_BYTES_MAX,
    .bytes_max = STARTTLS_ACCEPTED_BYTES_MAX,
    .text = LINE_TEXT_EIGHT_BIT,
    .state_names = accept_names,
    .start = accept_start,
    .on_line = accept_line,
    .on_fault = accept_fault,
    .on_hinge = accept_hinge,
};

static const struct machine_class connect_class = {
    .size = sizeof(struct connect),
    .line_bytes_max = STARTTLS_IMAP_LINE_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .text = LINE_TEXT_EIGHT_BIT,
    .state_names = connect_names,
    .says = connect_says,
    .start = machine_start,
    .on_line = connect_line,
    .on_hinge = machine_hinge_in_silence,
};

const struct protocol starttls_imap = {
    .alpn = "imap",
    .accept = &accept_class,
    .connect = &connect_class,
    .probe = &imap_probe_class,
    .filter = &imap_filter_class.class,
    .failure_text = failure_text,
    .greeting_text = greeting_text,
};
