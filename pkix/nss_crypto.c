/* see pkix/nss_crypto.h
 *
 * The only place where a signature becomes "good". Everything that could be told without computing was told before
 * (pkix/signature.c); what is left to NSS is the arithmetic, by one function with an explicit mechanism. NSS's own
 * way in, VFY_*, takes the algorithm from what is verified and copies the signature into a buffer of fixed size,
 * which is how CVE-2021-43527 came about. */
#include "pkix/nss_crypto.h"
#include "base/nss_scope.h"
#include "pkix/nss_keys.h"
#include "pkix/signature.h"

#include <nss.h>
#include <secerr.h>
#include <secoid.h>

/* Bytes; P-521 is the longest field there is. */
enum { EC_FIELD_BYTES_MAX = 66, EC_SIGNATURE_SIZE_MAX = 2 * EC_FIELD_BYTES_MAX };

/* One row for each hash, with all that NSS calls it: mechanism, mask and policy are looked up by one index, so a
 * signature is never computed with one hash and permitted as another. */
struct mechanism_row {
    CK_MECHANISM_TYPE pkcs1, pss, digest, mgf;
    SECOidTag digest_tag, rsa_tag, ecdsa_tag;
};

static const struct mechanism_row mechanisms[] = {
    [PKIX_SHA1] = {CKM_SHA1_RSA_PKCS, CKM_SHA1_RSA_PKCS_PSS, CKM_SHA_1, CKG_MGF1_SHA1, SEC_OID_SHA1,
                   SEC_OID_PKCS1_SHA1_WITH_RSA_ENCRYPTION, SEC_OID_ANSIX962_ECDSA_SHA1_SIGNATURE},
    [PKIX_SHA256] = {CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, SEC_OID_SHA256,
                     SEC_OID_PKCS1_SHA256_WITH_RSA_ENCRYPTION, SEC_OID_ANSIX962_ECDSA_SHA256_SIGNATURE},
    [PKIX_SHA384] = {CKM_SHA384_RSA_PKCS, CKM_SHA384_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, SEC_OID_SHA384,
                     SEC_OID_PKCS1_SHA384_WITH_RSA_ENCRYPTION, SEC_OID_ANSIX962_ECDSA_SHA384_SIGNATURE},
    [PKIX_SHA512] = {CKM_SHA512_RSA_PKCS, CKM_SHA512_RSA_PKCS_PSS, CKM_SHA512, CKG_MGF1_SHA512, SEC_OID_SHA512,
                     SEC_OID_PKCS1_SHA512_WITH_RSA_ENCRYPTION, SEC_OID_ANSIX962_ECDSA_SHA512_SIGNATURE},
};

/* NSS's items are not const; it only reads these. */
static SECItem item_of(struct span s)
{
    return (SECItem){.type = siBuffer, .data = (unsigned char *)(uintptr_t)s.data, .len = (unsigned)s.size};
}

/* As mozilla::pkix asks: permitted for some kind of signature. A tag that NSS does not know is refused: what nobody has
 * a policy for nobody has permitted. */
static bool policy_allows(SECOidTag tag)
{
    PRUint32 flags = 0;

    return NSS_GetAlgorithmPolicy(tag, &flags) == SECSuccess && (flags & NSS_USE_ALG_IN_ANY_SIGNATURE) != 0;
}

/* Three questions, since an administrator may have forbidden any of the three: the kind of key, the hash, or the two
 * together. What is forbidden system-wide (update-crypto-policies, or a database's own line) must not come back because
 * this program has a chain builder of its own. */
static bool policy_allows_algorithm(const struct pkix_algorithm *algorithm, const struct mechanism_row *row)
{
    SECOidTag combined = algorithm->padding == PKIX_PADDING_PSS ? SEC_OID_PKCS1_RSA_PSS_SIGNATURE
                         : algorithm->key_type == PKIX_KEY_RSA  ? row->rsa_tag
                                                                : row->ecdsa_tag;
    SECOidTag key = algorithm->key_type == PKIX_KEY_RSA ? SEC_OID_PKCS1_RSA_ENCRYPTION : SEC_OID_ANSIX962_EC_PUBLIC_KEY;

    return policy_allows(key) && policy_allows(row->digest_tag) && policy_allows(combined);
}

