/* see proxy/supervisor/agents.h */
#include "proxy/supervisor/agents.h"

#include "proxy/supervisor/agent_process.h"
#include "proxy/supervisor/listen_sockets.h"
#include "proxy/supervisor/refused_pins.h"
#include "proxy/process/log.h"
#include "proxy/process/secret_source.h"
#include "proxy/service/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a preparation that is still undecided made for one module. */
struct candidate {
    struct agent_process *agent;    /* new; NULL: the old one stays */
    struct agent_process *replaces; /* NULL: none before */
    struct tokens_pin *pin;         /* a changed PIN for the old one; NULL: none */
    char *report;                   /* why the new one failed first; NULL: it has not */
};

struct agents {
    uv_loop_t *loop;
    uint32_t load_timeout_ms;
    const struct agents_events *events;
    void *owner;
    bool stopping;
    bool emptied;
    size_t alive;                 /* agents that have not ended, of whatever standing */
    struct agent_process **items; /* in force */
    size_t count;
    struct candidate *candidates;
    size_t candidate_count;
    bool told_ready; /* that all candidates are */
    bool committed;  /* something is in force, which goes on when a candidate is not good enough */
    struct refused_pins refused;
    int grants_fd; /* a sealed memory file; -1: none yet */
    int keys_fd;   /* likewise */
};

struct agents *agents_create(uv_loop_t *loop, uint32_t load_timeout_ms, const struct agents_events *events, void *owner)
{
    struct agents *a = base_alloc(sizeof(*a));

    *a = (struct agents){.loop = loop,
                         .load_timeout_ms = load_timeout_ms,
                         .events = events,
                         .owner = owner,
                         .grants_fd = -1,
                         .keys_fd = -1};
    return a;
}

void agents_destroy(struct agents **a)
{
    if (*a == NULL)
        return;
    assert((*a)->alive == 0);
    if ((*a)->grants_fd >= 0)
        close((*a)->grants_fd);
    if ((*a)->keys_fd >= 0)
        close((*a)->keys_fd);
    refused_pins_clear(&(*a)->refused);
    free((*a)->items);
    free((*a)->candidates);
    free(*a);
    *a = NULL;
}

static void check_empty(struct agents *a)
{
    if (!a->stopping || a->alive > 0 || a->emptied)
        return;
    a->emptied = true;
    a->events->on_empty(a->owner);
}

static void on_ended(void *owner, struct agent_process *ended)
{
    struct agents *a = owner;

    (void)ended;
    a->alive--;
    check_empty(a);
}

/* --- the verdict on a preparation --- */

static struct candidate *candidate_of(struct agents *a, const struct agent_process *agent)
{
    for (size_t i = 0; i < a->candidate_count; i++)
        if (a->candidates[i].agent == agent)
            return &a->candidates[i];
    return NULL;
}

static bool is_ready(const struct candidate *c)
{
    return c->report == NULL && (c->agent == NULL || agent_process_is_ready(c->agent));
}

bool agents_candidates_are_ready(const struct agents *a)
{
    for (size_t i = 0; i < a->candidate_count; i++)
        if (!is_ready(&a->candidates[i]))
            return false;
    return true;
}

/* A line for each that failed; owned by the caller. */
static char *reports(const struct agents *a)
{
    char *text = base_strdup("");

    for (size_t i = 0; i < a->candidate_count; i++) {
        const char *report = a->candidates[i].report;
        char *longer;

        if (report == NULL)
            continue;
        longer = base_printf("%s%s%s", text, text[0] == '\0' ? "" : "\n", report);
        free(text);
        text = longer;
    }
    return text;
}

/* Once all have come to something, it is told; after that, who fails has been waited for long enough. */
static void decide(struct agents *a)
{
    char *text;

    if (agents_candidates_are_ready(a)) {
        a->told_ready = true;
        a->events->on_candidates_ready(a->owner);
        return;
    }
    for (size_t i = 0; i < a->candidate_count && !a->told_ready; i++)
        if (a->candidates[i].report == NULL && !is_ready(&a->candidates[i]))
            return;
    text = reports(a);
    if (text[0] != '\0')
        a->events->on_candidates_failed(a->owner, text);
    free(text);
}

static void on_ready(void *owner, struct agent_process *agent)
{
    struct agents *a = owner;

    if (candidate_of(a, agent) != NULL)
        decide(a);
    else if (a->events->on_token != NULL)
        a->events->on_token(a->owner); /* all of its tokens were away */
}

static void on_failed(void *owner, struct agent_process *agent, const char *report)
{
    struct agents *a = owner;
    struct candidate *c = candidate_of(a, agent);

    if (c == NULL)
        return;
    if (c->report == NULL)
        c->report = base_strdup(report);
    decide(a);
}

