/* slow-token.so: a PKCS#11 module in front of another that is slow, counts, and fails when told to. For tests and
 * benchmarks; everything is set by environment variables, read at C_Initialize():
 *
 *   YETT_TEST_MODULE           the module behind; default /usr/lib/softhsm/libsofthsm2.so
 *   YETT_TEST_LOAD_DELAY_MS    C_Initialize takes this much longer; default 0
 *   YETT_TEST_LOAD_END         what it comes to then: "abort", "exit", or "fail" (CKR_GENERAL_ERROR)
 *   YETT_TEST_SIGN_DELAY_MS    C_Sign takes this much longer, in each session by itself; default 200
 *   YETT_TEST_COUNT_FILE       gets a line with the function's name for each call of those named in the table below
 *   YETT_TEST_GONE_FILE        while this file exists the token is out: no slot has one, sessions are lost
 *   YETT_TEST_NEEDS_FINALIZE   set: a token that was out once comes back only after C_Finalize
 *   YETT_TEST_SESSIONS_MAX     more open sessions get CKR_SESSION_COUNT
 *   YETT_TEST_HIDE_MECHANISMS  numbers, separated by ',' or ':': not in the list, CKR_MECHANISM_INVALID (13: RSA-PSS)
 *   YETT_TEST_ABORT_AT         the process aborts in this C_Sign (1: the first)
 *   YETT_TEST_HANG_AT          this C_Sign never returns
 *   YETT_TEST_HANG_FILE        a C_Sign that finds this file waits until it is gone
 *   YETT_TEST_LOSE_AT          all sessions are closed before this C_Sign: CKR_SESSION_HANDLE_INVALID
 *   YETT_TEST_PIN_TRIES        wrong PINs until the PIN is locked, with the flags that go with it
 *   YETT_TEST_PIN_STATE        file that keeps the tries left, so that they survive the process
 *   YETT_TEST_KEY_PAD_PIN      the token has a key pad, and this is what is typed on it
 *   YETT_TEST_CONTEXT_PIN      private keys are CKA_ALWAYS_AUTHENTICATE, and this is the PIN for it
 *   YETT_TEST_DISTRUST         set: every object says that it is distrusted (CKA_X_DISTRUSTED of p11-kit)
 *   YETT_TEST_CANT_LOCK        set: CKR_CANT_LOCK when asked to lock; calls at the same time are counted as CONCURRENT
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/pkcs11x.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { SESSIONS_TRACKED = 256, SLOTS_MAX = 64, FILE_POLL_MS = 10 };

static struct {
    long load_delay_ms, sign_delay_ms, sessions_max, abort_at, hang_at, lose_at, pin_tries;
    const char *load_end, *count_file, *gone_file, *hang_file, *hidden, *pin_state, *key_pad_pin, *context_pin;
    bool needs_finalize, cant_lock, distrust;
} settings;

static void *library;
static CK_FUNCTION_LIST *real;
static int count_fd = -1;
static atomic_long signatures;
static atomic_int inside;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static long sessions_open;
static bool was_gone;
static long pin_left;
static CK_SESSION_HANDLE authenticated[SESSIONS_TRACKED]; /* sessions with a context-specific login */

static long number(const char *name, long otherwise)
{
    const char *value = getenv(name);

    return value == NULL ? otherwise : strtol(value, NULL, 10);
}

static void settings_read(void)
{
    settings.load_delay_ms = number("YETT_TEST_LOAD_DELAY_MS", 0);
    settings.load_end = getenv("YETT_TEST_LOAD_END");
    settings.sign_delay_ms = number("YETT_TEST_SIGN_DELAY_MS", 200);
    settings.sessions_max = number("YETT_TEST_SESSIONS_MAX", 0);
    settings.abort_at = number("YETT_TEST_ABORT_AT", 0);
    settings.hang_at = number("YETT_TEST_HANG_AT", 0);
    settings.lose_at = number("YETT_TEST_LOSE_AT", 0);
    settings.pin_tries = number("YETT_TEST_PIN_TRIES", 0);
    settings.count_file = getenv("YETT_TEST_COUNT_FILE");
    settings.gone_file = getenv("YETT_TEST_GONE_FILE");
    settings.hang_file = getenv("YETT_TEST_HANG_FILE");
    settings.hidden = getenv("YETT_TEST_HIDE_MECHANISMS");
    settings.pin_state = getenv("YETT_TEST_PIN_STATE");
    settings.key_pad_pin = getenv("YETT_TEST_KEY_PAD_PIN");
    settings.context_pin = getenv("YETT_TEST_CONTEXT_PIN");
    settings.needs_finalize = getenv("YETT_TEST_NEEDS_FINALIZE") != NULL;
    settings.distrust = getenv("YETT_TEST_DISTRUST") != NULL;
    settings.cant_lock = getenv("YETT_TEST_CANT_LOCK") != NULL;
}

