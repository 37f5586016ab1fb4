/* Every kind of mistake, and exactly what is said of it. */
#include "testing.h"

struct bad_case {
    const char *text;
    const char *want;
};

static void expect_all(const struct bad_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        testing_expect_findings(cases[i].text, cases[i].want);
}

/* A good service, to which options can be added. */
#define TCP  "[service s]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:2\n"
#define TLS  "[service s]\nlisten = 0.0.0.0:1\nconnect = 127.0.0.1:2\nlisten_tls = implicit\nidentity = file:/x\n"
#define SMTP "[service s]\nprotocol = smtp\nlisten = 127.0.0.1:1\n"
#define PIN  "pin_spki_sha256 = 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
/* What there is, as messages list it. */
#define WORDS          "tcp, smtp, lmtp, imap, pop3, sieve, nntp, ldap, postgres, http-proxy"
#define STARTTLS_WORDS "smtp, lmtp, imap, pop3, sieve, nntp, ldap and postgres"

#define WEB "[service s]\nprotocol = http-proxy\nlisten = 127.0.0.1:1\n"

static void structure_is_checked(void **state)
{
    static const struct bad_case cases[] = {
        {"", "f: there is no section [service NAME]: nothing would be listened on\n"},
        {"[yett]\nworkers = 2\n", "f: there is no section [service NAME]: nothing would be listened on\n"},
        {"listen = 127.0.0.1:1\nx\n" TCP,
         "f:1: the first line must be a section: [yett], [control], [module NAME] or [service NAME]\n"
         "f:2: the line must be KEY = VALUE: the \"=\" is missing\n"},
        {"[services x]\nlisten = 1\nnonsense = 2\n",
         "f:1: there is no section \"services\"; did you mean [service NAME]?\n"},
        {"[yet]\n", "f:1: there is no section \"yet\"; did you mean [yett]?\n"},
        {"[frontend x]\n",
         "f:1: there is no section \"frontend\": they are [yett], [control], [module NAME], [service NAME]\n"},
        {"[]\n", "f:1: there is no section \"\": they are [yett], [control], [module NAME], [service NAME]\n"},
        {"[yett main]\n", "f:1: the section is [yett], without a name\n"},
        {"[service]\n",
         "f:1: the section must be [service NAME], with a name of 1 to 63 letters, digits, '.', '_' or '-'\n"},
        {"[module \"hsm\"]\n",
         "f:1: the section must be [module NAME], with a name of 1 to 63 letters, digits, '.', '_' or '-'\n"},
        {"[service a b]\n",
         "f:1: the section must be [service NAME], with a name of 1 to 63 letters, digits, '.', '_' or '-'\n"},
        {"[service aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n",
         "f:1: the section must be [service NAME], with a name of 1 to 63 letters, digits, '.', '_' or '-'\n"},
        {"[service x\n",
         "f:1: a section is [yett], [control], [module NAME] or [service NAME]: the \"]\" is missing\n"},
        {TCP "[service s]\nlisten = 127.0.0.1:1\n", "f:4: the section [service s] is already at f:1\n"},
        {"[yett]\n[yett]\n" TCP, "f:2: the section [yett] is already at f:1\n"},
        {TCP "[module m]\npath = /x\n[module m]\n", "f:6: the section [module m] is already at f:4\n"},
        {"[service s]\n", "f:1: listen is missing: Where clients connect.\n"
                          "f:1: connect is missing: the server, such as 127.0.0.1:10143\n"},
        {TCP "[module m]\n", "f:4: path is missing: The PKCS#11 module's shared object.\n"},
        {TCP "connect_for = any -> 127.0.0.1:2\n", "f:4: connect_for is not in this version\n"},
        {TCP "accept_proxy = v2\n",
         "f:4: accept_proxy: needs accept_proxy_from, the addresses of the balancers, such as "
         "10.0.0.7, 10.1.0.0/24\n"},
        {TCP "balance = round\n", "f:4: balance: is for several servers in connect, and there is one\n"},
        {TCP "accept_proxy_from = 10.0.0.7\n", "f:4: accept_proxy_from: needs accept_proxy = v1, v2 or any\n"},
        {TCP "accept_proxy = any\naccept_proxy_from = ::/0\n",
         "f:5: accept_proxy_from: with a network of all addresses everybody could say that he is somebody else; name the "
         "balancers\n"},
        {TCP "allow_client = example.org\n",
         "f:4: allow_client: must be addresses and networks, such as 192.0.2.7, 10.0.0.0/8 or fd00::/8, or unix\n"},
        {TCP "frobnicate = v2\n", "f:4: [service NAME] has no key \"frobnicate\"\n"},
        {TCP "lisen = 127.0.0.1:3\n", "f:4: [service NAME] has no key \"lisen\"; did you mean listen?\n"},
        /* One mistake is told once: not the default, or the lack, of what it was meant for. */
        {"[service s]\nlisten = 127.0.0.1:1\nconect = 127.0.0.1:2\n",
         "f:3: [service NAME] has no key \"conect\"; did you mean connect?\n"},
        {"[service s]\nlisten = 0.0.0.0:1\nlisten_tsl = implicit\nidentity = file:/x\nconnect = 127.0.0.1:2\n",
         "f:3: [service NAME] has no key \"listen_tsl\"; did you mean listen_tls?\n"},
        {WEB "allow_targt = *:443\n", "f:4: [service NAME] has no key \"allow_targt\"; did you mean allow_target?\n"},
        {TCP "[module m]\npaht = /x\n", "f:5: [module NAME] has no key \"paht\"; did you mean path?\n"},
        {TCP "[module m]\npath = lib/x.so\n",
         "f:5: path: must begin with /, or be a name without a folder: a module in p11-kit's\n"},
        {WEB "allow_target = [::]/0:443\n",
         "f:4: allow_target: \"[::]/0:443\" is not HOST:PORT or [IPV6]:PORT; a network is "
         "written \"[::/0]:443\"\n"},
        {TCP "certificate = /x\n", "f:4: [service NAME] has no key \"certificate\"\n"},
        {TCP "workers = 2\n", "f:4: workers does not belong in [service NAME] but in [yett]\n"},
        {"[yett]\nlisten = 127.0.0.1:1\n" TCP, "f:2: listen does not belong in [yett] but in [service NAME]\n"},
        {TCP "a\"\x7f = 1\n", "f:4: the line has control bytes in it\n"},
        {TCP "a\"b = 1\n", "f:4: [service NAME] has no key \"a\\x22b\"\n"},
        {TCP "listen = 127.0.0.1:3\n", "f:4: listen is already given in line 2\n"},
        {TCP "sni\n", "f:4: the line must be KEY = VALUE: the \"=\" is missing\n"},
        {TCP "sni: any\n", "f:4: the line must be KEY = VALUE: the \"=\" is missing\n"},
        {TCP "= any\n", "f:4: the line must be KEY = VALUE: the key is missing\n"},
        {TCP "via =\n", "f:4: via: a value is missing after the \"=\"\n"},
        {TCP "via = ; none\n", "f:4: via: a value is missing after the \"=\"\n"},
        {TCP "greeting_name = \"mx\"\n", "f:4: greeting_name: values are written without quotes\n"},
        {TCP "greeting_name = 'mx'\n", "f:4: greeting_name: values are written without quotes\n"},
        {TCP "greeting_name = mx # us\n",
         "f:4: greeting_name: a comment after a value begins with \";\", not with \"#\"\n"},
    };

    (void)state;
    expect_all(cases, ARRAY_LEN(cases));
}

