/* see tests/unit/proxy/simulation_kinds.h */
#include "simulation_kinds.h"
#include "simulation_speeches.h"

#include <stdio.h>
#include <string.h>

enum { HTTP_HEAD_MAX = 64 * 1024, KINDS_MAX = 500 };

/* In this order: what a seed does depends on it. */
static const struct speech *const speeches[] = {
    &simulation_tcp,      &simulation_smtp,   &simulation_lmtp,     &simulation_imap,
    &simulation_pop3,     &simulation_sieve,  &simulation_nntp,     &simulation_ldap,
    &simulation_postgres, &simulation_tunnel, &simulation_exchange,
};

static const steps via_opens = {SKIP("\r\n\r\n"), SAY("HTTP/1.1 200 OK\r\n\r\n"), END};
const struct fake_script_step simulation_via_refusal[] = {SEE("CONNECT t.test:1 HTTP/1.1\r\n"), SKIP("\r\n\r\n"),
                                                          SAY("HTTP/1.1 502 Not Today\r\n\r\n"), END};

/* ---- making kinds ---- */

static struct simulation_kind kinds[KINDS_MAX];
static size_t kind_count;
static size_t kinds_of_speech[ARRAY_LEN(speeches) + 1]; /* where those of each begin, and the end */

/* All but the END, behind what is there. */
static void add_steps(struct fake_script_step script[static SIMULATION_SCRIPT_MAX], const struct fake_script_step *more)
{
    size_t count = 0;

    while (script[count].step != FAKE_END)
        count++;
    for (; more->step != FAKE_END; more++, count++) {
        assert(count < SIMULATION_SCRIPT_MAX - 1);
        script[count] = *more;
    }
}

static void add_text(struct fake_script_step script[static SIMULATION_SCRIPT_MAX], enum fake_step step,
                     const char *text)
{
    const struct fake_script_step both[] = {{step, text, 1}, END};

    add_steps(script, both);
}

/* The server's greeting is heard by the client where nobody has greeted it before, and nobody else has heard it. */
static void make_client(struct simulation_kind *k, const struct speech *speech, const struct fake_script_step *says)
{
    static const steps hellos = {HELLOS, END};

    if (k->balanced)
        add_text(k->client, FAKE_SAY, "PROXY TCP4 192.0.2.%u 198.51.100.1 1 2\r\n");
    if (k->listen == CONFIG_TLS_STARTTLS)
        add_steps(k->client, speech->client_opens);
    else if (k->listen == CONFIG_TLS_IMPLICIT)
        add_steps(k->client, hellos);
    if (speech->greets_in_tls || (k->listen != CONFIG_TLS_STARTTLS && speech->greeting != NULL))
        add_text(k->client, FAKE_SEE,
                 speech->greets_in_tls || k->connect == CONFIG_TLS_STARTTLS ? speech->our_greeting : speech->greeting);
    add_steps(k->client, says);
}

static void make_target(struct simulation_kind *k, const struct speech *speech, const struct fake_script_step *says)
{
    static const steps accepts = {ACCEPT, END};
    bool tls = k->connect == CONFIG_TLS_IMPLICIT || k->is_exchange;

    if (k->via != VIA_NONE) {
        add_text(k->target, FAKE_SEE,
                 speech->protocol == CONFIG_PROTOCOL_HTTP_CONNECT ? "CONNECT t%u.test:443 HTTP/1.1\r\n"
                 : k->via == VIA_PROXY                            ? "CONNECT t.test:1 HTTP/1.1\r\n"
                                                                  : "CONNECT u.test:2 HTTP/1.1\r\n");
        add_steps(k->target, via_opens);
    }
    if (k->header)
        add_text(k->target, FAKE_SEE, k->balanced ? "PROXY TCP4 192.0.2.%u 198.51.100.1 1 2\r\n" : "PROXY UNKNOWN\r\n");
    if (k->connect == CONFIG_TLS_STARTTLS)
        add_steps(k->target, speech->server_opens);
    else if (tls)
        add_steps(k->target, accepts);
    if (speech->greets_in_tls || (k->connect != CONFIG_TLS_STARTTLS && speech->greeting != NULL))
        add_text(k->target, FAKE_SAY, speech->greeting);
    add_steps(k->target, says);
}

