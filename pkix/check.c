/* see pkix/check.h
 *
 * Two things are asked of each certificate: is it what it has to be in its place (RFC 5280 sections 6.1.3 and 6.1.4),
 * and is it of a kind that we can judge at all. What is malformed is refused and not passed over: another verifier
 * would read it another way, and in the difference between two readings lies the attack. */
#include "pkix/check.h"
#include "pkix/key.h"
#include "pkix/names.h"
#include "pkix/oid.h"

enum { TLS_FEATURE_STATUS_REQUEST = 5, TAG_DISTRIBUTION_POINT_NAME = ASN1_CONTEXT_CONSTRUCTED | 0 };

/* The rule goes with the error, for people: several rules share one error, and the error alone would not say what to
 * change. */
static enum pkix_error broken(const struct pkix_check *check, enum pkix_error error, const char *what)
{
    if (check->what != NULL)
        *check->what = what;
    return error;
}

/* RFC 5280 sections 4.1.1.2 and 4.1.2.3: the two algorithm fields say the same. Only the inner one is signed: whoever
 * may choose the outer one could have a signature taken for one by another, weaker algorithm. */
static enum pkix_error check_algorithm(const struct pkix_cert *cert)
{
    /* An algorithm of which we do not know what it says is no algorithm: also where a path could do without it. */
    struct pkix_algorithm outer, inner;
    enum pkix_error error;

    if ((error = pkix_algorithm_read(cert->outer.algorithm, &outer)) != PKIX_OK ||
        (error = pkix_algorithm_read(cert->inner_algorithm, &inner)) != PKIX_OK)
        return error;
    /* The decoded algorithms count, not the bytes: NULL and absent parameters mean the same. */
    if (outer.key_type != inner.key_type || outer.digest != inner.digest || outer.padding != inner.padding ||
        outer.salt_size != inner.salt_size)
        return PKIX_SIGNATURE_ALGORITHM_MISMATCH;
    return pkix_algorithm_check(&outer, cert->outer.signature);
}

/* RFC 5280 section 4.1.2.4: Name ::= SEQUENCE OF RelativeDistinguishedName, and an issuer has at least one. The empty
 * name would be the issuer of whatever else leaves it out. */
static enum pkix_error check_issuer_name(const struct pkix_cert *cert)
{
    struct der rdns;

    if (der_enter_only(cert->issuer, ASN1_SEQUENCE, DER_SMALL, &rdns) != PKIX_OK)
        return PKIX_BAD_DER;
    if (der_at_end(&rdns))
        return PKIX_EMPTY_ISSUER;
    while (!der_at_end(&rdns)) {
        struct span rdn;

        if (der_read(&rdns, ASN1_SET, &rdn) != PKIX_OK)
            return PKIX_BAD_DER;
    }
    return PKIX_OK;
}

/* RFC 5280 section 4.2.1.3: a BIT STRING in its minimal form, of which we need the first byte. */
enum pkix_error pkix_check_key_usage(const struct pkix_cert *cert, enum pkix_key_usage_bit wanted)
{
    struct span value, bits;
    struct der d;
    unsigned padding;

    if (!pkix_cert_extension(cert, PKIX_EXT_KEY_USAGE, &value))
        return PKIX_OK;
    d = der_over(value, DER_SMALL);
    if (der_read(&d, ASN1_BIT_STRING, &bits) != PKIX_OK || der_end(&d) != PKIX_OK || bits.size < 2)
        return PKIX_BAD_KEY_USAGE;
    /* At least one bit is set (RFC 5280 section 4.2.1.3): an empty list would be "for nothing" to one reader and, like
     * an absent extension, "for everything" to the next. X.690 section 11.2.2: the trailing zero bits of a named bit
     * list are not there, and unused bits are zero. Two encodings of one usage would be read in two ways. */
    padding = bits.data[0];
    if (padding > 7 || (bits.data[bits.size - 1] & ((1u << padding) - 1)) != 0)
        return PKIX_BAD_KEY_USAGE;
    /* A usage that is not listed is forbidden (RFC 5280 section 4.2.1.3): a key kept for decryption may lie on many
     * machines, one that signs certificates must not. */
    return (bits.data[1] & (0x80u >> wanted)) != 0 ? PKIX_OK : PKIX_BAD_KEY_USAGE;
}

