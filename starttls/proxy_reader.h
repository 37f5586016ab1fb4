/* starttls/proxy_reader.h: reading the PROXY protocol's header (proxy-protocol.txt, versions 1 and 2), which a balancer
 * in front of us says first: before our greeting, and before a ClientHello.
 *
 * It is given all that has come, again and again until the header is whole, and takes nothing: how long the header is
 * it says at the end, and what lies behind belongs to whoever comes next. A function of its arguments: nothing is kept
 * between calls, so it does not matter how the bytes were cut.
 * Nobody is taken at his word here: whether this peer may say who its client is, the caller decides first. The reader
 * never guesses ("MUST not try to guess", section 2): who is not asked for a header is not given to it. */
#ifndef YETT_STARTTLS_PROXY_READER_H
#define YETT_STARTTLS_PROXY_READER_H

#include "base/address.h"

enum {
    STARTTLS_PROXY_V1_BYTES_MAX = 107,           /* section 2.1, with CRLF */
    STARTTLS_PROXY_V2_BYTES_MAX = 16 + 4 * 1024, /* ours; its length has 16 bits */
    STARTTLS_PROXY_TLVS_TEXT_SIZE = 256,
};

/* Which versions are taken. */
enum starttls_proxy_accept { STARTTLS_PROXY_ACCEPT_V1, STARTTLS_PROXY_ACCEPT_V2, STARTTLS_PROXY_ACCEPT_ANY };

enum starttls_proxy_read {
    STARTTLS_PROXY_NEED_MORE,
    STARTTLS_PROXY_WHOLE,
    STARTTLS_PROXY_MISSING, /* what has come is the beginning of no header */
    STARTTLS_PROXY_BROKEN,  /* it is one, and not as it must be, or not of a version that is taken */
};

/* What a header says of who is behind the balancer. */
enum starttls_proxy_subject {
    STARTTLS_PROXY_CLIENT,  /* the client with these addresses */
    STARTTLS_PROXY_UNKNOWN, /* a client, of whom the balancer does not say an IP address: UNKNOWN, AF_UNSPEC, AF_UNIX */
    STARTTLS_PROXY_LOCAL,   /* nobody: the balancer itself, to see whether we are there */
};

struct starttls_proxy_said {
    enum starttls_proxy_subject subject;
    struct address source, destination; /* size 0 but with CLIENT */
    uint16_t source_port, destination_port;
    struct span tlvs; /* version 2: every one within its bounds; empty with LOCAL. Lies in the bytes that were read */
};

/* *size: of the whole header, bytes. *why: with MISSING and BROKEN, a static sentence about the header. */
MUST_CHECK enum starttls_proxy_read starttls_proxy_read(struct span bytes, enum starttls_proxy_accept accept,
                                                        struct starttls_proxy_said *said, size_t *size,
                                                        const char **why);

/* How many of the first bytes of a connection are the beginning of a header of either version; 6 or more (version 1),
 * or 12 (version 2), and it is one. For who has to say what came where no header was asked for. */
size_t starttls_proxy_likeness(struct span bytes);
bool starttls_proxy_is_header(struct span bytes);

/* For the log: "authority=mail.example.org unique_id=7f000001 0xea=0176..", as much as there is room for. Text is told
 * as it is only where it is clean UTF-8 without blanks, all else in hexadecimal digits; so it needs no quoting.
 * Returns `out`; "" for none. */
const char *starttls_proxy_tlvs_text(struct span tlvs, char out[static STARTTLS_PROXY_TLVS_TEXT_SIZE]);

#endif
