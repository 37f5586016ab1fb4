/* see proxy/process/resolve.h */
#include "proxy/process/resolve.h"
#include "base/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct resolve_lookup {
    struct resolver *resolver;
    struct resolve_lookup *next; /* among those that wait, or that run */
    struct resolve_asker asker;
    char *host;
    uint16_t port;
    int family;
    bool is_running;
    void (*on_done)(void *context, const struct resolve_result *result); /* NULL: cancelled */
    void *context;
    uv_getaddrinfo_t request;
};

struct resolver {
    uv_loop_t *loop;
    struct resolve_lookup *waiting; /* oldest first */
    struct resolve_lookup *running; /* LIMIT_RESOLVER_THREADS at most */
    size_t waiting_count;
    size_t running_count;
    size_t *running_of_service;
    bool destroyed; /* goes with the last running lookup */
};

struct resolver *resolver_create(uv_loop_t *loop, size_t service_count)
{
    struct resolver *r = base_alloc(sizeof(*r));

    r->loop = loop;
    r->running_of_service = base_alloc(service_count * sizeof(*r->running_of_service));
    return r;
}

static void free_lookup(struct resolve_lookup *l)
{
    free(l->host);
    free(l);
}

static void free_resolver_when_done(struct resolver *r)
{
    if (!r->destroyed || r->running_count > 0)
        return;
    free(r->running_of_service);
    free(r);
}

void resolver_destroy(struct resolver **resolver)
{
    struct resolver *r = *resolver;

    if (r == NULL)
        return;
    *resolver = NULL;
    while (r->waiting != NULL) {
        struct resolve_lookup *next = r->waiting->next;
        free_lookup(r->waiting);
        r->waiting = next;
    }
    r->waiting_count = 0;
    r->destroyed = true;
    free_resolver_when_done(r);
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons(port);
}

static void fill(struct resolve_result *result, const struct resolve_lookup *l, const struct addrinfo *list)
{
    for (const struct addrinfo *a = list; a != NULL && result->count < LIMIT_ADDRESSES; a = a->ai_next) {
        if (a->ai_family != l->family || a->ai_addrlen > sizeof(result->addresses[0]))
            continue;
        memcpy(&result->addresses[result->count], a->ai_addr, a->ai_addrlen);
        set_port(&result->addresses[result->count++], l->port);
    }
    if (result->count == 0 && result->error == 0)
        result->error = UV_EAI_NONAME;
}

/* How many of a list are for the peer, at this service. */
static size_t count_of_peer(const struct resolve_lookup *list, struct resolve_asker asker)
{
    size_t count = 0;

    for (; list != NULL; list = list->next)
        count += list->asker.peer == asker.peer && list->asker.service == asker.service;
    return count;
}

static bool may_run(const struct resolver *r, struct resolve_asker asker)
{
    return r->running_count < LIMIT_RESOLVER_THREADS &&
           r->running_of_service[asker.service] < LIMIT_RESOLVER_PER_SERVICE &&
           (asker.peer == 0 || count_of_peer(r->running, asker) < LIMIT_RESOLVER_PER_PEER);
}

static bool may_wait(const struct resolver *r, struct resolve_asker asker)
{
    return r->waiting_count < LIMIT_RESOLVER_WAITING &&
           (asker.peer == 0 || count_of_peer(r->waiting, asker) < LIMIT_RESOLVER_WAITING_PER_PEER);
}

static void take_out(struct resolve_lookup **list, const struct resolve_lookup *l)
{
    while (*list != l)
        list = &(*list)->next;
    *list = l->next;
}

static void run_waiting(struct resolver *r);

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct resolve_lookup *l = CONTAINER_OF(request, struct resolve_lookup, request);
    struct resolver *r = l->resolver;
    struct resolve_result result = {.error = status};

    take_out(&r->running, l);
    r->running_count--;
    r->running_of_service[l->asker.service]--;
    fill(&result, l, list);
    uv_freeaddrinfo(list);
    if (l->on_done != NULL)
        l->on_done(l->context, &result);
    free_lookup(l);
    if (r->destroyed)
        free_resolver_when_done(r);
    else
        run_waiting(r);
}

