/* TLS 1.2's master secret and its keys, RFC 5246 sections 6.3 and 8.1 and RFC 7627: see tokens/accelerator/derive.h */
#include "tokens/accelerator/derive.h"
#include "tokens/accelerator/hash.h"
#include "tokens/accelerator/secret.h"

enum {
    MASTER_SIZE = 48,
    RANDOM_SIZE = 32,
    MAC_BITS_MAX = 512,
    KEY_BITS_MAX = 256,
    IV_BITS_MAX = 128,
    BLOCK_MAX = 2 * (MAC_BITS_MAX + KEY_BITS_MAX + IV_BITS_MAX) / 8,
};

static bool has_randoms(const CK_SSL3_RANDOM_DATA *randoms)
{
    return randoms->pClientRandom != NULL && randoms->ulClientRandomLen == RANDOM_SIZE &&
           randoms->pServerRandom != NULL && randoms->ulServerRandomLen == RANDOM_SIZE;
}

/* What the two forms of parameters come to. */
struct master_input {
    const struct accel_hash *hash;
    struct accel_prf_input prf;
    CK_VERSION *version;
};

static bool read_plain(const CK_MECHANISM *mechanism, struct master_input *input)
{
    const CK_TLS12_MASTER_KEY_DERIVE_PARAMS *params = ACCEL_PARAMETER(mechanism, CK_TLS12_MASTER_KEY_DERIVE_PARAMS);

    if (params == NULL || !has_randoms(&params->RandomInfo))
        return false;
    input->hash = accel_hash_find(params->prfHashMechanism);
    input->version = params->pVersion;
    input->prf.label = "master secret";
    input->prf.first = params->RandomInfo.pClientRandom;
    input->prf.first_size = RANDOM_SIZE;
    input->prf.second = params->RandomInfo.pServerRandom;
    input->prf.second_size = RANDOM_SIZE;
    return input->hash != NULL;
}

static bool read_extended(const CK_MECHANISM *mechanism, struct master_input *input)
{
    const CK_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_PARAMS *params =
        ACCEL_PARAMETER(mechanism, CK_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_PARAMS);

    if (params == NULL || params->pSessionHash == NULL)
        return false;
    input->hash = accel_hash_find(params->prfHashMechanism);
    input->version = params->pVersion;
    input->prf.label = "extended master secret";
    input->prf.first = params->pSessionHash;
    input->prf.first_size = params->ulSessionHashLen;
    return input->hash != NULL && params->ulSessionHashLen == input->hash->size;
}

/* Without DH in its name the premaster secret is RSA's, which begins with the client's version. */
CK_RV accel_derive_tls12(const struct accel_derivation *d, struct accel_object **made)
{
    CK_MECHANISM_TYPE type = d->mechanism->mechanism;
    bool extended = type == CKM_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE || type == CKM_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_DH;
    bool rsa = type == CKM_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE || type == CKM_TLS12_MASTER_KEY_DERIVE;
    struct master_input input = {.prf = {.secret = d->base->value, .secret_size = d->base->value_size}};
    CK_RV rv;

    if (!(extended ? read_extended(d->mechanism, &input) : read_plain(d->mechanism, &input)))
        return CKR_MECHANISM_PARAM_INVALID;
    if (rsa && d->base->value_size != MASTER_SIZE)
        return CKR_KEY_SIZE_RANGE;
    rv = accel_secret_create(d->template, MASTER_SIZE, made);
    if (rv == CKR_OK && (*made)->value_size != MASTER_SIZE)
        rv = CKR_KEY_SIZE_RANGE;
    if (rv != CKR_OK) {
        accel_object_put(made);
        return rv;
    }
    accel_prf(input.hash, &input.prf, (*made)->value, MASTER_SIZE);
    if (rsa && input.version != NULL)
        *input.version = (CK_VERSION){d->base->value[0], d->base->value[1]};
    return CKR_OK;
}

/* The key block, cut as RFC 5246 section 6.3 says. */
struct key_block {
    uint8_t bytes[BLOCK_MAX];
    size_t mac_size, key_size, iv_size;
};

/* One secret of the block: none, which is CKR_OK, when it has no bytes. */
static CK_RV cut(const struct accel_template *template, const uint8_t *bytes, size_t size, struct accel_object **made)
{
    CK_RV rv;

    if (size == 0)
        return CKR_OK;
    rv = accel_secret_create(template, size, made);
    if (rv == CKR_OK && (*made)->value_size != size) {
        accel_object_put(made);
        return CKR_TEMPLATE_INCONSISTENT;
    }
    if (rv == CKR_OK)
        memcpy((*made)->value, bytes, size);
    return rv;
}

