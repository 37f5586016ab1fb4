/* see proxy/process/resolve.h */
#include "proxy/process/resolve.h"
#include "base/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one peer has at one service. */
struct tally {
    struct tally *next; /* of its bucket */
    struct resolve_asker asker;
    size_t lookups; /* that know of it; at 0 it goes */
    size_t waiting, running;
};

struct resolve_lookup {
    struct resolver *resolver;
    struct resolve_lookup *next, **at; /* among those that wait; what points to it */
    struct resolve_asker asker;
    struct tally *tally; /* NULL: for nobody in particular */
    char *host;
    uint16_t port;
    int family;
    bool is_running;
    void (*on_done)(void *context, const struct resolve_result *result); /* NULL: cancelled */
    void *context;
    uv_getaddrinfo_t request;
};

enum { TALLY_BUCKETS = 512 /* a power of two; there are LIMIT_RESOLVER_WAITING tallies and a few */ };

struct resolver {
    uv_loop_t *loop;
    struct resolve_lookup *waiting; /* oldest first */
    struct resolve_lookup **waiting_end;
    struct tally *tallies[TALLY_BUCKETS];
    uint64_t secret; /* peers choose their numbers, and must not choose who shares a bucket */
    size_t waiting_count;
    size_t running_count;
    size_t *running_of_service;
    bool destroyed; /* goes with the last running lookup */
};

struct resolver *resolver_create(uv_loop_t *loop, size_t service_count)
{
    struct resolver *r = base_alloc(sizeof(*r));

    r->loop = loop;
    r->waiting_end = &r->waiting;
    if (uv_random(NULL, NULL, &r->secret, sizeof(r->secret), 0, NULL) != 0)
        base_abort("the system has no random numbers");
    r->running_of_service = base_alloc(service_count * sizeof(*r->running_of_service));
    return r;
}

/* Where the pointer to the tally is; it points to NULL when there is none. */
static struct tally **find_tally(struct resolver *r, struct resolve_asker asker)
{
    uint64_t hash = (asker.peer ^ r->secret) * (r->secret | 1) + asker.service;
    struct tally **at = &r->tallies[(hash ^ hash >> 32) & (TALLY_BUCKETS - 1)];

    while (*at != NULL && ((*at)->asker.peer != asker.peer || (*at)->asker.service != asker.service))
        at = &(*at)->next;
    return at;
}

static struct tally *take_tally(struct resolver *r, struct resolve_asker asker)
{
    struct tally **at = find_tally(r, asker);

    if (asker.peer == 0)
        return NULL;
    if (*at == NULL) {
        *at = base_alloc(sizeof(**at));
        (*at)->asker = asker;
    }
    (*at)->lookups++;
    return *at;
}

static void return_tally(struct resolver *r, struct tally *t)
{
    struct tally **at;

    if (t == NULL || --t->lookups > 0)
        return;
    at = find_tally(r, t->asker);
    *at = t->next;
    free(t);
}

static void free_lookup(struct resolve_lookup *l)
{
    return_tally(l->resolver, l->tally);
    free(l->host);
    free(l);
}

static void enter_queue(struct resolve_lookup *l)
{
    struct resolver *r = l->resolver;

    l->at = r->waiting_end;
    *l->at = l;
    r->waiting_end = &l->next;
    r->waiting_count++;
    if (l->tally != NULL)
        l->tally->waiting++;
}

static void leave_queue(struct resolve_lookup *l)
{
    struct resolver *r = l->resolver;

    *l->at = l->next;
    if (l->next != NULL)
        l->next->at = l->at;
    else
        r->waiting_end = l->at;
    l->next = NULL;
    r->waiting_count--;
    if (l->tally != NULL)
        l->tally->waiting--;
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
        struct resolve_lookup *l = r->waiting;

        leave_queue(l);
        free_lookup(l);
    }
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

/* `tally`: what the asker has, NULL: nothing, or it is nobody in particular. */
static bool may_run(const struct resolver *r, struct resolve_asker asker, const struct tally *tally)
{
    return r->running_count < LIMIT_RESOLVER_THREADS &&
           r->running_of_service[asker.service] < LIMIT_RESOLVER_PER_SERVICE &&
           (tally == NULL || tally->running < LIMIT_RESOLVER_PER_PEER);
}

static bool may_wait(const struct resolver *r, const struct tally *tally)
{
    return r->waiting_count < LIMIT_RESOLVER_WAITING &&
           (tally == NULL || tally->waiting < LIMIT_RESOLVER_WAITING_PER_PEER);
}

static void run_waiting(struct resolver *r);

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct resolve_lookup *l = CONTAINER_OF(request, struct resolve_lookup, request);
    struct resolver *r = l->resolver;
    struct resolve_result result = {.error = status};

    r->running_count--;
    r->running_of_service[l->asker.service]--;
    if (l->tally != NULL)
        l->tally->running--;
    fill(&result, l, list);
    uv_freeaddrinfo(list);
    if (l->on_done != NULL && !r->destroyed)
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
    r->running_count++;
    r->running_of_service[l->asker.service]++;
    if (l->tally != NULL)
        l->tally->running++;
    return true;
}

/* Start what may run, oldest first; a service or a peer at its limit is passed over. */
static void run_waiting(struct resolver *r)
{
    struct resolve_lookup *l = r->waiting;

    while (l != NULL && r->running_count < LIMIT_RESOLVER_THREADS) {
        struct resolve_lookup *next = l->next;

        if (may_run(r, l->asker, l->tally)) {
            leave_queue(l);
            if (!run(l)) {
                struct resolve_result result = {.error = UV_EAI_NONAME};

                if (l->on_done != NULL)
                    l->on_done(l->context, &result);
                free_lookup(l);
                next = r->waiting; /* on_done may have changed the queue */
            }
        }
        l = next;
    }
}

struct resolve_lookup *resolve_start(struct resolver *r, struct resolve_asker asker, const char *host, uint16_t port,
                                     int family, void (*on_done)(void *context, const struct resolve_result *result),
                                     void *context)
{
    const struct tally *tally = asker.peer == 0 ? NULL : *find_tally(r, asker);
    bool runs_now = may_run(r, asker, tally);
    struct resolve_lookup *l;

    if (!runs_now && !may_wait(r, tally))
        return NULL;
    l = base_alloc(sizeof(*l));
    *l = (struct resolve_lookup){.resolver = r,
                                 .asker = asker,
                                 .tally = take_tally(r, asker),
                                 .host = base_strdup(host),
                                 .port = port,
                                 .family = family,
                                 .on_done = on_done,
                                 .context = context};
    if (!runs_now) {
        enter_queue(l);
        return l;
    }
    if (run(l))
        return l;
    free_lookup(l);
    return NULL;
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
    leave_queue(l);
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
