/* config/options.h: the table of all options: one row each, no repeated switches.
 *
 * A row says what the option is called, where it goes, what it may be, what it is when it is not there, and what it is
 * for. Parsing, defaults, clearing and the description that keeps yett.conf(5) honest all walk this table. */
#ifndef YETT_CONFIG_OPTIONS_H
#define YETT_CONFIG_OPTIONS_H

#include "config/config.h"
#include "config/values.h"

enum option_section { OPTION_YETT, OPTION_CONTROL_ROLES, OPTION_MODULE, OPTION_SERVICE, OPTION_SECTION_COUNT };

enum option_id {
    OPTION_INCLUDE,
    OPTION_WORKERS,
    OPTION_USER,
    OPTION_CONTROL,
    OPTION_ADMIN,
    OPTION_DATABASE,
    OPTION_ACCELERATOR,
    OPTION_FILE_KEYS,
    OPTION_CRL_DIRECTORY,
    OPTION_INTERMEDIATES,
    OPTION_LOG,
    OPTION_LOG_FORMAT,
    OPTION_LOG_LEVEL,
    OPTION_DRAIN_TIMEOUT,
    OPTION_EXPIRY_WARNING,
    OPTION_HANDSHAKE_QUEUE_MAX,
    OPTION_BLOCKLIST,
    OPTION_ROOTS,
    OPTION_DISTRUST,
    OPTION_EV,
    OPTION_INSECURE_NO_SECCOMP,

    OPTION_LOOK,
    OPTION_OPERATE,
    OPTION_ADMINISTER,

    OPTION_PATH,
    OPTION_PIN,
    OPTION_ENVIRONMENT,
    OPTION_SESSIONS_MAX,
    OPTION_QUEUE_MAX,
    OPTION_SIGN_TIMEOUT,
    OPTION_PARAMETERS,
    OPTION_SERIALISE,
    OPTION_INSECURE_PROGRAMS,

    OPTION_PROTOCOL,
    OPTION_LISTEN,
    OPTION_LISTEN_TLS,
    OPTION_SERVER_NAME,
    OPTION_ACCEPT_PROXY,
    OPTION_ACCEPT_PROXY_FROM,
    OPTION_ALLOW_CLIENT,
    OPTION_IDENTITY,
    OPTION_SNI,
    OPTION_ALPN,
    OPTION_OCSP_STAPLE,
    OPTION_PEER,
    OPTION_PEER_PURPOSE,
    OPTION_PEER_TRUST,
    OPTION_ALLOW,
    OPTION_CONNECT,
    OPTION_BALANCE,
    OPTION_CONNECT_TLS,
    OPTION_CONNECT_IDENTITY,
    OPTION_NO_SUITABLE_IDENTITY,
    OPTION_VERIFY_NAME,
    OPTION_TRUST,
    OPTION_REVOCATION,
    OPTION_CRL,
    OPTION_OCSP_FETCH,
    OPTION_OCSP_TIMEOUT,
    OPTION_CRL_FETCH,
    OPTION_CRL_TIMEOUT,
    OPTION_ISSUER_FETCH,
    OPTION_VIA,
    OPTION_SEND_PROXY,
    OPTION_ALLOW_TARGET,
    OPTION_PIN_SPKI_SHA256,
    OPTION_POLICY,
    OPTION_CIPHERS,
    OPTION_TLS_MIN,
    OPTION_GROUPS,
    OPTION_GREETING_NAME,
    OPTION_CONNECT_TIMEOUT,
    OPTION_HANDSHAKE_TIMEOUT,
    OPTION_IDLE_TIMEOUT,
    OPTION_HALF_CLOSE_TIMEOUT,
    OPTION_HTTP_REQUEST_HEAD_MAX,
    OPTION_HTTP_RESPONSE_HEAD_MAX,
    OPTION_HTTP_FIELD_MAX,
    OPTION_HTTP_FIELDS_MAX,
    OPTION_CONNECTIONS_MAX,
    OPTION_CONNECTIONS_PER_ADDRESS_MAX,
    OPTION_INSECURE_PLAINTEXT_LISTEN,
    OPTION_INSECURE_PLAINTEXT_CONNECT,
    OPTION_INSECURE_NO_VERIFY,
    OPTION_INSECURE_SMTP_LOOPBACK_RELAY,

    OPTION_COUNT
};

enum option_need { OPTION_OPTIONAL, OPTION_REQUIRED };

struct option;

/* How a value of this kind is read into, and freed from, a struct config, config_module or config_service. */
struct option_kind {
    const char *form; /* for people: "TIME", "ADDRESS, ..."; NULL: the words of the row */
    bool (*parse)(const struct option *o, void *target, struct config_place place, const char *text, char **error);
    void (*clear)(const struct option *o, void *target); /* leaves what a zeroed struct has */
};

struct option {
    const char *name;
    enum option_section section;
    enum option_need need;
    const struct option_kind *kind;
    size_t offset;                  /* of its field */
    size_t count_offset;            /* lists: of the number of entries. PIN: of its type */
    const struct value_word *words; /* kinds WORD and NUMBER: what may stand there besides numbers */
    uint64_t min, max;              /* kinds NUMBER, TIME (milliseconds) and SIZE (bytes) */
    const char *default_value;      /* as it would be written; NULL: none */
    const char *default_text;       /* for people, where default_value does not say it */
    const char *help;
};

extern const struct option config_options[OPTION_COUNT];
extern const struct value_word config_protocol_words[];

/* The row of a key, or NULL. */
const struct option *option_find(enum option_section section, const char *name);

/* What to say of a key that section does not have: where it belongs, that it is for a later version, or what may have
 * been meant. Owned by the caller. */
char *option_unknown(enum option_section section, const char *name);
/* The option of this section that such a key is most likely meant for; NULL: none. */
const struct option *option_meant(enum option_section section, const char *name);

const char *option_section_name(enum option_section section); /* "yett" */
const char *option_section_text(enum option_section section); /* "[service NAME]" */

/* Give every option of the section its default. `target` is zeroed. */
void options_default(enum option_section section, void *target, struct config_place place);
void options_clear(enum option_section section, void *target);

#endif
