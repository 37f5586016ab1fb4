/* see proxy/session/spoken.h */
#include "proxy/session/spoken.h"

#include <string.h>

#define HTTP_CLIENT "the client speaks plain HTTP: it should use https, or another port"
#define SMTP_TARGET "the target speaks plain SMTP: connect_tls should be starttls"
#define HTTP_TARGET "the target speaks plain HTTP: connect should name its https port"
#define SMTP_CLIENT                                                                                                    \
    "the client speaks plain SMTP: it should use implicit TLS here, or the service protocol = smtp and listen_tls = "  \
    "starttls"
#define IMAP_CLIENT                                                                                                    \
    "the client speaks plain IMAP: it should use implicit TLS here, or the service protocol = imap and listen_tls = "  \
    "starttls"
#define POP3_CLIENT                                                                                                    \
    "the client speaks plain POP3: it should use implicit TLS here, or the service protocol = pop3 and listen_tls = "  \
    "starttls"
#define STARTTLS_HERE "its protocol and listen_tls = starttls"
#define POSTGRESQL_CLIENT                                                                                              \
    "the client speaks PostgreSQL, which asks for TLS in words of its own: it should begin with TLS "                  \
    "(sslnegotiation=direct), or the service have protocol = postgres and listen_tls = starttls"
#define LDAP_CLIENT                                                                                                    \
    "the client speaks plain LDAP: it should use ldaps here, or the service protocol = ldap and listen_tls = starttls"
#define SSH_PEER "the peer speaks SSH, which has no TLS: another port is meant"
#define PROXY_CLIENT                                                                                                   \
    "the client sends a PROXY header, which is not expected here: if it is a balancer of yours, set accept_proxy and " \
    "accept_proxy_from, or have it send none"
#define PROXY_TARGET "the target sends a PROXY header, which only who connects may: see that the port is the right one"

