/* SMTP (RFC 5321) and LMTP (RFC 2033) around STARTTLS (RFC 3207).
 *
 *   accepted:   GREETED --EHLO--> HELLO --STARTTLS--> UPGRADE          the whole plain-text phase is answered here; the
 *                  `--QUIT--> CLOSED <--QUIT--'                        server behind us never hears of it
 *
 *   connected:  GREETING --220--> EHLO --250--> STARTTLS --220--> UPGRADE
 *                  `--220, nothing to upgrade--> READY
 *
 * The client must forget what it learnt before TLS and greet again (RFC 3207 section 4.2), so before TLS it is offered
 * STARTTLS and nothing else: no PIPELINING, no AUTH, no SIZE. */
#include "starttls/smtp.h"

enum accept_state { ACCEPT_GREETED, ACCEPT_HELLO, ACCEPT_UPGRADE, ACCEPT_CLOSED, ACCEPT_STATE_COUNT };
enum connect_state {
    CONNECT_GREETING,
    CONNECT_EHLO,
    CONNECT_STARTTLS,
    CONNECT_UPGRADE,
    CONNECT_READY,
    CONNECT_STATE_COUNT
};

static const char *const accept_names[] = {"SMTP_GREETED", "SMTP_HELLO", "SMTP_UPGRADE", "SMTP_CLOSED"};
static const char *const connect_names[] = {"SMTP_GREETING", "SMTP_EHLO", "SMTP_STARTTLS", "SMTP_UPGRADE",
                                            "SMTP_READY"};
static_assert(ARRAY_LEN(accept_names) == ACCEPT_STATE_COUNT, "one name for each state");
static_assert(ARRAY_LEN(connect_names) == CONNECT_STATE_COUNT, "one name for each state");

/* ---- the accepted side ---- */

static void greeting_text(const char *name, struct buffer *out)
{
    text_append(out, "220 %s ESMTP\r\n", name);
}

static void lmtp_greeting_text(const char *name, struct buffer *out)
{
    text_append(out, "220 %s LMTP\r\n", name);
}

static void accept_enter(struct starttls_machine *m, enum accept_state state)
{
    m->state = state;
    switch (state) {
    case ACCEPT_GREETED:
        machine_say(m, "220 %s %s\r\n", m->options.name, m->protocol == STARTTLS_LMTP ? "LMTP" : "ESMTP");
        break;
    case ACCEPT_CLOSED:
        machine_say(m, "221 2.0.0 Bye\r\n");
        break;
    case ACCEPT_HELLO:
    case ACCEPT_UPGRADE: /* the go-ahead waits for the hinge */
    case ACCEPT_STATE_COUNT:
        break;
    }
}

static void accept_start(struct starttls_machine *m)
{
    accept_enter(m, ACCEPT_GREETED);
}

/* A refused command: its reply, and the end when there were too many. */
static enum starttls_status refuse_command(struct starttls_machine *m, const char *reply)
{
    machine_say(m, "%s\r\n", reply);
    return machine_refuse_command(m, "421 4.7.0 Too many refused commands");
}

