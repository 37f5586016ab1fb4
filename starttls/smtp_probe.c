/* What an SMTP or LMTP server says of itself, asked once; see starttls_probe_create() in starttls/starttls.h
 *
 *   GREETING --220--> HELLO --250--> GOODBYE --any reply--> READY
 *
 * After STARTTLS the server does not greet a second time (RFC 3207 section 4.2): then it begins with HELLO. Goodbye is
 * said, so that the server's log has nothing to wonder at. */
#include "starttls/smtp.h"

enum probe_state { PROBE_GREETING, PROBE_HELLO, PROBE_GOODBYE, PROBE_READY, PROBE_STATE_COUNT };

static const char *const state_names[] = {"PROBE_GREETING", "PROBE_HELLO", "PROBE_GOODBYE", "PROBE_READY"};
static_assert(ARRAY_LEN(state_names) == PROBE_STATE_COUNT, "one name for each state");

struct probe {
    struct starttls_machine m;
    unsigned lines; /* of the reply that is coming in */
    unsigned code;
};

static struct probe *probe_of(struct starttls_machine *m)
{
    return CONTAINER_OF(m, struct probe, m);
}

static void enter(struct starttls_machine *m, enum probe_state state)
{
    m->state = state;
    probe_of(m)->lines = 0;
    switch (state) {
    case PROBE_HELLO:
        machine_say(m, "%s %s\r\n", m->protocol == STARTTLS_LMTP ? "LHLO" : "EHLO", m->options.name);
        break;
    case PROBE_GOODBYE:
        machine_say(m, "QUIT\r\n");
        break;
    case PROBE_GREETING:
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

static enum starttls_status on_reply(struct starttls_machine *m, unsigned code, struct span line)
{
    switch ((enum probe_state)m->state) {
    case PROBE_GREETING:
        if (code != 220)
            return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", line);
        enter(m, PROBE_HELLO);
        return STARTTLS_NEED_MORE;
    case PROBE_HELLO:
        if (code != 250)
            return machine_refused_by(m, STARTTLS_REFUSAL_COMMAND, "the server refuses our EHLO", line);
        enter(m, PROBE_GOODBYE);
        return STARTTLS_NEED_MORE;
    case PROBE_GOODBYE:
        enter(m, PROBE_READY);
        return STARTTLS_READY;
    case PROBE_READY:
    case PROBE_STATE_COUNT:
        break;
    }
    return machine_broken_by(m, "the server speaks out of turn", line);
}

static enum starttls_status on_line(struct starttls_machine *m, struct span line)
{
    struct probe *p = probe_of(m);
    unsigned code = text_reply_code(line);
    struct span parameters;
    bool has_parameters;

    if (code == 0 || (p->lines != 0 && code != p->code))
        return machine_broken_by(m, "the server sent something that is not a reply", line);
    if (p->lines == STARTTLS_SMTP_REPLY_LINES_MAX)
        return machine_broken(m, "the server sent a reply of more than %d lines", STARTTLS_SMTP_REPLY_LINES_MAX);
    p->code = code;
    if (m->state == PROBE_HELLO && code == 250 && p->lines != 0 && line.size > 4)
        machine_note_capability(m, text_word(span_skip(line, 4), &parameters, &has_parameters));
    p->lines++;
    if (line.size > 3 && line.data[3] == '-')
        return STARTTLS_NEED_MORE;
    p->lines = 0;
    return on_reply(m, code, line);
}

const struct machine_class smtp_probe_class = {
    .size = sizeof(struct probe),
    .line_bytes_max = STARTTLS_SMTP_REPLY_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .text = LINE_TEXT_EIGHT_BIT,
    .state_names = state_names,
    .start = start,
    .on_line = on_line,
    .clear = machine_close_capabilities,
};
