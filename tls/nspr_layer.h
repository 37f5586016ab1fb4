/* tls/nspr_layer.h: what NSS thinks is a socket: two buffers. Private to tls/.
 *
 * An NSPR I/O layer with a full method table over a *transport*. Reading gives what is in the transport's `in`, then
 * PR_WOULD_BLOCK_ERROR, or end of file when `ended`; writing appends to `out` up to its ceiling, then
 * PR_WOULD_BLOCK_ERROR. It is always non-blocking. What NSS has no need of fails with PR_NOT_IMPLEMENTED_ERROR. */
#ifndef YETT_TLS_NSPR_LAYER_H
#define YETT_TLS_NSPR_LAYER_H

#include "base/buffer.h"
#include "tls/alert.h"
#include "tls/wire_notes.h"

#include <prio.h>

struct tls_transport {
    struct buffer in;   /* records from the peer that NSS has not read yet */
    struct buffer out;  /* records for the peer */
    struct buffer kept; /* a copy of what NSS has read, while `keeping` */
    bool keeping;
    bool gated; /* NSS may read `readable` bytes of `in`, and no more */
    size_t readable;
    bool ended;  /* the transport's end was read */
    bool silent; /* what NSS writes goes nowhere: the connection is not its any more */
    struct tls_record_reader silenced;
    size_t silenced_body_max; /* of the records that went nowhere */

    /* What has passed through the layer. */
    struct tls_record_reader read, written;
    uint64_t read_records, written_records;
    uint8_t last[TLS_ALERT_RECORD_SIZE]; /* what NSS has read last: the whole record, where that was an alert */
    size_t last_size;
    struct tls_wire_notes *notes; /* NULL: nobody needs them */
    bool write_refused;           /* there was once not enough room in `out`: NSS may hold a record back */
    PRIPv6Addr peer_address;      /* what PR_GetPeerName() says: the key that NSS puts sessions under */
};

/* A file descriptor over `transport`, which is borrowed until PR_Close(). NULL: one for a model socket, which carries
 * nothing. Memory or a stop of the process. */
PRFileDesc *tls_nspr_layer_create(struct tls_transport *transport);

/* These bytes of the peer are read, in whatever pieces: by NSS, or by who reads records in its place. */
void tls_transport_note_last(struct tls_transport *t, struct span bytes);

/* The transport under any descriptor that is stacked on such a layer. */
struct tls_transport *tls_nspr_layer_transport(PRFileDesc *fd);

#endif
