/* tokens/accelerator/secret.h: secret keys: what size they have, and which keys serve for what. */
#ifndef YETT_TOKENS_ACCELERATOR_SECRET_H
#define YETT_TOKENS_ACCELERATOR_SECRET_H

#include "tokens/accelerator/object.h"

/* A new secret key as the template wants it, its value still zero. Its size is the first of: what the type of the key
 * fixes, CKA_VALUE_LEN, `natural`. CKR_TEMPLATE_INCOMPLETE where there is none of them (natural is 0),
 * CKR_KEY_SIZE_RANGE, CKR_ATTRIBUTE_VALUE_INVALID for a type that no secret key has. */
CK_RV accel_secret_create(const struct accel_template *template, size_t natural, struct accel_object **secret);

/* Data objects likewise, as CKM_HKDF_DATA gives them. */
CK_RV accel_secret_create_data(const struct accel_template *template, size_t natural, struct accel_object **data);

/* What a secret is derived from: a secret key or a data object (NSS has the zeros of RFC 8446 section 7.1 as data). As
 * accel_object_get_key(). */
CK_RV accel_secret_get_base(CK_OBJECT_HANDLE handle, struct accel_object **base);

/* Whether a secret of `size` bytes may be of the type. */
bool accel_secret_fits(CK_KEY_TYPE type, size_t size);

#endif