/* What begins like this. Letters of either case are the same. NULL: that side does not begin like this. */
static const struct spoken {
    const char *start;
    size_t size;
    const char *client, *target;
} table[] = {
#define SPOKEN(start, client, target)                                                                                  \
    {                                                                                                                  \
        start, sizeof(start) - 1, client, target                                                                       \
    }
    SPOKEN("GET ", HTTP_CLIENT, NULL),
    SPOKEN("POST ", HTTP_CLIENT, NULL),
    SPOKEN("HEAD ", HTTP_CLIENT, NULL),
    SPOKEN("PUT ", HTTP_CLIENT, NULL),
    SPOKEN("DELETE ", HTTP_CLIENT, NULL),
    SPOKEN("PATCH ", HTTP_CLIENT, NULL),
    SPOKEN("OPTIONS ", HTTP_CLIENT, NULL),
    SPOKEN("PRI * HTTP/2", HTTP_CLIENT, NULL),
    SPOKEN("CONNECT ", "the client speaks to an HTTP proxy: the service should have protocol = http-proxy", NULL),
    SPOKEN("HTTP/", NULL, HTTP_TARGET),
    SPOKEN("<!DOCTYPE", NULL, HTTP_TARGET), /* HTTP/0.9, with which some answer what they cannot read */
    SPOKEN("<html", NULL, HTTP_TARGET),
    SPOKEN("EHLO", SMTP_CLIENT, NULL),
    SPOKEN("HELO", SMTP_CLIENT, NULL),
    SPOKEN("LHLO", "the client speaks plain LMTP: the service should have protocol = lmtp and listen_tls = starttls",
           NULL),
    SPOKEN("220", NULL, SMTP_TARGET),
    SPOKEN("554", NULL,
           SMTP_TARGET), /* who speaks before the greeting: Postfix since 3.9, smtpd_forbid_unauth_pipelining */
    SPOKEN("421", NULL, SMTP_TARGET),
    SPOKEN("* OK", NULL, "the target speaks plain IMAP: connect_tls should be starttls"),
    SPOKEN("* BYE", NULL, "the target speaks plain IMAP, and refuses to serve: connect_tls should be starttls"),
    SPOKEN("* PREAUTH", NULL, "the target speaks plain IMAP: connect_tls should be starttls"),
    SPOKEN("+OK", NULL, "the target speaks plain POP3: connect_tls should be starttls"),
    SPOKEN("200 ", NULL, "the target speaks plain NNTP: connect_tls should be starttls"),
    SPOKEN("201 ", NULL, "the target speaks plain NNTP: connect_tls should be starttls"),
    SPOKEN("\"IMPLEMENTATION\"", NULL, "the target speaks plain ManageSieve: connect_tls should be starttls"),
    SPOKEN("MAIL FROM", SMTP_CLIENT, NULL),
    SPOKEN("CAPA\r\n", POP3_CLIENT, NULL),
    SPOKEN("CAPA\n", POP3_CLIENT, NULL),
    SPOKEN("STLS", POP3_CLIENT, NULL),
    SPOKEN("APOP ", POP3_CLIENT, NULL),
    SPOKEN(
        "STARTTLS",
        "the client asks for STARTTLS, where TLS comes first: it should use implicit TLS here, or the service " STARTTLS_HERE,
        NULL),
    SPOKEN("AUTH ",
           "the client speaks plain SMTP or POP3: it should use implicit TLS here, or the service " STARTTLS_HERE,
           NULL),
    SPOKEN("QUIT",
           "the client speaks plain SMTP, POP3 or FTP: it should use implicit TLS here, or the service " STARTTLS_HERE,
           NULL),
    SPOKEN("NOOP",
           "the client speaks plain SMTP, POP3 or FTP: it should use implicit TLS here, or the service " STARTTLS_HERE,
           NULL),
    SPOKEN("USER ", "the client speaks plain POP3 or FTP: it should use implicit TLS here", NULL),
    SPOKEN("SSH-", SSH_PEER, SSH_PEER),
    SPOKEN("\0\0\0\x08\x04\xd2\x16\x2f", POSTGRESQL_CLIENT, NULL), /* SSLRequest */
    SPOKEN("\0\0\0\x08\x04\xd2\x16\x30", POSTGRESQL_CLIENT, NULL), /* GSSENCRequest */
    SPOKEN("PROXY ", PROXY_CLIENT, PROXY_TARGET),
    SPOKEN("\r\n\r\n\0\r\nQUIT\n", PROXY_CLIENT, PROXY_TARGET),
    SPOKEN("\x05\x01", "the client speaks SOCKS: it is configured for another kind of proxy", NULL),
    SPOKEN("\x05\x02", "the client speaks SOCKS: it is configured for another kind of proxy", NULL),
    SPOKEN("\x04\x01", "the client speaks SOCKS: it is configured for another kind of proxy", NULL),
    SPOKEN("\x03\0\0", "the client speaks RDP, which asks for TLS in words of its own: no service here is for it",
           NULL),
    SPOKEN("*1\r\n$", "the client speaks plain Redis: it should use TLS (rediss)", NULL),
    SPOKEN("*2\r\n$", "the client speaks plain Redis: it should use TLS (rediss)", NULL),
    SPOKEN("<?xml", "the client speaks plain XMPP: it should use direct TLS", NULL),
    SPOKEN("<stream", "the client speaks plain XMPP: it should use direct TLS", NULL),
#undef SPOKEN
};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool starts_with_text(struct span first, const char *text, size_t size)
{
    if (first.size < size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (lower(first.data[i]) != lower((uint8_t)text[i]))
            return false;
    return true;
}

/* A PostgreSQL client that asks for no TLS: a length, and protocol version 3.0. */
static bool is_postgresql_startup(struct span first)
{
    return first.size >= 8 && first.data[0] == 0 && first.data[1] == 0 && memcmp(first.data + 4, "\0\x03\0", 3) == 0;
}

/* An LDAPMessage (RFC 4511 section 4.2): a SEQUENCE whose first element is a messageID of one to four bytes. */
static bool is_ldap(struct span first)
{
    size_t at = 2;

    if (first.size < 5 || first.data[0] != 0x30)
        return false;
    if ((first.data[1] & 0x80) != 0)
        at += first.data[1] & 0x7f;
    return at + 2 < first.size && first.data[at] == 0x02 && first.data[at + 1] >= 1 && first.data[at + 1] <= 4;
}

/* An IMAP client's command (RFC 3501 section 2.2.1): a tag of its own choice, and one of those that come first. As few
 * bytes of its name as there are, but three. */
static bool is_imap(struct span first)
{
    static const char *const commands[] = {"CAPABILITY", "LOGIN ", "AUTHENTICATE ", "STARTTLS",
                                           "NOOP",       "LOGOUT", "ID ",           "ENABLE "};
    size_t tag = 0;

    while (tag < first.size && first.data[tag] > ' ' && first.data[tag] < 0x7f && first.data[tag] != '{' &&
           first.data[tag] != '*' && first.data[tag] != '+' && first.data[tag] != '"')
        tag++;
    if (tag == 0 || tag + 3 >= first.size || first.data[tag] != ' ')
        return false;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        size_t size = strlen(commands[i]), have = first.size - tag - 1;

        if (starts_with_text(span_skip(first, tag + 1), commands[i], size < have ? size : have))
            return true;
    }
    return false;
}

