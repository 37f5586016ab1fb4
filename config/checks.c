/* see config/checks.h
 *
 * A row of the table names the options a check looks at. It runs when all of them are good, given or not, and adds its
 * findings where the option stands that has to change. What is insecure is refused here and nowhere else: plain text
 * off this machine, a client nobody asked about, a mail server that takes the world for itself. */
#include "config/checks.h"
#include "config/checks_across.h"
#include "config/kinds.h"

#include <stdlib.h>

struct check_context {
    struct config *config;
    const struct section *section;
    struct config_service *service;
    bool database_is_bad; /* [yett] database is there, and wrong already */
    bool ev_is_bad;       /* likewise */
    struct config_findings *findings;
};

static bool given(const struct check_context *c, enum option_id id)
{
    return c->section->lines[id] != 0;
}

/* Where the option is, or else its section. */
static struct config_place place_of(const struct check_context *c, enum option_id id)
{
    struct config_place place = c->section->place;

    if (given(c, id))
        place.line = c->section->lines[id];
    return place;
}

#define FIND(c, id, ...) config_finding_add((c)->findings, place_of(c, id), __VA_ARGS__)

/* What base/protocols.h says of a protocol. */
static const struct {
    enum protocol_starttls starttls;
    uint32_t idle_ms;
} protocol_facts[] = {
#define PROTOCOL_FACTS(id, object, word, starttls, idle_ms) [CONFIG_PROTOCOL_##id] = {starttls, idle_ms},
    PROTOCOLS(PROTOCOL_FACTS)
#undef PROTOCOL_FACTS
};

static bool has_starttls(enum config_protocol protocol, enum protocol_starttls where)
{
    return (protocol_facts[protocol].starttls & where) != 0;
}

/* "smtp, lmtp and imap"; owned by the caller. */
static char *protocols_with_starttls(enum protocol_starttls where)
{
    char *list = base_strdup("");
    size_t left = 0;

    for (enum config_protocol p = 0; p < CONFIG_PROTOCOL_COUNT; p++)
        left += has_starttls(p, where);
    for (enum config_protocol p = 0; p < CONFIG_PROTOCOL_COUNT; p++) {
        char *shorter = list;

        if (!has_starttls(p, where))
            continue;
        left--;
        list = base_printf("%s%s%s", shorter, config_protocol_name(p), left == 0 ? "" : left == 1 ? " and " : ", ");
        free(shorter);
    }
    return list;
}

/* Options that do nothing where they stand are mistakes, not decoration. */
static void useless_find(const struct check_context *c, const enum option_id *ids, size_t count, const char *why)
{
    for (size_t i = 0; i < count; i++)
        if (given(c, ids[i]))
            FIND(c, ids[i], "%s: %s", config_options[ids[i]].name, why);
}

static void listen_addresses(struct check_context *c)
{
    char *canonical;

    for (size_t i = 0; i < c->service->listen_count; i++) {
        const struct config_address *a = &c->service->listen[i];

        if (a->type == CONFIG_ADDRESS_INET && !value_address_literal(a->host, &canonical))
            FIND(c, OPTION_LISTEN, "listen: %s is a name; it must be an address, such as 127.0.0.1:%u or [::1]:%u",
                 a->text, a->port, a->port);
        else if (a->type == CONFIG_ADDRESS_INET)
            free(canonical);
    }
}

static void listen_plaintext(struct check_context *c)
{
    if (c->service->listen_tls != CONFIG_TLS_NONE || c->service->insecure_plaintext_listen)
        return;
    for (size_t i = 0; i < c->service->listen_count; i++) {
        const struct config_address *a = &c->service->listen[i];
        char *canonical;

        if (a->type != CONFIG_ADDRESS_INET || config_address_is_loopback(a) ||
            !value_address_literal(a->host, &canonical))
            continue;
        free(canonical);
        FIND(c, OPTION_LISTEN,
             "listen: %s is open to other machines without TLS; set listen_tls = %s, listen on 127.0.0.1 or [::1], or "
             "set insecure_plaintext_listen = yes",
             a->text,
             has_starttls(c->service->protocol, PROTOCOL_LISTEN_STARTTLS) ? "starttls or implicit" : "implicit");
    }
}

