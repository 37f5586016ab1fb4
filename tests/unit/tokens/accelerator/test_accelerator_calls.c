/* The accelerator's contract: what a caller may do wrong, what becomes of handles and sessions, what can be read, and
 * many threads at once. */
#include "accelerator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

static const CK_FUNCTION_LIST_3_0 *p11;
static CK_SESSION_HANDLE s;

static int set_up(void **state)
{
    (void)state;
    p11 = accelerator_load();
    s = accelerator_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    accelerator_unload();
    return 0;
}

static const char key16[] = "000102030405060708090a0b0c0d0e0f";
static CK_MECHANISM sha256 = {CKM_SHA256, NULL, 0}, hmac = {CKM_SHA256_HMAC, NULL, 0}, gcm = {CKM_AES_GCM, NULL, 0},
                    ecdsa_mechanism = {CKM_ECDSA, NULL, 0}, ec_pair = {CKM_EC_KEY_PAIR_GEN, NULL, 0};

static void generate(CK_SESSION_HANDLE session, const char *params, CK_OBJECT_HANDLE *public_key,
                     CK_OBJECT_HANDLE *private_key)
{
    struct bytes encoded = hex(params);
    CK_ATTRIBUTE template = {CKA_EC_PARAMS, encoded.data, encoded.size};

    assert_int_equal(p11->C_GenerateKeyPair(session, &ec_pair, &template, 1, NULL, 0, public_key, private_key), CKR_OK);
}

static CK_RV read_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
    CK_BYTE value[512];
    CK_ATTRIBUTE attribute = {type, value, sizeof(value)};

    return p11->C_GetAttributeValue(s, object, &attribute, 1);
}

