/* pkix/certdata.h: Mozilla's certdata.txt, from which NSS's libnssckbi is made, as a list of roots for servers.
 *
 * The format: objects, each of which begins with a line CKA_CLASS and has one attribute a line, NAME TYPE VALUE;
 * MULTILINE_OCTAL is followed by lines of \ooo and a line END. Read of it are certificates (CKO_CERTIFICATE: the
 * certificate, the end of trust for servers) and what is thought of them (CKO_NSS_TRUST, or CKO_TRUST of newer files),
 * told apart by issuer and serial number. A certificate that is not trusted for servers is left out; one that is
 * distrusted becomes a rule. Attributes of other names, and objects of other classes, are passed over: new ones come
 * with every release. Anything that is not of this form is a mistake. Pure; memory is bounded by the text. */
#ifndef YETT_PKIX_CERTDATA_H
#define YETT_PKIX_CERTDATA_H

#include "pkix/roots_file.h"

/* Whether the text looks like one, so that a PEM bundle can be told from it. */
bool pkix_certdata_is(struct span text);

/* NULL with a sentence naming the line in *error (the caller's). The date is left 0. */
struct pkix_roots *pkix_certdata_read(struct span text, const char *name, char **error);

#endif