static const char *tls_name(enum config_tls_mode tls)
{
    return tls == CONFIG_TLS_NONE ? "none" : tls == CONFIG_TLS_IMPLICIT ? "implicit" : "starttls";
}

/* The PROXY header and the upstream proxy go round, so that each is met with each protocol. */
static struct simulation_kind *make_kind(const struct speech *speech, enum simulation_look look,
                                         enum config_tls_mode listen, enum config_tls_mode connect, const char *name)
{
    struct simulation_kind *k = &kinds[kind_count];

    assert(kind_count < KINDS_MAX);
    *k = (struct simulation_kind){.protocol = speech->protocol,
                                  .listen = listen,
                                  .connect = connect,
                                  .header = kind_count % 3 == 1,
                                  .balanced = kind_count % 4 == 1 && look == LOOK_CLIENT,
                                  .via = (enum simulation_via)(kind_count % 5 < 2 ? kind_count % 5 + 1 : VIA_NONE),
                                  .look = look,
                                  .is_exchange = speech->is_exchange};
    if (k->via == VIA_REFUSES_FIRST && (speech->protocol == CONFIG_PROTOCOL_HTTP_CONNECT || look == LOOK_PROBE))
        k->via = VIA_PROXY; /* there is one target */
    kind_count++;
    snprintf(k->name, sizeof(k->name), "%s %s, %s%s to %s%s%s", speech->name, name, k->balanced ? "balanced " : "",
             look == LOOK_PROBE ? "nobody" : tls_name(listen), tls_name(connect), k->header ? ", header" : "",
             k->via == VIA_NONE    ? ""
             : k->via == VIA_PROXY ? ", via"
                                   : ", via for the second");
    return k;
}

static void make_conversation(const struct speech *speech, const struct conversation *c, enum config_tls_mode listen,
                              enum config_tls_mode connect)
{
    struct simulation_kind *k;

    /* Without TLS nothing is watched, and so nothing is taken out: that is tcp. In a tunnel TLS is the client's. */
    if (speech->client_opens != NULL && listen == CONFIG_TLS_NONE && connect == CONFIG_TLS_NONE)
        return;
    if (speech->protocol == CONFIG_PROTOCOL_HTTP_CONNECT && connect != CONFIG_TLS_NONE)
        return;
    k = make_kind(speech, LOOK_CLIENT, listen, connect, c->name);
    k->payload = c->payload;
    make_client(k, speech, c->client);
    make_target(k, speech, c->server);
}

/* After STARTTLS nobody greets again. */
static void make_probe(const struct speech *speech, enum config_tls_mode connect)
{
    struct simulation_kind *k = make_kind(speech, LOOK_PROBE, CONFIG_TLS_NONE, connect, "probe");

    make_target(k, speech, speech->probed);
}

static void make_kinds(void)
{
    static const enum config_tls_mode modes[] = {CONFIG_TLS_NONE, CONFIG_TLS_IMPLICIT, CONFIG_TLS_STARTTLS};

    for (size_t i = 0; i < ARRAY_LEN(speeches); i++) {
        const struct speech *speech = speeches[i];
        size_t mode_count = speech->client_opens == NULL ? 2 : 3;

        for (size_t connect = 0; connect < mode_count; connect++) {
            if (speech->probed != NULL)
                make_probe(speech, modes[connect]);
            for (size_t listen = 0; listen < mode_count; listen++)
                for (const struct conversation *c = speech->conversations; c->name != NULL; c++)
                    make_conversation(speech, c, modes[listen], modes[connect]);
        }
        kinds_of_speech[i + 1] = kind_count;
    }
}

/* ---- services ---- */