/* One write() for each line: lines of several threads and processes do not mix. */
static void count(const char *function)
{
    char line[64];
    int size = snprintf(line, sizeof(line), "%s\n", function);

    if (count_fd >= 0 && write(count_fd, line, (size_t)size) != size)
        abort();
}

static void sleep_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    while (ms > 0 && nanosleep(&pause, &pause) != 0)
        ;
}

/* Two calls at once, for a module that said it cannot lock. */
static void enter(const char *function)
{
    if (atomic_fetch_add(&inside, 1) != 0 && settings.cant_lock)
        count("CONCURRENT");
    count(function);
}

static CK_RV leave(CK_RV rv)
{
    atomic_fetch_sub(&inside, 1);
    return rv;
}

/* lock held. */
static void lose_sessions(void)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX;

    if (real->C_GetSlotList(CK_TRUE, slots, &n) == CKR_OK)
        for (CK_ULONG i = 0; i < n; i++)
            real->C_CloseAllSessions(slots[i]);
    sessions_open = 0;
    memset(authenticated, 0, sizeof(authenticated));
}

static bool token_is_gone(void)
{
    bool gone;

    if (settings.gone_file == NULL)
        return false;
    pthread_mutex_lock(&lock);
    gone = access(settings.gone_file, F_OK) == 0 || (was_gone && settings.needs_finalize);
    if (gone && !was_gone)
        lose_sessions();
    was_gone = gone;
    pthread_mutex_unlock(&lock);
    return gone;
}

static void pin_state_read(void)
{
    FILE *file = settings.pin_state == NULL ? NULL : fopen(settings.pin_state, "re");
    char text[16];

    pin_left = settings.pin_tries;
    if (file == NULL)
        return;
    if (fgets(text, sizeof(text), file) != NULL)
        pin_left = strtol(text, NULL, 10);
    fclose(file);
}

static void pin_state_write(void)
{
    FILE *file = settings.pin_state == NULL ? NULL : fopen(settings.pin_state, "we");

    if (file == NULL)
        return;
    fprintf(file, "%ld\n", pin_left);
    fclose(file);
}

static CK_RV bad_end_of_load(void)
{
    if (settings.load_end == NULL)
        return CKR_OK;
    if (strcmp(settings.load_end, "abort") == 0)
        abort();
    if (strcmp(settings.load_end, "exit") == 0)
        _exit(0);
    return CKR_GENERAL_ERROR;
}

static CK_RV slow_initialize(void *args)
{
    CK_RV rv;

    settings_read();
    if (settings.count_file != NULL && count_fd < 0)
        count_fd = open(settings.count_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    enter("C_Initialize");
    sleep_ms(settings.load_delay_ms);
    rv = bad_end_of_load();
    if (rv != CKR_OK)
        return leave(rv);
    pin_state_read();
    if (settings.cant_lock && args != NULL)
        return leave(CKR_CANT_LOCK);
    rv = real->C_Initialize(args);
    return leave(rv);
}

static CK_RV slow_finalize(void *reserved)
{
    enter("C_Finalize");
    pthread_mutex_lock(&lock);
    was_gone = false;
    sessions_open = 0;
    pthread_mutex_unlock(&lock);
    return leave(real->C_Finalize(reserved));
}

static CK_RV slow_get_slot_list(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *n)
{
    enter("C_GetSlotList");
    if (present && token_is_gone()) {
        *n = 0;
        return leave(CKR_OK);
    }
    return leave(real->C_GetSlotList(present, list, n));
}

static CK_RV slow_get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    CK_RV rv;

    enter("C_GetTokenInfo");
    if (token_is_gone())
        return leave(CKR_TOKEN_NOT_PRESENT);
    rv = real->C_GetTokenInfo(slot, info);
    if (rv == CKR_OK && settings.pin_tries != 0) {
        pthread_mutex_lock(&lock);
        info->flags &= ~(CK_FLAGS)(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED);
        if (pin_left < settings.pin_tries)
            info->flags |= CKF_USER_PIN_COUNT_LOW;
        if (pin_left == 1)
            info->flags |= CKF_USER_PIN_FINAL_TRY;
        if (pin_left == 0)
            info->flags |= CKF_USER_PIN_LOCKED;
        pthread_mutex_unlock(&lock);
    }
    if (rv == CKR_OK && settings.key_pad_pin != NULL)
        info->flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
    return leave(rv);
}

