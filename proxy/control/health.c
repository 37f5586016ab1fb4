/* see proxy/control/health.h */
#include "proxy/control/health.h"

#include "base/buffer.h"

#include <string.h>

enum { HEALTH_BYTES_MAX = 64 * 1024 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

/* Why a token that is there cannot sign; NULL: it can, as far as is known. */
static const char *pin_problem(const char *pin)
{
    static const struct {
        const char *pin, *why;
    } problems[] = {
        {"unknown", "waits for a login: an agent died while it tried the PIN"},
        {"held", "waits for a login: it had a wrong PIN before"},
        {"incorrect", "waits for a login: the PIN is wrong"},
        {"locked", "waits for a login: the PIN is locked, or at its last try"},
        {"logged_out", "waits for a login: an administrator has logged out"},
    };

    for (size_t i = 0; i < ARRAY_LEN(problems); i++)
        if (strcmp(pin, problems[i].pin) == 0)
            return problems[i].why;
    return NULL;
}

static void tell_token(struct buffer *out, const char *module, const json_t *token)
{
    const char *label = text_of(token, "label"), *why = pin_problem(text_of(token, "pin"));
    char quoted[BASE_QUOTE_SIZE];

    if (!json_is_true(json_object_get(token, "used")))
        return;
    if (!json_is_true(json_object_get(token, "present")))
        why = "is not there";
    if (why != NULL)
        (void)!buffer_printf(out, "module %s: token %s %s\n", module,
                             base_quote(label, strlen(label), quoted, sizeof(quoted)), why);
}

static void tell_module(struct buffer *out, const json_t *module)
{
    const char *name = text_of(module, "name");
    size_t i;
    json_t *token;

    if (strcmp(text_of(module, "state"), "ready") != 0)
        (void)!buffer_printf(out, "module %s: its agent is not ready (%s)\n", name, text_of(module, "state"));
    json_array_foreach(json_object_get(module, "tokens"), i, token) tell_token(out, name, token);
}

char *health_missing(const json_t *status)
{
    struct buffer out;
    struct span text;
    char *result;
    size_t i;
    json_t *module;

    buffer_init(&out, HEALTH_BYTES_MAX);
    json_array_foreach(json_object_get(status, "modules"), i, module) tell_module(&out, module);
    if (json_is_true(json_object_get(status, "waits_for_tokens")))
        (void)!buffer_printf(&out, "a service waits for the token with its key; the log says which (identity_away)\n");
    text = buffer_span(&out);
    result = base_strndup((const char *)text.data, text.size);
    buffer_release(&out);
    return result;
}
