/* see tls/hello_name.h */
#include "tls/hello_name.h"
#include "base/slab.h"
#include "tls/client_hello.h"
#include "tls/limits.h"
#include "tls/record.h"

#include <ctype.h>
#include <stdlib.h>

/* A host name as RFC 6066 section 3 asks: ASCII letters, digits, hyphens, and the underscore that is out there, in
 * labels of 1 to 63 bytes, without a final dot. NSS leaves this to us. */
static bool is_host_name(struct span name)
{
    size_t label = 0;

    if (name.size == 0 || name.size > TLS_HOST_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];

        if (c == '.') {
            if (label == 0)
                return false;
            label = 0;
        } else if (!(c < 0x80 && isalnum(c)) && c != '-' && c != '_') {
            return false;
        } else if (++label > 63) {
            return false;
        }
    }
    return label != 0;
}

char *tls_server_name_copy(struct span name)
{
    char *copy;

    if (name.size > 1 && name.data[name.size - 1] == '.')
        name.size--;
    if (!is_host_name(name))
        return NULL;
    copy = slab_strndup((const char *)name.data, name.size);
    for (char *c = copy; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return copy;
}

/* Of the first handshake message: how much has come, and how much it is with its header; 0: not known yet. False: there
 * is something else. */
static bool measure(struct span records, size_t *have, size_t *whole)
{
    enum { MESSAGE_HEADER_SIZE = 4, CLIENT_HELLO = 1, MAJOR = 3 };
    uint8_t header[MESSAGE_HEADER_SIZE] = {0};

    for (*have = *whole = 0; records.size != 0;) {
        size_t size;

        if (records.data[0] != TLS_CONTENT_HANDSHAKE || (records.size > 1 && records.data[1] != MAJOR))
            return false;
        if (records.size < TLS_RECORD_HEADER_SIZE)
            break;
        size = tls_record_body_size(records.data);
        records = span_skip(records, TLS_RECORD_HEADER_SIZE);
        if (size > records.size)
            break; /* a record counts when it is whole, as for whoever reads the name */
        for (size_t i = 0; i < size && *have + i < sizeof(header); i++)
            header[*have + i] = records.data[i];
        *have += size;
        records = span_skip(records, size);
        if (*have >= sizeof(header))
            *whole = sizeof(header) + ((size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3]);
        if (*whole != 0 && *have >= *whole)
            break; /* what follows is not asked about */
    }
    return *have == 0 || header[0] == CLIENT_HELLO;
}

enum tls_hello_name tls_hello_name_read(struct span records, char **name)
{
    uint8_t said[TLS_HOST_NAME_MAX + 1]; /* with a dot; what is longer is no name */
    size_t have, whole, size;

    *name = NULL;
    if (!measure(records, &have, &whole))
        return TLS_HELLO_IS_NONE;
    if (whole == 0 || have < whole)
        return TLS_HELLO_NEEDS_MORE;
    if (tls_client_hello_server_name(records, said, sizeof(said), &size))
        *name = tls_server_name_copy(span_of(said, size));
    return *name != NULL ? TLS_HELLO_HAS_NAME : TLS_HELLO_HAS_NO_NAME;
}
