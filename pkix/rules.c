/* see pkix/rules.h */
#include "pkix/rules.h"
#include "base/text.h"
#include "pkix/pem.h"

#include <stdlib.h>
#include <string.h>

struct reading {
    const struct pkix_rules_kind *kind;
    void *target;
    pkix_rules_problem *problem;
    void *ctx;
    unsigned problems;
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

    text += strspn(text, " \t");
    for (size = strlen(text); size > 0 && strchr(" \t", text[size - 1]) != NULL; size--)
        text[size - 1] = '\0';
    return text;
}

/* Whether to go on. */
static bool take_line(struct reading *r, unsigned number, struct span line)
{
    const uint8_t *comment = memchr(line.data, '#', line.size);
    const char *sentence;
    char *rule;

    if (comment != NULL)
        line.size = (size_t)(comment - line.data);
    line = base_text_trim(line);
    if (line.size == 0)
        return true;
    if (r->rules++ == r->kind->max) {
        tell(r, number, r->kind->one_too_many);
        return false;
    }
    rule = base_strndup((const char *)line.data, line.size);
    sentence = r->kind->take(r->target, rule);
    if (sentence != NULL)
        tell(r, number, sentence);
    free(rule);
    return r->problems <= PKIX_RULES_PROBLEMS_MAX;
}

bool pkix_rules_read(const char *path, const struct pkix_rules_kind *kind, void *target, size_t *count,
                     pkix_rules_problem *problem, void *ctx)
{
    struct reading r = {.kind = kind, .target = target, .problem = problem, .ctx = ctx};
    struct base_text text;
    struct span line;
    const char *no_text;
    unsigned number;
    uint8_t *data;
    size_t size, prefix = strlen(path);
    char *error = NULL;

    *count = 0;
    if (!pkix_file_read(path, &data, &size, &error)) {
        /* "PATH: " is for who tells it to say. */
        problem(ctx, 0, strncmp(error, path, prefix) == 0 && strlen(error) > prefix + 2 ? error + prefix + 2 : error);
        free(error);
        return false;
    }
    no_text = base_text_problem(span_of(data, size), &number);
    if (no_text != NULL)
        tell(&r, number, no_text);
    text = base_text_of(span_of(data, size));
    while (no_text == NULL && base_text_next(&text, &line) && take_line(&r, text.line, line))
        continue;
    free(data);
    *count = r.rules;
    return r.problems == 0;
}
