/* see proxy/supervisor/listen_sockets.h */
#include "proxy/supervisor/listen_sockets.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum listener_origin { LISTENER_KEPT, LISTENER_NEW /* opened by a preparation that is still undecided */ };

/* One address and its sockets. */
struct listener {
    enum config_address_type type;
    char *host; /* literal, path or systemd's name */
    uint16_t port;
    char *key; /* all three as one text */
    enum listener_origin origin;
    int *fds;
    size_t fd_count;
};

struct passed_socket {
    char *name;
    int fd;
};

struct listen_sockets {
    struct listener *items;
    size_t count;
    struct text_index index; /* of items, by key */
    struct passed_socket *passed;
    size_t passed_count;
};

/* --- IP sockets --- */

enum may_listen { LISTEN_MAY, LISTEN_NO_RIGHT, LISTEN_CANNOT };

/* Whether we could listen there now. Not listening, it takes no connection from anybody. */
static enum may_listen may_listen(const struct config_address *a, char **error)
{
    struct listen_inet_address address;
    int fd, saved;

    if (!listen_inet_address(a, &address, error))
        return LISTEN_CANNOT;
    fd = listen_inet_bind(&address, LISTEN_ALONE);
    if (fd >= 0) {
        close(fd);
        return LISTEN_MAY;
    }
    saved = errno;
    *error =
        base_printf("cannot listen on %s: %s%s", a->text, strerror(saved),
                    saved == EACCES ? ": ports below 1024 are for root, and for who has CAP_NET_BIND_SERVICE" : "");
    return saved == EACCES ? LISTEN_NO_RIGHT : LISTEN_CANNOT;
}

static bool open_inet(struct listener *l, const struct config_address *a, size_t wanted, char **error)
{
    struct listen_inet_address address;
    int fd;

    if (l->fd_count > 0)
        return true;
    /* SO_REUSEPORT would let us in beside another yett of the same user, and each would get half of the connections:
     * ask once without it. */
    if (may_listen(a, error) != LISTEN_MAY || !listen_inet_address(a, &address, error))
        return false;
    while (l->fd_count < wanted) {
        fd = listen_inet_bind(&address, LISTEN_SHARED);
        if (fd < 0 || listen(fd, LISTEN_BACKLOG) != 0) {
            *error = base_printf("cannot listen on %s: %s", a->text, strerror(errno));
            if (fd >= 0)
                close(fd);
            return false;
        }
        l->fds = base_realloc_array(l->fds, l->fd_count + 1, sizeof(*l->fds));
        l->fds[l->fd_count++] = fd;
    }
    return true;
}

/* --- systemd's sockets --- */

static void take_passed(struct listen_sockets *ls)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names); /* sets close-on-exec */

    if (count <= 0)
        return;
    ls->passed = base_alloc((size_t)count * sizeof(*ls->passed));
    for (int i = 0; i < count; i++) {
        ls->passed[ls->passed_count++] =
            (struct passed_socket){.name = base_strdup(names[i]), .fd = SD_LISTEN_FDS_START + i};
        free(names[i]);
    }
    free(names);
}

static bool is_loopback(int fd)
{
    union {
        struct sockaddr_storage storage;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t size = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address.storage, &size) != 0)
        return false;
    switch (address.storage.ss_family) {
    case AF_UNIX:
        return true;
    case AF_INET:
        return ntohl(address.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&address.v6.sin6_addr);
    default:
        return false;
    }
}

/* The rule that config/ keeps for addresses it can read: no plain text beyond this machine unless somebody says so. */
static bool may_be_plain(const struct listener *l, const struct config_service *service, const char *name, char **error)
{
    if (service->listen_tls != CONFIG_TLS_NONE || service->insecure_plaintext_listen)
        return true;
    for (size_t i = 0; i < l->fd_count; i++)
        if (!is_loopback(l->fds[i])) {
            *error = base_printf(
                "systemd:%s is not a loopback address: set listen_tls, or insecure_plaintext_listen = yes", name);
            return false;
        }
    return true;
}

