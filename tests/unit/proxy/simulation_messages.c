/* see tests/unit/proxy/simulation_speeches.h: protocols that are spoken in messages with a length */
#include "simulation_speeches.h"

enum { MANY = 700 /* more than a filter lets be without an answer */ };

/* ---- LDAP ---- */

#define LDAP_STARTTLS                                                                                                  \
    "0\x1d\x02\x01\x01w\x18\x80\x16"                                                                                   \
    "1.3.6.1.4.1.1466.20037"
#define LDAP_STARTTLS_KEPT_OUT                                                                                         \
    "0\x1d\x02\x01\x01w\x18\x80\x16"                                                                                   \
    "1.3.6.1.4.1.1466.20000"
#define LDAP_GO                                                                                                        \
    "0$\x02\x01\x01x\x1f\x0a\x01%0\x04%0\x04%0\x8a\x16"                                                                \
    "1.3.6.1.4.1.1466.20037"
#define LDAP_UNKNOWN "0\x0c\x02\x01\x01x\x07\x0a\x01\x02\x04%0\x04%0"
#define LDAP_BIND                                                                                                      \
    "0\x16\x02\x01\x02`\x11\x02\x01\x03\x04\x04"                                                                       \
    "cn=a\x80\x06secret"
#define LDAP_BIND_NO                                                                                                   \
    "0\x1e\x02\x01\x02"                                                                                                \
    "a\x19\x0a\x01\x0d\x04%0\x04\x12Say StartTLS first"
#define LDAP_BIND_GO                                                                                                   \
    "0\x0c\x02\x01\x02"                                                                                                \
    "a\x07\x0a\x01%0\x04%0\x04%0"
#define LDAP_SASL "0\x16\x02\x01\x09`\x11\x02\x01\x03\x04%0\xa3\x0a\x04\x05PLAIN\x04\x01x"
#define LDAP_SASL_GO                                                                                                   \
    "0\x0c\x02\x01\x09"                                                                                                \
    "a\x07\x0a\x01%0\x04%0\x04%0"
#define LDAP_ROOT                                                                                                      \
    "0(\x02\x01\x01"                                                                                                   \
    "d#\x04%0"                                                                                                         \
    "0\x1f"                                                                                                            \
    "0\x1d\x04\x01"                                                                                                    \
    "a1\x18\x04\x16"                                                                                                   \
    "1.3.6.1.4.1.1466.20037"
#define LDAP_ROOT_KEPT_OUT                                                                                             \
    "0(\x02\x01\x01"                                                                                                   \
    "d#\x04%0"                                                                                                         \
    "0\x1f"                                                                                                            \
    "0\x1d\x04\x01"                                                                                                    \
    "a1\x18\x04\x16"                                                                                                   \
    "1.3.6.1.4.1.1466.20000"
#define LDAP_DONE                                                                                                      \
    "0\x0c\x02\x01\x01"                                                                                                \
    "e\x07\x0a\x01%0\x04%0\x04%0"
#define LDAP_UNBIND                                                                                                    \
    "0\x05\x02\x01\x06"                                                                                                \
    "B%0"
#define LDAP_LEAVE                                                                                                     \
    "0\x05\x02\x01\x02"                                                                                                \
    "B%0"
#define LDAP_ASK                                                                                                       \
    "0>\x02\x01\x01"                                                                                                   \
    "c9\x04%0\x0a\x01%0\x0a\x01%0\x02\x01%0\x02\x01%0\x01\x01%0\x87\x0bobjectClass0\x19\x04\x17supportedSASLMechanisms"
#define LDAP_ONE "\x30\x06\x02\x01\x05\x66\x01u"

static const steps ldap_client_opens = {
    SAY(LDAP_BIND), SEE(LDAP_BIND_NO), SAY(LDAP_STARTTLS), SEE(LDAP_GO), HELLOS, END};
static const steps ldap_server_opens = {SEE(LDAP_STARTTLS), SAY(LDAP_GO), ACCEPT, END};
static const steps ldap_words_client = {SAY(LDAP_BIND),
                                        SEE(LDAP_BIND_GO),
                                        SAY(LDAP_STARTTLS),
                                        SEE(LDAP_UNKNOWN LDAP_ROOT_KEPT_OUT),
                                        SAY(LDAP_SASL),
                                        SEE(LDAP_SASL_GO),
                                        STREAM,
                                        END};
