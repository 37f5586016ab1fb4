/* see tokens/pin_quality.h */
#include "tokens/pin_quality.h"

#include <string.h>

static const char *const quality_names[] = {"weak", "fair", "good"};
static_assert(ARRAY_LEN(quality_names) == TOKENS_PIN_GOOD + 1, "one name for each quality");

/* see tokens/pin_quality.h */
const char *tokens_pin_quality_name(enum tokens_pin_quality quality)
{
    return quality_names[quality];
}

/* Sizes of the classes, and tenths of a bit a character is worth from an alphabet of that many. */
enum { DIGITS = 10, LETTERS = 26, OTHERS = 33 };

static unsigned tenths_of(unsigned alphabet)
{
    static const struct {
        unsigned alphabet, tenths;
    } table[] = {{10, 33}, {26, 47}, {33, 50}, {36, 51}, {43, 54}, {52, 57}, {59, 58}, {62, 59}, {69, 61}, {85, 64}};
    unsigned tenths = 65;

    for (size_t i = ARRAY_LEN(table); i > 0; i--)
        if (alphabet <= table[i - 1].alphabet)
            tenths = table[i - 1].tenths;
    return tenths;
}

static unsigned alphabet_of(const char *pin)
{
    bool digits = false, lower = false, upper = false, others = false;

    for (; *pin != '\0'; pin++) {
        if (*pin >= '0' && *pin <= '9')
            digits = true;
        else if (*pin >= 'a' && *pin <= 'z')
            lower = true;
        else if (*pin >= 'A' && *pin <= 'Z')
            upper = true;
        else
            others = true;
    }
    return (digits ? DIGITS : 0) + (lower ? LETTERS : 0) + (upper ? LETTERS : 0) + (others ? OTHERS : 0);
}

/* The shortest beginning that the whole PIN is a repetition of. */
static size_t period_of(const char *pin, size_t size)
{
    for (size_t period = 1; period < size; period++) {
        size_t i = period;

        while (i < size && pin[i] == pin[i - period])
            i++;
        if (i == size)
            return period;
    }
    return size;
}

/* Characters that are neither the one before again nor the next or last of a sequence. */
static size_t surprises(const char *pin, size_t size)
{
    size_t count = size == 0 ? 0 : 1;

    for (size_t i = 1; i < size; i++) {
        int step = pin[i] - pin[i - 1];

        if (step < -1 || step > 1)
            count++;
    }
    return count;
}

/* see tokens/pin_quality.h */
struct tokens_pin_meter tokens_pin_measure(const char *pin, const char *old)
{
    struct tokens_pin_meter meter = {.quality = TOKENS_PIN_GOOD, .reason = ""};
    size_t size = strlen(pin), period = period_of(pin, size), counting = surprises(pin, size);

    meter.bits = (unsigned)((counting < period ? counting : period) * tenths_of(alphabet_of(pin)) / 10);
    if (meter.bits < TOKENS_PIN_GOOD_BITS) {
        meter.quality = meter.bits < TOKENS_PIN_FAIR_BITS ? TOKENS_PIN_WEAK : TOKENS_PIN_FAIR;
        meter.reason = 2 * period <= size           ? "it repeats itself"
                       : 2 * counting <= size       ? "much of it is a sequence"
                       : alphabet_of(pin) <= DIGITS ? "it has digits only, or is short"
                                                    : "it is short";
    }
    if (old != NULL && strcmp(pin, old) == 0) {
        meter.quality = TOKENS_PIN_WEAK;
        meter.reason = "it is the PIN that it replaces";
    }
    return meter;
}
