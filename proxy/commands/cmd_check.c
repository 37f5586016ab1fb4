/* see proxy/commands/commands.h
 *
 * What a worker opens at its start is opened here in the same way (services_open()). Where that needs token agents,
 * those of a running yett are asked; for a module that has none, one is started for as long as the check takes, on a
 * loop and a thread of its own, since opening an identity waits for it. All sockets are in a folder of the check's own,
 * with links to those of the running yett. */
#include "proxy/commands/commands.h"

#include "proxy/supervisor/agents.h"
#include "proxy/commands/check_live.h"
#include "proxy/commands/command_line.h"
#include "proxy/commands/control_client.h"
#include "proxy/control/control_file.h"
#include "proxy/control/control_roles.h"
#include "proxy/process/drop.h"
#include "proxy/process/findings.h"
#include "proxy/supervisor/intermediates.h"
#include "proxy/process/limits.h"
#include "proxy/supervisor/listen_sockets.h"
#include "proxy/process/log.h"
#include "proxy/supervisor/roots_age.h"
#include "proxy/service/service.h"
#include "proxy/process/spawn.h"
#include "tls/runtime.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char help[] =
    "Usage: yett check [-c FILE] [--live]\n"
    "\n"
    "Reads the configuration, and opens what it names: certificates, keys, trust, modules, and what is used of their\n"
    "tokens. It listens nowhere, so that it can be used beside a running yett, and without --live it connects to no\n"
    "target.\n"
    "\n"
    "  -c, --config FILE   the configuration; default /etc/yett/yett.conf\n"
    "      --live          also look at the tokens of every module, and go to each target of each service as\n"
    "                      the proxy would: its upstream proxy, STARTTLS, TLS and verification, our certificate; then\n"
    "                      ask what it can do, and leave. A PROXY header says LOCAL. A line tells what was found\n"
    "\n"
    "Modules that the running yett has are left to its agents, which are asked. Others are loaded for as long as the\n"
    "check takes; where an identity or a trust on a token is named, a PIN that is configured is tried, once.\n"
    "\n"
    "Exit status: 0 good, 1 findings (each FILE:LINE: message), 2 wrong usage. What is no mistake yet is a warning\n"
    "(FILE:LINE: warning: message) and changes nothing in it.\n"
    "\n"
    "Example:\n"
    "  yett check -c yett.conf && yett reload -c yett.conf\n";

/* The agents a check starts, and where all that it asks can be found. */
struct check_agents {
    char *folder; /* NULL: none was needed */
    uv_loop_t loop;
    uv_async_t stop;
    uv_thread_t thread;
    struct agents *agents;
    char *failed;      /* what an agent said that cannot do its work; NULL: none did */
    char *pin_refused; /* what is to be said of a PIN that a token does not take; NULL: nothing */
    char **links;
    size_t link_count;
};

static bool trusts_tokens(const struct config_trust *trust, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (trust[i].type == CONFIG_TRUST_PKCS11)
            return true;
    return false;
}

static bool names_tokens(const struct config *config)
{
    for (size_t i = 0; i < config->service_count; i++) {
        const struct config_service *s = &config->services[i];

        for (size_t k = 0; k < s->identity_count; k++)
            if (s->identity[k].type == CONFIG_IDENTITY_PKCS11)
                return true;
        for (size_t k = 0; k < s->connect_identity_count; k++)
            if (s->connect_identity[k].type == CONFIG_IDENTITY_PKCS11)
                return true;
        if (trusts_tokens(s->trust, s->trust_count) || trusts_tokens(s->peer_trust, s->peer_trust_count))
            return true;
    }
    return false;
}

/* 0: somebody listens there; else why it cannot be told, or that nobody does (errno). */
static int try_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = ENAMETOOLONG;

    if (fd < 0)
        return errno;
    if (strlen(path) < sizeof(address.sun_path)) {
        memcpy(address.sun_path, path, strlen(path) + 1);
        error = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
    }
    close(fd);
    return error;
}

static bool answers(const char *path)
{
    return try_socket(path) == 0;
}

/* Whether a running yett has an agent for the module. */
static bool is_served(const struct config *config, const struct config_module *module)
{
    char *path = service_agent_socket_path(config, module);
    bool served = answers(path);

    free(path);
    return served;
}

/* A folder of our own in the place of the configured control socket's. False with a finding. */
static bool folder_make(struct check_agents *a, struct config *config, struct config_findings *findings)
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    char *folder = base_printf("%s/yett-check-XXXXXX", base == NULL ? "/tmp" : base);

    if (mkdtemp(folder) == NULL) {
        config_finding_add(findings, config->modules[0].place, "cannot make the folder %s: %s", folder,
                           strerror(errno));
        free(folder);
        return false;
    }
    a->folder = folder;
    free(config->control);
    config->control = base_printf("%s/control.sock", folder);
    return true;
}

/* Modules whose agent runs already are linked to; gives a configuration with the others alone (its modules array is the
 * caller's to free). `running`: the configuration with the real control socket. */
static struct config link_running(struct check_agents *a, const struct config *config, char *const *running)
{
    struct config others = *config;

