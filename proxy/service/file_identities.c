/* see proxy/service/file_identities.h
 *
 * One after the other: number of certificates, then path, URI and each certificate, each after its size. Numbers have 4
 * bytes, big-endian; both texts have their NUL. */
#include "proxy/service/file_identities.h"

#include "base/file.h"

#include <stdlib.h>

struct file_identities {
    uint8_t *bytes;
    struct file_identity *items;
    size_t count;
};

static bool write_number(int fd, size_t number)
{
    const uint8_t bytes[] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};

    return base_fd_write(fd, span_of(bytes, sizeof(bytes)));
}

static bool write_part(int fd, struct span part)
{
    return write_number(fd, part.size) && base_fd_write(fd, part);
}

/* see proxy/service/file_identities.h */
bool file_identity_write(int fd, const struct file_identity *identity)
{
    bool good = write_number(fd, identity->cert_count) &&
                write_part(fd, span_of(identity->path, strlen(identity->path) + 1)) &&
                write_part(fd, span_of(identity->uri, strlen(identity->uri) + 1));

    for (size_t i = 0; i < identity->cert_count && good; i++)
        good = write_part(fd, identity->certs[i]);
    return good;
}

static bool take_number(struct span *rest, size_t *number)
{
    const uint8_t *at = rest->data;

    if (rest->size < 4)
        return false;
    *number = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
    *rest = span_skip(*rest, 4);
    return true;
}

static bool take_part(struct span *rest, struct span *part)
{
    size_t size;

    if (!take_number(rest, &size) || rest->size < size)
        return false;
    *part = span_of(rest->data, size);
    *rest = span_skip(*rest, size);
    return true;
}

static bool take_text(struct span *rest, const char **text)
{
    struct span part;

    if (!take_part(rest, &part) || part.size == 0 || memchr(part.data, '\0', part.size) != part.data + part.size - 1)
        return false;
    *text = (const char *)part.data;
    return true;
}

static bool take_identity(struct file_identities *list, struct span *rest)
{
    struct file_identity identity = {.path = NULL};
    struct span *certs;
    size_t count;
    bool good = take_number(rest, &count) && count > 0 && count <= rest->size / 4 && take_text(rest, &identity.path) &&
                take_text(rest, &identity.uri);

    if (!good)
        return false;
    certs = base_alloc(count * sizeof(*certs));
    for (size_t i = 0; i < count && good; i++)
        good = take_part(rest, &certs[i]);
    identity.certs = certs;
    identity.cert_count = count;
    list->items = base_realloc_array(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = identity;
    return good;
}

/* see proxy/service/file_identities.h */
struct file_identities *file_identities_read(int fd)
{
    struct file_identities *list = base_alloc(sizeof(*list));
    char *error = NULL;
    size_t size = 0;
    struct span rest;
    bool good = base_file_read_fd(fd, "identities", BASE_FILE_ANY, FILE_IDENTITIES_BYTES_MAX, &list->bytes, &size, NULL,
                                  &error);

    free(error);
    rest = span_of(list->bytes, size);
    while (good && rest.size != 0)
        good = take_identity(list, &rest);
    if (!good)
        file_identities_destroy(&list);
    return list;
}

/* see proxy/service/file_identities.h */
void file_identities_destroy(struct file_identities **identities)
{
    struct file_identities *list = *identities;

    if (list == NULL)
        return;
    *identities = NULL;
    for (size_t i = 0; i < list->count; i++)
        free((struct span *)(uintptr_t)list->items[i].certs);
    free(list->items);
    free(list->bytes);
    free(list);
}

/* see proxy/service/file_identities.h */
size_t file_identities_count(const struct file_identities *identities)
{
    return identities == NULL ? 0 : identities->count;
}

/* see proxy/service/file_identities.h */
const struct file_identity *file_identities_at(const struct file_identities *identities, size_t index)
{
    assert(index < identities->count);
    return &identities->items[index];
}

/* see proxy/service/file_identities.h */
const struct file_identity *file_identities_find(const struct file_identities *identities, const char *path)
{
    for (size_t i = 0; i < file_identities_count(identities); i++)
        if (strcmp(identities->items[i].path, path) == 0)
            return &identities->items[i];
    return NULL;
}
