/* see tls/pem.h */
#include "tls/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <nssb64.h>
#include <secitem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char begin_mark[] = "-----BEGIN ";
static const char end_mark[] = "-----END ";
static const char dashes[] = "-----";

/* The next line of `text`, without its end; the text moves on past it. */
static struct span take_line(struct span *text)
{
    const uint8_t *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);
    size_t size = end == NULL ? text->size : (size_t)(end - text->data);
    struct span line = span_of(text->data, size);

    *text = span_skip(*text, end == NULL ? size : size + 1);
    while (line.size > 0 &&
           (line.data[line.size - 1] == '\r' || line.data[line.size - 1] == ' ' || line.data[line.size - 1] == '\t'))
        line.size--;
    return line;
}

/* The label of "-----BEGIN label-----"; false when the line is none. */
static bool line_label(struct span line, const char *mark, struct span *label)
{
    size_t mark_len = strlen(mark), dashes_len = strlen(dashes);

    if (line.size <= mark_len + dashes_len || memcmp(line.data, mark, mark_len) != 0 ||
        memcmp(line.data + line.size - dashes_len, dashes, dashes_len) != 0)
        return false;
    *label = span_of(line.data + mark_len, line.size - mark_len - dashes_len);
    return label->size <= TLS_PEM_LABEL_MAX;
}

static bool decode(struct span body, struct tls_pem_block *block)
{
    SECItem *item;

    if (body.size == 0 || body.size > TLS_PEM_FILE_MAX)
        return false;
    item = NSSBase64_DecodeBuffer(NULL, NULL, (const char *)body.data, (unsigned int)body.size);
    if (item == NULL || item->len == 0) {
        if (item != NULL)
            SECITEM_FreeItem(item, PR_TRUE);
        return false;
    }
    block->der = base_memdup(item->data, item->len);
    block->size = item->len;
    SECITEM_ZfreeItem(item, PR_TRUE);
    return true;
}

/* `text` is just after a BEGIN line: reads up to the END line of the same label. */
static bool take_block(struct span *text, struct span label, const char *name, struct tls_pem_block *block,
                       char **error)
{
    struct span body = span_of(text->data, 0);
    char quoted[BASE_QUOTE_SIZE];

    memcpy(block->label, label.data, label.size);
    block->label[label.size] = '\0';
    base_quote(label.data, label.size, quoted, sizeof(quoted));
    while (text->size > 0) {
        struct span line = take_line(text), end_label;

        if (line_label(line, end_mark, &end_label)) {
            if (!span_equal(label, end_label)) {
                *error = base_printf("%s: the block that begins as %s ends as something else", name, quoted);
                return false;
            }
            if (!decode(body, block)) {
                *error = base_printf("%s: the block %s is not base64", name, quoted);
                return false;
            }
            return true;
        }
        if (line.size != 0 && memchr(line.data, ':', line.size) != NULL) {
            *error = base_printf("%s: the block %s has headers (an encrypted key?); store the key unencrypted as "
                                 "PKCS#8 in a file that only its owner can read",
                                 name, quoted);
            return false;
        }
        body.size = (size_t)(text->data - body.data);
    }
    *error = base_printf("%s: the block %s has no end", name, quoted);
    return false;
}

bool tls_pem_parse(struct span text, const char *name, struct tls_pem *pem, char **error)
{
    *pem = (struct tls_pem){.blocks = NULL};
    while (text.size > 0) {
        struct span line = take_line(&text), label;
        struct tls_pem_block block = {.der = NULL};

        if (!line_label(line, begin_mark, &label))
            continue;
        if (pem->count == TLS_PEM_BLOCKS_MAX) {
            *error = base_printf("%s: more than %d PEM blocks", name, TLS_PEM_BLOCKS_MAX);
            goto failed;
        }
        if (!take_block(&text, label, name, &block, error))
            goto failed;
        pem->blocks = base_realloc_array(pem->blocks, pem->count + 1, sizeof(*pem->blocks));
        pem->blocks[pem->count++] = block;
    }
    if (pem->count > 0)
        return true;
    *error = base_printf("%s: no PEM block (\"-----BEGIN ...-----\") in it", name);

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
    enum { COLUMNS = 64 };
    SECItem item = {siBuffer, (unsigned char *)(uintptr_t)der.data, (unsigned int)der.size};
    char *base64, *text, *at;
    size_t len;

    assert(der.size > 0 && der.size <= TLS_PEM_FILE_MAX);
    /* NSS breaks its lines with CRLF and its own width: take the characters, break them ourselves. */
    base64 = NSSBase64_EncodeItem(NULL, NULL, 0, &item);
    if (base64 == NULL)
        base_abort("out of memory (encoding %zu bytes)", der.size);
    len = strlen(base64);
    text = base_alloc(2 * (strlen(label) + 20) + len + len / COLUMNS + 2);
    at = text + sprintf(text, "%s%s%s\n", begin_mark, label, dashes);
    for (size_t i = 0, column = 0; i < len; i++) {
        if (base64[i] == '\r' || base64[i] == '\n')
            continue;
        if (column == COLUMNS) {
            *at++ = '\n';
            column = 0;
        }
        *at++ = base64[i];
        column++;
    }
    sprintf(at, "\n%s%s%s\n", end_mark, label, dashes);
    base_wipe(base64, len);
    PORT_Free(base64);
    return text;
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