/* Whoever may send the header may say that he is anybody. */
static void accept_proxy(struct check_context *c)
{
    static const enum option_id from[] = {OPTION_ACCEPT_PROXY_FROM};
    const struct config_service *s = c->service;

    if (s->accept_proxy == CONFIG_ACCEPT_PROXY_NONE) {
        useless_find(c, from, ARRAY_LEN(from), "needs accept_proxy = v1, v2 or any");
        return;
    }
    if (!given(c, OPTION_ACCEPT_PROXY_FROM))
        FIND(c, OPTION_ACCEPT_PROXY,
             "accept_proxy: needs accept_proxy_from, the addresses of the balancers, such as 10.0.0.7, 10.1.0.0/24");
    for (size_t i = 0; i < s->accept_proxy_from_count; i++)
        if (s->accept_proxy_from[i].network.size != 0 && s->accept_proxy_from[i].prefix_bits == 0)
            FIND(c, OPTION_ACCEPT_PROXY_FROM,
                 "accept_proxy_from: with a network of all addresses everybody could say that he is somebody else; "
                 "name the balancers");
}

static void listen_identity(struct check_context *c)
{
    static const enum option_id tls_only[] = {OPTION_SNI, OPTION_OCSP_STAPLE, OPTION_ALPN, OPTION_SERVER_NAME};

    if (c->service->listen_tls == CONFIG_TLS_NONE)
        useless_find(c, tls_only, ARRAY_LEN(tls_only), "has no effect with listen_tls = none");
    else if (!given(c, OPTION_IDENTITY))
        FIND(c, OPTION_LISTEN_TLS, "listen_tls needs identity, such as file:/etc/yett/server.pem");
}

bool config_service_originates_tls(const struct config_service *s)
{
    return s->connect_tls != CONFIG_TLS_NONE || s->protocol == CONFIG_PROTOCOL_HTTP_CONNECT;
}

/* Without TLS on the listening side the identity can only be the connecting side's. */
static void connect_identity(struct check_context *c)
{
    struct config_service *s = c->service;

    if (!config_service_originates_tls(s) && given(c, OPTION_CONNECT_IDENTITY))
        FIND(c, OPTION_CONNECT_IDENTITY, "connect_identity: needs connect_tls = implicit or starttls");
    if (given(c, OPTION_NO_SUITABLE_IDENTITY) && !given(c, OPTION_CONNECT_IDENTITY) &&
        (s->listen_tls != CONFIG_TLS_NONE || !given(c, OPTION_IDENTITY)))
        FIND(c, OPTION_NO_SUITABLE_IDENTITY,
             "no_suitable_identity: there is no certificate for the server: set connect_identity");
    if (s->listen_tls != CONFIG_TLS_NONE || !given(c, OPTION_IDENTITY))
        return;
    if (!config_service_originates_tls(s)) {
        FIND(c, OPTION_IDENTITY, "identity: needs TLS: set listen_tls or connect_tls");
    } else if (given(c, OPTION_CONNECT_IDENTITY)) {
        FIND(c, OPTION_IDENTITY,
             "identity: with listen_tls = none it is connect_identity, which is given too; keep one");
    } else {
        s->connect_identity = s->identity;
        s->connect_identity_count = s->identity_count;
        s->identity = NULL;
        s->identity_count = 0;
    }
}

static void peer(struct check_context *c)
{
    static const enum option_id peer_only[] = {OPTION_ALLOW, OPTION_PEER_PURPOSE, OPTION_PEER_TRUST};
    const struct config_service *s = c->service;

    if (s->peer == CONFIG_PEER_NONE) {
        useless_find(c, peer_only, ARRAY_LEN(peer_only), "needs peer = require, or peer = request");
        return;
    }
    if (s->listen_tls == CONFIG_TLS_NONE)
        FIND(c, OPTION_PEER, "peer: needs TLS with clients: set listen_tls = implicit or starttls");
    if (!given(c, OPTION_PEER_TRUST))
        FIND(c, OPTION_PEER,
             "peer: needs peer_trust, the issuers of clients' certificates: file:PATH, database or a pkcs11: URI");
    if (s->peer == CONFIG_PEER_REQUIRE && !given(c, OPTION_ALLOW))
        FIND(c, OPTION_PEER,
             "peer: require needs allow, such as san_email:*@example.org; any lets all who are verified pass");
}

/* A side of the service is to use STARTTLS: the protocol must have it there. */
static void side_starttls(struct check_context *c, enum option_id id, enum config_tls_mode mode,
                          enum protocol_starttls where)
{
    enum config_protocol protocol = c->service->protocol;
    char *others;

