/* see proxy/session/session_ends.h */
#include "proxy/session/session_ends.h"

#define SESSION_END_ROW(name, event, level, fault, sentence, advice)                                                   \
    {#name, event, LOG_LEVEL_##level, SESSION_FAULT_##fault, sentence, advice},
static const struct session_end ends[] = {
    {"none", "session_ended", LOG_LEVEL_DEBUG, SESSION_FAULT_NOBODY, "it has not ended", ""},
    SESSION_ENDS(SESSION_END_ROW)};
#undef SESSION_END_ROW
static_assert(ARRAY_LEN(ends) == SESSION_ENDED_COUNT, "one row for each end");

static const char *const faults[] = {"nobody", "client", "target", "peer", "here"};
static_assert(ARRAY_LEN(faults) == SESSION_FAULT_COUNT, "one name for each");

const struct session_end *session_end_of(enum session_ended ended)
{
    return &ends[ended];
}

const char *session_fault_name(enum session_fault fault)
{
    return faults[fault];
}
