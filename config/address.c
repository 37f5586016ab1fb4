/* see config/config.h: where to listen and connect, and config/items.h: where http-proxy may go, and where issuers are
 * fetched from */
#include "config/config.h"
#include "base/address.h"
#include "config/items.h"
#include "config/values.h"

#include <netinet/in.h>
#include <stdlib.h>

enum { PORT_MAX = 65535 };

/* A port without signs, blanks or leading surprises. */
static bool port_parse(const char *text, uint16_t *port, char **error)
{
    uint64_t number;

    if (!value_number(text, 1, PORT_MAX, &number, error)) {
        char *sentence = base_printf("the port %s", *error);

        free(*error);
        *error = sentence;
        return false;
    }
    *port = (uint16_t)number;
    return true;
}

/* What other programs' files have in the place of an address. */
static const char *missing_of(const char *text)
{
    const char *port = text + (text[0] == ':');

    if (strstr(text, "://") != NULL)
        return ": it is a URL";
    if (port[0] != '\0' && port[strspn(port, "0123456789")] == '\0')
        return ": the host is missing; 127.0.0.1 is for this machine alone, 0.0.0.0 and [::] for all";
    return text[0] != '\0' && strchr(text, ':') == NULL ? ": the port is missing" : "";
}

/* Split host:port or [v6]:port. *host is owned by the caller; *port borrows from `text`. */
static bool host_and_port_split(const char *text, char **host, const char **port, char **error)
{
    const char *colon = strrchr(text, ':');
    char *quoted;

    if (text[0] == '[') {
        const char *bracket = strchr(text, ']');

        if (bracket != NULL && bracket[1] == ':' && bracket[2] != '\0') {
            *host = base_strndup(text + 1, (size_t)(bracket - text) - 1);
            *port = bracket + 2;
            return true;
        }
    } else if (colon != NULL && colon != text && colon[1] != '\0' && strchr(text, ':') == colon) {
        *host = base_strndup(text, (size_t)(colon - text));
        *port = colon + 1;
        return true;
    }
    quoted = value_quote(text);
    *error = base_printf("%s is not HOST:PORT or [IPV6]:PORT%s", quoted, missing_of(text));
    free(quoted);
    return false;
}

static bool inet_parse(const char *text, struct config_address *address, char **error)
{
    const char *port;
    char *host;
    bool good;

    if (!host_and_port_split(text, &host, &port, error))
        return false;
    address->type = CONFIG_ADDRESS_INET;
    if (text[0] == '[') {
        good = strchr(host, ':') != NULL && value_address_literal(host, &address->host);
        if (!good) {
            char *quoted = value_quote(host);

            *error = base_printf("%s between brackets is not an IPv6 address", quoted);
            free(quoted);
        }
    } else if (strcmp(host, "*") == 0) {
        *error = base_strdup("\"*\" is no address: 0.0.0.0 and [::] are for every address of this machine");
        good = false;
    } else {
        good = value_address_literal(host, &address->host) || value_host_name(host, &address->host, error);
    }
    free(host);
    return good && port_parse(port, &address->port, error);
}

static bool unix_parse(const char *path, struct config_address *address, char **error)
{
    size_t size = strlen(path);

    if (size == 0 || size > CONFIG_UNIX_PATH_BYTES_MAX) {
        *error = base_printf("the path of a Unix socket has 1 to %d bytes, not %zu", CONFIG_UNIX_PATH_BYTES_MAX, size);
        return false;
    }
    address->type = CONFIG_ADDRESS_UNIX;
    address->host = base_strdup(path);
    return true;
}

static bool systemd_parse(const char *name, struct config_address *address, char **error)
{
    enum { SYSTEMD_NAME_MAX = 255 }; /* FileDescriptorName= in systemd.socket(5) */

    if (!value_is_name(name, SYSTEMD_NAME_MAX)) {
        char *quoted = value_quote(name);

        *error = base_printf("%s is not a socket's FileDescriptorName: letters, digits, '.', '_' and '-'", quoted);
        free(quoted);
        return false;
    }
    address->type = CONFIG_ADDRESS_SYSTEMD;
    address->host = base_strdup(name);
    return true;
}

