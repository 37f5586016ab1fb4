/* config/config.h: yett.conf and conf.d/ as one immutable struct.
 *
 * config_load() reads the file and what it includes once, as a *snapshot*: the bytes with their file names. All
 * workers of a generation parse the same snapshot (it travels in an inherited descriptor), so that a file edited
 * meanwhile cannot give two workers two configurations.
 *
 * What it does not do: open sockets, keys, certificates or tokens, resolve names, log. Every problem is a *finding*,
 * "FILE:LINE: sentence that says what would be right"; all findings of a file are reported, not just the first.
 * No finding ever repeats a value that may be a PIN. A socket that systemd hands over (CONFIG_ADDRESS_SYSTEMD) has an
 * address only proxy/ learns: the rule against plain text off loopback is proxy/'s to apply to it.
 * Threads: a struct config is never changed after loading and may be shared. Reading and parsing: one thread of a
 * process at a time (inih keeps its limits in variables of its own). */
#ifndef YETT_CONFIG_CONFIG_H
#define YETT_CONFIG_CONFIG_H

#include "base/address.h"
#include "base/key_groups.h"
#include "base/protocols.h"
#include "base/text_index.h"
#include <stdio.h>

/* Ceilings of what is read. A line longer than CONFIG_LINE_BYTES_MAX (or, with an inih built otherwise, than its own
 * buffer) is a finding, never cut. */
enum {
    CONFIG_FILES_MAX = 16384,
    CONFIG_FILE_BYTES_MAX = 16 * 1024 * 1024,
    CONFIG_FILE_NAME_BYTES_MAX = 4096,
    CONFIG_LINE_BYTES_MAX = 8190,
    CONFIG_NAME_BYTES_MAX = 63, /* NAME in [service NAME] and [module NAME] */
    CONFIG_SERVICES_MAX = 16384,
    CONFIG_MODULES_MAX = 64,
    CONFIG_LIST_MAX = 256,            /* entries of one list, such as listen */
    CONFIG_UNIX_PATH_BYTES_MAX = 107, /* sun_path without its NUL, unix(7) */
    CONFIG_FINDINGS_MAX = 1000,       /* the last one says that there are more */
};

#define CONFIG_PROTOCOL_ID(id, object, word, starttls, idle_ms) CONFIG_PROTOCOL_##id,
enum config_protocol { PROTOCOLS(CONFIG_PROTOCOL_ID) CONFIG_PROTOCOL_COUNT };
#undef CONFIG_PROTOCOL_ID
enum config_tls_mode { CONFIG_TLS_NONE, CONFIG_TLS_IMPLICIT, CONFIG_TLS_STARTTLS };
enum config_peer { CONFIG_PEER_NONE, CONFIG_PEER_REQUEST, CONFIG_PEER_REQUIRE };
enum config_peer_purpose { CONFIG_PEER_PURPOSE_CLIENT, CONFIG_PEER_PURPOSE_SERVER, CONFIG_PEER_PURPOSE_ANY };
enum config_ciphers { CONFIG_CIPHERS_INTERMEDIATE, CONFIG_CIPHERS_MODERN };
enum config_send_proxy { CONFIG_SEND_PROXY_NONE, CONFIG_SEND_PROXY_V1, CONFIG_SEND_PROXY_V2, CONFIG_SEND_PROXY_V2_TLS };
/* Which of several targets comes first. */
enum config_balance { CONFIG_BALANCE_FIRST, CONFIG_BALANCE_ROUND, CONFIG_BALANCE_LEAST };
/* Which versions of a PROXY header a balancer in front of us may send. */
enum config_accept_proxy {
    CONFIG_ACCEPT_PROXY_NONE,
    CONFIG_ACCEPT_PROXY_V1,
    CONFIG_ACCEPT_PROXY_V2,
    CONFIG_ACCEPT_PROXY_ANY
};
enum config_no_suitable { CONFIG_NO_SUITABLE_ONLY, CONFIG_NO_SUITABLE_NONE };
enum config_sni { CONFIG_SNI_ANY, CONFIG_SNI_KNOWN, CONFIG_SNI_REQUIRED };
enum config_revocation { CONFIG_REVOCATION_OFF, CONFIG_REVOCATION_SOFT, CONFIG_REVOCATION_HARD };
enum config_log { CONFIG_LOG_STDERR, CONFIG_LOG_SYSLOG, CONFIG_LOG_JOURNAL };
/* Who has the private keys of files. */
enum config_file_keys { CONFIG_FILE_KEYS_WORKER, CONFIG_FILE_KEYS_AGENT };
#define CONFIG_FILE_KEYS_MODULE "file-keys" /* what the agent is called, as if it were of a [module] */
enum config_log_format { CONFIG_LOG_LOGFMT, CONFIG_LOG_JSON };

