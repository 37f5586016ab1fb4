/* see tokens/shim/shim_module.h */
#include "tokens/shim/shim_module.h"

#include <stdio.h>

CK_RV shim_get_slot_list(CK_BBOOL token_present, CK_SLOT_ID *list, CK_ULONG *count)
{
    CK_ULONG room = *count;

    (void)token_present; /* there is a token in each, always */
    *count = shim_state.slot_count;
    if (list == NULL)
        return CKR_OK;
    if (room < shim_state.slot_count)
        return CKR_BUFFER_TOO_SMALL;
    for (size_t i = 0; i < shim_state.slot_count; i++)
        list[i] = i;
    return CKR_OK;
}

CK_RV shim_get_slot_info(CK_SLOT_ID id, CK_SLOT_INFO *info)
{
    if (id >= shim_state.slot_count)
        return CKR_SLOT_ID_INVALID;
    *info = (CK_SLOT_INFO){.flags = CKF_TOKEN_PRESENT};
    shim_pad(info->slotDescription, sizeof(info->slotDescription), shim_state.slots[id].uri);
    shim_pad(info->manufacturerID, sizeof(info->manufacturerID), "yett");
    return CKR_OK;
}

CK_RV shim_get_token_info(CK_SLOT_ID id, CK_TOKEN_INFO *info)
{
    char label[sizeof(info->label) + 1], serial[sizeof(info->serialNumber) + 1];
    struct span name;

    if (id >= shim_state.slot_count)
        return CKR_SLOT_ID_INVALID;
    *info = (CK_TOKEN_INFO){
        .flags = CKF_TOKEN_INITIALIZED | CKF_WRITE_PROTECTED,
        .ulMaxSessionCount = CK_EFFECTIVELY_INFINITE,
        .ulSessionCount = CK_UNAVAILABLE_INFORMATION,
        .ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE,
        .ulRwSessionCount = CK_UNAVAILABLE_INFORMATION,
        .ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION,
        .ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION,
        .ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION,
    };
    /* Labels must differ, or NSS takes one for the other; the number comes first because the rest may be cut off. */
    name = shim_state.slots[id].identity.token_label;
    snprintf(label, sizeof(label), "%zu %.*s", (size_t)id, (int)name.size, (const char *)name.data);
    snprintf(serial, sizeof(serial), "%016llx", (unsigned long long)shim_state.slots[id].key_tag);
    shim_pad(info->label, sizeof(info->label), label);
    shim_pad(info->serialNumber, sizeof(info->serialNumber), serial);
    shim_pad(info->manufacturerID, sizeof(info->manufacturerID), "yett");
    shim_pad(info->model, sizeof(info->model), "token shim");
    return CKR_OK;
}

/* see tokens/shim/shim_module.h */
const struct shim_mechanism shim_mechanisms[SHIM_MECHANISM_COUNT] = {
    {TOKENS_WIRE_ECDSA, CKM_ECDSA},
    {TOKENS_WIRE_RSA_PKCS1, CKM_RSA_PKCS},
    {TOKENS_WIRE_RSA_PSS, CKM_RSA_PKCS_PSS},
};

/* see tokens/shim/shim_module.h */
bool shim_slot_can(const struct shim_slot *slot, const struct shim_mechanism *mechanism)
{
    return (slot->identity.mechanisms & 1U << mechanism->wire) != 0;
}

CK_RV shim_get_mechanism_list(CK_SLOT_ID id, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
    CK_ULONG room = *count, have = 0;

    if (id >= shim_state.slot_count)
        return CKR_SLOT_ID_INVALID;
    for (size_t i = 0; i < SHIM_MECHANISM_COUNT; i++) {
        if (!shim_slot_can(&shim_state.slots[id], &shim_mechanisms[i]))
            continue;
        if (list != NULL && have < room)
            list[have] = shim_mechanisms[i].type;
        have++;
    }
    *count = have;
    return list != NULL && have > room ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

/* In bits: of the modulus, or of the curve's order. */
static size_t key_bits(const struct tokens_wire_identity *identity)
{
    size_t point;

    switch (identity->key_type) {
    case TOKENS_WIRE_KEY_RSA:
        return identity->modulus.size * 8;
    case TOKENS_WIRE_KEY_EC:
        /* A DER OCTET STRING around 0x04, X and Y: 67, 99 or 136 bytes in all. */
        point = identity->ec_point.size;
        return point <= 67 ? 256 : point <= 99 ? 384 : 521;
    }
    return 0;
}

/* see tokens/shim/shim_module.h */
size_t shim_signature_size(const struct tokens_wire_identity *identity)
{
    size_t bytes = (key_bits(identity) + 7) / 8;

    return identity->key_type == TOKENS_WIRE_KEY_EC ? 2 * bytes : bytes;
}

CK_RV shim_get_mechanism_info(CK_SLOT_ID id, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    if (id >= shim_state.slot_count)
        return CKR_SLOT_ID_INVALID;
    for (size_t i = 0; i < SHIM_MECHANISM_COUNT; i++) {
        if (shim_mechanisms[i].type != type || !shim_slot_can(&shim_state.slots[id], &shim_mechanisms[i]))
            continue;
        *info = (CK_MECHANISM_INFO){.ulMinKeySize = key_bits(&shim_state.slots[id].identity),
                                    .ulMaxKeySize = key_bits(&shim_state.slots[id].identity),
                                    .flags = CKF_SIGN};
        return CKR_OK;
    }
    return CKR_MECHANISM_INVALID;
}
