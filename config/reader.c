/* see config/reader.h */
#include "config/reader.h"
#include "base/text.h"
#include "config/config.h"

#include <ini.h>
#include <stdlib.h>

struct reader {
    struct base_text text; /* its line: of what was given to inih last */
    enum { LINE_DONE, LINE_IS_OPTION /* given to inih, which has not called back yet */ } state;
    const struct reader_events *events;
    void *ctx;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static void problem(struct reader *r, enum reader_problem what, const char *message)
{
    r->events->problem(r->ctx, r->text.line, what, message);
}

static bool is_comment(struct span line)
{
    return line.data[0] == ';' || line.data[0] == '#';
}

static bool has_control_bytes(struct span line)
{
    for (size_t i = 0; i < line.size; i++)
        if ((line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7f)
            return true;
    return false;
}

/* [KIND], [KIND NAME], and a comment after it */
static void header(struct reader *r, struct span line)
{
    const uint8_t *bracket = memchr(line.data, ']', line.size);
    struct span tail, inside;
    size_t kind_size = 0;
    char *kind, *name;

    if (bracket == NULL) {
        problem(r, READER_PROBLEM_HEADER,
                "a section is [yett], [control], [module NAME] or [service NAME]: the \"]\" is missing");
        return;
    }
    tail = span_skip(line, (size_t)(bracket - line.data) + 1);
    if (tail.size != 0 && tail.data[0] != ';' && !is_blank(tail.data[0]))
        tail.size = 0, bracket = NULL;
    while (tail.size != 0 && is_blank(tail.data[0]))
        tail = span_skip(tail, 1);
    if (bracket == NULL || (tail.size != 0 && tail.data[0] != ';')) {
        problem(r, READER_PROBLEM_HEADER, "nothing but a comment may follow the \"]\" of a section");
        return;
    }
    inside = span_of(line.data + 1, (size_t)(bracket - line.data) - 1);
    while (inside.size != 0 && is_blank(inside.data[0]))
        inside = span_skip(inside, 1);
    while (inside.size != 0 && is_blank(inside.data[inside.size - 1]))
        inside.size--;
    while (kind_size < inside.size && !is_blank(inside.data[kind_size]))
        kind_size++;
    kind = base_strndup((const char *)inside.data, kind_size);
    inside = span_skip(inside, kind_size);
    while (inside.size != 0 && is_blank(inside.data[0]))
        inside = span_skip(inside, 1);
    name = base_strndup((const char *)inside.data, inside.size);
    r->events->section(r->ctx, r->text.line, kind, name);
    free(kind);
    free(name);
}

/* Whether the line goes to inih. inih would also take "KEY: VALUE", which makes KEY of "listen 127.0.0.1" in the line
 * "listen 127.0.0.1:25" that lacks its "=". */
static bool is_option(struct reader *r, struct span line, size_t size_max)
{
    size_t at = 0;

    if (line.size == 0 || (is_comment(line) && memchr(line.data, '\0', line.size) == NULL))
        return false;
    if (line.size > size_max) {
        char *message = base_printf("the line is longer than %zu bytes", size_max);

        problem(r, READER_PROBLEM_LINE, message);
        free(message);
        return false;
    }
    if (has_control_bytes(line)) { /* in a comment: a NUL */
        problem(r, line.data[0] == '[' ? READER_PROBLEM_HEADER : READER_PROBLEM_LINE,
                "the line has control bytes in it");
        return false;
    }
    if (line.data[0] == '[') {
        header(r, line);
        return false;
    }
    while (at < line.size && line.data[at] != '=' && line.data[at] != ':')
        at++;
    if (at == line.size || line.data[at] != '=') {
        problem(r, READER_PROBLEM_LINE, "the line must be KEY = VALUE: the \"=\" is missing");
        return false;
    }
    if (at == 0) {
        problem(r, READER_PROBLEM_LINE, "the line must be KEY = VALUE: the key is missing");
        return false;
    }
    return true;
}

/* inih took the line and found no "=" in it: there was a comment before. */
static void unanswered(struct reader *r)
{
    if (r->state == LINE_IS_OPTION)
        problem(r, READER_PROBLEM_LINE, "the line must be KEY = VALUE: the \"=\" is missing");
    r->state = LINE_DONE;
}

/* inih's reader, in the manner of fgets(): at most size - 1 bytes. Every line comes out as a line, empty when it is not
 * an option, so that nothing is ever split or continued. */
static char *next_line(char *out, int size, void *stream)
{
    struct reader *r = stream;
    struct span line;

    assert(size > 2);
    unanswered(r);
    if (!base_text_next(&r->text, &line))
        return NULL;
    line = base_text_trim(line);
    if (!is_option(r, line, (size_t)size - 2)) {
        memcpy(out, "\n", 2);
        return out;
    }
    memcpy(out, line.data, line.size);
    memcpy(out + line.size, "\n", 2);
    r->state = LINE_IS_OPTION;
    return out;
}

static int on_option(void *user, const char *section, const char *name, const char *value)
{
    struct reader *r = user;

    (void)section; /* cut by inih at 49 bytes; ours comes from header() */
    r->state = LINE_DONE;
    r->events->option(r->ctx, r->text.line, name, value);
    return 1;
}

void reader_run(struct span text, const struct reader_events *events, void *ctx)
{
    struct reader r = {.text = base_text_of(text), .events = events, .ctx = ctx};
    unsigned bad_line;
    const char *no_text = base_text_problem(text, &bad_line);

    if (no_text != NULL && bad_line == 0) { /* a bad line is told with the others */
        char *message = base_printf("the file %s", no_text);

        problem(&r, READER_PROBLEM_LINE, message);
        free(message);
        return;
    }

#ifdef YETT_INIH_RUNTIME_LIMITS
    ini_max_line = CONFIG_LINE_BYTES_MAX + 2; /* the newline and the NUL */
#endif
    /* What it returns, the number of the first bad line, is known better here. */
    (void)ini_parse_stream(next_line, &r, on_option, &r);
}
