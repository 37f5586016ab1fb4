/* tokens/shim/shim_objects.h: the objects of one identity, as the shim shows them: a private key that only signs, its
 * public key, its certificate, and the certificates above it. Built once, then constant. */
#ifndef YETT_TOKENS_SHIM_SHIM_OBJECTS_H
#define YETT_TOKENS_SHIM_SHIM_OBJECTS_H

#include "tokens/wire.h"
#include <p11-kit/pkcs11.h>

enum { SHIM_ATTRIBUTES_MAX = 28, SHIM_OBJECTS_MAX = 3 + TOKENS_WIRE_CHAIN_MAX };

struct shim_object {
    CK_ATTRIBUTE attributes[SHIM_ATTRIBUTES_MAX]; /* values owned */
    size_t count;
};

struct shim_objects {
    struct shim_object objects[SHIM_OBJECTS_MAX];
    size_t count;
};

enum { SHIM_PRIVATE_KEY_INDEX = 0 };

void shim_objects_build(struct shim_objects *objects, const struct tokens_wire_identity *identity);
void shim_objects_clear(struct shim_objects *objects);

/* NULL when the object has it not. */
const CK_ATTRIBUTE *shim_object_attribute(const struct shim_object *object, CK_ATTRIBUTE_TYPE type);

/* Whether all of the template is there with the same values. */
bool shim_object_matches(const struct shim_object *object, const CK_ATTRIBUTE *wanted, size_t count);

/* C_GetAttributeValue(). */
CK_RV shim_object_read(const struct shim_object *object, CK_ATTRIBUTE *wanted, size_t count);

#endif
