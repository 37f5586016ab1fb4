/* Whether a PostgreSQL server serves; see starttls_probe_create() in starttls/starttls.h
 *
 *   ASKED (StartupMessage) --AuthenticationRequest--> READY (Terminate)
 *                              `--an error about who we are, or want--> READY
 *
 * It is asked how a user of the name "yett" would have to log in, and left, as psql leaves it to ask for a password: to
 * the server's log that is no failed login. */
#include "starttls/postgres.h"

#include <stdio.h>

enum probe_state { PROBE_ASKED, PROBE_READY, PROBE_STATE_COUNT };

static const char *const state_names[] = {"PROBE_ASKED", "PROBE_READY"};
static_assert(ARRAY_LEN(state_names) == PROBE_STATE_COUNT, "one name for each state");

enum { TYPE_BYTES = 1, LENGTH_BYTES = 4, TYPED_HEAD_BYTES = TYPE_BYTES + LENGTH_BYTES };

struct probe {
    struct starttls_machine m;
    uint8_t answer[STARTTLS_POSTGRES_ANSWER_BYTES_MAX];
    size_t answer_size;
};

static void start(struct starttls_machine *m)
{
    static const char startup[] = "\0\0\0\x21\0\3\0\0user\0yett\0database\0yett\0";

    static_assert(sizeof(startup) == 0x21, "it says its size");
    machine_open_capabilities(m);
    m->state = PROBE_ASKED;
    machine_put(m, span_of(startup, sizeof(startup)));
}

static enum starttls_status leave(struct starttls_machine *m, const char *word)
{
    machine_note_capability(m, span_of_string(word));
    machine_put(m, span_of("X\0\0\0\4", TYPED_HEAD_BYTES)); /* Terminate */
    m->state = PROBE_READY;
    return STARTTLS_READY;
}

static const char *method_name(uint32_t method)
{
    static const struct {
        uint32_t method;
        const char *name;
    } rows[] = {{0, "no-password"}, {3, "password"}, {5, "md5"}, {7, "gss"}, {9, "sspi"}, {10, "sasl"}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].method == method)
            return rows[i].name;
    return "authentication";
}

/* The field of a letter in an ErrorResponse; empty: there is none. */
static struct span field_of(struct span fields, char letter)
{
    while (fields.size > 1 && fields.data[0] != '\0') {
        struct span text = span_skip(fields, 1);
        const uint8_t *end = memchr(text.data, '\0', text.size);

        if (end == NULL)
            break;
        if (fields.data[0] == (uint8_t)letter)
            return span_of(text.data, (size_t)(end - text.data));
        fields = span_skip(text, (size_t)(end - text.data) + 1);
    }
    return span_of(NULL, 0);
}

/* Class 28: who we are; 3D000: the database. The others are about the server. */
static enum starttls_status on_error(struct probe *p)
{
    struct span fields = span_of(p->answer + TYPED_HEAD_BYTES, p->answer_size - TYPED_HEAD_BYTES);
    struct span sqlstate = field_of(fields, 'C');

    if (span_starts_with_nocase(sqlstate, "28") || text_word_is(sqlstate, "3D000"))
        return leave(&p->m, "login");
    return machine_refused_by(&p->m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve",
                              field_of(fields, 'M'));
}

static enum starttls_status on_answer(struct probe *p, size_t size)
{
    if (p->answer[0] == 'E')
        return on_error(p);
    if (p->answer[0] == 'R' && size >= TYPED_HEAD_BYTES + 4)
        return leave(&p->m, method_name(postgres_number(p->answer + TYPED_HEAD_BYTES)));
    return machine_broken(&p->m, "the server sent something that is no answer to the beginning of a session");
}

static enum starttls_status on_bytes(struct starttls_machine *m, struct span bytes, size_t *consumed)
{
    struct probe *p = CONTAINER_OF(m, struct probe, m);
    size_t size = TYPED_HEAD_BYTES, want;

    if (p->answer_size >= TYPED_HEAD_BYTES)
        size = TYPE_BYTES + postgres_number(p->answer + TYPE_BYTES);
    if (size < TYPED_HEAD_BYTES || size > sizeof(p->answer))
        return machine_broken(m, "the server sent an answer of no size that is taken");
    want = size - p->answer_size;
    if (want > bytes.size)
        want = bytes.size;
    memcpy(p->answer + p->answer_size, bytes.data, want);
    p->answer_size += want;
    *consumed = want;
    if (p->answer_size < TYPED_HEAD_BYTES)
        return STARTTLS_NEED_MORE;
    size = TYPE_BYTES + postgres_number(p->answer + TYPE_BYTES);
    return p->answer_size == size ? on_answer(p, size) : STARTTLS_NEED_MORE;
}

const struct machine_class postgres_probe_class = {
    .size = sizeof(struct probe),
    .line_bytes_max = STARTTLS_POSTGRES_ANSWER_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .state_names = state_names,
    .start = start,
    .on_bytes = on_bytes,
    .clear = machine_close_capabilities,
};