static void on_token(void *owner, struct agent_process *agent)
{
    struct agents *a = owner;

    (void)agent;
    if (a->events->on_token != NULL)
        a->events->on_token(a->owner);
}

/* What is in force can go on as it is. At the start nothing is: the services of that token wait for somebody to log in,
 * and the others begin. */
static void on_pin_refused(void *owner, struct agent_process *agent, const char *report)
{
    struct agents *a = owner;

    if (a->events->on_pin_refused != NULL)
        a->events->on_pin_refused(a->owner, report);
    if (!a->committed || candidate_of(a, agent) == NULL)
        return;
    refused_pins_keep(&a->refused, agent_process_name(agent), agent_process_pin(agent), agent_process_policy(agent));
    on_failed(owner, agent, report);
}

static const struct agent_events agent_events = {.on_ready = on_ready,
                                                 .on_failed = on_failed,
                                                 .on_token = on_token,
                                                 .on_pin_refused = on_pin_refused,
                                                 .on_ended = on_ended};

void agents_hear_candidates(struct agents *a)
{
    /* What one says may end them all. */
    for (size_t i = 0; i < a->candidate_count; i++)
        if (a->candidates[i].agent != NULL)
            agent_process_hear_now(a->candidates[i].agent);
}

static struct agent_process *find(const struct agents *a, const char *name)
{
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(agent_process_name(a->items[i]), name) == 0)
            return a->items[i];
    return NULL;
}

/* --- PINs --- */

void agents_take_environment(const struct config *config)
{
    const char **names = base_alloc((config->module_count + 1) * sizeof(*names));
    size_t count = 0;

    for (size_t i = 0; i < config->module_count; i++)
        if (config->modules[i].pin_type == CONFIG_PIN_ENV)
            names[count++] = config->modules[i].pin_source;
    tokens_pin_take_environment(names, count);
    free(names);
}

static struct tokens_pin *copy_pin(const struct agent_process *old, char **error)
{
    const char *text = tokens_pin_text(agent_process_pin(old));

    return tokens_pin_copy(text, strlen(text), error);
}

/* The PIN that `module` names, as it is now. *pin stays NULL where none is named. An environment variable or a prompt
 * is read once; later it is what `old` (the agent of that name, or NULL) has. */
static bool read_pin(const struct config_module *module, const struct agent_process *old, enum agents_prompt prompt,
                     struct tokens_pin **pin, char **error)
{
    bool once = module->pin_type == CONFIG_PIN_ENV || module->pin_type == CONFIG_PIN_PROMPT;
    char *question;

    *pin = NULL;
    if (module->pin_type == CONFIG_PIN_NONE)
        return true;
    /* Taken back by an administrator: a reload does not undo it, unless it names another source. */
    if (old != NULL && agent_process_is_logged_out(old) && agent_process_pin_is_from(old, module))
        return true;
    if (once && old != NULL && agent_process_pin(old) != NULL && agent_process_pin_is_from(old, module)) {
        *pin = copy_pin(old, error);
        return *pin != NULL;
    }
    if (module->pin_type == CONFIG_PIN_PROMPT && prompt == AGENTS_PROMPT_NEVER) {
        *error = base_strdup("pin = prompt is asked for only when yett starts");
        return false;
    }
    question = base_printf("PIN of [module %s]: ", module->name);
    *pin = tokens_pin_read(secret_source_configured(module->pin_type), module->pin_source, question, error);
    free(question);
    return *pin != NULL;
}

static bool same_pin(const struct tokens_pin *a, const struct tokens_pin *b)
{
    size_t size;

    if (a == NULL || b == NULL)
        return a == b;
    size = strlen(tokens_pin_text(a));
    return size == strlen(tokens_pin_text(b)) && base_equal_constant_time(tokens_pin_text(a), tokens_pin_text(b), size);
}

/* --- sockets ---
 *
 * A successor's socket takes the path over by rename(); the file of the one before is kept under another name until it
 * is decided. */

static char *kept_path(const char *path)
{
    return base_printf("%s.old", path);
}

static int socket_take_over(const char *path, char **error)
{
    char *fresh = base_printf("%s.new", path);
    char *kept = kept_path(path);
    int fd = listen_unix(fresh, 0600, error);

    if (fd >= 0) {
        (void)unlink(kept);
        if (link(path, kept) != 0 || rename(fresh, path) != 0) {
            *error = base_printf("cannot take over the socket %s: %s", path, strerror(errno));
            (void)unlink(fresh);
            close(fd);
            fd = -1;
        }
    }
    free(fresh);
    free(kept);
    return fd;
}

