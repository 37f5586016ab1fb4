#include "fuzz_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_machine(STARTTLS_NNTP, FUZZ_PROBED, data, size);
}
