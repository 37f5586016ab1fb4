/* tls/client_identity.h: which certificate a client shows, and why. Private to tls/.
 *
 * The first identity, in the order of the configuration, that is valid now, that the server can verify by its kind of
 * signature, and whose chain was issued by an authority on the server's list (RFC 5246 section 7.4.4, RFC 8446 section
 * 4.2.4). The list is advice: names are compared by RFC 5280 section 7.1, and when nothing fits, the only identity goes
 * all the same, unless the context says not. Compared are the issuers in the identity's own chain, as it was
 * configured, and that chain is what is sent (tls/identity_linked.h): nothing that other peers have shown to this
 * process has a part in it. */
#ifndef YETT_TLS_CLIENT_IDENTITY_H
#define YETT_TLS_CLIENT_IDENTITY_H

#include "tls/context_internal.h"

/* Make an identity one that can be shown to servers. Once is enough; not while an engine of a client uses it. */
MUST_CHECK bool tls_client_identity_prepare(struct tls_identity *identity, char **error);

void tls_client_identity_install(PRFileDesc *model);

#endif
