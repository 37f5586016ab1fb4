/* see proxy/worker/sandbox_internal.h: an ordinary build has no instruments. */
#include "proxy/worker/sandbox_internal.h"

const char *const sandbox_calls_instruments[] = {NULL};

bool sandbox_instruments(scmp_filter_ctx filter)
{
    (void)filter;
    return true;
}