static void values_are_checked(void **state)
{
    static const struct bad_case cases[] = {
        {"[yett]\nworkers = many\n" TCP, "f:2: workers: must be a number from 1 to 256, not \"many\"\n"},
        {"[yett]\nworkers = 0\n" TCP, "f:2: workers: must be a number from 1 to 256, not \"0\"\n"},
        {"[yett]\nlog = file\n" TCP, "f:2: log: must be one of stderr, syslog, journal, not \"file\"\n"},
        {"[yett]\nlog_format = xml\n" TCP, "f:2: log_format: must be one of logfmt, json, not \"xml\"\n"},
        {"[yett]\nlog_level = notice\n" TCP,
         "f:2: log_level: must be one of error, warning, info, debug, not \"notice\"\n"},
        {"[yett]\ndrain_timeout = 25h\n" TCP, "f:2: drain_timeout: must be from 10ms to 1d, not \"25h\"\n"},
        {"[yett]\ndrain_timeout = 5 minutes\n" TCP,
         "f:2: drain_timeout: must be a time such as 500ms, 30s, 5m, 1h or 14d, not \"5 minutes\"\n"},
        {"[yett]\nhandshake_queue_max = -1\n" TCP,
         "f:2: handshake_queue_max: must be a number from 1 to 1000000, not \"-1\"\n"},
        {"[yett]\ndatabase = /var/lib/yett/nss\n" TCP,
         "f:2: database: must be sql:PATH, the folder of an NSS database such as sql:/var/lib/yett/nss\n"},
        {"[yett]\ndatabase = dbm:/x\n" TCP,
         "f:2: database: must be sql:PATH, the folder of an NSS database such as sql:/var/lib/yett/nss\n"},
        {"[yett]\nblocklist = /etc/yett/blocklist\n" TCP, "f:2: blocklist: must be file:PATH\n"},
        {"[yett]\nuser = \n" TCP, "f:2: user: a value is missing after the \"=\"\n"},
        {"[yett]\nuser = a b\n" TCP, "f:2: user: must be the name of a user\n"},
        {"[yett]\nuser = /x\n" TCP, "f:2: user: must be the name of a user\n"},
        {"[yett]\nblocklist = file:\n" TCP, "f:2: blocklist: must be file:PATH\n"},
        {"[yett]\nev = file:\n" TCP, "f:2: ev: must be file:PATH\n"},
        {TLS "policy = EV\n", "f:6: policy: must be an object identifier such as 2.23.140.1.1, not \"EV\"\n"},
        {TLS "policy = 1\n", "f:6: policy: must be an object identifier such as 2.23.140.1.1, not \"1\"\n"},
        {TLS "policy = 1.2.\n", "f:6: policy: must be an object identifier such as 2.23.140.1.1, not \"1.2.\"\n"},
        {TLS "policy = 1.40\n", "f:6: policy: must be an object identifier such as 2.23.140.1.1, not \"1.40\"\n"},
        {TLS "policy = 3.1\n", "f:6: policy: must be an object identifier such as 2.23.140.1.1, not \"3.1\"\n"},
        {TLS "policy = 1.2.03\n", "f:6: policy: must be an object identifier such as 2.23.140.1.1, not \"1.2.03\"\n"},
        {TLS "policy = 1.2.4294967296\n",
         "f:6: policy: must be an object identifier such as 2.23.140.1.1, not \"1.2.4294967296\"\n"},
        {TLS "policy = 1.2.3, , 1.2.4\n", "f:6: policy: an entry of the list is empty\n"},
        {TLS "policy = 1.2.3, 2.5.29.32.0\n",
         "f:6: policy: 2.5.29.32.0 is anyPolicy, which requires nothing; leave it out\n"},
        {TLS "pin_spki_sha256 = abc\n",
         "f:6: pin_spki_sha256: must be a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons\n"},
        {"[yett]\nadmin = 0.0.0.0:9180\n" TCP,
         "f:2: admin: must be a loopback address such as 127.0.0.1:9180, or unix:PATH\n"},
        {"[yett]\nadmin = systemd:admin\n" TCP,
         "f:2: admin: must be a loopback address such as 127.0.0.1:9180, or unix:PATH\n"},
        {"[yett]\nadmin = localhost:9180\n" TCP,
         "f:2: admin: localhost:9180 is a name; it must be an address, such as 127.0.0.1:9180\n"},
        {"[yett]\nadmin = 9180\n" TCP,
         "f:2: admin: \"9180\" is not HOST:PORT or [IPV6]:PORT: the host is missing; 127.0.0.1 is for this machine alone, "
         "0.0.0.0 and [::] for all\n"},
        {"[yett]\ncontrol = /run/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" TCP,
         "f:2: control: the path of a Unix socket has 1 to 107 bytes, not 136\n"},
        {TCP "protocol = socks5\n", "f:4: protocol: socks5 is not in this version, which has " WORDS "\n"},
        {TCP "protocol = xmpp\n", "f:4: protocol: must be one of " WORDS ", not \"xmpp\"\n"},
        {TCP "listen_tls = starttls-optional\n",
         "f:4: listen_tls: starttls-optional is not in this version, which has none, implicit, starttls\n"},
        {TCP "listen_tls = yes\n", "f:4: listen_tls: must be one of none, implicit, starttls, not \"yes\"\n"},
        {TCP "connect_tls = starttls-optional\n",
         "f:4: connect_tls: must be one of none, implicit, starttls, not \"starttls-optional\"\n"},
        {TLS "peer = maybe\n", "f:6: peer: must be one of none, request, require, not \"maybe\"\n"},
        {TLS "sni = exact\n", "f:6: sni: must be one of any, known, required, not \"exact\"\n"},
        {TLS "ciphers = HIGH:!aNULL\n", "f:6: ciphers: must be one of intermediate, modern, not \"HIGH:!aNULL\"\n"},
        {TLS "tls_min = 1.1\n", "f:6: tls_min: must be one of 1.2, 1.3, not \"1.1\"\n"},
        {TCP "send_proxy = yes\n", "f:4: send_proxy: must be one of none, v1, v2, v2-tls, not \"yes\"\n"},
        {TCP "insecure_plaintext_listen = true\n",
         "f:4: insecure_plaintext_listen: must be one of yes, no, not \"true\"\n"},
        {TCP "connect_timeout = 0\n", "f:4: connect_timeout: must be from 10ms to 1h, not \"0\"\n"},
        {TCP "handshake_timeout = 2h\n", "f:4: handshake_timeout: must be from 10ms to 1h, not \"2h\"\n"},
        {TCP "idle_timeout = 169h\n", "f:4: idle_timeout: must be from 10ms to 7d, not \"169h\"\n"},
        {TCP "half_close_timeout = never\n",
         "f:4: half_close_timeout: must be a time such as 500ms, 30s, 5m, 1h or 14d, not \"never\"\n"},
        {WEB "allow_target = *:443\nhttp_request_head_max = 64k\n",
         "f:5: http_request_head_max: must be a size such as 8192, 64K or 1M, not \"64k\"\n"},
        {WEB "allow_target = *:443\nhttp_response_head_max = 2M\n",
         "f:5: http_response_head_max: must be from 8K to 1M, not \"2M\"\n"},
        {WEB "allow_target = *:443\nhttp_field_max = 4095\n",
         "f:5: http_field_max: must be from 4K to 1M, not \"4095\"\n"},
        {WEB "allow_target = *:443\nhttp_fields_max = 19\n",
         "f:5: http_fields_max: must be a number from 20 to 2000, not \"19\"\n"},
        {TCP "http_request_head_max = 64K\n", "f:4: http_request_head_max: is for protocol http-proxy\n"},
        {TCP "http_fields_max = 100\n", "f:4: http_fields_max: is for protocol http-proxy, or with via\n"},
        {TCP "connections_max = 0\n", "f:4: connections_max: must be a number from 1 to 1000000, not \"0\"\n"},
        {TCP "connections_per_address_max = 1000001\n",
         "f:4: connections_per_address_max: must be a number from 0 to 1000000, not \"1000001\"\n"},
        {TCP "greeting_name = mail exchanger\n",
         "f:4: greeting_name: \"mail exchanger\" is neither a host name nor an address\n"},
        {TCP "connect_tls = implicit\nverify_name = *.example.org\n",
         "f:5: verify_name: \"*.example.org\" is neither a host name nor an address\n"},
        {TCP "connect_tls = implicit\ntrust = mozila\n",
         "f:5: trust: must be mozilla, system, database, file:PATH or a pkcs11: URI, not \"mozila\"\n"},
        {TCP "connect_tls = implicit\ntrust = file:\n",
         "f:5: trust: must be mozilla, system, database, file:PATH or a pkcs11: URI, not \"file:\"\n"},
        {TCP "connect_tls = implicit\ntrust = pkcs11:\n",
         "f:5: trust: a pkcs11: URI is pkcs11:NAME=VALUE;NAME=VALUE, such as pkcs11:token=Corporate;object=root\n"},
        {TCP "connect_tls = implicit\ntrust = pkcs11:token=a?pin-value=1\n",
         "f:5: trust: a PIN must not be in the configuration: leave pin-value out, and give [module] pin = file:PATH, "
         "credential:NAME, env:NAME or prompt\n"},
        {TCP "connect_tls = implicit\ntrust = pkcs11:token=a\n",
         "f:5: trust: a pkcs11: URI needs a section [module NAME] with the path of the token's module\n"},
        {TLS "peer = request\npeer_trust = pkcs11:token=a;object=b\nallow = any\n",
         "f:7: peer_trust: a pkcs11: URI needs a section [module NAME] with the path of the token's module\n"},
        {TCP "connect_tls = implicit\ntrust = mozilla,\n", "f:5: trust: an entry of the list is empty\n"},
        {TLS "peer = request\npeer_trust = file:/ca\nallow = email:a@b\n",
         "f:8: allow: \"email:a@b\" is not any, san_email:, san_dns:, san_uri:, san_upn:, serial_number:, cn:, dn:, sha256:, "
         "spki_sha256:, issuer: or policy: with a "
         "value\n"},
        {TLS "peer = request\npeer_trust = file:/ca\nallow = cn:\n",
         "f:8: allow: \"cn:\" is not any, san_email:, san_dns:, san_uri:, san_upn:, serial_number:, cn:, dn:, sha256:, "
         "spki_sha256:, issuer: or policy: with a value\n"},
        {TLS "peer = request\npeer_trust = file:/ca\nallow = issuer:00\n",
         "f:8: allow: issuer: takes sha256=HEX, the fingerprint of an authority's certificate\n"},
        {TLS "peer = request\npeer_trust = file:/ca\nallow = cn:*.example.org\n",
         "f:8: allow: cn: compares whole values; '*' is for san_email:, san_dns:, san_uri:, san_upn: and serial_number:\n"},
        {TLS "peer = request\npeer_trust = file:/ca\nallow = san_email:*\n",
         "f:8: allow: san_email: takes a mailbox, such as *@example.org; *@* is every one\n"},
        {TLS "peer = request\npeer_trust = file:/ca\nallow = san_upn:alice\n",
         "f:8: allow: san_upn: takes a mailbox, such as *@example.org; *@* is every one\n"},
        {TLS "peer = request\npeer_trust = file:/ca\nallow = dn:L=Here\n",
         "f:8: allow: dn: takes one attribute, CN=, O= or OU=, and its whole value\n"},
        {TLS "peer = request\npeer_trust = file:/ca\nallow = dn:OU=\n",
         "f:8: allow: dn: takes one attribute, CN=, O= or OU=, and its whole value\n"},
        {TLS "peer = request\npeer_trust = file:/ca\nallow = sha256:abc\n",
         "f:8: allow: must be a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons\n"},
        {"[service s]\nlisten = nowhere\nconnect = 127.0.0.1:2\n",
         "f:2: listen: \"nowhere\" is not HOST:PORT or [IPV6]:PORT: the port is missing\n"},
        {"[service s]\nlisten = 127.0.0.1:1,,\nconnect = 127.0.0.1:2\n",
         "f:2: listen: an entry of the list is empty\n"},
        {"[module m]\npath = /x\nsessions_max = 0\n" TCP,
         "f:3: sessions_max: must be a number from 1 to 256, not \"0\"\n"},
        {"[module m]\npath = /x\nqueue_max = 65537\n" TCP,
         "f:3: queue_max: must be a number from 1 to 65536, not \"65537\"\n"},
        {"[module m]\npath = /x\nsign_timeout = 1ms\n" TCP,
         "f:3: sign_timeout: must be from 10ms to 1h, not \"1ms\"\n"},
        {"[module m]\npath = /x\nenvironment = A=1, B\n" TCP, "f:3: environment: must be NAME=VALUE\n"},
        {"[module m]\npath = /x\nenvironment = =1\n" TCP, "f:3: environment: must be NAME=VALUE\n"},
    };

    (void)state;
    expect_all(cases, ARRAY_LEN(cases));
}

