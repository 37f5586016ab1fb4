/* see proxy/worker/worker_told.h */
#include "proxy/worker/worker_told.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TICKET_KEY_BYTES_MAX = 16 * 1024 };

static bool read_ticket_key(struct worker_told *t, int fd)
{
    struct stat info;
    ssize_t size;

    if (fstat(fd, &info) != 0 || info.st_size <= 0 || info.st_size > TICKET_KEY_BYTES_MAX)
        return false;
    t->ticket_key = base_alloc((size_t)info.st_size);
    size = pread(fd, t->ticket_key, (size_t)info.st_size, 0);
    t->ticket_key_size = size > 0 ? (size_t)size : 0;
    return size == info.st_size;
}

static void keep_listener(struct worker_told *t, const struct worker_message *message, int fd)
{
    t->listeners = base_realloc_array(t->listeners, t->listener_count + 1, sizeof(*t->listeners));
    t->listeners[t->listener_count++] =
        (struct passed_listener){.service_index = message->service, .address_index = message->address, .fd = fd};
}

/* Each comes once. */
static bool keep_file(int *kept, int fd)
{
    if (*kept >= 0)
        return false;
    *kept = fd;
    return true;
}

/* A message with something that is needed to start; its descriptor is taken. NULL, or what is wrong, static. */
static const char *take_told(struct worker_told *t, const struct worker_message *message, int fd)
{
    bool read;

    if (message->event == WORKER_LISTENER) {
        keep_listener(t, message, fd);
        return NULL;
    }
    if (message->event == WORKER_TICKET_KEY) {
        read = t->ticket_key == NULL && read_ticket_key(t, fd);
        close(fd);
        return read ? NULL : "cannot be read";
    }
    if (message->event == WORKER_IDENTITIES) {
        read = t->identities == NULL;
        if (read)
            t->identities = file_identities_read(fd);
        close(fd);
        return !read ? "came twice" : t->identities == NULL ? "cannot be read" : NULL;
    }
    if (keep_file(message->event == WORKER_CONFIG     ? &t->config_fd
                  : message->event == WORKER_COUNTERS ? &t->counters_fd
                                                      : &t->intermediates_fd,
                  fd))
        return NULL;
    close(fd);
    return "came twice";
}

char *worker_told_fault_text(enum worker_event event, const char *fault)
{
    return base_printf("the supervisor cannot be understood: its message %s %s", worker_event_name(event), fault);
}

bool worker_told_receive(struct worker_told *t, char **error)
{
    struct worker_message message;
    const char *fault;
    int fd;

    for (;;) {
        int received = worker_receive(WORKER_CONTROL_FD, &message, &fd);

        if (received < 0)
            *error = base_printf("the supervisor cannot be understood: %s", strerror(errno));
        if (received <= 0)
            return false;
        fault = worker_message_fault(message.event, fd >= 0, WORKER_UNTOLD);
        if (fault == NULL && fd >= 0) {
            fault = take_told(t, &message, fd);
        } else if (fault != NULL && fd >= 0) {
            close(fd);
        }
        if (fault != NULL) {
            *error = worker_told_fault_text(message.event, fault);
            return false;
        }
        if (message.event == WORKER_STOP || message.event == WORKER_DRAIN)
            return false;
        if (message.event == WORKER_START) {
            t->slot = message.slot;
            t->generation = message.generation;
            return true;
        }
    }
}

void worker_told_wipe_ticket_key(struct worker_told *t)
{
    base_wipe(t->ticket_key, t->ticket_key_size);
    free(t->ticket_key);
    t->ticket_key = NULL;
    t->ticket_key_size = 0;
}

void worker_told_clear(struct worker_told *t)
{
    for (size_t i = 0; i < t->listener_count; i++)
        if (t->listeners[i].fd >= 0)
            close(t->listeners[i].fd);
    free(t->listeners);
    if (t->intermediates_fd >= 0)
        close(t->intermediates_fd);
    file_identities_destroy(&t->identities);
    worker_told_wipe_ticket_key(t);
}
