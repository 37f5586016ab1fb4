/* see config/options.h */
#include "config/options.h"
#include "config/kinds.h"

#include <stdlib.h>

/* The words of enumerations, in the order a person would list them. */

static const struct value_word flag_words[] = {
    {"yes", true, VALUE_WORD_READY}, {"no", false, VALUE_WORD_READY}, {.name = NULL}};

static const struct value_word auto_words[] = {{"auto", 0, VALUE_WORD_READY}, {.name = NULL}};

static const struct value_word log_words[] = {{"stderr", CONFIG_LOG_STDERR, VALUE_WORD_READY},
                                              {"syslog", CONFIG_LOG_SYSLOG, VALUE_WORD_READY},
                                              {"journal", CONFIG_LOG_JOURNAL, VALUE_WORD_READY},
                                              {.name = NULL}};

static const struct value_word log_format_words[] = {
    {"logfmt", CONFIG_LOG_LOGFMT, VALUE_WORD_READY}, {"json", CONFIG_LOG_JSON, VALUE_WORD_READY}, {.name = NULL}};

static const struct value_word file_keys_words[] = {{"worker", CONFIG_FILE_KEYS_WORKER, VALUE_WORD_READY},
                                                    {"agent", CONFIG_FILE_KEYS_AGENT, VALUE_WORD_READY},
                                                    {.name = NULL}};
static const struct value_word log_level_words[] = {{"error", 0, VALUE_WORD_READY},
                                                    {"warning", 1, VALUE_WORD_READY},
                                                    {"info", 2, VALUE_WORD_READY},
                                                    {"debug", 3, VALUE_WORD_READY},
                                                    {.name = NULL}};

#define PROTOCOL_WORD(id, object, word, starttls, idle_ms) {word, CONFIG_PROTOCOL_##id, VALUE_WORD_READY},
#define PROTOCOL_NOT_YET(word)                             {word, 0, VALUE_WORD_NOT_YET},
const struct value_word config_protocol_words[] = {PROTOCOLS(PROTOCOL_WORD)
                                                       PROTOCOLS_NOT_YET(PROTOCOL_NOT_YET){.name = NULL}};

static const struct value_word listen_tls_words[] = {{"none", CONFIG_TLS_NONE, VALUE_WORD_READY},
                                                     {"implicit", CONFIG_TLS_IMPLICIT, VALUE_WORD_READY},
                                                     {"starttls", CONFIG_TLS_STARTTLS, VALUE_WORD_READY},
                                                     {"starttls-optional", 0, VALUE_WORD_NOT_YET},
                                                     {.name = NULL}};

static const struct value_word connect_tls_words[] = {{"none", CONFIG_TLS_NONE, VALUE_WORD_READY},
                                                      {"implicit", CONFIG_TLS_IMPLICIT, VALUE_WORD_READY},
                                                      {"starttls", CONFIG_TLS_STARTTLS, VALUE_WORD_READY},
                                                      {.name = NULL}};

static const struct value_word sni_words[] = {{"any", CONFIG_SNI_ANY, VALUE_WORD_READY},
                                              {"known", CONFIG_SNI_KNOWN, VALUE_WORD_READY},
                                              {"required", CONFIG_SNI_REQUIRED, VALUE_WORD_READY},
                                              {.name = NULL}};

static const struct value_word peer_purpose_words[] = {{"client", CONFIG_PEER_PURPOSE_CLIENT, VALUE_WORD_READY},
                                                       {"server", CONFIG_PEER_PURPOSE_SERVER, VALUE_WORD_READY},
                                                       {"any", CONFIG_PEER_PURPOSE_ANY, VALUE_WORD_READY},
                                                       {.name = NULL}};
static const struct value_word peer_words[] = {{"none", CONFIG_PEER_NONE, VALUE_WORD_READY},
                                               {"request", CONFIG_PEER_REQUEST, VALUE_WORD_READY},
                                               {"require", CONFIG_PEER_REQUIRE, VALUE_WORD_READY},
                                               {.name = NULL}};