bool config_address_parse(const char *text, struct config_address *address, char **error)
{
    bool good;

    *address = (struct config_address){.text = base_strdup(text)};
    if (strncmp(text, "unix:", 5) == 0)
        good = unix_parse(text + 5, address, error);
    else if (strncmp(text, "systemd:", 8) == 0)
        good = systemd_parse(text + 8, address, error);
    else
        good = inet_parse(text, address, error);
    if (!good)
        config_address_clear(address);
    return good;
}

void config_address_clear(struct config_address *address)
{
    free(address->host);
    free(address->text);
    *address = (struct config_address){.type = CONFIG_ADDRESS_INET};
}

bool config_address_is_loopback(const struct config_address *address)
{
    struct address a;

    switch (address->type) {
    case CONFIG_ADDRESS_UNIX:
        return true;
    case CONFIG_ADDRESS_SYSTEMD:
        return false;
    case CONFIG_ADDRESS_INET:
        break;
    }
    if (!address_parse(span_of_string(address->host), &a))
        return strcmp(address->host, "localhost") == 0;
    if (a.size == 4)
        return a.bytes[0] == 127; /* RFC 1122 section 3.2.1.3 */
    return memcmp(a.bytes, in6addr_loopback.s6_addr, a.size) == 0;
}

/* "*", 443, or 1024-2048 */
static bool ports_parse(const char *text, struct config_allow_target *target, char **error)
{
    const char *dash = strchr(text, '-');
    char *first;
    bool good;

    if (strcmp(text, "*") == 0) {
        target->port_first = 1;
        target->port_last = PORT_MAX;
        return true;
    }
    if (dash == NULL) {
        good = port_parse(text, &target->port_first, error);
        target->port_last = target->port_first;
        return good;
    }
    first = base_strndup(text, (size_t)(dash - text));
    good = port_parse(first, &target->port_first, error) && port_parse(dash + 1, &target->port_last, error);
    free(first);
    if (good && target->port_first > target->port_last) {
        *error = base_strdup("the first port of a range must not be greater than the last");
        good = false;
    }
    return good;
}

/* Whether a bit after the first `prefix_bits` is set; clears them all. */
static bool host_bits_clear(uint8_t *network, unsigned size, unsigned prefix_bits)
{
    bool found = false;

    for (unsigned bit = prefix_bits; bit < size * 8; bit++) {
        uint8_t mask = (uint8_t)(0x80 >> (bit % 8));

        found |= (network[bit / 8] & mask) != 0;
        network[bit / 8] &= (uint8_t)~mask;
    }
    return found;
}

/* 10.0.0.0/8 or fd00::/8: `slash` is within `text`. A prefix of IPv4-mapped addresses is one of IPv4. */
static bool network_parse(const char *text, const char *slash, struct address *network, unsigned *prefix_bits,
                          char **error)
{
    enum { MAPPED_BITS = 96 };
    struct span written = span_of(text, (size_t)(slash - text));
    bool is_ipv6_text = memchr(written.data, ':', written.size) != NULL, is_mapped;
    char canonical[ADDRESS_TEXT_SIZE];
    uint64_t bits = 0;

    if (!address_parse(written, network)) {
        *error = base_strdup("a network is ADDRESS/BITS, such as 10.0.0.0/8 or [fd00::/8]");
        return false;
    }
    is_mapped = is_ipv6_text && network->size == 4;
    if (!value_number(slash + 1, is_mapped ? MAPPED_BITS : 0, is_ipv6_text ? 128 : 32, &bits, error))
        return false;
    *prefix_bits = (unsigned)bits - (is_mapped ? MAPPED_BITS : 0);
    if (host_bits_clear(network->bytes, (unsigned)network->size, *prefix_bits)) {
        *error = base_printf("the address has bits after the first %u set; the network is %s/%u", *prefix_bits,
                             address_text(network, canonical), *prefix_bits);
        return false;
    }
    return true;
}

