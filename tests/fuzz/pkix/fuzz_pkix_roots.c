/* Lists of roots as people bring them, a certdata.txt, a kept list or a file of rules, by the first byte. What is read
 * of a certdata.txt must read the same from the file that keeps it. */
#include "base/text.h"
#include "pkix/certdata.h"
#include "pkix/distrust.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep_and_read(const struct pkix_roots *roots)
{
    char *text = pkix_roots_text(roots), *error = NULL;
    struct pkix_roots *again = pkix_roots_text_read(span_of_string(text), "kept", &error);

    assert(again != NULL);
    assert(again->count == roots->count && again->distrust_count == roots->distrust_count);
    for (size_t i = 0; i < roots->count; i++) {
        assert(again->roots[i].until == roots->roots[i].until);
        assert(span_equal(span_of(again->roots[i].der, again->roots[i].size),
                          span_of(roots->roots[i].der, roots->roots[i].size)));
    }
    pkix_roots_destroy(&again);
    free(text);
}

static void read_rules(struct span text)
{
    struct base_text lines = base_text_of(text);
    struct pkix_distrust_rule rule;
    struct span line;

    while (base_text_next(&lines, &line))
        if (pkix_distrust_rule_read(line, &rule) != NULL)
            assert(rule.note.size <= line.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    struct pkix_roots *roots = NULL;
    char *error = NULL;

    if (size == 0)
        return 0;
    text = span_skip(text, 1);
    if (data[0] == 'r') {
        read_rules(text);
        return 0;
    }
    if (data[0] == 'k') {
        roots = pkix_roots_text_read(text, "f", &error);
    } else {
        roots = pkix_certdata_read(text, "f", &error);
        (void)pkix_certdata_is(text);
        if (roots != NULL) {
            roots->date = 1777593600;
            keep_and_read(roots);
        }
    }
    assert((roots == NULL) == (error != NULL));
    pkix_roots_destroy(&roots);
    free(error);
    return 0;
}
