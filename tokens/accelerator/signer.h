/* tokens/accelerator/signer.h: what signs, and what checks signatures: MACs, ECDSA and RSA.
 *
 * C_Sign...() and C_Verify...() are the same for all (sign.c). A *signer* is a table of functions for one kind of
 * signature. A MAC takes its data in pieces; a signature with a private key takes a digest that NSS has computed, at
 * once. */
#ifndef YETT_TOKENS_ACCELERATOR_SIGNER_H
#define YETT_TOKENS_ACCELERATOR_SIGNER_H

#include "tokens/accelerator/hash.h"
#include "tokens/accelerator/key.h"
#include "tokens/accelerator/object.h"

enum {
    ACCEL_SIGNATURE_MAX = ACCEL_RSA_BYTES_MAX,
    ACCEL_FINISHED_DATA_MAX = 128, /* what the Finished of TLS 1.2 is made over: a hash */
};

struct accel_signing;

struct accel_signer {
    CK_OBJECT_CLASS sign_class, verify_class; /* of the key */
    /* Check the mechanism's parameter and the key, and set up. */
    CK_RV (*start)(struct accel_signing *s, const CK_MECHANISM *mechanism);
    /* Bytes of a signature with this key. */
    size_t (*size)(const struct accel_signing *s);
    /* MACs: take data, and give the MAC: size() bytes. NULL for others. */
    CK_RV (*update)(struct accel_signing *s, const uint8_t *data, size_t size);
    void (*finish)(struct accel_signing *s, uint8_t *out);
    /* Others: sign a digest, giving size() bytes; check a signature of any size. NULL for MACs. */
    CK_RV (*sign)(struct accel_signing *s, const uint8_t *data, size_t size, uint8_t *out);
    CK_RV(*verify)
    (struct accel_signing *s, const uint8_t *data, size_t size, const uint8_t *signature, size_t signature_size);
};

/* One signature or check under way. */
struct accel_signing {
    const struct accel_signer *signer;
    struct accel_object *key;
    union {
        struct accel_hmac hmac;
        struct {
            const struct accel_hash *hash;
            const char *label;
            size_t size, data_size;
            uint8_t data[ACCEL_FINISHED_DATA_MAX];
        } finished;
        struct {
            bool pss;
            CK_RSA_PKCS_PSS_PARAMS params;
        } rsa;
    } u;
};

/* By mechanism, or NULL. */
const struct accel_signer *accel_signer_find(CK_MECHANISM_TYPE mechanism);

extern const struct accel_signer accel_signer_hmac;     /* mac.c */
extern const struct accel_signer accel_signer_finished; /* mac.c: CKM_TLS_MAC */
extern const struct accel_signer accel_signer_ecdsa;    /* ecdsa.c */
extern const struct accel_signer accel_signer_rsa;      /* rsa.c: PKCS #1 1.5 and PSS */

#endif
