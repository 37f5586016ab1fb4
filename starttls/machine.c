/* see starttls/machine.h: what all machines share */
#include "starttls/machine.h"

#include <stdlib.h>

struct starttls_machine *machine_create(enum starttls_protocol protocol, const struct machine_class *class,
                                        const struct starttls_options *options)
{
    struct starttls_machine *m = base_alloc(class->size);

    m->class = class;
    m->protocol = protocol;
    m->options = *options;
    m->status = STARTTLS_NEED_MORE;
    line_init(&m->line, class->line_bytes_max, class->text);
    buffer_init(&m->out, STARTTLS_OUTPUT_BYTES_MAX);
    buffer_init(&m->early, STARTTLS_EARLY_DATA_BYTES_MAX);
    buffer_init(&m->greeting, STARTTLS_GREETING_BYTES_MAX);
    class->start(m);
    return m;
}

struct span starttls_capabilities(const struct starttls_machine *m)
{
    return buffer_span(&m->capabilities);
}

struct span starttls_greeting(const struct starttls_machine *m)
{
    return buffer_span(&m->greeting);
}

void starttls_machine_destroy(struct starttls_machine **m)
{
    if (*m == NULL)
        return;
    if ((*m)->class->clear != NULL)
        (*m)->class->clear(*m);
    line_wipe(&(*m)->line);
    buffer_wipe(&(*m)->out);
    buffer_wipe(&(*m)->early);
    buffer_release(&(*m)->greeting);
    free((*m)->target_host);
    free((*m)->error);
    base_wipe(*m, (*m)->class->size);
    free(*m);
    *m = NULL;
}

static enum starttls_status at_fault(struct starttls_machine *m, enum line_status fault)
{
    if (m->class->on_fault != NULL)
        m->class->on_fault(m, fault);
    return machine_broken(m, "the peer sent a line that %s", line_fault_text(fault));
}

static enum starttls_status put_line(struct starttls_machine *m, struct span bytes, size_t *consumed)
{
    struct span line = {0};
    enum line_status status = line_put(&m->line, bytes, consumed, &line);

    switch (status) {
    case LINE_NEED_MORE:
        return STARTTLS_NEED_MORE;
    case LINE_COMPLETE:
        return m->class->on_line(m, line);
    case LINE_TOO_LONG:
    case LINE_BARE_LF:
    case LINE_BARE_CR:
    case LINE_NUL:
    case LINE_NOT_ASCII:
    case LINE_TOO_MUCH:
    case LINE_STATUS_COUNT:
        break;
    }
    return at_fault(m, status);
}

/* The hinge. Bytes that came together with the request for TLS, or with the go-ahead for it, were written by someone
 * before TLS and would be read as if they had been said inside it (CVE-2011-0411): they end the conversation. */
static enum starttls_status pass_hinge(struct starttls_machine *m, size_t bytes_left)
{
    m->class->on_hinge(m, bytes_left == 0 ? HINGE_CLEAN : HINGE_EARLY);
    if (bytes_left == 0)
        return STARTTLS_UPGRADE;
    m->was_injected = true;
    return machine_broken(m, "%zu bytes of plain text came together with the switch to TLS", bytes_left);
}

/* One step: a line, or what is left of the bytes. */
static void put_some(struct starttls_machine *m, struct span bytes, size_t *consumed)
{
    size_t budget = m->class->bytes_max - m->bytes_taken;

    if (budget == 0) {
        m->status = at_fault(m, LINE_TOO_MUCH);
        return;
    }
    if (bytes.size > budget)
        bytes.size = budget;
    if (m->class->on_bytes != NULL)
        m->status = m->class->on_bytes(m, bytes, consumed);
    else
        m->status = put_line(m, bytes, consumed);
    m->bytes_taken += *consumed;
    if (m->output_lost && m->status != STARTTLS_BROKEN)
        m->status = machine_broken(m, "a reply is longer than there is room for: this is a fault of yett's own");
}

enum starttls_status starttls_put(struct starttls_machine *m, struct span bytes, size_t *consumed)
{
    *consumed = 0;
    while (m->status == STARTTLS_NEED_MORE && *consumed < bytes.size &&
           buffer_room(&m->out) >= STARTTLS_REPLY_BYTES_MAX) {
        size_t taken = 0;

        put_some(m, span_skip(bytes, *consumed), &taken);
        *consumed += taken;
        if (m->status == STARTTLS_UPGRADE)
            m->status = pass_hinge(m, bytes.size - *consumed);
    }
    if (m->status == STARTTLS_TARGET && !m->leaves_rest && *consumed < bytes.size)
        *consumed += buffer_append_some(&m->early, span_skip(bytes, *consumed));
    return m->status;
}

struct span starttls_output(const struct starttls_machine *m)
{
    return buffer_span(&m->out);
}

