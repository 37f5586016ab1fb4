/* POP3 (RFC 1939, RFC 2449) around STLS (RFC 2595 section 4).
 *
 *   accepted:   GREETED --STLS--> UPGRADE          CAPA is answered here, credentials never taken
 *                  `--QUIT--> CLOSED
 *
 *   connected:  GREETING --+OK--> STLS --+OK--> UPGRADE
 *                  `--+OK, nothing to upgrade--> READY
 *
 * Our greeting has no timestamp, so that no client tries APOP: what it would sign came in clear, and from us instead of
 * the server. CAPA is not asked of a server before TLS: whoever can change its answer can take STLS out of it, and the
 * answer to STLS itself is the only one that counts. */
#include "starttls/pop3.h"

enum accept_state { ACCEPT_GREETED, ACCEPT_UPGRADE, ACCEPT_CLOSED, ACCEPT_STATE_COUNT };
enum connect_state { CONNECT_GREETING, CONNECT_STLS, CONNECT_UPGRADE, CONNECT_READY, CONNECT_STATE_COUNT };

static const char *const accept_names[] = {"POP3_GREETED", "POP3_UPGRADE", "POP3_CLOSED"};
static const char *const connect_names[] = {"POP3_GREETING", "POP3_STLS", "POP3_UPGRADE", "POP3_READY"};
static_assert(ARRAY_LEN(accept_names) == ACCEPT_STATE_COUNT, "one name for each state");
static_assert(ARRAY_LEN(connect_names) == CONNECT_STATE_COUNT, "one name for each state");

enum pop3_reply pop3_reply_of(struct span line)
{
    struct span rest = line;
    struct span word = text_next_word(&rest);

    if (word.data != line.data) /* behind a space: no reply begins with one */
        return POP3_REPLY_NONE;
    if (text_word_is(word, "+OK"))
        return POP3_REPLY_OK;
    if (text_word_is(word, "-ERR"))
        return POP3_REPLY_ERR;
    return text_word_is(word, "+") ? POP3_REPLY_CHALLENGE : POP3_REPLY_NONE;
}

/* ---- the accepted side ---- */

struct accept {
    struct starttls_machine m;
    unsigned credentials; /* commands with a user's name, password or proof, all refused */
};

static void greeting_text(const char *name, struct buffer *out)
{
    text_append(out, "+OK %s\r\n", name);
}

/* Nothing on UPGRADE: the go-ahead waits for the hinge. */
static const char *const accept_says[ACCEPT_STATE_COUNT] = {[ACCEPT_CLOSED] = "+OK Bye\r\n"};

static void accept_start(struct starttls_machine *m)
{
    machine_enter(m, ACCEPT_GREETED);
    machine_say(m, "+OK %s\r\n", m->options.name);
}

/* A refused command: its reply, and the end when there were too many. */
static enum starttls_status refuse_command(struct starttls_machine *m, const char *reply)
{
    machine_say(m, "-ERR %s\r\n", reply);
    return machine_refuse_command(m, "-ERR Too many refused commands");
}

/* AUTH without a mechanism asks for their names, as old clients do. */
static bool has_credentials(struct span verb, struct span argument)
{
    return text_word_is(verb, "USER") || text_word_is(verb, "PASS") || text_word_is(verb, "APOP") ||
           (text_word_is(verb, "AUTH") && argument.size != 0);
}

/* A client that goes on after the first refusal would say its password in clear as well, for all who listen: the second
 * one closes. [AUTH], RFC 3206 section 4: an attempt that is against policy. */
static enum starttls_status on_credentials(struct starttls_machine *m)
{
    struct accept *a = CONTAINER_OF(m, struct accept, m);

    machine_say(m, "-ERR [AUTH] Say STLS first: no name or password is taken without TLS\r\n");
    if (++a->credentials < STARTTLS_POP3_CREDENTIALS_MAX)
        return STARTTLS_NEED_MORE;
    return machine_broken(m, "the client gave %d commands with credentials before TLS", STARTTLS_POP3_CREDENTIALS_MAX);
}

static enum starttls_status on_stls(struct starttls_machine *m)
{
    if (!m->options.upgrade)
        return refuse_command(m, "[SYS/TEMP] TLS is not available now");
    machine_enter(m, ACCEPT_UPGRADE);
    return STARTTLS_UPGRADE;
}

/* RFC 2449 section 5. What a server behind us can do besides, it says inside TLS. */
static enum starttls_status on_capa(struct starttls_machine *m)
{
    machine_say(m, "+OK Capabilities follow\r\n%sRESP-CODES\r\nAUTH-RESP-CODE\r\n.\r\n",
                m->options.upgrade ? "STLS\r\n" : "");
    return STARTTLS_NEED_MORE;
}

static enum starttls_status accept_line(struct starttls_machine *m, struct span line)
{
    struct span argument;
    bool has_argument;
    struct span verb = text_word(line, &argument, &has_argument);
    bool is_stls = text_word_is(verb, "STLS"), is_capa = text_word_is(verb, "CAPA");

