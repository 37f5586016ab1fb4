/* see pkix/policy.h */
#include "pkix/policy.h"
#include "pkix/oid.h"

enum pkix_error pkix_policy_check(const struct pkix_cert *cert, struct span policy, enum pkix_role role,
                                  enum pkix_trust trust)
{
    struct span value;
    struct der policies;

    if (cert->extensions[PKIX_EXT_INHIBIT_ANY_POLICY].present)
        return PKIX_POLICY_MISSING;
    if (role == PKIX_ROLE_ISSUER && trust == PKIX_TRUST_ANCHOR)
        return PKIX_OK; /* trusted for whatever it was configured for */
    if (!pkix_cert_extension(cert, PKIX_EXT_CERTIFICATE_POLICIES, &value) ||
        der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &policies) != PKIX_OK)
        return PKIX_POLICY_MISSING;
    while (!der_at_end(&policies)) {
        struct der information;
        struct span oid;

        if (der_enter(&policies, ASN1_SEQUENCE, &information) != PKIX_OK ||
            der_read(&information, ASN1_OID, &oid) != PKIX_OK)
            return PKIX_POLICY_MISSING;
        if (span_equal(oid, policy) || (role == PKIX_ROLE_ISSUER && pkix_oid_is(oid, OID_ANY_POLICY)))
            return PKIX_OK;
    }
    return PKIX_POLICY_MISSING;
}