static void socket_give_back(const char *path)
{
    char *kept = kept_path(path);

    (void)rename(kept, path);
    free(kept);
}

static void socket_forget_kept(const char *path)
{
    char *kept = kept_path(path);

    (void)unlink(kept);
    free(kept);
}

/* --- preparation --- */

static struct candidate *candidate_add(struct agents *a)
{
    a->candidates = base_realloc_array(a->candidates, a->candidate_count + 1, sizeof(*a->candidates));
    a->candidates[a->candidate_count] = (struct candidate){.agent = NULL};
    return &a->candidates[a->candidate_count++];
}

/* Takes `pin`. */
static bool start_candidate(struct agents *a, const struct config *config, const struct config_module *module,
                            struct agent_process *old, struct tokens_pin *pin, char **error)
{
    char *path = service_agent_socket_path(config, module);
    int fd = old == NULL ? listen_unix(path, 0600, error) : socket_take_over(path, error);
    struct agent_process_options options = {
        .listen_fd = fd, .socket_path = path, .pin = pin, .load_timeout_ms = a->load_timeout_ms};
    const struct refused_pin *refused = refused_pins_find(&a->refused, module->name);
    struct candidate *candidate;
    const char *reason;

    if (fd < 0) {
        tokens_pin_destroy(&pin);
        free(path);
        return false;
    }
    options.grants_fd = a->grants_fd;
    options.file_keys = strcmp(module->name, CONFIG_FILE_KEYS_MODULE) == 0 && services_have_file_keys_agent(config);
    options.keys_fd = options.file_keys ? a->keys_fd : -1;
    options.sandbox_may_fail = config->insecure_no_seccomp;
    if (old != NULL && same_pin(agent_process_pin(old), pin))
        options.before = old;
    else if (pin != NULL && refused != NULL && same_pin(refused->pin, pin))
        options.refused = &refused->policy;
    options.asked_for = a->committed;
    candidate = candidate_add(a);
    candidate->replaces = old;
    candidate->agent = agent_process_create(a->loop, module, &options, &agent_events, a);
    a->alive++;
    free(path);
    reason = agent_process_reason(candidate->agent);
    if (reason == NULL)
        return true;
    *error = base_printf("module %s: %s", module->name, reason);
    return false;
}

static bool prepare_module(struct agents *a, const struct config *config, const struct config_module *module,
                           enum agents_prompt prompt, char **error)
{
    struct agent_process *old = find(a, module->name);
    struct tokens_pin *pin;

    if (!read_pin(module, old, prompt, &pin, error))
        return false;
    if (old == NULL || !agent_process_is_for(old, module))
        return start_candidate(a, config, module, old, pin, error);
    if (same_pin(agent_process_pin(old), pin))
        tokens_pin_destroy(&pin);
    else
        *candidate_add(a) = (struct candidate){.replaces = old, .pin = pin};
    return true;
}

static bool prepare(struct agents *a, const struct config *config, const struct config_module *module,
                    enum agents_prompt prompt, struct config_findings *findings)
{
    char *error = NULL;

    if (prepare_module(a, config, module, prompt, &error))
        return true;
    config_finding_add(findings, module->place, "%s", error);
    free(error);
    return false;
}

bool agents_prepare(struct agents *a, const struct config *config, enum agents_prompt prompt,
                    struct config_findings *findings)
{
    struct config_module file_keys;
    bool good = true;

    assert(a->candidate_count == 0);
    a->told_ready = false;
    for (size_t i = 0; i < config->module_count; i++)
        good = prepare(a, config, &config->modules[i], prompt, findings) && good;
    if (services_have_file_keys_agent(config)) {
        services_file_keys_module(config, &file_keys);
        good = prepare(a, config, &file_keys, prompt, findings) && good;
        services_file_keys_module_clear(&file_keys);
    }
    if (!good)
        agents_abandon(a);
    return good;
}

void agents_abandon(struct agents *a)
{
    for (size_t i = 0; i < a->candidate_count; i++) {
        struct candidate *c = &a->candidates[i];

        tokens_pin_destroy(&c->pin);
        free(c->report);
        if (c->agent == NULL)
            continue;
        if (c->replaces != NULL)
            socket_give_back(agent_process_socket_path(c->replaces));
        agent_process_stop(c->agent);
    }
    a->candidate_count = 0;
}

