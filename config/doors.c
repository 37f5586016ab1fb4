/* see config/doors.h */
#include "config/doors.h"

#include <stdlib.h>
#include <string.h>

char *doors_address_text(const struct config_address *a)
{
    return a->type == CONFIG_ADDRESS_UNIX      ? base_printf("unix:%s", a->host)
           : a->type == CONFIG_ADDRESS_SYSTEMD ? base_printf("systemd:%s", a->host)
           : strchr(a->host, ':') != NULL      ? base_printf("[%s]:%u", a->host, a->port)
                                               : base_printf("%s:%u", a->host, a->port);
}

/* ---- what must be the same ---- */

static bool same_networks(const struct config_network *a, size_t a_count, const struct config_network *b,
                          size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++)
        if (!address_equal(&a[i].network, &b[i].network) || a[i].prefix_bits != b[i].prefix_bits)
            return false;
    return true;
}

static bool same_protocol(const struct config_service *a, const struct config_service *b)
{
    return a->protocol == b->protocol;
}

static bool same_listen_tls(const struct config_service *a, const struct config_service *b)
{
    return a->listen_tls == b->listen_tls;
}

/* It comes before anything else. */
static bool same_accept_proxy(const struct config_service *a, const struct config_service *b)
{
    return a->accept_proxy == b->accept_proxy && same_networks(a->accept_proxy_from, a->accept_proxy_from_count,
                                                               b->accept_proxy_from, b->accept_proxy_from_count);
}

/* It is said before STARTTLS. */
static bool same_greeting_name(const struct config_service *a, const struct config_service *b)
{
    const char *x = a->greeting_name == NULL ? "" : a->greeting_name,
               *y = b->greeting_name == NULL ? "" : b->greeting_name;

    return a->listen_tls != CONFIG_TLS_STARTTLS || strcmp(x, y) == 0;
}

static const struct {
    bool (*is_same)(const struct config_service *a, const struct config_service *b);
    const char *what;
} rules[] = {
    {same_protocol, "one protocol"},
    {same_listen_tls, "one listen_tls"},
    {same_accept_proxy, "one accept_proxy and accept_proxy_from, whose header comes before the name"},
    {same_greeting_name, "one greeting_name, which is said before the name"},
};

/* ---- making them ---- */

struct entry {
    char *key;
    size_t service;
    struct config_address *address;
    size_t order;
};

static int by_key_and_order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int difference = strcmp(x->key, y->key);

    return difference != 0 ? difference : (x->order > y->order) - (x->order < y->order);
}

static void add_names(struct config_door *door, const struct config *config, const struct entry *entry,
                      struct config_findings *findings)
{
    const struct config_service *s = &config->services[entry->service];

    for (size_t i = 0; i < s->server_name_count; i++) {
        ptrdiff_t other = text_index_find(&door->names, s->server_name[i]);

        if (other == TEXT_INDEX_NONE)
            text_index_add(&door->names, s->server_name[i], entry->service);
        else
            config_finding_add(findings, entry->address->place,
                               "on %s the server_name %s is already that of [service %s] at %s:%u", entry->key,
                               s->server_name[i], config->services[other].name, config->services[other].place.file,
                               config->services[other].place.line);
    }
}

static void add_service(struct config_door *door, const struct config *config, const struct entry *first,
                        const struct entry *entry, struct config_findings *findings)
{
    const struct config_service *s = &config->services[entry->service], *f = &config->services[first->service];

    door->services[door->service_count++] = entry->service;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (!rules[i].is_same(f, s))
            config_finding_add(findings, entry->address->place,
                               "%s is listened on by [service %s] at %s:%u too: services that share an address have %s",
                               entry->key, f->name, first->address->place.file, first->address->place.line,
                               rules[i].what);
    if (s->server_name_count > 0) {
        add_names(door, config, entry, findings);
    } else if (door->rest == CONFIG_NO_SERVICE) {
        door->rest = entry->service;
    } else {
        const struct entry *other = first;

        while (other->service != door->rest)
            other++;
        config_finding_add(findings, entry->address->place,
                           "%s is already listened on by %s:%u; services that share an address are told apart by "
                           "server_name, and one of them at most has none",
                           entry->key, other->address->place.file, other->address->place.line);
    }
}

/* Entries of one address. */
static void make_door(struct config *config, const struct entry *entries, size_t count,
                      struct config_findings *findings)
{
    struct config_door *door;

    if (count == 1 && config->services[entries[0].service].server_name_count == 0)
        return;
    config->doors = base_realloc_array(config->doors, config->door_count + 1, sizeof(*config->doors));
    door = &config->doors[config->door_count++];
    *door = (struct config_door){.services = base_alloc(count * sizeof(*door->services)), .rest = CONFIG_NO_SERVICE};
    for (size_t i = 0; i < count; i++) {
        entries[i].address->door = config->door_count;
        if (i == 0 || entries[i].service != entries[i - 1].service) /* told by config/checks_across.c */
            add_service(door, config, &entries[0], &entries[i], findings);
    }
}

void doors_make(struct config *config, struct config_findings *findings)
{
    struct entry *entries;
    size_t count = 0, most = 0;

    for (size_t i = 0; i < config->service_count; i++)
        most += config->services[i].listen_count;
    entries = base_alloc(most * sizeof(*entries));
    for (size_t i = 0; i < config->service_count; i++)
        for (size_t j = 0; j < config->services[i].listen_count; j++, count++)
            entries[count] = (struct entry){.key = doors_address_text(&config->services[i].listen[j]),
                                            .service = i,
                                            .address = &config->services[i].listen[j],
                                            .order = count};
    qsort(entries, count, sizeof(*entries), by_key_and_order);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && strcmp(entries[to].key, entries[from].key) == 0; to++)
            ;
        make_door(config, &entries[from], to - from, findings);
    }
    for (size_t i = 0; i < count; i++)
        free(entries[i].key);
    free(entries);
}

void doors_clear(struct config *config)
{
    for (size_t i = 0; i < config->door_count; i++) {
        free(config->doors[i].services);
        text_index_clear(&config->doors[i].names);
    }
    free(config->doors);
}

/* ---- finding the way ---- */

size_t config_door_find(const struct config_door *door, const char *name)
{
    enum { NAME_MAX_BYTES = 255 }; /* RFC 1035 section 2.3.4 */
    char wild[NAME_MAX_BYTES + 3];
    ptrdiff_t found = name == NULL ? TEXT_INDEX_NONE : text_index_find(&door->names, name);

    for (const char *dot = name == NULL || strlen(name) > NAME_MAX_BYTES ? NULL : strchr(name, '.');
         dot != NULL && found == TEXT_INDEX_NONE; dot = strchr(dot + 1, '.')) {
        wild[0] = '*';
        memcpy(wild + 1, dot, strlen(dot) + 1);
        found = text_index_find(&door->names, wild);
    }
    return found != TEXT_INDEX_NONE ? (size_t)found : door->rest;
}