/* Where a thing was configured, for messages: lives with the config. */
struct config_place {
    const char *file;
    unsigned line;
};

/* An address to listen on or connect to. */
enum config_address_type {
    CONFIG_ADDRESS_INET /* host + port; host may be a name when connecting */,
    CONFIG_ADDRESS_UNIX,
    CONFIG_ADDRESS_SYSTEMD
};
struct config_address {
    enum config_address_type type;
    char *host;    /* INET: literal without brackets, or a name. UNIX: path. SYSTEMD: socket name */
    uint16_t port; /* INET */
    char *text;    /* as written, for messages */
    size_t door;   /* of config.doors, and 1 more: a client's server name chooses the service; 0: it does not */
    struct config_place place;
};

/* identity = file:PATH | nss:sha256=HEX | pkcs11:... */
enum config_identity_type { CONFIG_IDENTITY_FILE, CONFIG_IDENTITY_NSS, CONFIG_IDENTITY_PKCS11 };
struct config_identity {
    enum config_identity_type type;
    char *value; /* FILE: path. NSS: lower-case hex SHA-256. PKCS11: the whole URI */
    char *text;  /* as written */
    struct config_place place;
};

/* allow = san_email:*@example.org, dn:OU=Staff, san_dns:..., san_uri:..., san_upn:..., serial_number:..., cn:...,
 * sha256:..., spki_sha256:..., issuer:sha256=..., policy:..., any */
enum config_allow_type {
    CONFIG_ALLOW_ANY,
    CONFIG_ALLOW_SAN_EMAIL,
    CONFIG_ALLOW_SAN_DNS,
    CONFIG_ALLOW_SAN_URI,
    CONFIG_ALLOW_SAN_UPN,
    CONFIG_ALLOW_SERIAL_NUMBER /* the subject's attribute */,
    CONFIG_ALLOW_ISSUER /* SHA-256 of an authority's certificate */,
    CONFIG_ALLOW_POLICY /* an object identifier */,
    CONFIG_ALLOW_CN,
    CONFIG_ALLOW_DN /* one attribute: CN=, O=, OU= */,
    CONFIG_ALLOW_SHA256,
    CONFIG_ALLOW_SPKI_SHA256
};
struct config_allow {
    enum config_allow_type type;
    char *attribute; /* DN: "OU"; else NULL */
    char *pattern;   /* '*' matches any run of characters within SAN patterns and serial numbers; exact otherwise */
    struct config_place place;
};

/* allow_target = *:443, *.example.org:993, 10.0.0.0/8:22, [::1]:443 : who may be reached through http-proxy. */
struct config_allow_target {
    char *host;                     /* "*", a name, "*.suffix", or an address literal; NULL when a network is given */
    struct address network;         /* a network, or a literal; size 0: neither */
    unsigned prefix_bits;           /* of a literal: all */
    uint16_t port_first, port_last; /* "*": 1..65535 */
    struct config_place place;
};

/* 192.0.2.7, 10.0.0.0/8, fd00::/8, unix */
struct config_network {
    struct address network; /* size 0: unix, whoever comes by a Unix socket */
    unsigned prefix_bits;   /* of an address: all */
    struct config_place place;
};

/* issuer_fetch = pki.example.org, pki.example.org:8080, *.example.org, * : from where issuers may be fetched. */
struct config_issuer_host {
    char *host; /* a name or a literal without brackets; "*.suffix"; "*" */
    uint16_t port;
    struct config_place place;
};

enum config_trust_type {
    CONFIG_TRUST_MOZILLA,
    CONFIG_TRUST_SYSTEM,
    CONFIG_TRUST_DATABASE,
    CONFIG_TRUST_PATH,
    CONFIG_TRUST_PKCS11,
};
struct config_trust {
    enum config_trust_type type;
    char *value; /* PATH: the path; PKCS11: the URI of certificates on a token; else NULL */
    struct config_place place;
};