static struct config_service configs[2 * KINDS_MAX];
static struct service items[2 * KINDS_MAX];
static struct services services = {.items = items};

static enum starttls_protocol protocol_of(enum config_protocol protocol)
{
#define PAIR(id, object, word, starttls, idle_ms) [CONFIG_PROTOCOL_##id] = STARTTLS_##id,
    static const enum starttls_protocol protocols[] = {PROTOCOLS(PAIR)};
#undef PAIR

    return protocols[protocol];
}

static void open_service(size_t i)
{
    static struct fake_context servers[2 * KINDS_MAX], clients[2 * KINDS_MAX];
    static char target_host[] = "t.test", target_text[] = "t.test:1", second_host[] = "u.test",
                second_text[] = "u.test:2", via_host[] = "p.test", via_text[] = "p.test:3", any[] = "*",
                name[] = "service", greeting[] = "yett.test";
    static struct config_address targets[] = {{.host = target_host, .port = 1, .text = target_text},
                                              {.host = second_host, .port = 2, .text = second_text}};
    static struct config_address via = {.host = via_host, .port = 3, .text = via_text};
    static struct config_network balancers = {.network = {.bytes = {10}, .size = 4}, .prefix_bits = 8};
    static struct config_allow_target anywhere = {.host = any, .port_first = 1, .port_last = 65535};
    const struct simulation_kind *k = &kinds[i / 2];

    servers[i] = (struct fake_context){.server = true, .blocks = i % 2 != 0, .verifies = i % 4 == 3};
    clients[i] = (struct fake_context){.server = false, .blocks = i % 2 != 0, .verifies = true};
    configs[i] =
        (struct config_service){.name = name,
                                .protocol = k->protocol,
                                .listen_tls = k->listen,
                                .connect_tls = k->connect,
                                .connect = targets,
                                .connect_count = k->via == VIA_REFUSES_FIRST ? 2 : 1,
                                .via = k->via == VIA_NONE ? NULL : &via,
                                .allow_target = &anywhere,
                                .allow_target_count = 1,
                                .accept_proxy = k->balanced ? CONFIG_ACCEPT_PROXY_ANY : CONFIG_ACCEPT_PROXY_NONE,
                                .accept_proxy_from = &balancers,
                                .accept_proxy_from_count = 1,
                                .send_proxy = k->header ? CONFIG_SEND_PROXY_V1 : CONFIG_SEND_PROXY_NONE,
                                .connect_timeout_ms = SIMULATION_TIMEOUT_MS,
                                .handshake_timeout_ms = SIMULATION_TIMEOUT_MS,
                                .idle_timeout_ms = SIMULATION_TIMEOUT_MS,
                                .half_close_timeout_ms = SIMULATION_TIMEOUT_MS,
                                .http_request_head_max_bytes = HTTP_HEAD_MAX,
                                .http_response_head_max_bytes = HTTP_HEAD_MAX,
                                .http_field_max_bytes = HTTP_HEAD_MAX,
                                .http_fields_max = 100};
    items[i] = (struct service){.config = &configs[i],
                                .protocol = protocol_of(k->protocol),
                                .server_context = (struct tls_context *)(uintptr_t)fake_context(&servers[i]),
                                .client_context = (struct tls_context *)(uintptr_t)fake_context(&clients[i]),
                                .greeting_name = greeting,
                                .pool_group = 0,
                                .verify_group = 1};
    service_http_limits(&configs[i], items[i].http_limits);
}

void simulation_kinds_open(void)
{
    make_kinds();
    services.count = 2 * kind_count;
    for (size_t i = 0; i < services.count; i++)
        open_service(i);
}

struct services *simulation_services(void)
{
    return &services;
}

size_t simulation_speeches(void)
{
    return ARRAY_LEN(speeches);
}

size_t simulation_first_service(size_t speech)
{
    return 2 * kinds_of_speech[speech];
}

const struct simulation_kind *simulation_kind_of(size_t service)
{
    return &kinds[service / 2];
}
