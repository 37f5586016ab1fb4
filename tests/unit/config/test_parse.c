/* Good configurations: every field of the structs, given and by default. */
#include "testing.h"

static void defaults_are_those_of_the_header(void **state)
{
    struct config *c = testing_parse_good("[service s]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2\n"
                                          "[module m]\npath = /m.so\n");
    const struct config_service *s = &c->services[0];
    const struct config_module *m = &c->modules[0];

    (void)state;
    assert_int_equal(c->workers, 0);
    assert_string_equal(c->control, "/run/yett/control.sock");
    assert_null(c->admin);
    assert_null(c->database);
    assert_null(c->blocklist);
    assert_null(c->user);
    assert_null(c->ev);
    assert_int_equal(c->log, CONFIG_LOG_STDERR);
    assert_int_equal(c->log_format, CONFIG_LOG_LOGFMT);
    assert_int_equal(c->log_level, 2);
    assert_int_equal(c->drain_timeout_ms, 30000);
    assert_int_equal(c->handshake_queue_max, 1024);
    assert_int_equal(c->include_count, 1);
    assert_string_equal(c->include[0], "conf.d/*.conf");
    assert_int_equal(c->file_count, 1);
    assert_string_equal(c->files[0], "f");

    assert_int_equal(c->module_count, 1);
    assert_string_equal(m->name, "m");
    assert_string_equal(m->path, "/m.so");
    assert_int_equal(m->pin_type, CONFIG_PIN_NONE);
    assert_null(m->pin_source);
    assert_int_equal(m->environment_count, 0);
    assert_int_equal(m->sessions_max, 8);
    assert_int_equal(m->queue_max, 64);
    assert_int_equal(m->sign_timeout_ms, 10000);
    assert_string_equal(m->place.file, "f");
    assert_int_equal(m->place.line, 4);

    assert_int_equal(c->service_count, 1);
    assert_string_equal(s->name, "s");
    assert_int_equal(s->place.line, 1);
    assert_int_equal(s->protocol, CONFIG_PROTOCOL_TCP);
    assert_int_equal(s->listen_tls, CONFIG_TLS_NONE);
    assert_int_equal(s->identity_count, 0);
    assert_int_equal(s->sni, CONFIG_SNI_ANY);
    assert_int_equal(s->peer, CONFIG_PEER_NONE);
    assert_int_equal(s->allow_count, 0);
    assert_int_equal(s->peer_trust_count, 0);
    assert_int_equal(s->balance, CONFIG_BALANCE_FIRST);
    assert_int_equal(s->connect_tls, CONFIG_TLS_NONE);
    assert_int_equal(s->connect_identity_count, 0);
    assert_null(s->verify_name);
    assert_int_equal(s->trust_count, 1);
    assert_int_equal(s->trust[0].type, CONFIG_TRUST_MOZILLA);
    assert_null(s->via);
    assert_false(s->insecure_no_verify);
    assert_int_equal(s->revocation, CONFIG_REVOCATION_SOFT);
    assert_int_equal(s->crl_count, 0);
    assert_false(s->ocsp_fetch); /* nobody is verified here */
    assert_int_equal(s->ocsp_timeout_ms, 2000);
    assert_int_equal(s->issuer_fetch_count, 0);
    assert_int_equal(s->allow_target_count, 0);
    assert_int_equal(s->ciphers, CONFIG_CIPHERS_INTERMEDIATE);
    assert_int_equal(s->tls_min, 0x0303);
    assert_int_equal(s->alpn_count, 0);
    assert_null(s->greeting_name);
    assert_int_equal(s->send_proxy, CONFIG_SEND_PROXY_NONE);
    assert_int_equal(s->accept_proxy, CONFIG_ACCEPT_PROXY_NONE);
    assert_int_equal(s->accept_proxy_from_count, 0);
    assert_int_equal(s->allow_client_count, 0);
    assert_false(s->insecure_plaintext_listen);
    assert_false(s->insecure_plaintext_connect);
    assert_false(s->insecure_smtp_loopback_relay);
    assert_null(s->ocsp_staple);
    assert_int_equal(s->pin_spki_sha256_count, 0);
    assert_int_equal(s->policy_count, 0);
    assert_int_equal(s->connect_timeout_ms, 10000);
    assert_int_equal(s->handshake_timeout_ms, 30000);
    assert_int_equal(s->idle_timeout_ms, 1800000);
    assert_int_equal(s->half_close_timeout_ms, 30000);
    assert_int_equal(s->http_request_head_max_bytes, 64 * 1024);
    assert_int_equal(s->http_response_head_max_bytes, 256 * 1024);
    assert_int_equal(s->http_field_max_bytes, 64 * 1024);
    assert_int_equal(s->http_fields_max, 200);
    assert_int_equal(s->connections_max, 10000);
    assert_int_equal(s->connections_per_address_max, 256);
    config_destroy(&c);
    assert_null(c);
}

