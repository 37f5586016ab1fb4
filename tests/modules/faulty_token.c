/* faulty-token.so: a PKCS#11 module in front of another that goes wrong as it is told to, while it runs. For tests.
 *
 *   YETT_TEST_MODULE    the module behind; default /usr/lib/softhsm/libsofthsm2.so
 *   YETT_FAULTS         file with rules, read again whenever it was replaced: write another and rename it. No file:
 * none YETT_FAULT_CALLS    file that gets a line for each call: THREAD FUNCTION CKR TOKEN (C_Login(context) by that
 * name) YETT_FAULT_PIN      the PIN that the module behind knows, for `pin`
 *
 * A rule is a line. What ends with "@LABEL" is for the token of that label alone. FUNCTION "*": each. Numbers as in C.
 *
 *   delay FUNCTION MS         the call takes this much longer
 *   hang FUNCTION             it does not come back while the rule stands
 *   fail FUNCTION CKR [N]     it fails so; N: just so often
 *   stick FUNCTION CKR        it fails so, and from then on every call but C_Finalize
 *   stick-quietly FUNCTION CKR   likewise, but slots, tokens and mechanisms are told as before
 *   nth N CKR                 the N-th call of all, counted since the rules were read, fails so
 *   crash FUNCTION            abort()
 *   exit FUNCTION             _exit(3)
 *   gone                      the token is out; its sessions are lost
 *   slot N                    its slot has a number higher by N. Sessions live on
 *   drop                      all sessions are closed, once
 *   sessions N [CKR]          more open sessions get CKR; default CKR_SESSION_COUNT
 *   hide MECHANISM            not in the list, CKR_MECHANISM_INVALID
 *   flags SET CLEAR           of CK_TOKEN_INFO
 *   serial TEXT               in the place of the token's serial number
 *   pin PIN                   the user's PIN has become this one
 *   tries N                   so many wrong PINs in a row lock the token, with the flags that go with it
 *   context PIN               private keys are CKA_ALWAYS_AUTHENTICATE, with this PIN. As on a card there is one state:
 *                             a C_SignInit or C_Login of another session in between undoes the login
 */
#include "faulty_rules.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

enum { MECHANISMS_MAX = 512, SIGNATURE_MAX = 1024 };

static void *library;

/* --- the module as a whole --- */

static CK_RV faulty_initialize(void *args)
{
    CK_RV rv;

    faulty_begin();
    rv = faulty_enter("C_Initialize", FAULTY_NO_SLOT);
    return rv == CKR_OK ? faulty_leave("C_Initialize", FAULTY_NO_SLOT, real->C_Initialize(args)) : rv;
}

static CK_RV faulty_finalize(void *reserved)
{
    CK_RV rv = faulty_enter("C_Finalize", FAULTY_NO_SLOT);

    if (rv != CKR_OK)
        return rv;
    faulty_finalized();
    return faulty_leave("C_Finalize", FAULTY_NO_SLOT, real->C_Finalize(reserved));
}

static CK_RV faulty_get_info(CK_INFO *info)
{
    CK_RV rv = faulty_enter("C_GetInfo", FAULTY_NO_SLOT);

    return rv == CKR_OK ? faulty_leave("C_GetInfo", FAULTY_NO_SLOT, real->C_GetInfo(info)) : rv;
}

/* It never comes back by itself: whoever has no events looks. */
static CK_RV faulty_wait_for_slot_event(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
    CK_RV rv = faulty_enter("C_WaitForSlotEvent", FAULTY_NO_SLOT);

    (void)flags;
    (void)slot;
    (void)reserved;
    return rv == CKR_OK ? faulty_leave("C_WaitForSlotEvent", FAULTY_NO_SLOT, CKR_FUNCTION_NOT_SUPPORTED) : rv;
}

/* --- slots --- */

static CK_RV faulty_get_slot_list(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *n)
{
    CK_SLOT_ID all[FAULTY_TOKENS_MAX];
    CK_ULONG count = FAULTY_TOKENS_MAX, kept = 0, nothing;
    CK_RV rv = faulty_enter("C_GetSlotList", FAULTY_NO_SLOT);

    if (rv != CKR_OK)
        return rv;
    if (list == NULL)
        real->C_GetSlotList(present, NULL, &nothing); /* SoftHSM makes its list anew when asked so */
    rv = real->C_GetSlotList(present, all, &count);
    pthread_mutex_lock(&faulty_lock);
    for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++)
        if (!present || !faulty_token_is_gone(all[i]))
            all[kept++] = faulty_slot_shown(all[i]);
    pthread_mutex_unlock(&faulty_lock);
    if (rv == CKR_OK && list != NULL && *n < kept)
        rv = CKR_BUFFER_TOO_SMALL;
    else if (rv == CKR_OK && list != NULL)
        memcpy(list, all, kept * sizeof(*list));
    *n = kept;
    return faulty_leave("C_GetSlotList", FAULTY_NO_SLOT, rv);
}