static bool target_host_parse(const char *host, struct config_allow_target *target, char **error)
{
    const char *slash = strchr(host, '/');
    char *suffix;

    if (slash != NULL)
        return network_parse(host, slash, &target->network, &target->prefix_bits, error);
    if (strcmp(host, "*") == 0) {
        target->host = base_strdup(host);
        return true;
    }
    if (address_parse(span_of_string(host), &target->network)) {
        char text[ADDRESS_TEXT_SIZE];

        target->host = base_strdup(address_text(&target->network, text));
        target->prefix_bits = (unsigned)target->network.size * 8;
        return true;
    }
    if (strncmp(host, "*.", 2) != 0)
        return value_host_name(host, &target->host, error);
    if (!value_host_name(host + 2, &suffix, error))
        return false;
    target->host = base_printf("*.%s", suffix);
    free(suffix);
    return true;
}

/* A network, or an address, which is one of its own; brackets are for ports, and there are none here. */
bool item_network_parse(const char *text, void *item, char **error)
{
    struct config_network *network = item;
    const char *slash = strchr(text, '/');

    if (strcmp(text, "unix") == 0)
        return true; /* size 0: what has no address */
    if (slash != NULL)
        return network_parse(text, slash, &network->network, &network->prefix_bits, error);
    if (!address_parse(span_of_string(text), &network->network)) {
        *error = base_strdup("must be addresses and networks, such as 192.0.2.7, 10.0.0.0/8 or fd00::/8, or unix");
        return false;
    }
    network->prefix_bits = (unsigned)network->network.size * 8;
    return true;
}

void item_network_clear(void *item)
{
    (void)item; /* it holds no memory */
}

/* "[::]/0:443": the prefix belongs inside. */
static void add_right_network(const char *text, char **error)
{
    const char *bracket = strstr(text, "]/"), *colon = bracket == NULL ? NULL : strchr(bracket, ':');
    size_t before = bracket == NULL ? 0 : (size_t)(bracket - text);
    char *right, *quoted, *longer;

    if (colon == NULL)
        return;
    right = base_printf("%.*s%.*s]%s", (int)before, text, (int)(colon - bracket - 1), bracket + 1, colon);
    quoted = value_quote(right);
    longer = base_printf("%s; a network is written %s", *error, quoted);
    free(right);
    free(quoted);
    free(*error);
    *error = longer;
}

bool item_allow_target_parse(const char *text, void *item, char **error)
{
    struct config_allow_target *target = item;
    const char *ports;
    char *host;
    bool good;

    if (!host_and_port_split(text, &host, &ports, error)) {
        add_right_network(text, error);
        return false;
    }
    good = target_host_parse(host, target, error) && ports_parse(ports, target, error);
    free(host);
    return good;
}

void item_allow_target_clear(void *item)
{
    struct config_allow_target *target = item;

    free(target->host);
}

/* "*", a name, "*.suffix", or a literal. */
static bool issuer_name_parse(const char *text, char **host, char **error)
{
    char *suffix;

    if (strcmp(text, "*") == 0) {
        *host = base_strdup(text);
        return true;
    }
    if (value_address_literal(text, host))
        return true;
    if (strncmp(text, "*.", 2) != 0)
        return value_host_name(text, host, error);
    if (!value_host_name(text + 2, &suffix, error))
        return false;
    *host = base_printf("*.%s", suffix);
    free(suffix);
    return true;
}

bool item_issuer_host_parse(const char *text, void *item, char **error)
{
    enum { HTTP_PORT = 80 };
    struct config_issuer_host *issuer = item;
    size_t size = strlen(text);
    const char *port = NULL;
    char *host;
    bool good;

    if (strstr(text, "//") != NULL) {
        *error =
            base_strdup("must be HOST or HOST:PORT without a scheme and a path: issuers are fetched by plain http");
        return false;
    }
    if (strchr(text, ':') == NULL)
        host = base_strdup(text);
    else if (text[0] == '[' && text[size - 1] == ']')
        host = base_strndup(text + 1, size - 2);
    else if (!host_and_port_split(text, &host, &port, error))
        return false;
    issuer->port = HTTP_PORT;
    good = issuer_name_parse(host, &issuer->host, error) && (port == NULL || port_parse(port, &issuer->port, error));
    free(host);
    return good;
}

void item_issuer_host_clear(void *item)
{
    struct config_issuer_host *issuer = item;

    free(issuer->host);
}

bool item_address_parse(const char *text, void *item, char **error)
{
    return config_address_parse(text, item, error);
}

void item_address_clear(void *item)
{
    config_address_clear(item);
}
