#include "fuzz_filter.h"

/* A session begins with a StartupMessage, or nothing is passed on but one CancelRequest; a request for encryption never
 * is. */
static void check(struct span to_client, struct span to_server)
{
    static const uint8_t cancel[] = {0x04, 0xd2, 0x16, 0x2e}, major[] = {0, 3};

    (void)to_client;
    if (to_server.size < 8 || memcmp(to_server.data + 4, major, sizeof(major)) == 0)
        return;
    FUZZ_CHECK(memcmp(to_server.data + 4, cancel, sizeof(cancel)) == 0);
    FUZZ_CHECK(to_server.size <= (size_t)to_server.data[2] * 256 + to_server.data[3]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_filter(STARTTLS_POSTGRES, check, data, size);
}
