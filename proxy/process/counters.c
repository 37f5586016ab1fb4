/* see proxy/process/counters.h */
#include "proxy/process/counters.h"

#include "config/config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COUNTERS_MAGIC = 0x79657474, COUNTERS_SERVICES_MAX = CONFIG_SERVICES_MAX };

struct shared_header {
    uint32_t magic;
    uint32_t counter_count; /* both ends are the same program; a mixed installation shows here */
    uint64_t service_count;
};

struct shared {
    struct shared_header header;
    struct counters_block blocks[];
};

struct counters {
    struct shared *shared;
    size_t size; /* bytes mapped */
    size_t service_count;
};

static const char *const names[] = {
#define COUNTERS_NAME(name, kind, help) #name,
    COUNTERS_LIST(COUNTERS_NAME)
#undef COUNTERS_NAME
};
static const char *const helps[] = {
#define COUNTERS_HELP(name, kind, help) help,
    COUNTERS_LIST(COUNTERS_HELP)
#undef COUNTERS_HELP
};
enum counter_kind { COUNTER_KIND_COUNTER, COUNTER_KIND_GAUGE, COUNTER_KIND_SECONDS };
static const enum counter_kind kinds[] = {
#define COUNTERS_KIND(name, kind, help) COUNTER_KIND_##kind,
    COUNTERS_LIST(COUNTERS_KIND)
#undef COUNTERS_KIND
};
static_assert(ARRAY_LEN(names) == COUNTER_COUNT, "one name for each counter");

static size_t shared_size(size_t service_count)
{
    return sizeof(struct shared) + service_count * sizeof(struct counters_block);
}

static struct counters *map(int fd, size_t service_count, int protection)
{
    struct counters *c;
    void *shared = mmap(NULL, shared_size(service_count), protection, MAP_SHARED, fd, 0);

    if (shared == MAP_FAILED)
        return NULL;
    c = base_alloc(sizeof(*c));
    *c = (struct counters){.shared = shared, .size = shared_size(service_count), .service_count = service_count};
    return c;
}

struct counters *counters_create(size_t service_count, int *fd)
{
    struct shared_header header = {
        .magic = COUNTERS_MAGIC, .counter_count = COUNTER_COUNT, .service_count = service_count};
    struct counters *c = NULL;

    assert(service_count <= COUNTERS_SERVICES_MAX);
    *fd = memfd_create("yett-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return NULL;
    /* Sealed in size: a worker gone wrong could otherwise shrink it, and our next read would be SIGBUS. */
    if (ftruncate(*fd, (off_t)shared_size(service_count)) == 0 &&
        pwrite(*fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        c = map(*fd, service_count, PROT_READ);
    if (c == NULL) {
        close(*fd);
        *fd = -1;
    }
    return c;
}

struct counters *counters_map(int fd, size_t service_count)
{
    struct counters *c;
    struct stat info;

    if (service_count > COUNTERS_SERVICES_MAX || fstat(fd, &info) != 0 ||
        (size_t)info.st_size != shared_size(service_count))
        return NULL;
    c = map(fd, service_count, PROT_READ | PROT_WRITE);
    if (c != NULL && (c->shared->header.magic != COUNTERS_MAGIC || c->shared->header.counter_count != COUNTER_COUNT ||
                      c->shared->header.service_count != service_count))
        counters_destroy(&c);
    return c;
}

void counters_destroy(struct counters **c)
{
    if (*c == NULL)
        return;
    munmap((*c)->shared, (*c)->size);
    free(*c);
    *c = NULL;
}

struct counters_block *counters_service(struct counters *c, size_t service_index)
{
    assert(service_index < c->service_count);
    return &c->shared->blocks[service_index];
}

uint64_t counters_read(const struct counters *c, size_t service_index, enum counter which)
{
    assert(service_index < c->service_count && which < COUNTER_COUNT);
    return atomic_load_explicit(&c->shared->blocks[service_index].values[which], memory_order_relaxed);
}

const char *counter_name(enum counter which)
{
    return names[which];
}

const char *counter_help(enum counter which)
{
    return helps[which];
}

bool counter_is_gauge(enum counter which)
{
    return kinds[which] == COUNTER_KIND_GAUGE;
}

unsigned counter_scale(enum counter which)
{
    return kinds[which] == COUNTER_KIND_SECONDS ? 1000000 : 1;
}
