/* see proxy/process/thread_priority.h */
#include "proxy/process/thread_priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    NICE_MAX = 19,
    /* A tenth of the loop's share when both want the core. The share also decides who is next: a loop that has just
     * worked is "ahead" of a thread that computes until that one has had its share, and so waits for a tenth of the
     * time that it took itself, not for a third or the whole. */
    PATIENT_NICE = 10,
    PROMPT_SLICE_NS = 400000, /* shorter than the kernel's own (0.7 ms and up), and not so short that switching costs */
};

/* sched_setattr(2), which glibc 2.36 does not wrap, with the first version of its structure. */
struct sched_attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

/* slice_ns 0: the kernel's own. */
static bool set(uint32_t policy, int nice_value, uint64_t slice_ns)
{
    struct sched_attributes attributes = {
        .size = sizeof(attributes), .policy = policy, .nice = nice_value, .runtime = slice_ns};

    return syscall(SYS_sched_setattr, 0, &attributes, 0u) == 0;
}

bool thread_priority_prompt(void)
{
    return set(SCHED_OTHER, getpriority(PRIO_PROCESS, 0), PROMPT_SLICE_NS);
}

bool thread_priority_patient(void)
{
    int nice_value = getpriority(PRIO_PROCESS, 0) + PATIENT_NICE; /* on Linux a thread's own */

    return set(SCHED_BATCH, nice_value < NICE_MAX ? nice_value : NICE_MAX, 0);
}