void starttls_output_consume(struct starttls_machine *m, size_t size)
{
    buffer_consume(&m->out, size);
}

const char *starttls_error(const struct starttls_machine *m)
{
    return m->error == NULL ? "" : m->error;
}

enum starttls_refusal starttls_refusal(const struct starttls_machine *m)
{
    return m->status == STARTTLS_REFUSED ? m->refusal : STARTTLS_REFUSAL_NONE;
}

bool starttls_was_injected(const struct starttls_machine *m)
{
    return m->was_injected;
}

unsigned starttls_refused_commands(const struct starttls_machine *m)
{
    return m->bad_commands;
}

const char *starttls_state_name(const struct starttls_machine *m)
{
    return m->class->state_names[m->state];
}

const char *starttls_target_host(const struct starttls_machine *m)
{
    return m->target_host;
}

uint16_t starttls_target_port(const struct starttls_machine *m)
{
    return m->target_port;
}

void starttls_target_connected(struct starttls_machine *m)
{
    if (m->status == STARTTLS_READY)
        return;
    assert(m->status == STARTTLS_TARGET);
    m->class->on_target_connected(m);
    m->status = STARTTLS_READY;
}

struct span starttls_early_data(const struct starttls_machine *m)
{
    return buffer_span(&m->early);
}

void machine_enter(struct starttls_machine *m, unsigned state)
{
    const char *const *says = m->class->says;

    m->state = state;
    if (says != NULL && says[state] != NULL)
        machine_put(m, span_of_string(says[state]));
}

void machine_start(struct starttls_machine *m)
{
    machine_enter(m, 0);
}

void machine_hinge_in_silence(struct starttls_machine *m, enum hinge hinge)
{
    (void)m;
    (void)hinge;
}

void machine_say(struct starttls_machine *m, const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    text = base_vprintf(fmt, args);
    va_end(args);
    if (!buffer_append(&m->out, span_of_string(text)))
        m->output_lost = true;
    free(text);
}

void machine_put(struct starttls_machine *m, struct span bytes)
{
    if (!buffer_append(&m->out, bytes))
        m->output_lost = true;
}

bool starttls_client_may_leave(const struct starttls_machine *m)
{
    return m->class->client_may_leave != NULL && m->class->client_may_leave(m);
}

__attribute__((format(printf, 2, 0))) static void keep_error(struct starttls_machine *m, const char *fmt, va_list args)
{
    if (m->error == NULL)
        m->error = base_vprintf(fmt, args);
}

enum starttls_status machine_broken(struct starttls_machine *m, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    keep_error(m, fmt, args);
    va_end(args);
    return STARTTLS_BROKEN;
}

enum starttls_status machine_refused(struct starttls_machine *m, enum starttls_refusal what, const char *fmt, ...)
{
    va_list args;

    m->refusal = what;
    va_start(args, fmt);
    keep_error(m, fmt, args);
    va_end(args);
    return STARTTLS_REFUSED;
}

enum starttls_status machine_broken_by(struct starttls_machine *m, const char *what, struct span line)
{
    char quoted[BASE_QUOTE_SIZE];

    return machine_broken(m, "%s: %s", what, base_quote(line.data, line.size, quoted, sizeof(quoted)));
}

enum starttls_status machine_refused_by(struct starttls_machine *m, enum starttls_refusal what, const char *sentence,
                                        struct span line)
{
    char quoted[BASE_QUOTE_SIZE];

    return machine_refused(m, what, "%s: %s", sentence, base_quote(line.data, line.size, quoted, sizeof(quoted)));
}

void machine_open_capabilities(struct starttls_machine *m)
{
    buffer_init(&m->capabilities, STARTTLS_CAPABILITIES_BYTES_MAX);
}

void machine_close_capabilities(struct starttls_machine *m)
{
    buffer_release(&m->capabilities);
}

void machine_note_capability(struct starttls_machine *m, struct span word)
{
    if (word.size != 0 && word.size < buffer_room(&m->capabilities))
        (void)!buffer_printf(&m->capabilities, "%s%.*s", m->capabilities.size == 0 ? "" : " ", (int)word.size,
                             (const char *)word.data);
}

bool machine_keep_greeting(struct starttls_machine *m, struct span line)
{
    return buffer_append(&m->greeting, line) && buffer_append(&m->greeting, span_of_string("\r\n"));
}

bool machine_bad_command(struct starttls_machine *m)
{
    return ++m->bad_commands >= STARTTLS_BAD_COMMANDS_MAX;
}

enum starttls_status machine_refuse_command(struct starttls_machine *m, const char *last_words)
{
    if (!machine_bad_command(m))
        return STARTTLS_NEED_MORE;
    machine_say(m, "%s\r\n", last_words);
    return machine_broken(m, "the client gave %d commands that are refused before TLS", STARTTLS_BAD_COMMANDS_MAX);
}
