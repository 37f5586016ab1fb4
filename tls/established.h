/* tls/established.h: an established connection of TLS 1.3 without NSS's socket. Private to tls/.
 *
 * NSS keeps some 70 KiB for each connection, most of it buffers that an idle one has no use for. So when a connection
 * has been quiet for a while (tls_engine_trim()), its two traffic secrets, which NSS shows in a callback, are made into
 * directions of tls/record.h, the socket is closed without a word to the peer, and from then on the engine protects its
 * records itself. Nobody outside tls/ can tell.
 *
 * What is then ours to do: data, close_notify and other alerts, KeyUpdate in both directions (RFC 8446 section 4.6.3).
 * A server's further session tickets are passed over. Nothing else may come: post-handshake authentication is never
 * offered (tls/context.c), and TLS 1.3 has no renegotiation. TLS 1.2 stays with NSS, which shows no secrets of it.
 *
 * A peer may have asked for smaller records than others (record_size_limit, RFC 8449), and NSS does not tell how small.
 * So NSS is given data to write at the end, and the records it makes of that, which go nowhere, are measured.
 *
 * A connection that has used other than its first secrets stays with NSS, and so does one where NSS was ever told to
 * wait with a write: only for the others it is certain which sequence numbers come next. One thing NSS does not show:
 * whether it holds half a handshake message. A peer that cuts one in two, and is quiet in between for as long as makes a
 * connection idle, loses the connection (unexpected_message). */
#ifndef YETT_TLS_ESTABLISHED_H
#define YETT_TLS_ESTABLISHED_H

#include "tls/engine_internal.h"
#include "tls/record.h"

enum { TLS_MESSAGE_HEADER_SIZE = 4 /* of a handshake message: its type and 24 bits of length */ };

struct tls_established {
    struct tls_record_direction read, write;
    size_t plaintext_max; /* of a record that the peer takes (RFC 8449) */

    /* The handshake message that is coming in: all of a KeyUpdate, of a ticket no more than its header. */
    uint8_t message[TLS_MESSAGE_HEADER_SIZE + 1];
    size_t message_held;
    size_t ticket_left; /* bytes of a ticket still to be passed over */

    bool update_owed; /* the peer has asked for a KeyUpdate of ours */
};

/* Leave NSS's socket behind, where that is possible now; otherwise nothing changes. */
void tls_established_begin(struct tls_engine *e);

/* What is known of a connection whose handshake is done. The secrets stay the caller's. */
struct tls_established_start {
    unsigned cipher_suite;
    PK11SymKey *read_secret, *write_secret;
    uint64_t read_records, written_records; /* that were protected with them: the next sequence numbers */
};
/* Protect the records of `e` from here on. False: NSS could not, or the suite is not known; nothing has changed. */
MUST_CHECK bool tls_established_start(struct tls_engine *e, const struct tls_established_start *start);
void tls_established_end(struct tls_engine *e);

size_t tls_established_memory(const struct tls_engine *e);

#endif
