/* proxy/supervisor/refused_pins.h: PINs that a reload brought and a token did not take, so that the next reload does
 * not try them once more. One for each module: the last. In locked memory, wiped when it is forgotten. Threads: the
 * loop's. */
#ifndef YETT_PROXY_SUPERVISOR_REFUSED_PINS_H
#define YETT_PROXY_SUPERVISOR_REFUSED_PINS_H

#include "proxy/supervisor/pin_policy.h"
#include "tokens/pin.h"

struct refused_pin {
    char *module;
    struct tokens_pin *pin;
    struct pin_policy policy; /* which token said what */
};

struct refused_pins {
    struct refused_pin *items;
    size_t count;
};

const struct refused_pin *refused_pins_find(const struct refused_pins *r, const char *module); /* lent, or NULL */
/* Copies; nothing is kept where there is no PIN, or no memory to lock. */
void refused_pins_keep(struct refused_pins *r, const char *module, const struct tokens_pin *pin,
                       const struct pin_policy *policy);
void refused_pins_forget(struct refused_pins *r, const char *module);
void refused_pins_clear(struct refused_pins *r);

#endif