static const struct value_word revocation_words[] = {{"off", CONFIG_REVOCATION_OFF, VALUE_WORD_READY},
                                                     {"soft", CONFIG_REVOCATION_SOFT, VALUE_WORD_READY},
                                                     {"hard", CONFIG_REVOCATION_HARD, VALUE_WORD_READY},
                                                     {.name = NULL}};

static const struct value_word send_proxy_words[] = {{"none", CONFIG_SEND_PROXY_NONE, VALUE_WORD_READY},
                                                     {"v1", CONFIG_SEND_PROXY_V1, VALUE_WORD_READY},
                                                     {"v2", CONFIG_SEND_PROXY_V2, VALUE_WORD_READY},
                                                     {"v2-tls", CONFIG_SEND_PROXY_V2_TLS, VALUE_WORD_READY},
                                                     {.name = NULL}};

static const struct value_word accept_proxy_words[] = {{"none", CONFIG_ACCEPT_PROXY_NONE, VALUE_WORD_READY},
                                                       {"v1", CONFIG_ACCEPT_PROXY_V1, VALUE_WORD_READY},
                                                       {"v2", CONFIG_ACCEPT_PROXY_V2, VALUE_WORD_READY},
                                                       {"any", CONFIG_ACCEPT_PROXY_ANY, VALUE_WORD_READY},
                                                       {.name = NULL}};

static const struct value_word balance_words[] = {{"first", CONFIG_BALANCE_FIRST, VALUE_WORD_READY},
                                                  {"round", CONFIG_BALANCE_ROUND, VALUE_WORD_READY},
                                                  {"least", CONFIG_BALANCE_LEAST, VALUE_WORD_READY},
                                                  {.name = NULL}};

static const struct value_word ciphers_words[] = {{"intermediate", CONFIG_CIPHERS_INTERMEDIATE, VALUE_WORD_READY},
                                                  {"modern", CONFIG_CIPHERS_MODERN, VALUE_WORD_READY},
                                                  {.name = NULL}};

static const struct value_word no_suitable_identity_words[] = {{"only", CONFIG_NO_SUITABLE_ONLY, VALUE_WORD_READY},
                                                               {"none", CONFIG_NO_SUITABLE_NONE, VALUE_WORD_READY},
                                                               {.name = NULL}};

static const struct value_word tls_min_words[] = {
    {"1.2", 0x0303, VALUE_WORD_READY}, {"1.3", 0x0304, VALUE_WORD_READY}, {.name = NULL}};

