/* pkix/verdict.h: the end of a verification, and its explanation.
 *
 * A verdict owns all it says; nothing of the request or the store is kept. What it is asked gives lives with it. */
#ifndef YETT_PKIX_VERDICT_H
#define YETT_PKIX_VERDICT_H

#include "base/span.h"
#include "pkix/error.h"
#include "pkix/sources.h"

struct pkix_verdict;

void pkix_verdict_destroy(struct pkix_verdict **verdict);
enum pkix_error pkix_verdict_error(const struct pkix_verdict *v);

/* One sentence an administrator can act on: which certificate, which check, which value. Lives with the verdict. */
const char *pkix_verdict_detail(const struct pkix_verdict *v);

/* For a log: the stopped path that explains the error best, as "CN=leaf <- CN=issuer [expired_issuer]"; "" where there
 * is none. Bounded, whatever the peer's names are. Lives with the verdict. */
const char *pkix_verdict_stopped_path(const struct pkix_verdict *v);

/* The path found, leaf first, anchor last; 0 when there is none. DER, living with the verdict. */
size_t pkix_verdict_path_length(const struct pkix_verdict *v);
struct span pkix_verdict_path_cert(const struct pkix_verdict *v, size_t index);

/* The paths tried that stopped, in the order they were tried (the first few): the subjects, leaf first, as RFC 4514
 * text; why, and at which of them. Text lives with the verdict. */
size_t pkix_verdict_tried_count(const struct pkix_verdict *v);
size_t pkix_verdict_tried_length(const struct pkix_verdict *v, size_t tried);
const char *pkix_verdict_tried_subject(const struct pkix_verdict *v, size_t tried, size_t index);
/* The same, cut when it is long, and where two certificates of one name were tried with what tells them apart: the
 * serial number or the beginning of the SHA-256. */
const char *pkix_verdict_tried_name(const struct pkix_verdict *v, size_t tried, size_t index);
enum pkix_error pkix_verdict_tried_error(const struct pkix_verdict *v, size_t tried);
size_t pkix_verdict_tried_at(const struct pkix_verdict *v, size_t tried); /* index of the certificate to blame */
const char *pkix_verdict_tried_detail(const struct pkix_verdict *v, size_t tried);

enum pkix_revocation_status pkix_verdict_revocation(const struct pkix_verdict *v);

/* What the administrator ought to know though the verdict does not depend on it, a sentence each: a CRL that is about a
 * certificate of the path and cannot be used. At most a few. Text lives with the verdict. */
size_t pkix_verdict_warning_count(const struct pkix_verdict *v);
const char *pkix_verdict_warning(const struct pkix_verdict *v, size_t index);

/* The certificate policies that hold for the path found, of those asked for, in dotted decimal; "2.5.29.32.0",
 * anyPolicy, stands for all. None when there is no path. Text lives with the verdict. */
size_t pkix_verdict_policy_count(const struct pkix_verdict *v);
const char *pkix_verdict_policy(const struct pkix_verdict *v, size_t index);

/* The policy by which the path found is one of extended validation, in dotted decimal; NULL when it is not: the leaf
 * lists the policy, it holds for the path, and a pair of the request's ev_roots has it with the path's root. Only the
 * path found is looked at unless extended validation is required. Lives with the verdict. */
const char *pkix_verdict_ev_policy(const struct pkix_verdict *v);

unsigned pkix_verdict_signature_checks(const struct pkix_verdict *v);

#endif