static CK_RV slow_open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                               CK_SESSION_HANDLE *session)
{
    CK_RV rv = CKR_OK;

    enter("C_OpenSession");
    if (token_is_gone())
        return leave(CKR_TOKEN_NOT_PRESENT);
    pthread_mutex_lock(&lock);
    if (settings.sessions_max != 0 && sessions_open >= settings.sessions_max)
        rv = CKR_SESSION_COUNT;
    else
        rv = real->C_OpenSession(slot, flags, application, notify, session);
    if (rv == CKR_OK)
        sessions_open++;
    pthread_mutex_unlock(&lock);
    return leave(rv);
}

static CK_RV slow_close_session(CK_SESSION_HANDLE session)
{
    CK_RV rv;

    enter("C_CloseSession");
    pthread_mutex_lock(&lock);
    rv = real->C_CloseSession(session);
    if (rv == CKR_OK)
        sessions_open--;
    pthread_mutex_unlock(&lock);
    return leave(rv);
}

/* lock held. */
static CK_RV count_try(CK_RV rv)
{
    if (settings.pin_tries == 0)
        return rv;
    if (rv == CKR_PIN_INCORRECT)
        pin_left--;
    else if (rv == CKR_OK)
        pin_left = settings.pin_tries;
    pin_state_write();
    return rv;
}

static CK_RV context_login(CK_SESSION_HANDLE session, const unsigned char *pin, CK_ULONG size)
{
    if (settings.context_pin == NULL || size != strlen(settings.context_pin) ||
        memcmp(pin, settings.context_pin, size) != 0)
        return CKR_PIN_INCORRECT;
    pthread_mutex_lock(&lock);
    authenticated[session % SESSIONS_TRACKED] = session;
    pthread_mutex_unlock(&lock);
    return CKR_OK;
}

static CK_RV slow_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char *pin, CK_ULONG size)
{
    CK_RV rv;

    enter(user == CKU_CONTEXT_SPECIFIC ? "C_Login(context)" : "C_Login");
    if (token_is_gone())
        return leave(CKR_DEVICE_REMOVED);
    if (user == CKU_CONTEXT_SPECIFIC)
        return leave(context_login(session, pin, size));
    if (settings.key_pad_pin != NULL && user == CKU_USER) {
        if (pin != NULL)
            return leave(CKR_ARGUMENTS_BAD);
        pin = (unsigned char *)(uintptr_t)settings.key_pad_pin;
        size = strlen(settings.key_pad_pin);
    }
    pthread_mutex_lock(&lock);
    if (user == CKU_USER && settings.pin_tries != 0 && pin_left == 0)
        rv = CKR_PIN_LOCKED;
    else
        rv = count_try(real->C_Login(session, user, pin, size));
    pthread_mutex_unlock(&lock);
    return leave(rv);
}

static CK_RV slow_logout(CK_SESSION_HANDLE session)
{
    enter("C_Logout");
    return leave(real->C_Logout(session));
}

static bool is_hidden(CK_MECHANISM_TYPE type)
{
    const char *list = settings.hidden;

    while (list != NULL && *list != '\0') {
        char *end;

        if (strtoul(list, &end, 0) == type && end != list)
            return true;
        list = *end == ',' || *end == ':' ? end + 1 : NULL;
    }
    return false;
}

static CK_RV slow_get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *n)
{
    CK_ULONG kept = 0;
    CK_RV rv = real->C_GetMechanismList(slot, list, n);

    if (rv != CKR_OK || list == NULL)
        return rv;
    for (CK_ULONG i = 0; i < *n; i++)
        if (!is_hidden(list[i]))
            list[kept++] = list[i];
    *n = kept;
    return rv;
}

static CK_RV slow_get_mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    return is_hidden(type) ? CKR_MECHANISM_INVALID : real->C_GetMechanismInfo(slot, type, info);
}

static CK_RV slow_find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted, CK_ULONG n)
{
    enter("C_FindObjectsInit");
    return leave(token_is_gone() ? CKR_DEVICE_REMOVED : real->C_FindObjectsInit(session, wanted, n));
}

static CK_RV slow_get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *wanted,
                                      CK_ULONG n)
{
    if (token_is_gone())
        return CKR_DEVICE_REMOVED;
    if (n == 1 && wanted->pValue != NULL && wanted->ulValueLen >= sizeof(CK_BBOOL) &&
        ((settings.context_pin != NULL && wanted->type == CKA_ALWAYS_AUTHENTICATE) ||
         (settings.distrust && wanted->type == CKA_X_DISTRUSTED))) {
        *(CK_BBOOL *)wanted->pValue = CK_TRUE;
        wanted->ulValueLen = sizeof(CK_BBOOL);
        return CKR_OK;
    }
    return real->C_GetAttributeValue(session, object, wanted, n);
}