static void put_in_force(struct agents *a, struct candidate *c)
{
    assert(c->report == NULL);
    refused_pins_forget(&a->refused, agent_process_name(c->agent == NULL ? c->replaces : c->agent));
    if (c->agent == NULL) {
        agent_process_renew_pin(c->replaces, c->pin);
        return;
    }
    if (c->replaces == NULL) {
        a->items = base_realloc_array(a->items, a->count + 1, sizeof(struct agent_process *));
        a->items[a->count++] = c->agent;
        return;
    }
    for (size_t i = 0; i < a->count; i++)
        if (a->items[i] == c->replaces)
            a->items[i] = c->agent;
    agent_process_continue_figures(c->agent, c->replaces);
    socket_forget_kept(agent_process_socket_path(c->agent));
    agent_process_stop(c->replaces);
}

static bool is_named(const struct config *config, const char *name)
{
    if (services_have_file_keys_agent(config) && strcmp(name, CONFIG_FILE_KEYS_MODULE) == 0)
        return true;
    for (size_t i = 0; i < config->module_count; i++)
        if (strcmp(config->modules[i].name, name) == 0)
            return true;
    return false;
}

void agents_commit(struct agents *a, const struct config *config, uid_t owner)
{
    const char *reason;

    for (size_t i = 0; i < a->candidate_count; i++)
        put_in_force(a, &a->candidates[i]);
    a->candidate_count = 0;
    a->committed = true;
    for (size_t i = a->count; i-- > 0;) {
        if (is_named(config, agent_process_name(a->items[i])))
            continue;
        refused_pins_forget(&a->refused, agent_process_name(a->items[i]));
        agent_process_stop(a->items[i]);
        a->items[i] = a->items[--a->count];
    }
    for (size_t i = 0; i < a->count; i++)
        if (!agent_process_give_socket(a->items[i], owner, &reason))
            log_line(LOG_LEVEL_ERROR, "agent_socket_owner_failed",
                     log_text("path", agent_process_socket_path(a->items[i])), log_text("reason", reason));
}

static char *no_module(const char *name)
{
    char quoted[BASE_QUOTE_SIZE];

    return base_printf("there is no module %s", base_quote(name, strlen(name), quoted, sizeof(quoted)));
}

void agents_login(struct agents *a, const char *name, const char *token, struct tokens_pin *pin,
                  void (*done)(void *data, bool good, const char *text), void *data)
{
    struct agent_process *agent = find(a, name);
    char *error;

    if (agent != NULL && !agent_process_has_file_keys(agent)) {
        agent_process_login(agent, token, pin, done, data);
        return;
    }
    tokens_pin_destroy(&pin);
    error = no_module(name);
    done(data, false, error);
    free(error);
}

bool agents_logout(struct agents *a, const char *name, char **error)
{
    struct agent_process *agent = find(a, name);

    if (agent == NULL || agent_process_has_file_keys(agent)) {
        *error = no_module(name);
        return false;
    }
    refused_pins_forget(&a->refused, name);
    agent_process_logout(agent);
    return true;
}

/* -1: there is no memory for it; those who ask are then refused, not let in. */
static int grants_file(struct span text)
{
    int fd = memfd_create("yett-grants", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (write(fd, text.data, text.size) == (ssize_t)text.size &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        return fd;
    close(fd);
    return -1;
}

void agents_grant(struct agents *a, struct span text)
{
    int before = a->grants_fd, fd = grants_file(text);

    if (fd < 0) {
        log_line(LOG_LEVEL_ERROR, "grants_failed", log_text("reason", strerror(errno)));
        return;
    }
    a->grants_fd = fd;
    for (size_t i = 0; i < a->count; i++)
        agent_process_grant(a->items[i], fd);
    for (size_t i = 0; i < a->candidate_count; i++)
        if (a->candidates[i].agent != NULL)
            agent_process_grant(a->candidates[i].agent, fd);
    if (before >= 0)
        close(before);
}

void agents_give_file_keys(struct agents *a, int fd)
{
    int before = a->keys_fd;

    a->keys_fd = fd;
    for (size_t i = 0; i < a->count; i++)
        agent_process_give_keys(a->items[i], fd);
    for (size_t i = 0; i < a->candidate_count; i++)
        if (a->candidates[i].agent != NULL)
            agent_process_give_keys(a->candidates[i].agent, fd);
    if (before >= 0)
        close(before);
}

void agents_stop(struct agents *a)
{
    a->stopping = true;
    agents_abandon(a);
    while (a->count > 0)
        agent_process_stop(a->items[--a->count]);
    check_empty(a);
}

json_t *agents_status(const struct agents *a)
{
    json_t *list = json_array();

    for (size_t i = 0; i < a->count; i++)
        json_array_append_new(list, agent_process_status(a->items[i]));
    return list;
}
