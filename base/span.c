/* see base/span.h */
#include "base/span.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

bool span_equal_nocase(struct span a, struct span b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

bool span_starts_with_nocase(struct span s, const char *prefix)
{
    size_t len = strlen(prefix);

    return s.size >= len && span_equal_nocase(span_of(s.data, len), span_of(prefix, len));
}

size_t span_take_utf8(struct span s, uint32_t *c)
{
    static const struct {
        uint8_t mask, lead;
        size_t size;
        uint32_t first; /* the least that needs so many bytes */
    } forms[] = {{0x80, 0x00, 1, 0}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if ((s.data[0] & forms[i].mask) != forms[i].lead)
            continue;
        if (s.size < forms[i].size)
            return 0;
        *c = s.data[0] & (uint8_t)~forms[i].mask;
        for (size_t k = 1; k < forms[i].size; k++) {
            if ((s.data[k] & 0xc0) != 0x80)
                return 0;
            *c = *c << 6 | (s.data[k] & 0x3fu);
        }
        return *c >= forms[i].first && *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff) ? forms[i].size : 0;
    }
    return 0;
}

bool span_is_clean_utf8(struct span s)
{
    while (s.size != 0) {
        uint32_t c = 0;
        size_t size = span_take_utf8(s, &c);

        if (size == 0 || c < ' ' || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029)
            return false;
        s = span_skip(s, size);
    }
    return true;
}

/* FNV-1a. */
uint64_t span_hash(struct span s)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < s.size; i++)
        hash = (hash ^ s.data[i]) * 0x100000001b3u;
    return hash;
}