    if (mode != CONFIG_TLS_STARTTLS || has_starttls(protocol, where))
        return;
    others = protocols_with_starttls(where);
    FIND(c, id, "%s: protocol %s has no STARTTLS; %s have, or set implicit", config_options[id].name,
         config_protocol_name(protocol), others);
    free(others);
}

static void starttls(struct check_context *c)
{
    side_starttls(c, OPTION_LISTEN_TLS, c->service->listen_tls, PROTOCOL_LISTEN_STARTTLS);
    side_starttls(c, OPTION_CONNECT_TLS, c->service->connect_tls, PROTOCOL_CONNECT_STARTTLS);
}

/* Which options go with http-proxy, where the client names the target, and which with everything else. */
static void target(struct check_context *c)
{
    static const enum option_id fixed_only[] = {OPTION_CONNECT, OPTION_BALANCE,    OPTION_CONNECT_TLS,
                                                OPTION_VIA,     OPTION_SEND_PROXY, OPTION_VERIFY_NAME};
    static const enum option_id proxy_only[] = {OPTION_ALLOW_TARGET, OPTION_HTTP_REQUEST_HEAD_MAX};
    static const enum option_id http_only[] = {OPTION_HTTP_RESPONSE_HEAD_MAX, OPTION_HTTP_FIELD_MAX,
                                               OPTION_HTTP_FIELDS_MAX};

    if (c->service->protocol == CONFIG_PROTOCOL_HTTP_CONNECT) {
        useless_find(c, fixed_only, ARRAY_LEN(fixed_only),
                     "does not go with protocol http-proxy, whose clients name the target");
        if (!given(c, OPTION_ALLOW_TARGET) && !c->section->bad[OPTION_ALLOW_TARGET])
            FIND(c, OPTION_PROTOCOL, "protocol: http-proxy needs allow_target, such as *:443");
    } else {
        useless_find(c, proxy_only, ARRAY_LEN(proxy_only), "is for protocol http-proxy");
        if (!given(c, OPTION_VIA))
            useless_find(c, http_only, ARRAY_LEN(http_only), "is for protocol http-proxy, or with via");
        if (!given(c, OPTION_CONNECT) && !c->section->bad[OPTION_CONNECT])
            config_finding_add(c->findings, c->section->place,
                               "connect is missing: the server, such as 127.0.0.1:10143");
    }
}

static void balance(struct check_context *c)
{
    if (given(c, OPTION_BALANCE) && given(c, OPTION_CONNECT) && c->service->connect_count < 2)
        FIND(c, OPTION_BALANCE, "balance: is for several servers in connect, and there is one");
}

