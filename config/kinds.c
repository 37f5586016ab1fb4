/* see config/kinds.h
 *
 * Fields are reached by offset and copied by memcpy(): each kind knows the one type of field it is for. */
#include "config/kinds.h"
#include "config/items.h"

#include <stdlib.h>

static void *field(void *target, size_t offset)
{
    return (char *)target + offset;
}

static void unsigned_set(const struct option *o, void *target, unsigned value)
{
    memcpy(field(target, o->offset), &value, sizeof(value));
}

/* Numbers, words and flags own nothing. */
static void nothing_clear(const struct option *o, void *target)
{
    (void)o;
    (void)target;
}

static bool number_parse(const struct option *o, void *target, struct config_place place, const char *text,
                         char **error)
{
    uint64_t number;

    (void)place;
    for (const struct value_word *word = o->words; word != NULL && word->name != NULL; word++) {
        if (strcmp(text, word->name) == 0) {
            unsigned_set(o, target, word->value);
            return true;
        }
    }
    if (!value_number(text, o->min, o->max, &number, error))
        return false;
    unsigned_set(o, target, (unsigned)number);
    return true;
}

static bool time_parse(const struct option *o, void *target, struct config_place place, const char *text, char **error)
{
    uint64_t duration_ms;
    uint32_t value;

    (void)place;
    if (!value_duration(text, o->min, o->max, &duration_ms, error))
        return false;
    value = (uint32_t)duration_ms;
    memcpy(field(target, o->offset), &value, sizeof(value));
    return true;
}

static bool size_parse(const struct option *o, void *target, struct config_place place, const char *text, char **error)
{
    uint64_t size;
    uint32_t value;

    (void)place;
    if (!value_size(text, o->min, o->max, &size, error))
        return false;
    value = (uint32_t)size;
    memcpy(field(target, o->offset), &value, sizeof(value));
    return true;
}

static_assert(sizeof(enum config_protocol) == sizeof(unsigned) && sizeof(int) == sizeof(unsigned),
              "a word is stored as unsigned");

static bool word_parse(const struct option *o, void *target, struct config_place place, const char *text, char **error)
{
    unsigned value;

    (void)place;
    if (!value_word(text, o->words, &value, error))
        return false;
    unsigned_set(o, target, value);
    return true;
}

static bool flag_parse(const struct option *o, void *target, struct config_place place, const char *text, char **error)
{
    unsigned value;
    bool flag;

    (void)place;
    if (!value_word(text, o->words, &value, error))
        return false;
    flag = value != 0;
    memcpy(field(target, o->offset), &flag, sizeof(flag));
    return true;
}

static void pointer_set(const struct option *o, void *target, void *value)
{
    memcpy(field(target, o->offset), &value, sizeof(value));
}

static void *pointer_get(const struct option *o, void *target)
{
    void *value;

    memcpy(&value, field(target, o->offset), sizeof(value));
    return value;
}

static void text_clear(const struct option *o, void *target)
{
    free(pointer_get(o, target));
    pointer_set(o, target, NULL);
}

static bool text_parse(const struct option *o, void *target, struct config_place place, const char *text, char **error)
{
    (void)place;
    (void)error;
    pointer_set(o, target, base_strdup(text));
    return true;
}

/* "none", where the default is a path. */
static bool path_or_none_parse(const struct option *o, void *target, struct config_place place, const char *text,
                               char **error)
{
    return strcmp(text, "none") == 0 || text_parse(o, target, place, text, error);
}

/* A module is code: it is named from the root, so that nobody's current folder has a say in what is loaded. */
static bool accelerator_parse(const struct option *o, void *target, struct config_place place, const char *text,
                              char **error)
{
    if (strcmp(text, "none") == 0)
        return true;
    if (strcmp(text, "auto") != 0 && text[0] != '/') {
        *error = base_strdup("must be auto, none or a path that begins with /");
        return false;
    }
    return text_parse(o, target, place, text, error);
}

/* Likewise; but a name without a folder is one of p11-kit's own, in its folder. */
static bool module_path_parse(const struct option *o, void *target, struct config_place place, const char *text,
                              char **error)
{
    if (text[0] != '/' && strchr(text, '/') != NULL) {
        *error = base_strdup("must begin with /, or be a name without a folder: a module in p11-kit's");
        return false;
    }
    return text_parse(o, target, place, text, error);
}

static bool file_parse(const struct option *o, void *target, struct config_place place, const char *text, char **error)
{
    static const char prefix[] = "file:";
    size_t size = strlen(prefix);

    if (strncmp(text, prefix, size) != 0 || text[size] == '\0') {
        *error = base_strdup("must be file:PATH");
        return false;
    }
    return text_parse(o, target, place, text + size, error);
}

