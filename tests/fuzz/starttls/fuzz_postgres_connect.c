#include "fuzz_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_machine(STARTTLS_POSTGRES, FUZZ_CONNECTED, data, size);
}
