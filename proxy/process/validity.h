/* proxy/process/validity.h: warnings of what is named in the configuration and does not count today: a certificate of
 * our own before or after its time or without its issuer's, an authority after its time, a revocation list or a staple
 * whose next one is due.
 *
 * None of it is a mistake: yett starts and goes on with it, so that a service is not lost for what may come right by
 * itself, or is renewed by a reload. But peers refuse such a certificate, and yett such a list, and whoever looks the
 * configuration over should hear of it before they do. Main thread, at the start and at a reload. */
#ifndef YETT_PROXY_PROCESS_VALIDITY_H
#define YETT_PROXY_PROCESS_VALIDITY_H

#include "config/config.h"
#include "pkix/crl.h"
#include "tls/identity.h"

/* `now`: seconds since 1970; `soon`: seconds before its end in which a certificate is warned of. */
void validity_warn_identity(const struct config_identity *named, const struct tls_identity *identity, int64_t now,
                            int64_t soon, struct config_findings *findings);

/* A certificate that says where its issuer's can be fetched (as those of public authorities do), and goes out alone:
 * only browsers fetch it. */
void validity_warn_chain(const struct config_identity *named, const struct tls_identity *identity,
                         struct config_findings *findings);

/* An authority that is trusted, in DER. */
void validity_warn_authority(struct span authority, struct config_place place, int64_t now,
                             struct config_findings *findings);

/* ocsp_staple: `file` is its contents. */
void validity_warn_staple(struct span file, const char *path, struct config_place place, int64_t now,
                          struct config_findings *findings);

/* Of the lists of `set` from `first` on: those that one setting has named. */
void validity_warn_crls(const struct pkix_crl_set *set, size_t first, struct config_place place, int64_t now,
                        struct config_findings *findings);

#endif
