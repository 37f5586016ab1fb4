/* What a ManageSieve server says of itself; see starttls_probe_create() in starttls/starttls.h
 *
 *   GREETING --OK--> GOODBYE (LOGOUT) --any reply--> READY
 *
 * Its greeting is the list, and it comes again, unasked, when TLS is up after STARTTLS (RFC 5804 section 2.2). */
#include "starttls/sieve.h"
#include "starttls/imap_syntax.h"

enum probe_state { PROBE_GREETING, PROBE_GOODBYE, PROBE_READY, PROBE_STATE_COUNT };

static const char *const state_names[] = {"PROBE_GREETING", "PROBE_GOODBYE", "PROBE_READY"};
static_assert(ARRAY_LEN(state_names) == PROBE_STATE_COUNT, "one name for each state");

static const char *const says[PROBE_STATE_COUNT] = {[PROBE_GOODBYE] = "LOGOUT\r\n"};

static void start(struct starttls_machine *m)
{
    machine_open_capabilities(m);
    machine_enter(m, PROBE_GREETING);
}

static enum starttls_status on_greeting(struct starttls_machine *m, enum sieve_reply reply, struct span line)
{
    switch (reply) {
    case SIEVE_REPLY_STRING:
        machine_note_capability(m, sieve_capability_of(line));
        return STARTTLS_NEED_MORE;
    case SIEVE_REPLY_OK:
        machine_enter(m, PROBE_GOODBYE);
        return STARTTLS_NEED_MORE;
    case SIEVE_REPLY_NO:
    case SIEVE_REPLY_BYE:
        return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", line);
    case SIEVE_REPLY_NONE:
        break;
    }
    return machine_broken_by(m, "the server sent something that is not a reply", line);
}

static enum starttls_status on_line(struct starttls_machine *m, struct span line)
{
    enum sieve_reply reply = sieve_reply_of(line);

    if (imap_ends_with_literal(line, NULL))
        return machine_broken_by(m, "the server sent a literal, which it has no reason for", line);
    switch ((enum probe_state)m->state) {
    case PROBE_GREETING:
        return on_greeting(m, reply, line);
    case PROBE_GOODBYE:
        if (reply == SIEVE_REPLY_NONE)
            return machine_broken_by(m, "the server sent something that is not a reply", line);
        machine_enter(m, PROBE_READY);
        return STARTTLS_READY;
    case PROBE_READY:
    case PROBE_STATE_COUNT:
        break;
    }
    return machine_broken_by(m, "the server speaks out of turn", line);
}

const struct machine_class sieve_probe_class = {
    .size = sizeof(struct starttls_machine),
    .line_bytes_max = STARTTLS_SIEVE_LINE_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .text = LINE_TEXT_EIGHT_BIT,
    .state_names = state_names,
    .says = says,
    .start = start,
    .on_line = on_line,
    .clear = machine_close_capabilities,
};
