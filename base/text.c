/* see base/text.h */
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const uint8_t utf8_mark[] = {0xef, 0xbb, 0xbf};

static bool starts_with(struct span text, const uint8_t *mark, size_t size)
{
    return text.size >= size && memcmp(text.data, mark, size) == 0;
}

struct base_text base_text_of(struct span text)
{
    if (starts_with(text, utf8_mark, sizeof(utf8_mark)))
        text = span_skip(text, sizeof(utf8_mark));
    return (struct base_text){.rest = text};
}

bool base_text_next(struct base_text *t, struct span *line)
{
    const uint8_t *data = t->rest.data;
    size_t size = 0, end = 0;

    if (t->rest.size == 0)
        return false;
    while (size < t->rest.size && data[size] != '\n' && data[size] != '\r')
        size++;
    if (size < t->rest.size)
        end = data[size] == '\r' && size + 1 < t->rest.size && data[size + 1] == '\n' ? 2 : 1;
    *line = span_of(data, size);
    t->rest = span_skip(t->rest, size + end);
    t->line++;
    return true;
}

const char *base_text_problem(struct span text, unsigned *number)
{
    static const uint8_t little[] = {0xff, 0xfe}, big[] = {0xfe, 0xff};
    struct base_text t = base_text_of(text);
    struct span line;

    *number = 0;
    if (starts_with(text, little, sizeof(little)) || starts_with(text, big, sizeof(big)))
        return "is UTF-16; save it as UTF-8 or ASCII";
    if (text.size == 0 || memchr(text.data, '\0', text.size) == NULL)
        return NULL;
    while (base_text_next(&t, &line) && memchr(line.data, '\0', line.size) == NULL)
        continue;
    *number = t.line;
    return "has a NUL in it, and so is no text";
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct span base_text_trim(struct span line)
{
    while (line.size > 0 && is_blank(line.data[0]))
        line = span_skip(line, 1);
    while (line.size > 0 && is_blank(line.data[line.size - 1]))
        line.size--;
    return line;
}

struct span base_text_word(struct span *line)
{
    struct span rest = base_text_trim(*line), word;
    size_t size = 0;

    while (size < rest.size && !is_blank(rest.data[size]))
        size++;
    word = span_of(rest.data, size);
    *line = base_text_trim(span_skip(rest, size));
    return word;
}

int base_text_hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

const char *base_text_time(int64_t seconds, char out[static BASE_TEXT_TIME_SIZE])
{
    time_t time = (time_t)seconds;
    struct tm parts;

    if (gmtime_r(&time, &parts) == NULL || strftime(out, BASE_TEXT_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(out, BASE_TEXT_TIME_SIZE, "%" PRId64, seconds);
    return out;
}

const char *base_text_day(int64_t seconds, char out[static BASE_TEXT_TIME_SIZE])
{
    char *hours = strchr(base_text_time(seconds, out), 'T');

    if (hours != NULL)
        *hours = '\0';
    return out;
}
