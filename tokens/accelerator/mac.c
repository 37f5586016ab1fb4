/* HMAC, and the Finished of TLS 1.2 (RFC 5246 section 7.4.9): see tokens/accelerator/signer.h */
#include "tokens/accelerator/signer.h"

enum { SERVER = 1, CLIENT = 2, MASTER_SIZE = 48, FINISHED_MAX = 64 };

static CK_RV hmac_start(struct accel_signing *s, const CK_MECHANISM *mechanism)
{
    if (mechanism->ulParameterLen != 0)
        return CKR_MECHANISM_PARAM_INVALID;
    accel_hmac_init(&s->u.hmac, accel_hash_find_hmac(mechanism->mechanism), s->key->value, s->key->value_size);
    return CKR_OK;
}

static size_t hmac_size(const struct accel_signing *s)
{
    return s->u.hmac.outer.hash->size;
}

static CK_RV hmac_update(struct accel_signing *s, const uint8_t *data, size_t size)
{
    accel_hmac_update(&s->u.hmac, data, size);
    return CKR_OK;
}

static void hmac_finish(struct accel_signing *s, uint8_t *out)
{
    accel_hmac_final(&s->u.hmac, out);
}

const struct accel_signer accel_signer_hmac = {
    .sign_class = CKO_SECRET_KEY,
    .verify_class = CKO_SECRET_KEY,
    .start = hmac_start,
    .size = hmac_size,
    .update = hmac_update,
    .finish = hmac_finish,
};

static CK_RV finished_start(struct accel_signing *s, const CK_MECHANISM *mechanism)
{
    const CK_TLS_MAC_PARAMS *params = ACCEL_PARAMETER(mechanism, CK_TLS_MAC_PARAMS);

    if (params == NULL || params->ulMacLength == 0 || params->ulMacLength > FINISHED_MAX)
        return CKR_MECHANISM_PARAM_INVALID;
    if (params->ulServerOrClient != SERVER && params->ulServerOrClient != CLIENT)
        return CKR_MECHANISM_PARAM_INVALID;
    s->u.finished.hash = accel_hash_find(params->prfHashMechanism);
    if (s->u.finished.hash == NULL)
        return CKR_MECHANISM_PARAM_INVALID;
    if (s->key->value_size != MASTER_SIZE)
        return CKR_KEY_SIZE_RANGE;
    s->u.finished.size = params->ulMacLength;
    s->u.finished.label = params->ulServerOrClient == SERVER ? "server finished" : "client finished";
    return CKR_OK;
}

static size_t finished_size(const struct accel_signing *s)
{
    return s->u.finished.size;
}

static CK_RV finished_update(struct accel_signing *s, const uint8_t *data, size_t size)
{
    if (size > ACCEL_FINISHED_DATA_MAX - s->u.finished.data_size)
        return CKR_DATA_LEN_RANGE;
    if (size != 0)
        memcpy(s->u.finished.data + s->u.finished.data_size, data, size);
    s->u.finished.data_size += size;
    return CKR_OK;
}

static void finished_finish(struct accel_signing *s, uint8_t *out)
{
    struct accel_prf_input input = {
        .secret = s->key->value,
        .secret_size = s->key->value_size,
        .label = s->u.finished.label,
        .first = s->u.finished.data,
        .first_size = s->u.finished.data_size,
    };

    accel_prf(s->u.finished.hash, &input, out, s->u.finished.size);
}

const struct accel_signer accel_signer_finished = {
    .sign_class = CKO_SECRET_KEY,
    .verify_class = CKO_SECRET_KEY,
    .start = finished_start,
    .size = finished_size,
    .update = finished_update,
    .finish = finished_finish,
};
