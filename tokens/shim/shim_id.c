/* see tokens/shim/shim_internal.h */
#include "tokens/shim/shim_internal.h"
#include "tokens/wire.h"

/* see tokens/shim/shim_internal.h */
size_t shim_object_id(const struct tokens_wire_identity *identity, uint8_t id[SHIM_ID_MAX])
{
    uint64_t tag = tokens_wire_key_tag(identity->spki);

    if (identity->id.size != 0 && identity->id.size <= SHIM_ID_MAX) {
        memcpy(id, identity->id.data, identity->id.size);
        return identity->id.size;
    }
    memcpy(id, &tag, sizeof(tag));
    return sizeof(tag);
}
