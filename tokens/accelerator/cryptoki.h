/* tokens/accelerator/cryptoki.h: PKCS #11 3.0 as NSS's headers have it, and what each call of the module begins with.
 *
 * The functions of the interface have their standard names, C_Sign() and so on, in the file of their theme. They are
 * hidden in the shared object: whoever loads it gets them from C_GetInterface() or C_GetFunctionList() (module.c). */
#ifndef YETT_TOKENS_ACCELERATOR_CRYPTOKI_H
#define YETT_TOKENS_ACCELERATOR_CRYPTOKI_H

#include "base/base.h"

#include <seccomon.h>
#include <pkcs11.h>
#include <string.h>

enum { ACCEL_SLOT = 1 };

/* Whether C_Initialize() was called and C_Finalize() was not. From any thread. */
bool accel_is_initialized(void);

/* Copy `size` bytes to the caller of a function that gives bytes, by the convention of PKCS #11 section 5.2: with `out`
 * NULL only the size is told; a buffer that is too short is CKR_BUFFER_TOO_SMALL, with the size. */
CK_RV accel_give(const void *data, size_t size, CK_BYTE *out, CK_ULONG *out_size);

/* Whether a parameter that is `size` bytes at `data` can be read: NULL goes with none only. */
static inline bool accel_readable(const void *data, CK_ULONG size)
{
    return data != NULL || size == 0;
}

/* The parameter of a mechanism, when it is there and has the size of its type; otherwise NULL. */
#define ACCEL_PARAMETER(mechanism, type)                                                                               \
    ((mechanism)->pParameter != NULL && (mechanism)->ulParameterLen == sizeof(type) ? (type *)(mechanism)->pParameter  \
                                                                                    : NULL)

#endif
