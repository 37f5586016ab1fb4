/* What a module and its tokens say of themselves: see tokens/manage/manage.h */
#include "tokens/manage/manage.h"
#include "tokens/manage/manage_session.h"

#include <stdio.h>
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

static_assert(ARRAY_LEN(token_flags) <= TOKENS_FLAG_NAMES_MAX && ARRAY_LEN(mechanism_flags) <= TOKENS_FLAG_NAMES_MAX,
              "room for all");

static struct tokens_flag_names flags_of(CK_FLAGS flags, const struct flag_name *names, size_t count)
{
    struct tokens_flag_names set = {.count = 0};

    for (size_t i = 0; i < count; i++)
        if ((flags & names[i].flag) != 0)
            set.names[set.count++] = names[i].name;
    return set;
}

/* A padded field: without the blanks, and with what is not plain ASCII escaped. */
static void take_padded(const unsigned char *field, size_t size, char out[static TOKENS_TEXT_SIZE])
{
    size_t len = p11_kit_space_strlen(field, size), used = 0;

    assert(4 * size < TOKENS_TEXT_SIZE);
    for (size_t i = 0; i < len; i++) {
        if (field[i] >= 0x20 && field[i] < 0x7f && field[i] != '\\')
            out[used++] = (char)field[i];
        else
            used += (size_t)snprintf(out + used, 5, "\\x%02x", field[i]);
    }
    out[used] = '\0';
}

static void take_version(CK_VERSION version, char out[static TOKENS_VERSION_SIZE])
{
    snprintf(out, TOKENS_VERSION_SIZE, "%u.%u", version.major, version.minor);
}

static uint64_t told(CK_ULONG value)
{
    return value == CK_UNAVAILABLE_INFORMATION ? TOKENS_UNTOLD : value;
}

/* CK_EFFECTIVELY_INFINITE is 0. */
static uint64_t told_max(CK_ULONG value)
{
    return value == 0 ? TOKENS_UNTOLD : told(value);
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

static struct tokens_mechanism_info mechanism_of(struct tokens_module *module, CK_SLOT_ID slot, CK_MECHANISM_TYPE type)
{
    struct tokens_mechanism_info m = {
        .name = tokens_mechanism_name(type), .key_size_min = TOKENS_UNTOLD, .key_size_max = TOKENS_UNTOLD};
    CK_MECHANISM_INFO info;

    m.tells = module->p11->C_GetMechanismInfo(slot, type, &info) == CKR_OK;
    if (!m.tells)
        return m;
    if (info.ulMaxKeySize != 0) { /* else keys have no size */
        m.key_size_min = told(info.ulMinKeySize);
        m.key_size_max = told(info.ulMaxKeySize);
    }
    m.flags = flags_of(info.flags, mechanism_flags, ARRAY_LEN(mechanism_flags));
    return m;
}

/* How many, in *mechanisms; the caller's, like their names. */
static size_t mechanisms_of(struct tokens_module *module, CK_SLOT_ID slot, struct tokens_mechanism_info **mechanisms)
{
    CK_MECHANISM_TYPE *types = base_alloc(MECHANISMS_MAX * sizeof(*types));
    CK_ULONG count = MECHANISMS_MAX;

    if (module->p11->C_GetMechanismList(slot, types, &count) != CKR_OK)
        count = 0;
    *mechanisms = base_alloc((count + 1) * sizeof(**mechanisms));
    for (CK_ULONG i = 0; i < count; i++)
        (*mechanisms)[i] = mechanism_of(module, slot, types[i]);
    free(types);
    return count;
}

static void tell_token(struct tokens_module *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info,
                       const struct tokens_info_taker *taker)
{
    char *uri = tokens_uri_format(module, info, CK_INVALID_HANDLE, 0);
    struct tokens_mechanism_info *mechanisms;
    struct tokens_token_info token = {
        .uri = uri,
        .flags = flags_of(info->flags, token_flags, ARRAY_LEN(token_flags)),
        .login = login_state(module, slot, info),
        .pin_length_min = info->ulMinPinLen,
        .pin_length_max = info->ulMaxPinLen,
        .sessions = {.open = told(info->ulSessionCount),
                     .read_write = told(info->ulRwSessionCount),
                     .open_max = told_max(info->ulMaxSessionCount),
                     .read_write_max = told_max(info->ulMaxRwSessionCount)},
        .memory = {.public_total = told(info->ulTotalPublicMemory),
                   .public_free = told(info->ulFreePublicMemory),
                   .private_total = told(info->ulTotalPrivateMemory),
                   .private_free = told(info->ulFreePrivateMemory)},
    };

    take_padded(info->label, sizeof(info->label), token.label);
    take_padded(info->manufacturerID, sizeof(info->manufacturerID), token.manufacturer);
    take_padded(info->model, sizeof(info->model), token.model);
    take_padded(info->serialNumber, sizeof(info->serialNumber), token.serial);
    take_version(info->hardwareVersion, token.hardware_version);
    take_version(info->firmwareVersion, token.firmware_version);
    token.mechanism_count = mechanisms_of(module, slot, &mechanisms);
    token.mechanisms = mechanisms;
    taker->token(taker->ctx, &token);
    for (size_t i = 0; i < token.mechanism_count; i++)
        free(mechanisms[i].name);
    free(mechanisms);
    free(uri);
}

static void tell_module(struct tokens_module *module, const struct tokens_info_taker *taker)
{
    struct tokens_module_info told_of = {.path = module->path, .locking = !module->serialise};
    CK_INFO info;

    told_of.tells = module->p11->C_GetInfo(&info) == CKR_OK;
    if (told_of.tells) {
        take_padded(info.libraryDescription, sizeof(info.libraryDescription), told_of.description);
        take_padded(info.manufacturerID, sizeof(info.manufacturerID), told_of.manufacturer);
        take_version(info.libraryVersion, told_of.version);
        take_version(info.cryptokiVersion, told_of.cryptoki_version);
    }
    taker->module(taker->ctx, &told_of);
}

/* Of the tokens that `uri` means (NULL: all); how many. */
static size_t tell_tokens(struct tokens_module *module, P11KitUri *uri, const struct tokens_info_taker *taker,
                          CK_RV *rv)
{
    CK_SLOT_ID *slots;
    size_t count, told_of = 0;

    *rv = tokens_slots(module, &slots, &count);
    for (size_t i = 0; *rv == CKR_OK && i < count; i++) {
        CK_TOKEN_INFO info;

        if (module->p11->C_GetTokenInfo(slots[i], &info) != CKR_OK || (info.flags & CKF_TOKEN_INITIALIZED) == 0 ||
            (uri != NULL && !tokens_uri_matches_token(module, uri, slots[i], &info)))
            continue;
        tell_token(module, slots[i], &info, taker);
        told_of++;
    }
    free(slots);
    return told_of;
}

/* see tokens/manage/manage.h */
bool tokens_info(struct tokens_module *module, const char *uri, const struct tokens_info_taker *taker, char **error)
{
    P11KitUri *parsed = NULL;
    size_t count;
    CK_RV rv;

    if (uri != NULL && (parsed = tokens_uri_parse(uri, error)) == NULL)
        return false;
    tell_module(module, taker);
    count = tell_tokens(module, parsed, taker, &rv);
    if (parsed != NULL)
        p11_kit_uri_free(parsed);
    if (rv != CKR_OK)
        *error = manage_ckr_error("the module does not list its slots", rv);
    else if (uri != NULL && count == 0)
        *error = base_printf("no token matches %s; see: yett token list", uri);
    else
        return true;
    return false;
}