    /* A browser made to speak to a mail server (X3): no reply a page could read back, one line and the end. */
    if (text_looks_like_http(line, HTTP_LIKENESS_METHOD)) {
        machine_say(m, "-ERR This is not an HTTP server\r\n");
        return machine_broken_by(m, "the client speaks HTTP", text_verb(line));
    }
    if (has_credentials(verb, argument))
        return on_credentials(m);
    if (has_argument && (is_stls || is_capa))
        return refuse_command(m, "No argument is taken");
    if (is_stls)
        return on_stls(m);
    if (is_capa)
        return on_capa(m);
    if (!text_word_is(verb, "QUIT") || has_argument)
        return refuse_command(m, "Unknown command, or not before STLS");
    machine_enter(m, ACCEPT_CLOSED);
    return STARTTLS_CLOSE;
}

static void accept_fault(struct starttls_machine *m, enum line_status fault)
{
    machine_say(m, "-ERR A line %s\r\n", line_fault_text(fault));
}

static void accept_hinge(struct starttls_machine *m, enum hinge hinge)
{
    machine_say(m, hinge == HINGE_CLEAN ? "+OK Begin TLS negotiation now\r\n"
                                        : "-ERR Nothing may follow STLS before TLS\r\n");
}

/* ---- the connected side ---- */

static const char *const connect_says[CONNECT_STATE_COUNT] = {[CONNECT_STLS] = "STLS\r\n"};

static enum starttls_status connect_line(struct starttls_machine *m, struct span line)
{
    enum pop3_reply reply = pop3_reply_of(line);

    if (reply != POP3_REPLY_OK && reply != POP3_REPLY_ERR)
        return machine_broken_by(m, "the server sent something that is not a reply", line);
    switch ((enum connect_state)m->state) {
    case CONNECT_GREETING:
        if (reply == POP3_REPLY_ERR)
            return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", line);
        machine_enter(m, m->options.upgrade ? CONNECT_STLS : CONNECT_READY);
        return m->options.upgrade ? STARTTLS_NEED_MORE : STARTTLS_READY;
    case CONNECT_STLS:
        /* No way back to plain text, whatever the server says: somebody else may be saying it. */
        if (reply == POP3_REPLY_ERR)
            return machine_refused_by(m, STARTTLS_REFUSAL_TLS, "the server refuses STLS", line);
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
    /* RFC 2449 section 8, RFC 3206: SYS/TEMP may pass by itself, SYS/PERM needs somebody. */
    static const char *const replies[] = {
        [STARTTLS_FAILURE_OVERLOAD] = "[SYS/TEMP] Too busy, try again later",
        [STARTTLS_FAILURE_TLS_UNAVAILABLE] = "[SYS/TEMP] TLS is not available now",
        [STARTTLS_FAILURE_TARGET_REFUSED] = "[SYS/PERM] Not allowed",
        [STARTTLS_FAILURE_TARGET_DOWN] = "[SYS/TEMP] No server answers, try again later",
        [STARTTLS_FAILURE_TARGET_TIMEOUT] = "[SYS/TEMP] No server answers in time, try again later",
        [STARTTLS_FAILURE_TARGET_UNWILLING] = "[SYS/TEMP] The server does not want to serve now, try again later",
        [STARTTLS_FAILURE_TARGET_SPEECH] = "[SYS/TEMP] The server's answer is not understood",
        [STARTTLS_FAILURE_TARGET_NO_TLS] = "[SYS/PERM] The server offers no TLS",
        [STARTTLS_FAILURE_TARGET_TLS] = "[SYS/PERM] The server's TLS cannot be trusted",
        [STARTTLS_FAILURE_IDENTITY] = "[SYS/TEMP] The key that the server asks of us is not available now",
        [STARTTLS_FAILURE_SHUTDOWN] = "[SYS/TEMP] Shutting down",
        [STARTTLS_FAILURE_TIMEOUT] = "Timeout",
        [STARTTLS_FAILURE_BAD_REQUEST] = "Not understood",
    };
    static_assert(ARRAY_LEN(replies) == STARTTLS_FAILURE_COUNT, "one reply for each failure");

    (void)greeted; /* the same words are right as a greeting and as the answer to any command */
    (void)name;
    text_append(out, "-ERR %s\r\n", replies[failure]);
}

static const struct machine_class accept_class = {
    .size = sizeof(struct accept),
    .line_bytes_max = STARTTLS_POP3_COMMAND_BYTES_MAX,
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
    .line_bytes_max = STARTTLS_POP3_REPLY_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .text = LINE_TEXT_EIGHT_BIT,
    .state_names = connect_names,
    .says = connect_says,
    .start = machine_start,
    .on_line = connect_line,
    .on_hinge = machine_hinge_in_silence,
};

const struct protocol starttls_pop3 = {
    .alpn = "pop3",
    .accept = &accept_class,
    .connect = &connect_class,
    .probe = &pop3_probe_class.class,
    .filter = &pop3_filter_class.lines.class,
    .failure_text = failure_text,
    .greeting_text = greeting_text,
};