static void process_and_module_options_are_read(void **state)
{
    struct config *c = testing_parse_good("[yett]\n"
                                          "workers = 4\n"
                                          "control = /tmp/c.sock\n"
                                          "admin = [::1]:9180\n"
                                          "database = sql:/var/lib/yett/nss\n"
                                          "log = journal\n"
                                          "log_format = json\n"
                                          "log_level = debug\n"
                                          "drain_timeout = 2m\n"
                                          "handshake_queue_max = 7\n"
                                          "blocklist = file:/etc/yett/blocklist\n"
                                          "user = www-data\n"
                                          "ev = file:/etc/yett/ev\n"
                                          "include = a.conf, b/*.conf\n"
                                          "[module hsm-1.a_b]\n"
                                          "path = /usr/lib/softhsm/libsofthsm2.so\n"
                                          "pin = credential:hsm-pin\n"
                                          "environment = SOFTHSM2_CONF=/etc/softhsm2.conf, A=b\\, c\n"
                                          "sessions_max = 1\n"
                                          "queue_max = 2\n"
                                          "sign_timeout = 1500ms\n"
                                          "[module two]\npath = /2\npin = file:/etc/yett/pin\n"
                                          "[module three]\npath = /3\npin = env:PIN\n"
                                          "[module four]\npath = /4\npin = prompt\n"
                                          "[service s]\nlisten = unix:/l\nconnect = unix:/c\n");
    const struct config_module *m = c->modules;

    (void)state;
    assert_int_equal(c->workers, 4);
    assert_string_equal(c->control, "/tmp/c.sock");
    assert_string_equal(c->admin->host, "::1");
    assert_int_equal(c->admin->port, 9180);
    assert_int_equal(c->admin->place.line, 4);
    assert_string_equal(c->database, "sql:/var/lib/yett/nss");
    assert_int_equal(c->log, CONFIG_LOG_JOURNAL);
    assert_int_equal(c->log_format, CONFIG_LOG_JSON);
    assert_int_equal(c->log_level, 3);
    assert_int_equal(c->drain_timeout_ms, 120000);
    assert_int_equal(c->handshake_queue_max, 7);
    assert_string_equal(c->blocklist, "/etc/yett/blocklist");
    assert_string_equal(c->user->name, "www-data");
    assert_string_equal(c->user->place.file, "f");
    assert_string_equal(c->ev, "/etc/yett/ev");
    assert_int_equal(c->include_count, 2);
    assert_string_equal(c->include[1], "b/*.conf");

    assert_int_equal(c->module_count, 4);
    assert_string_equal(m[0].name, "hsm-1.a_b");
    assert_int_equal(m[0].pin_type, CONFIG_PIN_CREDENTIAL);
    assert_string_equal(m[0].pin_source, "hsm-pin");
    assert_int_equal(m[0].environment_count, 2);
    assert_string_equal(m[0].environment[0], "SOFTHSM2_CONF=/etc/softhsm2.conf");
    assert_string_equal(m[0].environment[1], "A=b, c");
    assert_int_equal(m[0].sessions_max, 1);
    assert_int_equal(m[0].queue_max, 2);
    assert_int_equal(m[0].sign_timeout_ms, 1500);
    assert_int_equal(m[1].pin_type, CONFIG_PIN_FILE);
    assert_string_equal(m[1].pin_source, "/etc/yett/pin");
    assert_int_equal(m[2].pin_type, CONFIG_PIN_ENV);
    assert_string_equal(m[2].pin_source, "PIN");
    assert_int_equal(m[3].pin_type, CONFIG_PIN_PROMPT);
    assert_null(m[3].pin_source);
    config_destroy(&c);
}