/* crl = file:PATH, stored */
enum config_crl_type {
    CONFIG_CRL_PATH /* a PEM or DER file, or a directory of them */,
    CONFIG_CRL_STORED /* the folder [yett] crl_directory */
};
struct config_crl {
    enum config_crl_type type;
    char *path; /* NULL when stored */
    struct config_place place;
};

/* policy = OID, ... | ev */
enum config_policy_type { CONFIG_POLICY_OID, CONFIG_POLICY_EV };
struct config_policy {
    enum config_policy_type type;
    char *oid; /* dotted decimal; NULL with EV */
    struct config_place place;
};

enum config_pin_type { CONFIG_PIN_NONE, CONFIG_PIN_FILE, CONFIG_PIN_CREDENTIAL, CONFIG_PIN_ENV, CONFIG_PIN_PROMPT };

/* look, operate, administer = USER, @GROUP */
struct config_principal {
    char *name; /* without the '@'; looked up by proxy/ */
    bool is_group;
    struct config_place place;
};

/* user = NAME: whom workers become */
struct config_user {
    char *name; /* looked up by proxy/ */
    struct config_place place;
};

/* [module NAME]: a PKCS#11 module, in a process of its own */
struct config_module {
    char *name;
    char *path;
    enum config_pin_type pin_type;
    char *pin_source;              /* path, credential name or variable name; never the PIN */
    struct config_place pin_place; /* where it is said, or else the section */
    char **environment;            /* "NAME=value" */
    size_t environment_count;
    unsigned sessions_max;    /* concurrent signatures; default 8 */
    unsigned queue_max;       /* waiting signatures, beyond which is a refusal; default 64 */
    uint32_t sign_timeout_ms; /* default 10000 */
    char *parameters;         /* C_Initialize()'s reserved string; NULL: none */
    bool serialise;           /* one call at a time */
    bool insecure_programs;   /* it may start other programs */
    struct config_place place;
};

/* Heads of HTTP messages; starttls/limits.h has the same. */
enum {
    CONFIG_HTTP_HEAD_BYTES_MIN = 8 * 1024,
    CONFIG_HTTP_HEAD_BYTES_MAX = 1024 * 1024,
    CONFIG_HTTP_FIELD_BYTES_MIN = 4 * 1024,
    CONFIG_HTTP_FIELDS_MIN = 20,
    CONFIG_HTTP_FIELDS_MAX = 2000,
};

/* [service NAME]: one tunnel, two sides */
struct config_service {
    char *name;
    struct config_place place;
    enum config_protocol protocol;

    struct config_address *listen;
    size_t listen_count;
    enum config_tls_mode listen_tls;
    char **server_name; /* "mail.example.org", "*.example.net": what clients ask for that are its own */
    size_t server_name_count;
    enum config_accept_proxy accept_proxy;
    struct config_network *accept_proxy_from; /* from whom a PROXY header comes first, and from nobody else */
    size_t accept_proxy_from_count;
    struct config_network *allow_client; /* 0 of them: everybody */
    size_t allow_client_count;
    struct config_identity *identity; /* of the listening side when it has TLS, else of the connecting side */
    size_t identity_count;
    enum config_sni sni;
    enum config_peer peer;
    enum config_peer_purpose peer_purpose;
    struct config_allow *allow;
    size_t allow_count;
    struct config_trust *peer_trust; /* anchors for client certificates; none by default: required with peer */
    size_t peer_trust_count;

    struct config_address *connect;
    size_t connect_count;
    enum config_balance balance;
    enum config_tls_mode connect_tls;
    struct config_identity *connect_identity; /* client certificates offered to the target, in order of preference */
    size_t connect_identity_count;
    enum config_no_suitable no_suitable_identity; /* what is shown when the server's list of authorities fits none */
    char *verify_name;                            /* NULL: the host in connect */
    struct config_trust *trust;                   /* anchors for servers; default: mozilla */
    size_t trust_count;
    struct config_address *via; /* upstream HTTP proxy to CONNECT through; NULL: none */
    bool insecure_no_verify;

    /* Of servers' and of clients' certificates alike, wherever they are verified. */
    enum config_revocation revocation; /* default soft */
    struct config_crl *crl;
    size_t crl_count;
    bool ocsp_fetch;          /* ask the responders that certificates name; default yes, no with revocation off */
    uint32_t ocsp_timeout_ms; /* for one certificate, waiting included; 2000 with soft, 10000 with hard */
    bool crl_fetch;           /* fetch the CRLs that certificates name; default no, yes with revocation hard */
    uint32_t crl_timeout_ms;  /* with hard: how long a handshake waits for one */

