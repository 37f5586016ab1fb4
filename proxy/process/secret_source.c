/* see proxy/process/secret_source.h */
#include "proxy/process/secret_source.h"

#include <stdlib.h>
#include <string.h>

/* see proxy/process/secret_source.h */
bool secret_source_parse(const char *text, enum tokens_pin_source *source, const char **value)
{
    static const struct {
        const char *prefix;
        enum tokens_pin_source source;
    } prefixes[] = {{"file:", TOKENS_PIN_FILE}, {"env:", TOKENS_PIN_ENV}, {"credential:", TOKENS_PIN_CREDENTIAL}};

    *value = NULL;
    if (text == NULL || strcmp(text, "prompt") == 0) {
        *source = TOKENS_PIN_PROMPT;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        size_t len = strlen(prefixes[i].prefix);

        if (strncmp(text, prefixes[i].prefix, len) == 0 && text[len] != '\0') {
            *source = prefixes[i].source;
            *value = text + len;
            return true;
        }
    }
    return false;
}

/* see proxy/process/secret_source.h */
struct tokens_pin *secret_read_new(enum tokens_pin_source source, const char *value, const char *what, char **error)
{
    char *prompt = base_printf("New %s: ", what), *prompt_again = base_printf("New %s, once more: ", what);
    struct tokens_pin *secret = tokens_pin_read(source, value, prompt, error), *again = NULL;

    if (secret != NULL && source == TOKENS_PIN_PROMPT) {
        again = tokens_pin_read(source, value, prompt_again, error);
        if (again != NULL && strcmp(tokens_pin_text(secret), tokens_pin_text(again)) != 0)
            *error = base_printf("the two new %ss differ; nothing was changed", what);
        if (*error != NULL)
            tokens_pin_destroy(&secret);
        tokens_pin_destroy(&again);
    }
    free(prompt);
    free(prompt_again);
    return secret;
}

enum tokens_pin_source secret_source_configured(enum config_pin_type type)
{
    switch (type) {
    case CONFIG_PIN_NONE:
        return TOKENS_PIN_NONE;
    case CONFIG_PIN_FILE:
        return TOKENS_PIN_FILE;
    case CONFIG_PIN_CREDENTIAL:
        return TOKENS_PIN_CREDENTIAL;
    case CONFIG_PIN_ENV:
        return TOKENS_PIN_ENV;
    case CONFIG_PIN_PROMPT:
        return TOKENS_PIN_PROMPT;
    }
    return TOKENS_PIN_NONE;
}
