/* starttls/limits.h: every ceiling of the plain-text conversations, in one place.
 *
 * A peer that passes one of these is answered with its protocol's error, where it has words for it, and closed; input
 * is never cut short and then parsed. Sizes are bytes and count line ends. Deadlines are the caller's, who has a
 * clock. */
#ifndef YETT_STARTTLS_LIMITS_H
#define YETT_STARTTLS_LIMITS_H

#include <stdint.h>

enum {
    /* All that a peer may say before TLS. */
    STARTTLS_ACCEPTED_BYTES_MAX = 8 * 1024,
    STARTTLS_CONNECTED_BYTES_MAX = 16 * 1024,

    /* A server's greeting that is kept for the client. */
    STARTTLS_GREETING_BYTES_MAX = 8 * 1024,

    /* Commands of a client that are refused before TLS; the last of them closes. */
    STARTTLS_BAD_COMMANDS_MAX = 10,

    /* What a machine may have to say and its peer has not read yet; and the most that one line, or the hinge behind it,
     * makes it say. Bytes are taken only while there is room for that: a client that pipelines commands with long
     * answers, and does not read, is not heard on. */
    STARTTLS_OUTPUT_BYTES_MAX = 64 * 1024,
    STARTTLS_REPLY_BYTES_MAX = 1024,

    /* Relayed commands that have no reply yet; more wait for one. */
    STARTTLS_COMMANDS_PENDING_MAX = 512,

    /* SMTP and LMTP. RFC 5321 section 4.5.3.1 says 512 for both; real peers pass it (long EHLO lines). */
    STARTTLS_SMTP_COMMAND_BYTES_MAX = 1024,
    STARTTLS_SMTP_REPLY_BYTES_MAX = 2048,
    STARTTLS_SMTP_REPLY_LINES_MAX = 100,
    STARTTLS_SMTP_KEYWORD_BYTES_MAX = 16,      /* longer than any word that is looked for in a reply */
    STARTTLS_SMTP_HELLO_BYTES_MAX = 255,       /* the argument of EHLO, RFC 5321 section 4.5.3.1.2 */
    STARTTLS_SMTP_CHUNK_BYTES_MAX = INT32_MAX, /* of a BDAT: more than that, servers may count otherwise */
    STARTTLS_SMTP_COMMANDS_PENDING_MAX = STARTTLS_COMMANDS_PENDING_MAX,

    /* IMAP. */
    STARTTLS_IMAP_LINE_BYTES_MAX = 8192,
    STARTTLS_IMAP_TAG_BYTES_MAX = 64,
    STARTTLS_IMAP_UNTAGGED_LINES_MAX = 20, /* between our STARTTLS and its tagged reply */
    STARTTLS_IMAP_LOGINS_PENDING_MAX = 8,  /* relayed LOGIN and AUTHENTICATE commands that have no reply yet; then
                                            * further commands wait for one */
    STARTTLS_IMAP_LITERAL_DIGITS_MAX = 10, /* number64 is more than any login needs */

    /* POP3. RFC 2449 section 4 says 255 for a command, RFC 1939 section 3 says 512 for a reply; real peers pass both.
     */
    STARTTLS_POP3_COMMAND_BYTES_MAX = 512,
    STARTTLS_POP3_REPLY_BYTES_MAX = 1024,
    STARTTLS_POP3_CREDENTIALS_MAX = 2,    /* commands with credentials before TLS; the last of them closes */
    STARTTLS_POP3_CAPABILITIES_MAX = 100, /* lines of an answer to CAPA that is asked for to be shown */
    STARTTLS_POP3_COMMANDS_PENDING_MAX = STARTTLS_COMMANDS_PENDING_MAX,

    /* ManageSieve. RFC 5804 section 1.6: a quoted string has at most 1,024 bytes. */
    STARTTLS_SIEVE_LINE_BYTES_MAX = 2048,
    STARTTLS_SIEVE_NOOP_BYTES_MAX = 128,     /* a string that is said again */
    STARTTLS_SIEVE_RELAYED_BYTES_MAX = 8192, /* a line inside TLS */
    STARTTLS_SIEVE_COMMANDS_PENDING_MAX = STARTTLS_COMMANDS_PENDING_MAX,

    /* PostgreSQL. Its server takes 10,000 bytes to begin a session; only the head is looked at here. */
    STARTTLS_POSTGRES_STARTUP_BYTES_MAX = 10000,
    STARTTLS_POSTGRES_ANSWER_BYTES_MAX = 2048, /* to the beginning of a session that asks how to log in */