/* Milliseconds. No time is 0: what never ends would be a way to hold a connection for ever. */
enum { MS = 1, SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
enum { OCSP_TIMEOUT_MAX_MS = MINUTE, CRL_TIMEOUT_MAX_MS = 10 * MINUTE };
enum { TIMEOUT_MIN_MS = 10 * MS, TIMEOUT_MAX_MS = HOUR, DRAIN_MAX_MS = 24 * HOUR, IDLE_MAX_MS = 168 * HOUR };

/* As many days as fit into 32 bits of milliseconds, and that end in a 5. */
#define EXPIRY_WARNING_MAX_MS (45u * 24 * HOUR)

#define YETT(field) .section = OPTION_YETT, .offset = offsetof(struct config, field)
#define ROLE(field)                                                                                                    \
    .section = OPTION_CONTROL_ROLES, .offset = offsetof(struct config, field),                                         \
    .count_offset = offsetof(struct config, field##_count), .kind = &option_kind_principal_list
#define MODULE(field)       .section = OPTION_MODULE, .offset = offsetof(struct config_module, field)
#define SERVICE(field)      .section = OPTION_SERVICE, .offset = offsetof(struct config_service, field)
#define SERVICE_LIST(field) SERVICE(field), .count_offset = offsetof(struct config_service, field##_count)

const struct option config_options[OPTION_COUNT] = {
    [OPTION_INCLUDE] = {"include", YETT(include), .count_offset = offsetof(struct config, include_count),
                        .kind = &option_kind_text_list, .default_value = "conf.d/*.conf",
                        .help = "Files read after this one, by name or pattern, relative to its folder."},
    [OPTION_WORKERS] = {"workers", YETT(workers), .kind = &option_kind_number, .min = 1, .max = 256,
                        .words = auto_words, .default_value = "auto",
                        .help = "Worker processes; auto is one for each core."},
    [OPTION_USER] = {"user", YETT(user), .kind = &option_kind_user, .default_text = "whoever yett is started as",
                     .help = "Whom workers become before their first connection."},
    [OPTION_CONTROL] = {"control", YETT(control), .kind = &option_kind_socket_path,
                        .default_value = "/run/yett/control.sock",
                        .help = "Path of the control socket, which yett status, reload, drain and stop talk to."},
    [OPTION_ADMIN] = {"admin", YETT(admin), .kind = &option_kind_address, .default_text = "off",
                      .help =
                          "Where /metrics, /healthz, /readyz and /status are served: a loopback address or unix:PATH."},
    [OPTION_DATABASE] = {"database", YETT(database), .kind = &option_kind_database, .default_text = "none",
                         .help = "The NSS database with certificates, keys and trust."},
    [OPTION_ACCELERATOR] = {"accelerator", YETT(accelerator), .kind = &option_kind_accelerator, .default_value = "auto",
                            .help = "What NSS computes handshakes with: yett's own module, or another."},
    [OPTION_FILE_KEYS] = {"file_keys", YETT(file_keys), .kind = &option_kind_word, .words = file_keys_words,
                          .default_value = "worker",
                          .help = "Who has the private keys of files: each worker, or a process of their own."},
    [OPTION_CRL_DIRECTORY] = {"crl_directory", YETT(crl_directory), .kind = &option_kind_text,
                              .default_value = "/var/lib/yett/crls", .help = "Where yett crl keeps CRLs."},
    [OPTION_INTERMEDIATES] = {"intermediates", YETT(intermediates), .kind = &option_kind_path_or_none,
                              .default_value = "/var/lib/yett/intermediates.pem",
                              .default_text = "/var/lib/yett/intermediates.pem, where that folder exists",
                              .help = "Where the intermediates of verified peers are remembered, across restarts."},
    [OPTION_LOG] = {"log", YETT(log), .kind = &option_kind_word, .words = log_words, .default_value = "stderr",
                    .help = "Where log lines go."},
    [OPTION_LOG_FORMAT] = {"log_format", YETT(log_format), .kind = &option_kind_word, .words = log_format_words,
                           .default_value = "logfmt", .help = "How log lines look: key=value, or JSON."},
    [OPTION_LOG_LEVEL] = {"log_level", YETT(log_level), .kind = &option_kind_word, .words = log_level_words,
                          .default_value = "info", .help = "The least important lines that are logged."},
    [OPTION_DRAIN_TIMEOUT] = {"drain_timeout", YETT(drain_timeout_ms), .kind = &option_kind_time, .min = TIMEOUT_MIN_MS,
                              .max = DRAIN_MAX_MS, .default_value = "30s",
                              .help = "How long open connections may go on after a stop or reload."},
    [OPTION_EXPIRY_WARNING] = {"expiry_warning", YETT(expiry_warning_ms), .kind = &option_kind_time, .min = 0,
                               .max = EXPIRY_WARNING_MAX_MS, .default_value = "14d",
                               .help = "How long before its end a certificate of ours is warned of."},
    [OPTION_HANDSHAKE_QUEUE_MAX] = {"handshake_queue_max", YETT(handshake_queue_max), .kind = &option_kind_number,
                                    .min = 1, .max = 1000000, .default_value = "1024",
                                    .help = "Handshakes of one worker that may wait for a thread."},
    [OPTION_BLOCKLIST] = {"blocklist", YETT(blocklist), .kind = &option_kind_file, .default_text = "none",
                          .help = "Certificates that are never accepted, of servers, clients and authorities."},
    [OPTION_ROOTS] = {"roots", YETT(roots), .kind = &option_kind_path_or_none,
                      .default_value = "/var/lib/yett/roots.list",
                      .help = "Where yett trust update keeps a newer list of Mozilla's roots."},
    [OPTION_DISTRUST] = {"distrust", YETT(distrust), .kind = &option_kind_file, .default_text = "none",
                         .help = "Roots that are trusted no longer, or only for what they signed before a date."},
    [OPTION_EV] = {"ev", YETT(ev), .kind = &option_kind_file, .default_text = "none",
                   .help = "Which policies of which roots mean extended validation."},
    [OPTION_INSECURE_NO_SECCOMP] = {"insecure_no_seccomp", YETT(insecure_no_seccomp), .kind = &option_kind_flag,
                                    .words = flag_words, .default_value = "no",
                                    .help = "Run without a filter of system calls where the kernel has none."},

    [OPTION_LOOK] = {"look", ROLE(look), .default_text = "nobody else",
                     .help = "Who else may see status and connections."},
    [OPTION_OPERATE] = {"operate", ROLE(operate), .default_text = "nobody else",
                        .help = "Who else may also reload, drain, and log tokens in and out."},
    [OPTION_ADMINISTER] = {"administer", ROLE(administer), .default_text = "nobody else",
                           .help = "Who else may do all that root may over the control socket."},

    [OPTION_PATH] = {"path", MODULE(path), .kind = &option_kind_module_path, .need = OPTION_REQUIRED,
                     .help = "The PKCS#11 module's shared object."},
    [OPTION_PIN] = {"pin", MODULE(pin_source), .count_offset = offsetof(struct config_module, pin_type),
                    .kind = &option_kind_pin, .default_text = "none",
                    .help = "Where the PIN is; never the PIN itself."},
    [OPTION_ENVIRONMENT] = {"environment", MODULE(environment),
                            .count_offset = offsetof(struct config_module, environment_count),
                            .kind = &option_kind_environment_list, .default_text = "none",
                            .help = "Variables added to the module's environment."},
    [OPTION_SESSIONS_MAX] = {"sessions_max", MODULE(sessions_max), .kind = &option_kind_number, .min = 1, .max = 256,
                             .default_value = "8", .help = "Signatures the module makes at the same time."},
    [OPTION_QUEUE_MAX] = {"queue_max", MODULE(queue_max), .kind = &option_kind_number, .min = 1, .max = 65536,
                          .default_value = "64", .help = "Signatures that may wait; one more is refused."},
    [OPTION_SIGN_TIMEOUT] = {"sign_timeout", MODULE(sign_timeout_ms), .kind = &option_kind_time, .min = TIMEOUT_MIN_MS,
                             .max = TIMEOUT_MAX_MS, .default_value = "10s",
                             .help = "How long one signature may take, waiting included."},
    [OPTION_PARAMETERS] = {"parameters", MODULE(parameters), .kind = &option_kind_parameters, .default_text = "none",
                           .help = "A string that the module is initialised with, as NSS's own token wants it."},
    [OPTION_SERIALISE] = {"serialise", MODULE(serialise), .kind = &option_kind_flag, .words = flag_words,
                          .default_value = "no", .help = "Call the module for one thing at a time."},
    [OPTION_INSECURE_PROGRAMS] = {"insecure_programs", MODULE(insecure_programs), .kind = &option_kind_flag,
                                  .words = flag_words, .default_value = "no",
                                  .help = "The module may start other programs."},

    [OPTION_PROTOCOL] = {"protocol", SERVICE(protocol), .kind = &option_kind_word, .words = config_protocol_words,
                         .default_value = "tcp", .help = "What is spoken inside."},
    [OPTION_LISTEN] = {"listen", SERVICE_LIST(listen), .kind = &option_kind_address_list, .need = OPTION_REQUIRED,
                       .help = "Where clients connect."},
    [OPTION_LISTEN_TLS] = {"listen_tls", SERVICE(listen_tls), .kind = &option_kind_word, .words = listen_tls_words,
                           .default_value = "none", .help = "TLS with clients."},
    [OPTION_SERVER_NAME] = {"server_name", SERVICE_LIST(server_name), .kind = &option_kind_server_name_list,
                            .default_text = "every name",
                            .help = "Which names lead here, where services share an address."},
    [OPTION_ACCEPT_PROXY] = {"accept_proxy", SERVICE(accept_proxy), .kind = &option_kind_word,
                             .words = accept_proxy_words, .default_value = "none",
                             .help = "The PROXY header with which a balancer tells who its client is."},
    [OPTION_ACCEPT_PROXY_FROM] = {"accept_proxy_from", SERVICE_LIST(accept_proxy_from),
                                  .kind = &option_kind_network_list, .default_text = "none",
                                  .help = "The balancers that send it; nobody else may."},
    [OPTION_ALLOW_CLIENT] = {"allow_client", SERVICE_LIST(allow_client), .kind = &option_kind_network_list,
                             .default_text = "everybody", .help = "From which addresses clients may come."},
    [OPTION_IDENTITY] = {"identity", SERVICE_LIST(identity), .kind = &option_kind_identity_list, .default_text = "none",
                         .help = "Certificates with keys shown to clients; without TLS there, to the server."},
    [OPTION_SNI] = {"sni", SERVICE(sni), .kind = &option_kind_word, .words = sni_words, .default_value = "any",
                    .help = "Which server names a client may ask for."},
    [OPTION_ALPN] = {"alpn", SERVICE_LIST(alpn), .kind = &option_kind_text_list, .default_text = "the protocol's own",
                     .help = "ALPN identifiers offered to clients; protocol tcp only."},
    [OPTION_OCSP_STAPLE] = {"ocsp_staple", SERVICE(ocsp_staple), .kind = &option_kind_text, .default_text = "none",
                            .help = "An OCSP response (DER) shown to clients with the certificate."},
    [OPTION_PEER] = {"peer", SERVICE(peer), .kind = &option_kind_word, .words = peer_words, .default_value = "none",
                     .help = "Whether clients are asked for a certificate."},
    [OPTION_PEER_PURPOSE] = {"peer_purpose", SERVICE(peer_purpose), .kind = &option_kind_word,
                             .words = peer_purpose_words, .default_value = "client",
                             .help = "Which extended key usage a client's certificate must allow."},
    [OPTION_PEER_TRUST] = {"peer_trust", SERVICE_LIST(peer_trust), .kind = &option_kind_trust_list,
                           .default_text = "none", .help = "Who may have issued clients' certificates."},
    [OPTION_ALLOW] = {"allow", SERVICE_LIST(allow), .kind = &option_kind_allow_list, .default_text = "none",
                      .help = "Which verified clients may pass; any one rule is enough."},
    [OPTION_CONNECT] = {"connect", SERVICE_LIST(connect), .kind = &option_kind_address_list, .default_text = "none",
                        .help = "The server; several are tried in turn."},
    [OPTION_BALANCE] = {"balance", SERVICE(balance), .kind = &option_kind_word, .words = balance_words,
                        .default_value = "first", .help = "Which of several servers is tried first."},
    [OPTION_CONNECT_TLS] = {"connect_tls", SERVICE(connect_tls), .kind = &option_kind_word, .words = connect_tls_words,
                            .default_value = "none", .help = "TLS with the server."},
    [OPTION_CONNECT_IDENTITY] = {"connect_identity", SERVICE_LIST(connect_identity), .kind = &option_kind_identity_list,
                                 .default_text = "none",
                                 .help = "Certificates with keys for a server that asks for one."},
    [OPTION_NO_SUITABLE_IDENTITY] = {"no_suitable_identity", SERVICE(no_suitable_identity), .kind = &option_kind_word,
                                     .words = no_suitable_identity_words, .default_value = "only",
                                     .help = "What a server gets whose list of authorities fits no certificate."},
    [OPTION_VERIFY_NAME] = {"verify_name", SERVICE(verify_name), .kind = &option_kind_host,
                            .default_text = "the host in connect",
                            .help = "The name the server's certificate must have."},
    [OPTION_TRUST] = {"trust", SERVICE_LIST(trust), .kind = &option_kind_trust_list, .default_value = "mozilla",
                      .help = "Who may have issued the server's certificate."},
    [OPTION_REVOCATION] = {"revocation", SERVICE(revocation), .kind = &option_kind_word, .words = revocation_words,
                           .default_value = "soft",
                           .help =
                               "What is done about revoked certificates, and about those of which nothing is known."},
    [OPTION_CRL] = {"crl", SERVICE_LIST(crl), .kind = &option_kind_crl_list, .default_text = "none",
                    .help = "Certificate revocation lists."},
    [OPTION_OCSP_FETCH] = {"ocsp_fetch", SERVICE(ocsp_fetch), .kind = &option_kind_flag, .words = flag_words,
                           .default_value = "yes", .help = "Ask the OCSP responder that a certificate names."},
    [OPTION_OCSP_TIMEOUT] = {"ocsp_timeout", SERVICE(ocsp_timeout_ms), .kind = &option_kind_time, .min = TIMEOUT_MIN_MS,
                             .max = OCSP_TIMEOUT_MAX_MS, .default_value = "2s",
                             .default_text = "2s, with revocation hard 10s",
                             .help = "For asking about one certificate."},
    [OPTION_CRL_FETCH] = {"crl_fetch", SERVICE(crl_fetch), .kind = &option_kind_flag, .words = flag_words,
                          .default_value = "no", .default_text = "no, with revocation hard yes",
                          .help = "Fetch the CRL that a certificate names, and keep it fresh."},
    [OPTION_CRL_TIMEOUT] = {"crl_timeout", SERVICE(crl_timeout_ms), .kind = &option_kind_time, .min = TIMEOUT_MIN_MS,
                            .max = CRL_TIMEOUT_MAX_MS, .default_value = "10s",
                            .help = "With revocation hard, how long a handshake waits for a CRL that is fetched."},
    [OPTION_ISSUER_FETCH] = {"issuer_fetch", SERVICE_LIST(issuer_fetch), .kind = &option_kind_issuer_host_list,
                             .default_text = "none",
                             .help = "From where issuers that a peer did not send may be fetched."},
    [OPTION_VIA] = {"via", SERVICE(via), .kind = &option_kind_address, .default_text = "none",
                    .help = "An HTTP proxy through which to reach the server."},
    [OPTION_SEND_PROXY] = {"send_proxy", SERVICE(send_proxy), .kind = &option_kind_word, .words = send_proxy_words,
                           .default_value = "none",
                           .help = "The PROXY header that tells the server who the client is."},
    [OPTION_ALLOW_TARGET] = {"allow_target", SERVICE_LIST(allow_target), .kind = &option_kind_allow_target_list,
                             .default_text = "none", .help = "Where clients of an http-proxy may go."},
    [OPTION_PIN_SPKI_SHA256] = {"pin_spki_sha256", SERVICE_LIST(pin_spki_sha256), .kind = &option_kind_sha256_list,
                                .default_text = "none",
                                .help = "Public keys of which one must be on the path of every verified peer."},
    [OPTION_POLICY] = {"policy", SERVICE_LIST(policy), .kind = &option_kind_policy_list, .default_text = "none",
                       .help = "Certificate policies of which one must hold for every verified peer."},
    [OPTION_CIPHERS] = {"ciphers", SERVICE(ciphers), .kind = &option_kind_word, .words = ciphers_words,
                        .default_value = "intermediate", .help = "The cipher suites, on both sides."},
    [OPTION_TLS_MIN] = {"tls_min", SERVICE(tls_min), .kind = &option_kind_word, .words = tls_min_words,
                        .default_value = "1.2", .help = "The oldest version of TLS, on both sides."},
    [OPTION_GROUPS] = {"groups", SERVICE(groups), .count_offset = offsetof(struct config_service, group_count),
                       .kind = &option_kind_group_list, .words = auto_words, .default_value = "auto",
                       .help = "The groups for agreeing on keys, on both sides, the one that is liked best first."},
    [OPTION_GREETING_NAME] = {"greeting_name", SERVICE(greeting_name), .kind = &option_kind_host,
                              .default_text = "the machine's host name", .help = "Our name in greetings and EHLO."},
    [OPTION_CONNECT_TIMEOUT] = {"connect_timeout", SERVICE(connect_timeout_ms), .kind = &option_kind_time,
                                .min = TIMEOUT_MIN_MS, .max = TIMEOUT_MAX_MS, .default_value = "10s",
                                .help = "For finding and reaching a server, all of them together."},
    [OPTION_HANDSHAKE_TIMEOUT] = {"handshake_timeout", SERVICE(handshake_timeout_ms), .kind = &option_kind_time,
                                  .min = TIMEOUT_MIN_MS, .max = TIMEOUT_MAX_MS, .default_value = "30s",
                                  .default_text = "30s, with STARTTLS 60s", .help = "For everything until TLS is up."},
    [OPTION_IDLE_TIMEOUT] = {"idle_timeout", SERVICE(idle_timeout_ms), .kind = &option_kind_time, .min = TIMEOUT_MIN_MS,
                             .max = IDLE_MAX_MS, .default_value = "30m",
                             .default_text = "30m, with smtp 10m, with postgres 24h",
                             .help = "For a connection on which nothing moves."},
    [OPTION_HALF_CLOSE_TIMEOUT] = {"half_close_timeout", SERVICE(half_close_timeout_ms), .kind = &option_kind_time,
                                   .min = TIMEOUT_MIN_MS, .max = IDLE_MAX_MS, .default_value = "30s",
                                   .help = "For the other direction, once one has ended."},
    [OPTION_HTTP_REQUEST_HEAD_MAX] = {"http_request_head_max", SERVICE(http_request_head_max_bytes),
                                      .kind = &option_kind_size, .min = CONFIG_HTTP_HEAD_BYTES_MIN,
                                      .max = CONFIG_HTTP_HEAD_BYTES_MAX, .default_value = "64K",
                                      .help = "The longest head of a request, http-proxy only."},
    [OPTION_HTTP_RESPONSE_HEAD_MAX] = {"http_response_head_max", SERVICE(http_response_head_max_bytes),
                                       .kind = &option_kind_size, .min = CONFIG_HTTP_HEAD_BYTES_MIN,
                                       .max = CONFIG_HTTP_HEAD_BYTES_MAX, .default_value = "256K",
                                       .help = "The longest head of a response, of http-proxy's targets and of via."},
    [OPTION_HTTP_FIELD_MAX] = {"http_field_max", SERVICE(http_field_max_bytes), .kind = &option_kind_size,
                               .min = CONFIG_HTTP_FIELD_BYTES_MIN, .max = CONFIG_HTTP_HEAD_BYTES_MAX,
                               .default_value = "64K",
                               .help = "The longest line of such a head: the first one, or a field."},
    [OPTION_HTTP_FIELDS_MAX] = {"http_fields_max", SERVICE(http_fields_max), .kind = &option_kind_number,
                                .min = CONFIG_HTTP_FIELDS_MIN, .max = CONFIG_HTTP_FIELDS_MAX, .default_value = "200",
                                .help = "The most fields of such a head."},
    [OPTION_CONNECTIONS_MAX] = {"connections_max", SERVICE(connections_max), .kind = &option_kind_number, .min = 1,
                                .max = 1000000, .default_value = "10000", .help = "Connections of one worker."},
    [OPTION_CONNECTIONS_PER_ADDRESS_MAX] = {"connections_per_address_max", SERVICE(connections_per_address_max),
                                            .kind = &option_kind_number, .min = 0, .max = 1000000,
                                            .default_value = "256",
                                            .help = "Connections of one worker from one address; 0 is no limit."},
    [OPTION_INSECURE_PLAINTEXT_LISTEN] = {"insecure_plaintext_listen", SERVICE(insecure_plaintext_listen),
                                          .kind = &option_kind_flag, .words = flag_words, .default_value = "no",
                                          .help = "Accept clients without TLS on an address others can reach."},
    [OPTION_INSECURE_PLAINTEXT_CONNECT] = {"insecure_plaintext_connect", SERVICE(insecure_plaintext_connect),
                                           .kind = &option_kind_flag, .words = flag_words, .default_value = "no",
                                           .help = "Talk without TLS to a server on another machine."},
    [OPTION_INSECURE_NO_VERIFY] = {"insecure_no_verify", SERVICE(insecure_no_verify), .kind = &option_kind_flag,
                                   .words = flag_words, .default_value = "no",
                                   .help = "Take any certificate of the server: anyone on the way can read along."},
    [OPTION_INSECURE_SMTP_LOOPBACK_RELAY] = {"insecure_smtp_loopback_relay", SERVICE(insecure_smtp_loopback_relay),
                                             .kind = &option_kind_flag, .words = flag_words, .default_value = "no",
                                             .help =
                                                 "Hand mail to port 25 of this machine without send_proxy, although "
                                                 "a mail server relays everything that comes from itself."},
};

static const struct {
    const char *name, *text;
} sections[] = {
    [OPTION_YETT] = {"yett", "[yett]"},
    [OPTION_CONTROL_ROLES] = {"control", "[control]"},
    [OPTION_MODULE] = {"module", "[module NAME]"},
    [OPTION_SERVICE] = {"service", "[service NAME]"},
};
static_assert(ARRAY_LEN(sections) == OPTION_SECTION_COUNT, "one name for each section");

const char *option_section_name(enum option_section section)
{
    return sections[section].name;
}

const char *option_section_text(enum option_section section)
{
    return sections[section].text;
}

const struct option *option_find(enum option_section section, const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (config_options[i].section == section && strcmp(config_options[i].name, name) == 0)
            return &config_options[i];
    return NULL;
}

/* Names that the documentation of later versions has, so that nobody is told that another one was meant. Those which
 * this version has are found before. */
static const char *const planned[] = {
    "admin_host",      "connect_for", "connect_credentials", "connect_token", "expiry_warning",
    "file_keys",       "forwarded",   "peer_purpose",        "send_xclient",  "start",
    "ticket_lifetime", "users",       "via_credentials",     "watch",         "allow_plain_target",
};

static bool is_planned(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(planned); i++)
        if (strcmp(planned[i], name) == 0)
            return true;
    return false;
}

const struct option *option_meant(enum option_section section, const char *name)
{
    const char *names[OPTION_COUNT];
    const char *nearest;
    size_t count = 0;

    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (config_options[i].section == section)
            names[count++] = config_options[i].name;
    nearest = is_planned(name) ? NULL : value_nearest(name, names, count);
    return nearest == NULL ? NULL : option_find(section, nearest);
}

char *option_unknown(enum option_section section, const char *name)
{
    const char *here = sections[section].text;
    const struct option *meant;
    char *quoted, *sentence;

    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strcmp(config_options[i].name, name) == 0)
            return base_printf("%s does not belong in %s but in %s", name, here,
                               sections[config_options[i].section].text);
    if (is_planned(name))
        return base_printf("%s is not in this version", name);
    meant = option_meant(section, name);
    quoted = value_quote(name);
    sentence = meant == NULL ? base_printf("%s has no key %s", here, quoted)
                             : base_printf("%s has no key %s; did you mean %s?", here, quoted, meant->name);
    free(quoted);
    return sentence;
}

void options_default(enum option_section section, void *target, struct config_place place)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &config_options[i];
        char *error = NULL;

        if (o->section == section && o->default_value != NULL &&
            !o->kind->parse(o, target, place, o->default_value, &error))
            base_abort("the default of %s: %s", o->name, error);
    }
}

void options_clear(enum option_section section, void *target)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (config_options[i].section == section)
            config_options[i].kind->clear(&config_options[i], target);
}

void config_describe(FILE *out)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &config_options[i];
        const char *fallback = o->default_text != NULL ? o->default_text : o->default_value;
        char *words = o->words == NULL ? NULL : value_word_list(o->words, "|");
        const char *form = o->kind->form == NULL ? words : o->kind->form;

        fprintf(out, "%s %s | %s%s%s | %s | %s\n", sections[o->section].text, o->name, form,
                o->kind->form != NULL && words != NULL ? "|" : "", o->kind->form != NULL && words != NULL ? words : "",
                o->need == OPTION_REQUIRED ? "required" : fallback, o->help);
        free(words);
    }
}

const char *config_protocol_name(enum config_protocol protocol)
{
    return config_protocol_words[protocol].name; /* those that are ready come first, in the list's order */
}
