/* proxy/session/access.c: patterns of ours held against what a certificate says; and every way of matching told by a
 * second, slower one. Parts: the pattern, the value. */
#include "proxy/session/access.h"
#include "tests/fuzz/fuzz.h"

#include <ctype.h>
#include <stdlib.h>

static bool same(char a, char b, enum access_fold fold)
{
    return fold == ACCESS_CASE_FOLDED ? tolower((unsigned char)a) == tolower((unsigned char)b) : a == b;
}

/* By a table: reaches[i] tells whether the first i characters of the value fit the pattern so far. */
static bool matches_slowly(const char *pattern, const char *value, enum access_fold fold)
{
    size_t size = strlen(value);
    bool *reaches = base_alloc(size + 1), fits;

    reaches[0] = true;
    for (const char *p = pattern; *p != '\0'; p++) {
        if (*p == '*') {
            for (size_t i = 1; i <= size; i++)
                reaches[i] = reaches[i] || reaches[i - 1];
            continue;
        }
        for (size_t i = size; i > 0; i--)
            reaches[i] = reaches[i - 1] && same(*p, value[i - 1], fold);
        reaches[0] = false;
    }
    fits = reaches[size];
    free(reaches);
    return fits;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size), part = fuzz_part(&input);
    char *pattern = base_strndup(part.size == 0 ? "" : (const char *)part.data, part.size);
    char *value = base_strndup(input.size == 0 ? "" : (const char *)input.data, input.size < 300 ? input.size : 300);

    for (unsigned fold = 0; fold < 2; fold++)
        FUZZ_CHECK(access_pattern_matches(pattern, value, (enum access_fold)fold) ==
                   matches_slowly(pattern, value, (enum access_fold)fold));
    free(pattern);
    free(value);
    return 0;
}
