/* see starttls/machine.h: words */
#include "starttls/machine.h"

#include <stdlib.h>

void text_append(struct buffer *out, const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    text = base_vprintf(fmt, args);
    va_end(args);
    if (!buffer_append(out, span_of_string(text)))
        buffer_trim(out); /* nobody reads: the peer will see the close alone */
    free(text);
}

struct span text_word(struct span line, struct span *rest, bool *has_rest)
{
    const uint8_t *space = line.size == 0 ? NULL : memchr(line.data, ' ', line.size);
    size_t len = space == NULL ? line.size : (size_t)(space - line.data);

    *has_rest = space != NULL;
    *rest = span_skip(line, space == NULL ? len : len + 1);
    return span_of(line.data, len);
}

struct span text_next_word(struct span *line)
{
    size_t start = 0, end;

    while (start < line->size && line->data[start] <= ' ')
        start++;
    for (end = start; end < line->size && line->data[end] > ' '; end++)
        ;
    struct span word = span_of(line->size == 0 ? NULL : line->data + start, end - start);
    *line = span_skip(*line, end);
    return word;
}

struct span text_verb(struct span line)
{
    enum { VERB_BYTES_MAX = 16 };
    struct span rest;
    bool has_rest;
    struct span word = text_word(line, &rest, &has_rest);

    return word.size <= VERB_BYTES_MAX ? word : span_of(NULL, 0);
}

/* " HTTP/" somewhere in the line: the mark of a request line. */
static bool names_http_version(struct span line)
{
    for (; line.size != 0; line = span_skip(line, 1))
        if (span_starts_with_nocase(line, " HTTP/"))
            return true;
    return false;
}

bool text_looks_like_http(struct span line, enum http_likeness likeness)
{
    static const char *const methods[] = {"GET",    "POST",  "HEAD",  "PUT",     "OPTIONS",
                                          "DELETE", "PATCH", "TRACE", "CONNECT", "PRI"};
    struct span rest;
    bool has_rest;
    struct span word = text_word(line, &rest, &has_rest);

    for (size_t i = 0; has_rest && i < ARRAY_LEN(methods); i++)
        if (span_equal_nocase(word, span_of_string(methods[i])))
            return likeness == HTTP_LIKENESS_METHOD || names_http_version(line);
    return false;
}

unsigned text_reply_code(struct span line)
{
    unsigned code = 0;

    if (line.size < 3 || line.data[0] < '2' || line.data[0] > '5')
        return 0;
    for (size_t i = 0; i < 3; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return 0;
        code = code * 10 + (unsigned)(line.data[i] - '0');
    }
    return line.size == 3 || line.data[3] == ' ' || line.data[3] == '-' ? code : 0;
}