/* A cipher with authentication has no MAC's key, but libssl takes one all the same, and is given one that is empty and
 * of no use. */
static CK_RV cut_mac_key(const uint8_t *bytes, size_t size, struct accel_object **made)
{
    static const struct accel_template any; /* of no type, and for all uses */

    if (size != 0)
        return cut(&any, bytes, size, made);
    *made = accel_object_create(CKO_SECRET_KEY, CKK_GENERIC_SECRET, 0);
    (*made)->uses = 0;
    (*made)->extractable = false;
    return CKR_OK;
}

static void hand_out(struct accel_session *session, struct accel_object *made, CK_OBJECT_HANDLE *handle)
{
    *handle = CK_INVALID_HANDLE;
    if (made != NULL)
        accel_object_publish(session, made, handle);
}

static CK_RV cut_all(const struct accel_derivation *d, const struct key_block *block, CK_SSL3_KEY_MAT_OUT *out)
{
    const uint8_t *keys = block->bytes + 2 * block->mac_size, *ivs = keys + 2 * block->key_size;
    struct accel_object *made[4] = {NULL};
    CK_RV rv = cut_mac_key(block->bytes, block->mac_size, &made[0]);

    if (rv == CKR_OK)
        rv = cut_mac_key(block->bytes + block->mac_size, block->mac_size, &made[1]);
    if (rv == CKR_OK)
        rv = cut(d->template, keys, block->key_size, &made[2]);
    if (rv == CKR_OK)
        rv = cut(d->template, keys + block->key_size, block->key_size, &made[3]);
    if (rv != CKR_OK) {
        for (size_t i = 0; i < ARRAY_LEN(made); i++)
            accel_object_put(&made[i]);
        return rv;
    }
    hand_out(d->session, made[0], &out->hClientMacSecret);
    hand_out(d->session, made[1], &out->hServerMacSecret);
    hand_out(d->session, made[2], &out->hClientKey);
    hand_out(d->session, made[3], &out->hServerKey);
    if (block->iv_size != 0) {
        memcpy(out->pIVClient, ivs, block->iv_size);
        memcpy(out->pIVServer, ivs + block->iv_size, block->iv_size);
    }
    return CKR_OK;
}

static bool are_sound(const CK_TLS12_KEY_MAT_PARAMS *params)
{
    const CK_SSL3_KEY_MAT_OUT *out = params->pReturnedKeyMaterial;

    return has_randoms(&params->RandomInfo) && out != NULL && !params->bIsExport &&
           params->ulMacSizeInBits <= MAC_BITS_MAX && params->ulKeySizeInBits <= KEY_BITS_MAX &&
           params->ulIVSizeInBits <= IV_BITS_MAX && params->ulMacSizeInBits % 8 == 0 &&
           params->ulKeySizeInBits % 8 == 0 && params->ulIVSizeInBits % 8 == 0 &&
           (params->ulIVSizeInBits == 0 || (out->pIVClient != NULL && out->pIVServer != NULL));
}

CK_RV accel_derive_tls12_keys(const struct accel_derivation *d, struct accel_object **made)
{
    const CK_TLS12_KEY_MAT_PARAMS *params = ACCEL_PARAMETER(d->mechanism, CK_TLS12_KEY_MAT_PARAMS);
    const struct accel_hash *hash = params == NULL ? NULL : accel_hash_find(params->prfHashMechanism);
    struct accel_prf_input prf = {.secret = d->base->value, .secret_size = d->base->value_size};
    struct key_block block;
    CK_RV rv;

    *made = NULL;
    if (hash == NULL || !are_sound(params))
        return CKR_MECHANISM_PARAM_INVALID;
    if (d->base->value_size != MASTER_SIZE)
        return CKR_KEY_SIZE_RANGE;
    prf.label = "key expansion";
    prf.first = params->RandomInfo.pServerRandom;
    prf.second = params->RandomInfo.pClientRandom;
    prf.first_size = prf.second_size = RANDOM_SIZE;
    block.mac_size = params->ulMacSizeInBits / 8;
    block.key_size = params->ulKeySizeInBits / 8;
    block.iv_size = params->ulIVSizeInBits / 8;
    accel_prf(hash, &prf, block.bytes, 2 * (block.mac_size + block.key_size + block.iv_size));
    rv = cut_all(d, &block, params->pReturnedKeyMaterial);
    base_wipe(&block, sizeof(block));
    return rv;
}