static CK_RV faulty_get_slot_info(CK_SLOT_ID shown, CK_SLOT_INFO *info)
{
    CK_SLOT_ID slot = faulty_slot_behind(shown);
    CK_RV rv = faulty_enter("C_GetSlotInfo", FAULTY_NO_SLOT);

    if (rv != CKR_OK)
        return rv;
    rv = real->C_GetSlotInfo(slot, info);
    pthread_mutex_lock(&faulty_lock);
    if (rv == CKR_OK && faulty_token_is_gone(slot))
        info->flags &= ~(CK_FLAGS)CKF_TOKEN_PRESENT;
    pthread_mutex_unlock(&faulty_lock);
    return faulty_leave("C_GetSlotInfo", slot, rv);
}

/* lock held. */
static void info_change(struct seen_token *t, CK_TOKEN_INFO *info)
{
    struct rule *flags = faulty_rule_for("flags", NULL, t->label), *serial = faulty_rule_for("serial", NULL, t->label),
                *tries = faulty_rule_for("tries", NULL, t->label);

    if (flags != NULL)
        info->flags = (info->flags | faulty_number(flags->first, 0)) & ~faulty_number(flags->second, 0);
    if (serial != NULL) {
        memset(info->serialNumber, ' ', sizeof(info->serialNumber));
        memcpy(info->serialNumber, serial->first, strnlen(serial->first, sizeof(info->serialNumber)));
    }
    if (tries == NULL)
        return;
    info->flags &= ~(CK_FLAGS)(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED);
    if (t->wrong > 0)
        info->flags |= CKF_USER_PIN_COUNT_LOW;
    if (t->wrong + 1 == faulty_number(tries->first, 0))
        info->flags |= CKF_USER_PIN_FINAL_TRY;
    if (t->wrong >= faulty_number(tries->first, 0))
        info->flags |= CKF_USER_PIN_LOCKED;
}

static CK_RV faulty_get_token_info(CK_SLOT_ID shown, CK_TOKEN_INFO *info)
{
    CK_SLOT_ID slot = faulty_slot_behind(shown);
    CK_RV rv = faulty_enter("C_GetTokenInfo", slot);
    struct seen_token *t;

    if (rv != CKR_OK)
        return rv;
    rv = real->C_GetTokenInfo(slot, info);
    pthread_mutex_lock(&faulty_lock);
    t = rv == CKR_OK ? faulty_token_of_slot(slot) : NULL;
    if (t != NULL)
        info_change(t, info);
    pthread_mutex_unlock(&faulty_lock);
    return faulty_leave("C_GetTokenInfo", slot, rv);
}

/* lock held. */
static bool is_hidden(CK_MECHANISM_TYPE type, CK_SLOT_ID slot)
{
    for (size_t i = 0; i < faulty_rule_count; i++)
        if (strcmp(faulty_rules[i].kind, "hide") == 0 && faulty_number(faulty_rules[i].first, 0) == type &&
            (faulty_rules[i].label[0] == '\0' ||
             (faulty_label_of(slot) != NULL && strcmp(faulty_rules[i].label, faulty_label_of(slot)) == 0)))
            return true;
    return false;
}

static bool hidden(CK_MECHANISM_TYPE type, CK_SLOT_ID slot)
{
    bool is;

    pthread_mutex_lock(&faulty_lock);
    is = is_hidden(type, slot);
    pthread_mutex_unlock(&faulty_lock);
    return is;
}

static CK_RV faulty_get_mechanism_list(CK_SLOT_ID shown, CK_MECHANISM_TYPE *list, CK_ULONG *n)
{
    CK_MECHANISM_TYPE all[MECHANISMS_MAX];
    CK_ULONG count = MECHANISMS_MAX, kept = 0;
    CK_SLOT_ID slot = faulty_slot_behind(shown);
    CK_RV rv = faulty_enter("C_GetMechanismList", slot);

    if (rv != CKR_OK)
        return rv;
    rv = real->C_GetMechanismList(slot, all, &count);
    for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++)
        if (!hidden(all[i], slot))
            all[kept++] = all[i];
    if (rv == CKR_OK && list != NULL && *n < kept)
        rv = CKR_BUFFER_TOO_SMALL;
    else if (rv == CKR_OK && list != NULL)
        memcpy(list, all, kept * sizeof(*list));
    *n = kept;
    return faulty_leave("C_GetMechanismList", slot, rv);
}

