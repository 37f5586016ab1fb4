/* see pkix/rules.h */
#include "pkix/rules.h"
#include "pkix/pem.h"

#include <stdlib.h>
#include <string.h>

struct reading {
    const struct pkix_rules_kind *kind;
    void *target;
    pkix_rules_problem *problem;
    void *ctx;
    unsigned line, problems;
    size_t rules;
};

static void tell(struct reading *r, unsigned line, const char *sentence)
{
    if (r->problems < PKIX_RULES_PROBLEMS_MAX)
        r->problem(r->ctx, line, sentence);
    else if (r->problems == PKIX_RULES_PROBLEMS_MAX)
        r->problem(r->ctx, line, "there are more bad lines");
    r->problems++;
}

char *pkix_rules_trim(char *text)
{
    size_t size;

    text += strspn(text, " \t\r");
    for (size = strlen(text); size > 0 && strchr(" \t\r", text[size - 1]) != NULL; size--)
        text[size - 1] = '\0';
    return text;
}

/* Whether to go on. */
static bool take_line(struct reading *r, char *line)
{
    const char *sentence;

    line[strcspn(line, "#")] = '\0';
    line = pkix_rules_trim(line);
    if (*line == '\0')
        return true;
    if (r->rules++ == r->kind->max) {
        tell(r, r->line, r->kind->one_too_many);
        return false;
    }
    sentence = r->kind->take(r->target, line);
    if (sentence != NULL)
        tell(r, r->line, sentence);
    return r->problems <= PKIX_RULES_PROBLEMS_MAX;
}

bool pkix_rules_read(const char *path, const struct pkix_rules_kind *kind, void *target, size_t *count,
                     pkix_rules_problem *problem, void *ctx)
{
    struct reading r = {.kind = kind, .target = target, .problem = problem, .ctx = ctx};
    uint8_t *data;
    size_t size, prefix = strlen(path);
    char *error = NULL, *text, *rest, *line;

    *count = 0;
    if (!pkix_file_read(path, &data, &size, &error)) {
        /* "PATH: " is for who tells it to say. */
        problem(ctx, 0, strncmp(error, path, prefix) == 0 && strlen(error) > prefix + 2 ? error + prefix + 2 : error);
        free(error);
        return false;
    }
    if (memchr(data, '\0', size) != NULL)
        tell(&r, 0, "is not text: it has a NUL in it");
    text = base_strndup(size == 0 ? "" : (const char *)data, size);
    free(data);
    rest = text;
    while ((line = strsep(&rest, "\n")) != NULL) {
        r.line++;
        if (!take_line(&r, line))
            break;
    }
    free(text);
    *count = r.rules;
    return r.problems == 0;
}