/* RFC 5280 section 4.2.1.12 pairs each use with key usages: a TLS server's key signs, or (TLS 1.2) decrypts or
 * agrees; a client's and a responder's key signs. Otherwise a certificate for mail encryption, which is given out
 * freely, would log in. */
static enum pkix_error check_leaf_key_usage(const struct pkix_cert *cert, enum pkix_usage usage)
{
    switch (usage) {
    case PKIX_USAGE_SERVER:
        if (pkix_check_key_usage(cert, PKIX_KU_DIGITAL_SIGNATURE) == PKIX_OK ||
            pkix_check_key_usage(cert, PKIX_KU_KEY_ENCIPHERMENT) == PKIX_OK)
            return PKIX_OK;
        return pkix_check_key_usage(cert, PKIX_KU_KEY_AGREEMENT);
    case PKIX_USAGE_CRL_SIGNER:
        return pkix_check_key_usage(cert, PKIX_KU_CRL_SIGN); /* RFC 5280 section 6.3.3 (f) */
    case PKIX_USAGE_CLIENT:
    case PKIX_USAGE_OCSP_SIGNER:
        break;
    }
    return pkix_check_key_usage(cert, PKIX_KU_DIGITAL_SIGNATURE);
}

/* BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER (0..MAX) OPTIONAL }. Whoever
 * reads a malformed one as "no limit" gives an authority more than its issuer did. */
enum pkix_error pkix_read_basic_constraints(struct span value, bool *is_ca, int *path_length)
{
    struct der sequence;
    unsigned length;

    *path_length = -1;
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &sequence) != PKIX_OK ||
        der_read_optional_boolean(&sequence, is_ca) != PKIX_OK)
        return PKIX_BAD_EXTENSION;
    /* No more than 127, as der_read_small() has it: no path is that long, and a number of more bytes is for trying out
     * how readers overflow. */
    if (!der_at_end(&sequence)) {
        if (der_read_small(&sequence, ASN1_INTEGER, &length) != PKIX_OK || der_end(&sequence) != PKIX_OK)
            return PKIX_BAD_EXTENSION;
        *path_length = (int)length;
    }
    return PKIX_OK;
}

/* For the scope of CRLs (RFC 5280 section 6.3.3 (b) (2)): by its own word, not by the place it is used in, since its
 * issuer has put it on the list of its kind. */
bool pkix_says_it_is_authority(const struct pkix_cert *cert)
{
    struct span value;
    bool is_ca = false;
    int path_length;

    return pkix_cert_extension(cert, PKIX_EXT_BASIC_CONSTRAINTS, &value) &&
           pkix_read_basic_constraints(value, &is_ca, &path_length) == PKIX_OK && is_ca;
}

/* Whether the key may sign certificates, and says so itself. */
static bool asserts_cert_sign(const struct pkix_cert *cert)
{
    return cert->extensions[PKIX_EXT_KEY_USAGE].present && pkix_check_key_usage(cert, PKIX_KU_KEY_CERT_SIGN) == PKIX_OK;
}

/* What a leaf is not. A CRL's signer may be an authority: it has another role here, and no name of a peer. */
static enum pkix_error check_end_entity(const struct pkix_cert *cert, const struct pkix_check *check, bool is_ca)
{
    if (check->usage == PKIX_USAGE_CRL_SIGNER)
        return PKIX_OK;
    /* Name constraints are for authorities only (RFC 5280 section 4.2.1.10). */
    if (!is_ca && cert->extensions[PKIX_EXT_NAME_CONSTRAINTS].present)
        return broken(check, PKIX_BAD_EXTENSION,
                      "it has nameConstraints (2.5.29.30), which are for authorities (RFC 5280 section 4.2.1.10)");
    /* Not forbidden by RFC 5280; but a key that can make certificates for every name has no business on a machine that
     * faces the network, and who got hold of such a certificate and key would be every server there is. mozilla::pkix
     * refuses it, too. */
    if (is_ca)
        return PKIX_CA_AS_END_ENTITY;
    /* RFC 5280 section 4.2.1.9: without cA, no keyCertSign. Verifiers that look at the key usage alone would take what
     * such a key signs for an authority's (CVE-2002-0862's kind), so that nobody ought to issue one; an anchor was
     * configured as it is. */
    if (check->trust == PKIX_TRUST_ANCHOR || !asserts_cert_sign(cert))
        return PKIX_OK;
    return broken(
        check, PKIX_BAD_KEY_USAGE,
        "it has keyCertSign and is no authority (RFC 5280 section 4.2.1.9): whoever issued it has to do so anew");
}

