/* NNTP (RFC 3977) around STARTTLS (RFC 4642).
 *
 *   accepted:   GREETED --STARTTLS--> UPGRADE      CAPABILITIES are told here, all else needs TLS
 *                  `--QUIT--> CLOSED
 *
 *   connected:  GREETING --200, 201--> STARTTLS --382--> UPGRADE
 *                  `--200, 201, nothing to upgrade--> READY
 *
 * Whether one may post is in the code of the greeting, and a client may go by it; so that one bit of what a server says
 * in clear is given to the client. The worst that can be done with it is a client that does not try. CAPABILITIES are
 * not asked of a server before TLS: whoever can change the answer can take STARTTLS out of it. */
#include "starttls/nntp.h"

#include <stdlib.h>

enum accept_state { ACCEPT_GREETED, ACCEPT_UPGRADE, ACCEPT_CLOSED, ACCEPT_STATE_COUNT };
enum connect_state { CONNECT_GREETING, CONNECT_STARTTLS, CONNECT_UPGRADE, CONNECT_READY, CONNECT_STATE_COUNT };

static const char *const accept_names[] = {"NNTP_GREETED", "NNTP_UPGRADE", "NNTP_CLOSED"};
static const char *const connect_names[] = {"NNTP_GREETING", "NNTP_STARTTLS", "NNTP_UPGRADE", "NNTP_READY"};
static_assert(ARRAY_LEN(accept_names) == ACCEPT_STATE_COUNT, "one name for each state");
static_assert(ARRAY_LEN(connect_names) == CONNECT_STATE_COUNT, "one name for each state");

unsigned nntp_reply_code(struct span line)
{
    unsigned code = 0;

    if (line.size < 3 || line.data[0] < '1' || line.data[0] > '5' || (line.size > 3 && line.data[3] > ' '))
        return 0;
    for (size_t i = 0; i < 3; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return 0;
        code = code * 10 + (unsigned)(line.data[i] - '0');
    }
    return code;
}

/* ---- the accepted side ---- */

/* Nothing on UPGRADE: the go-ahead waits for the hinge. */
static const char *const accept_says[ACCEPT_STATE_COUNT] = {[ACCEPT_CLOSED] = "205 Bye\r\n"};

static void accept_start(struct starttls_machine *m)
{
    machine_enter(m, ACCEPT_GREETED);
    machine_say(m, "200 %s\r\n", m->options.name);
}

/* A refused command: its reply, and the end when there were too many. */
static enum starttls_status refuse_command(struct starttls_machine *m, const char *reply)
{
    machine_say(m, "%s\r\n", reply);
    return machine_refuse_command(m, "400 Too many refused commands");
}

static enum starttls_status on_starttls(struct starttls_machine *m, bool has_argument)
{
    if (has_argument)
        return refuse_command(m, "501 STARTTLS takes no argument");
    if (!m->options.upgrade)
        return refuse_command(m, "580 TLS is not available now");
    machine_enter(m, ACCEPT_UPGRADE);
    return STARTTLS_UPGRADE;
}

/* RFC 3977 section 5.2. What a server behind us can do besides, it says inside TLS. */
static enum starttls_status on_capabilities(struct starttls_machine *m)
{
    machine_say(m, "101 Capabilities follow\r\nVERSION 2\r\nREADER\r\n%s.\r\n",
                m->options.upgrade ? "STARTTLS\r\n" : "");
    return STARTTLS_NEED_MORE;
}

static enum starttls_status accept_line(struct starttls_machine *m, struct span line)
{
    struct span argument;
    bool has_argument;
    struct span verb = text_word(line, &argument, &has_argument);

    /* A browser made to speak to a news server (X3): no reply a page could read back, one line and the end. */
    if (text_looks_like_http(line, HTTP_LIKENESS_REQUEST_LINE)) {
        machine_say(m, "400 This is not an HTTP server\r\n");
        return machine_broken_by(m, "the client speaks HTTP", text_verb(line));
    }
    if (text_word_is(verb, "STARTTLS"))
        return on_starttls(m, has_argument);
    if (text_word_is(verb, "CAPABILITIES"))
        return on_capabilities(m);
    if (!text_word_is(verb, "QUIT") || has_argument)
        return refuse_command(m, "483 Say STARTTLS first");
    machine_enter(m, ACCEPT_CLOSED);
    return STARTTLS_CLOSE;
}

static void accept_fault(struct starttls_machine *m, enum line_status fault)
{
    machine_say(m, "501 A line %s\r\n", line_fault_text(fault));
}