static bool same_address(const struct config_address *a, const struct config_address *b)
{
    return a->type == b->type && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static void connect_addresses(struct check_context *c)
{
    const struct config_service *s = c->service;

    for (size_t i = 0; i < s->connect_count; i++) {
        if (s->connect[i].type == CONFIG_ADDRESS_SYSTEMD)
            FIND(c, OPTION_CONNECT, "connect: %s is a socket to listen on; it must be HOST:PORT or unix:PATH",
                 s->connect[i].text);
        for (size_t j = 0; j < s->listen_count; j++)
            if (same_address(&s->connect[i], &s->listen[j]))
                FIND(c, OPTION_CONNECT, "connect: %s is where this service listens: it would connect to itself",
                     s->connect[i].text);
    }
}

static void connect_plaintext(struct check_context *c)
{
    const struct config_service *s = c->service;

    if (s->connect_tls != CONFIG_TLS_NONE || s->insecure_plaintext_connect)
        return;
    for (size_t i = 0; i < s->connect_count; i++)
        if (s->connect[i].type == CONFIG_ADDRESS_INET && !config_address_is_loopback(&s->connect[i]))
            FIND(
                c, OPTION_CONNECT,
                "connect: %s is reached without TLS; set connect_tls = %s, connect to 127.0.0.1, [::1] or localhost, or "
                "set insecure_plaintext_connect = yes",
                s->connect[i].text,
                has_starttls(s->protocol, PROTOCOL_CONNECT_STARTTLS) ? "starttls or implicit" : "implicit");
}

static void via(struct check_context *c)
{
    const struct config_service *s = c->service;

    if (s->via == NULL)
        return;
    if (s->via->type != CONFIG_ADDRESS_INET)
        FIND(c, OPTION_VIA, "via: must be HOST:PORT of an HTTP proxy");
    for (size_t i = 0; i < s->connect_count; i++)
        if (s->connect[i].type == CONFIG_ADDRESS_UNIX)
            FIND(c, OPTION_VIA, "via: %s in connect cannot be reached through a proxy", s->connect[i].text);
}

static void verification(struct check_context *c)
{
    static const enum option_id tls_only[] = {OPTION_VERIFY_NAME, OPTION_TRUST, OPTION_INSECURE_NO_VERIFY};
    const struct config_service *s = c->service;

    if (s->protocol == CONFIG_PROTOCOL_HTTP_CONNECT)
        return;
    if (s->connect_tls == CONFIG_TLS_NONE) {
        useless_find(c, tls_only, ARRAY_LEN(tls_only), "needs connect_tls = implicit or starttls");
        return;
    }
    if (s->insecure_no_verify && s->verify_name != NULL)
        FIND(c, OPTION_VERIFY_NAME, "verify_name: nothing is verified with insecure_no_verify = yes; keep one");
    for (size_t i = 0; i < s->connect_count; i++)
        if (s->connect[i].type == CONFIG_ADDRESS_UNIX && s->verify_name == NULL && !s->insecure_no_verify)
            FIND(c, OPTION_CONNECT_TLS,
                 "connect_tls: with %s it needs verify_name, the name in the server's certificate", s->connect[i].text);
}

/* Whether anybody's certificate is verified at all. */
static bool verifies(const struct config_service *s)
{
    return (config_service_originates_tls(s) && !s->insecure_no_verify) || s->peer != CONFIG_PEER_NONE;
}

static void revocation(struct check_context *c)
{
    static const enum option_id all[] = {OPTION_REVOCATION,   OPTION_CRL,       OPTION_OCSP_FETCH,
                                         OPTION_OCSP_TIMEOUT, OPTION_CRL_FETCH, OPTION_CRL_TIMEOUT};
    static const enum option_id asking[] = {OPTION_OCSP_TIMEOUT}, fetching[] = {OPTION_CRL_TIMEOUT};
    const struct config_service *s = c->service;

    if (!verifies(s)) {
        useless_find(c, all, ARRAY_LEN(all), "no certificate is verified here: needs connect_tls, or peer");
        return;
    }
    if (s->revocation == CONFIG_REVOCATION_OFF) {
        useless_find(c, all + 1, ARRAY_LEN(all) - 1, "does nothing with revocation = off");
        return;
    }
    if (!s->ocsp_fetch)
        useless_find(c, asking, ARRAY_LEN(asking), "does nothing with ocsp_fetch = no");
    if (s->revocation != CONFIG_REVOCATION_HARD)
        useless_find(c, fetching, ARRAY_LEN(fetching), "needs revocation = hard: otherwise nobody waits for a CRL");
    else if (given(c, OPTION_CRL_FETCH) && !s->crl_fetch)
        useless_find(c, fetching, ARRAY_LEN(fetching), "does nothing with crl_fetch = no");
}

static void issuers(struct check_context *c)
{
    static const enum option_id all[] = {OPTION_ISSUER_FETCH};

    if (!verifies(c->service))
        useless_find(c, all, ARRAY_LEN(all), "no certificate is verified here: needs connect_tls, or peer");
}

/* A pin that nobody is held to would be trusted to protect. */
static void pins(struct check_context *c)
{
    const struct config_service *s = c->service;

    if (!given(c, OPTION_PIN_SPKI_SHA256) || s->peer != CONFIG_PEER_NONE)
        return;
    if (!config_service_originates_tls(s))
        FIND(c, OPTION_PIN_SPKI_SHA256, "pin_spki_sha256: needs connect_tls = implicit or starttls, or peer");
    else if (s->insecure_no_verify)
        FIND(c, OPTION_PIN_SPKI_SHA256, "pin_spki_sha256: nothing is verified with insecure_no_verify = yes; keep one");
}

/* The same for a policy. */
static void policy(struct check_context *c)
{
    const struct config_service *s = c->service;
    bool ev = false;

    if (!given(c, OPTION_POLICY))
        return;
    for (size_t i = 0; i < s->policy_count; i++)
        ev = ev || s->policy[i].type == CONFIG_POLICY_EV;
    if (ev && s->policy_count > 1)
        FIND(c, OPTION_POLICY, "policy: ev stands alone: a peer with another policy need not have it");
    if (ev && c->config->ev == NULL && !c->ev_is_bad)
        FIND(c, OPTION_POLICY, "policy: ev needs [yett] ev, the file of policies and roots that mean it");
    if (s->peer != CONFIG_PEER_NONE)
        return;
    if (!config_service_originates_tls(s))
        FIND(c, OPTION_POLICY, "policy: needs connect_tls = implicit or starttls, or peer");
    else if (s->insecure_no_verify)
        FIND(c, OPTION_POLICY, "policy: nothing is verified with insecure_no_verify = yes; keep one");
}

/* Whether somebody from elsewhere can come in by it; of a socket of systemd's that is not known here. */
static bool listens_to_others(const struct config_service *s)
{
    for (size_t i = 0; i < s->listen_count; i++)
        if (s->listen[i].type == CONFIG_ADDRESS_SYSTEMD ||
            (s->listen[i].type == CONFIG_ADDRESS_INET && !config_address_is_loopback(&s->listen[i])))
            return true;
    return false;
}

/* Mail servers relay for their own machine (Postfix: mynetworks), on whatever port. All the world's mail that comes
 * through a proxy comes from there, unless the server is told otherwise: an open relay. Those who need a certificate to
 * come in are not the world. Port 25 is where a machine's own programs and the world's servers meet, so it is asked
 * about whoever listens. */
static void smtp_loopback_relay(struct check_context *c)
{
    enum { SMTP_PORT = 25 };
    const struct config_service *s = c->service;

    if (s->protocol != CONFIG_PROTOCOL_SMTP || s->send_proxy != CONFIG_SEND_PROXY_NONE ||
        s->peer == CONFIG_PEER_REQUIRE || s->insecure_smtp_loopback_relay)
        return;
    for (size_t i = 0; i < s->connect_count; i++)
        if (s->connect[i].type == CONFIG_ADDRESS_INET && config_address_is_loopback(&s->connect[i]) &&
            (s->connect[i].port == SMTP_PORT || listens_to_others(s)))
            FIND(c, OPTION_CONNECT,
                 "connect: to the server at %s all mail would come from this machine, for which mail servers relay to "
                 "anywhere (Postfix: mynetworks); set send_proxy = v2-tls and have the server expect it (Postfix: "
                 "smtpd_upstream_proxy_protocol = haproxy), or take this machine out of what the server trusts and set "
                 "insecure_smtp_loopback_relay = yes",
                 s->connect[i].text);
}

static void alpn(struct check_context *c)
{
    enum { ALPN_BYTES_MAX = 255 }; /* RFC 7301 section 3.1 */

    if (given(c, OPTION_ALPN) && c->service->protocol != CONFIG_PROTOCOL_TCP)
        FIND(c, OPTION_ALPN, "alpn: is for protocol tcp; %s has its own", config_protocol_name(c->service->protocol));
    for (size_t i = 0; i < c->service->alpn_count; i++)
        if (strlen(c->service->alpn[i]) > ALPN_BYTES_MAX)
            FIND(c, OPTION_ALPN, "alpn: an identifier has at most %d bytes", ALPN_BYTES_MAX);
}

static void trust_source(struct check_context *c, const struct config_trust *trust, size_t count, enum option_id id)
{
    for (size_t i = 0; i < count; i++) {
        if (trust[i].type == CONFIG_TRUST_DATABASE && c->config->database == NULL && !c->database_is_bad)
            FIND(c, id, "%s: database needs [yett] database", config_options[id].name);
        if (trust[i].type == CONFIG_TRUST_PKCS11 && c->config->module_count == 0)
            FIND(c, id, "%s: a pkcs11: URI needs a section [module NAME] with the path of the token's module",
                 config_options[id].name);
    }
}

static void identity_source(struct check_context *c, const struct config_identity *identity, size_t count,
                            enum option_id id)
{
    for (size_t i = 0; i < count; i++) {
        if (identity[i].type == CONFIG_IDENTITY_NSS && c->config->database == NULL && !c->database_is_bad)
            FIND(c, id, "%s: nss: needs [yett] database", config_options[id].name);
        if (identity[i].type == CONFIG_IDENTITY_PKCS11 && c->config->module_count == 0)
            FIND(c, id, "%s: a pkcs11: URI needs a section [module NAME] with the path of the token's module",
                 config_options[id].name);
    }
}

/* What the rest of the configuration must have for this service. Before connect_identity(), which moves one of them. */
static void sources(struct check_context *c)
{
    const struct config_service *s = c->service;

    identity_source(c, s->identity, s->identity_count, OPTION_IDENTITY);
    identity_source(c, s->connect_identity, s->connect_identity_count, OPTION_CONNECT_IDENTITY);
    trust_source(c, s->trust, s->trust_count, OPTION_TRUST);
    trust_source(c, s->peer_trust, s->peer_trust_count, OPTION_PEER_TRUST);
}

/* Whether NSS has them, and who is left without any, is known where they are set up. */
static void groups(struct check_context *c)
{
    static const enum option_id all[] = {OPTION_GROUPS};

    c->service->groups_place = place_of(c, OPTION_GROUPS);
    if (c->service->listen_tls == CONFIG_TLS_NONE && !config_service_originates_tls(c->service))
        useless_find(c, all, ARRAY_LEN(all), "needs TLS: set listen_tls or connect_tls");
}

/* Defaults that depend on other options. */
static void dependent_defaults(struct check_context *c)
{
    struct config_service *s = c->service;

    if (!given(c, OPTION_HANDSHAKE_TIMEOUT) &&
        (s->listen_tls == CONFIG_TLS_STARTTLS || s->connect_tls == CONFIG_TLS_STARTTLS))
        s->handshake_timeout_ms = 60000;
    if (!given(c, OPTION_OCSP_TIMEOUT) && s->revocation == CONFIG_REVOCATION_HARD)
        s->ocsp_timeout_ms = 10000; /* what is not answered is refused: be patient */
    if (!given(c, OPTION_CRL_FETCH))
        s->crl_fetch = s->revocation == CONFIG_REVOCATION_HARD; /* many a certificate has no other evidence */
    if (s->revocation == CONFIG_REVOCATION_OFF || !verifies(s))
        s->ocsp_fetch = s->crl_fetch = false;
    if (!given(c, OPTION_IDLE_TIMEOUT))
        s->idle_timeout_ms = protocol_facts[s->protocol].idle_ms;
}

/* `uses`: the options whose values a check looks at; it is left out when one of them is bad. That an option is given
 * can be told of a bad one, too. */
#define USES(...)                                                                                                      \
    .uses = (const enum option_id[]){__VA_ARGS__},                                                                     \
    .use_count = sizeof((const enum option_id[]){__VA_ARGS__}) / sizeof(enum option_id)

static const struct {
    void (*run)(struct check_context *c);
    const enum option_id *uses;
    size_t use_count;
} checks[] = {
    {listen_addresses, USES(OPTION_LISTEN)},
    {listen_plaintext, USES(OPTION_LISTEN, OPTION_LISTEN_TLS, OPTION_PROTOCOL, OPTION_INSECURE_PLAINTEXT_LISTEN)},
    {accept_proxy, USES(OPTION_ACCEPT_PROXY, OPTION_ACCEPT_PROXY_FROM)},
    {listen_identity, USES(OPTION_LISTEN_TLS)},
    {sources, USES(OPTION_IDENTITY, OPTION_CONNECT_IDENTITY, OPTION_TRUST, OPTION_PEER_TRUST)},
    {connect_identity, USES(OPTION_PROTOCOL, OPTION_LISTEN_TLS, OPTION_CONNECT_TLS, OPTION_IDENTITY,
                            OPTION_CONNECT_IDENTITY, OPTION_NO_SUITABLE_IDENTITY)},
    {peer, USES(OPTION_PEER, OPTION_LISTEN_TLS)},
    {starttls, USES(OPTION_PROTOCOL, OPTION_LISTEN_TLS, OPTION_CONNECT_TLS)},
    {target, USES(OPTION_PROTOCOL)},
    {balance, USES(OPTION_BALANCE, OPTION_CONNECT)},
    {connect_addresses, USES(OPTION_CONNECT, OPTION_LISTEN)},
    {connect_plaintext, USES(OPTION_CONNECT, OPTION_CONNECT_TLS, OPTION_PROTOCOL, OPTION_INSECURE_PLAINTEXT_CONNECT)},
    {via, USES(OPTION_VIA, OPTION_CONNECT)},
    {verification,
     USES(OPTION_PROTOCOL, OPTION_CONNECT, OPTION_CONNECT_TLS, OPTION_VERIFY_NAME, OPTION_INSECURE_NO_VERIFY)},
    {revocation, USES(OPTION_REVOCATION, OPTION_CONNECT_TLS, OPTION_PEER, OPTION_PROTOCOL, OPTION_INSECURE_NO_VERIFY,
                      OPTION_OCSP_FETCH, OPTION_CRL_FETCH)},
    {issuers, USES(OPTION_ISSUER_FETCH, OPTION_PROTOCOL, OPTION_CONNECT_TLS, OPTION_PEER, OPTION_INSECURE_NO_VERIFY)},
    {pins, USES(OPTION_PIN_SPKI_SHA256, OPTION_PEER, OPTION_PROTOCOL, OPTION_CONNECT_TLS, OPTION_INSECURE_NO_VERIFY)},
    {policy, USES(OPTION_POLICY, OPTION_PEER, OPTION_PROTOCOL, OPTION_CONNECT_TLS, OPTION_INSECURE_NO_VERIFY)},
    {smtp_loopback_relay, USES(OPTION_CONNECT, OPTION_LISTEN, OPTION_PROTOCOL, OPTION_SEND_PROXY, OPTION_PEER,
                               OPTION_INSECURE_SMTP_LOOPBACK_RELAY)},
    {alpn, USES(OPTION_ALPN, OPTION_PROTOCOL)},
    {groups, USES(OPTION_GROUPS, OPTION_PROTOCOL, OPTION_LISTEN_TLS, OPTION_CONNECT_TLS)},
    {dependent_defaults, USES(OPTION_PROTOCOL, OPTION_LISTEN_TLS, OPTION_CONNECT_TLS)},
};

static bool any_is_bad(const struct section *section, const enum option_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (section->bad[ids[i]])
            return true;
    return false;
}

/* [yett] options whose places are wanted later. */
static const struct {
    enum option_id id;
    size_t offset; /* of the place, in a struct config */
} places[] = {
    {OPTION_ACCELERATOR, offsetof(struct config, accelerator_place)},
    {OPTION_FILE_KEYS, offsetof(struct config, file_keys_place)},
    {OPTION_DATABASE, offsetof(struct config, database_place)},
    {OPTION_BLOCKLIST, offsetof(struct config, blocklist_place)},
    {OPTION_EV, offsetof(struct config, ev_place)},
    {OPTION_ROOTS, offsetof(struct config, roots_place)},
    {OPTION_DISTRUST, offsetof(struct config, distrust_place)},
    {OPTION_INTERMEDIATES, offsetof(struct config, intermediates_place)},
};

static void places_note(struct config *config, const struct section *yett)
{
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct config_place *place = (struct config_place *)((char *)config + places[i].offset);

        place->file = yett == NULL ? config->files[0] : yett->place.file;
        place->line = yett == NULL ? 0 : yett->lines[places[i].id];
    }
}