    /* LDAP. Before TLS a message is whole or refused; inside TLS any size passes, and so much of it is looked at. */
    STARTTLS_LDAP_MESSAGE_BYTES_MAX = 4 * 1024,
    STARTTLS_LDAP_CLIENT_HEAD_BYTES_MAX = 1024, /* up to how a Bind logs in, behind a name */
    STARTTLS_LDAP_SERVER_HEAD_BYTES_MAX = 64,
    STARTTLS_LDAP_ROOT_BYTES_MAX = 8 * 1024, /* the root DSE, which is looked at as a whole; a longer one passes */

    /* NNTP. RFC 3977 section 3.1 says 512 for a command and for the first line of a response; real peers pass both. */
    STARTTLS_NNTP_COMMAND_BYTES_MAX = 1024,
    STARTTLS_NNTP_REPLY_BYTES_MAX = 1024,
    STARTTLS_NNTP_CAPABILITIES_MAX = 100, /* lines of an answer to CAPABILITIES that is asked for to be shown */
    STARTTLS_NNTP_COMMANDS_PENDING_MAX = STARTTLS_COMMANDS_PENDING_MAX,

    /* What a server says it can do, kept to be shown. */
    STARTTLS_CAPABILITIES_BYTES_MAX = 512,

    /* HTTP heads (struct starttls_http_limits): what is taken where nobody says otherwise, and between what it may be
     * set. Sites send responses that only just fit what browsers take, 256 KiB, and as many cookies come back as a
     * server takes, 64 KiB at most. A line is the request line, the status line or a field; RFC 9112 section 3 wants
     * request lines of 8,000 bytes to pass. */
    STARTTLS_HTTP_REQUEST_HEAD_BYTES_DEFAULT = 64 * 1024,
    STARTTLS_HTTP_RESPONSE_HEAD_BYTES_DEFAULT = 256 * 1024,
    STARTTLS_HTTP_HEAD_BYTES_MIN = 8 * 1024,
    STARTTLS_HTTP_HEAD_BYTES_MAX = 1024 * 1024,
    STARTTLS_HTTP_LINE_BYTES_DEFAULT = 64 * 1024,
    STARTTLS_HTTP_LINE_BYTES_MIN = 4 * 1024,
    STARTTLS_HTTP_LINE_BYTES_MAX = 1024 * 1024,
    STARTTLS_HTTP_FIELDS_DEFAULT = 200,
    STARTTLS_HTTP_FIELDS_MIN = 20,
    STARTTLS_HTTP_FIELDS_MAX = 2000,

    /* What forwarding adds to a head, at most: a space behind each colon, and Host, Via, Connection and a length. */
    STARTTLS_HTTP_ADDED_BYTES_PER_FIELD = 1,
    STARTTLS_HTTP_ADDED_BYTES_MAX = 1024,

    STARTTLS_HTTP_CONNECTION_OPTIONS_MAX = 64,     /* names in Connection: each field is compared with each */
    STARTTLS_HTTP_CHUNK_LINE_BYTES_MAX = 8 * 1024, /* a chunk's size with its extensions, or a field of the trailer */
    STARTTLS_HTTP_TRAILER_BYTES_MAX = 64 * 1024,   /* all of it; it is dropped */
    STARTTLS_HTTP_INTERIM_MAX = 5,                 /* 1xx responses before the one that counts */

    /* Bytes a CONNECT client sends before its target is connected; more wait in the caller's socket. */
    STARTTLS_EARLY_DATA_BYTES_MAX = 64 * 1024,

    /* By how much a filter's rewriting makes a line longer, at most. A server's lines: taking a word or a line out adds
     * nothing. A client's: "STARTTLS" becomes "REFUSED-STARTTLS", and a lone LF at its end CRLF. */
    STARTTLS_SERVER_LINE_GROWTH_MAX = 0,
    STARTTLS_CLIENT_LINE_GROWTH_MAX = 9,

    /* A filter takes bytes only while its output has room for this, the most that one of them can let through: a line
     * and the one that was held back, with their growth. The ceiling of a buffer given to starttls_filter_put() MUST
     * NOT be less. */
    STARTTLS_FILTER_LINE_BYTES_MAX = 9 * 1024,
};

#endif
