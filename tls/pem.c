/* see tls/pem.h */
#include "tls/pem.h"
#include "base/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool take_block(struct span label, struct span body, const char *name, struct tls_pem_block *block, char **error)
{
    char quoted[BASE_QUOTE_SIZE];

    memcpy(block->label, label.data, label.size);
    block->label[label.size] = '\0';
    if (base_pem_decode(body, &block->der, &block->size))
        return true;
    *error =
        base_printf("%s: the block %s is not base64", name, base_quote(label.data, label.size, quoted, sizeof(quoted)));
    return false;
}

/* A sentence for a block that is broken. */
static char *broken(enum base_pem_status status, struct span label, const char *name)
{
    char quoted[BASE_QUOTE_SIZE];

    base_quote(label.data, label.size, quoted, sizeof(quoted));
    switch (status) {
    case BASE_PEM_OTHER_END:
        return base_printf("%s: the block that begins as %s ends as something else", name, quoted);
    case BASE_PEM_HAS_HEADERS:
        return base_printf("%s: the block %s has headers (an encrypted key?); store the key unencrypted as "
                           "PKCS#8 in a file that only its owner can read",
                           name, quoted);
    case BASE_PEM_BLOCK:
    case BASE_PEM_END:
    case BASE_PEM_NO_END:
        break;
    }
    return base_printf("%s: the block %s has no end", name, quoted);
}

bool tls_pem_parse(struct span text, const char *name, struct tls_pem *pem, char **error)
{
    struct span label, body;
    enum base_pem_status status;

    *pem = (struct tls_pem){.blocks = NULL};
    while ((status = base_pem_next(&text, &label, &body)) == BASE_PEM_BLOCK) {
        struct tls_pem_block block = {.der = NULL};

        if (pem->count == TLS_PEM_BLOCKS_MAX) {
            *error = base_printf("%s: more than %d PEM blocks", name, TLS_PEM_BLOCKS_MAX);
            goto failed;
        }
        if (!take_block(label, body, name, &block, error))
            goto failed;
        pem->blocks = base_realloc_array(pem->blocks, pem->count + 1, sizeof(*pem->blocks));
        pem->blocks[pem->count++] = block;
    }
    if (status == BASE_PEM_END && pem->count > 0)
        return true;
    *error = status == BASE_PEM_END ? base_printf("%s: no PEM block (\"-----BEGIN ...-----\") in it", name)
                                    : broken(status, label, name);

failed:
    tls_pem_clear(pem);
    return false;
}

bool tls_pem_read_file(const char *path, struct tls_pem *pem, char **error)
{
    uint8_t *data;
    size_t size;
    bool ok;

    *pem = (struct tls_pem){.blocks = NULL};
    if (!tls_file_read(path, TLS_PEM_FILE_MAX, &data, &size, error))
        return false;
    ok = tls_pem_parse(span_of(data, size), path, pem, error);
    base_wipe(data, size);
    free(data);
    return ok;
}

void tls_pem_clear(struct tls_pem *pem)
{
    for (size_t i = 0; i < pem->count; i++) {
        base_wipe(pem->blocks[i].der, pem->blocks[i].size);
        free(pem->blocks[i].der);
    }
    free(pem->blocks);
    *pem = (struct tls_pem){.blocks = NULL};
}

static bool file_failed(const char *path, const char *what, char **error)
{
    *error = base_printf("%s: cannot be %s: %s", path, what, strerror(errno));
    return false;
}

bool tls_file_read(const char *path, size_t size_max, uint8_t **data, size_t *size, char **error)
{
    size_t capacity = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    *data = NULL;
    *size = 0;
    if (fd < 0)
        return file_failed(path, "opened", error);
    /* Not by st_size: a pipe ("/dev/stdin", a process substitution) is a file too. */
    for (;;) {
        ssize_t got;

        if (capacity - *size < 2) {
            size_t wanted = capacity == 0 ? 16384 : capacity * 2;
            uint8_t *larger = base_alloc(wanted);

            if (*size != 0)
                memcpy(larger, *data, *size);
            base_wipe(*data, *size);
            free(*data);
            *data = larger;
            capacity = wanted;
        }
        got = read(fd, *data + *size, capacity - *size - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            file_failed(path, "read", error);
            break;
        }
        if (got == 0) {
            (*data)[*size] = '\0';
            close(fd);
            return true;
        }
        *size += (size_t)got;
        if (*size > size_max) {
            *error = base_printf("%s: larger than %zu bytes", path, size_max);
            break;
        }
    }
    close(fd);
    base_wipe(*data, *size);
    free(*data);
    *data = NULL;
    return false;
}

char *tls_pem_encode(const char *label, struct span der)
{
    assert(der.size > 0 && der.size <= TLS_PEM_FILE_MAX);
    return base_pem_encode(label, der);
}

static bool write_all(int fd, struct span bytes)
{
    while (bytes.size > 0) {
        ssize_t put = write(fd, bytes.data, bytes.size);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        bytes = span_skip(bytes, (size_t)put);
    }
    return true;
}

bool tls_file_write_secret(const char *path, struct span bytes, char **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool written;

    if (fd < 0 && errno == EEXIST) {
        *error = base_printf("%s: exists already, and a key is never written over; move it away first", path);
        return false;
    }
    if (fd < 0)
        return file_failed(path, "created", error);
    written = write_all(fd, bytes) && fsync(fd) == 0;
    if (!written) {
        file_failed(path, "written", error);
        unlink(path);
    }
    close(fd);
    return written;
}

static bool write_public(const char *path, const char *text, char **error)
{
    struct stat info;
    char *beside = base_printf("%s.XXXXXX", path);
    bool written = false;
    int fd;

    /* A terminal, a pipe or /dev/null cannot be replaced by renaming. */
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        written = fd >= 0 && write_all(fd, span_of_string(text));
        if (!written)
            file_failed(path, "written", error);
        goto out;
    }
    fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0) {
        file_failed(path, "created", error);
        goto out;
    }
    written =
        write_all(fd, span_of_string(text)) && fchmod(fd, 0644) == 0 && fsync(fd) == 0 && rename(beside, path) == 0;
    if (!written) {
        file_failed(path, "written", error);
        unlink(beside);
    }

out:
    if (fd >= 0)
        close(fd);
    free(beside);
    return written;
}

bool tls_pem_write_file(const char *path, enum tls_pem_access access, const char *text, char **error)
{
    switch (access) {
    case TLS_PEM_PUBLIC:
        return write_public(path, text, error);
    case TLS_PEM_SECRET:
        return tls_file_write_secret(path, span_of_string(text), error);
    }
    base_abort("unknown PEM access");
}
