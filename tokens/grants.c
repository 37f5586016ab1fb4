/* see tokens/grants.h */
#include "tokens/grants.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct worker {
    pid_t pid;
    uint32_t generation;
};

struct named {
    enum tokens_grant_kind kind;
    uint32_t generation;
    struct span uri; /* of text */
};

struct tokens_grants {
    char *text;
    struct worker *workers;
    size_t worker_count;
    struct named *named;
    size_t named_count;
};

static const char *const kind_words[] = {"sign", "list"};

bool tokens_grants_write_worker(struct buffer *out, pid_t pid, uint32_t generation)
{
    char line[64];

    snprintf(line, sizeof(line), "worker %jd %" PRIu32 "\n", (intmax_t)pid, generation);
    return buffer_append(out, span_of_string(line));
}

bool tokens_grants_write_uri(struct buffer *out, enum tokens_grant_kind kind, uint32_t generation, const char *uri)
{
    char head[64];

    snprintf(head, sizeof(head), "%s %" PRIu32 " ", kind_words[kind], generation);
    return buffer_append(out, span_of_string(head)) && buffer_append(out, span_of_string(uri)) &&
           buffer_append(out, span_of_string("\n"));
}

/* A decimal number and the character behind it. Moves *at past both. */
static bool take_number(char **at, char end, uint64_t max, uint64_t *number)
{
    char *after;

    if (**at < '0' || **at > '9')
        return false;
    *number = strtoull(*at, &after, 10);
    if (*after != end || *number > max)
        return false;
    *at = end == '\0' ? after : after + 1;
    return true;
}

static bool take_worker(struct tokens_grants *g, char *at)
{
    uint64_t pid, generation;

    if (!take_number(&at, ' ', INT32_MAX, &pid) || !take_number(&at, '\0', UINT32_MAX, &generation))
        return false;
    g->workers = base_realloc_array(g->workers, g->worker_count + 1, sizeof(*g->workers));
    g->workers[g->worker_count++] = (struct worker){.pid = (pid_t)pid, .generation = (uint32_t)generation};
    return true;
}

static bool take_named(struct tokens_grants *g, enum tokens_grant_kind kind, char *at)
{
    uint64_t generation;

    if (!take_number(&at, ' ', UINT32_MAX, &generation) || *at == '\0')
        return false;
    g->named = base_realloc_array(g->named, g->named_count + 1, sizeof(*g->named));
    g->named[g->named_count++] =
        (struct named){.kind = kind, .generation = (uint32_t)generation, .uri = span_of_string(at)};
    return true;
}

static bool take_line(struct tokens_grants *g, char *line)
{
    char *space = strchr(line, ' ');

    if (space == NULL)
        return false;
    *space = '\0';
    if (strcmp(line, "worker") == 0)
        return take_worker(g, space + 1);
    for (enum tokens_grant_kind kind = TOKENS_GRANT_SIGN; kind <= TOKENS_GRANT_LIST; kind++)
        if (strcmp(line, kind_words[kind]) == 0)
            return take_named(g, kind, space + 1);
    return false;
}

struct tokens_grants *tokens_grants_parse(struct span text)
{
    struct tokens_grants *g = base_alloc(sizeof(*g));
    char *line, *end;

    g->text = base_alloc(text.size + 1); /* zeroed; with a zero byte inside, it ends before its end: see below */
    if (text.size != 0)
        memcpy(g->text, text.data, text.size);
    for (line = g->text; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        if (!take_line(g, line)) {
            tokens_grants_destroy(&g);
            return NULL;
        }
    }
    if (*line != '\0' || line != g->text + text.size)
        tokens_grants_destroy(&g);
    return g;
}

void tokens_grants_destroy(struct tokens_grants **grants)
{
    struct tokens_grants *g = *grants;

    if (g == NULL)
        return;
    free(g->text);
    free(g->workers);
    free(g->named);
    free(g);
    *grants = NULL;
}

static const struct worker *worker_of(const struct tokens_grants *g, pid_t pid)
{
    for (size_t i = 0; g != NULL && i < g->worker_count; i++)
        if (g->workers[i].pid == pid)
            return &g->workers[i];
    return NULL;
}

bool tokens_grants_allow(const struct tokens_grants *grants, pid_t pid, enum tokens_wire_type type, struct span uri)
{
    const struct worker *worker = worker_of(grants, pid);
    enum tokens_grant_kind kind = type == TOKENS_WIRE_LIST ? TOKENS_GRANT_LIST : TOKENS_GRANT_SIGN;

    for (size_t i = 0; worker != NULL && i < grants->named_count; i++) {
        const struct named *named = &grants->named[i];

        if (named->kind == kind && named->generation == worker->generation && span_equal(named->uri, uri))
            return true;
    }
    return false;
}