static void life(void **state)
{
    CK_SESSION_HANDLE session;
    CK_INFO info;

    (void)state;
    assert_int_equal(p11->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    assert_int_equal(p11->C_Finalize(&info), CKR_ARGUMENTS_BAD);
    assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
    assert_int_equal(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_int_equal(p11->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_int_equal(p11->C_OpenSession(ACCELERATOR_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &session),
                     CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_int_equal(p11->C_DigestInit(s, &sha256), CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
    assert_int_equal(p11->C_DigestInit(s, &sha256), CKR_SESSION_HANDLE_INVALID);
    s = accelerator_open();
}

/* Every mechanism that is listed has its information, and none that is not. */
static void mechanisms(void **state)
{
    CK_MECHANISM_TYPE list[64];
    CK_MECHANISM_INFO info;
    CK_ULONG count = 1;

    (void)state;
    assert_int_equal(p11->C_GetMechanismList(ACCELERATOR_SLOT, list, &count), CKR_BUFFER_TOO_SMALL);
    assert_true(count > 1 && count < ARRAY_LEN(list));
    assert_int_equal(p11->C_GetMechanismList(ACCELERATOR_SLOT, list, &count), CKR_OK);
    for (CK_ULONG i = 0; i < count; i++)
        assert_int_equal(p11->C_GetMechanismInfo(ACCELERATOR_SLOT, list[i], &info), CKR_OK);
    assert_int_equal(p11->C_GetMechanismInfo(ACCELERATOR_SLOT, CKM_MD5, &info), CKR_MECHANISM_INVALID);
    assert_int_equal(p11->C_GetMechanismInfo(ACCELERATOR_SLOT + 1, CKM_SHA256, &info), CKR_SLOT_ID_INVALID);
}

/* What NSS passes from a module's specification: nothing can be said there. */
static void parameters(void **state)
{
    static const struct {
        const char *text;
        CK_RV rv;
    } cases[] = {{"tls12=no", CKR_ARGUMENTS_BAD}, {"", CKR_OK}, {NULL, CKR_OK}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK,
                                     .LibraryParameters = (CK_CHAR_PTR *)(uintptr_t)cases[i].text};

        assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
        assert_int_equal(p11->C_Initialize(&args), cases[i].rv);
        if (cases[i].rv != CKR_OK)
            assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
    }
    s = accelerator_open();
}

static void bad_arguments(void **state)
{
    CK_BYTE out[64];
    CK_ULONG size = sizeof(out), wrong = 7;
    CK_OBJECT_HANDLE key = accelerator_secret(s, CKK_AES, hex(key16)), made;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE twice[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_CLASS, &class, sizeof(class)}};
    CK_ATTRIBUTE short_class = {CKA_CLASS, &class, 1}, no_value = {CKA_VALUE, NULL, 5};
    CK_ATTRIBUTE token = {CKA_TOKEN, &(CK_BBOOL){CK_TRUE}, 1};
    CK_MECHANISM bad_parameter = {CKM_HKDF_DERIVE, &wrong, sizeof(wrong)}, no_parameter = {CKM_TLS_MAC, NULL, 0};

    (void)state;
    assert_int_equal(p11->C_DigestInit(s, NULL), CKR_ARGUMENTS_BAD);
    assert_int_equal(p11->C_DigestInit(s, &hmac), CKR_MECHANISM_INVALID);
    assert_int_equal(p11->C_DigestFinal(s, out, &size), CKR_OPERATION_NOT_INITIALIZED);
    assert_int_equal(p11->C_SignInit(s, &hmac, key + 64), CKR_KEY_HANDLE_INVALID);
    assert_int_equal(p11->C_SignInit(s, &ecdsa_mechanism, key), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(p11->C_SignInit(s, &no_parameter, key), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(p11->C_CreateObject(s, twice, 2, &made), CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(p11->C_CreateObject(s, &short_class, 1, &made), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(p11->C_CreateObject(s, &no_value, 1, &made), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(p11->C_CreateObject(s, NULL, 3, &made), CKR_ARGUMENTS_BAD);
    assert_int_equal(p11->C_CreateObject(s, NULL, 0, &made), CKR_TEMPLATE_INCOMPLETE);
    assert_int_equal(p11->C_CopyObject(s, key, &token, 1, &made), CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(p11->C_DeriveKey(s, &bad_parameter, key, NULL, 0, &made), CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(p11->C_DeriveKey(s, &sha256, key, NULL, 0, &made), CKR_MECHANISM_INVALID);
    assert_int_equal(p11->C_OpenSession(ACCELERATOR_SLOT, 0, NULL, NULL, &made), CKR_SESSION_PARALLEL_NOT_SUPPORTED);
}

/* Points that are not on the curve, of a low order, or no points at all. */
static void bad_points(void **state)
{
    static const struct {
        const char *const *params;
        const char *point;
    } cases[] = {
        {&params_p256, "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
                       "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ac"},
        {&params_p256, "00"},
        {&params_p256, ""},
        {&params_x25519, "0000000000000000000000000000000000000000000000000000000000000000"},
        {&params_x25519, "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
        {&params_x25519, "00"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes point = hex(cases[i].point);
        CK_ECDH1_DERIVE_PARAMS params = {.kdf = CKD_NULL, .pPublicData = point.data, .ulPublicDataLen = point.size};
        CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &params, sizeof(params)};
        CK_OBJECT_HANDLE public_key, private_key, made;

        generate(s, *cases[i].params, &public_key, &private_key);
        assert_int_equal(p11->C_DeriveKey(s, &mechanism, private_key, NULL, 0, &made), CKR_MECHANISM_PARAM_INVALID);
    }
}

/* Of a private key nothing secret can be read, wrapped or copied into something that can. */
static void private_keys_stay(void **state)
{
    CK_OBJECT_HANDLE public_key, private_key, copy, wrapping = accelerator_secret(s, CKK_AES, hex(key16));
    CK_BBOOL no = CK_FALSE, yes = CK_TRUE;
    CK_ATTRIBUTE open[] = {{CKA_SENSITIVE, &no, 1}, {CKA_EXTRACTABLE, &yes, 1}};
    CK_MECHANISM ecb = {CKM_AES_ECB, NULL, 0};
    CK_BYTE out[256];
    CK_ULONG size = sizeof(out);

    (void)state;
    generate(s, params_p256, &public_key, &private_key);
    assert_int_equal(read_attribute(private_key, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
    assert_int_equal(p11->C_CopyObject(s, private_key, open, 2, &copy), CKR_OK);
    assert_int_equal(read_attribute(copy, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
    assert_int_equal(p11->C_SetAttributeValue(s, private_key, open, 2), CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(p11->C_WrapKey(s, &ecb, wrapping, private_key, out, &size), CKR_KEY_NOT_WRAPPABLE);
    assert_int_equal(read_attribute(public_key, CKA_EC_POINT), CKR_OK);
}

static void sensitive_secrets_stay(void **state)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BBOOL no = CK_FALSE, yes = CK_TRUE;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)},
                               {CKA_KEY_TYPE, &type, sizeof(type)},
                               {CKA_VALUE, hex(key16).data, 16},
                               {CKA_EXTRACTABLE, &no, 1}};
    CK_ATTRIBUTE open = {CKA_EXTRACTABLE, &yes, 1};
    CK_OBJECT_HANDLE key, copy, wrapping = accelerator_secret(s, CKK_AES, hex(key16));
    CK_MECHANISM ecb = {CKM_AES_ECB, NULL, 0};
    CK_BYTE out[256];
    CK_ULONG size = sizeof(out);

    (void)state;
    assert_int_equal(p11->C_CreateObject(s, template, ARRAY_LEN(template), &key), CKR_OK);
    assert_int_equal(read_attribute(key, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
    assert_int_equal(p11->C_CopyObject(s, key, &open, 1, &copy), CKR_OK);
    assert_int_equal(read_attribute(copy, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
    assert_int_equal(p11->C_WrapKey(s, &ecb, wrapping, copy, out, &size), CKR_KEY_UNEXTRACTABLE);
}

static void forbidden_uses(void **state)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BBOOL no = CK_FALSE;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)},
                               {CKA_KEY_TYPE, &type, sizeof(type)},
                               {CKA_VALUE, hex(key16).data, 16},
                               {CKA_SIGN, &no, 1},
                               {CKA_ENCRYPT, &no, 1},
                               {CKA_DERIVE, &no, 1}};
    CK_HKDF_PARAMS hkdf = {.bExtract = CK_TRUE, .prfHashMechanism = CKM_SHA256, .ulSaltType = CKF_HKDF_SALT_NULL};
    CK_MECHANISM derive = {CKM_HKDF_DERIVE, &hkdf, sizeof(hkdf)};
    CK_OBJECT_HANDLE key, made;

    (void)state;
    assert_int_equal(p11->C_CreateObject(s, template, ARRAY_LEN(template), &key), CKR_OK);
    assert_int_equal(p11->C_SignInit(s, &hmac, key), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_int_equal(p11->C_MessageEncryptInit(s, &gcm, key), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_int_equal(p11->C_DeriveKey(s, &derive, key, NULL, 0, &made), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_int_equal(p11->C_MessageDecryptInit(s, &gcm, key), CKR_OK);
    assert_int_equal(p11->C_MessageDecryptFinal(s), CKR_OK);
}

/* A handle that was destroyed is nobody's: not even after as many new keys as a table of a thousand would have room
 * for. */
static void handles_are_not_used_again(void **state)
{
    CK_OBJECT_HANDLE first = accelerator_secret(s, CKK_AES, hex(key16));

    (void)state;
    assert_int_equal(p11->C_DestroyObject(s, first), CKR_OK);
    assert_int_equal(p11->C_DestroyObject(s, first), CKR_OBJECT_HANDLE_INVALID);
    for (unsigned i = 0; i < 5000; i++) {
        CK_OBJECT_HANDLE next = accelerator_secret(s, CKK_AES, hex(key16));

        assert_int_not_equal(next, first);
        assert_int_equal(p11->C_SignInit(s, &hmac, first), CKR_KEY_HANDLE_INVALID);
        assert_int_equal(p11->C_DestroyObject(s, next), CKR_OK);
    }
}

/* tls/master_secret.c counts on it: what is made later has a higher number, and none is left out. */
static void handles_follow_each_other(void **state)
{
    CK_OBJECT_HANDLE last = accelerator_secret(s, CKK_AES, hex(key16)), public_key, private_key;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        CK_OBJECT_HANDLE next = accelerator_secret(s, CKK_AES, hex(key16));

        assert_int_equal(next, last + 1);
        assert_int_equal(p11->C_DestroyObject(s, last), CKR_OK);
        last = next;
    }
    generate(s, params_x25519, &public_key, &private_key);
    assert_int_equal(public_key, last + 1);
    assert_int_equal(private_key, last + 2);
}

static void objects_go_with_their_session(void **state)
{
    CK_SESSION_HANDLE other = accelerator_open();
    CK_OBJECT_HANDLE mine = accelerator_secret(s, CKK_AES, hex(key16)), gone, destroyed;

    (void)state;
    gone = accelerator_secret(other, CKK_AES, hex(key16));
    destroyed = accelerator_secret(other, CKK_AES, hex(key16));
    assert_int_equal(p11->C_DestroyObject(s, destroyed), CKR_OK); /* in another session than its own */
    assert_int_equal(read_attribute(gone, CKA_CLASS), CKR_OK);
    assert_int_equal(p11->C_CloseSession(other), CKR_OK);
    assert_int_equal(p11->C_CloseSession(other), CKR_SESSION_HANDLE_INVALID);
    assert_int_equal(read_attribute(gone, CKA_CLASS), CKR_OBJECT_HANDLE_INVALID);
    assert_int_equal(read_attribute(mine, CKA_CLASS), CKR_OK);
}

/* A key that is destroyed while an operation has it serves that operation to its end. */
static void operations_hold_their_key(void **state)
{
    CK_OBJECT_HANDLE key = accelerator_secret(s, CKK_GENERIC_SECRET, hex("4a656665"));
    CK_BYTE out[32];
    CK_ULONG size = sizeof(out);
    struct bytes data = hex("7768617420646f2079612077616e7420666f72206e6f7468696e673f");

    (void)state;
    assert_int_equal(p11->C_SignInit(s, &hmac, key), CKR_OK);
    assert_int_equal(p11->C_DestroyObject(s, key), CKR_OK);
    assert_int_equal(p11->C_Sign(s, data.data, data.size, out, &size), CKR_OK);
    assert_bytes((struct bytes){out, size}, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void one_operation_at_a_time(void **state)
{
    CK_OBJECT_HANDLE key = accelerator_secret(s, CKK_AES, hex(key16));
    CK_BYTE out[64];
    CK_ULONG size = 0;

    (void)state;
    assert_int_equal(p11->C_DigestInit(s, &sha256), CKR_OK);
    assert_int_equal(p11->C_DigestInit(s, &sha256), CKR_OPERATION_ACTIVE);
    assert_int_equal(p11->C_SignInit(s, &hmac, key), CKR_OPERATION_ACTIVE);
    assert_int_equal(p11->C_MessageEncryptInit(s, &gcm, key), CKR_OPERATION_ACTIVE);
    assert_int_equal(p11->C_FindObjectsInit(s, NULL, 0), CKR_OPERATION_ACTIVE);
    assert_int_equal(p11->C_SignFinal(s, out, &size), CKR_OPERATION_NOT_INITIALIZED);
    /* a question for the size, and a buffer that is too short, end nothing */
    assert_int_equal(p11->C_DigestFinal(s, NULL, &size), CKR_OK);
    assert_int_equal(size, 32);
    size = 31;
    assert_int_equal(p11->C_DigestFinal(s, out, &size), CKR_BUFFER_TOO_SMALL);
    size = sizeof(out);
    assert_int_equal(p11->C_DigestFinal(s, out, &size), CKR_OK);
    assert_int_equal(p11->C_DigestFinal(s, out, &size), CKR_OPERATION_NOT_INITIALIZED);
    assert_int_equal(p11->C_DigestInit(s, &sha256), CKR_OK);
    assert_int_equal(p11->C_SessionCancel(s, CKF_DIGEST), CKR_OK);
    assert_int_equal(p11->C_SignInit(s, &hmac, key), CKR_OK);
    assert_int_equal(p11->C_SignUpdate(s, out, 1), CKR_OK);
    assert_int_equal(p11->C_Sign(s, out, 1, out, &size), CKR_OPERATION_ACTIVE); /* pieces, then the whole */
}

/* A saved state comes from the caller: any of its bytes may be another one. */
static void saved_states_are_not_believed(void **state)
{
    CK_BYTE saved[256], changed[256], out[32];
    CK_ULONG size = sizeof(saved), out_size;

    (void)state;
    assert_int_equal(p11->C_DigestInit(s, &sha256), CKR_OK);
    assert_int_equal(p11->C_DigestUpdate(s, hex(key16).data, 16), CKR_OK);
    assert_int_equal(p11->C_GetOperationState(s, saved, &size), CKR_OK);
    assert_int_equal(p11->C_SetOperationState(s, saved, size - 1, 0, 0), CKR_SAVED_STATE_INVALID);
    assert_int_equal(p11->C_SetOperationState(s, saved, 0, 0, 0), CKR_SAVED_STATE_INVALID);
    assert_int_equal(p11->C_SetOperationState(s, saved, size, 1, 0), CKR_KEY_NOT_NEEDED);
    for (CK_ULONG i = 0; i < size; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            CK_RV rv;

            memcpy(changed, saved, size);
            changed[i] ^= (CK_BYTE)(1 << bit);
            rv = p11->C_SetOperationState(s, changed, size, 0, 0);
            assert_true(rv == CKR_OK || rv == CKR_SAVED_STATE_INVALID);
            out_size = sizeof(out);
            if (rv == CKR_OK) /* another state, of which a digest can be had */
                assert_int_equal(p11->C_DigestFinal(s, out, &out_size), CKR_OK);
        }
    assert_int_equal(p11->C_SetOperationState(s, saved, size, 0, 0), CKR_OK);
    out_size = sizeof(out);
    assert_int_equal(p11->C_DigestFinal(s, out, &out_size), CKR_OK);
    assert_bytes((struct bytes){out, out_size}, "be45cb2605bf36bebde684841a28f0fd43c69850a3dce5fedba69928ee3a8991");
}

static void finding(void **state)
{
    CK_OBJECT_HANDLE public_key, private_key, found[4];
    CK_BYTE id[] = {7, 7, 7, 7};
    CK_ATTRIBUTE names = {CKA_ID, id, sizeof(id)};
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY, trust = CKO_NSS_TRUST;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_ID, id, sizeof(id)}};
    CK_ATTRIBUTE by_trust = {CKA_CLASS, &trust, sizeof(trust)}, by_value = {CKA_VALUE, hex(key16).data, 16};
    CK_ULONG count;

    (void)state;
    generate(s, params_p256, &public_key, &private_key);
    (void)accelerator_secret(s, CKK_AES, hex(key16));
    assert_int_equal(p11->C_SetAttributeValue(s, public_key, &names, 1), CKR_OK);
    assert_int_equal(p11->C_SetAttributeValue(s, private_key, &names, 1), CKR_OK);
    assert_int_equal(p11->C_FindObjectsInit(s, template, 2), CKR_OK);
    assert_int_equal(p11->C_FindObjects(s, found, 4, &count), CKR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(found[0], public_key);
    assert_int_equal(p11->C_FindObjects(s, found, 4, &count), CKR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
    for (int i = 0; i < 2; i++) { /* no trust here; and a secret is not found by guessing it */
        assert_int_equal(p11->C_FindObjectsInit(s, i == 0 ? &by_trust : &by_value, 1), CKR_OK);
        assert_int_equal(p11->C_FindObjects(s, found, 4, &count), CKR_OK);
        assert_int_equal(count, 0);
        assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
    }
}

/* Threads, as a worker has them: each makes pairs, agrees, signs and destroys; and all of them use one key, which is
 * destroyed meanwhile. */
enum { THREADS = 8, ROUNDS = 60 };
static CK_OBJECT_HANDLE shared_key;

static void *work(void *argument)
{
    CK_SESSION_HANDLE session = accelerator_open();
    unsigned number = *(unsigned *)argument;
    struct bytes params = {(CK_BYTE *)(uintptr_t) "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10};

    for (unsigned i = 0; i < ROUNDS; i++) {
        CK_ATTRIBUTE template = {CKA_EC_PARAMS, params.data, params.size};
        CK_OBJECT_HANDLE public_key, private_key, secret;
        CK_BYTE point[80], digest[32] = {(CK_BYTE)i}, signature[64];
        CK_ULONG size = sizeof(signature);
        CK_ATTRIBUTE attribute = {CKA_EC_POINT, point, sizeof(point)};
        CK_ECDH1_DERIVE_PARAMS ecdh = {.kdf = CKD_NULL, .pPublicData = point};
        CK_MECHANISM derive = {CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh)};
        CK_RV rv;

        if (p11->C_GenerateKeyPair(session, &ec_pair, &template, 1, NULL, 0, &public_key, &private_key) != CKR_OK ||
            p11->C_GetAttributeValue(session, private_key, &attribute, 1) != CKR_OK)
            base_abort("thread %u: a key pair", number);
        ecdh.ulPublicDataLen = attribute.ulValueLen;
        if (p11->C_DeriveKey(session, &derive, private_key, NULL, 0, &secret) != CKR_OK ||
            p11->C_DestroyObject(session, secret) != CKR_OK)
            base_abort("thread %u: an agreement", number);
        if (p11->C_SignInit(session, &ecdsa_mechanism, private_key) != CKR_OK ||
            p11->C_Sign(session, digest, sizeof(digest), signature, &size) != CKR_OK ||
            p11->C_VerifyInit(session, &ecdsa_mechanism, public_key) != CKR_OK ||
            p11->C_Verify(session, digest, sizeof(digest), signature, size) != CKR_OK)
            base_abort("thread %u: a signature", number);
        rv = p11->C_SignInit(session, &hmac, shared_key);
        size = sizeof(signature);
        if (rv != CKR_KEY_HANDLE_INVALID &&
            (rv != CKR_OK || p11->C_Sign(session, digest, sizeof(digest), signature, &size) != CKR_OK))
            base_abort("thread %u: the shared key", number);
        if (number == 0 && i == ROUNDS / 2 && p11->C_DestroyObject(session, shared_key) != CKR_OK)
            base_abort("the shared key is not there");
        if (p11->C_DestroyObject(session, public_key) != CKR_OK)
            base_abort("thread %u: a key is not there", number);
        if (i % 8 == 7) { /* the private keys go with the session */
            if (p11->C_CloseSession(session) != CKR_OK)
                base_abort("thread %u: a session", number);
            session = accelerator_open();
        }
    }
    (void)p11->C_CloseSession(session);
    return NULL;
}

static void threads(void **state)
{
    unsigned numbers[THREADS];
    pthread_t running[THREADS];

    (void)state;
    shared_key = accelerator_secret(s, CKK_AES, hex(key16));
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&running[i], NULL, work, &numbers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(running[i], NULL), 0);
    assert_int_equal(read_attribute(shared_key, CKA_CLASS), CKR_OBJECT_HANDLE_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life),
        cmocka_unit_test(mechanisms),
        cmocka_unit_test(parameters),
        cmocka_unit_test(bad_arguments),
        cmocka_unit_test(bad_points),
        cmocka_unit_test(private_keys_stay),
        cmocka_unit_test(sensitive_secrets_stay),
        cmocka_unit_test(forbidden_uses),
        cmocka_unit_test(handles_are_not_used_again),
        cmocka_unit_test(handles_follow_each_other),
        cmocka_unit_test(objects_go_with_their_session),
        cmocka_unit_test(operations_hold_their_key),
        cmocka_unit_test(saved_states_are_not_believed),
        cmocka_unit_test(finding),
        cmocka_unit_test(threads),
        cmocka_unit_test(one_operation_at_a_time),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
