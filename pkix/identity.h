/* pkix/identity.h: who a verified certificate says its holder is, for access rules and logs.
 *
 * Names come from typed subject alternative names and from single subject attributes; a value with a NUL, a control
 * byte or of the wrong string type is left out and counted in `refused`, never truncated (CVE-2009-2408 class).
 * Call only for certificates that pkix_verify() accepted. */
#ifndef YETT_PKIX_IDENTITY_H
#define YETT_PKIX_IDENTITY_H

#include "base/span.h"

/* UPN: Microsoft's user principal name, an otherName, as Active Directory names people. SERIAL_NUMBER: the subject's
 * attribute (X.520), as eID cards do; not the certificate's own number. */
enum pkix_id_type {
    PKIX_ID_DNS,
    PKIX_ID_EMAIL,
    PKIX_ID_URI,
    PKIX_ID_IP,
    PKIX_ID_UPN,
    PKIX_ID_CN,
    PKIX_ID_O,
    PKIX_ID_OU,
    PKIX_ID_SERIAL_NUMBER,
    PKIX_ID_TYPE_COUNT
};

struct pkix_id {
    enum pkix_id_type type;
    char *value; /* UTF-8, NUL-terminated; IP in text form */
};

struct pkix_identity {
    struct pkix_id *ids;
    size_t count;    /* at most PKIX_IDS_MAX */
    size_t refused;  /* names left out because of their contents */
    char *subject;   /* RFC 4514 text, control bytes escaped */
    char sha256[65]; /* of the certificate, lower-case hex */
    char spki_sha256[65];
};

enum { PKIX_IDS_MAX = 64 };

/* Returns false when `der` is not a certificate. Fill is all or nothing; clear with pkix_identity_clear(). */
MUST_CHECK bool pkix_identity_read(struct span der, struct pkix_identity *identity);
/* How an access rule (allow) names that kind, such as "san_dns:" or "dn:OU="; NULL: there is no rule for it. */
const char *pkix_id_rule(enum pkix_id_type type);
void pkix_identity_clear(struct pkix_identity *identity);

#endif
