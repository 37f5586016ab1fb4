/* What an NNTP server says of itself, asked once; see starttls_probe_create() in starttls/starttls.h
 *
 *   GREETING --200, 201--> HELLO (CAPABILITIES) --101--> LIST --"."--> GOODBYE (QUIT) --any reply--> READY
 *                                   `--5xx: it is older than RFC 3977--> GOODBYE
 *
 * After STARTTLS the server does not greet a second time (RFC 4642 section 2.2.2): then it begins with HELLO. */
#include "starttls/nntp.h"

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
        machine_say(m, "CAPABILITIES\r\n");
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
    if (p->lines++ == STARTTLS_NNTP_CAPABILITIES_MAX)
        return machine_broken(m, "the server sent a list of more than %d capabilities", STARTTLS_NNTP_CAPABILITIES_MAX);
    machine_note_capability(m, text_word(line, &parameters, &has_parameters));
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_line(struct starttls_machine *m, struct span line)
{
    unsigned code = nntp_reply_code(line);

    if (m->state == PROBE_LIST)
        return on_listed(m, line);
    if (code == 0)
        return machine_broken_by(m, "the server sent something that is not a reply", line);
    switch ((enum probe_state)m->state) {
    case PROBE_GREETING:
        if (code != NNTP_POSTING_ALLOWED && code != NNTP_POSTING_PROHIBITED)
            return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", line);
        enter(m, PROBE_HELLO);
        return STARTTLS_NEED_MORE;
    case PROBE_HELLO:
        if (code == 400)
            return machine_refused_by(m, STARTTLS_REFUSAL_GOODBYE, "the server said goodbye", line);
        enter(m, code == NNTP_CAPABILITIES_FOLLOW ? PROBE_LIST : PROBE_GOODBYE);
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

const struct machine_class nntp_probe_class = {
    .size = sizeof(struct probe),
    .line_bytes_max = STARTTLS_NNTP_REPLY_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .text = LINE_TEXT_EIGHT_BIT,
    .state_names = state_names,
    .start = start,
    .on_line = on_line,
    .clear = machine_close_capabilities,
};
