/* see config/items.h */
#include "config/items.h"
#include "config/values.h"

#include <stdlib.h>

/* Whether `text` contains `part`, in any case. */
static bool contains_nocase(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

/* The rest of `text` after `prefix`, or NULL. */
static const char *after(const char *text, const char *prefix)
{
    size_t size = strlen(prefix);

    return strncmp(text, prefix, size) == 0 ? text + size : NULL;
}

/* RFC 7512 section 2.3: attributes "name=value", ';' between those of the path, '&' between those of the query. Which
 * attributes there are is for tokens/ to know; here a URI must not be empty, end early or carry a PIN. */
static bool uri_is_good(const char *uri)
{
    bool named = false, in_query = false;

    for (const char *p = uri + strlen("pkcs11:"); *p != '\0';) {
        size_t size = strcspn(p, in_query ? "&" : ";?");
        const char *equals = memchr(p, '=', size);

        if (equals == NULL || equals == p)
            return false;
        named |= !in_query;
        p += size;
        if (*p == '\0')
            return named;
        in_query |= *p == '?';
        p++;
    }
    return false;
}

/* Whatever the rest of it is: once this is said, the text may be repeated in messages. */
static bool has_no_pin(const char *text, char **error)
{
    if (!contains_nocase(text, "pin-value"))
        return true;
    *error = base_strdup("a PIN must not be in the configuration: leave pin-value out, and give [module] "
                         "pin = file:PATH, credential:NAME, env:NAME or prompt");
    return false;
}

bool item_identity_parse(const char *text, void *item, char **error)
{
    struct config_identity *identity = item;
    const char *value;

    if (!has_no_pin(text, error))
        return false;
    identity->text = base_strdup(text);
    if ((value = after(text, "file:")) != NULL && *value != '\0') {
        identity->type = CONFIG_IDENTITY_FILE;
        identity->value = base_strdup(value);
    } else if ((value = after(text, "nss:sha256=")) != NULL) {
        identity->type = CONFIG_IDENTITY_NSS;
        return value_sha256(value, &identity->value, error);
    } else if (after(text, "pkcs11:") != NULL) {
        identity->type = CONFIG_IDENTITY_PKCS11;
        identity->value = base_strdup(text);
        if (!uri_is_good(text)) {
            *error =
                base_strdup("a pkcs11: URI is pkcs11:NAME=VALUE;NAME=VALUE, such as pkcs11:token=Mail;object=imap");
            return false;
        }
    } else if (strchr(text, '/') != NULL) { /* a path by itself, as in trust and crl */
        identity->type = CONFIG_IDENTITY_FILE;
        identity->value = base_strdup(text);
    } else {
        *error = base_strdup("must be file:PATH, nss:sha256=HEX or a pkcs11: URI");
        return false;
    }
    return true;
}

void item_identity_clear(void *item)
{
    struct config_identity *identity = item;

    free(identity->value);
    free(identity->text);
}

/* dn:ATTRIBUTE=VALUE */
static bool allow_dn_parse(const char *text, struct config_allow *allow, char **error)
{
    static const char *const attributes[] = {"CN", "O", "OU"};
    const char *equals = strchr(text, '=');

    for (size_t i = 0; equals != NULL && equals[1] != '\0' && i < ARRAY_LEN(attributes); i++) {
        if (!span_equal_nocase(span_of(text, (size_t)(equals - text)), span_of_string(attributes[i])))
            continue;
        allow->attribute = base_strdup(attributes[i]);
        allow->pattern = base_strdup(equals + 1);
        return true;
    }
    *error = base_strdup("dn: takes one attribute, CN=, O= or OU=, and its whole value");
    return false;
}

/* issuer:sha256=HEX */
static bool allow_issuer_parse(const char *text, struct config_allow *allow, char **error)
{
    const char *digest = after(text, "sha256=");

    if (digest != NULL)
        return value_sha256(digest, &allow->pattern, error);
    *error = base_strdup("issuer: takes sha256=HEX, the fingerprint of an authority's certificate");
    return false;
}

bool item_allow_parse(const char *text, void *item, char **error)
{
    static const struct {
        const char *prefix;
        enum config_allow_type type;
        enum { EXACT, PATTERN } stars;
    } rules[] = {
        {"san_email:", CONFIG_ALLOW_SAN_EMAIL, PATTERN},
        {"san_dns:", CONFIG_ALLOW_SAN_DNS, PATTERN},
        {"san_uri:", CONFIG_ALLOW_SAN_URI, PATTERN},
        {"san_upn:", CONFIG_ALLOW_SAN_UPN, PATTERN},
        {"serial_number:", CONFIG_ALLOW_SERIAL_NUMBER, PATTERN},
        {"issuer:", CONFIG_ALLOW_ISSUER, EXACT},
        {"policy:", CONFIG_ALLOW_POLICY, EXACT},
        {"cn:", CONFIG_ALLOW_CN, EXACT},
        {"dn:", CONFIG_ALLOW_DN, EXACT},
        {"sha256:", CONFIG_ALLOW_SHA256, EXACT},
        {"spki_sha256:", CONFIG_ALLOW_SPKI_SHA256, EXACT},
    };
    struct config_allow *allow = item;

    if (strcmp(text, "any") == 0) {
        allow->type = CONFIG_ALLOW_ANY;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const char *value = after(text, rules[i].prefix);

        if (value == NULL || *value == '\0')
            continue;
        allow->type = rules[i].type;
        if (rules[i].stars == EXACT && strchr(value, '*') != NULL) {
            *error = base_printf("%s compares whole values; '*' is for san_email:, san_dns:, san_uri:, san_upn: and "
                                 "serial_number:",
                                 rules[i].prefix);
            return false;
        }
        /* A star does not go across the '@' (proxy/session/access.c): without one such a rule would match nobody. */
        if ((allow->type == CONFIG_ALLOW_SAN_EMAIL || allow->type == CONFIG_ALLOW_SAN_UPN) &&
            strchr(value, '@') == NULL) {
            *error = base_printf("%s takes a mailbox, such as *@example.org; *@* is every one", rules[i].prefix);
            return false;
        }
        if (allow->type == CONFIG_ALLOW_SHA256 || allow->type == CONFIG_ALLOW_SPKI_SHA256)
            return value_sha256(value, &allow->pattern, error);
        if (allow->type == CONFIG_ALLOW_ISSUER)
            return allow_issuer_parse(value, allow, error);
        if (allow->type == CONFIG_ALLOW_POLICY && !value_oid(value, error))
            return false;
        if (allow->type == CONFIG_ALLOW_DN)
            return allow_dn_parse(value, allow, error);
        allow->pattern = base_strdup(value);
        return true;
    }
    char *quoted = value_quote(text);
    *error = base_printf(
        "%s is not any, san_email:, san_dns:, san_uri:, san_upn:, serial_number:, cn:, dn:, sha256:, spki_sha256:, issuer: or "
        "policy: with a value",
        quoted);
    free(quoted);
    return false;
}

void item_allow_clear(void *item)
{
    struct config_allow *allow = item;

    free(allow->attribute);
    free(allow->pattern);
}

bool item_trust_parse(const char *text, void *item, char **error)
{
    struct config_trust *trust = item;
    const char *path = after(text, "file:");
    char *quoted;

    if (!has_no_pin(text, error))
        return false;
    if (after(text, "pkcs11:") != NULL) {
        trust->type = CONFIG_TRUST_PKCS11;
        trust->value = base_strdup(text);
        if (uri_is_good(text))
            return true;
        *error =
            base_strdup("a pkcs11: URI is pkcs11:NAME=VALUE;NAME=VALUE, such as pkcs11:token=Corporate;object=root");
        return false;
    }
    if (strcmp(text, "mozilla") == 0) {
        trust->type = CONFIG_TRUST_MOZILLA;
        return true;
    }
    if (strcmp(text, "system") == 0) {
        trust->type = CONFIG_TRUST_SYSTEM;
        return true;
    }
    if (strcmp(text, "database") == 0) {
        trust->type = CONFIG_TRUST_DATABASE;
        return true;
    }
    if (path == NULL && strchr(text, '/') != NULL)
        path = text;
    if (path != NULL && *path != '\0') {
        trust->type = CONFIG_TRUST_PATH;
        trust->value = base_strdup(path);
        return true;
    }
    quoted = value_quote(text);
    *error = base_printf("must be mozilla, system, database, file:PATH or a pkcs11: URI, not %s", quoted);
    free(quoted);
    return false;
}

void item_trust_clear(void *item)
{
    struct config_trust *trust = item;

    free(trust->value);
}

bool item_crl_parse(const char *text, void *item, char **error)
{
    struct config_crl *crl = item;
    const char *path = after(text, "file:");
    char *quoted;

    if (strcmp(text, "stored") == 0) {
        crl->type = CONFIG_CRL_STORED;
        return true;
    }
    if (path == NULL && strchr(text, '/') != NULL)
        path = text;
    if (path != NULL && *path != '\0') {
        crl->type = CONFIG_CRL_PATH;
        crl->path = base_strdup(path);
        return true;
    }
    quoted = value_quote(text);
    *error = base_printf("must be file:PATH or stored, not %s", quoted);
    free(quoted);
    return false;
}

void item_crl_clear(void *item)
{
    struct config_crl *crl = item;

    free(crl->path);
}

bool item_policy_parse(const char *text, void *item, char **error)
{
    struct config_policy *policy = item;

    if (strcmp(text, "ev") == 0) {
        policy->type = CONFIG_POLICY_EV;
        return true;
    }
    policy->type = CONFIG_POLICY_OID;
    if (!value_oid(text, error))
        return false;
    /* RFC 5280 section 4.2.1.4: it stands for all, so it would lift what the others of the list require. */
    if (strcmp(text, "2.5.29.32.0") == 0) {
        *error = base_strdup("2.5.29.32.0 is anyPolicy, which requires nothing; leave it out");
        return false;
    }
    policy->oid = base_strdup(text);
    return true;
}

void item_policy_clear(void *item)
{
    struct config_policy *policy = item;

    free(policy->oid);
}

bool item_group_parse(const char *text, void *item, char **error)
{
#define GROUP_WORD(id, word, number, curve) {#word, KEY_GROUP_##id, VALUE_WORD_READY},
    static const struct value_word words[] = {KEY_GROUPS(GROUP_WORD){.name = NULL}};
#undef GROUP_WORD
    unsigned value;

    if (!value_word(text, words, &value, error))
        return false;
    *(enum key_group *)item = value;
    return true;
}

bool item_principal_parse(const char *text, void *item, char **error)
{
    struct config_principal *principal = item;

    principal->is_group = text[0] == '@';
    if (!value_is_user_name(text + principal->is_group)) {
        *error = base_strdup("must be names of users, and of groups with an \"@\" before them");
        return false;
    }
    principal->name = base_strdup(text + principal->is_group);
    return true;
}

void item_principal_clear(void *item)
{
    free(((struct config_principal *)item)->name);
}

bool item_server_name_parse(const char *text, void *item, char **error)
{
    bool is_wild = strncmp(text, "*.", 2) == 0;
    char **out = item, *host = NULL, *address;

    if (value_address_literal(text, &address)) {
        free(address);
        *error = base_strdup("must be names: a client that asks for an address sends no name (RFC 6066 section 3)");
        return false;
    }
    if (!value_host_name(text + (is_wild ? 2 : 0), &host, error))
        return false;
    *out = is_wild ? base_printf("*.%s", host) : base_strdup(host);
    free(host);
    return true;
}

bool item_text_parse(const char *text, void *item, char **error)
{
    char **out = item;

    (void)error;
    *out = base_strdup(text);
    return true;
}

void item_text_clear(void *item)
{
    char **text = item;

    free(*text);
}

bool item_sha256_parse(const char *text, void *item, char **error)
{
    return value_sha256(text, item, error);
}

bool item_environment_parse(const char *text, void *item, char **error)
{
    enum { VARIABLE_MAX = 255 };
    const char *equals = strchr(text, '=');
    char *name = equals == NULL ? NULL : base_strndup(text, (size_t)(equals - text));
    bool good = name != NULL && value_is_name(name, VARIABLE_MAX);

    free(name);
    if (!good) {
        *error = base_strdup("must be NAME=VALUE");
        return false;
    }
    return item_text_parse(text, item, error);
}

bool item_pin_parse(const char *text, enum config_pin_type *type, char **source, char **error)
{
    static const struct {
        const char *prefix;
        enum config_pin_type type;
    } sources[] = {{"file:", CONFIG_PIN_FILE}, {"credential:", CONFIG_PIN_CREDENTIAL}, {"env:", CONFIG_PIN_ENV}};

    if (strcmp(text, "prompt") == 0) {
        *type = CONFIG_PIN_PROMPT;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
        const char *value = after(text, sources[i].prefix);

        if (value == NULL || *value == '\0')
            continue;
        *type = sources[i].type;
        *source = base_strdup(value);
        return true;
    }
    /* The value may be the PIN: it is not repeated. */
    *error = base_strdup("must say where the PIN is, file:PATH, credential:NAME, env:NAME or prompt, and never be the "
                         "PIN itself");
    return false;
}
