/* What a module and its tokens say of themselves: see tokens/manage/manage.h
 *
 * Everything goes into JSON first; the text is made from that, so that the two cannot differ. Strings from a module are
 * escaped: it may be a stranger's card that they come from. */
#include "tokens/manage/manage.h"
#include "tokens/manage/manage_session.h"

#include <jansson.h>
#include <stdlib.h>

enum { MECHANISMS_MAX = 1024 };

struct flag_name {
    CK_FLAGS flag;
    const char *name;
};

static const struct flag_name token_flags[] = {
    {CKF_RNG, "rng"},
    {CKF_WRITE_PROTECTED, "write-protected"},
    {CKF_LOGIN_REQUIRED, "login-required"},
    {CKF_USER_PIN_INITIALIZED, "pin-initialized"},
    {CKF_CLOCK_ON_TOKEN, "clock"},
    {CKF_PROTECTED_AUTHENTICATION_PATH, "key-pad"},
    {CKF_TOKEN_INITIALIZED, "initialized"},
    {CKF_USER_PIN_COUNT_LOW, "pin-count-low"},
    {CKF_USER_PIN_FINAL_TRY, "pin-final-try"},
    {CKF_USER_PIN_LOCKED, "pin-locked"},
    {CKF_USER_PIN_TO_BE_CHANGED, "pin-to-be-changed"},
    {CKF_SO_PIN_COUNT_LOW, "so-pin-count-low"},
    {CKF_SO_PIN_FINAL_TRY, "so-pin-final-try"},
    {CKF_SO_PIN_LOCKED, "so-pin-locked"},
    {CKF_SO_PIN_TO_BE_CHANGED, "so-pin-to-be-changed"},
};

static const struct flag_name mechanism_flags[] = {
    {CKF_HW, "hardware"},       {CKF_ENCRYPT, "encrypt"},
    {CKF_DECRYPT, "decrypt"},   {CKF_DIGEST, "digest"},
    {CKF_SIGN, "sign"},         {CKF_SIGN_RECOVER, "sign-recover"},
    {CKF_VERIFY, "verify"},     {CKF_VERIFY_RECOVER, "verify-recover"},
    {CKF_GENERATE, "generate"}, {CKF_GENERATE_KEY_PAIR, "generate-key-pair"},
    {CKF_WRAP, "wrap"},         {CKF_UNWRAP, "unwrap"},
    {CKF_DERIVE, "derive"},
};

static json_t *flags_json(CK_FLAGS flags, const struct flag_name *names, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        if ((flags & names[i].flag) != 0)
            json_array_append_new(array, json_string(names[i].name));
    return array;
}

/* A padded field: without the blanks, and with what is not plain ASCII escaped. */
static json_t *padded_json(const unsigned char *field, size_t size)
{
    size_t len = p11_kit_space_strlen(field, size);
    char *text = base_alloc(4 * len + 1);
    size_t used = 0;
    json_t *value;

    for (size_t i = 0; i < len; i++) {
        if (field[i] >= 0x20 && field[i] < 0x7f && field[i] != '\\')
            text[used++] = (char)field[i];
        else
            used += (size_t)snprintf(text + used, 5, "\\x%02x", field[i]);
    }
    value = json_stringn(text, used);
    free(text);
    return value;
}

static json_t *version_json(CK_VERSION version)
{
    return json_sprintf("%u.%u", version.major, version.minor);
}

