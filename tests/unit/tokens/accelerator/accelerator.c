/* see accelerator.h */
#include "accelerator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const params_p256 = "06082a8648ce3d030107", *const params_p384 = "06052b81040022",
                  *const params_p521 = "06052b81040023", *const params_x25519 = "06092b06010401da470f01";

static struct {
    void *library;
    const CK_FUNCTION_LIST_3_0 *p11;
} loaded;

const CK_FUNCTION_LIST_3_0 *accelerator_load(void)
{
    CK_C_GetInterface get_interface;
    CK_INTERFACE *interface = NULL;
    CK_VERSION version = {3, 0};
    void *symbol;

    loaded.library = dlopen(TEST_ACCELERATOR, RTLD_NOW | RTLD_LOCAL);
    if (loaded.library == NULL)
        base_abort("%s", dlerror());
    symbol = dlsym(loaded.library, "C_GetInterface");
    memcpy(&get_interface, &symbol, sizeof(symbol));
    if (get_interface((CK_UTF8CHAR *)(uintptr_t) "PKCS 11", &version, &interface, 0) != CKR_OK)
        base_abort("no interface");
    loaded.p11 = interface->pFunctionList;
    if (loaded.p11->C_Initialize(NULL) != CKR_OK)
        base_abort("C_Initialize");
    return loaded.p11;
}

void accelerator_unload(void)
{
    if (loaded.p11->C_Finalize(NULL) != CKR_OK)
        base_abort("C_Finalize");
    dlclose(loaded.library);
}

CK_SESSION_HANDLE accelerator_open(void)
{
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE;

    if (loaded.p11->C_OpenSession(ACCELERATOR_SLOT, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s) != CKR_OK)
        base_abort("C_OpenSession");
    return s;
}

struct bytes hex(const char *text)
{
    static CK_BYTE buffers[16][HEX_MAX];
    static unsigned turn;
    CK_BYTE *out = buffers[turn++ % ARRAY_LEN(buffers)];
    size_t size = strlen(text) / 2;

    assert(size <= HEX_MAX);
    for (size_t i = 0; i < size; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};

        out[i] = (CK_BYTE)strtoul(pair, NULL, 16);
    }
    return (struct bytes){out, size};
}

CK_OBJECT_HANDLE accelerator_secret(CK_SESSION_HANDLE s, CK_KEY_TYPE type, struct bytes value)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)}, {CKA_VALUE, value.data, value.size}};
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;

    assert_int_equal(loaded.p11->C_CreateObject(s, template, ARRAY_LEN(template), &key), CKR_OK);
    return key;
}

CK_RV accelerator_ec(CK_SESSION_HANDLE s, CK_OBJECT_CLASS class, struct bytes params, struct bytes value,
                     CK_OBJECT_HANDLE *key)
{
    CK_KEY_TYPE type = CKK_EC;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_KEY_TYPE, &type, sizeof(type)},
        {CKA_EC_PARAMS, params.data, params.size},
        {class == CKO_PRIVATE_KEY ? CKA_VALUE : CKA_EC_POINT, value.data, value.size},
    };

    return loaded.p11->C_CreateObject(s, template, ARRAY_LEN(template), key);
}

struct bytes accelerator_value(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG size)
{
    CK_ATTRIBUTE value = {CKA_VALUE, out, size};

    assert_int_equal(loaded.p11->C_GetAttributeValue(s, key, &value, 1), CKR_OK);
    return (struct bytes){out, value.ulValueLen};
}

void assert_bytes(struct bytes got, const char *want_hex)
{
    struct bytes want = hex(want_hex);

    assert_int_equal(got.size, want.size);
    if (want.size != 0)
        assert_memory_equal(got.data, want.data, want.size);
}
