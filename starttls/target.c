/* see starttls/target.h: names and ports */
#include "starttls/target.h"

#include <stdlib.h>

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static bool is_label(struct span label)
{
    if (label.size == 0 || label.size > STARTTLS_LABEL_BYTES_MAX)
        return false;
    if (label.data[0] == '-' || label.data[label.size - 1] == '-')
        return false;
    for (size_t i = 0; i < label.size; i++) {
        uint8_t c = lower(label.data[i]);

        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '_')
            return false;
    }
    return true;
}

/* A number to inet_aton(): all digits, or 0x and anything. "127.1", "0x7f.1" and "2130706433" are all 127.0.0.1 to
 * it, and many a resolver asks it first; no name in the DNS ends so. */
static bool is_numeric(struct span label)
{
    if (label.size >= 2 && label.data[0] == '0' && lower(label.data[1]) == 'x')
        return true;
    for (size_t i = 0; i < label.size; i++)
        if (!is_digit(label.data[i]))
            return false;
    return true;
}

static bool is_name(struct span host)
{
    if (host.size == 0 || host.size > STARTTLS_HOST_BYTES_MAX)
        return false;
    while (host.size != 0) {
        const uint8_t *dot = memchr(host.data, '.', host.size);
        struct span label = span_of(host.data, dot == NULL ? host.size : (size_t)(dot - host.data));

        if (!is_label(label))
            return false;
        if (dot == NULL)
            return !is_numeric(label);
        host = span_skip(host, label.size + 1);
    }
    return false; /* it ends with a dot */
}

enum starttls_host_kind starttls_host_kind(struct span host)
{
    struct address address;

    if (address_parse(host, &address))
        return memchr(host.data, ':', host.size) == NULL ? STARTTLS_HOST_IPV4 : STARTTLS_HOST_IPV6;
    return is_name(host) ? STARTTLS_HOST_NAME : STARTTLS_HOST_INVALID;
}

/* 1 to 65535 in digits, without sign, space or leading zero; 0 when it is not. */
static uint16_t parse_port(struct span text)
{
    uint32_t port = 0;

    if (text.size == 0 || text.size > 5 || text.data[0] == '0')
        return 0;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i]))
            return 0;
        port = port * 10 + (uint32_t)(text.data[i] - '0');
    }
    return port > UINT16_MAX ? 0 : (uint16_t)port;
}

/* Cut an authority into its host (brackets kept off) and what follows it. False when a bracket is not closed, or the
 * host is of the wrong kind for the way it is written. */
static bool cut_host(struct span authority, struct span *host, struct span *rest)
{
    bool bracketed = authority.size != 0 && authority.data[0] == '[';
    struct span from = bracketed ? span_skip(authority, 1) : authority;
    const uint8_t *end = from.size == 0 ? NULL : memchr(from.data, bracketed ? ']' : ':', from.size);
    size_t len = end == NULL ? from.size : (size_t)(end - from.data);

    if (bracketed && end == NULL)
        return false;
    *host = span_of(from.data, len);
    *rest = span_skip(from, bracketed ? len + 1 : len);
    if (!bracketed && host->size > 1 && host->data[host->size - 1] == '.')
        host->size--;
    switch (starttls_host_kind(*host)) {
    case STARTTLS_HOST_IPV6:
        return bracketed;
    case STARTTLS_HOST_IPV4: /* "127.0.0.1." is a name to some resolvers and an address to others */
        return !bracketed && host->size == len;
    case STARTTLS_HOST_NAME:
        return !bracketed;
    case STARTTLS_HOST_INVALID:
        break;
    }
    return false;
}

static bool parse(struct span authority, char **host, uint16_t *port, bool port_is_needed)
{
    char text[ADDRESS_TEXT_SIZE];
    struct address address;
    struct span name, rest;

    *host = NULL;
    *port = 0;
    if (!cut_host(authority, &name, &rest))
        return false;
    if (rest.size != 0 || port_is_needed) {
        if (rest.size == 0 || rest.data[0] != ':')
            return false;
        *port = parse_port(span_skip(rest, 1));
        if (*port == 0)
            return false;
    }
    if (address_parse(name, &address)) {
        *host = base_strdup(address_text(&address, text));
        return true;
    }
    *host = base_strndup((const char *)name.data, name.size);
    for (char *c = *host; *c != '\0'; c++)
        *c = (char)lower((uint8_t)*c);
    return true;
}

bool starttls_authority_parse(struct span authority, char **host, uint16_t *port)
{
    return parse(authority, host, port, true);
}

bool starttls_authority_parse_optional_port(struct span authority, char **host, uint16_t *port)
{
    return parse(authority, host, port, false);
}
