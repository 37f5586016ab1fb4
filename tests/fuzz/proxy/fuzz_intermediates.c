/* proxy/process/intermediates_file.c: intermediates as another worker, or a damaged file, gives them. What is written
 * can be read again, and is the same. */
#include "proxy/process/intermediates_file.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pkix_intermediates *known = pkix_intermediates_create(), *again = pkix_intermediates_create();
    char *error = NULL, *text, *second;
    size_t added = 0;

    if (intermediates_text_read(span_of(data, size), "input", known, &added, &error))
        FUZZ_CHECK(error == NULL);
    else
        FUZZ_CHECK(error != NULL && added == 0);
    free(error);
    error = NULL;
    text = intermediates_text(known);
    FUZZ_CHECK(text[0] == '\0' || intermediates_text_read(span_of_string(text), "again", again, &added, &error));
    second = intermediates_text(again);
    FUZZ_CHECK(strcmp(text, second) == 0);
    free(text);
    free(second);
    pkix_intermediates_destroy(&known);
    pkix_intermediates_destroy(&again);
    return 0;
}