#define HEX_64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void service_options_are_read(void **state)
{
    struct config *c = testing_parse_good(
        "[module m]\npath = /m\n"
        "[yett]\ndatabase = sql:/nss\n"
        "[service imap]            ; one section, one tunnel\n"
        "protocol = imap\n"
        "listen = 0.0.0.0:143, [::]:143, unix:/run/l, systemd:imap ; several\n"
        "listen_tls = starttls\n"
        "identity = file:/etc/yett/mail.pem, pkcs11:token=Mail;object=imap;type=private?module-name=m, nss:sha256=" HEX_64
        "\n"
        "sni = required\n"
        "ocsp_staple = /etc/yett/ocsp.der\n"
        "peer = require\n"
        "peer_trust = file:/etc/yett/ca.pem, database, /etc/yett/ca2.pem\n"
        "allow = san_email:*@example.org, san_dns:*.example.org, san_uri:spiffe://x/*, cn:Alice, dn:ou=Staff\\, Berlin, "
        "sha256:" HEX_64 ", spki_sha256:" HEX_64
        ", san_upn:*@corp.example, serial_number:PNOEE-*, issuer:sha256=" HEX_64 ", policy:1.2.3, any\n"
        "peer_purpose = any\n"
        "connect = Mail.Example.org:993, [2001:db8::1]:993\n"
        "balance = least\n"
        "connect_tls = implicit\n"
        "connect_identity = file:/etc/yett/client.pem\n"
        "verify_name = Mail.Example.org.\n"
        "trust = mozilla, database, file:/ca.pem, pkcs11:token=Corporate;object=root\n"
        "via = proxy.example.org:3128\n"
        "ciphers = modern\n"
        "tls_min = 1.3\n"
        "greeting_name = mx.example.org\n"
        "send_proxy = v2-tls\n"
        "accept_proxy = any\naccept_proxy_from = 10.1.0.0/24, ::ffff:192.0.2.7, fd00::/8, unix\n"
        "allow_client = 2001:db8::/32\n"
        "connect_timeout = 1\nhandshake_timeout = 2s\nidle_timeout = 3m\nhalf_close_timeout = 4h\n"
        "connections_max = 5\nconnections_per_address_max = 0\n"
        "pin_spki_sha256 = " HEX_64 ", "
        "00:1122"
        "33445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
        "\n"
        "policy = 2.23.140.1.1, 1.3.6.1.4.1.311.21.8.11489019\n");
    const struct config_service *s = c->services;
    static const struct {
        enum config_allow_type type;
        const char *attribute, *pattern;
    } allow[] = {
        {CONFIG_ALLOW_SAN_EMAIL, NULL, "*@example.org"},
        {CONFIG_ALLOW_SAN_DNS, NULL, "*.example.org"},
        {CONFIG_ALLOW_SAN_URI, NULL, "spiffe://x/*"},
        {CONFIG_ALLOW_CN, NULL, "Alice"},
        {CONFIG_ALLOW_DN, "OU", "Staff, Berlin"},
        {CONFIG_ALLOW_SHA256, NULL, HEX_64},
        {CONFIG_ALLOW_SPKI_SHA256, NULL, HEX_64},
        {CONFIG_ALLOW_SAN_UPN, NULL, "*@corp.example"},
        {CONFIG_ALLOW_SERIAL_NUMBER, NULL, "PNOEE-*"},
        {CONFIG_ALLOW_ISSUER, NULL, HEX_64},
        {CONFIG_ALLOW_POLICY, NULL, "1.2.3"},
        {CONFIG_ALLOW_ANY, NULL, NULL},
    };

    (void)state;
    assert_int_equal(s->place.line, 5);
    assert_int_equal(s->protocol, CONFIG_PROTOCOL_IMAP);
    assert_int_equal(s->listen_count, 4);
    assert_string_equal(s->listen[1].host, "::");
    assert_int_equal(s->listen[2].type, CONFIG_ADDRESS_UNIX);
    assert_int_equal(s->listen[3].type, CONFIG_ADDRESS_SYSTEMD);
    assert_string_equal(s->listen[3].text, "systemd:imap");
    assert_int_equal(s->listen[3].place.line, 7);
    assert_string_equal(s->listen[3].place.file, "f");
    assert_int_equal(s->listen_tls, CONFIG_TLS_STARTTLS);
    assert_int_equal(s->identity_count, 3);
    assert_int_equal(s->identity[0].type, CONFIG_IDENTITY_FILE);
    assert_string_equal(s->identity[0].value, "/etc/yett/mail.pem");
    assert_int_equal(s->identity[1].type, CONFIG_IDENTITY_PKCS11);
    assert_string_equal(s->identity[1].value, "pkcs11:token=Mail;object=imap;type=private?module-name=m");
    assert_int_equal(s->identity[1].place.line, 9);
    assert_int_equal(s->identity[2].type, CONFIG_IDENTITY_NSS);
    assert_string_equal(s->identity[2].value, HEX_64);
    assert_string_equal(s->identity[2].text, "nss:sha256=" HEX_64);
    assert_int_equal(s->sni, CONFIG_SNI_REQUIRED);
    assert_string_equal(s->ocsp_staple, "/etc/yett/ocsp.der");
    assert_int_equal(s->pin_spki_sha256_count, 2);
    assert_string_equal(s->pin_spki_sha256[0], HEX_64);
    assert_string_equal(s->pin_spki_sha256[1], HEX_64);
    assert_int_equal(s->policy_count, 2);
    assert_int_equal(s->policy[0].type, CONFIG_POLICY_OID);
    assert_string_equal(s->policy[0].oid, "2.23.140.1.1");
    assert_string_equal(s->policy[1].oid, "1.3.6.1.4.1.311.21.8.11489019");
    assert_int_equal(s->peer, CONFIG_PEER_REQUIRE);
    assert_int_equal(s->peer_purpose, CONFIG_PEER_PURPOSE_ANY);
    assert_int_equal(s->peer_trust_count, 3);
    assert_string_equal(s->peer_trust[0].value, "/etc/yett/ca.pem");
    assert_int_equal(s->peer_trust[1].type, CONFIG_TRUST_DATABASE);
    assert_string_equal(s->peer_trust[2].value, "/etc/yett/ca2.pem");
    assert_int_equal(s->peer_trust[2].place.line, 13);
    assert_int_equal(s->allow_count, ARRAY_LEN(allow));
    for (size_t i = 0; i < ARRAY_LEN(allow); i++) {
        assert_int_equal(s->allow[i].type, allow[i].type);
        assert_int_equal(s->allow[i].place.line, 14);
        if (allow[i].attribute != NULL)
            assert_string_equal(s->allow[i].attribute, allow[i].attribute);
        else
            assert_null(s->allow[i].attribute);
        if (allow[i].pattern != NULL)
            assert_string_equal(s->allow[i].pattern, allow[i].pattern);
        else
            assert_null(s->allow[i].pattern);
    }
    assert_int_equal(s->connect_count, 2);
    assert_string_equal(s->connect[0].host, "mail.example.org");
    assert_string_equal(s->connect[0].text, "Mail.Example.org:993");
    assert_string_equal(s->connect[1].host, "2001:db8::1");
    assert_int_equal(s->balance, CONFIG_BALANCE_LEAST);
    assert_int_equal(s->connect_tls, CONFIG_TLS_IMPLICIT);
    assert_int_equal(s->connect_identity_count, 1);
    assert_string_equal(s->connect_identity[0].value, "/etc/yett/client.pem");
    assert_string_equal(s->verify_name, "mail.example.org");
    assert_int_equal(s->trust_count, 4);
    assert_int_equal(s->trust[0].type, CONFIG_TRUST_MOZILLA);
    assert_int_equal(s->trust[1].type, CONFIG_TRUST_DATABASE);
    assert_int_equal(s->trust[2].type, CONFIG_TRUST_PATH);
    assert_int_equal(s->trust[3].type, CONFIG_TRUST_PKCS11);
    assert_string_equal(s->trust[3].value, "pkcs11:token=Corporate;object=root");
    assert_string_equal(s->via->host, "proxy.example.org");
    assert_int_equal(s->ciphers, CONFIG_CIPHERS_MODERN);
    assert_int_equal(s->tls_min, 0x0304);
    assert_string_equal(s->greeting_name, "mx.example.org");
    assert_int_equal(s->send_proxy, CONFIG_SEND_PROXY_V2_TLS);
    assert_int_equal(s->accept_proxy, CONFIG_ACCEPT_PROXY_ANY);
    assert_int_equal(s->accept_proxy_from_count, 4);
    assert_int_equal(s->accept_proxy_from[0].prefix_bits, 24);
    assert_int_equal(s->accept_proxy_from[1].network.size, 4);
    assert_int_equal(s->accept_proxy_from[1].prefix_bits, 32);
    assert_int_equal(s->accept_proxy_from[2].network.size, 16);
    assert_int_equal(s->accept_proxy_from[3].network.size, 0);
    assert_int_equal(s->allow_client_count, 1);
    assert_int_equal(s->connect_timeout_ms, 1000);
    assert_int_equal(s->handshake_timeout_ms, 2000);
    assert_int_equal(s->idle_timeout_ms, 180000);
    assert_int_equal(s->half_close_timeout_ms, 14400000);
    assert_int_equal(s->connections_max, 5);
    assert_int_equal(s->connections_per_address_max, 0);
    config_destroy(&c);
}