/* What a token does not tell is left out. */
static void set_number(json_t *object, const char *key, CK_ULONG value)
{
    if (value != CK_UNAVAILABLE_INFORMATION)
        json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *sessions_json(const CK_TOKEN_INFO *info)
{
    json_t *sessions = json_object();

    set_number(sessions, "open", info->ulSessionCount);
    set_number(sessions, "read_write", info->ulRwSessionCount);
    /* CK_EFFECTIVELY_INFINITE is 0. */
    if (info->ulMaxSessionCount != 0)
        set_number(sessions, "open_max", info->ulMaxSessionCount);
    if (info->ulMaxRwSessionCount != 0)
        set_number(sessions, "read_write_max", info->ulMaxRwSessionCount);
    return sessions;
}

static json_t *memory_json(const CK_TOKEN_INFO *info)
{
    json_t *memory = json_object();

    set_number(memory, "public_total", info->ulTotalPublicMemory);
    set_number(memory, "public_free", info->ulFreePublicMemory);
    set_number(memory, "private_total", info->ulTotalPrivateMemory);
    set_number(memory, "private_free", info->ulFreePrivateMemory);
    return memory;
}

/* Login state belongs to an application: it is that of this command, and not of the running yett. */
static const char *login_state(struct tokens_module *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info)
{
    const char *state = "unknown";
    CK_SESSION_HANDLE session;
    CK_SESSION_INFO session_info;

    if ((info->flags & CKF_LOGIN_REQUIRED) == 0)
        return "not needed";
    if (module->p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK)
        return state;
    if (module->p11->C_GetSessionInfo(session, &session_info) == CKR_OK)
        state = session_info.state == CKS_RO_USER_FUNCTIONS || session_info.state == CKS_RW_USER_FUNCTIONS
                    ? "logged in"
                    : "not logged in";
    module->p11->C_CloseSession(session);
    return state;
}

static json_t *mechanisms_json(struct tokens_module *module, CK_SLOT_ID slot)
{
    json_t *array = json_array();
    CK_MECHANISM_TYPE *types = base_alloc(MECHANISMS_MAX * sizeof(*types));
    CK_ULONG count = MECHANISMS_MAX;

    if (module->p11->C_GetMechanismList(slot, types, &count) != CKR_OK)
        count = 0;
    for (CK_ULONG i = 0; i < count; i++) {
        CK_MECHANISM_INFO info;
        char *name = tokens_mechanism_name(types[i]);
        json_t *mechanism = json_pack("{s:s}", "name", name);

        free(name);
        if (module->p11->C_GetMechanismInfo(slot, types[i], &info) == CKR_OK) {
            /* Bits or bytes, as PKCS#11 has it for each mechanism; both 0: keys have no size. */
            if (info.ulMaxKeySize != 0) {
                set_number(mechanism, "key_size_min", info.ulMinKeySize);
                set_number(mechanism, "key_size_max", info.ulMaxKeySize);
            }
            json_object_set_new(mechanism, "flags",
                                flags_json(info.flags, mechanism_flags, ARRAY_LEN(mechanism_flags)));
        }
        json_array_append_new(array, mechanism);
    }
    free(types);
    return array;
}

static json_t *token_json(struct tokens_module *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info)
{
    char *uri = tokens_uri_format(module, info, CK_INVALID_HANDLE, 0);
    json_t *token = json_pack("{s:s}", "uri", uri);

    free(uri);
    json_object_set_new(token, "label", padded_json(info->label, sizeof(info->label)));
    json_object_set_new(token, "manufacturer", padded_json(info->manufacturerID, sizeof(info->manufacturerID)));
    json_object_set_new(token, "model", padded_json(info->model, sizeof(info->model)));
    json_object_set_new(token, "serial", padded_json(info->serialNumber, sizeof(info->serialNumber)));
    json_object_set_new(token, "hardware_version", version_json(info->hardwareVersion));
    json_object_set_new(token, "firmware_version", version_json(info->firmwareVersion));
    json_object_set_new(token, "flags", flags_json(info->flags, token_flags, ARRAY_LEN(token_flags)));
    json_object_set_new(token, "login", json_string(login_state(module, slot, info)));
    json_object_set_new(token, "pin_length_min", json_integer((json_int_t)info->ulMinPinLen));
    json_object_set_new(token, "pin_length_max", json_integer((json_int_t)info->ulMaxPinLen));
    json_object_set_new(token, "sessions", sessions_json(info));
    json_object_set_new(token, "memory", memory_json(info));
    json_object_set_new(token, "mechanisms", mechanisms_json(module, slot));
    return token;
}

static json_t *module_json(struct tokens_module *module)
{
    json_t *object = json_pack("{s:s}", "path", module->path);
    CK_INFO info;

    if (module->p11->C_GetInfo(&info) == CKR_OK) {
        json_object_set_new(object, "description",
                            padded_json(info.libraryDescription, sizeof(info.libraryDescription)));
        json_object_set_new(object, "manufacturer", padded_json(info.manufacturerID, sizeof(info.manufacturerID)));
        json_object_set_new(object, "version", version_json(info.libraryVersion));
        json_object_set_new(object, "cryptoki_version", version_json(info.cryptokiVersion));
    }
    json_object_set_new(object, "locking", json_boolean(!module->serialise));
    return object;
}

/* The tokens that `uri` means (NULL: all). */
static json_t *tokens_json(struct tokens_module *module, P11KitUri *uri, CK_RV *rv)
{
    json_t *array = json_array();
    CK_SLOT_ID *slots;
    size_t count;

    *rv = tokens_slots(module, &slots, &count);
    for (size_t i = 0; *rv == CKR_OK && i < count; i++) {
        CK_TOKEN_INFO info;

        if (module->p11->C_GetTokenInfo(slots[i], &info) == CKR_OK && (info.flags & CKF_TOKEN_INITIALIZED) != 0 &&
            (uri == NULL || tokens_uri_matches_token(module, uri, slots[i], &info)))
            json_array_append_new(array, token_json(module, slots[i], &info));
    }
    free(slots);
    return array;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "?" : text;
}

static void print_list(const json_t *array, FILE *out)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        fprintf(out, "%s%s", i == 0 ? "" : " ", json_string_value(json_array_get(array, i)));
}

