/* pkix/check.h: what can be said about one certificate without knowing its issuer.
 *
 * Pure functions. The order of checks decides which error is told when there are several (pkix/error.h). */
#ifndef YETT_PKIX_CHECK_H
#define YETT_PKIX_CHECK_H

#include "pkix/cert.h"
#include "pkix/request.h"

/* A certificate's place on the path. */
enum pkix_role { PKIX_ROLE_LEAF, PKIX_ROLE_ISSUER };

/* Anchors come from the configuration, the rest from the peer or from anybody. */
enum pkix_trust { PKIX_TRUST_INHERITED, PKIX_TRUST_ANCHOR, PKIX_TRUST_DISTRUSTED };

/* What a leaf is used for here: a TLS peer, or the signer of an OCSP response or of a CRL. */
enum pkix_usage { PKIX_USAGE_SERVER, PKIX_USAGE_CLIENT, PKIX_USAGE_OCSP_SIGNER, PKIX_USAGE_CRL_SIGNER };

/* Whether anyExtendedKeyUsage stands for the usage asked for. */
enum pkix_any_usage { PKIX_ANY_USAGE_REFUSED, PKIX_ANY_USAGE_ACCEPTED };

struct pkix_check {
    enum pkix_role role;
    enum pkix_trust trust;
    enum pkix_usage usage;
    enum pkix_any_usage any_usage;
    enum pkix_client_usage client_usage; /* PKIX_USAGE_CLIENT */
    unsigned intermediates_below;        /* between this certificate and the leaf; for issuers */
    int64_t time;                        /* seconds since 1970 */
    const char **what; /* NULL, or where it goes which rule was broken, when the error does not tell; static */
};

/* All of the below, in order: distrust, dates' encoding, signature algorithm, key, issuer name, key usage,
 * basic constraints, extended key usage, access information, critical CRL distribution points, dates. */
MUST_CHECK enum pkix_error pkix_check_certificate(const struct pkix_cert *cert, const struct pkix_check *check);

enum pkix_key_usage_bit {
    PKIX_KU_DIGITAL_SIGNATURE = 0,
    PKIX_KU_KEY_ENCIPHERMENT = 2,
    PKIX_KU_KEY_AGREEMENT = 4,
    PKIX_KU_KEY_CERT_SIGN = 5,
    PKIX_KU_CRL_SIGN = 6,
};

/* Whether the usage is allowed: the extension is absent, or well formed with that bit. */
MUST_CHECK enum pkix_error pkix_check_key_usage(const struct pkix_cert *cert, enum pkix_key_usage_bit wanted);

/* Read basic constraints; *path_length is -1 when there is none. PKIX_BAD_EXTENSION. */
MUST_CHECK enum pkix_error pkix_read_basic_constraints(struct span value, bool *is_ca, int *path_length);

/* Whether the certificate says of itself that it is an authority's, whatever it is used for. */
bool pkix_says_it_is_authority(const struct pkix_cert *cert);

/* RFC 7633: an issuer's TLS features bind its subjects. */
MUST_CHECK enum pkix_error pkix_check_tls_feature_of_issuer(const struct pkix_cert *child,
                                                            const struct pkix_cert *issuer);

/* Whether the leaf asks for a stapled response. PKIX_TLS_FEATURE_MISSING when it asks for a feature we do not know. */
MUST_CHECK enum pkix_error pkix_check_tls_feature_of_leaf(const struct pkix_cert *leaf, bool *must_staple);

#endif
