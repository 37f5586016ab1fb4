/* see tls/client_hello.h */
#include "tls/client_hello.h"
#include "tls/record.h"
#include "tls/vector.h"

#include <stdlib.h>
#include <string.h>

enum {
    HANDSHAKE_CLIENT_HELLO = 1,
    MESSAGE_HEADER_SIZE = 4, /* type, and 24 bits of length */
    VERSION_AND_RANDOM_SIZE = 2 + 32,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_SUPPORTED_GROUPS = 10,
    EXTENSION_SIGNATURE_ALGORITHMS = 13,
    EXTENSION_PSK_KEY_EXCHANGE_MODES = 45,
    MODE_PSK_DHE_KE = 1,
    NAME_TYPE_HOST_NAME = 0,
};

/* What is in the handshake records, one after the other: to `out`, which has room for all of them. */
static struct span join_records(struct span records, uint8_t *out)
{
    size_t size = 0;

    while (records.size >= TLS_RECORD_HEADER_SIZE && records.data[0] == TLS_CONTENT_HANDSHAKE) {
        size_t body_size = tls_record_body_size(records.data);

        records = span_skip(records, TLS_RECORD_HEADER_SIZE);
        if (body_size > records.size)
            break;
        memcpy(out + size, records.data, body_size);
        size += body_size;
        records = span_skip(records, body_size);
    }
    return span_of(out, size);
}

/* The two parts that are looked at; `extensions` is empty where a hello has none. */
struct parts {
    struct span cipher_suites, extensions;
};

static bool take_parts(struct span message, struct parts *parts)
{
    struct span hello, skipped;

    if (message.size < MESSAGE_HEADER_SIZE || message.data[0] != HANDSHAKE_CLIENT_HELLO)
        return false;
    message = span_skip(message, 1);
    if (!tls_vector_take(&message, MESSAGE_HEADER_SIZE - 1, &hello) || hello.size < VERSION_AND_RANDOM_SIZE)
        return false;
    hello = span_skip(hello, VERSION_AND_RANDOM_SIZE);
    if (!tls_vector_take(&hello, 1, &skipped) /* legacy_session_id */ ||
        !tls_vector_take(&hello, 2, &parts->cipher_suites) ||
        !tls_vector_take(&hello, 1, &skipped) /* legacy_compression_methods */)
        return false;
    if (!tls_vector_take(&hello, 2, &parts->extensions))
        parts->extensions = span_of(NULL, 0);
    return true;
}

static bool find_extension(struct span message, unsigned wanted, struct span *found)
{
    struct parts parts;
    struct span extensions;

    if (!take_parts(message, &parts))
        return false;
    extensions = parts.extensions;
    while (extensions.size >= 2) {
        unsigned type = (unsigned)extensions.data[0] << 8 | extensions.data[1];

        extensions = span_skip(extensions, 2);
        if (!tls_vector_take(&extensions, 2, found))
            return false;
        if (type == wanted)
            return true;
    }
    return false;
}

bool tls_client_hello_list(struct span records, enum tls_hello_list which, uint8_t *space, struct span *list)
{
    struct span message = join_records(records, space), extension;
    struct parts parts;

    switch (which) {
    case TLS_HELLO_CIPHER_SUITES:
        if (!take_parts(message, &parts))
            return false;
        *list = parts.cipher_suites;
        return true;
    case TLS_HELLO_GROUPS:
        return find_extension(message, EXTENSION_SUPPORTED_GROUPS, &extension) && tls_vector_take(&extension, 2, list);
    }
    return false;
}

bool tls_client_hello_offers(struct span records, const uint16_t *schemes, size_t scheme_count)
{
    uint8_t *joined = base_alloc(records.size + 1);
    struct span extension, list;
    bool offers = false;

    if (find_extension(join_records(records, joined), EXTENSION_SIGNATURE_ALGORITHMS, &extension) &&
        tls_vector_take(&extension, 2, &list))
        for (; list.size >= 2 && !offers; list = span_skip(list, 2))
            for (size_t i = 0; i < scheme_count; i++)
                offers = offers || ((unsigned)list.data[0] << 8 | list.data[1]) == schemes[i];
    free(joined);
    return offers;
}

bool tls_client_hello_takes_tickets(struct span records)
{
    uint8_t *joined = base_alloc(records.size + 1);
    struct span extension, modes;
    bool takes = find_extension(join_records(records, joined), EXTENSION_PSK_KEY_EXCHANGE_MODES, &extension) &&
                 tls_vector_take(&extension, 1, &modes) && modes.size != 0 &&
                 memchr(modes.data, MODE_PSK_DHE_KE, modes.size) != NULL;

    free(joined);
    return takes;
}

/* Names of other types may come first; there are none yet. */
static bool find_host_name(struct span list, struct span *name)
{
    while (list.size != 0) {
        uint8_t type = list.data[0];

        list = span_skip(list, 1);
        if (!tls_vector_take(&list, 2, name))
            return false;
        if (type == NAME_TYPE_HOST_NAME)
            return true;
    }
    return false;
}

bool tls_client_hello_server_name(struct span records, uint8_t *name, size_t room, size_t *size)
{
    uint8_t *joined = base_alloc(records.size + 1);
    struct span extension, list, found;
    bool has = find_extension(join_records(records, joined), EXTENSION_SERVER_NAME, &extension) &&
               tls_vector_take(&extension, 2, &list) && find_host_name(list, &found) && found.size != 0 &&
               found.size <= room;

    *size = has ? found.size : 0;
    if (has)
        memcpy(name, found.data, found.size);
    free(joined);
    return has;
}
