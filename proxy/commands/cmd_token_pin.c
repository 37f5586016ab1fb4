/* "yett token set-pin". See proxy/commands/cmd_token_internal.h */
#include "proxy/commands/cmd_token_internal.h"
#include "proxy/process/secret_source.h"
#include "tokens/pin_quality.h"

#include <stdio.h>
#include <stdlib.h>

/* The meter. false with *error: it may not be used. */
static bool measure(const struct token_options *o, const struct tokens_pin *new_pin, const struct tokens_pin *pin,
                    char **error)
{
    struct tokens_pin_meter meter = tokens_pin_measure(tokens_pin_text(new_pin), tokens_pin_text(pin));
    const char *name = tokens_pin_quality_name(meter.quality);

    fprintf(stderr, "yett token set-pin: the new PIN is %s (about %u bits)%s%s\n", name, meter.bits,
            meter.reason[0] == '\0' ? "" : ": ", meter.reason);
    if (meter.quality != TOKENS_PIN_WEAK || o->insecure_weak_pin)
        return true;
    *error = base_strdup("a weak PIN is not set; --insecure-weak-pin does it all the same");
    return false;
}

static bool set_typed_pin(const struct token_options *o, enum tokens_pin_source source, const char *value, char **error)
{
    struct tokens_pin *pin = token_pin_read(o, error), *new_pin = NULL;
    bool done = false;

    if (pin != NULL)
        new_pin = secret_read_new(source, value, "PIN", error);
    if (new_pin != NULL)
        done = measure(o, new_pin, pin, error) && tokens_set_pin(o->opened, o->line.arguments[0], pin, new_pin, error);
    tokens_pin_destroy(&pin);
    tokens_pin_destroy(&new_pin);
    return done;
}

/* see proxy/commands/cmd_token_internal.h */
int cmd_token_set_pin(void *options)
{
    const struct token_options *o = options;
    enum tokens_pin_source source;
    const char *value;
    bool key_pad, done;
    char *error = NULL;

    if (!secret_source_parse(o->new_pin, &source, &value))
        return subcommand_misused(&o->line,
                                  "--new-pin is file:PATH, env:NAME, credential:NAME or prompt; never the PIN itself");
    if (!tokens_has_key_pad(o->opened, o->line.arguments[0], &key_pad, &error))
        return subcommand_failed(&o->line, &error);
    if (key_pad)
        fputs("yett token set-pin: type the old PIN and the new one on the reader's key pad\n", stderr);
    done = key_pad ? tokens_set_pin(o->opened, o->line.arguments[0], NULL, NULL, &error)
                   : set_typed_pin(o, source, value, &error);
    if (!done)
        return subcommand_failed(&o->line, &error);
    fputs("the PIN is changed. A running yett has the old one: put the new one where the configuration says it is, and "
          "reload,\nor: yett token login\n",
          stdout);
    return SUBCOMMAND_DONE;
}