    others.modules = base_alloc(config->module_count * sizeof(*others.modules));
    others.module_count = 0;
    a->links = base_alloc(config->module_count * sizeof(*a->links));
    for (size_t i = 0; i < config->module_count; i++) {
        char *path;

        if (!answers(running[i])) {
            others.modules[others.module_count++] = config->modules[i];
            continue;
        }
        path = service_agent_socket_path(config, &config->modules[i]);
        if (symlink(running[i], path) == 0)
            fprintf(stderr, "yett check: asking the running yett for module %s\n", config->modules[i].name);
        a->links[a->link_count++] = path;
    }
    return others;
}

static void on_stop(uv_async_t *async)
{
    struct check_agents *a = async->data;

    agents_stop(a->agents);
    uv_close((uv_handle_t *)async, NULL);
}

static void on_candidates_ready(void *owner)
{
    (void)owner; /* who needs them asks them */
}

/* Without it, what waits for the agent is refused, and says so at once. */
static void on_candidates_failed(void *owner, const char *report)
{
    struct check_agents *a = owner;

    if (a->failed == NULL)
        a->failed = base_strdup(report);
    agents_stop(a->agents);
}

static void on_pin_refused(void *owner, const char *report)
{
    struct check_agents *a = owner;

    if (a->pin_refused == NULL)
        a->pin_refused = base_strdup(report);
}

static void on_empty(void *owner)
{
    (void)owner; /* the loop ends by itself */
}

static const struct agents_events agents_events = {.on_candidates_ready = on_candidates_ready,
                                                   .on_candidates_failed = on_candidates_failed,
                                                   .on_pin_refused = on_pin_refused,
                                                   .on_empty = on_empty};

static void run_loop(void *data)
{
    struct check_agents *a = data;

    uv_run(&a->loop, UV_RUN_DEFAULT);
}

static bool agents_begin(struct check_agents *a, struct config *config, struct config_findings *findings)
{
    char **running = base_alloc(config->module_count * sizeof(*running));
    struct config others;
    bool good;

    for (size_t i = 0; i < config->module_count; i++)
        running[i] = service_agent_socket_path(config, &config->modules[i]);
    good = folder_make(a, config, findings);
    if (good) {
        others = link_running(a, config, running);
        uv_loop_init(&a->loop);
        uv_async_init(&a->loop, &a->stop, on_stop);
        a->stop.data = a;
        a->agents = agents_create(&a->loop, LIMIT_MODULE_LOAD_MS, &agents_events, a);
        good = agents_prepare(a->agents, &others, AGENTS_PROMPT_ON_TERMINAL, findings);
        free(others.modules);
        uv_thread_create(&a->thread, run_loop, a);
    }
    for (size_t i = 0; i < config->module_count; i++)
        free(running[i]);
    free(running);
    return good;
}

static void agents_end(struct check_agents *a)
{
    if (a->folder == NULL)
        return;
    uv_async_send(&a->stop);
    uv_thread_join(&a->thread);
    agents_destroy(&a->agents);
    uv_loop_close(&a->loop);
    for (size_t i = 0; i < a->link_count; i++) {
        (void)unlink(a->links[i]);
        free(a->links[i]);
    }
    free(a->links);
    (void)rmdir(a->folder);
    free(a->folder);
}

/* Where to put what is wrong with no line of it. */
static struct config_place config_head(const struct config *config)
{
    return (struct config_place){.file = config->files[0]};
}

/* A ticket key like a worker's: NSS asks more of an identity on a token without one. NSS is started for it and stopped.
 */
static bool ticket_key_make(const struct config *config, uint8_t **der, size_t *size, struct config_findings *findings)
{
    const struct tls_runtime_options options = {0};
    struct config_place place = config_head(config);
    char *error = NULL;
    char *stop_error = NULL;

    if (tls_runtime_start(&options, &error)) {
        if (!tls_ticket_key_generate(der, size, &error))
            *der = NULL;
        if (!tls_runtime_stop(&stop_error))
            config_finding_add(findings, place, "%s", stop_error);
    }
    if (error != NULL)
        config_finding_add(findings, place, "%s", error);
    free(error);
    free(stop_error);
    return *der != NULL;
}

/* *targets_end: for the end of the process. */
static void open_services(const struct config *config, enum check_depth depth, struct config_findings *findings,
                          enum check_targets_end *targets_end)
{
    struct services_runtime_options options = {.session_cache = NULL};
    struct services *services;
    char *error = NULL;
    uint8_t *der = NULL;
    size_t size = 0;

    if (!ticket_key_make(config, &der, &size, findings))
        return;
    options.ticket_key = span_of(der, size);
    if (services_runtime_start(config, &options, findings)) {
        services = services_open(config, findings);
        if (services != NULL && depth == CHECK_LIVE) {
            check_token_identities(services);
            *targets_end = check_targets(config, services, findings);
        }
        if (services == NULL && depth == CHECK_LIVE)
            fputs("yett check: no target is looked at before what is named below is mended\n", stderr);
        services_destroy(&services);
        if (!services_runtime_stop(&error))
            config_finding_add(findings, config_head(config), "%s", error);
        free(error);
    }
    base_wipe(der, size);
    free(der);
}

