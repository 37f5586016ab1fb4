/* yett-accelerator.so: the tables of functions, and the beginning and end of the module. See
 * tokens/accelerator/accelerator.h. */
#include "tokens/accelerator/accelerator.h"
#include "tokens/accelerator/crypto.h"
#include "tokens/accelerator/key.h"
#include "tokens/accelerator/object.h"
#include "tokens/accelerator/session.h"

/* C_Initialize() and C_Finalize() exclude each other; everything else only asks whether there was one. */
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool initialized;

bool accel_is_initialized(void)
{
    return atomic_load_explicit(&initialized, memory_order_acquire);
}

CK_RV accel_give(const void *data, size_t size, CK_BYTE *out, CK_ULONG *out_size)
{
    CK_ULONG room = *out_size;

    *out_size = size;
    if (out == NULL)
        return CKR_OK;
    if (room < size)
        return CKR_BUFFER_TOO_SMALL;
    memcpy(out, data, size);
    return CKR_OK;
}

/* NSS's one addition to the standard: a string from the module's specification. We know none. */
static bool has_parameters(const CK_C_INITIALIZE_ARGS *args)
{
    const char *text = args == NULL ? NULL : (const char *)args->LibraryParameters;

    return text != NULL && text[0] != '\0';
}

/* The locks are the system's: who allows only others cannot have us (PKCS #11 section 5.4). */
static CK_RV check_arguments(const CK_C_INITIALIZE_ARGS *args)
{
    bool all, none;

    if (args == NULL)
        return CKR_OK;
    all =
        args->CreateMutex != NULL && args->DestroyMutex != NULL && args->LockMutex != NULL && args->UnlockMutex != NULL;
    none =
        args->CreateMutex == NULL && args->DestroyMutex == NULL && args->LockMutex == NULL && args->UnlockMutex == NULL;
    if (!all && !none)
        return CKR_ARGUMENTS_BAD;
    return all && (args->flags & CKF_OS_LOCKING_OK) == 0 ? CKR_CANT_LOCK : CKR_OK;
}

CK_RV C_Initialize(void *arguments)
{
    CK_RV rv = check_arguments(arguments);

    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&life);
    if (accel_is_initialized()) {
        rv = CKR_CRYPTOKI_ALREADY_INITIALIZED;
    } else if (has_parameters(arguments)) {
        rv = CKR_ARGUMENTS_BAD;
    } else if (!accel_crypto_start()) {
        rv = CKR_FUNCTION_FAILED;
    } else {
        accel_objects_start();
        accel_sessions_start();
        atomic_store_explicit(&initialized, true, memory_order_release);
    }
    pthread_mutex_unlock(&life);
    return rv;
}

/* As PKCS #11 has it, no other call may be under way. */
CK_RV C_Finalize(void *reserved)
{
    CK_RV rv = CKR_OK;

    if (reserved != NULL)
        return CKR_ARGUMENTS_BAD;
    pthread_mutex_lock(&life);
    if (!accel_is_initialized()) {
        rv = CKR_CRYPTOKI_NOT_INITIALIZED;
    } else {
        atomic_store_explicit(&initialized, false, memory_order_release);
        accel_sessions_stop();
        accel_objects_stop();
        accel_keys_stop();
        accel_crypto_stop();
    }
    pthread_mutex_unlock(&life);
    return rv;
}

/* The tables: the names in NSS's list of functions, each with the function of that name. */
#define CK_PKCS11_FUNCTION_INFO(name) .name = name, /* NOLINT(bugprone-macro-parentheses): a member */
#define CK_PKCS11_3_0                 1

static CK_FUNCTION_LIST_3_0 functions_3_0 = {
    .version = {3, 0},
#include <pkcs11f.h>
};

#define CK_PKCS11_2_0_ONLY 1
static CK_FUNCTION_LIST functions_2_40 = {
    .version = {2, 40},
#include <pkcs11f.h>
};

#define STANDARD "PKCS 11"
static char interface_name[] = STANDARD;

static CK_INTERFACE interfaces[] = {
    {(CK_UTF8CHAR *)interface_name, &functions_3_0, 0},
    {(CK_UTF8CHAR *)interface_name, &functions_2_40, 0},
};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    if (list == NULL)
        return CKR_ARGUMENTS_BAD;
    *list = &functions_2_40;
    return CKR_OK;
}

CK_RV C_GetInterfaceList(CK_INTERFACE *list, CK_ULONG *count)
{
    CK_ULONG room;

    if (count == NULL)
        return CKR_ARGUMENTS_BAD;
    room = *count;
    *count = ARRAY_LEN(interfaces);
    if (list == NULL)
        return CKR_OK;
    if (room < ARRAY_LEN(interfaces))
        return CKR_BUFFER_TOO_SMALL;
    memcpy(list, interfaces, sizeof(interfaces));
    return CKR_OK;
}

/* Nothing here survives a fork (CKF_INTERFACE_FORK_SAFE): random numbers would be the same on both sides. */
CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **found, CK_FLAGS flags)
{
    if (found == NULL)
        return CKR_ARGUMENTS_BAD;
    if (flags != 0 || (name != NULL && strcmp((const char *)name, STANDARD) != 0))
        return CKR_FUNCTION_FAILED;
    for (size_t i = 0; i < ARRAY_LEN(interfaces); i++) {
        const CK_VERSION *has = interfaces[i].pFunctionList; /* each list begins with it */

        if (version == NULL || (version->major == has->major && version->minor == has->minor)) {
            *found = &interfaces[i];
            return CKR_OK;
        }
    }
    return CKR_FUNCTION_FAILED;
}