static bool host_parse(const struct option *o, void *target, struct config_place place, const char *text, char **error)
{
    char *host;

    (void)place;
    if (!value_address_literal(text, &host) && !value_host_name(text, &host, error))
        return false;
    pointer_set(o, target, host);
    return true;
}

static bool database_parse(const struct option *o, void *target, struct config_place place, const char *text,
                           char **error)
{
    if (strncmp(text, "sql:", 4) != 0 || text[4] == '\0') {
        *error = base_strdup("must be sql:PATH, the folder of an NSS database such as sql:/var/lib/yett/nss");
        return false;
    }
    return text_parse(o, target, place, text, error);
}

static bool socket_path_parse(const struct option *o, void *target, struct config_place place, const char *text,
                              char **error)
{
    if (strlen(text) > CONFIG_UNIX_PATH_BYTES_MAX) {
        *error = base_printf("the path of a Unix socket has 1 to %d bytes, not %zu", CONFIG_UNIX_PATH_BYTES_MAX,
                             strlen(text));
        return false;
    }
    return text_parse(o, target, place, text, error);
}

static bool pin_parse(const struct option *o, void *target, struct config_place place, const char *text, char **error)
{
    enum config_pin_type type = CONFIG_PIN_NONE;
    char *source = NULL;

    (void)place;
    if (!item_pin_parse(text, &type, &source, error))
        return false;
    memcpy(field(target, o->count_offset), &type, sizeof(type));
    pointer_set(o, target, source);
    return true;
}

static bool one_address_parse(const struct option *o, void *target, struct config_place place, const char *text,
                              char **error)
{
    struct config_address *address = base_alloc(sizeof(*address));

    if (!config_address_parse(text, address, error)) {
        free(address);
        return false;
    }
    address->place = place;
    pointer_set(o, target, address);
    return true;
}

static void one_address_clear(const struct option *o, void *target)
{
    struct config_address *address = pointer_get(o, target);

    if (address != NULL)
        config_address_clear(address);
    free(address);
    pointer_set(o, target, NULL);
}

static bool user_parse(const struct option *o, void *target, struct config_place place, const char *text, char **error)
{
    struct config_user *user;

    if (!value_is_user_name(text)) {
        *error = base_strdup("must be the name of a user");
        return false;
    }
    user = base_alloc(sizeof(*user));
    *user = (struct config_user){.name = base_strdup(text), .place = place};
    pointer_set(o, target, user);
    return true;
}

static void user_clear(const struct option *o, void *target)
{
    struct config_user *user = pointer_get(o, target);

    if (user != NULL)
        free(user->name);
    free(user);
    pointer_set(o, target, NULL);
}

/* Lists: an array and its count. */

enum { NO_PLACE = -1 };

struct list_kind {
    size_t size; /* of an item */
    long place;  /* offset of the item's struct config_place, or NO_PLACE */
    bool (*parse)(const char *text, void *item, char **error);
    void (*clear)(void *item);
};

static void list_release(const struct list_kind *list, char *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        list->clear(items + i * list->size);
    free(items);
}

/* One entry, at the end of the list. */
static bool list_add(const struct list_kind *list, char **items, size_t *count, struct config_place place,
                     const char *entry, char **error)
{
    char *item;

    if (*entry == '\0' || *count == CONFIG_LIST_MAX) {
        *error = *entry == '\0' ? base_strdup("an entry of the list is empty")
                                : base_printf("has more than %d entries", CONFIG_LIST_MAX);
        return false;
    }
    *items = base_realloc_array(*items, *count + 1, list->size);
    item = *items + *count * list->size;
    memset(item, 0, list->size);
    (*count)++;
    if (!list->parse(entry, item, error))
        return false;
    if (list->place != NO_PLACE)
        memcpy(item + list->place, &place, sizeof(place));
    return true;
}

static bool list_parse(const struct list_kind *list, const struct option *o, void *target, struct config_place place,
                       const char *text, char **error)
{
    const char *cursor = text;
    char *items = NULL, *entry;
    size_t count = 0;
    bool good = true;

    while (good && value_list_next(&cursor, &entry)) {
        good = list_add(list, &items, &count, place, entry, error);
        free(entry);
    }
    if (!good) {
        list_release(list, items, count);
        return false;
    }
    pointer_set(o, target, items);
    memcpy(field(target, o->count_offset), &count, sizeof(count));
    return true;
}

static void list_clear(const struct list_kind *list, const struct option *o, void *target)
{
    size_t count;

    memcpy(&count, field(target, o->count_offset), sizeof(count));
    list_release(list, pointer_get(o, target), count);
    pointer_set(o, target, NULL);
    memset(field(target, o->count_offset), 0, sizeof(count));
}

