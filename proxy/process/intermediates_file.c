/* see proxy/process/intermediates_file.h */
#include "proxy/process/intermediates_file.h"

#include "pkix/pem.h"
#include "tls/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char label[] = "CERTIFICATE";
static const char first_line[] = "# yett: intermediates of verified peers\n";
static const char second_line[] =
    "# Written by yett (see intermediates in yett.conf(5)); none is trusted for being here. What "
    "was used last comes last.\n";

/* ---- text ---- */

static_assert(sizeof(first_line) + sizeof(second_line) <=
                  INTERMEDIATES_FILE_BYTES_MAX - PKIX_INTERMEDIATES_MAX * INTERMEDIATES_PEM_BYTES_MAX,
              "the first lines, and as many certificates as there may be");

char *intermediates_text(struct pkix_intermediates *known)
{
    struct pkix_intermediate *all[PKIX_INTERMEDIATES_MAX];
    size_t count = pkix_intermediates_lend_all(known, all);
    char *text, *at;

    if (count == 0)
        return base_strdup("");
    text = base_alloc(INTERMEDIATES_FILE_BYTES_MAX);
    at = stpcpy(stpcpy(text, first_line), second_line);
    for (size_t i = 0; i < count; i++) {
        char *pem = base_pem_encode(label, all[i]->cert.der);

        if (strlen(pem) <= INTERMEDIATES_PEM_BYTES_MAX) /* a peer made it, and must not choose what room it takes */
            at = stpcpy(at, pem);
        free(pem);
        pkix_intermediates_return(known, all[i]);
    }
    return text;
}

static bool is_readable(const struct tls_pem_block *block, size_t number, const char *name, char **error)
{
    struct pkix_cert cert;
    enum pkix_error status;

    if (block->kind != BASE_PEM_CERTIFICATE || block->size > PKIX_INTERMEDIATE_BYTES_MAX) {
        *error = base_printf("%s: block %zu is no certificate of at most %d bytes", name, number,
                             PKIX_INTERMEDIATE_BYTES_MAX);
        return false;
    }
    status = pkix_cert_read(span_of(block->der, block->size), &cert);
    if (status != PKIX_OK)
        *error = base_printf("%s: certificate %zu: %s", name, number, pkix_error_sentence(status));
    return status == PKIX_OK;
}

bool intermediates_text_read(struct span text, const char *name, struct pkix_intermediates *known, size_t *added,
                             char **error)
{
    struct tls_pem pem;
    size_t count = 0;
    bool good;

    if (!tls_pem_parse(text, &pkix_pem_certificates, name, &pem, error))
        return false;
    good = pem.count <= PKIX_INTERMEDIATES_MAX;
    if (!good)
        *error = base_printf("%s: holds more than %d certificates", name, PKIX_INTERMEDIATES_MAX);
    for (size_t i = 0; i < pem.count && good; i++)
        good = is_readable(&pem.blocks[i], i + 1, name, error);
    for (size_t i = 0; i < pem.count && good; i++)
        count += pkix_intermediates_add(known, span_of(pem.blocks[i].der, pem.blocks[i].size), PKIX_INTERMEDIATE_TOLD);
    if (added != NULL)
        *added = count;
    tls_pem_clear(&pem);
    return good;
}

/* ---- reading ---- */

static enum intermediates_file foreign(const char *path, const char *why, char **error)
{
    *error = base_printf("%s: %s", path, why);
    return INTERMEDIATES_FILE_FOREIGN;
}

static bool begins_as_ours(int fd, off_t size)
{
    char start[sizeof(first_line) - 1];

    return size >= (off_t)sizeof(start) && pread(fd, start, sizeof(start), 0) == (ssize_t)sizeof(start) &&
           memcmp(start, first_line, sizeof(start)) == 0;
}

/* What an open file is; it is not closed. */
static enum intermediates_file read_open(int fd, const char *path, struct pkix_intermediates *known, char **error)
{
    struct stat info;
    enum intermediates_file result = INTERMEDIATES_FILE_READ;
    uint8_t *data;
    size_t size;

    if (fstat(fd, &info) != 0)
        return foreign(path, strerror(errno), error);
    if (!S_ISREG(info.st_mode))
        return foreign(path, "is not a regular file", error);
    if (info.st_uid != geteuid() && info.st_uid != 0)
        return foreign(path, "belongs to another user", error);
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return foreign(path, "others may write to it: it must have mode 0600 or 0644", error);
    if (info.st_size == 0)
        return INTERMEDIATES_FILE_READ;
    if (!begins_as_ours(fd, info.st_size))
        return foreign(path, "was not written by yett, and is left alone: name another file", error);
    if (info.st_size > INTERMEDIATES_FILE_BYTES_MAX) {
        *error = base_printf("%s: is larger than %d bytes", path, INTERMEDIATES_FILE_BYTES_MAX);
        return INTERMEDIATES_FILE_DAMAGED;
    }
    data = base_alloc((size_t)info.st_size);
    if (!base_fd_read(fd, data, (size_t)info.st_size, &size)) {
        *error = base_printf("%s: cannot be read: %s", path, strerror(errno));
        result = INTERMEDIATES_FILE_DAMAGED;
    } else if (!intermediates_text_read(span_of(data, size), path, known, NULL, error)) {
        result = INTERMEDIATES_FILE_DAMAGED;
    }
    free(data);
    return result;
}

enum intermediates_file intermediates_file_read(const char *path, struct pkix_intermediates *known, char **error)
{
    /* O_NONBLOCK: a FIFO must not hold us up until somebody writes to it. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
    enum intermediates_file result;

    if (fd < 0 && errno == ENOENT)
        return INTERMEDIATES_FILE_READ;
    if (fd < 0) {
        char *why = errno == ELOOP ? base_strdup("is a symbolic link") : base_file_why(path, errno);

        result = foreign(path, why, error);
        free(why);
        return result;
    }
    result = read_open(fd, path, known, error);
    close(fd);
    return result;
}

/* ---- writing ---- */

/* So that the new name survives a loss of power. A file system that cannot do it has its own ways. */
static void sync_folder_of(const char *path)
{
    char *copy = base_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(copy);
}

bool intermediates_file_write(const char *path, const char *text, char **error)
{
    char *beside = base_printf("%s.new", path);
    int fd;
    bool written;

    (void)unlink(beside); /* left over from a crash; anything else makes open() fail */
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    written = fd >= 0 && base_fd_write(fd, span_of_string(text)) && fsync(fd) == 0 && rename(beside, path) == 0;
    if (!written) {
        *error = base_printf("%s: cannot be written: %s", fd < 0 ? beside : path, strerror(errno));
        if (fd >= 0)
            (void)unlink(beside);
    }
    if (fd >= 0)
        close(fd);
    if (written)
        sync_folder_of(path);
    free(beside);
    return written;
}
