/* tls/master_secret.h: the keys of a connection of TLS 1.2, which NSS does not show. Private to tls/.
 *
 * SSL_SecretCallback() is for TLS 1.3 only, the exporter's seed ends in the server's random where that of the key
 * expansion ends in the client's, and Debian's NSS is built without a key log. But the master secret is a session
 * object of a PKCS #11 token while NSS has the connection: of NSS's software token, or of the accelerator
 * (tokens/accelerator/), if there is one. Public functions of pk11pub.h read such objects of this process
 * (PK11_SymKeyFromHandle(), PK11_ExtractKeyValue()). Both give out handles one after the other, so that it is among the
 * last few before one that is made right after the handshake. Which one it is need not be believed: the right one opens
 * both records with a Finished. Where it is not found (another token made it, FIPS mode, another way of counting
 * handles) nothing is lost: the connection stays with NSS's socket. */
#ifndef YETT_TLS_MASTER_SECRET_H
#define YETT_TLS_MASTER_SECRET_H

#include "tls/wire_notes.h"

/* Handles that come after those of a handshake that is done just now, of each token that may have its master secret; 0:
 * this one has it not, or there is none. */
struct tls_master_marks {
    CK_OBJECT_HANDLE own, accelerator;
};
struct tls_master_marks tls_master_secret_mark(void);

/* The directions of the connection as they stand: `notes` are of all its records, `marks` from the end of its
 * handshake.
 * False: they were not found. */
MUST_CHECK bool tls_master_secret_find(const struct tls_wire_notes *notes, const struct tls_record_suite *suite,
                                       bool is_server, const struct tls_master_marks *marks,
                                       struct tls_record_direction *read, struct tls_record_direction *write);

#endif
