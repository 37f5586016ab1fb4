/* see tokens/manage/manage.h */
#include "tokens/key.h"
#include "tokens/manage/manage.h"
#include "tokens/manage/manage_session.h"

#include <stdlib.h>

static const struct {
    CK_FLAGS flag;
    const char *name;
} flag_names[] = {
    {CKF_WRITE_PROTECTED, "write-protected"},       {CKF_LOGIN_REQUIRED, "login-required"},
    {CKF_PROTECTED_AUTHENTICATION_PATH, "key-pad"}, {CKF_USER_PIN_COUNT_LOW, "pin-count-low"},
    {CKF_USER_PIN_FINAL_TRY, "pin-final-try"},      {CKF_USER_PIN_LOCKED, "pin-locked"},
};
static_assert(ARRAY_LEN(flag_names) <= TOKENS_FLAG_NAMES_MAX, "room for all");

/* How many URIs, in *uris (the caller's, like each of them). Labels come from the token: the encoding of a URI keeps
 * control bytes out of the terminal. */
static size_t list_objects(struct tokens_module *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info, char ***uris)
{
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE *objects;
    size_t count = 0;

    *uris = NULL;
    if (module->p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK)
        return 0;
    if (tokens_objects(module, session, NULL, 0, &objects, &count) == CKR_OK) {
        *uris = base_alloc((count + 1) * sizeof(char *));
        for (size_t i = 0; i < count; i++)
            (*uris)[i] = tokens_uri_format(module, info, session, objects[i]);
        free(objects);
    } else {
        count = 0;
    }
    module->p11->C_CloseSession(session);
    return count;
}

static void list_token(struct tokens_module *module, CK_SLOT_ID slot,
                       void (*take)(void *ctx, const struct tokens_listed *token), void *ctx)
{
    struct tokens_listed token = {.object_count = 0};
    CK_TOKEN_INFO info;
    char **objects, *uri;

    if (module->p11->C_GetTokenInfo(slot, &info) != CKR_OK || (info.flags & CKF_TOKEN_INITIALIZED) == 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(flag_names); i++)
        if ((info.flags & flag_names[i].flag) != 0)
            token.flags.names[token.flags.count++] = flag_names[i].name;
    token.uri = uri = tokens_uri_format(module, &info, CK_INVALID_HANDLE, 0);
    token.object_count = list_objects(module, slot, &info, &objects);
    token.objects = objects;
    take(ctx, &token);
    for (size_t i = 0; i < token.object_count; i++)
        free(objects[i]);
    free(objects);
    free(uri);
}

/* see tokens/manage/manage.h */
bool tokens_list(struct tokens_module *module, void (*take)(void *ctx, const struct tokens_listed *token), void *ctx,
                 char **error)
{
    CK_SLOT_ID *slots;
    size_t count;
    CK_RV rv = tokens_slots(module, &slots, &count);

    for (size_t i = 0; rv == CKR_OK && i < count; i++)
        list_token(module, slots[i], take, ctx);
    free(slots);
    if (rv != CKR_OK)
        *error = manage_ckr_error("the module does not list its slots", rv);
    return rv == CKR_OK;
}
