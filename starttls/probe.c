/* What a server says of itself, asked once: "yett check --live". See starttls_probe_create() in starttls/starttls.h
 *
 *   smtp, lmtp:   GREETING --220--> HELLO --250--> GOODBYE --any reply--> READY
 *   imap:         GREETING --* OK--> HELLO (CAPABILITY) --* CAPABILITY, OK--> GOODBYE (LOGOUT) --tagged--> READY
 *
 * After STARTTLS the server does not greet a second time (RFC 3207 section 4.2, RFC 9051 section 6.2.1): then it begins
 * with HELLO. Goodbye is said, so that the server's log has nothing to wonder at. */
#include "starttls/imap_syntax.h"
#include "starttls/machine.h"

#include <stdlib.h>

enum probe_state { PROBE_GREETING, PROBE_HELLO, PROBE_GOODBYE, PROBE_READY, PROBE_STATE_COUNT };

static const char *const state_names[] = {"PROBE_GREETING", "PROBE_HELLO", "PROBE_GOODBYE", "PROBE_READY"};
static_assert(ARRAY_LEN(state_names) == PROBE_STATE_COUNT, "one name for each state");

struct probe {
    struct starttls_machine m;
    unsigned lines; /* of the reply that is coming in; imap: untagged ones since the last command */
    unsigned code;
};

static struct probe *probe_of(struct starttls_machine *m)
{
    return CONTAINER_OF(m, struct probe, m);
}

static void enter(struct starttls_machine *m, enum probe_state state)
{
    bool imap = m->protocol == STARTTLS_IMAP;

    m->state = state;
    probe_of(m)->lines = 0;
    switch (state) {
    case PROBE_HELLO:
        if (imap)
            machine_say(m, "P1 CAPABILITY\r\n");
        else
            machine_say(m, "%s %s\r\n", m->protocol == STARTTLS_LMTP ? "LHLO" : "EHLO", m->options.name);
        break;
    case PROBE_GOODBYE:
        machine_say(m, imap ? "P2 LOGOUT\r\n" : "QUIT\r\n");
        break;
    case PROBE_GREETING:
    case PROBE_READY:
    case PROBE_STATE_COUNT:
        break;
    }
}

static void start(struct starttls_machine *m)
{
    buffer_init(&m->capabilities, STARTTLS_CAPABILITIES_BYTES_MAX);
    enter(m, m->options.upgrade ? PROBE_HELLO : PROBE_GREETING);
}

/* Past its ceiling the list is cut at a word: it is for a person to read. */
static void note_capability(struct starttls_machine *m, struct span word)
{
    if (word.size != 0 && word.size < buffer_room(&m->capabilities))
        (void)!buffer_printf(&m->capabilities, "%s%.*s", m->capabilities.size == 0 ? "" : " ", (int)word.size,
                             (const char *)word.data);
}

/* ---- smtp, lmtp ---- */

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

static enum starttls_status smtp_line(struct starttls_machine *m, struct span line)
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
        note_capability(m, text_word(span_skip(line, 4), &parameters, &has_parameters));
    p->lines++;
    if (line.size > 3 && line.data[3] == '-')
        return STARTTLS_NEED_MORE;
    p->lines = 0;
    return on_reply(m, code, line);
}

/* ---- imap ---- */

static enum starttls_status on_untagged(struct starttls_machine *m, struct span word, struct span text,
                                        struct span line)
{
    if (m->state == PROBE_GREETING) {
        if (imap_word_is(word, "PREAUTH"))
            return machine_refused(m, STARTTLS_REFUSAL_COMMAND,
                                   "the server greets with PREAUTH: a session somebody else has logged in");
        if (imap_word_is(word, "BYE"))
            return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", line);
        if (!imap_word_is(word, "OK"))
            return machine_broken_by(m, "the server's greeting is not one", line);
        enter(m, PROBE_HELLO);
        return STARTTLS_NEED_MORE;
    }
    if (probe_of(m)->lines++ == STARTTLS_IMAP_UNTAGGED_LINES_MAX)
        return machine_broken(m, "the server sent more than %d untagged responses to one command",
                              STARTTLS_IMAP_UNTAGGED_LINES_MAX);
    if (m->state == PROBE_HELLO && imap_word_is(word, "BYE"))
        return machine_refused_by(m, STARTTLS_REFUSAL_GOODBYE, "the server says goodbye", line);
    if (m->state == PROBE_HELLO && imap_word_is(word, "CAPABILITY"))
        while (text.size != 0) {
            struct span rest;
            bool has_rest;

            note_capability(m, text_word(text, &rest, &has_rest));
            text = rest;
        }
    return STARTTLS_NEED_MORE;
}

static enum starttls_status imap_line(struct starttls_machine *m, struct span line)
{
    struct span rest, text;
    bool has_rest, has_text;
    struct span tag = text_word(line, &rest, &has_rest);
    struct span word = text_word(rest, &text, &has_text);

    if (imap_ends_with_literal(line, NULL))
        return machine_broken_by(m, "the server sent a literal before anybody logged in", line);
    if (imap_word_is(tag, "*"))
        return on_untagged(m, word, text, line);
    switch ((enum probe_state)m->state) {
    case PROBE_HELLO:
        if (!span_equal(tag, span_of_string("P1")))
            break;
        if (!imap_word_is(word, "OK"))
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

static void clear(struct starttls_machine *m)
{
    buffer_release(&m->capabilities);
}

const struct machine_class smtp_probe_class = {
    .size = sizeof(struct probe),
    .line_bytes_max = STARTTLS_SMTP_REPLY_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .text = LINE_TEXT_EIGHT_BIT,
    .state_names = state_names,
    .start = start,
    .on_line = smtp_line,
    .clear = clear,
};

const struct machine_class imap_probe_class = {
    .size = sizeof(struct probe),
    .line_bytes_max = STARTTLS_IMAP_LINE_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .text = LINE_TEXT_EIGHT_BIT,
    .state_names = state_names,
    .start = start,
    .on_line = imap_line,
    .clear = clear,
};
