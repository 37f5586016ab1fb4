/* What an IMAP server says of itself, asked once; see starttls_probe_create() in starttls/starttls.h
 *
 *   GREETING --"* OK"--> HELLO (CAPABILITY) --"* CAPABILITY", OK--> GOODBYE (LOGOUT) --tagged--> READY
 *
 * After STARTTLS the server does not greet a second time (RFC 9051 section 6.2.1): then it begins with HELLO. */
#include "starttls/imap.h"
#include "starttls/imap_syntax.h"

enum probe_state { PROBE_GREETING, PROBE_HELLO, PROBE_GOODBYE, PROBE_READY, PROBE_STATE_COUNT };

static const char *const state_names[] = {"PROBE_GREETING", "PROBE_HELLO", "PROBE_GOODBYE", "PROBE_READY"};
static_assert(ARRAY_LEN(state_names) == PROBE_STATE_COUNT, "one name for each state");

struct probe {
    struct starttls_machine m;
    unsigned untagged_lines; /* since the last command */
};

static struct probe *probe_of(struct starttls_machine *m)
{
    return CONTAINER_OF(m, struct probe, m);
}

static void enter(struct starttls_machine *m, enum probe_state state)
{
    m->state = state;
    probe_of(m)->untagged_lines = 0;
    switch (state) {
    case PROBE_HELLO:
        machine_say(m, "P1 CAPABILITY\r\n");
        break;
    case PROBE_GOODBYE:
        machine_say(m, "P2 LOGOUT\r\n");
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

static enum starttls_status on_untagged(struct starttls_machine *m, struct span word, struct span text,
                                        struct span line)
{
    if (m->state == PROBE_GREETING) {
        if (text_word_is(word, "PREAUTH"))
            return machine_refused(m, STARTTLS_REFUSAL_COMMAND,
                                   "the server greets with PREAUTH: a session somebody else has logged in");
        if (text_word_is(word, "BYE"))
            return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", line);
        if (!text_word_is(word, "OK"))
            return machine_broken_by(m, "the server's greeting is not one", line);
        enter(m, PROBE_HELLO);
        return STARTTLS_NEED_MORE;
    }
    if (probe_of(m)->untagged_lines++ == STARTTLS_IMAP_UNTAGGED_LINES_MAX)
        return machine_broken(m, "the server sent more than %d untagged responses to one command",
                              STARTTLS_IMAP_UNTAGGED_LINES_MAX);
    if (m->state == PROBE_HELLO && text_word_is(word, "BYE"))
        return machine_refused_by(m, STARTTLS_REFUSAL_GOODBYE, "the server says goodbye", line);
    if (m->state == PROBE_HELLO && text_word_is(word, "CAPABILITY"))
        while (text.size != 0) {
            struct span rest;
            bool has_rest;

            machine_note_capability(m, text_word(text, &rest, &has_rest));
            text = rest;
        }
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_line(struct starttls_machine *m, struct span line)
{
    struct span rest, text;
    bool has_rest, has_text;
    struct span tag = text_word(line, &rest, &has_rest);
    struct span word = text_word(rest, &text, &has_text);

    if (imap_ends_with_literal(line, NULL))
        return machine_broken_by(m, "the server sent a literal before anybody logged in", line);
    if (text_word_is(tag, "*"))
        return on_untagged(m, word, text, line);
    switch ((enum probe_state)m->state) {
    case PROBE_HELLO:
        if (!span_equal(tag, span_of_string("P1")))
            break;
        if (!text_word_is(word, "OK"))
            return machine_refused_by(m, STARTTLS_REFUSAL_COMMAND, "the server refuses CAPABILITY", line);
        enter(m, PROBE_GOODBYE);
        return STARTTLS_NEED_MORE;
    case PROBE_GOODBYE:
        if (!span_equal(tag, span_of_string("P2")))
            break;
        enter(m, PROBE_READY);
        return STARTTLS_READY;
    case PROBE_GREETING:
    case PROBE_READY:
    case PROBE_STATE_COUNT:
        break;
    }
    return machine_broken_by(m, "the server answers something we did not ask", line);
}

const struct machine_class imap_probe_class = {
    .size = sizeof(struct probe),
    .line_bytes_max = STARTTLS_IMAP_LINE_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .text = LINE_TEXT_EIGHT_BIT,
    .state_names = state_names,
    .start = start,
    .on_line = on_line,
    .clear = machine_close_capabilities,
};
