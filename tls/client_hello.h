/* tls/client_hello.h: what a ClientHello says that NSS reads and does not tell (RFC 8446 section 4.1.2). Private to
 * tls/.
 *
 * The hello was taken by NSS before: what is not understood here is not there, and no error. */
#ifndef YETT_TLS_CLIENT_HELLO_H
#define YETT_TLS_CLIENT_HELLO_H

#include "base/span.h"

/* A list of the client's: cipher suites (section 4.1.2), or supported_groups (section 4.2.7); two bytes each, most
 * wanted first. `list` points into `space`, which MUST have room for as many bytes as there are records. False when it
 * is not there. */
enum tls_hello_list { TLS_HELLO_CIPHER_SUITES, TLS_HELLO_GROUPS };
MUST_CHECK bool tls_client_hello_list(struct span records, enum tls_hello_list which, uint8_t *space,
                                      struct span *list);

/* Whether one of these is among the client's signature_algorithms (section 4.2.3). `records`: from the first byte of
 * the connection on, not protected; the hello may be in several of them. False too when it is not whole. */
MUST_CHECK bool tls_client_hello_offers(struct span records, const uint16_t *schemes, size_t scheme_count);

/* Whether the client can resume by a ticket: its psk_key_exchange_modes has psk_dhe_ke, the only mode that NSS has
 * (section 4.2.9). */
MUST_CHECK bool tls_client_hello_takes_tickets(struct span records);

/* The host name it asks for (RFC 6066 section 3), as it is, to `name`. False: none, or longer than `room`. */
MUST_CHECK bool tls_client_hello_server_name(struct span records, uint8_t *name, size_t room, size_t *size);

#endif
