/* Any bytes as lines: the lines and their ends are the text, and no line has an end in it. */
#include "base/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct base_text text = base_text_of(span_of(data, size));
    const uint8_t *at = text.rest.data;
    unsigned lines = 0, bad_line;
    const char *problem = base_text_problem(span_of(data, size), &bad_line);
    struct span line;

    if (text.rest.size + 3 != size && text.rest.size != size)
        abort();
    while (base_text_next(&text, &line)) {
        struct span trimmed = base_text_trim(line);

        if (line.data != at || text.line != ++lines || trimmed.size > line.size)
            abort();
        for (size_t i = 0; i < line.size; i++)
            if (line.data[i] == '\n' || line.data[i] == '\r' || (line.data[i] == '\0' && problem == NULL))
                abort();
        at = text.rest.data;
        if ((size_t)(at - line.data) - line.size > 2)
            abort();
    }
    if (text.rest.size != 0 || bad_line > lines)
        abort();
    return 0;
}
