/* A relayed conversation through a filter, fed in every way of cutting it.
 *
 * A script is a row of steps: who speaks, and what the other side must then have got, all in order. relay_check() runs
 * it with each step whole, in pieces of 1, 2, ... bytes, cut in two at every offset, and with an output buffer that is
 * emptied only when the filter asks for room. */
#ifndef YETT_TESTS_STARTTLS_RELAY_H
#define YETT_TESTS_STARTTLS_RELAY_H

#include "starttls/starttls.h"

#define BYTES(literal)                                                                                                 \
    {                                                                                                                  \
        (const uint8_t *)(literal), sizeof(literal) - 1                                                                \
    }

struct step {
    enum starttls_direction direction;
    struct span bytes;
    struct span want; /* what has come out at the other side after this step, since the step before */
};

struct relay {
    const char *name;
    enum starttls_protocol protocol;
    enum starttls_greeting greeting;
    const struct step *steps;
    size_t step_count;
    enum starttls_status want; /* after the last step; NEED_MORE after all others */
    const char *want_error;    /* a part of the sentence; NULL: none */
    size_t want_left;          /* bytes of the last step that must not be taken */
};

#define STEPS(array) .steps = (array), .step_count = ARRAY_LEN(array)

void relay_check(const struct relay *r);

#endif
