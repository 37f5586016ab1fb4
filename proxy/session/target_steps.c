/* see proxy/session/target_steps.h */
#include "proxy/session/target_steps.h"

static void add(struct target_steps *steps, enum target_step step)
{
    steps->items[steps->count++] = step;
}

struct target_steps target_steps_make(const struct target_steps_options *options)
{
    struct target_steps steps = {.count = 0};

    if (options->via)
        add(&steps, TARGET_STEP_VIA);
    add(&steps, TARGET_STEP_HEADER);
    if (options->tls == CONFIG_TLS_STARTTLS)
        add(&steps, TARGET_STEP_NEGOTIATE);
    if (options->tls != CONFIG_TLS_NONE) {
        add(&steps, TARGET_STEP_DRAIN);
        add(&steps, TARGET_STEP_TLS);
    }
    /* Where STARTTLS was asked for, its machine has heard the greeting; unless there comes another. */
    if (options->tls == CONFIG_TLS_STARTTLS ? options->greets_in_tls : options->greeted)
        add(&steps, TARGET_STEP_GREETING);
    add(&steps, TARGET_STEP_SERVE);
    return steps;
}