/* RFC 5280 section 4.2.1.9. An issuer that is no authority is the oldest attack there is (CVE-2002-0862, CVE-2011-0228,
 * CVE-2015-1793): any leaf could sign for every name. */
static enum pkix_error check_basic_constraints(const struct pkix_cert *cert, const struct pkix_check *check)
{
    struct span value;
    bool is_ca = false;
    int path_length = -1;
    enum pkix_error error;

    if (pkix_cert_extension(cert, PKIX_EXT_BASIC_CONSTRAINTS, &value)) {
        if ((error = pkix_read_basic_constraints(value, &is_ca, &path_length)) != PKIX_OK)
            return broken(check, error, "its basicConstraints (2.5.29.19) are malformed");
    } else if (check->role == PKIX_ROLE_ISSUER && cert->version == PKIX_V1) {
        /* Version 1 has no extensions: such an anchor is an authority because it was configured, nothing else is. */
        if (check->trust != PKIX_TRUST_ANCHOR)
            return PKIX_NOT_A_CA;
        is_ca = true;
    }
    switch (check->role) {
    case PKIX_ROLE_LEAF:
        return check_end_entity(cert, check, is_ca);
    case PKIX_ROLE_ISSUER:
        break;
    }
    /* RFC 5280 section 6.1.4 (k): also without the extension, since what says nothing must not sign. */
    if (!is_ca)
        return PKIX_NOT_A_CA;
    /* Section 6.1.4 (m): an authority that may issue for its own people only (0) must not make authorities.
     * Self-issued certificates count here as in mozilla::pkix; the RFC lets them through, and with them an authority
     * could make its path as long as it likes. */
    if (path_length >= 0 && check->intermediates_below > (unsigned)path_length)
        return PKIX_PATH_TOO_LONG;
    return PKIX_OK;
}

/* The purpose that RFC 5280 section 4.2.1.12 and RFC 6960 section 4.2.2.2 name for the use. */
static enum pkix_oid usage_oid(enum pkix_usage usage)
{
    switch (usage) {
    case PKIX_USAGE_CRL_SIGNER:
        break; /* has none */
    case PKIX_USAGE_SERVER:
        return OID_SERVER_AUTH;
    case PKIX_USAGE_CLIENT:
        return OID_CLIENT_AUTH;
    case PKIX_USAGE_OCSP_SIGNER:
        return OID_OCSP_SIGNING;
    }
    base_abort("usage %d", (int)usage);
}

/* Whether one of the listed usages is what is asked for.
 * No usage implies another: serverAuth does not let a peer in as a client, unless the administrator says that it
 * may. */
static bool usage_fits(struct span oid, const struct pkix_check *check)
{
    /* Only where the request says so: a certificate for any use is in the hands of people who were never meant to be
     * a server. */
    if (check->any_usage == PKIX_ANY_USAGE_ACCEPTED && pkix_oid_is(oid, OID_ANY_EXTENDED_KEY_USAGE))
        return true;
    if (check->usage != PKIX_USAGE_CLIENT)
        return pkix_oid_is(oid, usage_oid(check->usage));
    return (check->client_usage != PKIX_CLIENT_USAGE_SERVER && pkix_oid_is(oid, OID_CLIENT_AUTH)) ||
           (check->client_usage != PKIX_CLIENT_USAGE_CLIENT && pkix_oid_is(oid, OID_SERVER_AUTH));
}

/* RFC 5280 section 4.2.1.12, chained: an issuer with this extension may only issue for what it lists. So an authority
 * for mail or code cannot make a server's certificate, as mozilla::pkix, Windows and Go have it. */
static enum pkix_error check_extended_key_usage(const struct pkix_cert *cert, const struct pkix_check *check)
{
    struct span value;
    struct der oids;
    bool leaf = check->role == PKIX_ROLE_LEAF;
    bool found = false, found_ocsp_signing = false;

