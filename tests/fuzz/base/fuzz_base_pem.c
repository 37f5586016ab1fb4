/* Text that is to be PEM: what decodes must encode to a block that reads the same. */
#include "base/pem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first two bits of the input choose what the file is for. */
static const struct base_pem_file files[] = {
    {BASE_PEM_CERTIFICATE, 0, "certificates", false},
    {BASE_PEM_CRL, BASE_PEM_CERTIFICATE, "CRLs", true},
    {BASE_PEM_KEY | BASE_PEM_CERTIFICATE, BASE_PEM_PARAMETERS, "all", false},
    {BASE_PEM_REQUEST, 0, "requests", false},
};

static bool is_same(void *ctx, const struct base_pem_block *block, char **error)
{
    (void)error;
    if (!span_equal(block->der, *(const struct span *)ctx))
        abort();
    return true;
}

static bool same_again(void *ctx, const struct base_pem_block *block, char **error)
{
    const struct base_pem_file *file = ctx;
    char label[BASE_PEM_LABEL_MAX + 1] = "", *text, *why = NULL;
    struct span want = block->der;
    size_t count;

    (void)error;
    memcpy(label, block->label.data, block->label.size);
    text = base_pem_encode(label, block->der);
    if (!base_pem_each(span_of_string(text), "again", file, is_same, &want, &count, &why) || count != 1)
        abort();
    free(text);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct base_pem_file *file = &files[size == 0 ? 0 : data[0] & 3];
    char *error = NULL;

    if (base_pem_each(span_of(data, size), "name", file, same_again, (void *)(uintptr_t)file, NULL, &error) !=
        (error == NULL))
        abort(); /* a failure has a sentence, a success none */
    free(error);
    return 0;
}
