/* see tls/wire_notes.h */
#include "tls/wire_notes.h"

#include <string.h>

static void keep(uint8_t *out, size_t *held, size_t most, struct span bytes)
{
    size_t part = most - *held < bytes.size ? most - *held : bytes.size;

    if (part != 0)
        memcpy(out + *held, bytes.data, part);
    *held += part;
}

/* A part of the record whose header came last: of the header itself, or of its body. */
static void see_part(struct tls_wire_note *n, struct span part, bool is_body)
{
    if (n->sealed && n->records == 1)
        keep(n->finished, &n->finished_size, sizeof(n->finished), part);
    else if (!n->sealed && is_body && n->header[0] == TLS_CONTENT_HANDSHAKE)
        keep(n->hello, &n->hello_size, sizeof(n->hello), part);
}

static void see_header(struct tls_wire_note *n)
{
    n->body_left = tls_record_body_size(n->header);
    n->records += n->sealed;
    see_part(n, span_of(n->header, sizeof(n->header)), false);
    /* From the next record on, which is number 0 (RFC 5246 section 6.1), everything is protected anew. */
    if (n->header[0] == TLS_CONTENT_CHANGE_CIPHER_SPEC) {
        n->sealed = true;
        n->records = 0;
        n->finished_size = 0;
    }
}

void tls_wire_note_see(struct tls_wire_note *n, struct span bytes)
{
    while (bytes.size != 0) {
        size_t part = bytes.size;

        if (n->body_left != 0) {
            part = part < n->body_left ? part : n->body_left;
            n->body_left -= part;
            see_part(n, span_of(bytes.data, part), true);
        } else {
            part = part < sizeof(n->header) - n->header_size ? part : sizeof(n->header) - n->header_size;
            memcpy(n->header + n->header_size, bytes.data, part);
            n->header_size += part;
            if (n->header_size == sizeof(n->header)) {
                n->header_size = 0;
                see_header(n);
            }
        }
        bytes = span_skip(bytes, part);
    }
}