static CK_RV faulty_get_mechanism_info(CK_SLOT_ID shown, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
    CK_SLOT_ID slot = faulty_slot_behind(shown);
    CK_RV rv = faulty_enter("C_GetMechanismInfo", slot);

    if (rv != CKR_OK)
        return rv;
    return faulty_leave("C_GetMechanismInfo", slot,
                        hidden(type, slot) ? CKR_MECHANISM_INVALID : real->C_GetMechanismInfo(slot, type, info));
}

/* --- sessions --- */

/* lock held. */
static CK_RV session_count_allows(CK_SLOT_ID slot)
{
    struct rule *r = faulty_rule_for("sessions", NULL, faulty_label_of(slot));
    unsigned long open = 0;

    for (size_t i = 0; i < FAULTY_SESSIONS_MAX; i++)
        open += faulty_sessions[i].handle != 0 && faulty_sessions[i].slot == slot;
    return r != NULL && open >= faulty_number(r->first, 0) ? faulty_number(r->second, CKR_SESSION_COUNT) : CKR_OK;
}

static CK_RV faulty_open_session(CK_SLOT_ID shown, CK_FLAGS flags, void *application, CK_NOTIFY notify,
                                 CK_SESSION_HANDLE *session)
{
    CK_SLOT_ID slot = faulty_slot_behind(shown);
    CK_RV rv = faulty_enter("C_OpenSession", slot);

    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&faulty_lock);
    rv = session_count_allows(slot);
    if (rv == CKR_OK)
        rv = real->C_OpenSession(slot, flags, application, notify, session);
    for (size_t i = 0; rv == CKR_OK && i < FAULTY_SESSIONS_MAX; i++) {
        if (faulty_sessions[i].handle != 0)
            continue;
        faulty_sessions[i] = (struct seen_session){.handle = *session, .slot = slot};
        break;
    }
    pthread_mutex_unlock(&faulty_lock);
    return faulty_leave("C_OpenSession", slot, rv);
}

static CK_RV faulty_close_session(CK_SESSION_HANDLE session)
{
    CK_SLOT_ID slot = faulty_slot_of(session);
    CK_RV rv = faulty_enter("C_CloseSession", slot);
    struct seen_session *s;

    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&faulty_lock);
    rv = real->C_CloseSession(session);
    s = faulty_session_seen(session);
    if (s != NULL)
        *s = (struct seen_session){0};
    pthread_mutex_unlock(&faulty_lock);
    return faulty_leave("C_CloseSession", slot, rv);
}

static CK_RV faulty_close_all_sessions(CK_SLOT_ID shown)
{
    CK_SLOT_ID slot = faulty_slot_behind(shown);
    CK_RV rv = faulty_enter("C_CloseAllSessions", slot);

    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&faulty_lock);
    faulty_sessions_lose(slot);
    pthread_mutex_unlock(&faulty_lock);
    return faulty_leave("C_CloseAllSessions", slot, rv);
}

/* --- PINs; lock held --- */

static bool same_pin(const char *wanted, const unsigned char *pin, CK_ULONG size)
{
    return strlen(wanted) == size && memcmp(wanted, pin, size) == 0;
}

static CK_RV login_context(struct seen_token *t, CK_SESSION_HANDLE session, const unsigned char *pin, CK_ULONG size)
{
    struct rule *r = faulty_rule_for("context", NULL, t->label);

    if (r == NULL)
        return CKR_OPERATION_NOT_INITIALIZED;
    if (!same_pin(r->first, pin, size))
        return CKR_PIN_INCORRECT;
    t->authenticated = session;
    return CKR_OK;
}

static CK_RV login_user(struct seen_token *t, CK_SESSION_HANDLE session, unsigned char *pin, CK_ULONG size)
{
    struct rule *tries = faulty_rule_for("tries", NULL, t->label), *changed = faulty_rule_for("pin", NULL, t->label);
    const char *known = getenv("YETT_FAULT_PIN");
    CK_RV rv;

    if (tries != NULL && t->wrong >= faulty_number(tries->first, 0))
        return CKR_PIN_LOCKED;
    if (changed == NULL)
        rv = real->C_Login(session, CKU_USER, pin, size);
    else if (!same_pin(changed->first, pin, size))
        rv = CKR_PIN_INCORRECT;
    else
        rv = real->C_Login(session, CKU_USER, (unsigned char *)(uintptr_t)known, strlen(known));
    if (rv == CKR_PIN_INCORRECT)
        t->wrong++;
    else if (rv == CKR_OK)
        t->wrong = 0;
    return rv;
}

