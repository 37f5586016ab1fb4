/* C_DeriveKey(): see tokens/accelerator/derive.h */
#include "tokens/accelerator/derive.h"
#include "tokens/accelerator/secret.h"

enum base_kind { BASE_PRIVATE_KEY, BASE_SECRET };

static const struct {
    CK_MECHANISM_TYPE mechanism;
    enum base_kind base;
    CK_RV (*derive)(const struct accel_derivation *d, struct accel_object **made);
} derivations[] = {
    {CKM_ECDH1_DERIVE, BASE_PRIVATE_KEY, accel_derive_ecdh},
    {CKM_HKDF_DERIVE, BASE_SECRET, accel_derive_hkdf},
    {CKM_HKDF_DATA, BASE_SECRET, accel_derive_hkdf},
    {CKM_TLS12_MASTER_KEY_DERIVE, BASE_SECRET, accel_derive_tls12},
    {CKM_TLS12_MASTER_KEY_DERIVE_DH, BASE_SECRET, accel_derive_tls12},
    {CKM_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE, BASE_SECRET, accel_derive_tls12},
    {CKM_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_DH, BASE_SECRET, accel_derive_tls12},
    {CKM_TLS12_KEY_AND_MAC_DERIVE, BASE_SECRET, accel_derive_tls12_keys},
};

static CK_RV derive(struct accel_derivation *d, CK_OBJECT_HANDLE base_handle, struct accel_object **made)
{
    struct accel_object *base = NULL;
    CK_RV rv = CKR_MECHANISM_INVALID;

    for (size_t i = 0; i < ARRAY_LEN(derivations); i++) {
        if (derivations[i].mechanism != d->mechanism->mechanism)
            continue;
        rv = derivations[i].base == BASE_SECRET
                 ? accel_secret_get_base(base_handle, &base)
                 : accel_object_get_key(base_handle, CKO_PRIVATE_KEY, ACCEL_USE_DERIVE, &base);
        d->base = base;
        if (rv == CKR_OK)
            rv = derivations[i].derive(d, made);
        break;
    }
    accel_object_put(&base);
    return rv;
}

CK_RV C_DeriveKey(CK_SESSION_HANDLE session_handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
                  CK_ATTRIBUTE *attributes, CK_ULONG count, CK_OBJECT_HANDLE *handle)
{
    struct accel_derivation d = {.mechanism = mechanism};
    struct accel_template template;
    struct accel_object *made = NULL;
    CK_RV rv;

    if (mechanism == NULL)
        return CKR_ARGUMENTS_BAD;
    /* Only the keys of TLS 1.2 go elsewhere. */
    if (handle == NULL && mechanism->mechanism != CKM_TLS12_KEY_AND_MAC_DERIVE)
        return CKR_ARGUMENTS_BAD;
    rv = accel_session_get(session_handle, &d.session);
    if (rv == CKR_OK)
        rv = accel_template_init(&template, attributes, count);
    d.template = &template;
    if (rv == CKR_OK)
        rv = derive(&d, base, &made);
    if (rv == CKR_OK && made != NULL)
        accel_object_publish(d.session, made, handle);
    accel_session_put(&d.session);
    return rv;
}