/* MySQL and MariaDB: a length of three bytes, number 0, and protocol version 10. */
static bool is_mysql_greeting(struct span first)
{
    return first.size >= 5 && first.data[2] == 0 && first.data[3] == 0 && first.data[4] == 10;
}

/* MQTT (OASIS MQTT 3.1.1 section 3.1): CONNECT, a length of up to four bytes, and the protocol's name. */
static bool is_mqtt(struct span first)
{
    for (size_t at = 2; first.size >= 8 && first.data[0] == 0x10 && at <= 5 && at + 6 <= first.size; at++)
        if (memcmp(first.data + at, "\0\x04MQTT", 6) == 0)
            return true;
    return false;
}

bool spoken_is_tls(struct span first)
{
    /* A handshake record of version 3.x; RFC 8446 section 5.1. */
    return first.size >= 2 && first.data[0] == 0x16 && first.data[1] == 3;
}

const char *spoken_instead_of_tls(struct span first, enum spoken_side side)
{
    if (spoken_is_tls(first))
        return NULL; /* though a length in it may look like a greeting of MySQL's */
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *sentence = side == SPOKEN_BY_CLIENT ? table[i].client : table[i].target;

        if (sentence != NULL && starts_with_text(first, table[i].start, table[i].size))
            return sentence;
    }
    if (side == SPOKEN_BY_CLIENT && is_postgresql_startup(first))
        return POSTGRESQL_CLIENT;
    if (side == SPOKEN_BY_CLIENT && is_imap(first))
        return IMAP_CLIENT;
    if (side == SPOKEN_BY_CLIENT && is_ldap(first))
        return LDAP_CLIENT;
    if (side == SPOKEN_BY_CLIENT && is_mqtt(first))
        return "the client speaks plain MQTT: it should use TLS (mqtts)";
    if (side == SPOKEN_BY_TARGET && is_mysql_greeting(first))
        return "the target speaks MySQL, which begins TLS in words of its own: no service here is for it";
    /* A handshake record is 0x16, an alert 0x15; an SSL 2 hello has its high bit set, and an error of its own. */
    if (first.size > 0 && first.data[0] != 0x16 && first.data[0] != 0x15 && first.data[0] < 0x80)
        return "what the peer sends is not TLS: see that the port is the right one";
    return NULL;
}

const char *spoken_advice(const char *sentence)
{
    const char *colon = strstr(sentence, ": ");

    assert(colon != NULL);
    return colon + 2;
}