    if (leaf && check->usage == PKIX_USAGE_CRL_SIGNER) /* section 6.3.3 (f) asks for the key usage alone */
        return PKIX_OK;
    if (!pkix_cert_extension(cert, PKIX_EXT_EXTENDED_KEY_USAGE, &value))
        /* RFC 6960 section 4.2.2.2: a responder has to say that it is one. */
        return leaf && check->usage == PKIX_USAGE_OCSP_SIGNER ? PKIX_BAD_EXTENDED_KEY_USAGE : PKIX_OK;
    /* The empty list is malformed (SIZE (1..MAX)) and is not taken for "any". */
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &oids) != PKIX_OK || der_at_end(&oids))
        return PKIX_BAD_EXTENDED_KEY_USAGE;
    while (!der_at_end(&oids)) {
        struct span oid;

        if (der_read(&oids, ASN1_OID, &oid) != PKIX_OK)
            return PKIX_BAD_EXTENDED_KEY_USAGE;
        found = found || usage_fits(oid, check);
        found_ocsp_signing = found_ocsp_signing || pkix_oid_is(oid, OID_OCSP_SIGNING);
    }
    if (leaf && found_ocsp_signing && check->usage != PKIX_USAGE_OCSP_SIGNER)
        /* A responder's key must not be a server's key too: whoever gets at the server's could say that nothing is
         * revoked. */
        return broken(check, PKIX_BAD_EXTENDED_KEY_USAGE, "a key for OCSPSigning is for nothing else");
    return found ? PKIX_OK : PKIX_BAD_EXTENDED_KEY_USAGE;
}

/* RFC 5280 section 4.2.2.1: never critical; a SEQUENCE of at least one description, each of an identifier and one of
 * the nine general names. mozilla::pkix does not look; OpenSSL refuses critical ones, too. */
static enum pkix_error check_access_info(const struct pkix_cert *cert, const struct pkix_check *check)
{
    static const char what[] = "its authorityInfoAccess (1.3.6.1.5.5.7.1.1) is critical or malformed";
    struct span value;
    struct der list;

    if (!pkix_cert_extension(cert, PKIX_EXT_AUTHORITY_INFO_ACCESS, &value))
        return PKIX_OK;
    if (cert->extensions[PKIX_EXT_AUTHORITY_INFO_ACCESS].critical ||
        der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &list) != PKIX_OK || der_at_end(&list))
        return broken(check, PKIX_BAD_EXTENSION, what);
    while (!der_at_end(&list)) {
        struct pkix_access access;

        if (pkix_access_read(&list, &access) != PKIX_OK)
            return broken(check, PKIX_BAD_EXTENSION, what);
    }
    return PKIX_OK;
}

/* RFC 5280 section 4.2.1.13. A critical one binds us to what it says: every point has a name that lists can be fetched
 * from or compared with. One for some reasons only, or whose list another authority makes, is not used, and so not
 * understood. When it is not critical it is a hint, which may be wrong. */
static enum pkix_error check_distribution_points(const struct pkix_cert *cert, const struct pkix_check *check)
{
    static const char malformed[] = "its cRLDistributionPoints (2.5.29.31) are malformed",
                      unused[] = "its cRLDistributionPoints (2.5.29.31) are critical, and one has no name, is for some "
                                 "reasons only, or has a list of another issuer";
    const struct pkix_extension_value *points = &cert->extensions[PKIX_EXT_CRL_DISTRIBUTION_POINTS];
    struct der list;

    if (!points->present || !points->critical)
        return PKIX_OK;
    if (der_enter_only(points->value, ASN1_SEQUENCE, DER_SMALL, &list) != PKIX_OK || der_at_end(&list))
        return broken(check, PKIX_BAD_EXTENSION, malformed);
    while (!der_at_end(&list)) {
        struct der point, name;

        if (der_enter(&list, ASN1_SEQUENCE, &point) != PKIX_OK)
            return broken(check, PKIX_BAD_EXTENSION, malformed);
        if (!der_next_is(&point, TAG_DISTRIBUTION_POINT_NAME))
            return broken(check, PKIX_UNKNOWN_CRITICAL_EXTENSION, unused);
        if (der_enter(&point, TAG_DISTRIBUTION_POINT_NAME, &name) != PKIX_OK || der_at_end(&name))
            return broken(check, PKIX_BAD_EXTENSION, malformed);
        if (!der_at_end(&point))
            return broken(check, PKIX_UNKNOWN_CRITICAL_EXTENSION, unused);
    }
    return PKIX_OK;
}

