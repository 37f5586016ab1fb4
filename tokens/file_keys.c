/* see tokens/file_keys.h
 *
 * A record: size of the leaf, size of the key (4 bytes each, big-endian), id, leaf, key. */
#include "tokens/file_keys.h"

#include "base/file.h"

#include <stdio.h>

#define SCHEME "file-key:"
static_assert(sizeof(SCHEME) - 1 + 2 * TOKENS_FILE_KEY_ID_SIZE + 1 == TOKENS_FILE_KEY_URI_SIZE, "room for a URI");

enum { SIZES = 8 };

static void put_size(uint8_t out[4], size_t size)
{
    out[0] = (uint8_t)(size >> 24);
    out[1] = (uint8_t)(size >> 16);
    out[2] = (uint8_t)(size >> 8);
    out[3] = (uint8_t)size;
}

static size_t get_size(const uint8_t in[4])
{
    return (size_t)in[0] << 24 | (size_t)in[1] << 16 | (size_t)in[2] << 8 | in[3];
}

/* see tokens/file_keys.h */
bool tokens_file_key_write(int fd, const struct tokens_file_key *key)
{
    uint8_t sizes[SIZES];

    assert(key->id.size == TOKENS_FILE_KEY_ID_SIZE && key->leaf.size < TOKENS_FILE_KEYS_BYTES_MAX &&
           key->pkcs8.size < TOKENS_FILE_KEYS_BYTES_MAX);
    put_size(sizes, key->leaf.size);
    put_size(sizes + 4, key->pkcs8.size);
    return base_fd_write(fd, span_of(sizes, sizeof(sizes))) && base_fd_write(fd, key->id) &&
           base_fd_write(fd, key->leaf) && base_fd_write(fd, key->pkcs8);
}

static bool take(struct span *rest, size_t size, struct span *taken)
{
    if (rest->size < size)
        return false;
    *taken = span_of(rest->data, size);
    *rest = span_skip(*rest, size);
    return true;
}

/* see tokens/file_keys.h */
bool tokens_file_key_next(struct span *rest, struct tokens_file_key *key)
{
    struct span after = *rest, sizes;

    if (!take(&after, SIZES, &sizes) || !take(&after, TOKENS_FILE_KEY_ID_SIZE, &key->id) ||
        !take(&after, get_size(sizes.data), &key->leaf) || !take(&after, get_size(sizes.data + 4), &key->pkcs8))
        return false;
    *rest = after;
    return true;
}

/* see tokens/file_keys.h */
void tokens_file_key_uri(struct span id, char uri[TOKENS_FILE_KEY_URI_SIZE])
{
    assert(id.size == TOKENS_FILE_KEY_ID_SIZE);
    memcpy(uri, SCHEME, sizeof(SCHEME));
    for (size_t i = 0; i < id.size; i++)
        (void)snprintf(uri + sizeof(SCHEME) - 1 + 2 * i, 3, "%02x", id.data[i]);
}

/* see tokens/file_keys.h */
bool tokens_file_key_is(const char *uri)
{
    return strncmp(uri, SCHEME, sizeof(SCHEME) - 1) == 0;
}
