/* tls/established.h: an established connection without NSS's socket. Private to tls/.
 *
 * NSS keeps some 70 KiB for each connection, most of it buffers that an idle one has no use for; and with them the
 * peer's certificates, in memory that all peers share (peer_certs.h). So its keys are made into directions of
 * tls/record.h, the socket is closed without a word to the peer, and from then on the engine protects its records
 * itself: as soon as the handshake is done, where the peer has shown certificates, and otherwise when the connection
 * has been quiet for a while (tls_engine_trim()), since taking over costs a little. Nobody outside tls/ can tell.
 *
 * The keys: NSS shows the traffic secrets of TLS 1.3 in a callback. Of TLS 1.2 master_secret.h finds them.
 *
 * What is then ours to do: data, close_notify and other alerts, KeyUpdate in both directions (RFC 8446 section 4.6.3).
 * Nothing else may come: post-handshake authentication is never offered (tls/context.c), TLS 1.3 has no renegotiation,
 * and in TLS 1.2 it is refused (RFC 5246 section 7.2.2). A client that could use its identity in a renegotiation, since
 * the server has not asked for it before, stays with NSS.
 *
 * A server of TLS 1.3 sends its session ticket before it is taken over when idle. A client's NSS socket *lingers* on,
 * without writing any more, to be shown the records with tickets, up to the first other record, TLS_TICKETS_MAX of them
 * or the first idle moment; other handshakes may end it at any time (peer_certs.h). Other tickets are passed over.
 *
 * A peer may have asked for smaller records than others (record_size_limit, RFC 8449), and NSS does not tell how small.
 * So NSS is given data to write at the end, and the records it makes of that, which go nowhere, are measured.
 *
 * A connection where NSS was ever told to wait with a write stays with it: only for the others it is certain which
 * sequence numbers come next. One thing NSS does not show: whether it holds half a handshake message. A peer that cuts
 * one in two, and is quiet in between for as long as makes a connection idle, loses the connection
 * (unexpected_message). */
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
    size_t skip_left; /* bytes of a message still to be passed over: a ticket, or a hello of TLS 1.2 */

    bool update_owed;  /* the peer has asked for a KeyUpdate of ours */
    unsigned tickets;  /* given to NSS's socket, which lingers on for them */
    unsigned warnings; /* TLS 1.2: of the peer, since data last came */
};

/* Leave NSS's socket behind, where that is possible now; otherwise nothing changes. */
enum tls_begin {
    TLS_BEGIN_AT_ONCE, /* the handshake is done, and NSS has read nothing behind it */
    TLS_BEGIN_IDLE,    /* nothing has come or gone for a while */
};
void tls_established_begin(struct tls_engine *e, enum tls_begin when);

/* TLS 1.3: where a key was changed while NSS had the connection, take it over: then a peer that does so again and again
 * meets the same limits, name and alert. For after a read. */
void tls_established_follow_keys(struct tls_engine *e);
/* NSS holds an answer to a KeyUpdate back until it has something else to write: before that it is made to let go of it,
 * so that it is certain how many records were written with the new key. */
void tls_established_settle_write_key(struct tls_engine *e);

/* What is known of a connection whose handshake is done. The secrets stay the caller's. */
struct tls_established_start {
    unsigned cipher_suite; /* of TLS 1.3 */
    PK11SymKey *read_secret, *write_secret;
    uint64_t read_records, written_records; /* that were protected with them: the next sequence numbers */
};
/* Protect the records of `e` from here on. False: NSS could not, or the suite is not known; nothing has changed. */
MUST_CHECK bool tls_established_start(struct tls_engine *e, const struct tls_established_start *start);
/* As that, with directions that are made already, of either version. They are taken; wipe the copies. */
void tls_established_take(struct tls_engine *e, const struct tls_record_direction *read,
                          const struct tls_record_direction *write);
/* As that, with what NSS has shown of the handshake in TLS 1.3. */
MUST_CHECK bool tls_established_start_13(struct tls_engine *e);
void tls_established_end(struct tls_engine *e);

/* While NSS's socket lingers on: the next `record_size` bytes that have come are a record with a ticket, or with a part
 * of one. They are NSS's to read. */
void tls_established_show_ticket(struct tls_engine *e, size_t record_size);

size_t tls_established_memory(const struct tls_engine *e);

#endif
