/* tokens/accelerator/derive.h: what C_DeriveKey() can do, each in its file.
 *
 * A derivation is given its mechanism with the right number, the base key with its class and use checked, and the
 * template; it checks the rest, and sets *made to a new object without a handle. */
#ifndef YETT_TOKENS_ACCELERATOR_DERIVE_H
#define YETT_TOKENS_ACCELERATOR_DERIVE_H

#include "tokens/accelerator/object.h"
#include "tokens/accelerator/session.h"

struct accel_derivation {
    const CK_MECHANISM *mechanism;
    const struct accel_object *base;
    const struct accel_template *template;
    struct accel_session *session; /* for derivations that publish more than one key */
};

CK_RV accel_derive_ecdh(const struct accel_derivation *d, struct accel_object **made);  /* ecdh.c */
CK_RV accel_derive_hkdf(const struct accel_derivation *d, struct accel_object **made);  /* hkdf.c */
CK_RV accel_derive_tls12(const struct accel_derivation *d, struct accel_object **made); /* tls12.c: the master secret */

/* tls12.c: the keys of both directions, which it publishes itself; *made stays NULL. */
CK_RV accel_derive_tls12_keys(const struct accel_derivation *d, struct accel_object **made);

#endif
