/* see proxy/supervisor/intermediates.h */
#include "proxy/supervisor/intermediates.h"

#include "proxy/process/intermediates_file.h"
#include "proxy/process/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the table is kept. */
struct keeping {
    char *path; /* NULL: nowhere */
    bool is_foreign;
    bool is_behind; /* the table has had more than the file */
};

struct intermediates {
    uv_loop_t *loop;
    struct pkix_intermediates *known;
    struct keeping now, next;
    uv_timer_t timer;
    uint64_t write_ms;
    int fd;            /* the memory file; -1: to be made */
    bool has_news;     /* since the last time it was written */
    bool has_new_uses; /* only their order is another: worth writing at the end */
    bool failed;       /* the last writing did, and that was said */
    bool stopping;

    /* A writing under way: the thread has these. */
    bool writing;
    uv_work_t work;
    char *work_path, *work_text, *work_error;
};

struct intermediates *intermediates_create(uv_loop_t *loop, uint64_t write_ms)
{
    struct intermediates *i = base_alloc(sizeof(*i));

    i->loop = loop;
    i->write_ms = write_ms;
    i->known = pkix_intermediates_create();
    i->fd = -1;
    i->work.data = i;
    uv_timer_init(loop, &i->timer);
    i->timer.data = i;
    return i;
}

static void forget_fd(struct intermediates *i)
{
    if (i->fd >= 0)
        close(i->fd);
    i->fd = -1;
}

void intermediates_destroy(struct intermediates **intermediates)
{
    struct intermediates *i = *intermediates;

    if (i == NULL)
        return;
    assert(!i->writing);
    forget_fd(i);
    free(i->now.path);
    free(i->next.path);
    pkix_intermediates_destroy(&i->known);
    free(i);
    *intermediates = NULL;
}

/* ---- the file ---- */

static bool folder_is_there(const char *path)
{
    char *copy = base_strdup(path);
    struct stat info;
    bool there = stat(dirname(copy), &info) == 0 && S_ISDIR(info.st_mode);

    free(copy);
    return there;
}

static bool is_default(const struct config *config)
{
    return config->intermediates_place.line == 0;
}

bool intermediates_check(const struct config *config, struct config_findings *findings)
{
    char *copy;

    if (config->intermediates == NULL || is_default(config) || folder_is_there(config->intermediates))
        return true;
    copy = base_strdup(config->intermediates);
    config_finding_add(findings, config->intermediates_place,
                       "intermediates: the folder %s is not there; make it, name another file, or set none",
                       dirname(copy));
    free(copy);
    return false;
}

static bool same_path(const char *a, const char *b)
{
    return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

void intermediates_prepare(struct intermediates *i, const struct config *config)
{
    const char *path = config->intermediates;
    char *error = NULL;
    enum intermediates_file found;

    if (path != NULL && is_default(config) && !folder_is_there(path))
        path = NULL;
    free(i->next.path);
    i->next = (struct keeping){.path = path == NULL ? NULL : base_strdup(path)};
    if (same_path(path, i->now.path)) {
        i->next.is_foreign = i->now.is_foreign;
        return;
    }
    if (path == NULL)
        return;
    i->next.is_behind = pkix_intermediates_count(i->known) != 0;
    found = intermediates_file_read(path, i->known, &error);
    i->next.is_foreign = found == INTERMEDIATES_FILE_FOREIGN;
    forget_fd(i);
    if (found != INTERMEDIATES_FILE_READ)
        log_line(LOG_LEVEL_WARNING, "intermediates_ignored", log_text("reason", error),
                 log_text("then", i->next.is_foreign ? "nothing is kept" : "it will be replaced"));
    else
        log_line(LOG_LEVEL_DEBUG, "intermediates_read", log_text("file", path),
                 log_number("certificates", (int64_t)pkix_intermediates_count(i->known)));
    free(error);
}

static void on_write(uv_work_t *work)
{
    struct intermediates *i = work->data;

    (void)!intermediates_file_write(i->work_path, i->work_text, &i->work_error);
}

static void write_if_needed(struct intermediates *i);

static void on_written(uv_work_t *work, int status)
{
    struct intermediates *i = work->data;

    i->writing = false;
    if (i->work_error != NULL && !i->failed)
        log_line(LOG_LEVEL_WARNING, "intermediates_not_kept", log_text("reason", i->work_error));
    i->failed = status != 0 || i->work_error != NULL;
    if (i->failed && !i->stopping)
        i->has_new_uses = true; /* tried again with the next news, and at the end */
    free(i->work_path);
    free(i->work_text);
    free(i->work_error);
    i->work_path = i->work_text = i->work_error = NULL;
    if (i->stopping)
        write_if_needed(i); /* what came meanwhile */
}

static void write_if_needed(struct intermediates *i)
{
    if (i->writing || i->now.path == NULL || i->now.is_foreign || pkix_intermediates_count(i->known) == 0 ||
        !(i->has_news || (i->stopping && i->has_new_uses)))
        return;
    i->has_news = i->has_new_uses = false;
    i->writing = true;
    i->work_path = base_strdup(i->now.path);
    i->work_text = intermediates_text(i->known);
    if (uv_queue_work(i->loop, &i->work, on_write, on_written) != 0)
        base_abort("cannot queue the writing of a file");
}

static void on_timer(uv_timer_t *timer)
{
    write_if_needed(timer->data);
}

static void note_news(struct intermediates *i)
{
    i->has_news = true;
    if (!uv_is_active((uv_handle_t *)&i->timer))
        uv_timer_start(&i->timer, on_timer, i->write_ms, 0);
}

void intermediates_commit(struct intermediates *i)
{
    if (!same_path(i->now.path, i->next.path))
        i->failed = false;
    free(i->now.path);
    i->now = i->next;
    i->next.path = NULL;
    if (i->now.is_behind)
        i->has_new_uses = true; /* with the next news, or at the end */
}

/* ---- news ---- */

bool intermediates_learn(struct intermediates *i, const char *pem)
{
    struct span text = span_of_string(pem);
    size_t added = 0;
    char *error = NULL;

    if (i->stopping)
        return false;
    if (text.size > INTERMEDIATES_PEM_BYTES_MAX ||
        !intermediates_text_read(text, "a worker", i->known, &added, &error)) {
        log_peer_line(LOG_LEVEL_WARNING, "intermediate_not_readable",
                      log_text("reason", error == NULL ? "a worker: it is too long" : error));
        free(error);
        return false;
    }
    forget_fd(i);
    if (added != 0)
        note_news(i);
    else
        i->has_new_uses = true;
    return added != 0;
}

int intermediates_fd(struct intermediates *i)
{
    char *text;
    size_t size;

    if (i->fd >= 0 || pkix_intermediates_count(i->known) == 0)
        return i->fd;
    text = intermediates_text(i->known);
    size = strlen(text);
    i->fd = memfd_create("yett-intermediates", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (i->fd >= 0 && (write(i->fd, text, size) != (ssize_t)size ||
                       fcntl(i->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0))
        forget_fd(i);
    free(text);
    return i->fd;
}

size_t intermediates_count(const struct intermediates *i)
{
    return pkix_intermediates_count(i->known);
}

void intermediates_stop(struct intermediates *i)
{
    if (i->stopping)
        return;
    i->stopping = true;
    uv_close((uv_handle_t *)&i->timer, NULL);
    write_if_needed(i);
}
