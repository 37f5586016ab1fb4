#include "fuzz_filter.h"

/* The first message of either side: StartTLS is neither asked for, nor offered in a root DSE. */
static bool begins_with_starttls(struct span bytes)
{
    static const char plain[] = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
                                "1.3.6.1.4.1.1466.20037";

    return bytes.size >= sizeof(plain) - 1 && bytes.data[0] == plain[0] && bytes.data[1] == plain[1] &&
           memcmp(bytes.data + 5, plain + 5, sizeof(plain) - 1 - 5) == 0;
}

static void check(struct span to_client, struct span to_server)
{
    (void)to_client;
    FUZZ_CHECK(!begins_with_starttls(to_server));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_filter(STARTTLS_LDAP, check, data, size);
}
