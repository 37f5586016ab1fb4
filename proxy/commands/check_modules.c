/* see proxy/commands/check_live.h: the modules and their tokens.
 *
 * A vendor's library may hang or crash as it loads, so each is loaded by a child (a fork: nothing has threads yet) that
 * writes what "yett token list --json" does into a pipe. */
#include "proxy/commands/check_live.h"

#include "proxy/commands/token_report.h"
#include "proxy/process/limits.h"
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the child ---- */

/* What says that all is well: 0 is what a module may end the process with. */
enum { STATUS_GOOD = 100, STATUS_FAILED = 1 };

NORETURN static void load_and_list(const struct config_module *module, enum check_depth depth, int fd)
{
    const struct tokens_module_settings settings = {.parameters = module->parameters, .serialise = module->serialise};
    struct tokens_module *loaded;
    FILE *out = fdopen(fd, "w");
    char *error = NULL;

    for (size_t i = 0; i < module->environment_count; i++)
        (void)putenv(module->environment[i]);
    loaded = tokens_module_load_with(module->path, &settings, &error);
    if (loaded == NULL || (depth == CHECK_LIVE && !token_report_list(loaded, out, TOKEN_REPORT_JSON, &error))) {
        fprintf(out, "%s", error);
        (void)fflush(out);
        _exit(STATUS_FAILED);
    }
    _exit(STATUS_GOOD); /* what the library does at its end is of no interest, and may hang */
}

/* ---- the parent ---- */

enum reading { READING_DONE, READING_LATE, READING_TOO_LONG };

static enum reading read_with_deadline(const struct config_module *module, int fd, struct buffer *text)
{
    uint64_t started_ms = base_now_ms(), told_ms = started_ms;

    for (;;) {
        struct pollfd wanted = {.fd = fd, .events = POLLIN};
        uint64_t now_ms = base_now_ms();
        uint8_t block[4096];
        ssize_t size;

        if (now_ms - started_ms >= LIMIT_MODULE_LOAD_MS)
            return READING_LATE;
        if (now_ms - told_ms >= LIMIT_PROBE_TELL_MS) {
            told_ms = now_ms;
            fprintf(stderr, "yett check: module %s: still loading after %llu s\n", module->name,
                    (unsigned long long)((now_ms - started_ms) / 1000));
        }
        if (poll(&wanted, 1, LIMIT_PROBE_TELL_MS / 4) <= 0)
            continue;
        size = read(fd, block, sizeof(block));
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            return READING_DONE; /* it has ended, or is about to */
        if (!buffer_append(text, span_of(block, (size_t)size)))
            return READING_TOO_LONG;
    }
}

static bool has_flag(const json_t *token, const char *name)
{
    const json_t *flags = json_object_get(token, "flags");

    for (size_t i = 0; i < json_array_size(flags); i++)
        if (strcmp(json_string_value(json_array_get(flags, i)), name) == 0)
            return true;
    return false;
}

static const char *login_text(const struct config_module *module, const json_t *token)
{
    if (!has_flag(token, "login-required"))
        return "needs no login";
    if (has_flag(token, "key-pad"))
        return "asks for its PIN itself";
    if (module->pin_type == CONFIG_PIN_NONE)
        return "needs a login, and no pin is configured: its keys wait for yett token login";
    return "needs a login";
}

static void report_token(const struct config_module *module, const json_t *token, struct config_findings *findings)
{
    const char *uri = json_string_value(json_object_get(token, "uri"));

    if (has_flag(token, "pin-locked"))
        config_finding_add(findings, module->place, "module %s: %s: its PIN is locked; unlock it with its SO PIN",
                           module->name, uri);
    else if (has_flag(token, "pin-final-try"))
        config_finding_add(findings, module->place,
                           "module %s: %s: one wrong PIN more locks it; log in with the right one, outside of yett",
                           module->name, uri);
    else if (has_flag(token, "pin-count-low") && module->pin_type != CONFIG_PIN_NONE)
        config_finding_add(
            findings, module->place,
            "module %s: %s: the last PIN it was given was wrong, so the configured one is not tried now; "
            "when it is right, yett run and yett check without --live try it, once",
            module->name, uri);
    else
        printf("module %s: %s %s\n", module->name, uri, login_text(module, token));
}

static void report_list(const struct config_module *module, const struct buffer *text, struct config_findings *findings)
{
    struct span bytes = buffer_span(text);
    json_t *tokens = json_loadb((const char *)bytes.data, bytes.size, 0, NULL);

    if (!json_is_array(tokens))
        config_finding_add(findings, module->place, "module %s: its list of tokens cannot be read", module->name);
    else if (json_array_size(tokens) == 0)
        config_finding_add(findings, module->place,
                           "module %s: it loads, but no token is there: plug one in, or see the module's own settings",
                           module->name);
    for (size_t i = 0; i < json_array_size(tokens); i++)
        report_token(module, json_array_get(tokens, i), findings);
    json_decref(tokens);
}

