/* tls/manage/issue_internal.h: the parts of issuing that know the encoding of certificates. Private to tls/. */
#ifndef YETT_TLS_MANAGE_ISSUE_INTERNAL_H
#define YETT_TLS_MANAGE_ISSUE_INTERNAL_H

#include "base/base.h"

#include <cert.h>

/* A name from "dns:HOST", "ip:ADDRESS", "email:ADDRESS" or "uri:URI", in `arena`, not linked to others. NULL with a
 * sentence when it is none. */
CERTGeneralName *tls_issue_name(PLArenaPool *arena, const char *text, char **error);

/* Add what a certificate for `use` (of enum tls_issue_use) must have: basic constraints, key usage, extended key usage,
 * key identifiers, and `sans` (circular list, NULL: none). issuer NULL: self-signed. False with NSS's error set. */
MUST_CHECK bool tls_issue_add_extensions(CERTCertificate *cert, unsigned use, CERTGeneralName *sans,
                                         CERTCertificate *issuer);

#endif
