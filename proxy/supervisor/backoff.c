/* see proxy/supervisor/backoff.h */
#include "proxy/supervisor/backoff.h"

uint64_t backoff_ms(unsigned deaths)
{
    static const uint64_t steps[] = {0, 0, 100, 500, 1000, BACKOFF_MS_MAX};

    return deaths < ARRAY_LEN(steps) ? steps[deaths] : BACKOFF_MS_MAX;
}
