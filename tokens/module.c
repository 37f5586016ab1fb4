/* see tokens/module.h and tokens/module_load.h */
#include "tokens/module.h"
#include "tokens/module_load.h"
#include "tokens/p11_kit_module.h"

#include "base/file.h"

#include <stdlib.h>

/* see tokens/module_load.h */
struct tokens_module *tokens_module_load(const char *path, char **error)
{
    return tokens_module_load_with(path, &(struct tokens_module_settings){.parameters = NULL}, error);
}

/* A name without a folder stands for what p11-kit is configured for, or else for a file in its folder. */
static struct tokens_module *module_named(const char *path, const struct tokens_module_settings *settings, char **error)
{
    struct tokens_module *module = base_alloc(sizeof(*module));

    module->parameters = settings->parameters == NULL ? NULL : base_strdup(settings->parameters);
    module->serialise = settings->serialise;
    if (strchr(path, '/') == NULL) {
        struct tokens_p11_kit_module configured;

        if (!tokens_p11_kit_module_find(path, &configured, error)) {
            tokens_module_unload(&module);
            return NULL;
        }
        module->path = configured.path;
        if (module->parameters == NULL)
            module->parameters = configured.parameters;
        else
            free(configured.parameters);
    }
    if (module->path == NULL)
        module->path = base_strdup(path);
    return module;
}

/* see tokens/module_load.h */
struct tokens_module *tokens_module_load_with(const char *path, const struct tokens_module_settings *settings,
                                              char **error)
{
    char code[TOKENS_CKR_TEXT_SIZE];
    struct tokens_module *module = module_named(path, settings, error);
    CK_RV rv;

    if (module == NULL)
        return NULL;
    if (strchr(module->path, '/') != NULL && !base_file_check_program(module->path, error)) {
        tokens_module_unload(&module);
        return NULL;
    }
    module->p11 = p11_kit_module_load(module->path, P11_KIT_MODULE_UNMANAGED);
    if (module->p11 == NULL) {
        const char *why = p11_kit_message();

        *error = base_printf("cannot load PKCS#11 module %s: %s", module->path, why == NULL ? "unknown reason" : why);
        tokens_module_unload(&module);
        return NULL;
    }
    rv = tokens_module_initialize(module);
    if (rv != CKR_OK) {
        *error = base_printf("cannot initialise PKCS#11 module %s: %s%s", module->path, tokens_ckr_text(rv, code),
                             rv == CKR_ARGUMENTS_BAD && module->parameters == NULL
                                 ? "; it may want a string for C_Initialize (parameters = ...)"
                                 : "");
        tokens_module_unload(&module);
    }
    return module;
}

/* see tokens/module_load.h */
void tokens_module_unload(struct tokens_module **module)
{
    struct tokens_module *m = *module;

    if (m == NULL)
        return;
    tokens_module_finalize(m);
    if (m->p11 != NULL)
        p11_kit_module_release(m->p11);
    free(m->path);
    free(m->parameters);
    free(m);
    *module = NULL;
}

/* PKCS#11's arguments as NSS has them: the string is where the standard's reserved pointer is, and one more follows. */
struct initialize_args {
    CK_C_INITIALIZE_ARGS args;
    void *nss_reserved;
};

/* Not p11_kit_module_initialize(): for a module loaded unmanaged it passes no arguments, which means "one thread only",
 * and SoftHSM for one believes it. see tokens/module.h */
CK_RV tokens_module_initialize(struct tokens_module *module)
{
    struct initialize_args with = {
        .args = {.flags = module->serialise ? 0 : CKF_OS_LOCKING_OK, .pReserved = module->parameters}};
    void *without_locks = module->parameters == NULL ? NULL : &with.args;
    CK_RV rv = module->p11->C_Initialize(module->serialise ? without_locks : &with.args);

    if (rv == CKR_CANT_LOCK && !module->serialise) {
        with.args.flags = 0;
        rv = module->p11->C_Initialize(without_locks);
        module->serialise = true;
    }
    module->initialized = rv == CKR_OK;
    return rv;
}

/* see tokens/module.h */
CK_RV tokens_module_finalize(struct tokens_module *module)
{
    if (!module->initialized)
        return CKR_OK;
    assert(module->p11 != NULL);
    module->initialized = false;
    return module->p11->C_Finalize(NULL);
}

/* see tokens/module.h */
void tokens_bytes_set(struct tokens_bytes *bytes, struct span value)
{
    uint8_t *copy = base_memdup(value.data, value.size);

    free(bytes->data);
    *bytes = (struct tokens_bytes){.data = copy, .size = value.size};
}

