/* pkix/policy_read.h: the four extensions about certificate policies, RFC 5280 sections 4.2.1.4, 4.2.1.5, 4.2.1.11 and
 * 4.2.1.14.
 *
 * Each reader gives PKIX_OK (the extension may be absent), PKIX_BAD_POLICY when it is malformed or says what the RFC
 * forbids, or PKIX_LIMIT_EXCEEDED when there is more of it than is looked at; then *what (static) says which rule.
 * Spans borrow the certificate. Qualifiers are for people to read (RFC 9618 section 3.3 recommends not to return them):
 * they have to be a SEQUENCE, and only in a critical extension are they looked at, for kinds that RFC 5280 knows. */
#ifndef YETT_PKIX_POLICY_READ_H
#define YETT_PKIX_POLICY_READ_H

#include "pkix/cert.h"

enum {
    PKIX_POLICIES_PER_CERT_MAX = 256,
    PKIX_POLICY_MAPPINGS_PER_CERT_MAX = 256,
    PKIX_SKIP_CERTS_MAX = 1000, /* a larger number of certificates means the same: no path is as long */
};

/* certificatePolicies. */
struct pkix_policies {
    struct span items[PKIX_POLICIES_PER_CERT_MAX]; /* sorted by pkix_policy_compare(); without anyPolicy */
    unsigned count;
    bool present;
    bool any; /* anyPolicy is among them */
};

/* One issuerDomainPolicy with one subjectDomainPolicy. */
struct pkix_policy_mapping {
    struct span issuer, subject;
};

struct pkix_policy_mappings {
    struct pkix_policy_mapping items[PKIX_POLICY_MAPPINGS_PER_CERT_MAX]; /* sorted */
    unsigned count;
};

/* policyConstraints and inhibitAnyPolicy: how many more certificates may follow until it counts, capped at
 * PKIX_SKIP_CERTS_MAX, which is also what absent ones have. */
struct pkix_policy_constraints {
    unsigned require_explicit_policy, inhibit_policy_mapping;
};

MUST_CHECK enum pkix_error pkix_policies_read(const struct pkix_cert *cert, struct pkix_policies *policies,
                                              const char **what);
MUST_CHECK enum pkix_error pkix_policy_mappings_read(const struct pkix_cert *cert,
                                                     struct pkix_policy_mappings *mappings, const char **what);
MUST_CHECK enum pkix_error pkix_policy_constraints_read(const struct pkix_cert *cert,
                                                        struct pkix_policy_constraints *constraints, const char **what);
MUST_CHECK enum pkix_error pkix_inhibit_any_policy_read(const struct pkix_cert *cert, unsigned *skip_certs,
                                                        const char **what);

/* Whether each of policyQualifiers (contents) is well formed and of one of the two kinds that RFC 5280 section 4.2.1.4
 * has. */
bool pkix_policy_qualifiers_known(struct span qualifiers);

/* An order of object identifiers, for sorting and searching. */
int pkix_policy_compare(struct span a, struct span b);

/* Whether the certificate itself lists the policy. */
bool pkix_policies_have(const struct pkix_policies *policies, struct span policy);

#endif