static bool open_passed(const struct listen_sockets *ls, struct listener *l, const struct config_address *a,
                        char **error)
{
    for (size_t i = 0; i < ls->passed_count; i++) {
        int fd;

        if (strcmp(ls->passed[i].name, a->host) != 0)
            continue;
        if (sd_is_socket(ls->passed[i].fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
            *error = base_printf("what systemd passed as \"%s\" is not a listening stream socket", a->host);
            return false;
        }
        fd = fcntl(ls->passed[i].fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
            *error = base_printf("cannot use the socket systemd passed as \"%s\": %s", a->host, strerror(errno));
            if (fd >= 0)
                close(fd);
            return false;
        }
        l->fds = base_realloc_array(l->fds, l->fd_count + 1, sizeof(*l->fds));
        l->fds[l->fd_count++] = fd;
    }
    if (l->fd_count == 0) {
        *error =
            base_printf("systemd passed no socket named \"%s\" (FileDescriptorName= in the .socket unit)", a->host);
        return false;
    }
    return true;
}

/* --- the set --- */

struct listen_sockets *listen_sockets_create(void)
{
    struct listen_sockets *ls = base_alloc(sizeof(*ls));

    take_passed(ls);
    return ls;
}

/* The caller indexes anew. */
static void listener_remove(struct listen_sockets *ls, size_t index)
{
    struct listener *l = &ls->items[index];

    for (size_t i = 0; i < l->fd_count; i++) {
        /* Workers have duplicates until they have heard of it: shut down, it is over for all at once. A socket of
         * systemd's is not ours to end. */
        if (l->type == CONFIG_ADDRESS_UNIX)
            listen_unix_remove(l->fds[i], l->host);
        else if (l->type == CONFIG_ADDRESS_INET)
            shutdown(l->fds[i], SHUT_RDWR);
        close(l->fds[i]);
    }
    free(l->fds);
    free(l->host);
    free(l->key);
    ls->items[index] = ls->items[--ls->count];
}

static void index_anew(struct listen_sockets *ls)
{
    text_index_clear(&ls->index);
    for (size_t i = 0; i < ls->count; i++)
        text_index_add(&ls->index, ls->items[i].key, i);
}

void listen_sockets_close(struct listen_sockets *ls)
{
    while (ls->count > 0)
        listener_remove(ls, ls->count - 1);
    index_anew(ls);
}

void listen_sockets_destroy(struct listen_sockets **ls)
{
    if (*ls == NULL)
        return;
    listen_sockets_close(*ls);
    for (size_t i = 0; i < (*ls)->passed_count; i++) {
        close((*ls)->passed[i].fd);
        free((*ls)->passed[i].name);
    }
    free((*ls)->passed);
    free((*ls)->items);
    text_index_clear(&(*ls)->index);
    free(*ls);
    *ls = NULL;
}

/* Owned by the caller. */
static char *key_of(const struct config_address *a)
{
    return base_printf("%d %u %s", (int)a->type, a->type == CONFIG_ADDRESS_INET ? a->port : 0U, a->host);
}

static struct listener *find(const struct listen_sockets *ls, const struct config_address *a)
{
    char *key = key_of(a);
    ptrdiff_t index = text_index_find(&ls->index, key);

    free(key);
    return index == TEXT_INDEX_NONE ? NULL : &ls->items[index];
}

static struct listener *find_or_add(struct listen_sockets *ls, const struct config_address *a)
{
    struct listener *l = find(ls, a);

    if (l != NULL)
        return l;
    ls->items = base_realloc_array(ls->items, ls->count + 1, sizeof(*ls->items));
    l = &ls->items[ls->count];
    *l = (struct listener){.type = a->type, .host = base_strdup(a->host), .key = key_of(a), .origin = LISTENER_NEW};
    l->port = a->type == CONFIG_ADDRESS_INET ? a->port : 0;
    text_index_add(&ls->index, l->key, ls->count++);
    return l;
}

static bool prepare_address(struct listen_sockets *ls, const struct config_service *service,
                            const struct config_address *a, unsigned worker_count, char **error)
{
    struct listener *l = find_or_add(ls, a);
    int fd;

    switch (a->type) {
    case CONFIG_ADDRESS_INET:
        return open_inet(l, a, worker_count, error);
    case CONFIG_ADDRESS_UNIX:
        if (l->fd_count > 0)
            return true;
        fd = listen_unix(a->host, 0660, error);
        if (fd < 0)
            return false;
        l->fds = base_alloc(sizeof(*l->fds));
        l->fds[l->fd_count++] = fd;
        return true;
    case CONFIG_ADDRESS_SYSTEMD:
        return (l->fd_count > 0 || open_passed(ls, l, a, error)) && may_be_plain(l, service, a->host, error);
    }
    return false;
}

/* How many descriptors there will be once all of the configuration's sockets are open beside what there is: and then
 * some, for those who ask on the control socket and the admin endpoint, files, agents, and two generations of workers.
 */
static rlim_t count_descriptors(const struct listen_sockets *ls, const struct config *config, unsigned worker_count)
{
    enum { DESCRIPTORS_BESIDES = 64, DESCRIPTORS_OF_WORKER = 8 };
    rlim_t count = base_fd_count() + DESCRIPTORS_BESIDES + (rlim_t)worker_count * DESCRIPTORS_OF_WORKER;

    for (size_t i = 0; i < config->service_count; i++)
        for (size_t k = 0; k < config->services[i].listen_count; k++)
            if (find(ls, &config->services[i].listen[k]) == NULL)
                count += worker_count;
    return count;
}

/* To what the configuration takes and not further, since what we start has the limit too. False with a finding where it
 * may not be. */
static bool raise_descriptor_limit(const struct listen_sockets *ls, const struct config *config, unsigned worker_count,
                                   struct config_findings *findings)
{
    rlim_t wanted = count_descriptors(ls, config, worker_count);
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return true;
    limit.rlim_cur = wanted;
    if (wanted <= limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return true;
    config_finding_add(findings, (struct config_place){.file = config->files[0]},
                       "%zu services and %u workers take %llu descriptors, and this process may have %llu: raise "
                       "LimitNOFILE in its unit, or ulimit -n, to at least %llu",
                       config->service_count, worker_count, (unsigned long long)wanted,
                       (unsigned long long)limit.rlim_max, (unsigned long long)wanted);
    return false;
}

bool listen_sockets_prepare(struct listen_sockets *ls, const struct config *config, unsigned worker_count,
                            struct config_findings *findings)
{
    bool good = true;

    if (!raise_descriptor_limit(ls, config, worker_count, findings))
        return false;
    for (size_t i = 0; i < ls->count; i++)
        ls->items[i].origin = LISTENER_KEPT;
    for (size_t i = 0; i < config->service_count; i++) {
        const struct config_service *service = &config->services[i];

        for (size_t k = 0; k < service->listen_count; k++) {
            char *error = NULL;

            if (prepare_address(ls, service, &service->listen[k], worker_count, &error))
                continue;
            config_finding_add(findings, service->listen[k].place, "%s", error);
            free(error);
            good = false;
        }
    }
    if (!good)
        listen_sockets_abandon(ls);
    return good;
}

static bool is_ours(const struct config_address *a, const char *const *ours)
{
    for (; *ours != NULL; ours++)
        if (strcmp(*ours, a->text) == 0)
            return true;
    return false;
}

/* Who checks may have fewer rights than who will run: a service manager gives those that low ports take. So what is not
 * known for want of them is a note, one for all. */
static bool check_address(const struct config_address *a, const char *const *ours, const char *option, bool *told,
                          struct config_findings *findings)
{
    char *error = NULL;
    enum may_listen may = a->type != CONFIG_ADDRESS_INET || is_ours(a, ours) ? LISTEN_MAY : may_listen(a, &error);

    if (may == LISTEN_CANNOT)
        config_finding_add(findings, a->place, "%s%s", option, error);
    if (may == LISTEN_NO_RIGHT && !*told)
        config_note_add(
            findings, CONFIG_NOTE_INFORMATION, "listen_not_tried", a->place,
            "%swhether somebody listens on %s, and on other ports below 1024, was not tried: that takes root, "
            "or CAP_NET_BIND_SERVICE, which yett's unit gives it",
            option, a->text);
    *told = *told || may == LISTEN_NO_RIGHT;
    free(error);
    return may != LISTEN_CANNOT;
}

bool listen_sockets_check(const struct config *config, const char *const *ours, struct config_findings *findings)
{
    bool good = true, told = false;

    for (size_t i = 0; i < config->service_count; i++)
        for (size_t k = 0; k < config->services[i].listen_count; k++)
            good = check_address(&config->services[i].listen[k], ours, "", &told, findings) && good;
    if (config->admin != NULL)
        good = check_address(config->admin, ours, "admin: ", &told, findings) && good;
    return good;
}

void listen_sockets_abandon(struct listen_sockets *ls)
{
    for (size_t i = ls->count; i-- > 0;)
        if (ls->items[i].origin == LISTENER_NEW)
            listener_remove(ls, i);
    index_anew(ls);
}

/* Which of the listeners the configuration names; the caller frees it. */
static bool *find_named(const struct listen_sockets *ls, const struct config *config)
{
    bool *named = base_alloc(ls->count * sizeof(*named));

    for (size_t i = 0; i < config->service_count; i++)
        for (size_t k = 0; k < config->services[i].listen_count; k++) {
            const struct listener *l = find(ls, &config->services[i].listen[k]);

            if (l != NULL)
                named[l - ls->items] = true;
        }
    return named;
}

void listen_sockets_commit(struct listen_sockets *ls, const struct config *config)
{
    bool *named = find_named(ls, config);

    for (size_t i = ls->count; i-- > 0;) { /* what takes the place of a removed one has been looked at */
        ls->items[i].origin = LISTENER_KEPT;
        if (!named[i])
            listener_remove(ls, i);
    }
    free(named);
    index_anew(ls);
}

bool listen_socket_is_for(size_t index, size_t socket_count, unsigned slot, unsigned worker_count)
{
    return socket_count >= worker_count ? index % worker_count == slot : index == slot % socket_count;
}

int listen_sockets_next(const struct listen_sockets *ls, const struct config_address *address, unsigned slot,
                        unsigned worker_count, size_t *cursor)
{
    const struct listener *l = find(ls, address);

    while (l != NULL && *cursor < l->fd_count) {
        size_t index = (*cursor)++;

        if (l->type != CONFIG_ADDRESS_INET || listen_socket_is_for(index, l->fd_count, slot, worker_count))
            return l->fds[index];
    }
    return -1;
}