/* What might be a PIN is in no message. */
static void pins_are_refused_and_not_repeated(void **state)
{
#define PIN_WANT                                                                                                       \
    "f:3: pin: must say where the PIN is, file:PATH, credential:NAME, env:NAME or prompt, and never be the PIN itself\n"
#define URI_WANT                                                                                                       \
    "f:4: identity: a PIN must not be in the configuration: leave pin-value out, and give [module] pin = file:PATH, "  \
    "credential:NAME, env:NAME or prompt\n"
    static const struct bad_case cases[] = {
        {"[module m]\npath = /x\npin = 1234\n" TCP, PIN_WANT},
        {"[module m]\npath = /x\npin = 1234 ; s3cret\n" TCP, PIN_WANT},
        {"[module m]\npath = /x\npin = plain:1234\n" TCP, PIN_WANT},
        {"[module m]\npath = /x\npin = file:\n" TCP, PIN_WANT},
        {"[module m]\npath = /x\npn = 1234\n" TCP, "f:3: [module NAME] has no key \"pn\"; did you mean pin?\n"},
        {"[module m]\npath = /x\npin 1234\n" TCP, "f:3: the line must be KEY = VALUE: the \"=\" is missing\n"},
        {"[module m]\npath = /x\npin = \"1234\"\n" TCP, "f:3: pin: values are written without quotes\n"},
        {"[module m]\npath = /x\npin = prompt\npin = 1234\n" TCP, "f:4: pin is already given in line 3\n"},
        {TCP "identity = pkcs11:token=A;object=b?pin-value=1234\n", URI_WANT},
        {TCP "identity = pkcs11:token=A?PIN-Value=1234\n", URI_WANT},
        {TCP "identity = pkcs:token=A?pin-value=1234\n", URI_WANT},
        {TCP "identity = file:/x, pkcs11:token=A?module-name=p11&pin-value=1234\n", URI_WANT},
    };

    (void)state;
    expect_all(cases, ARRAY_LEN(cases));
}

