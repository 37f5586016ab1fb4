/* Text that is to be PEM: what decodes must encode to a block that reads the same. */
#include "base/pem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(struct span label, struct span bytes)
{
    char name[BASE_PEM_LABEL_MAX + 1] = "";
    struct span text, label_again, body;
    uint8_t *again;
    size_t size;
    char *block;

    memcpy(name, label.data, label.size);
    if (strlen(name) != label.size) /* a label with a NUL is no C string */
        return;
    block = base_pem_encode(name, bytes);
    text = span_of_string(block);
    if (base_pem_next(&text, &label_again, &body) != BASE_PEM_BLOCK || !span_equal(label, label_again) ||
        !base_pem_decode(body, &again, &size) || !span_equal(bytes, span_of(again, size)))
        abort();
    free(again);
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size), label, body;
    enum base_pem_status status;

    while ((status = base_pem_next(&text, &label, &body)) != BASE_PEM_END) {
        uint8_t *bytes;
        size_t bytes_size;

        if (status != BASE_PEM_BLOCK || !base_pem_decode(body, &bytes, &bytes_size))
            continue;
        same_again(label, span_of(bytes, bytes_size));
        free(bytes);
    }
    return 0;
}