/* PKCS#11 has r and s of one length, the field's. A longer number is refused here, before it is copied. */
static bool put_fixed(struct span number, uint8_t *out, size_t size)
{
    if (number.size > size)
        return false;
    memset(out, 0, size - number.size);
    memcpy(out + size - number.size, number.data, number.size);
    return true;
}

/* r || s, as PKCS#11 has it. From the strict reader (RFC 5480 appendix A, positive numbers): one that is negative or
 * zero never gets here, so r = s = 0 does not either (CVE-2022-21449). */
static bool unpack_ecdsa(struct span signature, size_t field_size, uint8_t *out)
{
    struct span r, s;

    return pkix_ecdsa_read(signature, &r, &s) && put_fixed(r, out, field_size) &&
           put_fixed(s, out + field_size, field_size);
}

/* In a verification pkix_key_read() has read it before: a named curve, an uncompressed point, sizes within bounds. So
 * NSS's decoder is given no form that we have not seen. */
static SECKEYPublicKey *public_key_of(struct span spki)
{
    SECItem item = item_of(spki);
    SCOPED_SPKI decoded = SECKEY_DecodeDERSubjectPublicKeyInfo(&item);

    return decoded == NULL ? NULL : SECKEY_ExtractPublicKey(decoded);
}

/* A signature in the form PKCS#11 takes. */
struct check {
    CK_MECHANISM_TYPE mechanism;
    SECItem params; /* .data NULL: none */
    SECItem signature, data;
};

/* SECSuccess and nothing else is good. An error of the token, a key it does not take, a call that was interrupted: all
 * of them are "bad" (CVE-2014-0092 was an error read as success). */
static bool is_good(SECKEYPublicKey *key, struct check *check)
{
    return PK11_VerifyWithMechanism(key, check->mechanism, check->params.data == NULL ? NULL : &check->params,
                                    &check->signature, &check->data, NULL) == SECSuccess;
}

/* With a key that was kept. False: there is none, or its token could not judge, which is no verdict on the signature.
 */
static bool verify_with_kept(struct pkix_nss_keys *keys, const uint8_t *digest, struct check *check,
                             enum pkix_error *error)
{
    struct pkix_nss_key kept;
    bool judged;

    if (!pkix_nss_keys_take(keys, digest, &kept))
        return false;
    *error = is_good(kept.key, check) ? PKIX_OK : PKIX_BAD_SIGNATURE;
    judged = *error == PKIX_OK || PORT_GetError() == SEC_ERROR_BAD_SIGNATURE;
    pkix_nss_keys_give_back(keys, &kept);
    return judged;
}

/* By the digest of the whole SubjectPublicKeyInfo, with algorithm and curve, so that the same bits under another
 * algorithm are another key. Kept only after a good signature (pkix/nss_keys.h), and where it cannot be hashed nothing
 * is looked up or kept. */
static enum pkix_error verify_with_key(struct pkix_nss_keys *keys, struct span spki, struct check *check)
{
    uint8_t digest[PKIX_NSS_KEYS_DIGEST_SIZE];
    enum pkix_error error;
    SECKEYPublicKey *key;

    if (keys != NULL && !pkix_nss_digest(PKIX_SHA256, spki, digest))
        keys = NULL;
    if (keys != NULL && verify_with_kept(keys, digest, check, &error))
        return error;
    key = public_key_of(spki);
    if (key == NULL)
        return PKIX_UNSUPPORTED_KEY;
    error = is_good(key, check) ? PKIX_OK : PKIX_BAD_SIGNATURE;
    if (keys != NULL && error == PKIX_OK)
        pkix_nss_keys_keep(keys, digest, key);
    else
        SECKEY_DestroyPublicKey(key);
    return error;
}

