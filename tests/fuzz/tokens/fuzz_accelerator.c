/* The accelerator (tokens/accelerator/accelerator.h): sequences of PKCS #11 calls, with everything wrong that a caller
 * can do wrong. When all sessions are closed nothing may be left. */
#include "../fuzz.h"
#include "calls.h"

#include "tokens/accelerator/accelerator.h"

static const CK_FUNCTION_LIST_3_0 *start(void)
{
    static const CK_FUNCTION_LIST_3_0 *p11;
    CK_INTERFACE *interface = NULL;
    CK_VERSION version = {3, 0};

    if (p11 != NULL)
        return p11;
    FUZZ_CHECK(C_GetInterface((CK_UTF8CHAR *)(uintptr_t) "PKCS 11", &version, &interface, 0) == CKR_OK);
    p11 = interface->pFunctionList;
    FUZZ_CHECK(p11->C_Initialize(NULL) == CKR_OK);
    input_learn_points(p11);
    return p11;
}

static void expect_nothing_left(const CK_FUNCTION_LIST_3_0 *p11)
{
    CK_SESSION_HANDLE s;
    CK_OBJECT_HANDLE found;
    CK_ULONG count;

    FUZZ_CHECK(p11->C_CloseAllSessions(ACCELERATOR_SLOT) == CKR_OK);
    FUZZ_CHECK(p11->C_OpenSession(ACCELERATOR_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &s) == CKR_OK);
    FUZZ_CHECK(p11->C_FindObjectsInit(s, NULL, 0) == CKR_OK);
    FUZZ_CHECK(p11->C_FindObjects(s, &found, 1, &count) == CKR_OK && count == 0);
    FUZZ_CHECK(p11->C_CloseSession(s) == CKR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const CK_FUNCTION_LIST_3_0 *p11 = start();
    struct calls_handles handles = {.made = 0};

    calls_run(p11, &handles, CALLS_ALONE, span_of(data, size));
    expect_nothing_left(p11);
    return 0;
}
