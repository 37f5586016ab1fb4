/* tls/accelerator.h: a PKCS #11 module beside NSS's own token, which NSS asks first for the arithmetic of handshakes
 * (tokens/accelerator/accelerator.h). Private to tls/.
 *
 * What NSS computes with which slot is decided by lists, one for each family of mechanisms: the module's slot goes to
 * the head of those of elliptic curves and hashes. The secret of a key exchange is born there, and the key schedule,
 * the Finished messages and the ciphers follow it. Keys of files are put there too (tls_private_key_import()). */
#ifndef YETT_TLS_ACCELERATOR_H
#define YETT_TLS_ACCELERATOR_H

#include "base/base.h"

#include <pk11pub.h>

/* Load the module at `path` and put its slot first. NSS must be initialised. Does nothing in NSS's FIPS mode, in which
 * only NSS's own token may compute. On failure *error has a sentence that names the path. */
MUST_CHECK bool tls_accelerator_start(const char *path, char **error);

/* Undo it, before NSS is shut down. No key may be left in the slot. Does nothing when there is none. */
void tls_accelerator_stop(void);

/* The module's slot, borrowed; NULL when there is none. */
PK11SlotInfo *tls_accelerator_slot(void);

/* The path of the module that is loaded; NULL: none. */
const char *tls_accelerator_loaded(void);

#endif