static const steps ldap_words_server = {SEE(LDAP_BIND),
                                        SAY(LDAP_BIND_GO),
                                        SEE(LDAP_STARTTLS_KEPT_OUT),
                                        SAY(LDAP_UNKNOWN LDAP_ROOT),
                                        SEE(LDAP_SASL),
                                        SAY(LDAP_SASL_GO),
                                        STREAM,
                                        END};
static const steps ldap_many_client = {SAY_EACH(MANY, LDAP_ONE), SEE_EACH(MANY, LDAP_DONE), SAY(LDAP_UNBIND), AWAIT_END,
                                       END};
static const steps ldap_many_server = {ANSWER_EACH(MANY, LDAP_ONE, LDAP_DONE), SEE(LDAP_UNBIND), END};
static const steps ldap_cut_client = {SAY("\x30\x05\x02"), LEAVE, SEE("\x30\x05"), AWAIT_END, END};
static const steps ldap_cut_server = {SEE("\x30\x05\x02"), AWAIT_END, SAY("\x30\x05"), END};
static const steps ldap_probed = {SEE(LDAP_ASK), SAY(LDAP_ROOT LDAP_DONE), SEE(LDAP_LEAVE), END};

static const struct conversation ldap_conversations[] = {{"words", ldap_words_client, ldap_words_server, PAYLOAD_BOTH},
                                                         {"many", ldap_many_client, ldap_many_server, PAYLOAD_MANY},
                                                         {"cut", ldap_cut_client, ldap_cut_server, 0},
                                                         {NULL, NULL, NULL, 0}};

const struct speech simulation_ldap = {"ldap",
                                       CONFIG_PROTOCOL_LDAP,
                                       ldap_client_opens,
                                       ldap_server_opens,
                                       NULL,
                                       NULL,
                                       false,
                                       ldap_conversations,
                                       ldap_probed,
                                       false};

/* ---- PostgreSQL ---- */

#define PG_SSL     "%0%0%0\x08\x04\xd2\x16\x2f"
#define PG_GSS     "%0%0%0\x08\x04\xd2\x16\x30"
#define PG_CANCEL  "%0%0%0\x10\x04\xd2\x16\x2e%0%0\x12\x34key!"
#define PG_STARTUP "%0%0%0\x11%0\x03%0%0user%0me%0%0"

#define PG_SASL           "R%0%0%0\x10%0%0%0\x0aX-PLUS%0%0"
#define PG_AUTHENTICATION "R%0%0%0\x09%0%0%0\x0a%0"

static const steps postgres_client_opens = {SAY(PG_GSS), SEE("N"), SAY(PG_SSL), SEE("S"), HELLOS, END};
static const steps postgres_server_opens = {SEE(PG_SSL), SAY("S"), ACCEPT, END};
static const steps postgres_session_client = {SAY(PG_STARTUP), SEE(PG_AUTHENTICATION), STREAM, END};
static const steps postgres_session_server = {SEE(PG_STARTUP), SAY(PG_SASL), STREAM, END};
static const steps postgres_asks_client = {SAY(PG_SSL), SEE("N"), SAY(PG_STARTUP), TELL, SEE(PG_AUTHENTICATION),
                                           HEAR,        END};
static const steps postgres_asks_server = {SEE(PG_STARTUP), SAY(PG_SASL), TELL, HEAR, END};
static const steps postgres_cancel_client = {SAY(PG_CANCEL), AWAIT_END, END};
static const steps postgres_cancel_server = {SEE(PG_CANCEL), END};
static const steps postgres_leaves_client = {SAY(PG_CANCEL), END}; /* before anybody has heard it */
static const steps postgres_probed = {SEE("%0%0%0\x21%0\x03%0%0user%0yett%0database%0yett%0%0"),
                                      SAY("R%0%0%0\x08%0%0%0%0"), SEE("X%0%0%0\x04"), END};

static const struct conversation postgres_conversations[] = {
    {"session", postgres_session_client, postgres_session_server, PAYLOAD_BOTH},
    {"asks", postgres_asks_client, postgres_asks_server, PAYLOAD_BOTH},
    {"cancel", postgres_cancel_client, postgres_cancel_server, 0},
    {"leaves", postgres_leaves_client, postgres_cancel_server, 0},
    {NULL, NULL, NULL, 0}};

const struct speech simulation_postgres = {"postgres",
                                           CONFIG_PROTOCOL_POSTGRES,
                                           postgres_client_opens,
                                           postgres_server_opens,
                                           NULL,
                                           NULL,
                                           false,
                                           postgres_conversations,
                                           postgres_probed,
                                           false};