#define DOOR(name, names)                                                                                              \
    "[service " name "]\nlisten = 127.0.0.1:1\nlisten_tls = implicit\nidentity = file:/x\nconnect = 127.0.0.1:2\n" names

/* A name leads to who has it, then to who has the longest end of it, then to who takes the rest. */
static void doors_lead_by_name(void **state)
{
    struct config *c = testing_parse_good(DOOR("a", "server_name = one.test, *.wild.test\n") DOOR("b", "") DOOR(
        "c", "server_name = *.deep.wild.test, Two.Test.\n") "[service d]\nlisten = 127.0.0.1:3\nlisten_tls = "
                                                            "implicit\nidentity = file:/x\nconnect = "
                                                            "127.0.0.1:2\nserver_name = only.test\n"
                                                            "[service e]\nlisten = 127.0.0.1:4\nconnect = "
                                                            "127.0.0.1:2\n");
    static const struct {
        const char *name;
        size_t service;
    } rows[] = {
        {"one.test", 0},           {"a.wild.test", 0},
        {"b.a.wild.test", 0},      {"two.test", 2},
        {"x.deep.wild.test", 2},   {"deep.wild.test", 0},
        {"y.x.deep.wild.test", 2}, {"wild.test", 1},
        {"other.test", 1},         {NULL, 1},
        {"one.test.one", 1},       {"test", 1},
        {"sub.one.test", 1},       {"*.wild.test", 0},
        {"notwild.test", 1},
    };

    (void)state;
    assert_int_equal(c->door_count, 2);
    assert_int_equal(c->services[0].listen[0].door, c->services[2].listen[0].door);
    assert_int_equal(c->services[4].listen[0].door, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(config_door_find(&c->doors[c->services[0].listen[0].door - 1], rows[i].name), rows[i].service);
    assert_int_equal(config_door_find(&c->doors[c->services[3].listen[0].door - 1], "only.test"), 3);
    assert_true(config_door_find(&c->doors[c->services[3].listen[0].door - 1], "other.test") == CONFIG_NO_SERVICE);
    assert_true(config_door_find(&c->doors[c->services[3].listen[0].door - 1], NULL) == CONFIG_NO_SERVICE);
    config_destroy(&c);
}

static void insecure_options_and_alpn_are_read(void **state)
{
    struct config *c = testing_parse_good(
        "[service a]\nprotocol = smtp\nlisten = 0.0.0.0:1\nconnect = 10.0.0.1:2, localhost:25\n"
        "insecure_plaintext_listen = yes\ninsecure_plaintext_connect = yes\ninsecure_smtp_loopback_relay = yes\n"
        "[service b]\nlisten = 0.0.0.0:3\nlisten_tls = implicit\nidentity = file:/x\nalpn = xmpp-client, mqtt\n"
        "connect = unix:/s\nconnect_tls = implicit\ninsecure_no_verify = yes\n");

    (void)state;
    assert_true(c->services[0].insecure_plaintext_listen);
    assert_true(c->services[0].insecure_plaintext_connect);
    assert_true(c->services[0].insecure_smtp_loopback_relay);
    assert_true(c->services[1].insecure_no_verify);
    assert_int_equal(c->services[1].alpn_count, 2);
    assert_string_equal(c->services[1].alpn[1], "mqtt");
    config_destroy(&c);
}

static void identity_without_listen_tls_is_the_connecting_sides(void **state)
{
    struct config *c = testing_parse_good("[module m]\npath = /m\n"
                                          "[service out]\nprotocol = smtp\nlisten = 127.0.0.1:1587\nlisten_tls = none\n"
                                          "connect = smtp.example.com:587\nconnect_tls = starttls\n"
                                          "identity = pkcs11:token=Alice;type=private, file:/x\n");

    (void)state;
    assert_int_equal(c->services[0].identity_count, 0);
    assert_null(c->services[0].identity);
    assert_int_equal(c->services[0].connect_identity_count, 2);
    assert_string_equal(c->services[0].connect_identity[0].value, "pkcs11:token=Alice;type=private");
    config_destroy(&c);
}

static void timeouts_depend_on_the_protocol(void **state)
{
    static const struct {
        const char *options;
        unsigned handshake_ms, idle_ms;
    } cases[] = {
        {"", 30000, 1800000},
        {"protocol = smtp\n", 30000, 600000},
        {"protocol = lmtp\n", 30000, 1800000},
        {"protocol = smtp\nconnect_tls = starttls\n", 60000, 600000},
        {"protocol = imap\nlisten_tls = starttls\nidentity = file:/x\n", 60000, 1800000},
        {"protocol = smtp\nconnect_tls = starttls\nhandshake_timeout = 7\nidle_timeout = 9\n", 7000, 9000},
        {"connect_tls = implicit\n", 30000, 1800000},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = base_printf("[service s]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2\n%s", cases[i].options);
        struct config *c = testing_parse_good(text);

        assert_int_equal(c->services[0].handshake_timeout_ms, cases[i].handshake_ms);
        assert_int_equal(c->services[0].idle_timeout_ms, cases[i].idle_ms);
        config_destroy(&c);
        free(text);
    }
}

static void revocation_is_read(void **state)
{
#define CONNECTS "connect_tls = implicit\n"
#define ASKS     "listen_tls = implicit\nidentity = file:/x\npeer = request\npeer_trust = file:/ca\n"
    static const struct {
        const char *options;
        enum config_revocation mode;
        bool fetch;
        unsigned timeout_ms;
        bool crl_fetch;
        unsigned crl_timeout_ms;
    } cases[] = {
        {CONNECTS, CONFIG_REVOCATION_SOFT, true, 2000, false, 10000},
        {ASKS, CONFIG_REVOCATION_SOFT, true, 2000, false, 10000},
        {"", CONFIG_REVOCATION_SOFT, false, 2000, false, 10000},
        {CONNECTS "insecure_no_verify = yes\n", CONFIG_REVOCATION_SOFT, false, 2000, false, 10000},
        {CONNECTS "insecure_no_verify = yes\n" ASKS, CONFIG_REVOCATION_SOFT, true, 2000, false, 10000},
        {CONNECTS "revocation = off\n", CONFIG_REVOCATION_OFF, false, 2000, false, 10000},
        {CONNECTS "revocation = hard\n", CONFIG_REVOCATION_HARD, true, 10000, true, 10000},
        {CONNECTS "revocation = hard\nocsp_timeout = 3s\n", CONFIG_REVOCATION_HARD, true, 3000, true, 10000},
        {ASKS "revocation = hard\nocsp_fetch = no\n", CONFIG_REVOCATION_HARD, false, 10000, true, 10000},
        {ASKS "revocation = hard\ncrl_timeout = 3m\n", CONFIG_REVOCATION_HARD, true, 10000, true, 180000},
        {ASKS "revocation = hard\ncrl_fetch = no\n", CONFIG_REVOCATION_HARD, true, 10000, false, 10000},
        {ASKS "crl_fetch = yes\n", CONFIG_REVOCATION_SOFT, true, 2000, true, 10000},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *text = base_printf("[service s]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2\n%s", cases[i].options);
        struct config *c = testing_parse_good(text);

        assert_int_equal(c->services[0].revocation, cases[i].mode);
        assert_int_equal(c->services[0].ocsp_fetch, cases[i].fetch);
        assert_int_equal(c->services[0].ocsp_timeout_ms, cases[i].timeout_ms);
        assert_int_equal(c->services[0].crl_fetch, cases[i].crl_fetch);
        assert_int_equal(c->services[0].crl_timeout_ms, cases[i].crl_timeout_ms);
        config_destroy(&c);
        free(text);
    }
#undef CONNECTS
#undef ASKS
}

static void crls_are_read(void **state)
{
    struct config *c =
        testing_parse_good("[yett]\ncrl_directory = /srv/crls\n[service s]\nlisten = 127.0.0.1:1\n"
                           "connect = 127.0.0.1:2\nconnect_tls = implicit\ncrl = file:/a.pem, stored, /b.crl\n");
    const struct config_service *s = &c->services[0];

    (void)state;
    assert_string_equal(c->crl_directory, "/srv/crls");
    assert_int_equal(s->crl_count, 3);
    assert_int_equal(s->crl[0].type, CONFIG_CRL_PATH);
    assert_string_equal(s->crl[0].path, "/a.pem");
    assert_int_equal(s->crl[1].type, CONFIG_CRL_STORED);
    assert_null(s->crl[1].path);
    assert_string_equal(s->crl[2].path, "/b.crl");
    assert_int_equal(s->crl[2].place.line, 7);
    config_destroy(&c);
}

static void intermediates_are_a_path_or_none(void **state)
{
#define TUNNEL "[service s]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2\n"
    static const struct {
        const char *text, *path;
        unsigned line;
    } cases[] = {
        {TUNNEL, "/var/lib/yett/intermediates.pem", 0},
        {"[yett]\nintermediates = none\n" TUNNEL, NULL, 2},
        {"[yett]\nworkers = 1\nintermediates = /srv/i.pem\n" TUNNEL, "/srv/i.pem", 3},
    };
#undef TUNNEL

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config *c = testing_parse_good(cases[i].text);

        if (cases[i].path == NULL)
            assert_null(c->intermediates);
        else
            assert_string_equal(c->intermediates, cases[i].path);
        assert_string_equal(c->intermediates_place.file, "f");
        assert_int_equal(c->intermediates_place.line, cases[i].line);
        config_destroy(&c);
    }
}