static CK_RV faulty_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char *pin, CK_ULONG size)
{
    const char *name = user == CKU_CONTEXT_SPECIFIC ? "C_Login(context)" : "C_Login";
    CK_SLOT_ID slot = faulty_slot_of(session);
    CK_RV rv = faulty_enter(name, slot);
    struct seen_token *t;

    if (rv != CKR_OK)
        return rv;
    pthread_mutex_lock(&faulty_lock);
    t = faulty_token_of_slot(slot);
    if (t == NULL)
        rv = real->C_Login(session, user, pin, size);
    else if (user == CKU_CONTEXT_SPECIFIC)
        rv = login_context(t, session, pin, size);
    else
        rv = login_user(t, session, pin, size);
    pthread_mutex_unlock(&faulty_lock);
    return faulty_leave(name, slot, rv);
}

/* --- objects and signatures --- */

static bool is_private_key(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
    CK_OBJECT_CLASS class = 0;
    CK_ATTRIBUTE wanted = {.type = CKA_CLASS, .pValue = &class, .ulValueLen = sizeof(class)};

    return real->C_GetAttributeValue(session, object, &wanted, 1) == CKR_OK && class == CKO_PRIVATE_KEY;
}

static bool is_under_context(CK_SLOT_ID slot)
{
    bool is;

    pthread_mutex_lock(&faulty_lock);
    is = faulty_rule_for("context", NULL, faulty_label_of(slot)) != NULL;
    pthread_mutex_unlock(&faulty_lock);
    return is;
}

static CK_RV faulty_get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *wanted,
                                        CK_ULONG n)
{
    CK_SLOT_ID slot = faulty_slot_of(session);
    CK_RV rv = faulty_enter("C_GetAttributeValue", slot);

    if (rv != CKR_OK)
        return rv;
    if (n == 1 && wanted->type == CKA_ALWAYS_AUTHENTICATE && is_under_context(slot) &&
        is_private_key(session, object)) {
        if (wanted->pValue != NULL)
            *(CK_BBOOL *)wanted->pValue = CK_TRUE;
        wanted->ulValueLen = sizeof(CK_BBOOL);
        return faulty_leave("C_GetAttributeValue", slot, CKR_OK);
    }
    return faulty_leave("C_GetAttributeValue", slot, real->C_GetAttributeValue(session, object, wanted, n));
}

static CK_RV faulty_sign_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    CK_SLOT_ID slot = faulty_slot_of(session);
    CK_RV rv = faulty_enter("C_SignInit", slot);
    struct seen_token *t;

    if (rv != CKR_OK)
        return rv;
    if (hidden(mechanism->mechanism, slot))
        return faulty_leave("C_SignInit", slot, CKR_MECHANISM_INVALID);
    pthread_mutex_lock(&faulty_lock);
    t = faulty_token_of_slot(slot);
    if (t != NULL)
        t->authenticated = 0;
    pthread_mutex_unlock(&faulty_lock);
    return faulty_leave("C_SignInit", slot, real->C_SignInit(session, mechanism, key));
}

static CK_RV faulty_sign(CK_SESSION_HANDLE session, unsigned char *data, CK_ULONG size, unsigned char *signature,
                         CK_ULONG *signature_size)
{
    CK_SLOT_ID slot = faulty_slot_of(session);
    CK_RV rv = faulty_enter("C_Sign", slot);
    unsigned char unwanted[SIGNATURE_MAX];
    CK_ULONG unwanted_size = sizeof(unwanted);
    struct seen_token *t;

    if (rv != CKR_OK) {
        /* One that fails is over (PKCS #11 2.40 section 5.11). */
        (void)real->C_Sign(session, data, size, unwanted, &unwanted_size);
        return rv;
    }
    pthread_mutex_lock(&faulty_lock);
    t = faulty_token_of_slot(slot);
    if (t != NULL && faulty_rule_for("context", NULL, t->label) != NULL && t->authenticated != session)
        rv = CKR_USER_NOT_LOGGED_IN;
    else if (t != NULL)
        t->authenticated = 0;
    pthread_mutex_unlock(&faulty_lock);
    return faulty_leave("C_Sign", slot,
                        rv == CKR_OK ? real->C_Sign(session, data, size, signature, signature_size) : rv);
}

