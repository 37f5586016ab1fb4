/* see proxy/session/connect.h
 *
 *   next_target --literal or path----------------------------.
 *     |                                                       |
 *     `-name-> two lookups --first answer, 50 ms, or both--> attempts --connected--> done
 *                                                             |  ^ 250 ms, or one failed
 *     ^------------------- all failed ------------------------'--'
 *
 * Nothing is reported from inside connector_create(): the first step runs from the timer, so that the caller never
 * finds itself called back before it has the connector. */
#include "proxy/session/connect.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_TEXT_SIZE = 128 };

enum family { FAMILY_IPV6, FAMILY_IPV4, FAMILY_COUNT }; /* in order of preference */
static const int family_numbers[] = {AF_INET6, AF_INET};

struct attempt {
    struct connector *connector;
    struct transport *transport; /* NULL: this place is free */
    struct sockaddr_storage address;
};

/* What is known of one family of the target's name. */
struct answers {
    struct connector *connector;
    struct resolve_lookup *lookup; /* while it runs */
    struct sockaddr_storage addresses[LIMIT_ADDRESSES];
    size_t count, next;
};

struct connector {
    struct connect_options options;
    uv_timer_t timer; /* first step, resolution delay, attempt delay: never two of them at a time */
    size_t target;    /* of options.targets, under way */
    struct answers answers[FAMILY_COUNT];
    enum family last_family; /* of the latest attempt */
    bool attempting;         /* the resolution delay is over */
    struct attempt attempts[LIMIT_ATTEMPTS];
    struct sockaddr_storage connected_to;
    char *error; /* the latest failure */
};

static void begin_target(struct connector *c);
static void go_on(struct connector *c);

static void set_error(struct connector *c, char *sentence)
{
    free(c->error);
    c->error = sentence;
}

static void report(struct connector *c, struct connect_result result)
{
    uv_timer_stop(&c->timer);
    result.error = c->error == NULL ? "no target is configured" : c->error;
    c->options.on_done(c->options.context, &result); /* may destroy c */
}

static void on_timer(uv_timer_t *timer)
{
    struct connector *c = timer->data;

    if (c->target == SIZE_MAX) {
        c->target = 0;
        begin_target(c);
        return;
    }
    c->attempting = true; /* the resolution delay is over, or it was over before */
    go_on(c);
}

static size_t attempts_running(const struct connector *c)
{
    size_t running = 0;

    for (size_t i = 0; i < LIMIT_ATTEMPTS; i++)
        running += c->attempts[i].transport != NULL;
    return running;
}

/* The next address: families take turns as long as both have one (RFC 8305 section 4). NULL when there is none now. */
static const struct sockaddr_storage *next_address(struct connector *c)
{
    enum family other = c->last_family == FAMILY_IPV6 ? FAMILY_IPV4 : FAMILY_IPV6;
    enum family order[FAMILY_COUNT] = {other, c->last_family};

    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        struct answers *a = &c->answers[order[i]];

        if (a->next < a->count) {
            c->last_family = order[i];
            return &a->addresses[a->next++];
        }
    }
    return NULL;
}

static void end_attempts(struct connector *c)
{
    for (size_t i = 0; i < LIMIT_ATTEMPTS; i++)
        transport_close(&c->attempts[i].transport, TRANSPORT_CLOSE_RESET);
    for (size_t i = 0; i < FAMILY_COUNT; i++)
        resolve_cancel(&c->answers[i].lookup);
}

/* uv_strerror() allocates for a number it does not know, and never frees. There is one: where getsockopt() fails, libuv
 * takes what was on its stack for the result of a connect(). */
static const char *error_text(int error, char text[ERROR_TEXT_SIZE])
{
    return uv_strerror_r(error, text, ERROR_TEXT_SIZE);
}

static void note_failure(struct connector *c, const struct sockaddr_storage *address, int error)
{
    char text[RESOLVE_TEXT_SIZE], why[ERROR_TEXT_SIZE];
    const char *where = c->options.targets[c->target].type == CONFIG_ADDRESS_UNIX
                            ? c->options.targets[c->target].text
                            : resolve_address_text((const struct sockaddr *)address, text, sizeof(text));

    set_error(c, base_printf("cannot connect to %s: %s", where, error_text(error, why)));
}