/* One domain or address literal: printable, without spaces. It is never repeated to anyone. */
static bool is_hello_name(struct span name)
{
    if (name.size == 0 || name.size > STARTTLS_SMTP_HELLO_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~')
            return false;
    return true;
}

static enum starttls_status on_hello(struct starttls_machine *m, struct span name)
{
    if (!is_hello_name(name))
        return refuse_command(m, "501 5.5.4 A host name is needed");
    machine_say(m, "250-%s\r\n", m->options.name);
    if (m->protocol == STARTTLS_LMTP) /* RFC 2033 section 5 demands it */
        machine_say(m, "250-PIPELINING\r\n");
    machine_say(m, m->options.upgrade ? "250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n" : "250 ENHANCEDSTATUSCODES\r\n");
    accept_enter(m, ACCEPT_HELLO);
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_helo(struct starttls_machine *m, struct span name)
{
    if (!is_hello_name(name))
        return refuse_command(m, "501 5.5.4 A host name is needed");
    machine_say(m, "250 %s\r\n", m->options.name);
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_starttls(struct starttls_machine *m, struct span argument)
{
    if (argument.size != 0)
        return refuse_command(m, "501 5.5.4 STARTTLS takes no argument");
    if (!m->options.upgrade)
        return refuse_command(m, "454 4.7.0 TLS is not available now");
    if (m->state != ACCEPT_HELLO)
        return refuse_command(m,
                              m->protocol == STARTTLS_LMTP ? "503 5.5.1 Say LHLO first" : "503 5.5.1 Say EHLO first");
    accept_enter(m, ACCEPT_UPGRADE);
    return STARTTLS_UPGRADE;
}

static enum starttls_status on_no_argument(struct starttls_machine *m, struct span argument,
                                           enum starttls_status status)
{
    if (argument.size != 0)
        return refuse_command(m, "501 5.5.4 No argument is taken");
    if (status == STARTTLS_CLOSE)
        accept_enter(m, ACCEPT_CLOSED);
    else
        machine_say(m, "250 2.0.0 OK\r\n");
    return status;
}

/* "Receivers SHOULD tolerate trailing white space before the terminating <CRLF>", RFC 5321 section 4.1.1. */
static struct span trim_end(struct span s)
{
    while (s.size != 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

static enum starttls_status accept_line(struct starttls_machine *m, struct span line)
{
    bool lmtp = m->protocol == STARTTLS_LMTP;
    struct span argument;
    bool has_argument;
    struct span verb = text_word(trim_end(line), &argument, &has_argument);

    /* A browser made to speak to a mail server (X3): no reply a page could read back, one line and the end. */
    if (text_looks_like_http(line, HTTP_LIKENESS_METHOD)) {
        machine_say(m, "500 5.5.1 This is not an HTTP server\r\n");
        return machine_broken_by(m, "the client speaks HTTP", verb);
    }
    if (text_word_is(verb, lmtp ? "LHLO" : "EHLO"))
        return on_hello(m, argument);
    if (text_word_is(verb, "HELO") && !lmtp)
        return on_helo(m, argument);
    if (text_word_is(verb, "EHLO") || text_word_is(verb, "HELO") || text_word_is(verb, "LHLO"))
        return refuse_command(m, lmtp ? "500 5.5.1 This is LMTP: say LHLO" : "500 5.5.1 This is not LMTP");
    if (text_word_is(verb, "STARTTLS"))
        return on_starttls(m, argument);
    if (text_word_is(verb, "NOOP")) { /* its argument is legal and without meaning */
        machine_say(m, "250 2.0.0 OK\r\n");
        return STARTTLS_NEED_MORE;
    }
    if (text_word_is(verb, "RSET"))
        return on_no_argument(m, argument, STARTTLS_NEED_MORE);
    if (text_word_is(verb, "QUIT"))
        return on_no_argument(m, argument, STARTTLS_CLOSE);
    return refuse_command(m, "530 5.7.0 Must issue a STARTTLS command first");
}

static void accept_fault(struct starttls_machine *m, enum line_status fault)
{
    machine_say(m, "500 5.5.2 A line %s\r\n", line_fault_text(fault));
}

static void accept_hinge(struct starttls_machine *m, enum hinge hinge)
{
    machine_say(m, hinge == HINGE_CLEAN ? "220 2.0.0 Ready to start TLS\r\n"
                                        : "501 5.5.2 Nothing may follow STARTTLS before TLS\r\n");
}

/* ---- the connected side ---- */

struct connect {
    struct starttls_machine m;
    unsigned reply_lines; /* of the reply that is coming in */
    unsigned reply_code;
    bool offers_starttls;
};

static void connect_enter(struct starttls_machine *m, enum connect_state state)
{
    m->state = state;
    switch (state) {
    case CONNECT_EHLO:
        machine_say(m, "%s %s\r\n", m->protocol == STARTTLS_LMTP ? "LHLO" : "EHLO", m->options.name);
        break;
    case CONNECT_STARTTLS:
        machine_say(m, "STARTTLS\r\n");
        break;
    case CONNECT_GREETING:
    case CONNECT_UPGRADE:
    case CONNECT_READY:
    case CONNECT_STATE_COUNT:
        break;
    }
}

static void connect_start(struct starttls_machine *m)
{
    connect_enter(m, CONNECT_GREETING);
}

/* "421 Service not available, closing transmission channel": may answer any command (RFC 5321 section 3.8). */
static enum starttls_refusal refusal_of(unsigned reply_code, enum starttls_refusal otherwise)
{
    return reply_code == 421 ? STARTTLS_REFUSAL_GOODBYE : otherwise;
}

/* The last line of a reply. Whatever else the server says, STARTTLS it must be: there is no way back to plain text. */
static enum starttls_status on_reply(struct connect *c, struct span line)
{
    struct starttls_machine *m = &c->m;

    switch ((enum connect_state)m->state) {
    case CONNECT_GREETING:
        if (c->reply_code != 220)
            return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", line);
        connect_enter(m, m->options.upgrade ? CONNECT_EHLO : CONNECT_READY);
        return m->options.upgrade ? STARTTLS_NEED_MORE : STARTTLS_READY;
    case CONNECT_EHLO:
        if (c->reply_code != 250)
            return machine_refused_by(m, refusal_of(c->reply_code, STARTTLS_REFUSAL_COMMAND),
                                      "the server refuses our EHLO", line);
        if (!c->offers_starttls)
            return machine_refused(m, STARTTLS_REFUSAL_NO_TLS, "the server does not offer STARTTLS");
        connect_enter(m, CONNECT_STARTTLS);
        return STARTTLS_NEED_MORE;
    case CONNECT_STARTTLS:
        if (c->reply_code != 220)
            return machine_refused_by(m, refusal_of(c->reply_code, STARTTLS_REFUSAL_TLS), "the server refuses STARTTLS",
                                      line);
        connect_enter(m, CONNECT_UPGRADE);
        return STARTTLS_UPGRADE;
    case CONNECT_UPGRADE:
    case CONNECT_READY:
    case CONNECT_STATE_COUNT:
        break;
    }
    return machine_broken_by(m, "the server speaks out of turn", line);
}

static enum starttls_status connect_line(struct starttls_machine *m, struct span line)
{
    struct connect *c = CONTAINER_OF(m, struct connect, m);
    unsigned code = text_reply_code(line);
    struct span parameters;
    bool has_parameters;

    if (code == 0 || (c->reply_lines != 0 && code != c->reply_code))
        return machine_broken_by(m, "the server sent something that is not a reply", line);
    if (c->reply_lines == STARTTLS_SMTP_REPLY_LINES_MAX)
        return machine_broken(m, "the server sent a reply of more than %d lines", STARTTLS_SMTP_REPLY_LINES_MAX);
    c->reply_code = code;
    /* The first line of the reply to EHLO is the server's name, whatever it looks like. */
    if (m->state == CONNECT_EHLO && c->reply_lines != 0 && line.size > 4 &&
        span_equal_nocase(text_word(span_skip(line, 4), &parameters, &has_parameters), span_of_string("STARTTLS")))
        c->offers_starttls = true;
    c->reply_lines++;
    if (line.size > 3 && line.data[3] == '-')
        return STARTTLS_NEED_MORE;
    c->reply_lines = 0;
    return on_reply(c, line);
}

/* ---- words ---- */

static void failure_text(enum starttls_failure failure, bool greeted, const char *name, struct buffer *out)
{
    /* RFC 5321 section 3.8, RFC 3463: a mail server that hears 421 tries again later. */
    static const struct {
        const char *code, *text;
    } replies[] = {
        [STARTTLS_FAILURE_OVERLOAD] = {"421 4.3.2", "Too busy, try again later"},
        [STARTTLS_FAILURE_TLS_UNAVAILABLE] = {"421 4.7.0", "TLS is not available now"},
        [STARTTLS_FAILURE_TARGET_REFUSED] = {"554 5.7.1", "Not allowed"},
        [STARTTLS_FAILURE_TARGET_DOWN] = {"421 4.3.2", "No server answers, try again later"},
        [STARTTLS_FAILURE_TARGET_TIMEOUT] = {"421 4.3.2", "No server answers in time, try again later"},
        [STARTTLS_FAILURE_TARGET_UNWILLING] = {"421 4.3.2", "The server does not want to serve now, try again later"},
        [STARTTLS_FAILURE_TARGET_SPEECH] = {"421 4.3.0", "The server's answer is not understood"},
        [STARTTLS_FAILURE_TARGET_NO_TLS] = {"421 4.7.0", "The server offers no TLS"},
        [STARTTLS_FAILURE_TARGET_TLS] = {"421 4.7.0", "The server's TLS cannot be trusted"},
        [STARTTLS_FAILURE_IDENTITY] = {"421 4.3.0", "The key that the server asks of us is not available now"},
        [STARTTLS_FAILURE_SHUTDOWN] = {"421 4.3.2", "Shutting down"},
        [STARTTLS_FAILURE_TIMEOUT] = {"421 4.4.2", "Timeout"},
        [STARTTLS_FAILURE_BAD_REQUEST] = {"421 5.5.2", "Not understood"},
    };
    static_assert(ARRAY_LEN(replies) == STARTTLS_FAILURE_COUNT, "one reply for each failure");

    (void)greeted; /* the same words are right as a greeting and as the answer to any command */
    text_append(out, "%s %s %s\r\n", replies[failure].code, name, replies[failure].text);
}

static const struct machine_class accept_class = {
    .size = sizeof(struct starttls_machine),
    .line_bytes_max = STARTTLS_SMTP_COMMAND_BYTES_MAX,
    .bytes_max = STARTTLS_ACCEPTED_BYTES_MAX,
    .text = LINE_TEXT_ASCII,
    .state_names = accept_names,
    .start = accept_start,
    .on_line = accept_line,
    .on_fault = accept_fault,
    .on_hinge = accept_hinge,
};

static const struct machine_class connect_class = {
    .size = sizeof(struct connect),
    .line_bytes_max = STARTTLS_SMTP_REPLY_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .text = LINE_TEXT_ASCII,
    .state_names = connect_names,
    .start = connect_start,
    .on_line = connect_line,
    .on_hinge = machine_hinge_in_silence,
};

const struct protocol starttls_smtp = {
    .accept = &accept_class,
    .connect = &connect_class,
    .probe = &smtp_probe_class,
    .filter = &smtp_filter_class.class,
    .failure_text = failure_text,
    .greeting_text = greeting_text,
};

const struct protocol starttls_lmtp = {
    .accept = &accept_class,
    .connect = &connect_class,
    .probe = &smtp_probe_class,
    .filter = &smtp_filter_class.class,
    .failure_text = failure_text,
    .greeting_text = lmtp_greeting_text,
};
