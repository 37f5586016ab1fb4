/* see tls/manage/issue_internal.h: the extensions of a new certificate, RFC 5280 section 4.2 */
#include "base/nss_scope.h"
#include "tls/manage/issue.h"
#include "tls/manage/issue_internal.h"

#include <secder.h>

enum { KEY_ID_BYTES = 20 };

static void add_key_id(PLArenaPool *arena, CERTSubjectPublicKeyInfo *spki, SECItem *id)
{
    unsigned char digest[32];

    /* RFC 7093 section 2, method 1: the leftmost 160 bits of SHA-256 of the key. Bit strings count bits. */
    if (PK11_HashBuf(SEC_OID_SHA256, digest, spki->subjectPublicKey.data,
                     (PRInt32)((spki->subjectPublicKey.len + 7) / 8)) != SECSuccess ||
        SECITEM_AllocItem(arena, id, KEY_ID_BYTES) == NULL)
        base_abort("SHA-256 of a public key failed");
    memcpy(id->data, digest, KEY_ID_BYTES);
}

static bool add_basic_constraints(PLArenaPool *arena, void *handle, bool is_ca)
{
    CERTBasicConstraints constraints = {.isCA = is_ca, .pathLenConstraint = CERT_UNLIMITED_PATH_CONSTRAINT};
    SECItem value = {siBuffer, NULL, 0};

    return CERT_EncodeBasicConstraintValue(arena, &constraints, &value) == SECSuccess &&
           CERT_AddExtension(handle, SEC_OID_X509_BASIC_CONSTRAINTS, &value, PR_TRUE, PR_TRUE) == SECSuccess;
}

static bool add_key_usage(void *handle, bool is_ca)
{
    unsigned char bits = is_ca ? KU_KEY_CERT_SIGN | KU_CRL_SIGN : KU_DIGITAL_SIGNATURE;
    SECItem value = {siBuffer, &bits, 1};

    return CERT_EncodeAndAddBitStrExtension(handle, SEC_OID_X509_KEY_USAGE, &value, PR_TRUE) == SECSuccess;
}

static bool add_extended_key_usage(PLArenaPool *arena, void *handle, unsigned use)
{
    SECItem *oids[3] = {NULL};
    SECItem **list = oids, value = {siBuffer, NULL, 0};
    size_t count = 0;

    if (use & TLS_ISSUE_SERVER)
        oids[count++] = &SECOID_FindOIDByTag(SEC_OID_EXT_KEY_USAGE_SERVER_AUTH)->oid;
    if (use & TLS_ISSUE_CLIENT)
        oids[count++] = &SECOID_FindOIDByTag(SEC_OID_EXT_KEY_USAGE_CLIENT_AUTH)->oid;
    if (count == 0)
        return true;
    return SEC_ASN1EncodeItem(arena, &value, &list, SEC_ASN1_GET(SEC_SequenceOfObjectIDTemplate)) != NULL &&
           CERT_AddExtension(handle, SEC_OID_X509_EXT_KEY_USAGE, &value, PR_FALSE, PR_TRUE) == SECSuccess;
}

static bool add_key_identifiers(CERTCertificate *issuer, PLArenaPool *arena, void *handle,
                                CERTSubjectPublicKeyInfo *spki)
{
    SECItem subject_id = {siBuffer, NULL, 0}, found = {siBuffer, NULL, 0}, value = {siBuffer, NULL, 0};
    CERTAuthKeyID authority = {.authCertIssuer = NULL};
    bool added;

    add_key_id(arena, spki, &subject_id);
    if (CERT_EncodeSubjectKeyID(arena, &subject_id, &value) != SECSuccess ||
        CERT_AddExtension(handle, SEC_OID_X509_SUBJECT_KEY_ID, &value, PR_FALSE, PR_TRUE) != SECSuccess)
        return false;

    authority.keyID = subject_id;
    if (issuer != NULL) {
        if (CERT_FindSubjectKeyIDExtension(issuer, &found) == SECSuccess)
            authority.keyID = found;
        else
            add_key_id(arena, &issuer->subjectPublicKeyInfo, &authority.keyID);
    }
    value = (SECItem){siBuffer, NULL, 0};
    added = CERT_EncodeAuthKeyID(arena, &authority, &value) == SECSuccess &&
            CERT_AddExtension(handle, SEC_OID_X509_AUTH_KEY_ID, &value, PR_FALSE, PR_TRUE) == SECSuccess;
    SECITEM_FreeItem(&found, PR_FALSE);
    return added;
}

bool tls_issue_add_extensions(CERTCertificate *cert, unsigned use, CERTGeneralName *sans, CERTCertificate *issuer)
{
    bool is_ca = use & TLS_ISSUE_CA;
    SECItem value = {siBuffer, NULL, 0};
    void *handle = CERT_StartCertExtensions(cert);
    bool added;

    if (handle == NULL)
        return false;
    added = add_basic_constraints(cert->arena, handle, is_ca) && add_key_usage(handle, is_ca) &&
            add_extended_key_usage(cert->arena, handle, use) &&
            add_key_identifiers(issuer, cert->arena, handle, &cert->subjectPublicKeyInfo);
    if (added && sans != NULL)
        added = CERT_EncodeAltNameExtension(cert->arena, sans, &value) == SECSuccess &&
                CERT_AddExtension(handle, SEC_OID_X509_SUBJECT_ALT_NAME, &value, PR_FALSE, PR_TRUE) == SECSuccess;
    return CERT_FinishExtensions(handle) == SECSuccess && added;
}