static void identities_are_checked(void **state)
{
    static const struct bad_case cases[] = {
        {TLS "connect_tls = implicit\nconnect_identity = x.pem\n",
         "f:7: connect_identity: must be file:PATH, nss:sha256=HEX or a pkcs11: URI\n"},
        {TLS "connect_tls = implicit\nconnect_identity = nss:Server-Cert\n",
         "f:7: connect_identity: must be file:PATH, nss:sha256=HEX or a pkcs11: URI\n"},
        {TLS "connect_tls = implicit\nconnect_identity = nss:sha256=12\n",
         "f:7: connect_identity: must be a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons\n"},
#define URI_FORM                                                                                                       \
    "f:7: connect_identity: a pkcs11: URI is pkcs11:NAME=VALUE;NAME=VALUE, such as pkcs11:token=Mail;object=imap\n"
        {TLS "connect_tls = implicit\nconnect_identity = pkcs11:\n", URI_FORM},
        {TLS "connect_tls = implicit\nconnect_identity = pkcs11:token\n", URI_FORM},
        {TLS "connect_tls = implicit\nconnect_identity = pkcs11:token=A;\n", URI_FORM},
        {TLS "connect_tls = implicit\nconnect_identity = pkcs11:=A\n", URI_FORM},
        {TLS "connect_tls = implicit\nconnect_identity = pkcs11:token=A?\n", URI_FORM},
        {TLS "connect_tls = implicit\nconnect_identity = pkcs11:?module-name=a\n", URI_FORM},
        /* "; object" would begin a comment and leave the URI cut: that is refused too. */
        {TLS "connect_tls = implicit\nconnect_identity = pkcs11:token=A; ;object=b\n", URI_FORM},
        {TLS "connect_tls = implicit\nconnect_identity = pkcs11:token=A\n",
         "f:7: connect_identity: a pkcs11: URI needs a section [module NAME] with the path of the token's module\n"},
        {TLS
         "connect_tls = implicit\nconnect_identity = nss:sha256=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n",
         "f:7: connect_identity: nss: needs [yett] database\n"},
        {TCP "identity = file:/x\n", "f:4: identity: needs TLS: set listen_tls or connect_tls\n"},
        {TCP "connect_tls = implicit\nidentity = file:/x\nconnect_identity = file:/y\n",
         "f:5: identity: with listen_tls = none it is connect_identity, which is given too; keep one\n"},
        {TLS "connect_identity = file:/x\n", "f:6: connect_identity: needs connect_tls = implicit or starttls\n"},
        {TLS "connect_tls = implicit\nno_suitable_identity = none\n",
         "f:7: no_suitable_identity: there is no certificate for the server: set connect_identity\n"},
        {TCP "listen_tls = implicit\n", "f:4: listen_tls needs identity, such as file:/etc/yett/server.pem\n"},
    };

    (void)state;
    expect_all(cases, ARRAY_LEN(cases));
}