/* see tokens/module.h */
void tokens_bytes_clear(struct tokens_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct tokens_bytes){0};
}

/* see tokens/module.h */
bool tokens_attribute(const struct tokens_module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                      CK_ATTRIBUTE_TYPE type, struct tokens_bytes *value)
{
    CK_ATTRIBUTE attribute = {.type = type};

    tokens_bytes_clear(value);
    if (module->p11->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK ||
        attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION || attribute.ulValueLen > TOKENS_ATTRIBUTE_MAX)
        return false;
    value->data = base_alloc(attribute.ulValueLen);
    attribute.pValue = value->data;
    if (module->p11->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK ||
        attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION) {
        tokens_bytes_clear(value);
        return false;
    }
    value->size = attribute.ulValueLen;
    return true;
}

/* see tokens/module.h */
bool tokens_attribute_ulong(const struct tokens_module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                            CK_ATTRIBUTE_TYPE type, CK_ULONG *value)
{
    CK_ATTRIBUTE attribute = {.type = type, .pValue = value, .ulValueLen = sizeof(*value)};

    return module->p11->C_GetAttributeValue(session, object, &attribute, 1) == CKR_OK &&
           attribute.ulValueLen == sizeof(*value);
}

/* see tokens/module.h */
bool tokens_attribute_bool(const struct tokens_module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                           CK_ATTRIBUTE_TYPE type)
{
    CK_BBOOL value = CK_FALSE;
    CK_ATTRIBUTE attribute = {.type = type, .pValue = &value, .ulValueLen = sizeof(value)};

    return module->p11->C_GetAttributeValue(session, object, &attribute, 1) == CKR_OK &&
           attribute.ulValueLen == sizeof(value) && value != CK_FALSE;
}

/* see tokens/module.h */
CK_RV tokens_objects(const struct tokens_module *module, CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted,
                     CK_ULONG wanted_count, CK_OBJECT_HANDLE **objects, size_t *count)
{
    CK_OBJECT_HANDLE *found;
    CK_RV rv = module->p11->C_FindObjectsInit(session, wanted, wanted_count);

    *objects = NULL;
    *count = 0;
    if (rv != CKR_OK)
        return rv;
    found = base_alloc(TOKENS_OBJECTS_MAX * sizeof(*found));
    while (*count < TOKENS_OBJECTS_MAX) {
        CK_ULONG got = 0;

        rv = module->p11->C_FindObjects(session, found + *count, TOKENS_OBJECTS_MAX - *count, &got);
        if (rv != CKR_OK || got == 0)
            break;
        *count += got;
    }
    module->p11->C_FindObjectsFinal(session);
    if (rv != CKR_OK)
        *count = 0;
    if (*count == 0)
        free(found);
    else
        *objects = found;
    return rv;
}

/* see tokens/module.h */
CK_RV tokens_slots(const struct tokens_module *module, CK_SLOT_ID **slots, size_t *count)
{
    CK_ULONG got = TOKENS_SLOTS_MAX;
    CK_RV rv;

    /* The first call with NULL is what makes a module look for new slots. PKCS#11 2.40 section 5.5 */
    rv = module->p11->C_GetSlotList(CK_TRUE, NULL, &got);
    *slots = NULL;
    *count = 0;
    if (rv != CKR_OK)
        return rv;
    got = TOKENS_SLOTS_MAX;
    *slots = base_alloc(TOKENS_SLOTS_MAX * sizeof(**slots));
    rv = module->p11->C_GetSlotList(CK_TRUE, *slots, &got);
    if (rv == CKR_OK)
        *count = got;
    return rv;
}