/* RFC 5280 section 6.1.3 (a) (2): both ends belong to it. Anchors, too: who retires a root by its date means it. A
 * key that leaks after its certificate has expired is on no CRL any more (section 3.3), so the date is all that
 * stops it. */
static enum pkix_error check_dates(const struct pkix_cert *cert, int64_t time)
{
    if (time < cert->not_before)
        return PKIX_NOT_YET_VALID;
    return time > cert->not_after ? PKIX_EXPIRED : PKIX_OK;
}

/* Be careful with the order: it decides which of several errors is told. Distrust comes first, so that nothing else
 * that is wrong hides it; dates last, since a certificate that is wrong in any other way was never good. */
enum pkix_error pkix_check_certificate(const struct pkix_cert *cert, const struct pkix_check *check)
{
    struct pkix_key key;
    enum pkix_error error;

    if (check->trust == PKIX_TRUST_DISTRUSTED)
        return PKIX_DISTRUSTED;
    if (cert->validity_error != PKIX_OK)
        return cert->validity_error;
    /* Nobody relies on an anchor's own signature. */
    if (check->trust == PKIX_TRUST_INHERITED && (error = check_algorithm(cert)) != PKIX_OK)
        return error;
    /* An anchor's key, too: who can factor a root of 1,024 bits signs in its name, whoever has put it into the store.
     */
    if ((error = pkix_key_read(cert->spki, &key)) != PKIX_OK || (error = check_issuer_name(cert)) != PKIX_OK)
        return error;
    error = check->role == PKIX_ROLE_ISSUER ? pkix_check_key_usage(cert, PKIX_KU_KEY_CERT_SIGN)
                                            : check_leaf_key_usage(cert, check->usage);
    if (error != PKIX_OK)
        return error;
    if ((error = check_basic_constraints(cert, check)) != PKIX_OK ||
        (error = check_extended_key_usage(cert, check)) != PKIX_OK ||
        (error = check_access_info(cert, check)) != PKIX_OK ||
        (error = check_distribution_points(cert, check)) != PKIX_OK)
        return error;
    return check_dates(cert, check->time);
}

/* RFC 7633 section 4.2: what an issuer has in its extension, its subjects have. An authority that always staples keeps
 * a stolen key from being used with a certificate that asks for no staple. The RFC would let a subject have more
 * features than its issuer; of those we know none, so the two values are the same or one of them asks for what we
 * cannot see. */
enum pkix_error pkix_check_tls_feature_of_issuer(const struct pkix_cert *child, const struct pkix_cert *issuer)
{
    struct span of_issuer, of_child;

    if (!pkix_cert_extension(issuer, PKIX_EXT_TLS_FEATURE, &of_issuer))
        return PKIX_OK;
    return pkix_cert_extension(child, PKIX_EXT_TLS_FEATURE, &of_child) && span_equal(of_issuer, of_child)
               ? PKIX_OK
               : PKIX_TLS_FEATURE_MISSING;
}

/* RFC 7633 section 4.2: a feature that we do not know is one that we cannot see offered, so the certificate is not
 * for us. A thief who has the key has the staple stripped; the extension, which is signed, tells. */
enum pkix_error pkix_check_tls_feature_of_leaf(const struct pkix_cert *leaf, bool *must_staple)
{
    struct span value;
    struct der features;

    *must_staple = pkix_cert_extension(leaf, PKIX_EXT_TLS_FEATURE, &value);
    if (!*must_staple)
        return PKIX_OK;
    if (der_enter_only(value, ASN1_SEQUENCE, DER_SMALL, &features) != PKIX_OK || der_at_end(&features))
        return PKIX_TLS_FEATURE_MISSING;
    while (!der_at_end(&features)) {
        unsigned feature;

        if (der_read_small(&features, ASN1_INTEGER, &feature) != PKIX_OK || feature != TLS_FEATURE_STATUS_REQUEST)
            return PKIX_TLS_FEATURE_MISSING;
    }
    return PKIX_OK;
}