/* Only a name that cannot be encoded fails here; what is asked for has been validated. */
static bool run(struct resolve_lookup *l)
{
    struct resolver *r = l->resolver;
    struct addrinfo hints = {.ai_family = l->family, .ai_socktype = SOCK_STREAM};

    if (uv_getaddrinfo(r->loop, &l->request, on_resolved, l->host, NULL, &hints) != 0)
        return false;
    l->is_running = true;
    l->next = r->running;
    r->running = l;
    r->running_count++;
    r->running_of_service[l->asker.service]++;
    return true;
}

/* Start what may run, oldest first; a service or a peer at its limit is passed over. */
static void run_waiting(struct resolver *r)
{
    struct resolve_lookup **at = &r->waiting;

    while (*at != NULL && r->running_count < LIMIT_RESOLVER_THREADS) {
        struct resolve_lookup *l = *at;

        if (!may_run(r, l->asker)) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        r->waiting_count--;
        if (!run(l)) {
            struct resolve_result result = {.error = UV_EAI_NONAME};

            if (l->on_done != NULL)
                l->on_done(l->context, &result);
            free_lookup(l);
            at = &r->waiting; /* on_done may have changed the queue */
        }
    }
}

struct resolve_lookup *resolve_start(struct resolver *r, struct resolve_asker asker, const char *host, uint16_t port,
                                     int family, void (*on_done)(void *context, const struct resolve_result *result),
                                     void *context)
{
    struct resolve_lookup *l, **end = &r->waiting;
    bool runs_now = may_run(r, asker);

    if (!runs_now && !may_wait(r, asker))
        return NULL;
    l = base_alloc(sizeof(*l));
    *l = (struct resolve_lookup){.resolver = r,
                                 .asker = asker,
                                 .host = base_strdup(host),
                                 .port = port,
                                 .family = family,
                                 .on_done = on_done,
                                 .context = context};
    if (runs_now) {
        if (run(l))
            return l;
        free_lookup(l);
        return NULL;
    }
    while (*end != NULL)
        end = &(*end)->next;
    *end = l;
    r->waiting_count++;
    return l;
}

void resolve_cancel(struct resolve_lookup **lookup)
{
    struct resolve_lookup *l = *lookup;

    if (l == NULL)
        return;
    *lookup = NULL;
    if (l->is_running) {
        l->on_done = NULL;
        (void)uv_cancel((uv_req_t *)&l->request); /* works only while no thread has it; on_resolved frees in any case */
        return;
    }
    take_out(&l->resolver->waiting, l);
    l->resolver->waiting_count--;
    free_lookup(l);
}

bool resolve_literal(const char *host, uint16_t port, struct sockaddr_storage *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct address a;

    memset(address, 0, sizeof(*address));
    if (!address_parse(span_of_string(host), &a))
        return false;
    if (a.size == 4) {
        memcpy(&in.sin_addr, a.bytes, a.size);
        memcpy(address, &in, sizeof(in));
    } else {
        memcpy(&in6.sin6_addr, a.bytes, a.size);
        memcpy(address, &in6, sizeof(in6));
    }
    return true;
}

const char *resolve_address_text(const struct sockaddr *address, char *out, size_t out_size)
{
    struct address a = address_of_socket(address);
    char text[ADDRESS_TEXT_SIZE];
    uint16_t port = address->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                    : a.size == 0                  ? 0
                                                   : ((const struct sockaddr_in *)(const void *)address)->sin_port;

    if (a.size == 0)
        snprintf(out, out_size, "unix");
    else
        snprintf(out, out_size, a.size == 4 ? "%s:%u" : "[%s]:%u", address_text(&a, text), ntohs(port));
    return out;
}