static CK_RV faulty_generate_key_pair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *a, CK_ULONG n,
                                      CK_ATTRIBUTE *b, CK_ULONG m, CK_OBJECT_HANDLE *public, CK_OBJECT_HANDLE *private)
{
    CK_SLOT_ID slot = faulty_slot_of(session);
    CK_RV rv = faulty_enter("C_GenerateKeyPair", slot);

    if (rv != CKR_OK)
        return rv;
    return faulty_leave("C_GenerateKeyPair", slot,
                        hidden(mechanism->mechanism, slot)
                            ? CKR_MECHANISM_INVALID
                            : real->C_GenerateKeyPair(session, mechanism, a, n, b, m, public, private));
}

/* Those with nothing of their own. */
#define PASS(name, function, parameters, arguments)                                                                    \
    static CK_RV name parameters                                                                                       \
    {                                                                                                                  \
        CK_SLOT_ID slot = faulty_slot_of(session);                                                                     \
        CK_RV rv = faulty_enter(#function, slot);                                                                      \
                                                                                                                       \
        return rv == CKR_OK ? faulty_leave(#function, slot, real->function arguments) : rv;                            \
    }

PASS(faulty_get_session_info, C_GetSessionInfo, (CK_SESSION_HANDLE session, CK_SESSION_INFO *info), (session, info))
PASS(faulty_logout, C_Logout, (CK_SESSION_HANDLE session), (session))
PASS(faulty_find_objects_init, C_FindObjectsInit, (CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted, CK_ULONG n),
     (session, wanted, n))
PASS(faulty_find_objects, C_FindObjects,
     (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max, CK_ULONG *n), (session, objects, max, n))
PASS(faulty_find_objects_final, C_FindObjectsFinal, (CK_SESSION_HANDLE session), (session))
PASS(faulty_set_attribute_value, C_SetAttributeValue,
     (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *wanted, CK_ULONG n),
     (session, object, wanted, n))
PASS(faulty_create_object, C_CreateObject,
     (CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted, CK_ULONG n, CK_OBJECT_HANDLE *object),
     (session, wanted, n, object))
PASS(faulty_destroy_object, C_DestroyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object), (session, object))
PASS(faulty_set_pin, C_SetPIN,
     (CK_SESSION_HANDLE session, unsigned char *before, CK_ULONG n, unsigned char *after, CK_ULONG m),
     (session, before, n, after, m))

static CK_FUNCTION_LIST functions;

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    const char *path = getenv("YETT_TEST_MODULE");
    CK_C_GetFunctionList get;

    if (library == NULL) {
        library = dlopen(path != NULL ? path : "/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);
        if (library == NULL)
            return CKR_GENERAL_ERROR;
        *(void **)(&get) = dlsym(library, "C_GetFunctionList");
        if (get == NULL || get(&real) != CKR_OK)
            return CKR_GENERAL_ERROR;
    }
    functions = *real;
    functions.C_GetFunctionList = C_GetFunctionList;
    functions.C_Initialize = faulty_initialize;
    functions.C_Finalize = faulty_finalize;
    functions.C_GetInfo = faulty_get_info;
    functions.C_WaitForSlotEvent = faulty_wait_for_slot_event;
    functions.C_GetSlotList = faulty_get_slot_list;
    functions.C_GetSlotInfo = faulty_get_slot_info;
    functions.C_GetTokenInfo = faulty_get_token_info;
    functions.C_GetMechanismList = faulty_get_mechanism_list;
    functions.C_GetMechanismInfo = faulty_get_mechanism_info;
    functions.C_OpenSession = faulty_open_session;
    functions.C_CloseSession = faulty_close_session;
    functions.C_CloseAllSessions = faulty_close_all_sessions;
    functions.C_GetSessionInfo = faulty_get_session_info;
    functions.C_Login = faulty_login;
    functions.C_Logout = faulty_logout;
    functions.C_SetPIN = faulty_set_pin;
    functions.C_FindObjectsInit = faulty_find_objects_init;
    functions.C_FindObjects = faulty_find_objects;
    functions.C_FindObjectsFinal = faulty_find_objects_final;
    functions.C_GetAttributeValue = faulty_get_attribute_value;
    functions.C_SetAttributeValue = faulty_set_attribute_value;
    functions.C_CreateObject = faulty_create_object;
    functions.C_DestroyObject = faulty_destroy_object;
    functions.C_SignInit = faulty_sign_init;
    functions.C_Sign = faulty_sign;
    functions.C_GenerateKeyPair = faulty_generate_key_pair;
    *list = &functions;
    return CKR_OK;
}