/* Where a yett of this configuration listens is taken already, and rightly so; the rest is judged as "yett run" does
 * it.
 */
static void check_listen(const struct config *config, const struct command_line *line, struct config_findings *findings)
{
    const char **ours = base_alloc(sizeof(*ours));
    json_t *reply = NULL, *services, *service, *address;
    size_t count = 0, i, k;
    int error = try_socket(config->control);

    if (error == EACCES || error == EPERM) {
        /* An address that is taken may be a running yett's of this very configuration, and then is no finding. */
        fprintf(stderr,
                "yett check: %s is not for this user, so a yett that runs cannot be asked where it listens: no listen "
                "address is tried\n",
                config->control);
        free(ours);
        return;
    }
    if (error == 0) {
        reply = control_client_ask(line, json_pack("{s:s}", "command", "status"), CONTROL_ANSWER);
        if (reply == NULL) {
            fputs("yett check: the running yett does not say where it listens: no listen address is tried\n", stderr);
            free(ours);
            return;
        }
        services = json_object_get(json_object_get(reply, "status"), "services");
        json_array_foreach(services, i, service)
        {
            json_array_foreach(json_object_get(service, "listen"), k, address)
            {
                ours = base_realloc_array(ours, count + 3, sizeof(*ours));
                ours[count++] = json_string_value(address);
            }
        }
        if (config->admin != NULL && count > 0)
            ours[count++] = config->admin->text;
        ours[count] = NULL;
    }
    (void)!listen_sockets_check(config, ours, findings); /* the findings are what counts */
    json_decref(reply);
    free(ours);
}

static struct config *load(const char *path, struct config_findings *findings)
{
    struct config_snapshot *snapshot = config_snapshot_read(path, findings);
    struct config *config = snapshot == NULL ? NULL : config_parse(snapshot, findings);
    struct control_roles *roles;
    struct drop drop;
    char *error = NULL;

    config_snapshot_destroy(&snapshot);
    if (config != NULL && !drop_find(config, &drop, findings))
        drop.wanted = false; /* its finding is told with the others */
    if (config != NULL) {
        roles = control_roles_create(config, findings);
        control_roles_destroy(&roles);
        if (!control_folder_check(config->control, &error))
            config_finding_add(findings, config->control_place, "control: %s", error);
        free(error);
    }
    return config;
}

/* `failed`: the reason for all that waited for an agent in vain, said instead of them; or NULL. */
static int report(const char *path, const struct config *config, const struct config_findings *findings,
                  const char *failed)
{
    char *text;

    if (failed != NULL) {
        printf("%s\n", failed);
        return COMMAND_FAILED;
    }
    findings_print_notes(findings);
    if (config != NULL && findings->count == 0) {
        printf("%s: good, %zu service%s\n", path, config->service_count, config->service_count == 1 ? "" : "s");
        return COMMAND_DONE;
    }
    text = findings_text(findings);
    printf("%s\n", text);
    free(text);
    return COMMAND_FAILED;
}

int cmd_check(int argc, char **argv)
{
    struct config_findings findings = {0};
    struct check_agents agents = {0};
    enum check_targets_end targets_end = CHECK_TARGETS_DONE;
    enum check_depth depth;
    struct command_line line;
    struct config *config;
    size_t found;
    int status;

    if (!command_line_parse(&line, argc, argv, COMMAND_LIVE, 0, help, &status))
        return status;
    signal(SIGPIPE, SIG_IGN);
    spawn_reserve_low_fds();
    log_open("check", CONFIG_LOG_STDERR, CONFIG_LOG_LOGFMT, LOG_LEVEL_ERROR);
    config = load(line.config_path, &findings);
    depth = (line.options & COMMAND_LIVE) != 0 ? CHECK_LIVE : CHECK_CONFIGURED;
    if (config != NULL) {
        agents_take_environment(config);
        check_listen(config, &line, &findings);
        found = findings.count;
        check_modules(config, depth, is_served, &findings);
        if (findings.count > found && names_tokens(config))
            fputs("yett check: no identity is opened, and no target looked at, before the modules are mended\n",
                  stderr);
        else if (!names_tokens(config) || config->module_count == 0 || agents_begin(&agents, config, &findings))
            open_services(config, depth, &findings, &targets_end);
        (void)!intermediates_check(config, &findings); /* the finding is what counts */
        roots_age_check(config, &findings);
        agents_end(&agents);
    }
    if (agents.pin_refused != NULL)
        printf("%s\n", agents.pin_refused); /* the place that has to be changed; what it is the cause of follows */
    status = report(line.config_path, config, &findings, agents.failed);
    free(agents.pin_refused);
    free(agents.failed);
    config_destroy(&config);
    config_findings_clear(&findings);
    if (targets_end == CHECK_TARGETS_LOOKUP_HANGS) {
        (void)fflush(NULL);
        _exit(status);
    }
    return status;
}
