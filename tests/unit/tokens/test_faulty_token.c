/* The module that goes wrong as it is told, which other tests believe: each of its rules. */
#include "support.h"
#include "tokens/module.h"
#include "tokens/module_load.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { MANY = 8 };

static struct test_store store;
static struct tokens_module *module;
static char *calls;

static void module_start(void)
{
    char *error = NULL;

    module = tokens_module_load(TEST_FAULTY_TOKEN, &error);
    if (module == NULL)
        fail_msg("%s", error);
}

static int group_setup(void **state)
{
    struct tokens_module *plain;

    (void)state;
    test_store_create(&store);
    plain = test_module_load();
    test_token_create(plain, "one");
    test_key_create(plain, "one", "ec", TOKENS_KEY_P256, true);
    test_token_create(plain, "two");
    tokens_module_unload(&plain);
    calls = test_store_path(&store, "fault-calls");
    setenv("YETT_FAULT_CALLS", calls, 1);
    setenv("YETT_FAULT_PIN", TEST_PIN, 1);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    test_store_destroy(&store);
    free(calls);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    test_faults(&store, "");
    module_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    test_faults(&store, "");
    tokens_module_unload(&module);
    return 0;
}

/* Where the token with this label is; fails when it is nowhere. */
static CK_SLOT_ID slot_of(const char *label)
{
    CK_SLOT_ID *slots, found = 0;
    size_t count;
    bool seen = false;

    assert_int_equal(tokens_slots(module, &slots, &count), CKR_OK);
    for (size_t i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        char *is;

        if (module->p11->C_GetTokenInfo(slots[i], &info) != CKR_OK)
            continue;
        is = tokens_token_label(&info);
        if (strcmp(is, label) == 0) {
            found = slots[i];
            seen = true;
        }
        free(is);
    }
    free(slots);
    if (!seen)
        fail_msg("no token %s", label);
    return found;
}