#define DEFINE_LIST(name, item_form, ...)                                                                              \
    static const struct list_kind name##_items = {__VA_ARGS__};                                                        \
    static bool name##_list_parse(const struct option *o, void *target, struct config_place place, const char *text,   \
                                  char **error)                                                                        \
    {                                                                                                                  \
        return list_parse(&name##_items, o, target, place, text, error);                                               \
    }                                                                                                                  \
    static void name##_list_clear(const struct option *o, void *target)                                                \
    {                                                                                                                  \
        list_clear(&name##_items, o, target);                                                                          \
    }                                                                                                                  \
    const struct option_kind option_kind_##name##_list = {item_form ", ...", name##_list_parse, name##_list_clear}

#define PLACED(type) sizeof(struct type), offsetof(struct type, place)

DEFINE_LIST(address, "ADDRESS", PLACED(config_address), item_address_parse, item_address_clear);
DEFINE_LIST(identity, "IDENTITY", PLACED(config_identity), item_identity_parse, item_identity_clear);
DEFINE_LIST(allow, "RULE", PLACED(config_allow), item_allow_parse, item_allow_clear);
DEFINE_LIST(allow_target, "HOST:PORTS", PLACED(config_allow_target), item_allow_target_parse, item_allow_target_clear);
DEFINE_LIST(network, "NETWORK", PLACED(config_network), item_network_parse, item_network_clear);
DEFINE_LIST(issuer_host, "HOST", PLACED(config_issuer_host), item_issuer_host_parse, item_issuer_host_clear);
DEFINE_LIST(trust, "TRUST", PLACED(config_trust), item_trust_parse, item_trust_clear);
DEFINE_LIST(crl, "CRL", PLACED(config_crl), item_crl_parse, item_crl_clear);
DEFINE_LIST(principal, "USER, @GROUP", PLACED(config_principal), item_principal_parse, item_principal_clear);
DEFINE_LIST(policy, "OID|ev", PLACED(config_policy), item_policy_parse, item_policy_clear);
DEFINE_LIST(text, "TEXT", sizeof(char *), NO_PLACE, item_text_parse, item_text_clear);
DEFINE_LIST(server_name, "NAME", sizeof(char *), NO_PLACE, item_server_name_parse, item_text_clear);
DEFINE_LIST(sha256, "HEX", sizeof(char *), NO_PLACE, item_sha256_parse, item_text_clear);
DEFINE_LIST(environment, "NAME=VALUE", sizeof(char *), NO_PLACE, item_environment_parse, item_text_clear);

/* Groups: a list, or a word for the empty one. Their order is a preference, so none stands twice. */

static void group_clear(void *item)
{
    (void)item;
}

static const struct list_kind group_items = {sizeof(enum key_group), NO_PLACE, item_group_parse, group_clear};

static bool group_list_parse(const struct option *o, void *target, struct config_place place, const char *text,
                             char **error)
{
    const enum key_group *groups;
    size_t count;

    if (strcmp(text, "auto") == 0)
        return true;
    if (!list_parse(&group_items, o, target, place, text, error))
        return false;
    groups = pointer_get(o, target);
    memcpy(&count, field(target, o->count_offset), sizeof(count));
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (groups[i] == groups[j]) {
                *error = base_printf("entry %zu is the same group as entry %zu: name each one once", i + 1, j + 1);
                return false;
            }
        }
    }
    return true;
}

static void group_list_clear(const struct option *o, void *target)
{
    list_clear(&group_items, o, target);
}

const struct option_kind option_kind_group_list = {"GROUP, ...", group_list_parse, group_list_clear};
const struct option_kind option_kind_number = {"NUMBER", number_parse, nothing_clear};
const struct option_kind option_kind_time = {"TIME", time_parse, nothing_clear};
const struct option_kind option_kind_size = {"SIZE", size_parse, nothing_clear};
const struct option_kind option_kind_word = {NULL, word_parse, nothing_clear};
const struct option_kind option_kind_flag = {NULL, flag_parse, nothing_clear};
const struct option_kind option_kind_text = {"PATH", text_parse, text_clear};
const struct option_kind option_kind_parameters = {"TEXT", text_parse, text_clear};
const struct option_kind option_kind_module_path = {"PATH", module_path_parse, text_clear};
const struct option_kind option_kind_accelerator = {"auto|none|PATH", accelerator_parse, text_clear};
const struct option_kind option_kind_path_or_none = {"PATH|none", path_or_none_parse, text_clear};
const struct option_kind option_kind_file = {"file:PATH", file_parse, text_clear};
const struct option_kind option_kind_host = {"HOST", host_parse, text_clear};
const struct option_kind option_kind_database = {"sql:PATH", database_parse, text_clear};
const struct option_kind option_kind_socket_path = {"PATH", socket_path_parse, text_clear};
const struct option_kind option_kind_pin = {"file:PATH|credential:NAME|env:NAME|prompt", pin_parse, text_clear};
const struct option_kind option_kind_user = {"NAME", user_parse, user_clear};
const struct option_kind option_kind_address = {"ADDRESS", one_address_parse, one_address_clear};