static void places_of_files_are_kept(void **state)
{
    struct config *c = testing_parse_good("[yett]\ndatabase = sql:/d\n; nothing\nblocklist = file:/b\nev = file:/e\n"
                                          "[service s]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2\n");

    (void)state;
    assert_string_equal(c->database_place.file, "f");
    assert_int_equal(c->database_place.line, 2);
    assert_int_equal(c->blocklist_place.line, 4);
    assert_int_equal(c->ev_place.line, 5);
    config_destroy(&c);
    c = testing_parse_good("[service s]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2\n");
    assert_string_equal(c->database_place.file, "f");
    assert_int_equal(c->database_place.line, 0);
    config_destroy(&c);
}

/* What looks like a mistake next door, and is none. */
static void harmless_neighbours_are_good(void **state)
{
    static const char *const cases[] = {
        "[service s]\nlisten = 127.0.0.1:1, [::1]:1, 127.0.0.2:1\nconnect = localhost:2, [::1]:2, unix:/s\n",
        "[service s]\nprotocol = smtp\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:25\nsend_proxy = v2\n",
        "[service s]\nprotocol = smtp\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2525\n",
        "[service s]\nprotocol = lmtp\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:25\n",
        "[service s]\nprotocol = smtp\nlisten = 127.0.0.1:1\nconnect = mx.example.org:25\nconnect_tls = starttls\n",
        "[service s]\nlisten = systemd:x\nconnect = 127.0.0.1:2\n",
        "[service s]\nlisten = 127.0.0.1:1\nconnect = unix:/s\nconnect_tls = implicit\nverify_name = a.example\n",
        "[service s]\nprotocol = http-proxy\nlisten = 0.0.0.0:1\nlisten_tls = implicit\nidentity = file:/x\n"
        "allow_target = *:443\n",
        "[service s]\nprotocol = http-proxy\nlisten = 127.0.0.1:1\nallow_target = *:443\ntrust = file:/ca\n"
        "connect_identity = file:/x\nrevocation = hard\nocsp_timeout = 5s\npin_spki_sha256 = "
        "0000000000000000000000000000000000000000000000000000000000000000\n",
        "[service s]\nlisten = 0.0.0.0:1\nconnect = 127.0.0.1:2\nlisten_tls = implicit\nidentity = file:/x\n"
        "peer = request\npeer_trust = file:/ca\n",
        "\xef\xbb\xbf; comment\r\n[service s]\r\n  listen = 127.0.0.1:1\r\n  connect = 127.0.0.1:2 ; c\r\n",
        "[service a]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2\n[service b]\nlisten = 127.0.0.1:2\nconnect = 127.0.0.1:3\n",
        "[service s]\nlisten = unix:/a#b\nconnect = unix:/c;d\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config *c = testing_parse_good(cases[i]);

        config_destroy(&c);
    }
}

static void protocol_names_are_those_of_the_file(void **state)
{
#define PROTOCOL_NAME(id, object, word, starttls, idle_ms) [CONFIG_PROTOCOL_##id] = word,
    static const char *const names[] = {PROTOCOLS(PROTOCOL_NAME)};
#undef PROTOCOL_NAME

    (void)state;
    assert_string_equal(config_protocol_name(CONFIG_PROTOCOL_HTTP_CONNECT), "http-proxy");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_string_equal(config_protocol_name((enum config_protocol)i), names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_header),
        cmocka_unit_test(revocation_is_read),
        cmocka_unit_test(crls_are_read),
        cmocka_unit_test(intermediates_are_a_path_or_none),
        cmocka_unit_test(places_of_files_are_kept),
        cmocka_unit_test(process_and_module_options_are_read),
        cmocka_unit_test(service_options_are_read),
        cmocka_unit_test(doors_lead_by_name),
        cmocka_unit_test(insecure_options_and_alpn_are_read),
        cmocka_unit_test(identity_without_listen_tls_is_the_connecting_sides),
        cmocka_unit_test(timeouts_depend_on_the_protocol),
        cmocka_unit_test(harmless_neighbours_are_good),
        cmocka_unit_test(protocol_names_are_those_of_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
