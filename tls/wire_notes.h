/* tls/wire_notes.h: what must be remembered of the records of a handshake to take a connection of TLS 1.2 over from
 * NSS: the randoms of the two hellos, the two records with a Finished, and how many records were protected since.
 * Private to tls/. */
#ifndef YETT_TLS_WIRE_NOTES_H
#define YETT_TLS_WIRE_NOTES_H

#include "tls/record.h"

enum {
    TLS_WIRE_HELLO_SIZE = 4 + 2 + TLS_RECORD_RANDOM_SIZE, /* message header, version, random */
    /* A Finished of 16 bytes in a record of TLS 1.2. */
    TLS_WIRE_FINISHED_MAX = TLS_RECORD_HEADER_SIZE + TLS_RECORD_EXPLICIT_SIZE + 16 + TLS_RECORD_TAG_SIZE,
};

/* Of one direction. */
struct tls_wire_note {
    uint8_t header[TLS_RECORD_HEADER_SIZE];
    size_t header_size; /* bytes of it that have come */
    size_t body_left;
    uint8_t hello[TLS_WIRE_HELLO_SIZE]; /* the beginning of the first handshake message */
    size_t hello_size;
    bool sealed;                             /* a ChangeCipherSpec has passed */
    uint64_t records;                        /* since then */
    uint8_t finished[TLS_WIRE_FINISHED_MAX]; /* the first of them; more than fits is no Finished */
    size_t finished_size;
};

struct tls_wire_notes {
    struct tls_wire_note read, written;
};

/* Bytes that pass, whatever pieces they come in. */
void tls_wire_note_see(struct tls_wire_note *note, struct span bytes);

#endif