/* What the child came to. */
static void report(const struct config_module *module, enum check_depth depth, const struct buffer *text,
                   enum reading reading, int status, struct config_findings *findings)
{
    char quoted[BASE_QUOTE_SIZE];
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == STATUS_GOOD;

    if (reading == READING_TOO_LONG)
        config_finding_add(findings, module->place, "module %s: the list of its objects is longer than %d bytes",
                           module->name, LIMIT_PROBE_MODULE_BYTES);
    else if (reading == READING_LATE)
        config_finding_add(findings, module->place, "module %s: it has not %s within %d s", module->name,
                           depth == CHECK_LIVE ? "listed its tokens" : "loaded", LIMIT_MODULE_LOAD_MS / 1000);
    else if (WIFSIGNALED(status))
        config_finding_add(findings, module->place, "module %s: it crashes as it loads (signal %d, %s)", module->name,
                           WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (!good && text->size == 0)
        config_finding_add(findings, module->place, "module %s: it ends the process as it loads (status %d)",
                           module->name, WEXITSTATUS(status));
    else if (!good)
        config_finding_add(findings, module->place, "module %s: %s", module->name,
                           base_quote(buffer_span(text).data, text->size, quoted, sizeof(quoted)));
    else if (depth == CHECK_LIVE)
        report_list(module, text, findings);
}

static void check_module(const struct config_module *module, enum check_depth depth, struct config_findings *findings)
{
    struct buffer text;
    enum reading reading;
    int ends[2], status = 0;
    pid_t child;

    if (pipe(ends) != 0)
        base_abort("cannot make a pipe: %s", strerror(errno));
    (void)fflush(NULL);
    child = fork();
    if (child < 0)
        base_abort("cannot make a process: %s", strerror(errno));
    if (child == 0) {
        close(ends[0]);
        load_and_list(module, depth, ends[1]);
    }
    close(ends[1]);
    buffer_init(&text, LIMIT_PROBE_MODULE_BYTES);
    reading = read_with_deadline(module, ends[0], &text);
    close(ends[0]);
    if (reading != READING_DONE)
        (void)kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    report(module, depth, &text, reading, status, findings);
    buffer_release(&text);
}

/* That there is a PIN to be had. Other sources are those of the service's own environment, which is not ours. */
static void check_pin_file(const struct config_module *module, struct config_findings *findings)
{
    struct tokens_pin *pin;
    char *error = NULL;

    if (module->pin_type != CONFIG_PIN_FILE)
        return;
    pin = tokens_pin_read(TOKENS_PIN_FILE, module->pin_source, NULL, &error);
    if (pin == NULL)
        config_finding_add(findings, module->place, "module %s: %s", module->name, error);
    tokens_pin_destroy(&pin);
    free(error);
}

void check_modules(const struct config *config, enum check_depth depth,
                   bool (*is_served)(const struct config *config, const struct config_module *module),
                   struct config_findings *findings)
{
    for (size_t i = 0; i < config->module_count; i++) {
        const struct config_module *module = &config->modules[i];
        bool served = is_served(config, module);

        if (depth == CHECK_LIVE || !served)
            check_pin_file(module, findings);
        if (!served)
            check_module(module, depth, findings);
        else if (depth == CHECK_LIVE)
            printf("module %s: the running yett has it; see yett status\n", module->name);
    }
    (void)fflush(stdout);
}

void check_token_identities(const struct services *services)
{
    for (size_t i = 0; i < services->count; i++) {
        const struct service *s = &services->items[i];

        for (size_t k = 0; k < s->identity_count + s->connect_identity_count; k++) {
            bool own = k < s->identity_count;
            size_t index = own ? k : k - s->identity_count;
            const struct config_identity *named =
                own ? &s->config->identity[index] : &s->config->connect_identity[index];
            const struct tls_identity *identity = own ? s->identities[index] : s->connect_identities[index];
            const char *warning = tls_identity_warning(identity);

            if (named->type == CONFIG_IDENTITY_PKCS11)
                printf("service %s: %s: %s%s%s\n", s->config->name, named->text, tls_identity_describe(identity),
                       warning[0] == '\0' ? "" : "; ", warning);
            else if (warning[0] != '\0')
                printf("service %s: %s: %s\n", s->config->name, named->text, warning);
        }
    }
}