static void on_attempt_done(void *owner, int error)
{
    struct attempt *a = owner;
    struct connector *c = a->connector;
    struct connect_result result = {.status = CONNECT_OK, .target = c->target};

    if (error != 0) {
        note_failure(c, &a->address, error);
        transport_close(&a->transport, TRANSPORT_CLOSE_ORDERLY);
        go_on(c);
        return;
    }
    c->connected_to = a->address;
    result.transport = a->transport;
    if (c->options.targets[c->target].type != CONFIG_ADDRESS_UNIX)
        result.address = (const struct sockaddr *)&c->connected_to;
    a->transport = NULL;
    end_attempts(c);
    report(c, result);
}

enum start {
    START_UNDER_WAY,
    START_FAILED,
    START_DONE, /* connected at once, and told: there may be no connector any more */
};

static enum start start_attempt(struct connector *c, enum transport_type type, const struct sockaddr_storage *address)
{
    struct attempt *a = c->attempts;
    int error;

    while (a->transport != NULL)
        a++;
    a->connector = c;
    if (address != NULL)
        a->address = *address;
    a->transport = transport_create(c->options.loop, type);
    error = transport_connect(a->transport, (const struct sockaddr *)&a->address, c->options.targets[c->target].host,
                              on_attempt_done, a);
    if (error == 0)
        return START_UNDER_WAY;
    if (error == TRANSPORT_CONNECTED) {
        on_attempt_done(a, 0);
        return START_DONE;
    }
    note_failure(c, &a->address, error);
    transport_close(&a->transport, TRANSPORT_CLOSE_ORDERLY);
    return START_FAILED;
}

static bool lookups_running(const struct connector *c)
{
    return c->answers[FAMILY_IPV6].lookup != NULL || c->answers[FAMILY_IPV4].lookup != NULL;
}

/* Every address of the target, before the first is connected to. */
static bool addresses_are_allowed(struct connector *c)
{
    char text[RESOLVE_TEXT_SIZE];

    if (c->options.denied == NULL)
        return true;
    for (size_t f = 0; f < FAMILY_COUNT; f++)
        for (size_t i = 0; i < c->answers[f].count; i++) {
            const struct sockaddr *address = (const struct sockaddr *)&c->answers[f].addresses[i];
            const char *denied = c->options.denied(c->options.context, address);

            if (denied != NULL) {
                set_error(c, base_printf("the address %s of the target is not allowed: %s",
                                         resolve_address_text(address, text, sizeof(text)), denied));
                return false;
            }
        }
    return true;
}

/* One more attempt, if there is an address and a place; the next target when nothing is left of this one. */
static void go_on(struct connector *c)
{
    if (!c->attempting)
        return;
    while (attempts_running(c) < LIMIT_ATTEMPTS) {
        const struct sockaddr_storage *address = next_address(c);

        if (address == NULL)
            break;
        switch (start_attempt(c, TRANSPORT_TCP, address)) {
        case START_UNDER_WAY:
            uv_timer_start(&c->timer, on_timer, LIMIT_ATTEMPT_DELAY_MS, 0);
            return;
        case START_DONE:
            return;
        case START_FAILED:
            break;
        }
    }
    if (attempts_running(c) > 0 || lookups_running(c))
        return;
    c->target++;
    begin_target(c);
}

static void begin_attempts(struct connector *c)
{
    uv_timer_stop(&c->timer);
    if (!addresses_are_allowed(c)) {
        end_attempts(c);
        report(c, (struct connect_result){.status = CONNECT_DENIED});
        return;
    }
    c->attempting = true;
    go_on(c);
}

