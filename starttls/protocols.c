/* see starttls/starttls.h: which protocol has which machines. Above all of them. */
#include "starttls/machine.h"

/* Bytes without a conversation. */
const struct protocol starttls_tcp = {.accept = NULL};

static const struct protocol *const protocols[] = {
#define PROTOCOL_ROW(id, object, word, starttls, idle_ms) [STARTTLS_##id] = &starttls_##object,
    PROTOCOLS(PROTOCOL_ROW)
#undef PROTOCOL_ROW
};
static_assert(ARRAY_LEN(protocols) == STARTTLS_PROTOCOL_COUNT, "one row for each protocol");

struct starttls_machine *starttls_accept_create(enum starttls_protocol protocol, const struct starttls_options *options)
{
    const struct protocol *p = protocols[protocol];

    assert(p->accept != NULL);
    return machine_create(protocol, p->accept, options);
}

struct starttls_machine *starttls_connect_create(enum starttls_protocol protocol,
                                                 const struct starttls_options *options)
{
    const struct protocol *p = protocols[protocol];

    assert(p->connect != NULL);
    return machine_create(protocol, p->connect, options);
}

struct starttls_machine *starttls_probe_create(enum starttls_protocol protocol, const struct starttls_options *options)
{
    const struct protocol *p = protocols[protocol];

    return p->probe == NULL ? NULL : machine_create(protocol, p->probe, options);
}

void starttls_failure_text(enum starttls_protocol protocol, enum starttls_failure failure, bool greeted,
                           const char *name, struct buffer *out)
{
    const struct protocol *p = protocols[protocol];

    assert(failure < STARTTLS_FAILURE_COUNT);
    if (p->failure_text != NULL)
        p->failure_text(failure, greeted, name, out);
}

void starttls_greeting_text(enum starttls_protocol protocol, const char *name, struct buffer *out)
{
    const struct protocol *p = protocols[protocol];

    if (p->greeting_text != NULL)
        p->greeting_text(name, out);
}

bool starttls_greets_in_tls(enum starttls_protocol protocol)
{
    return protocols[protocol]->greets_in_tls;
}

bool starttls_client_opens(enum starttls_protocol protocol)
{
    return protocols[protocol]->client_opens;
}

const char *starttls_protocol_alpn(enum starttls_protocol protocol)
{
    return protocols[protocol]->alpn;
}

struct starttls_filter *starttls_filter_create(enum starttls_protocol protocol, enum starttls_greeting greeting)
{
    const struct protocol *p = protocols[protocol];

    return p->filter == NULL ? NULL : filter_create(protocol, greeting, p->filter);
}