static void plain_text_is_refused_off_loopback(void **state)
{
#define LISTEN_WANT(address, mode)                                                                                     \
    "f:2: listen: " address " is open to other machines without TLS; set listen_tls = " mode                           \
    ", listen on 127.0.0.1 or [::1], or set insecure_plaintext_listen = yes\n"
#define CONNECT_WANT(address, mode)                                                                                    \
    "f:3: connect: " address " is reached without TLS; set connect_tls = " mode                                        \
    ", connect to 127.0.0.1, [::1] or localhost, or set insecure_plaintext_connect = yes\n"
#define PLAIN(listen, connect) "[service s]\nlisten = " listen "\nconnect = " connect "\n"
    static const struct bad_case cases[] = {
        {PLAIN("0.0.0.0:1", "127.0.0.1:2"), LISTEN_WANT("0.0.0.0:1", "implicit")},
        {PLAIN("127.0.0.1:1, [::]:1, 10.0.0.1:1", "127.0.0.1:2"),
         LISTEN_WANT("[::]:1", "implicit") LISTEN_WANT("10.0.0.1:1", "implicit")},
        {PLAIN("128.0.0.1:1", "127.0.0.1:2"), LISTEN_WANT("128.0.0.1:1", "implicit")},
        {PLAIN("0.0.0.0:1", "127.0.0.1:2") "insecure_plaintext_listen = no\n", LISTEN_WANT("0.0.0.0:1", "implicit")},
        {PLAIN("0.0.0.0:1", "127.0.0.1:2") "protocol = imap\n", LISTEN_WANT("0.0.0.0:1", "starttls or implicit")},
        /* The other side's exception is no exception. */
        {PLAIN("0.0.0.0:1", "10.0.0.1:2") "insecure_plaintext_connect = yes\n", LISTEN_WANT("0.0.0.0:1", "implicit")},
        {PLAIN("0.0.0.0:1", "10.0.0.1:2") "insecure_plaintext_listen = yes\n", CONNECT_WANT("10.0.0.1:2", "implicit")},
        {PLAIN("127.0.0.1:1", "127.0.0.1:2, mail.example.org:143"), CONNECT_WANT("mail.example.org:143", "implicit")},
        {PLAIN("127.0.0.1:1", "localhost.localdomain:2"), CONNECT_WANT("localhost.localdomain:2", "implicit")},
        {PLAIN("127.0.0.1:1", "mail.example.org:143") "protocol = imap\n",
         CONNECT_WANT("mail.example.org:143", "starttls or implicit")},
        {"[service s]\nlisten = 0.0.0.0:3128\nprotocol = http-proxy\nallow_target = *:443\n",
         LISTEN_WANT("0.0.0.0:3128", "implicit")},
    };

    (void)state;
    expect_all(cases, ARRAY_LEN(cases));
}

static void clients_are_checked(void **state)
{
    static const struct bad_case cases[] = {
        {TLS "peer = require\n",
         "f:6: peer: needs peer_trust, the issuers of clients' certificates: file:PATH, database or a pkcs11: URI\n"
         "f:6: peer: require needs allow, such as san_email:*@example.org; any lets all who are verified pass\n"},
        {TLS "peer = require\nallow = any\n",
         "f:6: peer: needs peer_trust, the issuers of clients' certificates: file:PATH, database or a pkcs11: URI\n"},
        {TLS "peer = require\npeer_trust = file:/ca\n",
         "f:6: peer: require needs allow, such as san_email:*@example.org; any lets all who are verified pass\n"},
        {TLS "peer = request\n",
         "f:6: peer: needs peer_trust, the issuers of clients' certificates: file:PATH, database or a pkcs11: URI\n"},
        {TLS "peer = request\npeer_trust = database\n", "f:7: peer_trust: database needs [yett] database\n"},
        {TLS "allow = any\npeer_trust = /ca.pem\n", "f:6: allow: needs peer = require, or peer = request\n"
                                                    "f:7: peer_trust: needs peer = require, or peer = request\n"},
        {TCP "peer = require\npeer_trust = /ca.pem\nallow = any\n",
         "f:4: peer: needs TLS with clients: set listen_tls = implicit or starttls\n"},
        {TCP "sni = known\nocsp_staple = /x\nalpn = foo\n", "f:4: sni: has no effect with listen_tls = none\n"
                                                            "f:5: ocsp_staple: has no effect with listen_tls = none\n"
                                                            "f:6: alpn: has no effect with listen_tls = none\n"},
        {"[service s]\nprotocol = imap\nlisten = 0.0.0.0:1\nconnect = 127.0.0.1:2\nlisten_tls = implicit\n"
         "identity = file:/x\nalpn = imap\n",
         "f:7: alpn: is for protocol tcp; imap has its own\n"},
    };

    (void)state;
    expect_all(cases, ARRAY_LEN(cases));
}

