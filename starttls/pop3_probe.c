/* What a POP3 server says of itself, asked once; see starttls_probe_create() in starttls/starttls.h
 *
 *   GREETING --+OK--> HELLO (CAPA) --+OK--> LIST --"."--> GOODBYE (QUIT) --any reply--> READY
 *                       `--"-ERR": it has no CAPA (RFC 2449 is newer than POP3)--> GOODBYE
 *
 * After STLS the server does not greet a second time (RFC 2595 section 4): then it begins with HELLO. */
#include "starttls/pop3.h"

enum probe_state { PROBE_GREETING, PROBE_HELLO, PROBE_LIST, PROBE_GOODBYE, PROBE_READY, PROBE_STATE_COUNT };

static const char *const state_names[] = {"PROBE_GREETING", "PROBE_HELLO", "PROBE_LIST", "PROBE_GOODBYE",
                                          "PROBE_READY"};
static_assert(ARRAY_LEN(state_names) == PROBE_STATE_COUNT, "one name for each state");

struct probe {
    struct starttls_machine m;
    unsigned lines; /* of the list */
};

static void enter(struct starttls_machine *m, enum probe_state state)
{
    m->state = state;
    switch (state) {
    case PROBE_HELLO:
        machine_say(m, "CAPA\r\n");
        break;
    case PROBE_GOODBYE:
        machine_say(m, "QUIT\r\n");
        break;
    case PROBE_GREETING:
    case PROBE_LIST:
    case PROBE_READY:
    case PROBE_STATE_COUNT:
        break;
    }
}

static void start(struct starttls_machine *m)
{
    machine_open_capabilities(m);
    enter(m, m->options.upgrade ? PROBE_HELLO : PROBE_GREETING);
}

static enum starttls_status on_listed(struct starttls_machine *m, struct span line)
{
    struct probe *p = CONTAINER_OF(m, struct probe, m);
    struct span parameters;
    bool has_parameters;

    if (span_equal(line, span_of_string("."))) {
        enter(m, PROBE_GOODBYE);
        return STARTTLS_NEED_MORE;
    }
    if (p->lines++ == STARTTLS_POP3_CAPABILITIES_MAX)
        return machine_broken(m, "the server sent a list of more than %d capabilities", STARTTLS_POP3_CAPABILITIES_MAX);
    machine_note_capability(m, text_word(line, &parameters, &has_parameters));
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_line(struct starttls_machine *m, struct span line)
{
    enum pop3_reply reply = pop3_reply_of(line);

    if (m->state == PROBE_LIST)
        return on_listed(m, line);
    if (reply != POP3_REPLY_OK && reply != POP3_REPLY_ERR)
        return machine_broken_by(m, "the server sent something that is not a reply", line);
    switch ((enum probe_state)m->state) {
    case PROBE_GREETING:
        if (reply == POP3_REPLY_ERR)
            return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", line);
        enter(m, PROBE_HELLO);
        return STARTTLS_NEED_MORE;
    case PROBE_HELLO:
        enter(m, reply == POP3_REPLY_OK ? PROBE_LIST : PROBE_GOODBYE);
        return STARTTLS_NEED_MORE;
    case PROBE_GOODBYE:
        enter(m, PROBE_READY);
        return STARTTLS_READY;
    case PROBE_LIST:
    case PROBE_READY:
    case PROBE_STATE_COUNT:
        break;
    }
    return machine_broken_by(m, "the server speaks out of turn", line);
}

const struct machine_class pop3_probe_class = {
    .size = sizeof(struct probe),
    .line_bytes_max = STARTTLS_POP3_REPLY_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .text = LINE_TEXT_EIGHT_BIT,
    .state_names = state_names,
    .start = start,
    .on_line = on_line,
    .clear = machine_close_capabilities,
};
