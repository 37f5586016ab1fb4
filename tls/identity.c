/* see tls/identity.h */
#include "tls/identity_internal.h"

#include "base/nss_scope.h"
#include "tls/key_der.h"
#include "tls/limits.h"
#include "tls/runtime_internal.h"

#include <ctype.h>
#include <prtime.h>
#include <secoid.h>
#include <stdlib.h>

enum { RSA_BITS_MIN = 2048 };

static void add_name(void *arg, struct span name)
{
    struct tls_identity *identity = arg;
    char *copy;

    if (identity->name_count == TLS_IDENTITY_NAMES_MAX)
        return;
    copy = base_strndup((const char *)name.data, name.size);
    for (char *c = copy; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    identity->names = base_realloc_array(identity->names, identity->name_count + 1, sizeof(*identity->names));
    identity->names[identity->name_count++] = copy;
}

/* The DNS names of the certificate. Names in the subject are not looked at (RFC 6125 section 6.4.4, RFC 9525). */
static bool read_names(struct tls_identity *identity)
{
    SECItem san = {0};
    bool ok;

    if (CERT_FindCertExtension(identity->cert, SEC_OID_X509_SUBJECT_ALT_NAME, &san) != SECSuccess)
        return true;
    ok = tls_key_der_dns_names(span_of(san.data, san.len), add_name, identity);
    SECITEM_FreeItem(&san, PR_FALSE);
    return ok;
}

static bool read_curve(SECKEYPublicKey *key, enum tls_key_slot *slot)
{
    switch (SECKEY_PublicKeyStrengthInBits(key)) {
    case 256:
        *slot = TLS_SLOT_P256;
        break;
    case 384:
        *slot = TLS_SLOT_P384;
        break;
    case 521:
        *slot = TLS_SLOT_P521;
        break;
    default:
        return false;
    }
    /* Curves of the same size that TLS does not have (secp256k1, brainpool) are refused by their OID. */
    return key->u.ec.DEREncodedParams.len > 2 &&
           SECOID_FindOIDTag(
               &(SECItem){.data = key->u.ec.DEREncodedParams.data + 2, .len = key->u.ec.DEREncodedParams.len - 2}) ==
               (*slot == TLS_SLOT_P256   ? SEC_OID_ANSIX962_EC_PRIME256V1
                : *slot == TLS_SLOT_P384 ? SEC_OID_SECG_EC_SECP384R1
                                         : SEC_OID_SECG_EC_SECP521R1);
}

/* Which kind of key it is, and whether it is strong enough. */
static bool read_key_type(struct tls_identity *identity, SECKEYPublicKey *key, char **error)
{
    SECOidTag algorithm = SECOID_GetAlgorithmTag(&identity->cert->subjectPublicKeyInfo.algorithm);

    if (SECKEY_GetPublicKeyType(key) == ecKey) {
        if (read_curve(key, &identity->slot))
            return true;
        *error = base_strdup("the certificate's elliptic curve is none of P-256, P-384 and P-521");
        return false;
    }
    if (SECKEY_GetPublicKeyType(key) == rsaKey || SECKEY_GetPublicKeyType(key) == rsaPssKey) {
        identity->slot = algorithm == SEC_OID_PKCS1_RSA_PSS_SIGNATURE ? TLS_SLOT_RSA_PSS : TLS_SLOT_RSA;
        if (SECKEY_PublicKeyStrengthInBits(key) >= RSA_BITS_MIN)
            return true;
        *error = base_printf("the certificate's RSA key has %u bits, at least %d are needed",
                             SECKEY_PublicKeyStrengthInBits(key), RSA_BITS_MIN);
        return false;
    }
    *error = base_strdup("the certificate's key is neither RSA nor an elliptic curve");
    return false;
}

static const char *slot_name(enum tls_key_slot slot)
{
    switch (slot) {
    case TLS_SLOT_RSA:
        return "RSA";
    case TLS_SLOT_RSA_PSS:
        return "RSA-PSS";
    case TLS_SLOT_P256:
        return "P-256";
    case TLS_SLOT_P384:
        return "P-384";
    case TLS_SLOT_P521:
        return "P-521";
    case TLS_SLOT_COUNT:
        break;
    }
    return "?";
}

static bool read_validity(struct tls_identity *identity)
{
    PRTime not_before, not_after;

    if (CERT_GetCertTimes(identity->cert, &not_before, &not_after) != SECSuccess)
        return false;
    identity->not_before = not_before / PR_USEC_PER_SEC;
    identity->not_after = not_after / PR_USEC_PER_SEC;
    return true;
}

static char *describe(const struct tls_identity *identity)
{
    const char *subject = identity->cert->subjectName == NULL ? "" : identity->cert->subjectName;
    char quoted[BASE_QUOTE_SIZE];
    PRExplodedTime t;

    PR_ExplodeTime(identity->not_after * PR_USEC_PER_SEC, PR_GMTParameters, &t);
    return base_printf("subject %s, %s key, valid until %04d-%02d-%02d",
                       base_quote(subject, strlen(subject), quoted, sizeof(quoted)), slot_name(identity->slot),
                       t.tm_year, t.tm_month + 1, t.tm_mday);
}

/* NSS knows no public key of some algorithms, and says SEC_ERROR_UNSUPPORTED_KEYALG at best. */
static void unusable_key(const CERTCertificate *cert, char **error)
{
    const SECItem *oid = &cert->subjectPublicKeyInfo.algorithm.algorithm;
    uint8_t algorithm[16] = {SEC_ASN1_OBJECT_ID, (uint8_t)oid->len};
    const char *foreign = NULL;

    if (oid->len <= sizeof(algorithm) - 2) {
        memcpy(algorithm + 2, oid->data, oid->len);
        foreign = tls_key_der_foreign(span_of(algorithm, oid->len + 2));
    }
    if (foreign == NULL)
        (void)tls_nss_fail(error, "the certificate's public key is unusable");
    else
        *error =
            base_printf("the certificate's key is for %s, with which NSS does no TLS: it must be RSA, or on P-256, "
                        "P-384 or P-521",
                        foreign);
}

bool tls_identity_create(CERTCertificate *cert, SECKEYPrivateKey *key, struct tls_identity **identity, char **error)
{
    struct tls_identity *made = base_alloc(sizeof(*made));
    SCOPED_PUBLIC_KEY public_key = CERT_ExtractPublicKey(cert);

    *made = (struct tls_identity){.cert = cert, .key = key, .version_max = TLS_VERSION_13};
    made->warning = base_strdup("");
    if (public_key == NULL) {
        unusable_key(cert, error);
    } else if (!read_validity(made)) {
        *error = base_strdup("the certificate's dates are malformed");
    } else if (!read_names(made)) {
        *error = base_strdup("the certificate's alternative names are malformed");
    } else if (read_key_type(made, public_key, error)) {
        made->description = describe(made);
        *identity = made;
        return true;
    }
    tls_identity_destroy(&made);
    return false;
}

void tls_identity_add_above(struct tls_identity *identity, struct span der)
{
    identity->chain = base_realloc_array(identity->chain, identity->chain_length + 1, sizeof(*identity->chain));
    identity->chain[identity->chain_length++] =
        (struct tls_identity_bytes){.data = base_memdup(der.data, der.size), .size = der.size};
}

void tls_identity_destroy(struct tls_identity **identity)
{
    struct tls_identity *i = *identity;

    if (i == NULL)
        return;
    *identity = NULL;
    tls_linked_destroy(&i->linked);
    for (size_t n = 0; n < i->chain_length; n++)
        free(i->chain[n].data);
    for (size_t n = 0; n < i->issuer_count; n++)
        free(i->issuers[n].data);
    for (size_t n = 0; n < i->name_count; n++)
        free(i->names[n]);
    if (i->in_slot != NULL)
        (void)PK11_DestroyGenericObject(i->in_slot);
    scope_release_cert(&i->cert);
    scope_release_private_key(&i->key);
    free(i->chain);
    free(i->issuers);
    free(i->names);
    free(i->description);
    free(i->warning);
    free(i);
}

bool tls_identity_may_block(const struct tls_identity *identity)
{
    return identity->may_block;
}

const char *tls_identity_warning(const struct tls_identity *identity)
{
    return identity->warning;
}

const char *tls_identity_describe(const struct tls_identity *identity)
{
    return identity->description;
}

int64_t tls_identity_not_after(const struct tls_identity *identity)
{
    return identity->not_after;
}

struct span tls_identity_leaf(const struct tls_identity *identity)
{
    return span_of(identity->cert->derCert.data, identity->cert->derCert.len);
}

size_t tls_identity_issuer_count(const struct tls_identity *identity)
{
    return identity->chain_length;
}