/* see tokens/module.h */
char *tokens_padded_text(const unsigned char *bytes, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = p11_kit_space_strlen(bytes, size);
    char *text = base_alloc(3 * used + 1), *at = text;

    for (size_t i = 0; i < used; i++) {
        if (bytes[i] >= ' ' && bytes[i] != 0x7f && bytes[i] != '%') {
            *at++ = (char)bytes[i];
            continue;
        }
        *at++ = '%';
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    return text;
}

/* see tokens/module.h */
char *tokens_token_label(const CK_TOKEN_INFO *info)
{
    return tokens_padded_text(info->label, sizeof(info->label));
}

/* The basename of a module's file, without "lib" and the suffix: RFC 7512 section 2.3, module-name. */
static bool module_name_matches(const char *path, const char *name)
{
    const char *base = strrchr(path, '/');
    const char *dot;

    base = base == NULL ? path : base + 1;
    dot = strchr(base, '.');
    if (dot == NULL)
        dot = base + strlen(base);
    if (span_equal_nocase(span_of(base, (size_t)(dot - base)), span_of_string(name)))
        return true;
    return strncmp(base, "lib", 3) == 0 &&
           span_equal_nocase(span_of(base + 3, (size_t)(dot - base - 3)), span_of_string(name));
}

/* see tokens/module.h */
bool tokens_uri_matches_token(const struct tokens_module *module, P11KitUri *uri, CK_SLOT_ID slot,
                              const CK_TOKEN_INFO *info)
{
    const char *path = p11_kit_uri_get_module_path(uri);
    const char *name = p11_kit_uri_get_module_name(uri);
    CK_SLOT_ID slot_wanted = p11_kit_uri_get_slot_id(uri);
    CK_SLOT_INFO slot_info;
    CK_INFO library;

    if (path != NULL && strcmp(path, module->path) != 0)
        return false;
    if (name != NULL && !module_name_matches(module->path, name))
        return false;
    if (!p11_kit_uri_match_token_info(uri, info) || (slot_wanted != (CK_SLOT_ID)-1 && slot_wanted != slot))
        return false;
    return module->p11->C_GetInfo(&library) == CKR_OK && p11_kit_uri_match_module_info(uri, &library) &&
           module->p11->C_GetSlotInfo(slot, &slot_info) == CKR_OK && p11_kit_uri_match_slot_info(uri, &slot_info);
}

static void uri_take_attribute(const struct tokens_module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                               CK_ATTRIBUTE_TYPE type, P11KitUri *uri)
{
    struct tokens_bytes value = {0};

    if (tokens_attribute(module, session, object, type, &value) && value.size != 0) {
        CK_ATTRIBUTE attribute = {.type = type, .pValue = value.data, .ulValueLen = value.size};

        p11_kit_uri_set_attribute(uri, &attribute);
    }
    tokens_bytes_clear(&value);
}

/* see tokens/module.h */
char *tokens_uri_format(const struct tokens_module *module, const CK_TOKEN_INFO *info, CK_SESSION_HANDLE session,
                        CK_OBJECT_HANDLE object)
{
    P11KitUri *uri = p11_kit_uri_new();
    P11KitUriType type = P11_KIT_URI_FOR_TOKEN;
    char *text = NULL;
    char *copy;

    if (uri == NULL)
        base_abort("out of memory (a URI)");
    *p11_kit_uri_get_token_info(uri) = *info;
    if (session != CK_INVALID_HANDLE) {
        uri_take_attribute(module, session, object, CKA_CLASS, uri);
        uri_take_attribute(module, session, object, CKA_LABEL, uri);
        uri_take_attribute(module, session, object, CKA_ID, uri);
        type = P11_KIT_URI_FOR_OBJECT_ON_TOKEN;
    }
    if (p11_kit_uri_format(uri, type, &text) != P11_KIT_URI_OK)
        text = NULL;
    copy = base_strdup(text == NULL ? "pkcs11:" : text);
    free(text);
    p11_kit_uri_free(uri);
    return copy;
}

/* see tokens/module.h */
P11KitUri *tokens_uri_parse(const char *text, char **error)
{
    P11KitUri *uri = p11_kit_uri_new();
    char quoted[BASE_QUOTE_SIZE];
    const char *wrong = NULL;
    int status;

    if (uri == NULL)
        base_abort("out of memory (a URI)");
    status = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
    if (status != P11_KIT_URI_OK)
        wrong = p11_kit_uri_message(status);
    else if (p11_kit_uri_get_pin_value(uri) != NULL)
        /* Not quoted back: it has a PIN in it. */
        wrong = "pin-value is not accepted, a PIN does not belong in a URI";
    else if (p11_kit_uri_any_unrecognized(uri))
        wrong = "it has attributes that are not known, so it would match nothing";
    else if (p11_kit_uri_get_pin_source(uri) != NULL &&
             strncmp(p11_kit_uri_get_pin_source(uri), "file:", strlen("file:")) != 0)
        wrong = "pin-source must be file:PATH";
    if (wrong == NULL)
        return uri;
    if (strstr(text, "pin-value") != NULL)
        *error = base_printf("bad PKCS#11 URI: %s", wrong);
    else
        *error = base_printf("bad PKCS#11 URI %s: %s", base_quote(text, strlen(text), quoted, sizeof(quoted)), wrong);
    p11_kit_uri_free(uri);
    return NULL;
}
