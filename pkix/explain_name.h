/* pkix/explain_name.h: whom a sentence is about, in few words.
 *
 * Peers choose their names: what is made of one is bounded, and clean (pkix_dn_text() escapes it). */
#ifndef YETT_PKIX_EXPLAIN_NAME_H
#define YETT_PKIX_EXPLAIN_NAME_H

#include "pkix/search_notes.h"

enum { PKIX_EXPLAIN_NAME_MAX = 80 /* bytes of a subject in a sentence; a longer one is cut */ };

/* A name as text, cut between characters when it is long: peers choose their names, and other things must be said, too.
 * Owned by the caller. */
char *pkix_explain_name(struct span name);

/* The same of a certificate; where another one of that name was tried, with what tells the two apart. */
char *pkix_explain_cert(const struct pkix_notes *notes, const struct pkix_cert *cert);

/* The bytes in hexadecimal. Owned by the caller. */
char *pkix_explain_hex(struct span bytes);

#endif
