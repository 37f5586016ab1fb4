/* base/protocols.h: the one list of what yett speaks.
 *
 * The configuration has its words from here, starttls/ its conversations, and the service that joins the two finds one
 * by the other. Adding a protocol is its files in starttls/, their line in starttls/CMakeLists.txt, its limits in
 * starttls/limits.h, and a line here; what is missing then, the compiler, the linker or a test asks for
 * (CONTRIBUTING.md, "Adding"). */
#ifndef YETT_BASE_PROTOCOLS_H
#define YETT_BASE_PROTOCOLS_H

/* Where a protocol can switch from plain text to TLS: the values that listen_tls and connect_tls take beside none and
 * implicit. */
enum protocol_starttls {
    PROTOCOL_NO_STARTTLS = 0,
    PROTOCOL_LISTEN_STARTTLS = 1 << 0,  /* we can be asked by clients */
    PROTOCOL_CONNECT_STARTTLS = 1 << 1, /* we can ask servers */
    PROTOCOL_STARTTLS = PROTOCOL_LISTEN_STARTTLS | PROTOCOL_CONNECT_STARTTLS,
};

/* How long a connection on which nothing moves is kept where the configuration does not say: the longest that the
 * protocol's own document lets a peer be silent. */
enum {
    PROTOCOL_IDLE_MS = 30 * 60 * 1000, /* IMAP: 29 minutes of IDLE (RFC 2177); POP3 wants 10 (RFC 1939 section 3) */
    PROTOCOL_IDLE_DATABASE_MS = 24 * 60 * 60 * 1000, /* no limit; programs keep connections for the next query */
    PROTOCOL_IDLE_SMTP_MS = 10 * 60 * 1000, /* ten minutes for the end of the data (RFC 5321 section 4.5.3.2.6) */
};

/* X(ID, object, "word", starttls, idle_ms), in the order a person would list them:
 *   ID        of CONFIG_PROTOCOL_ID and STARTTLS_ID
 *   object    starttls_OBJECT is its struct protocol (starttls/machine.h): machines, filter, ALPN, last words
 *   word      protocol = WORD in yett.conf(5), and its name in logs
 *   starttls  an enum protocol_starttls
 *   idle_ms   default of idle_timeout */
#define PROTOCOLS(X)                                                                                                   \
    X(TCP, tcp, "tcp", PROTOCOL_NO_STARTTLS, PROTOCOL_IDLE_MS)                                                         \
    X(SMTP, smtp, "smtp", PROTOCOL_STARTTLS, PROTOCOL_IDLE_SMTP_MS)                                                    \
    X(LMTP, lmtp, "lmtp", PROTOCOL_STARTTLS, PROTOCOL_IDLE_MS)                                                         \
    X(IMAP, imap, "imap", PROTOCOL_STARTTLS, PROTOCOL_IDLE_MS)                                                         \
    X(POP3, pop3, "pop3", PROTOCOL_STARTTLS, PROTOCOL_IDLE_MS)                                                         \
    X(SIEVE, sieve, "sieve", PROTOCOL_STARTTLS, PROTOCOL_IDLE_MS)                                                      \
    X(NNTP, nntp, "nntp", PROTOCOL_STARTTLS, PROTOCOL_IDLE_MS)                                                         \
    X(LDAP, ldap, "ldap", PROTOCOL_STARTTLS, PROTOCOL_IDLE_MS)                                                         \
    X(POSTGRES, postgres, "postgres", PROTOCOL_STARTTLS, PROTOCOL_IDLE_DATABASE_MS)                                    \
    X(HTTP_CONNECT, http_connect, "http-proxy", PROTOCOL_NO_STARTTLS, PROTOCOL_IDLE_MS)

/* X("word"): those that a configuration may name one day, and that are refused by name until then. */
#define PROTOCOLS_NOT_YET(X) X("socks5")

#endif
