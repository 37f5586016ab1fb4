/* see tls/identity_chain.h */
#include "tls/identity_chain.h"

#include "base/nss_scope.h"
#include "pkix/check.h"
#include "pkix/dn_compare.h"
#include "pkix/nss_crypto.h"
#include "tls/limits.h"

/* What is there is read, whatever is wrong behind it: the peer judges the certificate. */
static bool read_names(struct span der, struct pkix_cert *cert)
{
    memset(cert, 0, sizeof(*cert));
    (void)!pkix_cert_read(der, cert);
    return cert->issuer.size != 0 && cert->subject.size != 0 && cert->spki.size != 0;
}

/* What our own rules take for weak may be an issuer all the same. */
static bool has_signed(const struct pkix_cert *issuer, const struct pkix_cert *child)
{
    enum pkix_error error = pkix_nss_verify(&child->outer, issuer->spki, NULL);

    return error == PKIX_OK || error == PKIX_WEAK_KEY || error == PKIX_WEAK_SIGNATURE_ALGORITHM;
}

static bool is_issuer(const struct pkix_cert *issuer, const struct pkix_cert *child)
{
    struct span has = pkix_cert_subject_key_id(issuer), wanted = pkix_cert_authority_key_id(child);

    return pkix_says_it_is_authority(issuer) && pkix_dn_equal(issuer->subject, child->issuer) &&
           (has.size == 0 || wanted.size == 0 || span_equal(has, wanted)) && has_signed(issuer, child);
}

static bool is_valid(const struct pkix_cert *cert, int64_t now)
{
    return cert->validity_error == PKIX_OK && now >= cert->not_before && now <= cert->not_after;
}

static bool is_better(const struct pkix_cert *cert, const struct pkix_cert *than, int64_t now)
{
    if (is_valid(cert, now) != is_valid(than, now))
        return is_valid(cert, now);
    return cert->not_before > than->not_before;
}

static bool is_in_chain(const struct tls_identity *identity, struct span der)
{
    for (size_t i = 0; i < identity->chain_length; i++)
        if (span_equal(tls_identity_above(identity, i), der))
            return true;
    return span_equal(tls_identity_leaf(identity), der);
}

/* The best issuer in `list`, if better than `best`, which may be empty. */
static void find_issuer(const struct tls_identity *identity, CERTCertList *list, const struct pkix_cert *child,
                        int64_t now, struct pkix_cert *best)
{
    for (CERTCertListNode *n = CERT_LIST_HEAD(list); !CERT_LIST_END(n, list); n = CERT_LIST_NEXT(n)) {
        struct span der = span_of(n->cert->derCert.data, n->cert->derCert.len);
        struct pkix_cert cert;

        if (read_names(der, &cert) && !is_in_chain(identity, der) && is_issuer(&cert, child) &&
            (best->der.size == 0 || is_better(&cert, best, now))) {
            *best = cert;
            best->der = der;
        }
    }
}

void tls_identity_find_chain(struct tls_identity *identity, int64_t now)
{
    SCOPED_SLOT token = PK11_GetSlotFromPrivateKey(identity->key);
    SCOPED_SLOT database = PK11_GetInternalKeySlot();
    SCOPED_CERT_LIST on_token = token == NULL ? NULL : PK11_ListCertsInSlot(token);
    SCOPED_CERT_LIST in_database = database == NULL ? NULL : PK11_ListCertsInSlot(database);
    struct span child_der = tls_identity_leaf(identity);
    struct pkix_cert child;

    while (read_names(child_der, &child) && identity->chain_length < TLS_CHAIN_LENGTH_MAX) {
        struct pkix_cert issuer = {0};

        if (on_token != NULL)
            find_issuer(identity, on_token, &child, now, &issuer);
        if (issuer.der.size == 0 && in_database != NULL)
            find_issuer(identity, in_database, &child, now, &issuer);
        if (issuer.der.size == 0 || pkix_cert_is_self_issued(&issuer))
            return;
        tls_identity_add_above(identity, issuer.der);
        child_der = issuer.der;
    }
}
