/* see base/pem.h */
#include "base/pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 64 };

static const char begin_mark[] = "-----BEGIN ";
static const char end_mark[] = "-----END ";
static const char dashes[] = "-----";
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next line of `text`, without its end and the blanks before it; the text moves on past it. */
static struct span take_line(struct span *text)
{
    const uint8_t *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);
    size_t size = end == NULL ? text->size : (size_t)(end - text->data);
    struct span line = span_of(text->data, size);

    *text = span_skip(*text, end == NULL ? size : size + 1);
    while (line.size > 0 && is_blank(line.data[line.size - 1]))
        line.size--;
    return line;
}

/* The label of "-----BEGIN label-----"; false when the line is none. */
static bool line_label(struct span line, const char *mark, struct span *label)
{
    size_t mark_len = strlen(mark), dashes_len = strlen(dashes);

    if (line.size <= mark_len + dashes_len || memcmp(line.data, mark, mark_len) != 0 ||
        memcmp(line.data + line.size - dashes_len, dashes, dashes_len) != 0)
        return false;
    *label = span_of(line.data + mark_len, line.size - mark_len - dashes_len);
    return label->size <= BASE_PEM_LABEL_MAX;
}

/* `text` is just after a BEGIN line. */
static enum base_pem_status take_body(struct span *text, struct span label, struct span *body)
{
    *body = span_of(text->data, 0);
    while (text->size > 0) {
        struct span line = take_line(text), end_label;

        if (line_label(line, end_mark, &end_label))
            return span_equal(label, end_label) ? BASE_PEM_BLOCK : BASE_PEM_OTHER_END;
        if (line.size != 0 && memchr(line.data, ':', line.size) != NULL)
            return BASE_PEM_HAS_HEADERS;
        body->size = (size_t)(text->data - body->data);
    }
    return BASE_PEM_NO_END;
}

/* see base/pem.h */
enum base_pem_status base_pem_next(struct span *text, struct span *label, struct span *body)
{
    *label = *body = span_of(NULL, 0);
    while (text->size > 0)
        if (line_label(take_line(text), begin_mark, label))
            return take_body(text, *label, body);
    return BASE_PEM_END;
}

/* 0 to 63; -1: no digit. */
static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* What has been read of four characters. */
struct quantum {
    uint32_t bits;
    unsigned count, padding;
};

/* false: this character cannot come here. */
static bool take_character(struct quantum *q, uint8_t c)
{
    int value = value_of(c);

    if (c == '=' && q->count >= 2) {
        q->padding++;
        value = 0;
    } else if (value < 0 || q->padding != 0) {
        return false;
    }
    q->bits = q->bits << 6 | (uint32_t)value;
    q->count++;
    return true;
}

/* see base/pem.h */
bool base_pem_decode(struct span body, uint8_t **data, size_t *size)
{
    struct quantum q = {.bits = 0};
    bool good = true, ended = false;

    *data = base_alloc(body.size / 4 * 3 + 3);
    *size = 0;
    for (size_t i = 0; i < body.size && good; i++) {
        if (is_blank(body.data[i]))
            continue;
        good = !ended && take_character(&q, body.data[i]);
        if (!good || q.count < 4)
            continue;
        for (unsigned k = 0; k < 3 - q.padding; k++)
            (*data)[(*size)++] = (uint8_t)(q.bits >> (16 - 8 * k));
        ended = q.padding != 0;
        q = (struct quantum){.bits = 0};
    }
    if (good && q.count == 0 && *size != 0)
        return true;
    base_wipe(*data, *size);
    free(*data);
    *data = NULL;
    *size = 0;
    return false;
}

static char *put_quantum(char *at, struct span bytes)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 3; i++)
        bits = bits << 8 | (i < bytes.size ? bytes.data[i] : 0);
    for (size_t i = 0; i < 4; i++)
        *at++ = i <= bytes.size ? digits[bits >> (18 - 6 * i) & 63] : '=';
    return at;
}

/* see base/pem.h */
char *base_pem_encode(const char *label, struct span data)
{
    size_t quanta = (data.size + 2) / 3, lines = (quanta * 4 + COLUMNS - 1) / COLUMNS;
    char *text = base_alloc(2 * strlen(label) + strlen(begin_mark) + strlen(end_mark) + 2 * strlen(dashes) +
                            4 * quanta + lines + 4);
    char *at = text + sprintf(text, "%s%s%s\n", begin_mark, label, dashes);

    for (size_t i = 0; i < quanta; i++) {
        size_t left = data.size - 3 * i;

        at = put_quantum(at, span_of(data.data + 3 * i, left < 3 ? left : 3));
        if ((i + 1) % (COLUMNS / 4) == 0 || i + 1 == quanta)
            *at++ = '\n';
    }
    sprintf(at, "%s%s%s\n", end_mark, label, dashes);
    return text;
}
