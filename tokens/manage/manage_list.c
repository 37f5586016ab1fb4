/* see tokens/manage/manage.h */
#include "tokens/manage/manage.h"
#include "tokens/key.h"
#include "tokens/manage/manage_session.h"

#include <jansson.h>
#include <stdlib.h>

static const struct {
    CK_FLAGS flag;
    const char *name;
} flag_names[] = {
    {CKF_WRITE_PROTECTED, "write-protected"},       {CKF_LOGIN_REQUIRED, "login-required"},
    {CKF_PROTECTED_AUTHENTICATION_PATH, "key-pad"}, {CKF_USER_PIN_COUNT_LOW, "pin-count-low"},
    {CKF_USER_PIN_FINAL_TRY, "pin-final-try"},      {CKF_USER_PIN_LOCKED, "pin-locked"},
};

/* Labels come from the token: the encoding of a URI keeps control bytes out of the terminal. */
static json_t *list_objects(struct tokens_module *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info)
{
    json_t *array = json_array();
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE *objects;
    size_t count;

    if (module->p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK)
        return array;
    if (tokens_objects(module, session, NULL, 0, &objects, &count) == CKR_OK) {
        for (size_t i = 0; i < count; i++) {
            char *uri = tokens_uri_format(module, info, session, objects[i]);

            json_array_append_new(array, json_string(uri));
            free(uri);
        }
        free(objects);
    }
    module->p11->C_CloseSession(session);
    return array;
}

static json_t *list_token(struct tokens_module *module, CK_SLOT_ID slot)
{
    json_t *token = json_object(), *flags = json_array();
    CK_TOKEN_INFO info;
    char *uri;

    if (module->p11->C_GetTokenInfo(slot, &info) != CKR_OK || (info.flags & CKF_TOKEN_INITIALIZED) == 0) {
        json_decref(token);
        json_decref(flags);
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(flag_names); i++)
        if ((info.flags & flag_names[i].flag) != 0)
            json_array_append_new(flags, json_string(flag_names[i].name));
    uri = tokens_uri_format(module, &info, CK_INVALID_HANDLE, 0);
    json_object_set_new(token, "uri", json_string(uri));
    json_object_set_new(token, "flags", flags);
    json_object_set_new(token, "objects", list_objects(module, slot, &info));
    free(uri);
    return token;
}

static void print_token(const json_t *token, FILE *out)
{
    const json_t *flags = json_object_get(token, "flags"), *objects = json_object_get(token, "objects");

    fputs(json_string_value(json_object_get(token, "uri")), out);
    for (size_t i = 0; i < json_array_size(flags); i++)
        fprintf(out, "%s%s", i == 0 ? "  " : " ", json_string_value(json_array_get(flags, i)));
    fputc('\n', out);
    for (size_t i = 0; i < json_array_size(objects); i++)
        fprintf(out, "    %s\n", json_string_value(json_array_get(objects, i)));
}

/* see tokens/manage/manage.h */
bool tokens_list(struct tokens_module *module, FILE *out, bool json, char **error)
{
    CK_SLOT_ID *slots;
    size_t count;
    CK_RV rv = tokens_slots(module, &slots, &count);
    json_t *tokens = json_array();
    bool good;

    for (size_t i = 0; i < count; i++) {
        json_t *token = list_token(module, slots[i]);

        if (token != NULL)
            json_array_append_new(tokens, token);
    }
    free(slots);
    if (rv != CKR_OK)
        *error = manage_ckr_error("the module does not list its slots", rv);
    else if (json && json_dumpf(tokens, out, JSON_INDENT(2)) == 0)
        fputc('\n', out);
    for (size_t i = 0; !json && i < json_array_size(tokens); i++)
        print_token(json_array_get(tokens, i), out);
    json_decref(tokens);
    good = rv == CKR_OK && fflush(out) == 0;
    if (rv == CKR_OK && !good)
        *error = base_strdup("cannot write the list");
    return good;
}
