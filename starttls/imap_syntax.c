/* see starttls/imap_syntax.h */
#include "starttls/imap_syntax.h"
#include "starttls/limits.h"

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