static void servers_are_checked(void **state)
{
    static const struct bad_case cases[] = {
        {TCP "verify_name = a.example\ntrust = mozilla\ninsecure_no_verify = yes\n",
         "f:4: verify_name: needs connect_tls = implicit or starttls\n"
         "f:5: trust: needs connect_tls = implicit or starttls\n"
         "f:6: insecure_no_verify: needs connect_tls = implicit or starttls\n"},
        {TCP PIN, "f:4: pin_spki_sha256: needs connect_tls = implicit or starttls, or peer\n"},
        {TCP "connect_tls = implicit\n" PIN "insecure_no_verify = yes\n",
         "f:5: pin_spki_sha256: nothing is verified with insecure_no_verify = yes; keep one\n"},
        {TCP "policy = 2.23.140.1.1\n", "f:4: policy: needs connect_tls = implicit or starttls, or peer\n"},
        {TCP "connect_tls = implicit\npolicy = 2.23.140.1.1\ninsecure_no_verify = yes\n",
         "f:5: policy: nothing is verified with insecure_no_verify = yes; keep one\n"},
        {TCP "connect_tls = implicit\npolicy = ev\n",
         "f:5: policy: ev needs [yett] ev, the file of policies and roots that mean it\n"},
        {"[yett]\nev = /x\n" TCP "connect_tls = implicit\npolicy = ev\n", "f:2: ev: must be file:PATH\n"},
        {"[yett]\nev = file:/x\n" TCP "connect_tls = implicit\npolicy = ev, 1.2.3\n",
         "f:7: policy: ev stands alone: a peer with another policy need not have it\n"},
        {TCP "connect_tls = implicit\nverify_name = a.example\ninsecure_no_verify = yes\n",
         "f:5: verify_name: nothing is verified with insecure_no_verify = yes; keep one\n"},
        {TCP "revocation = hard\ncrl = stored\nocsp_fetch = no\nocsp_timeout = 1s\n",
         "f:4: revocation: no certificate is verified here: needs connect_tls, or peer\n"
         "f:5: crl: no certificate is verified here: needs connect_tls, or peer\n"
         "f:6: ocsp_fetch: no certificate is verified here: needs connect_tls, or peer\n"
         "f:7: ocsp_timeout: no certificate is verified here: needs connect_tls, or peer\n"},
        {TCP "crl_fetch = yes\ncrl_timeout = 1s\n",
         "f:4: crl_fetch: no certificate is verified here: needs connect_tls, or peer\n"
         "f:5: crl_timeout: no certificate is verified here: needs connect_tls, or peer\n"},
        {TCP "connect_tls = implicit\ninsecure_no_verify = yes\nrevocation = soft\n",
         "f:6: revocation: no certificate is verified here: needs connect_tls, or peer\n"},
        {TCP "connect_tls = implicit\nrevocation = off\ncrl = stored\nocsp_fetch = yes\n",
         "f:6: crl: does nothing with revocation = off\n"
         "f:7: ocsp_fetch: does nothing with revocation = off\n"},
        {TCP "connect_tls = implicit\nocsp_fetch = no\nocsp_timeout = 1s\n",
         "f:6: ocsp_timeout: does nothing with ocsp_fetch = no\n"},
        {TCP "connect_tls = implicit\nrevocation = off\ncrl_fetch = yes\ncrl_timeout = 1s\n",
         "f:6: crl_fetch: does nothing with revocation = off\n"
         "f:7: crl_timeout: does nothing with revocation = off\n"},
        {TCP "connect_tls = implicit\ncrl_fetch = yes\ncrl_timeout = 1s\n",
         "f:6: crl_timeout: needs revocation = hard: otherwise nobody waits for a CRL\n"},
        {TCP "connect_tls = implicit\nrevocation = hard\ncrl_fetch = no\ncrl_timeout = 1s\n",
         "f:7: crl_timeout: does nothing with crl_fetch = no\n"},
        {TCP "connect_tls = implicit\nrevocation = hard\ncrl_timeout = 11m\n",
         "f:6: crl_timeout: must be from 10ms to 10m, not \"11m\"\n"},
        {TCP "issuer_fetch = pki.example\n",
         "f:4: issuer_fetch: no certificate is verified here: needs connect_tls, or peer\n"},
        {TCP "connect_tls = implicit\ninsecure_no_verify = yes\nissuer_fetch = *\n",
         "f:6: issuer_fetch: no certificate is verified here: needs connect_tls, or peer\n"},
        {TCP "connect_tls = implicit\nrevocation = medium\n",
         "f:5: revocation: must be one of off, soft, hard, not \"medium\"\n"},
        {TCP "connect_tls = implicit\ncrl = mine\n", "f:5: crl: must be file:PATH or stored, not \"mine\"\n"},
        {TCP "connect_tls = implicit\ncrl = file:\n", "f:5: crl: must be file:PATH or stored, not \"file:\"\n"},
        {TCP "connect_tls = implicit\nocsp_timeout = 2m\n", "f:5: ocsp_timeout: must be from 10ms to 1m, not \"2m\"\n"},
        {TCP "connect_tls = implicit\ntrust = mozilla, database\n", "f:5: trust: database needs [yett] database\n"},
        {"[service s]\nlisten = 127.0.0.1:1\nconnect = unix:/s\nconnect_tls = implicit\n",
         "f:4: connect_tls: with unix:/s it needs verify_name, the name in the server's certificate\n"},
        {"[service s]\nlisten = 127.0.0.1:1\nconnect = systemd:x\n",
         "f:3: connect: systemd:x is a socket to listen on; it must be HOST:PORT or unix:PATH\n"},
        {"[service s]\nlisten = 127.0.0.1:1\nconnect = 127.0.0.1:1\n",
         "f:3: connect: 127.0.0.1:1 is where this service listens: it would connect to itself\n"},
        {"[service s]\nlisten = [::1]:1\nconnect = [0:0:0::0:1]:1\n",
         "f:3: connect: [0:0:0::0:1]:1 is where this service listens: it would connect to itself\n"},
        {"[service s]\nlisten = 127.0.0.1:1\nconnect = [::ffff:127.0.0.1]:1\n",
         "f:3: connect: [::ffff:127.0.0.1]:1 is where this service listens: it would connect to itself\n"},
        {TCP "via = unix:/x\n", "f:4: via: must be HOST:PORT of an HTTP proxy\n"},
        {"[service s]\nlisten = 127.0.0.1:1\nconnect = unix:/s\nvia = 127.0.0.1:3128\n",
         "f:4: via: unix:/s in connect cannot be reached through a proxy\n"},
        {TCP "listen_tls = starttls\nidentity = file:/x\n",
         "f:4: listen_tls: protocol tcp has no STARTTLS; " STARTTLS_WORDS " have, or set implicit\n"},
        {TCP "connect_tls = starttls\n",
         "f:4: connect_tls: protocol tcp has no STARTTLS; " STARTTLS_WORDS " have, or set implicit\n"},
        {WEB "listen_tls = starttls\nidentity = file:/x\nallow_target = *:443\n",
         "f:4: listen_tls: protocol http-proxy has no STARTTLS; " STARTTLS_WORDS " have, or set implicit\n"},
        {WEB, "f:2: protocol: http-proxy needs allow_target, such as *:443\n"},
        {WEB
         "allow_target = *:443\nconnect = 127.0.0.1:2\nconnect_tls = implicit\nvia = a.example:1\nsend_proxy = v1\n",
         "f:5: connect: does not go with protocol http-proxy, whose clients name the target\n"
         "f:6: connect_tls: does not go with protocol http-proxy, whose clients name the target\n"
         "f:7: via: does not go with protocol http-proxy, whose clients name the target\n"
         "f:8: send_proxy: does not go with protocol http-proxy, whose clients name the target\n"},
        {WEB "allow_target = *:443\nverify_name = a.example\n",
         "f:5: verify_name: does not go with protocol http-proxy, whose clients name the target\n"},
        {WEB "allow_target = *:443\ninsecure_no_verify = yes\nrevocation = hard\n",
         "f:6: revocation: no certificate is verified here: needs connect_tls, or peer\n"},
        {TCP "allow_target = *:443\n", "f:4: allow_target: is for protocol http-proxy\n"},
    };

    (void)state;
    expect_all(cases, ARRAY_LEN(cases));
}

