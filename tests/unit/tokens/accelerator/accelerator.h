/* The accelerator as a test has it: loaded as NSS loads it, and short words for what tests do again and again. */
#ifndef YETT_TESTS_TOKENS_ACCELERATOR_H
#define YETT_TESTS_TOKENS_ACCELERATOR_H

#include "base/base.h"

#include <seccomon.h>
#include <pkcs11.h>

enum { ACCELERATOR_SLOT = 1, HEX_MAX = 65536 };

/* Load the module and C_Initialize() it; its functions. Aborts when it cannot be done. */
const CK_FUNCTION_LIST_3_0 *accelerator_load(void);
void accelerator_unload(void);

CK_SESSION_HANDLE accelerator_open(void);

/* Bytes of a hexadecimal string; the buffer is static and one of several in turn. */
struct bytes {
    CK_BYTE *data;
    CK_ULONG size;
};
struct bytes hex(const char *text);

/* Keys from their bytes. */
CK_OBJECT_HANDLE accelerator_secret(CK_SESSION_HANDLE s, CK_KEY_TYPE type, struct bytes value);
CK_RV accelerator_ec(CK_SESSION_HANDLE s, CK_OBJECT_CLASS class, struct bytes params, struct bytes value,
                     CK_OBJECT_HANDLE *key);

/* The value of a secret, in `out`. */
struct bytes accelerator_value(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG size);

/* assert_memory_equal() with sizes. */
void assert_bytes(struct bytes got, const char *want_hex);

extern const char *const params_p256, *const params_p384, *const params_p521, *const params_x25519;

#endif
