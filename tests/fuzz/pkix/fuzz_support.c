/* see fuzz_support.h */
#include "fuzz_support.h"

#include <nss.h>

void fuzz_start_nss(void)
{
    if (!NSS_IsInitialized() && NSS_NoDB_Init(NULL) != SECSuccess)
        base_abort("NSS cannot be initialised");
}

struct span fuzz_take_part(struct span *input)
{
    size_t size;
    struct span part;

    if (input->size < 2) {
        *input = span_of(NULL, 0);
        return *input;
    }
    size = (size_t)input->data[0] << 8 | input->data[1];
    *input = span_skip(*input, 2);
    if (size > input->size)
        size = input->size;
    part = span_of(input->data, size);
    *input = span_skip(*input, size);
    return part;
}

enum pkix_error fuzz_accept_any_signature(void *ctx, const struct pkix_signed *statement, struct span spki)
{
    (void)ctx;
    (void)statement;
    (void)spki;
    return PKIX_OK;
}
