#include "fuzz_filter.h"

static void check(struct span to_client, struct span to_server)
{
    (void)to_client; /* fuzz_smtp_filter reads the replies; here it is the count of them that differs */
    (void)to_server;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_filter(STARTTLS_LMTP, check, data, size);
}