static void open_mail_relays_are_refused(void **state)
{
#define RELAY_WANT(address) "f:4: " RELAY_SENTENCE(address)
#define RELAY_SENTENCE(address)                                                                                        \
    "connect: to the server at " address " all mail would come from this machine, for which mail servers relay to "    \
    "anywhere (Postfix: mynetworks); set send_proxy = v2-tls and have the server expect it (Postfix: "                 \
    "smtpd_upstream_proxy_protocol = haproxy), or take this machine out of what the server trusts and set "            \
    "insecure_smtp_loopback_relay = yes\n"
#define PUBLIC_SMTP "[service s]\nprotocol = smtp\nlisten = 0.0.0.0:587\nlisten_tls = starttls\nidentity = file:/i\n"
    static const struct bad_case cases[] = {
        {SMTP "connect = 127.0.0.1:25\n", RELAY_WANT("127.0.0.1:25")},
        {SMTP "connect = [::1]:25\n", RELAY_WANT("[::1]:25")},
        {SMTP "connect = localhost:25, 127.0.0.1:26\n", RELAY_WANT("localhost:25")},
        {SMTP "connect = 127.0.0.1:25\nsend_proxy = none\n", RELAY_WANT("127.0.0.1:25")},
        {SMTP "connect = 127.0.0.1:25\nconnect_tls = starttls\n", RELAY_WANT("127.0.0.1:25")},
        {SMTP "connect = 127.0.0.1:25\ninsecure_smtp_loopback_relay = no\n", RELAY_WANT("127.0.0.1:25")},
        {SMTP "connect = 127.0.0.1:25\ninsecure_plaintext_connect = yes\n", RELAY_WANT("127.0.0.1:25")},
        /* A port of its own is no remedy: the server trusts the machine, not the port. */
        {PUBLIC_SMTP "connect = 127.0.0.1:10587\n", "f:6: " RELAY_SENTENCE("127.0.0.1:10587")},
        {PUBLIC_SMTP "connect = [::1]:10587\npeer = request\npeer_trust = file:/ca\nallow = san_dns:*.example.org\n",
         "f:6: " RELAY_SENTENCE("[::1]:10587")},
    };

    (void)state;
    expect_all(cases, ARRAY_LEN(cases));
}

#define ALONE         "; services that share an address are told apart by server_name, and one of them at most has none\n"
#define SHARED(extra) "[service t]\nlisten = 0.0.0.0:1\nconnect = 127.0.0.1:2\nidentity = file:/x\n" extra
#define DIFFERENT(what)                                                                                                \
    "f:7: 0.0.0.0:1 is listened on by [service s] at f:2 too: services that share an address have " what "\n"

static void sharing_is_refused(void **state)
{
    static const struct bad_case cases[] = {
        {TLS SHARED("listen_tls = implicit\n"), "f:7: 0.0.0.0:1 is already listened on by f:2" ALONE},
        {TLS SHARED("listen_tls = implicit\nserver_name = a.test\nprotocol = imap\n"), DIFFERENT("one protocol")},
        {"[service s]\nlisten = 0.0.0.0:1\nconnect = 127.0.0.1:2\nlisten_tls = implicit\nidentity = file:/x\n" SHARED(
             "listen_tls = implicit\nserver_name = a.test\naccept_proxy = v1\naccept_proxy_from = 10.0.0.1\n"),
         DIFFERENT("one accept_proxy and accept_proxy_from, whose header comes before the name")},
        {"[service s]\nlisten = 0.0.0.0:1\nconnect = 127.0.0.1:2\nprotocol = imap\nlisten_tls = starttls\nidentity = "
         "file:/x\n[service t]\nlisten = 0.0.0.0:1\nconnect = 127.0.0.1:2\nprotocol = imap\nlisten_tls = "
         "starttls\nidentity = file:/x\nserver_name = a.test\ngreeting_name = b.test\n",
         "f:8: 0.0.0.0:1 is listened on by [service s] at f:2 too: services that share an address have one greeting_name, "
         "which is said before the name\n"},
        {"[service s]\nlisten = 0.0.0.0:1\nconnect = 127.0.0.1:2\nprotocol = imap\nlisten_tls = starttls\nidentity = "
         "file:/x\n[service t]\nlisten = 0.0.0.0:1\nconnect = 127.0.0.1:2\nprotocol = imap\nlisten_tls = "
         "implicit\nidentity = file:/x\nserver_name = a.test\n",
         "f:8: 0.0.0.0:1 is listened on by [service s] at f:2 too: services that share an address have one listen_tls\n"},
        {TLS "server_name = a.test, *.b.test\n" SHARED("listen_tls = implicit\nserver_name = *.B.test.\n"),
         "f:8: on 0.0.0.0:1 the server_name *.b.test is already that of [service s] at f:1\n"},
        {TCP "server_name = a.test\n", "f:4: server_name: has no effect with listen_tls = none\n"},
        {TLS "server_name = 192.0.2.1\n",
         "f:6: server_name: must be names: a client that asks for an address sends no name (RFC 6066 section 3)\n"},
    };

    (void)state;
    expect_all(cases, ARRAY_LEN(cases));
}

