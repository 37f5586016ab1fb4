/* see proxy/session/access.h */
#include "proxy/session/access.h"
#include "base/address.h"

#include "starttls/target.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static char fold_ascii(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool same(char a, char b, enum access_fold fold)
{
    return fold == ACCESS_CASE_FOLDED ? fold_ascii(a) == fold_ascii(b) : a == b;
}

/* One way back suffices: a later '*' makes every choice for an earlier one as good as any other. So the time is bounded
 * by the product of the two lengths. */
bool access_pattern_matches(const char *pattern, const char *value, enum access_fold fold)
{
    const char *after_star = NULL, *retry = NULL;

    while (*value != '\0') {
        if (*pattern == '*') {
            after_star = ++pattern;
            retry = value;
        } else if (*pattern != '\0' && same(*pattern, *value, fold)) {
            pattern++;
            value++;
        } else if (after_star != NULL) {
            pattern = after_star;
            value = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool any_id_matches(const struct pkix_identity *identity, enum pkix_id_type type, const char *pattern,
                           enum access_fold fold)
{
    for (size_t i = 0; i < identity->count; i++)
        if (identity->ids[i].type == type && access_pattern_matches(pattern, identity->ids[i].value, fold))
            return true;
    return false;
}

static bool any_id_equals(const struct pkix_identity *identity, enum pkix_id_type type, const char *value)
{
    for (size_t i = 0; i < identity->count; i++)
        if (identity->ids[i].type == type && strcmp(identity->ids[i].value, value) == 0)
            return true;
    return false;
}

/* The local part of a mailbox is case-sensitive, its domain is not (RFC 5280 section 7.5). A star stays on its side of
 * the '@': "*@example.org" is not met by "x@evil.example@example.org" in any other way than by its last domain. */
static bool email_matches(const char *pattern, const char *email, enum access_fold local_fold)
{
    const char *pattern_at = strrchr(pattern, '@'), *email_at = strrchr(email, '@');
    char pattern_local[BASE_QUOTE_SIZE], email_local[BASE_QUOTE_SIZE];
    size_t pattern_len, email_len;

    if (pattern_at == NULL || email_at == NULL)
        return false;
    pattern_len = (size_t)(pattern_at - pattern);
    email_len = (size_t)(email_at - email);
    if (pattern_len >= sizeof(pattern_local) || email_len >= sizeof(email_local))
        return false; /* RFC 5321 section 4.5.3.1.1: at most 64 */
    memcpy(pattern_local, pattern, pattern_len);
    pattern_local[pattern_len] = '\0';
    memcpy(email_local, email, email_len);
    email_local[email_len] = '\0';
    return access_pattern_matches(pattern_local, email_local, local_fold) &&
           access_pattern_matches(pattern_at + 1, email_at + 1, ACCESS_CASE_FOLDED);
}

/* A user principal name is read as Active Directory reads it: like a mailbox, and its case does not matter. */
static bool any_mailbox_matches(const struct pkix_identity *identity, enum pkix_id_type type, const char *pattern,
                                enum access_fold local_fold)
{
    for (size_t i = 0; i < identity->count; i++)
        if (identity->ids[i].type == type && email_matches(pattern, identity->ids[i].value, local_fold))
            return true;
    return false;
}

/* Whether one of the words of a list, which blanks separate, is `word`. Hexadecimal digits and numbers: case aside. */
static bool list_has(const char *list, const char *word)
{
    size_t size = strlen(word);

    while (*list != '\0') {
        size_t length = strcspn(list, " ");

        if (length == size && strncasecmp(list, word, size) == 0)
            return true;
        list += length;
        list += strspn(list, " ");
    }
    return false;
}

static bool attribute_equals(const struct pkix_identity *identity, const char *attribute, const char *value)
{
    if (strcasecmp(attribute, "CN") == 0)
        return any_id_equals(identity, PKIX_ID_CN, value);
    if (strcasecmp(attribute, "O") == 0)
        return any_id_equals(identity, PKIX_ID_O, value);
    return strcasecmp(attribute, "OU") == 0 && any_id_equals(identity, PKIX_ID_OU, value);
}

static bool rule_matches(const struct config_allow *rule, const struct access_client *client)
{
    const struct pkix_identity *identity = client->identity;

    switch (rule->type) {
    case CONFIG_ALLOW_ANY:
        return true;
    case CONFIG_ALLOW_SAN_EMAIL:
        return any_mailbox_matches(identity, PKIX_ID_EMAIL, rule->pattern, ACCESS_CASE_MATTERS);
    case CONFIG_ALLOW_SAN_UPN:
        return any_mailbox_matches(identity, PKIX_ID_UPN, rule->pattern, ACCESS_CASE_FOLDED);
    case CONFIG_ALLOW_SAN_DNS:
        return any_id_matches(identity, PKIX_ID_DNS, rule->pattern, ACCESS_CASE_FOLDED);
    case CONFIG_ALLOW_SAN_URI:
        return any_id_matches(identity, PKIX_ID_URI, rule->pattern, ACCESS_CASE_MATTERS);
    case CONFIG_ALLOW_SERIAL_NUMBER:
        return any_id_matches(identity, PKIX_ID_SERIAL_NUMBER, rule->pattern, ACCESS_CASE_MATTERS);
    case CONFIG_ALLOW_CN:
        return any_id_equals(identity, PKIX_ID_CN, rule->pattern);
    case CONFIG_ALLOW_DN:
        return attribute_equals(identity, rule->attribute, rule->pattern);
    case CONFIG_ALLOW_SHA256:
        return strcasecmp(identity->sha256, rule->pattern) == 0;
    case CONFIG_ALLOW_SPKI_SHA256:
        return strcasecmp(identity->spki_sha256, rule->pattern) == 0;
    case CONFIG_ALLOW_ISSUER:
        return list_has(client->issuers, rule->pattern);
    case CONFIG_ALLOW_POLICY:
        return list_has(client->policies, rule->pattern);
    }
    return false;
}

bool access_client_allowed(const struct config_service *service, const struct access_client *client)
{
    /* Rules speak of verified certificates: without one, only a service that has none and requires none is open. */
    if (client == NULL)
        return service->allow_count == 0 && service->peer != CONFIG_PEER_REQUIRE;
    if (service->allow_count == 0)
        return service->peer != CONFIG_PEER_REQUIRE;
    for (size_t i = 0; i < service->allow_count; i++)
        if (rule_matches(&service->allow[i], client))
            return true;
    return false;
}

bool access_networks_have(const struct config_network *networks, size_t count, const struct sockaddr *address)
{
    struct address a = address_of_socket(address);

    for (size_t i = 0; i < count; i++)
        if (address_in_network(&a, &networks[i].network, networks[i].prefix_bits))
            return true;
    return false;
}

char *access_rules_text(const struct pkix_identity *identity)
{
    char *text = base_strdup("");
    size_t told = 0, more = 0;

    for (size_t i = 0; i < identity->count; i++) {
        const struct pkix_id *id = &identity->ids[i];
        char *longer;

        if (pkix_id_rule(id->type) == NULL)
            continue;
        if (told == ACCESS_RULES_TOLD || strlen(id->value) > ACCESS_RULE_TOLD_BYTES) {
            more++;
            continue;
        }
        longer = base_printf("%s%s%s%s", text, told++ == 0 ? "" : ", ", pkix_id_rule(id->type), id->value);
        free(text);
        text = longer;
    }
    if (told == 0 || more > 0) {
        char *longer =
            told == 0 ? base_printf("sha256:%s", identity->sha256) : base_printf("%s, and %zu more", text, more);

        free(text);
        text = longer;
    }
    return text;
}

/* ---- targets ---- */

static uint16_t port_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    return address->sa_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port) : 0;
}

/* Whether a rule has this very address, as a literal or by a network it is in. */
static bool rule_has_address(const struct config_allow_target *rule, const struct address *a)
{
    return rule->network.size != 0 && address_in_network(a, &rule->network, rule->prefix_bits);
}

static bool rule_has_port(const struct config_allow_target *rule, uint16_t port)
{
    return port >= rule->port_first && port <= rule->port_last;
}

/* "*" is every host; "*.suffix" is every name below suffix, at any depth, and not suffix itself. */
static bool host_matches(const char *rule, const char *host)
{
    size_t rule_len = strlen(rule), host_len = strlen(host);

    if (strcmp(rule, "*") == 0)
        return true;
    if (strncmp(rule, "*.", 2) == 0)
        return host_len > rule_len - 1 && strcasecmp(host + host_len - (rule_len - 1), rule + 1) == 0;
    return strcasecmp(rule, host) == 0;
}

/* Before a name is resolved: whether there is a rule by which it may turn out to be allowed. An address is allowed by a
 * rule that has it; a name by one of names, or because its addresses may be in a network. */
static bool rule_may_allow(const struct config_allow_target *rule, const char *host, const struct address *literal)
{
    if (rule->network.size == 0)
        return host_matches(rule->host, host);
    return literal != NULL ? rule_has_address(rule, literal) : rule->host == NULL;
}

bool access_target_allowed(const struct config_service *service, const char *host, uint16_t port)
{
    struct address address;
    const struct address *literal = address_parse(span_of_string(host), &address) ? &address : NULL;

    for (size_t i = 0; i < service->allow_target_count; i++)
        if (rule_has_port(&service->allow_target[i], port) && rule_may_allow(&service->allow_target[i], host, literal))
            return true;
    return false;
}

bool access_address_allowed(const struct config_service *service, const char *host, const struct sockaddr *address)
{
    struct address a = address_of_socket(address);
    bool by_name = false;

    if (a.size == 0)
        return false;
    for (size_t i = 0; i < service->allow_target_count; i++) {
        const struct config_allow_target *rule = &service->allow_target[i];

        if (!rule_has_port(rule, port_of(address)))
            continue;
        if (rule_has_address(rule, &a))
            return true;
        by_name = by_name || (rule->network.size == 0 && host_matches(rule->host, host));
    }
    return by_name && !starttls_address_denied_by_default(a.bytes, a.size);
}

static bool is_wildcard(const struct address *a)
{
    static const uint8_t zero[ADDRESS_BYTES_MAX];

    return memcmp(a->bytes, zero, a->size) == 0;
}

bool access_is_own_address(const struct sockaddr_storage *listeners, size_t listener_count,
                           struct local_addresses *local, const struct sockaddr *address)
{
    struct address target = address_of_socket(address);

    for (size_t i = 0; i < listener_count; i++) {
        const struct sockaddr *listener = (const struct sockaddr *)&listeners[i];
        struct address own = address_of_socket(listener);

        if (own.size == 0 || port_of(listener) != port_of(address))
            continue;
        if (address_equal(&own, &target))
            return true;
        /* A wildcard listener is reached by every address of this machine, and "0.0.0.0" reaches this machine. */
        if (is_wildcard(&own) || is_wildcard(&target)) {
            if (is_wildcard(&target) || local_addresses_has(local, address))
                return true;
        }
    }
    return false;
}