static void on_resolved(void *context, const struct resolve_result *result)
{
    struct answers *a = context;
    struct connector *c = a->connector;
    const struct config_address *target = &c->options.targets[c->target];

    a->lookup = NULL;
    a->count = result->count;
    a->next = 0;
    memcpy(a->addresses, result->addresses, result->count * sizeof(result->addresses[0]));
    if (result->error != 0 && c->answers[FAMILY_IPV6].count + c->answers[FAMILY_IPV4].count == 0) {
        char quoted[BASE_QUOTE_SIZE], why[ERROR_TEXT_SIZE];

        set_error(c, base_printf("the name %s cannot be resolved: %s",
                                 base_quote(target->host, strlen(target->host), quoted, sizeof(quoted)),
                                 error_text(result->error, why)));
    }
    if (c->attempting) {
        if (attempts_running(c) == 0 || !uv_is_active((uv_handle_t *)&c->timer))
            go_on(c);
        return;
    }
    /* RFC 8305 section 3: IPv6 answers start at once; after IPv4 answers, IPv6 gets a moment to come. A check wants
     * to see all of them. */
    if (!lookups_running(c) || (c->options.denied == NULL && c->answers[FAMILY_IPV6].count > 0))
        begin_attempts(c);
    else if (c->options.denied == NULL && c->answers[FAMILY_IPV4].count > 0)
        uv_timer_start(&c->timer, on_timer, LIMIT_RESOLUTION_DELAY_MS, 0);
}

static void begin_lookups(struct connector *c, const struct config_address *target)
{
    for (size_t f = 0; f < FAMILY_COUNT; f++)
        c->answers[f].lookup = resolve_start(c->options.resolver, c->options.asker, target->host, target->port,
                                             family_numbers[f], on_resolved, &c->answers[f]);
    if (!lookups_running(c)) {
        set_error(c, base_strdup("too many names are being resolved"));
        begin_attempts(c); /* finds no address and goes on with the next target */
    }
}

static void begin_target(struct connector *c)
{
    const struct config_address *target;
    struct sockaddr_storage literal;

    if (c->target >= c->options.target_count) {
        c->target = 0;
        report(c, (struct connect_result){.status = CONNECT_FAILED});
        return;
    }
    target = &c->options.targets[c->target];
    for (size_t f = 0; f < FAMILY_COUNT; f++)
        c->answers[f].count = c->answers[f].next = 0;
    c->attempting = false;
    c->last_family = FAMILY_IPV4; /* so that IPv6 comes first */
    if (target->type == CONFIG_ADDRESS_UNIX) {
        c->attempting = true;
        if (start_attempt(c, TRANSPORT_UNIX, NULL) == START_FAILED)
            go_on(c);
    } else if (resolve_literal(target->host, target->port, &literal)) {
        struct answers *a = &c->answers[literal.ss_family == AF_INET ? FAMILY_IPV4 : FAMILY_IPV6];

        a->addresses[0] = literal;
        a->count = 1;
        begin_attempts(c);
    } else {
        begin_lookups(c, target);
    }
}

size_t connector_target(const struct connector *c)
{
    return c->target == SIZE_MAX ? 0 : c->target;
}

const char *connector_looks_up(const struct connector *c)
{
    return lookups_running(c) && c->answers[FAMILY_IPV6].count + c->answers[FAMILY_IPV4].count == 0
               ? c->options.targets[c->target].host
               : NULL;
}

struct connector *connector_create(const struct connect_options *options)
{
    struct connector *c = base_alloc(sizeof(*c));

    c->options = *options;
    c->target = SIZE_MAX; /* not begun */
    for (size_t f = 0; f < FAMILY_COUNT; f++)
        c->answers[f].connector = c;
    uv_timer_init(options->loop, &c->timer);
    c->timer.data = c;
    uv_timer_start(&c->timer, on_timer, 0, 0);
    return c;
}

static void free_connector(uv_handle_t *timer)
{
    struct connector *c = timer->data;

    free(c->error);
    free(c);
}

void connector_destroy(struct connector **connector)
{
    struct connector *c = *connector;

    if (c == NULL)
        return;
    *connector = NULL;
    end_attempts(c);
    uv_close((uv_handle_t *)&c->timer, free_connector);
}