    struct config_issuer_host *issuer_fetch; /* none by default: URLs in certificates that nobody has verified */
    size_t issuer_fetch_count;

    struct config_allow_target *allow_target;
    size_t allow_target_count;

    char **pin_spki_sha256;       /* 64 digits each; one of these keys is on the path of every verified peer */
    size_t pin_spki_sha256_count; /* 0: any path will do */

    struct config_policy *policy; /* one of these holds for the path of every verified peer; EV stands alone */
    size_t policy_count;          /* 0: none is required */

    enum config_ciphers ciphers;
    unsigned tls_min;                 /* 0x0303 or 0x0304 */
    enum key_group *groups;           /* in order of preference, each once */
    size_t group_count;               /* 0: auto, all that NSS has */
    struct config_place groups_place; /* line 0: not given */
    char **alpn;                      /* of the listening side beyond the protocol's own; tcp only */
    size_t alpn_count;
    char *greeting_name; /* in greetings and EHLO; default: the machine's host name */
    enum config_send_proxy send_proxy;
    bool insecure_plaintext_listen, insecure_plaintext_connect;
    bool insecure_smtp_loopback_relay; /* connect = 127.0.0.1:25 without send_proxy: the server there takes all for
                                          local */
    char *ocsp_staple;                 /* path of a DER response to serve; NULL: none */

    uint32_t connect_timeout_ms;    /* 10000, all targets together */
    uint32_t handshake_timeout_ms;  /* 30000 absolute; with STARTTLS the plain phase included: 60000 */
    uint32_t idle_timeout_ms;       /* by protocol: base/protocols.h */
    uint32_t half_close_timeout_ms; /* 30000 */
    uint32_t http_request_head_max_bytes, http_response_head_max_bytes; /* 65536 and 262144 */
    uint32_t http_field_max_bytes;                                      /* 65536; of one line of a head */
    unsigned http_fields_max;                                           /* 200; of one head */
    unsigned connections_max;                                           /* 10000 per worker */
    unsigned connections_per_address_max;                               /* 256 per worker; 0: no limit */
};

/* An address where the client's server name says which service it goes to: several listen there, or one that has
 * server_name. */
struct config_door {
    size_t *services; /* indexes, as they are configured; the first one has the socket, and the client until it is
                       * known where it goes */
    size_t service_count;
    size_t rest;             /* the one without server_name; CONFIG_NO_SERVICE: there is none */
    struct text_index names; /* as written in server_name, and whose they are */
};
#define CONFIG_NO_SERVICE SIZE_MAX

struct config {
    unsigned workers;             /* 0: one per core */
    char *control;                /* default /run/yett/control.sock */
    struct config_user *user;     /* NULL: whoever yett was started as */
    struct config_address *admin; /* NULL: off; loopback or unix only */
    char *database;               /* "sql:/path", or NULL: none */
    char *accelerator;            /* "auto" (default), the path of a module, or NULL: none */
    enum config_file_keys file_keys;
    char *crl_directory; /* where yett crl keeps CRLs; default /var/lib/yett/crls */
    char *intermediates; /* file of remembered intermediates; NULL: none */
    enum config_log log;
    enum config_log_format log_format;
    int log_level;                /* 0 error 1 warning 2 info (default) 3 debug */
    uint32_t drain_timeout_ms;    /* 30000 */
    uint32_t expiry_warning_ms;   /* 14 days; 0: only what has ended is told */
    bool insecure_no_seccomp;     /* workers and agents go on where the kernel takes no seccomp filter */
    unsigned handshake_queue_max; /* handshakes waiting for the pool per worker; 1024 */
    char *blocklist;              /* a file of certificates that are never accepted (pkix/blocklist.h); NULL: none */
    char *roots;    /* where yett trust update keeps a newer list of roots; it need not be there; NULL: nowhere */
    char *distrust; /* a file of roots that are trusted no longer (pkix/distrust.h); NULL: none */
    char *ev;       /* a file of policies and roots for extended validation (pkix/ev.h); NULL: none */
    /* [control]: who besides root and yett's own user may use the control socket, and for what */
    struct config_principal *look, *operate, *administer;
    size_t look_count, operate_count, administer_count;
    struct config_module *modules;
    size_t module_count;
    struct config_service *services;
    size_t service_count;
    struct text_index service_index; /* by name: see config_service_find() */
    struct config_door *doors;
    size_t door_count;

