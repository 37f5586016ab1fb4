/* see tokens/manage/manage_session.h */
#include "tokens/manage/manage_session.h"

#include <stdlib.h>

/* see tokens/manage/manage_session.h */
char *manage_ckr_error(const char *what, CK_RV rv)
{
    char code[TOKENS_CKR_TEXT_SIZE];

    return base_printf("%s: %s, %s", what, tokens_ckr_text(rv, code), p11_kit_strerror(rv));
}

static void append(char **list, char *item)
{
    char *longer = base_printf("%s%s%s", *list == NULL ? "" : *list, *list == NULL ? "" : ", ", item);

    free(*list);
    free(item);
    *list = longer;
}

static bool find_token(struct manage_session *session, const char *text, enum manage_mode mode, char **error)
{
    const struct tokens_module *module = session->module;
    char *matching = NULL, *others = NULL;
    CK_SLOT_ID *slots;
    size_t count, matches = 0;
    CK_RV rv = tokens_slots(module, &slots, &count);

    for (size_t i = 0; rv == CKR_OK && i < count; i++) {
        CK_TOKEN_INFO info;

        if (module->p11->C_GetTokenInfo(slots[i], &info) != CKR_OK || (info.flags & CKF_TOKEN_INITIALIZED) == 0)
            continue;
        if (!tokens_uri_matches_token(module, session->uri, slots[i], &info) ||
            (mode == MANAGE_READ_WRITE && (info.flags & CKF_WRITE_PROTECTED) != 0)) {
            append(&others, tokens_uri_format(module, &info, CK_INVALID_HANDLE, 0));
            continue;
        }
        append(&matching, tokens_uri_format(module, &info, CK_INVALID_HANDLE, 0));
        session->slot = slots[i];
        session->info = info;
        matches++;
    }
    if (rv != CKR_OK)
        *error = manage_ckr_error("the module does not list its slots", rv);
    else if (matches == 0)
        *error = base_printf("no %stoken matches %s; there is %s", mode == MANAGE_READ_WRITE ? "writable " : "", text,
                             others == NULL ? "none" : others);
    else if (matches > 1)
        *error = base_printf("%zu tokens match %s: %s", matches, text, matching);
    free(matching);
    free(others);
    free(slots);
    return *error == NULL;
}

static bool login(struct manage_session *session, const struct tokens_pin *pin, char **error)
{
    const char *text = pin == NULL ? NULL : tokens_pin_text(pin);
    bool key_pad = (session->info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
    CK_RV rv;

    if ((session->info.flags & CKF_LOGIN_REQUIRED) == 0 || (pin == NULL && !key_pad))
        return true;
    if ((session->info.flags & CKF_USER_PIN_LOCKED) != 0) {
        *error = base_strdup("CKF_USER_PIN_LOCKED: the token's PIN is locked");
        return false;
    }
    if ((session->info.flags & CKF_USER_PIN_FINAL_TRY) != 0 && !key_pad) {
        *error =
            base_strdup("CKF_USER_PIN_FINAL_TRY: one wrong PIN more locks the token; unblock it with its own tool");
        return false;
    }
    if (key_pad)
        text = NULL;
    rv = session->module->p11->C_Login(session->handle, CKU_USER, (unsigned char *)(uintptr_t)text,
                                       text == NULL ? 0 : strlen(text));
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
        return true;
    *error = manage_ckr_error("login", rv);
    return false;
}

/* see tokens/manage/manage_session.h */
bool manage_session_find(struct manage_session *session, struct tokens_module *module, const char *uri,
                         enum manage_mode mode, char **error)
{
    *error = NULL;
    *session = (struct manage_session){.module = module, .handle = CK_INVALID_HANDLE};
    session->uri = tokens_uri_parse(uri, error);
    return session->uri != NULL && find_token(session, uri, mode, error);
}

/* see tokens/manage/manage_session.h */
bool manage_session_open(struct manage_session *session, struct tokens_module *module, const char *uri,
                         enum manage_mode mode, const struct tokens_pin *pin, char **error)
{
    CK_FLAGS flags = CKF_SERIAL_SESSION | (mode == MANAGE_READ_WRITE ? CKF_RW_SESSION : 0);
    CK_RV rv;

    if (!manage_session_find(session, module, uri, mode, error))
        return false;
    rv = module->p11->C_OpenSession(session->slot, flags, NULL, NULL, &session->handle);
    if (rv != CKR_OK) {
        session->handle = CK_INVALID_HANDLE;
        *error = manage_ckr_error("the token opens no session", rv);
        return false;
    }
    return login(session, pin, error);
}

/* see tokens/manage/manage_session.h */
void manage_session_clear(struct manage_session *session)
{
    if (session->handle != CK_INVALID_HANDLE)
        session->module->p11->C_CloseSession(session->handle);
    session->handle = CK_INVALID_HANDLE;
    if (session->uri != NULL)
        p11_kit_uri_free(session->uri);
    session->uri = NULL;
}

/* see tokens/manage/manage_session.h */
bool manage_session_key(struct manage_session *session, struct tokens_key *key, char **error)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE wanted[3] = {{.type = CKA_CLASS, .pValue = &class, .ulValueLen = sizeof(class)}};
    CK_ULONG wanted_count = 1;
    static const CK_ATTRIBUTE_TYPE named[] = {CKA_ID, CKA_LABEL};
    CK_OBJECT_HANDLE *keys;
    char *matching = NULL;
    size_t count;
    CK_RV rv;

    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        const CK_ATTRIBUTE *attribute = p11_kit_uri_get_attribute(session->uri, named[i]);

        if (attribute != NULL)
            wanted[wanted_count++] = *attribute;
    }
    rv = tokens_objects(session->module, session->handle, wanted, wanted_count, &keys, &count);
    for (size_t i = 0; i < count && count > 1; i++)
        append(&matching, tokens_uri_format(session->module, &session->info, session->handle, keys[i]));
    if (rv != CKR_OK)
        *error = manage_ckr_error("the token does not list its keys", rv);
    else if (count == 0)
        *error = base_strdup("no private key matches (is the PIN needed?)");
    else if (count > 1)
        *error = base_printf("%zu private keys match: %s", count, matching);
    else
        (void)!tokens_key_read(session->module, session->handle, keys[0], key, error);
    free(matching);
    free(keys);
    return *error == NULL;
}
