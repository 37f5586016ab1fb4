/* see starttls/starttls.h: which protocol has which machines. Above all of them. */
#include "starttls/machine.h"

/* NULL for a protocol without a conversation. */
static const struct protocol *find_protocol(enum starttls_protocol protocol)
{
    switch (protocol) {
    case STARTTLS_SMTP:
        return &starttls_smtp;
    case STARTTLS_LMTP:
        return &starttls_lmtp;
    case STARTTLS_IMAP:
        return &starttls_imap;
    case STARTTLS_HTTP_CONNECT:
        return &starttls_http_connect;
    case STARTTLS_TCP:
    case STARTTLS_PROTOCOL_COUNT:
        break;
    }
    return NULL;
}

struct starttls_machine *starttls_accept_create(enum starttls_protocol protocol, const struct starttls_options *options)
{
    const struct protocol *p = find_protocol(protocol);

    assert(p != NULL);
    return machine_create(protocol, p->accept, options);
}

struct starttls_machine *starttls_connect_create(enum starttls_protocol protocol,
                                                 const struct starttls_options *options)
{
    const struct protocol *p = find_protocol(protocol);

    assert(p != NULL);
    return machine_create(protocol, p->connect, options);
}

struct starttls_machine *starttls_probe_create(enum starttls_protocol protocol, const struct starttls_options *options)
{
    const struct protocol *p = find_protocol(protocol);

    return p == NULL || p->probe == NULL ? NULL : machine_create(protocol, p->probe, options);
}

void starttls_failure_text(enum starttls_protocol protocol, enum starttls_failure failure, bool greeted,
                           const char *name, struct buffer *out)
{
    const struct protocol *p = find_protocol(protocol);

    assert(failure < STARTTLS_FAILURE_COUNT);
    if (p != NULL)
        p->failure_text(failure, greeted, name, out);
}

void starttls_greeting_text(enum starttls_protocol protocol, const char *name, struct buffer *out)
{
    const struct protocol *p = find_protocol(protocol);

    if (p != NULL && p->greeting_text != NULL)
        p->greeting_text(name, out);
}

const char *starttls_protocol_name(enum starttls_protocol protocol)
{
    const struct protocol *p = find_protocol(protocol);

    return p == NULL ? "tcp" : p->name;
}

const char *starttls_protocol_alpn(enum starttls_protocol protocol)
{
    const struct protocol *p = find_protocol(protocol);

    return p == NULL ? NULL : p->alpn;
}

struct starttls_filter *starttls_filter_create(enum starttls_protocol protocol)
{
    const struct protocol *p = find_protocol(protocol);

    return p == NULL || p->filter == NULL ? NULL : filter_create(protocol, p->filter);
}