static void print_numbers(const char *title, json_t *object, FILE *out)
{
    const char *key;
    json_t *value;
    bool first = true;

    if (json_object_size(object) == 0)
        return;
    fprintf(out, "  %-14s", title);
    json_object_foreach(object, key, value)
    {
        fprintf(out, "%s%s %lld", first ? "" : ", ", key, (long long)json_integer_value(value));
        first = false;
    }
    fputc('\n', out);
}

static void print_mechanism(const json_t *mechanism, FILE *out)
{
    const json_t *max = json_object_get(mechanism, "key_size_max");
    char sizes[64] = "";

    if (max != NULL)
        snprintf(sizes, sizeof(sizes), "%lld-%lld",
                 (long long)json_integer_value(json_object_get(mechanism, "key_size_min")),
                 (long long)json_integer_value(max));
    fprintf(out, "    %-32s %-12s ", text_of(mechanism, "name"), sizes);
    print_list(json_object_get(mechanism, "flags"), out);
    fputc('\n', out);
}

static void print_token(const json_t *token, FILE *out)
{
    const json_t *mechanisms = json_object_get(token, "mechanisms");

    fprintf(out, "\n%s\n", text_of(token, "uri"));
    fprintf(out, "  %-14s%s\n", "label", text_of(token, "label"));
    fprintf(out, "  %-14s%s, %s, serial number %s\n", "made by", text_of(token, "manufacturer"),
            text_of(token, "model"), text_of(token, "serial"));
    fprintf(out, "  %-14shardware %s, firmware %s\n", "versions", text_of(token, "hardware_version"),
            text_of(token, "firmware_version"));
    fprintf(out, "  %-14s", "flags");
    print_list(json_object_get(token, "flags"), out);
    fprintf(out, "\n  %-14s%s\n", "login", text_of(token, "login"));
    fprintf(out, "  %-14s%lld to %lld characters\n", "pin",
            (long long)json_integer_value(json_object_get(token, "pin_length_min")),
            (long long)json_integer_value(json_object_get(token, "pin_length_max")));
    print_numbers("sessions", json_object_get(token, "sessions"), out);
    print_numbers("memory", json_object_get(token, "memory"), out);
    fprintf(out, "  %zu mechanisms\n", json_array_size(mechanisms));
    for (size_t i = 0; i < json_array_size(mechanisms); i++)
        print_mechanism(json_array_get(mechanisms, i), out);
}

static void print_info(const json_t *info, FILE *out)
{
    const json_t *module = json_object_get(info, "module"), *tokens = json_object_get(info, "tokens");

    fprintf(out, "%s\n", text_of(module, "path"));
    fprintf(out, "  %-14s%s, version %s\n", "description", text_of(module, "description"), text_of(module, "version"));
    fprintf(out, "  %-14s%s\n", "made by", text_of(module, "manufacturer"));
    fprintf(out, "  %-14s%s\n", "PKCS#11", text_of(module, "cryptoki_version"));
    if (json_is_false(json_object_get(module, "locking")))
        fprintf(out, "  %-14scannot lock: its tokens sign one after the other\n", "threads");
    if (json_array_size(tokens) == 0)
        fputs("\nno token is there\n", out);
    for (size_t i = 0; i < json_array_size(tokens); i++)
        print_token(json_array_get(tokens, i), out);
}

/* see tokens/manage/manage.h */
bool tokens_info(struct tokens_module *module, const char *uri, FILE *out, bool json, char **error)
{
    P11KitUri *parsed = NULL;
    json_t *info;
    bool good = false;
    CK_RV rv;

    if (uri != NULL && (parsed = tokens_uri_parse(uri, error)) == NULL)
        return false;
    info = json_pack("{s:o}", "module", module_json(module));
    json_object_set_new(info, "tokens", tokens_json(module, parsed, &rv));
    if (rv != CKR_OK) {
        *error = manage_ckr_error("the module does not list its slots", rv);
    } else if (uri != NULL && json_array_size(json_object_get(info, "tokens")) == 0) {
        *error = base_printf("no token matches %s; see: yett token list", uri);
    } else {
        if (json && json_dumpf(info, out, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0)
            fputc('\n', out);
        else if (!json)
            print_info(info, out);
        good = fflush(out) == 0;
        if (!good)
            *error = base_strdup("the information cannot be written");
    }
    json_decref(info);
    if (parsed != NULL)
        p11_kit_uri_free(parsed);
    return good;
}