void checks_run(struct config *config, const struct section *sections, size_t section_count,
                struct config_findings *findings)
{
    struct check_context c = {.config = config, .findings = findings};
    struct config_place control_place = {.file = config->files[0]};

    places_note(config, NULL);
    for (size_t i = 0; i < section_count; i++) {
        if (sections[i].kind != OPTION_YETT)
            continue;
        c.database_is_bad = sections[i].bad[OPTION_DATABASE];
        c.ev_is_bad = sections[i].bad[OPTION_EV];
        if (sections[i].lines[OPTION_CONTROL] != 0)
            control_place = (struct config_place){sections[i].place.file, sections[i].lines[OPTION_CONTROL]};
        places_note(config, &sections[i]);
    }
    for (size_t i = 0; i < section_count; i++) {
        c.section = &sections[i];
        if (sections[i].kind == OPTION_MODULE)
            config->modules[sections[i].index].pin_place = place_of(&c, OPTION_PIN);
        if (sections[i].kind != OPTION_SERVICE)
            continue;
        c.service = &config->services[sections[i].index];
        for (size_t check = 0; check < ARRAY_LEN(checks); check++)
            if (!any_is_bad(c.section, checks[check].uses, checks[check].use_count))
                checks[check].run(&c);
    }
    config->control_place = control_place;
    checks_run_across(config, control_place, findings);
}
