/* see starttls/imap_syntax.h */
#include "starttls/imap_syntax.h"
#include "starttls/machine.h"

bool imap_is_tag(struct span tag)
{
    if (tag.size == 0 || tag.size > STARTTLS_IMAP_TAG_BYTES_MAX)
        return false;
    for (size_t i = 0; i < tag.size; i++) {
        uint8_t c = tag.data[i];

        if (c <= ' ' || c > '~' || strchr("(){%*\"\\+", c) != NULL)
            return false;
    }
    return true;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

bool imap_ends_with_literal(struct span line, struct imap_literal *literal)
{
    struct imap_literal found = {.size = 0, .is_synchronizing = true};
    size_t end = line.size, start;

    if (end < 2 || line.data[end - 1] != '}')
        return false;
    end--;
    if (line.data[end - 1] == '+') {
        found.is_synchronizing = false;
        end--;
    }
    for (start = end; start > 0 && is_digit(line.data[start - 1]); start--)
        ;
    if (start == 0 || line.data[start - 1] != '{')
        return false;
    if (start == end || end - start > STARTTLS_IMAP_LITERAL_DIGITS_MAX)
        found.size = UINT64_MAX;
    else
        for (size_t i = start; i < end; i++)
            found.size = found.size * 10 + (uint64_t)(line.data[i] - '0');
    if (literal != NULL)
        *literal = found;
    return true;
}

struct span imap_take_word(struct span *line)
{
    size_t start = 0, end;

    while (start < line->size && line->data[start] == ' ')
        start++;
    for (end = start; end < line->size && line->data[end] > ' '; end++)
        ;
    struct span word = span_of(line->size == 0 ? NULL : line->data + start, end - start);
    *line = span_skip(*line, end);
    return word;
}

bool imap_literal_is_cut(struct span tail)
{
    if (tail.size == 0 || tail.data[tail.size - 1] != '}')
        return false;
    tail.size -= tail.size > 1 && tail.data[tail.size - 2] == '+' ? 2 : 1;
    while (tail.size != 0 && is_digit(tail.data[tail.size - 1]))
        tail.size--;
    return tail.size == 0;
}

/* A user name or password that is no literal (RFC 9051 section 9, "astring"); 0: it is not. */
static size_t astring_size(struct span text)
{
    bool quoted = text.size != 0 && text.data[0] == '"';

    for (size_t n = quoted; n < text.size; n++) {
        uint8_t c = text.data[n];

        if (c < ' ' || c > '~')
            return 0;
        if (quoted && c == '"')
            return n + 1;
        if (quoted && c == '\\' && (++n == text.size || (text.data[n] != '"' && text.data[n] != '\\')))
            return 0;
        if (!quoted && strchr("(){ %*\"\\", c) != NULL)
            return n;
    }
    return quoted ? 0 : text.size;
}

bool imap_is_literal_alone(struct span text)
{
    return text.size != 0 && text.data[0] == ' ' && memchr(text.data, '{', text.size) == text.data + 1 &&
           imap_ends_with_literal(text, NULL) && memchr(text.data + 2, '{', text.size - 2) == NULL;
}

unsigned imap_count_login_args(struct span text)
{
    struct span rest = text, tag = imap_take_word(&rest), word = imap_take_word(&rest);
    size_t size;

    if (tag.data != text.data || !imap_is_tag(tag) || word.data != tag.data + tag.size + 1 ||
        !text_word_is(word, "LOGIN"))
        return IMAP_LOGIN_UNCLEAR;
    if (imap_is_literal_alone(rest))
        return 1;
    if (rest.size == 0 || rest.data[0] != ' ')
        return IMAP_LOGIN_UNCLEAR;
    rest = span_skip(rest, 1);
    size = astring_size(rest);
    return size != 0 && imap_is_literal_alone(span_skip(rest, size)) ? IMAP_LOGIN_ARGS : IMAP_LOGIN_UNCLEAR;
}