static CK_RV slow_sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    enter("C_SignInit");
    if (token_is_gone())
        return leave(CKR_DEVICE_REMOVED);
    if (is_hidden(mechanism->mechanism))
        return leave(CKR_MECHANISM_INVALID);
    pthread_mutex_lock(&lock);
    authenticated[session % SESSIONS_TRACKED] = 0;
    pthread_mutex_unlock(&lock);
    return leave(real->C_SignInit(session, mechanism, key));
}

/* What goes wrong in the n-th signature. */
static void misbehave(long n)
{
    if (n == settings.abort_at)
        abort();
    while (n == settings.hang_at)
        pause();
    while (settings.hang_file != NULL && access(settings.hang_file, F_OK) == 0)
        sleep_ms(FILE_POLL_MS);
    if (n == settings.lose_at) {
        pthread_mutex_lock(&lock);
        lose_sessions();
        pthread_mutex_unlock(&lock);
    }
}

static bool context_missing(CK_SESSION_HANDLE session)
{
    bool missing;

    if (settings.context_pin == NULL)
        return false;
    pthread_mutex_lock(&lock);
    missing = authenticated[session % SESSIONS_TRACKED] != session;
    pthread_mutex_unlock(&lock);
    return missing;
}

static CK_RV slow_sign(CK_SESSION_HANDLE session, unsigned char *data, CK_ULONG size, unsigned char *signature,
                       CK_ULONG *signature_size)
{
    enter("C_Sign");
    misbehave(atomic_fetch_add(&signatures, 1) + 1);
    sleep_ms(settings.sign_delay_ms);
    if (token_is_gone())
        return leave(CKR_DEVICE_REMOVED);
    if (context_missing(session))
        return leave(CKR_USER_NOT_LOGGED_IN);
    return leave(real->C_Sign(session, data, size, signature, signature_size));
}

/* What a sign-only key must never be asked for: counted, and passed on. */
static CK_RV slow_decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    count("C_DecryptInit");
    return real->C_DecryptInit(session, mechanism, key);
}

static CK_RV slow_derive_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                             CK_ATTRIBUTE *wanted, CK_ULONG n, CK_OBJECT_HANDLE *derived)
{
    count("C_DeriveKey");
    return real->C_DeriveKey(session, mechanism, key, wanted, n, derived);
}

static CK_RV slow_copy_object(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *wanted, CK_ULONG n,
                              CK_OBJECT_HANDLE *copy)
{
    count("C_CopyObject");
    return real->C_CopyObject(session, object, wanted, n, copy);
}

static CK_RV slow_unwrap_key(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                             unsigned char *wrapped, CK_ULONG size, CK_ATTRIBUTE *wanted, CK_ULONG n,
                             CK_OBJECT_HANDLE *unwrapped)
{
    count("C_UnwrapKey");
    return real->C_UnwrapKey(session, mechanism, key, wrapped, size, wanted, n, unwrapped);
}

static CK_FUNCTION_LIST functions;

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);
CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    const char *path = getenv("YETT_TEST_MODULE");
    CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;

    if (library == NULL)
        library = dlopen(path == NULL ? "/usr/lib/softhsm/libsofthsm2.so" : path, RTLD_NOW | RTLD_LOCAL);
    if (library != NULL)
        *(void **)(&get) = dlsym(library, "C_GetFunctionList");
    if (get == NULL || get(&real) != CKR_OK) {
        fprintf(stderr, "slow-token: no module behind: %s\n", dlerror());
        return CKR_GENERAL_ERROR;
    }
    functions = *real;
    functions.C_GetFunctionList = C_GetFunctionList;
    functions.C_Initialize = slow_initialize;
    functions.C_Finalize = slow_finalize;
    functions.C_GetSlotList = slow_get_slot_list;
    functions.C_GetTokenInfo = slow_get_token_info;
    functions.C_OpenSession = slow_open_session;
    functions.C_CloseSession = slow_close_session;
    functions.C_Login = slow_login;
    functions.C_Logout = slow_logout;
    functions.C_GetMechanismList = slow_get_mechanism_list;
    functions.C_GetMechanismInfo = slow_get_mechanism_info;
    functions.C_FindObjectsInit = slow_find_objects_init;
    functions.C_GetAttributeValue = slow_get_attribute_value;
    functions.C_SignInit = slow_sign_init;
    functions.C_Sign = slow_sign;
    functions.C_DecryptInit = slow_decrypt_init;
    functions.C_DeriveKey = slow_derive_key;
    functions.C_CopyObject = slow_copy_object;
    functions.C_UnwrapKey = slow_unwrap_key;
    *list = &functions;
    return CKR_OK;
}