enum pkix_error pkix_nss_verify(const struct pkix_signed *statement, struct span spki, struct pkix_nss_keys *keys)
{
    uint8_t ecdsa[EC_SIGNATURE_SIZE_MAX], digest[PKIX_DIGEST_SIZE_MAX];
    struct pkix_algorithm algorithm;
    struct pkix_key key;
    const struct mechanism_row *row;
    CK_RSA_PKCS_PSS_PARAMS pss;
    struct check check = {.mechanism = CKM_INVALID_MECHANISM,
                          .signature = item_of(statement->signature),
                          .data = item_of(statement->data)};
    unsigned cost_us;
    enum pkix_error error;

    /* Before NSS sees it: what cannot be a signature of that key (CVE-2021-43527, CVE-2022-21449). */
    if ((error = pkix_signature_look(statement, spki, &cost_us)) != PKIX_OK ||
        (error = pkix_algorithm_read(statement->algorithm, &algorithm)) != PKIX_OK ||
        (error = pkix_key_read(spki, &key)) != PKIX_OK)
        return error;
    /* Asked anew for each signature that is computed, since the policy is NSS's to change; and after the form, so that
     * what is malformed is called that and not forbidden. */
    row = &mechanisms[algorithm.digest];
    if (!policy_allows_algorithm(&algorithm, row))
        return PKIX_WEAK_SIGNATURE_ALGORITHM;
    switch (algorithm.padding) {
    case PKIX_PADDING_NONE:
        if (!unpack_ecdsa(statement->signature, (key.bits + 7) / 8, ecdsa))
            return PKIX_BAD_SIGNATURE;
        check.signature = (SECItem){.type = siBuffer, .data = ecdsa, .len = 2 * ((key.bits + 7) / 8)};
        /* Hashed here: every token has plain ECDSA, not every one the forms with a hash inside. */
        if (!pkix_nss_digest(algorithm.digest, statement->data, digest))
            return PKIX_INTERNAL;
        check.data = (SECItem){.type = siBuffer, .data = digest, .len = (unsigned)pkix_digest_size(algorithm.digest)};
        check.mechanism = CKM_ECDSA;
        break;
    case PKIX_PADDING_PKCS1:
        /* NSS makes the expected block and compares all of it (RFC 8017 section 8.2.2): what is behind a lax reading of
         * it was forged in 2006 and again in CVE-2014-1568. */
        check.mechanism = row->pkcs1;
        break;
    case PKIX_PADDING_PSS:
        check.mechanism = row->pss;
        /* The mask has the signature's own hash: read_pss() of pkix/key.c lets no other pass. The salt is checked to be
         * as long as it says (RFC 8017 section 9.1.2). */
        pss = (CK_RSA_PKCS_PSS_PARAMS){row->digest, row->mgf, algorithm.salt_size};
        check.params = (SECItem){.type = siBuffer, .data = (unsigned char *)&pss, .len = sizeof(pss)};
        break;
    }
    return verify_with_key(keys, spki, &check);
}

bool pkix_nss_takes_key(struct span spki)
{
    SCOPED_SLOT slot = PK11_GetInternalSlot();
    SCOPED_PUBLIC_KEY key = public_key_of(spki);

    /* NSS looks at a point when it makes an object of the key. The object goes with the key. */
    return slot != NULL && key != NULL && PK11_ImportPublicKey(slot, key, PR_FALSE) != CK_INVALID_HANDLE;
}

/* Sizes are signed 32-bit numbers to NSS: a longer text would be hashed in part, and two texts have one digest. */
bool pkix_nss_digest(enum pkix_digest digest, struct span data, uint8_t *out)
{
    return data.size <= INT32_MAX &&
           PK11_HashBuf(mechanisms[digest].digest_tag, out, data.data, (PRInt32)data.size) == SECSuccess;
}
