/* tokens/pin_quality.h: how hard a new PIN is to guess.
 *
 * A guess, made of its length, the classes of characters it has (digits, lower and upper case, others), and what does
 * not count: repetitions (1111, 121212) and sequences (1234, 9876, abcd). A token counts wrong tries and locks itself,
 * so that much shorter PINs will do than passwords; `weak` is what is tried first by anybody. What it does not do: know
 * words, birthdays, or what the token itself wants. Keeps nothing of a PIN. Pure. */
#ifndef YETT_TOKENS_PIN_QUALITY_H
#define YETT_TOKENS_PIN_QUALITY_H

#include "base/base.h"

enum tokens_pin_quality {
    TOKENS_PIN_WEAK, /* among the first that are tried */
    TOKENS_PIN_FAIR, /* will do on a token that locks itself after a few tries */
    TOKENS_PIN_GOOD  /* would do without that */
};

enum {
    TOKENS_PIN_FAIR_BITS = 13, /* four digits without a pattern */
    TOKENS_PIN_GOOD_BITS = 40
};

struct tokens_pin_meter {
    enum tokens_pin_quality quality;
    unsigned bits;      /* about how many, of guessing */
    const char *reason; /* a sentence (a constant) why it is not better; "" when it is good */
};

/* `old`: the PIN before, or NULL. */
struct tokens_pin_meter tokens_pin_measure(const char *pin, const char *old);

const char *tokens_pin_quality_name(enum tokens_pin_quality quality);

#endif