static void accept_hinge(struct starttls_machine *m, enum hinge hinge)
{
    machine_say(m, hinge == HINGE_CLEAN ? "382 Begin TLS negotiation now\r\n"
                                        : "501 Nothing may follow STARTTLS before TLS\r\n");
}

/* ---- the connected side ---- */

static const char *const connect_says[CONNECT_STATE_COUNT] = {[CONNECT_STARTTLS] = "STARTTLS\r\n"};

static enum starttls_status on_greeting(struct starttls_machine *m, unsigned code, struct span line)
{
    char *greeting;
    bool kept;

    if (code != NNTP_POSTING_ALLOWED && code != NNTP_POSTING_PROHIBITED)
        return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", line);
    greeting = base_printf("%u %s", code, m->options.name); /* the code is the server's, the words are ours */
    kept = machine_keep_greeting(m, span_of_string(greeting));
    free(greeting);
    if (!kept)
        return machine_broken(m, "our greeting is longer than %d bytes", STARTTLS_GREETING_BYTES_MAX);
    machine_enter(m, m->options.upgrade ? CONNECT_STARTTLS : CONNECT_READY);
    return m->options.upgrade ? STARTTLS_NEED_MORE : STARTTLS_READY;
}

static enum starttls_status connect_line(struct starttls_machine *m, struct span line)
{
    unsigned code = nntp_reply_code(line);

    if (code == 0)
        return machine_broken_by(m, "the server sent something that is not a reply", line);
    switch ((enum connect_state)m->state) {
    case CONNECT_GREETING:
        return on_greeting(m, code, line);
    case CONNECT_STARTTLS:
        /* No way back to plain text, whatever the server says: somebody else may be saying it. */
        if (code != NNTP_BEGIN_TLS)
            return machine_refused_by(m, code == 400 ? STARTTLS_REFUSAL_GOODBYE : STARTTLS_REFUSAL_TLS,
                                      code == 400 ? "the server said goodbye" : "the server refuses STARTTLS", line);
        machine_enter(m, CONNECT_UPGRADE);
        return STARTTLS_UPGRADE;
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
    /* RFC 3977 section 3.2.1: 400 closes, as a greeting and as the answer to any command; 502 will not change by
     * itself. */
    static const char *const replies[] = {
        [STARTTLS_FAILURE_OVERLOAD] = "400 Too busy, try again later",
        [STARTTLS_FAILURE_TLS_UNAVAILABLE] = "400 TLS is not available now",
        [STARTTLS_FAILURE_TARGET_REFUSED] = "502 Not allowed",
        [STARTTLS_FAILURE_TARGET_DOWN] = "400 No server answers, try again later",
        [STARTTLS_FAILURE_TARGET_TIMEOUT] = "400 No server answers in time, try again later",
        [STARTTLS_FAILURE_TARGET_UNWILLING] = "400 The server does not want to serve now, try again later",
        [STARTTLS_FAILURE_TARGET_SPEECH] = "400 The server's answer is not understood",
        [STARTTLS_FAILURE_TARGET_NO_TLS] = "400 The server offers no TLS",
        [STARTTLS_FAILURE_TARGET_TLS] = "400 The server's TLS cannot be trusted",
        [STARTTLS_FAILURE_IDENTITY] = "400 The key that the server asks of us is not available now",
        [STARTTLS_FAILURE_SHUTDOWN] = "400 Shutting down",
        [STARTTLS_FAILURE_TIMEOUT] = "400 Timeout",
        [STARTTLS_FAILURE_BAD_REQUEST] = "400 Not understood",
    };
    static_assert(ARRAY_LEN(replies) == STARTTLS_FAILURE_COUNT, "one reply for each failure");

    (void)greeted;
    (void)name;
    text_append(out, "%s\r\n", replies[failure]);
}

static const struct machine_class accept_class = {
    .size = sizeof(struct starttls_machine),
    .line_bytes_max = STARTTLS_NNTP_COMMAND_BYTES_MAX,
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
    .size = sizeof(struct starttls_machine),
    .line_bytes_max = STARTTLS_NNTP_REPLY_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .text = LINE_TEXT_EIGHT_BIT,
    .state_names = connect_names,
    .says = connect_says,
    .start = machine_start,
    .on_line = connect_line,
    .on_hinge = machine_hinge_in_silence,
};

const struct protocol starttls_nntp = {
    .alpn = "nntp",
    .accept = &accept_class,
    .connect = &connect_class,
    .probe = &nntp_probe_class.class,
    .filter = &nntp_filter_class.lines.class,
    .failure_text = failure_text,
};