    /* Where these options are; line 0: not given. */
    struct config_place accelerator_place, file_keys_place, database_place, blocklist_place, ev_place, roots_place,
        distrust_place;
    struct config_place control_place;       /* line 0: what control has is the default */
    struct config_place intermediates_place; /* line 0: what intermediates has is the default */

    char **include; /* as written: config_snapshot_read() has followed it */
    size_t include_count;
    char **files; /* every file read, in order: what struct config_place points to */
    size_t file_count;
};

struct config_finding {
    char *file;
    unsigned line; /* 0: the file as a whole */
    char *message;
};

/* What an administrator should know and nobody need mend. */
struct config_note {
    const char *event; /* its name in the log, static */
    bool is_warning;
    struct config_finding what;
};

struct config_findings {
    struct config_finding *items;
    size_t count;
    struct config_note *notes; /* none of them is a finding */
    size_t note_count;         /* at most CONFIG_FINDINGS_MAX; what is more is left out */
};

/* One file of a snapshot: its name as the administrator knows it, and its bytes. */
struct config_snapshot;

/* Read `path` and what its "include" names (default: every .conf file in the conf.d beside it), in name order. A
 * relative include starts at the folder of `path`. A pattern that matches nothing is no failure, a plain name that does
 * not exist is. On failure NULL, with findings. */
struct config_snapshot *config_snapshot_read(const char *path, struct config_findings *findings);
/* Through a descriptor (memfd): written by the supervisor, read by a worker. Both start at offset 0 and leave the
 * descriptor's own offset alone, so that workers which share it do not disturb each other. config_snapshot_write()
 * returns false with errno. */
MUST_CHECK bool config_snapshot_write(const struct config_snapshot *s, int fd);
struct config_snapshot *config_snapshot_from_fd(int fd, struct config_findings *findings);
void config_snapshot_destroy(struct config_snapshot **s);

/* A snapshot of one file from memory: for tests and for configurations made by a program. Copies both. */
struct config_snapshot *config_snapshot_from_memory(const char *name, struct span text);
size_t config_snapshot_file_count(const struct config_snapshot *s);
const char *config_snapshot_file_name(const struct config_snapshot *s, size_t index);

/* Parse and check everything that can be checked without opening anything. NULL when there is any finding. */
struct config *config_parse(const struct config_snapshot *s, struct config_findings *findings);
/* Likewise for a command that serves nobody: there need be no service. The first key on a token is made before a
 * service can name it. */
struct config *config_parse_for_commands(const struct config_snapshot *s, struct config_findings *findings);
void config_destroy(struct config **c);

/* The index of the service that serves `name` there: a host name in lower case, without a dot at its end; NULL: the
 * client asked for none. The name itself is looked for first, then what its longest end is of in "*.END"; then the
 * rest. CONFIG_NO_SERVICE: nobody. */
size_t config_door_find(const struct config_door *door, const char *name);

/* The index of the service called `name`, or config->service_count. */
size_t config_service_find(const struct config *config, const char *name);
void config_findings_clear(struct config_findings *findings);

/* Write every option as "[section] name | form of its value | default | what it is for", one a line. */
void config_describe(FILE *out);

/* Add a finding (copies): for what proxy/ finds when it opens identities, trust and listeners. */
void config_finding_add(struct config_findings *findings, struct config_place place, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Likewise a note. */
enum config_note_kind { CONFIG_NOTE_INFORMATION, CONFIG_NOTE_WARNING };
void config_note_add(struct config_findings *findings, enum config_note_kind kind, const char *event,
                     struct config_place place, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* "FILE:LINE: message", or "FILE: message" for a file as a whole; owned by the caller. */
char *config_finding_text(const struct config_finding *finding);

/* Whether it does TLS with servers: http-proxy does, for https URIs (in a CONNECT tunnel the client does). */
bool config_service_originates_tls(const struct config_service *s);

const char *config_protocol_name(enum config_protocol protocol);

/* A host:port, [v6]:port, unix:PATH or systemd:NAME. Returns false with a sentence in *error. */
MUST_CHECK bool config_address_parse(const char *text, struct config_address *address, char **error);
void config_address_clear(struct config_address *address);

/* 127.0.0.0/8, ::1, the name localhost, or a Unix socket. Any other name is not, whatever it resolves to; a systemd
 * socket is not, since its address is not known here. */
bool config_address_is_loopback(const struct config_address *address);

#endif