static CK_SESSION_HANDLE session_on(const char *label)
{
    CK_SESSION_HANDLE session = 0;

    assert_int_equal(module->p11->C_OpenSession(slot_of(label), CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
    return session;
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, const char *pin)
{
    return module->p11->C_Login(session, user, (unsigned char *)(uintptr_t)pin, strlen(pin));
}

static CK_OBJECT_HANDLE private_key(CK_SESSION_HANDLE session)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted = {.type = CKA_CLASS, .pValue = &class, .ulValueLen = sizeof(class)};
    CK_OBJECT_HANDLE *keys, key;
    size_t count;

    assert_int_equal(tokens_objects(module, session, &wanted, 1, &keys, &count), CKR_OK);
    assert_int_equal(count, 1);
    key = keys[0];
    free(keys);
    return key;
}

static CK_RV sign_init(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = {.mechanism = CKM_ECDSA};

    return module->p11->C_SignInit(session, &mechanism, key);
}

static CK_RV sign(CK_SESSION_HANDLE session)
{
    unsigned char digest[32] = {1}, signature[128];
    CK_ULONG size = sizeof(signature);

    return module->p11->C_Sign(session, digest, sizeof(digest), signature, &size);
}

static void fail_fails_so_often_and_for_one_token(void **state)
{
    CK_SESSION_HANDLE one = session_on("one"), two = session_on("two");
    CK_SESSION_INFO info;

    (void)state;
    test_faults(&store, "fail C_GetSessionInfo 0x30 2 @one\n");
    assert_int_equal(module->p11->C_GetSessionInfo(two, &info), CKR_OK);
    assert_int_equal(module->p11->C_GetSessionInfo(one, &info), CKR_DEVICE_ERROR);
    assert_int_equal(module->p11->C_GetSessionInfo(one, &info), CKR_DEVICE_ERROR);
    assert_int_equal(module->p11->C_GetSessionInfo(one, &info), CKR_OK);
    test_faults(&store, "nth 2 0x6\n");
    assert_int_equal(module->p11->C_GetSessionInfo(one, &info), CKR_OK);
    assert_int_equal(module->p11->C_GetSessionInfo(two, &info), CKR_FUNCTION_FAILED);
    assert_int_equal(module->p11->C_GetSessionInfo(two, &info), CKR_OK);
}

static void what_sticks_ends_with_finalize(void **state)
{
    CK_SESSION_HANDLE session = session_on("one");
    CK_SLOT_ID slot = slot_of("one");
    CK_SESSION_INFO info;
    CK_TOKEN_INFO token;

    (void)state;
    test_faults(&store, "stick-quietly C_GetSessionInfo 5\n");
    assert_int_equal(module->p11->C_GetSessionInfo(session, &info), CKR_GENERAL_ERROR);
    test_faults(&store, "");
    assert_int_equal(module->p11->C_GetSessionInfo(session, &info), CKR_GENERAL_ERROR);
    assert_int_equal(module->p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_GENERAL_ERROR);
    assert_int_equal(module->p11->C_GetTokenInfo(slot, &token), CKR_OK);
    assert_int_equal(tokens_module_finalize(module), CKR_OK);
    assert_int_equal(tokens_module_initialize(module), CKR_OK);
    session = session_on("one");
    test_faults(&store, "stick C_GetSessionInfo 5\n");
    assert_int_equal(module->p11->C_GetSessionInfo(session, &info), CKR_GENERAL_ERROR);
    test_faults(&store, "");
    assert_int_equal(module->p11->C_GetTokenInfo(slot, &token), CKR_GENERAL_ERROR);
    assert_int_equal(tokens_module_finalize(module), CKR_OK);
    assert_int_equal(tokens_module_initialize(module), CKR_OK);
    assert_int_not_equal(session_on("one"), 0);
}

static void tokens_go_come_back_elsewhere_and_lose_sessions(void **state)
{
    CK_SESSION_HANDLE session = session_on("one");
    CK_SLOT_ID before = slot_of("one"), *slots;
    CK_SESSION_INFO info;
    CK_TOKEN_INFO token;
    size_t all, fewer;

    (void)state;
    assert_int_equal(tokens_slots(module, &slots, &all), CKR_OK);
    free(slots);
    test_faults(&store, "gone @one\n");
    assert_int_equal(tokens_slots(module, &slots, &fewer), CKR_OK);
    free(slots);
    assert_int_equal(fewer, all - 1);
    assert_int_equal(module->p11->C_GetTokenInfo(before, &token), CKR_TOKEN_NOT_PRESENT);
    test_faults(&store, "slot 7 @one\n");
    assert_int_equal(slot_of("one"), before + 7);
    assert_int_not_equal(module->p11->C_GetTokenInfo(before, &token), CKR_OK);
    assert_int_equal(module->p11->C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
    session = session_on("one");
    test_faults(&store, "drop\n");
    assert_int_equal(module->p11->C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
    session = session_on("one");
    assert_int_equal(module->p11->C_GetSessionInfo(session, &info), CKR_OK);
}

static void sessions_mechanisms_flags_and_serial_are_as_told(void **state)
{
    CK_SLOT_ID slot = slot_of("one");
    CK_SESSION_HANDLE session = session_on("one");
    CK_MECHANISM_INFO mechanism;
    CK_TOKEN_INFO token;

    (void)state;
    test_faults(&store, "sessions 2 0x31 @one\nhide 0x1041\nflags 0x100 0x4\nserial 4711 @one\n");
    assert_int_equal(module->p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
    assert_int_equal(module->p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_DEVICE_MEMORY);
    assert_int_equal(module->p11->C_CloseSession(session), CKR_OK);
    assert_int_equal(module->p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
    assert_int_equal(module->p11->C_GetMechanismInfo(slot, CKM_ECDSA, &mechanism), CKR_MECHANISM_INVALID);
    assert_int_equal(module->p11->C_GetTokenInfo(slot, &token), CKR_OK);
    assert_int_equal(token.flags & CKF_LOGIN_REQUIRED, 0);
    assert_int_not_equal(token.flags & CKF_PROTECTED_AUTHENTICATION_PATH, 0);
    assert_memory_equal(token.serialNumber, "4711            ", 16);
}

static void pins_change_lock_and_are_asked_for_again(void **state)
{
    CK_SESSION_HANDLE one = session_on("one"), other = session_on("one");
    CK_TOKEN_INFO token;
    CK_OBJECT_HANDLE key;

    (void)state;
    test_faults(&store, "pin 4321 @one\ntries 3 @one\n");
    assert_int_equal(login(one, CKU_USER, TEST_PIN), CKR_PIN_INCORRECT);
    assert_int_equal(login(one, CKU_USER, TEST_PIN), CKR_PIN_INCORRECT);
    assert_int_equal(module->p11->C_GetTokenInfo(slot_of("one"), &token), CKR_OK);
    assert_int_not_equal(token.flags & CKF_USER_PIN_FINAL_TRY, 0);
    assert_int_equal(login(one, CKU_USER, "4321"), CKR_OK);
    key = private_key(one);
    test_faults(&store, "context 99 @one\n");
    assert_int_equal(sign_init(one, key), CKR_OK);
    assert_int_equal(sign(one), CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(sign_init(other, key), CKR_OK);
    assert_int_equal(login(other, CKU_CONTEXT_SPECIFIC, "98"), CKR_PIN_INCORRECT);
    assert_int_equal(login(other, CKU_CONTEXT_SPECIFIC, "99"), CKR_OK);
    (void)sign_init(one, key); /* a card has one state */
    assert_int_equal(sign(other), CKR_USER_NOT_LOGGED_IN);
}

static void *get_info(void *data)
{
    CK_INFO info;

    *(CK_RV *)data = module->p11->C_GetInfo(&info);
    return NULL;
}

static void a_call_hangs_while_the_rule_stands(void **state)
{
    CK_RV rv = CKR_CANCEL;
    CK_SLOT_ID *slots;
    pthread_t thread;
    size_t count, before = test_calls(calls, "C_GetInfo", NULL);

    (void)state;
    test_faults(&store, "hang C_GetInfo\ndelay C_GetSlotList 1\n");
    assert_int_equal(pthread_create(&thread, NULL, get_info, &rv), 0);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(tokens_slots(module, &slots, &count), CKR_OK);
        free(slots);
    }
    assert_int_equal(test_calls(calls, "C_GetInfo", NULL), before);
    test_faults(&store, "");
    pthread_join(thread, NULL);
    assert_int_equal(rv, CKR_OK);
    assert_int_equal(test_calls(calls, "C_GetInfo", NULL), before + 1);
}

/* In a process of its own: how it ended. */
static int ends(const char *rules)
{
    int status = 0;
    pid_t pid;

    test_faults(&store, rules);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        CK_INFO info;

        (void)module->p11->C_GetInfo(&info);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void a_function_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(ends(""), 0);
    assert_int_equal(ends("crash C_GetInfo\n"), -6);
    assert_int_equal(ends("exit C_GetInfo\n"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fail_fails_so_often_and_for_one_token, setup, teardown),
        cmocka_unit_test_setup_teardown(what_sticks_ends_with_finalize, setup, teardown),
        cmocka_unit_test_setup_teardown(tokens_go_come_back_elsewhere_and_lose_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(sessions_mechanisms_flags_and_serial_are_as_told, setup, teardown),
        cmocka_unit_test_setup_teardown(pins_change_lock_and_are_asked_for_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_hangs_while_the_rule_stands, setup, teardown),
        cmocka_unit_test_setup_teardown(a_function_ends_the_process, setup, teardown),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