static void listening_twice_is_refused(void **state)
{
    static const struct bad_case cases[] = {
        {TCP "[service t]\nlisten = 127.0.0.1:3, 127.0.0.1:1\nconnect = 127.0.0.1:2\n",
         "f:5: 127.0.0.1:1 is already listened on by f:2" ALONE},
        {"[service s]\nlisten = [::1]:1, [0::1]:1\nconnect = 127.0.0.1:2\n",
         "f:2: [::1]:1 is already listened on by f:2\n"},
        {"[yett]\nadmin = 127.0.0.1:1\n" TCP, "f:4: 127.0.0.1:1 is already listened on by f:2\n"},
        {"[yett]\ncontrol = /s\nadmin = unix:/s\n" TCP, "f:3: unix:/s is already listened on by f:2\n"},
        {"[service s]\nlisten = unix:/run/yett/control.sock\nconnect = 127.0.0.1:2\n",
         "f:2: unix:/run/yett/control.sock is already the control socket\n"},
        {"[service s]\nlisten = systemd:a, systemd:a\nconnect = 127.0.0.1:2\n",
         "f:2: systemd:a is already listened on by f:2\n"},
        {"[service s]\nlisten = localhost:1\nconnect = 127.0.0.1:2\n",
         "f:2: listen: localhost:1 is a name; it must be an address, such as 127.0.0.1:1 or [::1]:1\n"},
    };

    (void)state;
    expect_all(cases, ARRAY_LEN(cases));
}

/* One run tells all, in the order of the lines, and a bad value makes no further findings. */
static void all_findings_come_at_once_in_order(void **state)
{
    (void)state;
    testing_expect_findings(
        "[yett]\n"
        "workers = x\n"
        "database = nss\n"
        "[service a]\n"
        "listen = 0.0.0.0:1\n"
        "listen_tls = impicit\n"
        "identity = nss:sha256=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"
        "peer = require\n"
        "[service b]\n"
        "listen = 0.0.0.0:2\n"
        "connect = 127.0.0.1:x\n"
        "conect_tls = none\n",
        "f:2: workers: must be a number from 1 to 256, not \"x\"\n"
        "f:3: database: must be sql:PATH, the folder of an NSS database such as sql:/var/lib/yett/nss\n"
        "f:4: connect is missing: the server, such as 127.0.0.1:10143\n"
        "f:6: listen_tls: must be one of none, implicit, starttls, not \"impicit\"\n"
        "f:10: listen: 0.0.0.0:2 is open to other machines without TLS; set listen_tls = implicit, "
        "listen on 127.0.0.1 or [::1], or set insecure_plaintext_listen = yes\n"
        "f:11: connect: the port must be a number from 1 to 65535, not \"x\"\n"
        "f:12: [service NAME] has no key \"conect_tls\"; did you mean connect_tls?\n");
}

static void ceilings_hold(void **state)
{
    struct config_findings findings = {.items = NULL};
    char *text = base_strdup("[service s]\nlisten = 127.0.0.1:1"), *longer;
    FILE *stream;
    size_t size;

    (void)state;
    for (int i = 2; i <= CONFIG_LIST_MAX + 1; i++) {
        longer = base_printf("%s, 127.0.0.1:%d", text, i);
        free(text);
        text = longer;
    }
    longer = base_printf("%s\nconnect = 127.0.0.1:9999\n", text);
    testing_expect_findings(longer, "f:2: listen: has more than 256 entries\n");
    free(longer);
    free(text);

    stream = open_memstream(&text, &size);
    for (int i = 0; i <= CONFIG_MODULES_MAX; i++)
        fprintf(stream, "[module m%d]\npath = /x\n", i);
    fclose(stream);
    testing_expect_findings(text, "f:129: there are more than 64 sections [module NAME]\n");
    free(text);

    stream = open_memstream(&text, &size);
    for (int i = 0; i <= CONFIG_SERVICES_MAX; i++)
        fprintf(stream, "[service s%d]\nlisten = unix:/l%d\nconnect = unix:/c\n", i, i);
    fclose(stream);
    testing_expect_findings(text, "f:49153: there are more than 16384 sections [service NAME]\n");
    free(text);

    stream = open_memstream(&text, &size);
    for (int i = 0; i < 2 * CONFIG_FINDINGS_MAX; i++)
        fputs("[x]\n", stream);
    fclose(stream);
    assert_null(testing_parse(text, &findings));
    assert_int_equal(findings.count, CONFIG_FINDINGS_MAX);
    assert_string_equal(findings.items[CONFIG_FINDINGS_MAX - 1].message, "there are more findings, which are left out");
    config_findings_clear(&findings);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structure_is_checked),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(pins_are_refused_and_not_repeated),
        cmocka_unit_test(identities_are_checked),
        cmocka_unit_test(plain_text_is_refused_off_loopback),
        cmocka_unit_test(clients_are_checked),
        cmocka_unit_test(servers_are_checked),
        cmocka_unit_test(open_mail_relays_are_refused),
        cmocka_unit_test(sharing_is_refused),
        cmocka_unit_test(listening_twice_is_refused),
        cmocka_unit_test(all_findings_come_at_once_in_order),
        cmocka_unit_test(ceilings_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
