/* see tests/unit/proxy/simulation_kinds.h */
#include "simulation_kinds.h"

#include <stdio.h>
#include <string.h>

enum { HTTP_HEAD_MAX = 64 * 1024, KINDS_MAX = 500, MANY = 700 /* more than a filter lets be without an answer */ };

typedef struct fake_script_step steps[];

/* ---- SMTP and LMTP ---- */

static const steps mail_client_opens = {SKIP("220 "),
                                        SKIP("\r\n"),
                                        SAY("EHLO before.test\r\n"),
                                        SKIP("STARTTLS\r\n"),
                                        SAY("STARTTLS\r\n"),
                                        SKIP("220 "),
                                        SKIP("\r\n"),
                                        HELLOS,
                                        END};
static const steps mail_server_opens = {SAY("220 t%u.test\r\n"),
                                        SEE("EHLO yett.test\r\n"),
                                        SAY("250-t%u.test\r\n250 STARTTLS\r\n"),
                                        SEE("STARTTLS\r\n"),
                                        SAY("220 go\r\n"),
                                        ACCEPT,
                                        END};
static const steps lmtp_client_opens = {SKIP("220 "),
                                        SKIP("\r\n"),
                                        SAY("LHLO before.test\r\n"),
                                        SKIP("STARTTLS\r\n"),
                                        SAY("STARTTLS\r\n"),
                                        SKIP("220 "),
                                        SKIP("\r\n"),
                                        HELLOS,
                                        END};
static const steps lmtp_server_opens = {SAY("220 t%u.test\r\n"),
                                        SEE("LHLO yett.test\r\n"),
                                        SAY("250-t%u.test\r\n250 STARTTLS\r\n"),
                                        SEE("STARTTLS\r\n"),
                                        SAY("220 go\r\n"),
                                        ACCEPT,
                                        END};

/* What each conversation begins with: the offer is taken out of the list, at its end and within it. */
#define MAIL_HELLO(verb) SAY(verb " c%u.test\r\n"), SEE("250-t%u.test\r\n250 SIZE\r\n")
#define MAIL_CAPABILITIES(verb)                                                                                        \
    SEE(verb " c%u.test\r\n"), SAY("250-t%u.test\r\n250-STARTTLS\r\n250-SIZE\r\n250 XCLIENT\r\n")
#define MAIL_QUIT SAY("QUIT\r\n"), SEE("221 %u bye\r\n"), END
#define MAIL_BYE  SEE("QUIT\r\n"), SAY("221 %u bye\r\n"), END

static const steps mail_words_client = {MAIL_HELLO("EHLO"),
                                        SAY("NOOP %u-1\r\n"),
                                        SEE("250 %u-1\r\n"),
                                        SAY("NOOP %u-2\r\nSTARTTLS\r\nNOOP %u-3\r\n"),
                                        SEE("250 %u-2\r\n500 %u\r\n250 %u-3\r\n"),
                                        MAIL_QUIT};
static const steps mail_words_server = {MAIL_CAPABILITIES("EHLO"),
                                        SEE("NOOP %u-1\r\n"),
                                        SAY("250 %u-1\r\n"),
                                        SEE("NOOP %u-2\r\nREFUSED-STARTTLS\r\nNOOP %u-3\r\n"),
                                        SAY("250 %u-2\r\n500 %u\r\n250 %u-3\r\n"),
                                        MAIL_BYE};
static const steps mail_many_client = {MAIL_HELLO("EHLO"), SAY_EACH(MANY, "NOOP %u-%n\r\n"),
                                       SEE_EACH(MANY, "250 %u-%n\r\n"), MAIL_QUIT};
static const steps mail_many_server = {MAIL_CAPABILITIES("EHLO"), ANSWER_EACH(MANY, "NOOP %u-%n\r\n", "250 %u-%n\r\n"),
                                       MAIL_BYE};
static const steps mail_message_client = {MAIL_HELLO("EHLO"),
                                          SAY("MAIL FROM:<c%u@c.test>\r\nRCPT TO:<t%u@t.test>\r\nDATA\r\n"),
                                          SEE("250 m%u\r\n250 r%u\r\n354 go %u\r\n"),
                                          TELL,
                                          SAY("\r\n.\r\n"),
                                          SEE("250 %u queued\r\n"),
                                          MAIL_QUIT};
static const steps mail_message_server = {MAIL_CAPABILITIES("EHLO"),
                                          SEE("MAIL FROM:<c%u@c.test>\r\n"),
                                          SAY("250 m%u\r\n"),
                                          SEE("RCPT TO:<t%u@t.test>\r\n"),
                                          SAY("250 r%u\r\n"),
                                          SEE("DATA\r\n"),
                                          SAY("354 go %u\r\n"),
                                          HEAR,
                                          SEE("\r\n.\r\n"),
                                          SAY("250 %u queued\r\n"),
                                          MAIL_BYE};
/* A side that ends in the middle of what a filter holds back: the rest goes before the end. */
static const steps mail_server_cut_client = {MAIL_HELLO("EHLO"), SAY("NOOP %u\r\n"), SEE("250-%u held\r\n250-%u more"),
                                             AWAIT_END, END};
static const steps mail_server_cut_server = {MAIL_CAPABILITIES("EHLO"), SEE("NOOP %u\r\n"),
                                             SAY("250-%u held\r\n250-%u more"), END};
static const steps mail_client_cut_client = {MAIL_HELLO("EHLO"), SAY("NOOP %u"), LEAVE, SEE("421 %u"), AWAIT_END, END};
static const steps mail_client_cut_server = {MAIL_CAPABILITIES("EHLO"), SEE("NOOP %u"), AWAIT_END, SAY("421 %u"), END};

/* A server that ends its side answers nothing any more, and what the client has pipelined reaches it all the same. */
static const steps mail_no_answer_client = {MAIL_HELLO("EHLO"), SAY_EACH(MANY, "NOOP %u-%n\r\n"), AWAIT_END, END};
static const steps mail_no_answer_server = {MAIL_CAPABILITIES("EHLO"), LEAVE, SEE_EACH(MANY, "NOOP %u-%n\r\n"),
                                            AWAIT_END, END};

/* One answer for each recipient. */
static const steps lmtp_message_client = {
    MAIL_HELLO("LHLO"),
    SAY("MAIL FROM:<c%u@c.test>\r\nRCPT TO:<a%u@t.test>\r\nRCPT TO:<b%u@t.test>\r\nDATA\r\n"),
    SEE("250 m%u\r\n250 a%u\r\n250 b%u\r\n354 go %u\r\n"),
    TELL,
    SAY("\r\n.\r\nNOOP %u\r\n"),
    SEE("250 %u for a\r\n250 %u for b\r\n250 %u\r\n"),
    MAIL_QUIT};
static const steps lmtp_message_server = {MAIL_CAPABILITIES("LHLO"),
                                          SEE("MAIL FROM:<c%u@c.test>\r\n"),
                                          SAY("250 m%u\r\n"),
                                          SEE("RCPT TO:<a%u@t.test>\r\nRCPT TO:<b%u@t.test>\r\n"),
                                          SAY("250 a%u\r\n250 b%u\r\n"),
                                          SEE("DATA\r\n"),
                                          SAY("354 go %u\r\n"),
                                          HEAR,
                                          SEE("\r\n.\r\n"),
                                          SAY("250 %u for a\r\n250 %u for b\r\n"),
                                          SEE("NOOP %u\r\n"),
                                          SAY("250 %u\r\n"),
                                          MAIL_BYE};
static const steps lmtp_many_client = {MAIL_HELLO("LHLO"), SAY_EACH(MANY, "NOOP %u-%n\r\n"),
                                       SEE_EACH(MANY, "250 %u-%n\r\n"), MAIL_QUIT};
static const steps lmtp_many_server = {MAIL_CAPABILITIES("LHLO"), ANSWER_EACH(MANY, "NOOP %u-%n\r\n", "250 %u-%n\r\n"),
                                       MAIL_BYE};
static const steps mail_probed = {SEE("EHLO yett.test\r\n"), SAY("250-t\r\n250 SIZE\r\n"), SEE("QUIT\r\n"),
                                  SAY("221 bye\r\n"), END};
static const steps lmtp_probed = {SEE("LHLO yett.test\r\n"), SAY("250-t\r\n250 SIZE\r\n"), SEE("QUIT\r\n"),
                                  SAY("221 bye\r\n"), END};

/* ---- IMAP ---- */

static const steps imap_client_opens = {SKIP("\r\n"),
                                        SAY("x CAPABILITY\r\n"),
                                        SKIP("x OK "),
                                        SKIP("\r\n"),
                                        SAY("y STARTTLS\r\n"),
                                        SKIP("y OK "),
                                        SKIP("\r\n"),
                                        HELLOS,
                                        END};
static const steps imap_server_opens = {SAY("* OK t%u.test\r\n"), SEE("S1 STARTTLS\r\n"),
                                        SAY("* 1 EXISTS\r\nS1 OK go\r\n"), ACCEPT, END};
static const steps imap_words_client = {SAY("a%u CAPABILITY\r\nb%u STARTTLS\r\n"),
                                        SEE("* CAPABILITY IMAP4rev1 ID\r\na%u OK\r\nb%u BAD\r\n"),
                                        SAY("c%u LOGIN u%u secret\r\n"),
                                        SEE("c%u OK in\r\n"),
                                        STREAM,
                                        END};
static const steps imap_words_server = {SEE("a%u CAPABILITY\r\nb%u REFUSED-STARTTLS\r\n"),
                                        SAY("* CAPABILITY IMAP4rev1 STARTTLS ID\r\na%u OK\r\nb%u BAD\r\n"),
                                        SEE("c%u LOGIN u%u secret\r\n"),
                                        SAY("c%u OK in\r\n"),
                                        STREAM,
                                        END};
/* What the client says behind its login is held back, in part, when the filter ends. */
static const steps imap_ahead_client = {SAY("a LOGIN u%u secret\r\n"), TELL, SEE("a OK %u\r\n"), HEAR, END};
static const steps imap_ahead_server = {SEE("a LOGIN u%u secret\r\n"), SAY("a OK %u\r\n"), TELL, HEAR, END};
static const steps imap_literals_client = {SAY("a LOGIN {8}\r\n"), SEE("+ %u\r\n"), SAY("somebody {6+}\r\nsecret\r\n"),
                                           SEE("a OK %u\r\n"),     STREAM,          END};
static const steps imap_literals_server = {SEE("a LOGIN {8}\r\n"), SAY("+ %u\r\n"), SEE("somebody {6+}\r\nsecret\r\n"),
                                           SAY("a OK %u\r\n"),     STREAM,          END};
static const steps imap_many_client = {SAY_EACH(40, "n%n LOGIN u%u secret\r\n"), SEE_EACH(40, "n%n NO %u\r\n"),
                                       SAY("z LOGOUT\r\n"), SEE("* BYE %u\r\nz OK\r\n"), END};
static const steps imap_many_server = {ANSWER_EACH(40, "n%n LOGIN u%u secret\r\n", "n%n NO %u\r\n"),
                                       SEE("z LOGOUT\r\n"), SAY("* BYE %u\r\nz OK\r\n"), END};
static const steps imap_no_answer_client = {SAY_EACH(40, "n%n LOGIN u%u secret\r\n"), AWAIT_END, END};
static const steps imap_no_answer_server = {LEAVE, SEE_EACH(40, "n%n LOGIN u%u secret\r\n"), AWAIT_END, END};
static const steps imap_server_cut_client = {SAY("a NOOP\r\n"), SEE("* BYE %u"), AWAIT_END, END};
static const steps imap_server_cut_server = {SEE("a NOOP\r\n"), SAY("* BYE %u"), END};
static const steps imap_client_cut_client = {SAY("a%u NOOP"), LEAVE, SEE("* BYE %u"), AWAIT_END, END};
static const steps imap_client_cut_server = {SEE("a%u NOOP"), AWAIT_END, SAY("* BYE %u"), END};
static const steps imap_probed = {SEE("P1 CAPABILITY\r\n"), SAY("* CAPABILITY IMAP4rev1\r\nP1 OK\r\n"),
                                  SEE("P2 LOGOUT\r\n"), SAY("* BYE\r\nP2 OK\r\n"), END};

/* ---- POP3 ---- */

static const steps pop3_client_opens = {
    SKIP("\r\n"), SAY("CAPA\r\n"), SKIP("\r\n.\r\n"), SAY("STLS\r\n"), SKIP("+OK"), SKIP("\r\n"), HELLOS, END};
static const steps pop3_server_opens = {SAY("+OK t%u.test\r\n"), SEE("STLS\r\n"), SAY("+OK go\r\n"), ACCEPT, END};
static const steps pop3_words_client = {SAY("CAPA\r\nSTLS\r\n"),
                                        SEE("+OK\r\nUSER\r\n.\r\n-ERR %u\r\n"),
                                        SAY("USER u%u\r\n"),
                                        SEE("+OK u%u\r\n"),
                                        SAY("PASS secret\r\n"),
                                        SEE("+OK in %u\r\n"),
                                        STREAM,
                                        END};
static const steps pop3_words_server = {SEE("CAPA\r\nREFUSED-STLS\r\n"),
                                        SAY("+OK\r\nSTLS\r\nUSER\r\nXCLIENT\r\n.\r\n-ERR %u\r\n"),
                                        SEE("USER u%u\r\n"),
                                        SAY("+OK u%u\r\n"),
                                        SEE("PASS secret\r\n"),
                                        SAY("+OK in %u\r\n"),
                                        STREAM,
                                        END};
static const steps pop3_ahead_client = {SAY("USER u%u\r\nPASS secret\r\n"), TELL, SEE("+OK u%u\r\n+OK in\r\n"), HEAR,
                                        END};
static const steps pop3_ahead_server = {SEE("USER u%u\r\nPASS secret\r\n"), SAY("+OK u%u\r\n+OK in\r\n"), TELL, HEAR,
                                        END};
static const steps pop3_auth_client = {SAY("AUTH PLAIN\r\n"), SEE("+ %u\r\n"), SAY("AGEAc2VjcmV0\r\n"),
                                       SEE("+OK in %u\r\n"),  STREAM,          END};
static const steps pop3_auth_server = {SEE("AUTH PLAIN\r\n"), SAY("+ %u\r\n"), SEE("AGEAc2VjcmV0\r\n"),
                                       SAY("+OK in %u\r\n"),  STREAM,          END};
static const steps pop3_many_client = {SAY_EACH(MANY, "NOOP\r\n"), SEE_EACH(MANY, "+OK %u-%n\r\n"), SAY("QUIT\r\n"),
                                       SEE("+OK %u bye\r\n"), END};
static const steps pop3_many_server = {ANSWER_EACH(MANY, "NOOP\r\n", "+OK %u-%n\r\n"), SEE("QUIT\r\n"),
                                       SAY("+OK %u bye\r\n"), END};
static const steps pop3_no_answer_client = {SAY_EACH(MANY, "NOOP\r\n"), AWAIT_END, END};
static const steps pop3_no_answer_server = {LEAVE, SEE_EACH(MANY, "NOOP\r\n"), AWAIT_END, END};
static const steps pop3_server_cut_client = {SAY("NOOP\r\n"), SEE("-ERR %u"), AWAIT_END, END};
static const steps pop3_server_cut_server = {SEE("NOOP\r\n"), SAY("-ERR %u"), END};
static const steps pop3_client_cut_client = {SAY("USER u%u"), LEAVE, SEE("-ERR %u"), AWAIT_END, END};
static const steps pop3_client_cut_server = {SEE("USER u%u"), AWAIT_END, SAY("-ERR %u"), END};
static const steps pop3_probed = {SEE("CAPA\r\n"), SAY("+OK\r\nUSER\r\n.\r\n"), SEE("QUIT\r\n"), SAY("+OK\r\n"), END};

/* ---- ManageSieve ---- */

static const steps sieve_client_opens = {SKIP("OK \"Ready\"\r\n"),
                                         SAY("NOOP\r\n"),
                                         SKIP("OK "),
                                         SKIP("\r\n"),
                                         SAY("STARTTLS\r\n"),
                                         SKIP("OK "),
                                         SKIP("\r\n"),
                                         HELLOS,
                                         END};
static const steps sieve_server_opens = {SAY("\"CLEAR\" \"%u\"\r\n\"STARTTLS\"\r\nOK\r\n"), SEE("STARTTLS\r\n"),
                                         SAY("OK\r\n"), ACCEPT, END};
static const steps sieve_words_client = {SAY("CAPABILITY\r\nSTARTTLS\r\n"),
                                         SEE("\"SASL\" \"%u\"\r\nOK\r\nNO %u\r\n"),
                                         SAY("AUTHENTICATE \"LOGIN\"\r\n"),
                                         SEE("{3}\r\nabc\r\n"),
                                         SAY("{4+}\r\nYQ==\r\n"),
                                         SEE("OK %u\r\n"),
                                         STREAM,
                                         END};
static const steps sieve_words_server = {SEE("CAPABILITY\r\nREFUSED-STARTTLS\r\n"),
                                         SAY("\"SASL\" \"%u\"\r\n\"STARTTLS\"\r\nOK\r\nNO %u\r\n"),
                                         SEE("AUTHENTICATE \"LOGIN\"\r\n"),
                                         SAY("{3}\r\nabc\r\n"),
                                         SEE("{4+}\r\nYQ==\r\n"),
                                         SAY("OK %u\r\n"),
                                         STREAM,
                                         END};
static const steps sieve_ahead_client = {SAY("AUTHENTICATE \"PLAIN\" \"u%u\"\r\n"), TELL, SEE("OK %u\r\n"), HEAR, END};
static const steps sieve_ahead_server = {SEE("AUTHENTICATE \"PLAIN\" \"u%u\"\r\n"), SAY("OK %u\r\n"), TELL, HEAR, END};
static const steps sieve_many_client = {SAY_EACH(MANY, "NOOP\r\n"), SEE_EACH(MANY, "OK %u-%n\r\n"), SAY("LOGOUT\r\n"),
                                        SEE("OK %u bye\r\n"), END};
static const steps sieve_many_server = {ANSWER_EACH(MANY, "NOOP\r\n", "OK %u-%n\r\n"), SEE("LOGOUT\r\n"),
                                        SAY("OK %u bye\r\n"), END};
static const steps sieve_server_cut_client = {SAY("NOOP\r\n"), SEE("BYE %u"), AWAIT_END, END};
static const steps sieve_server_cut_server = {SEE("NOOP\r\n"), SAY("BYE %u"), END};
static const steps sieve_client_cut_client = {SAY("NOOP u%u"), LEAVE, SEE("BYE %u"), AWAIT_END, END};
static const steps sieve_client_cut_server = {SEE("NOOP u%u"), AWAIT_END, SAY("BYE %u"), END};
static const steps sieve_probed = {SEE("LOGOUT\r\n"), SAY("OK\r\n"), END};

/* ---- NNTP ---- */

static const steps nntp_client_opens = {
    SKIP("\r\n"), SAY("CAPABILITIES\r\n"), SKIP("\r\n.\r\n"), SAY("STARTTLS\r\n"), SKIP("382 "), SKIP("\r\n"), HELLOS,
    END};
static const steps nntp_server_opens = {SAY("200 t%u.test\r\n"), SEE("STARTTLS\r\n"), SAY("382 go\r\n"), ACCEPT, END};
static const steps nntp_words_client = {SAY("CAPABILITIES\r\nSTARTTLS\r\n"),
                                        SEE("101\r\nREADER\r\n.\r\n500 %u\r\n"),
                                        SAY("POST\r\n"),
                                        SEE("340 %u\r\n"),
                                        SAY("a: b\r\n\r\nSTARTTLS\r\n..\r\n.\r\n"),
                                        SEE("240 %u\r\n"),
                                        SAY("AUTHINFO USER u%u\r\n"),
                                        SEE("381 %u\r\n"),
                                        SAY("AUTHINFO PASS secret\r\n"),
                                        SEE("281 in %u\r\n"),
                                        STREAM,
                                        END};
static const steps nntp_words_server = {SEE("CAPABILITIES\r\nREFUSED-STARTTLS\r\n"),
                                        SAY("101\r\nSTARTTLS\r\nREADER\r\n.\r\n500 %u\r\n"),
                                        SEE("POST\r\n"),
                                        SAY("340 %u\r\n"),
                                        SEE("a: b\r\n\r\nSTARTTLS\r\n..\r\n.\r\n"),
                                        SAY("240 %u\r\n"),
                                        SEE("AUTHINFO USER u%u\r\n"),
                                        SAY("381 %u\r\n"),
                                        SEE("AUTHINFO PASS secret\r\n"),
                                        SAY("281 in %u\r\n"),
                                        STREAM,
                                        END};
static const steps nntp_many_client = {SAY_EACH(MANY, "DATE\r\n"), SEE_EACH(MANY, "111 %u-%n\r\n"), SAY("QUIT\r\n"),
                                       SEE("205 %u bye\r\n"), END};
static const steps nntp_many_server = {ANSWER_EACH(MANY, "DATE\r\n", "111 %u-%n\r\n"), SEE("QUIT\r\n"),
                                       SAY("205 %u bye\r\n"), END};
static const steps nntp_no_answer_client = {SAY_EACH(MANY, "DATE\r\n"), AWAIT_END, END};
static const steps nntp_no_answer_server = {LEAVE, SEE_EACH(MANY, "DATE\r\n"), AWAIT_END, END};
static const steps nntp_server_cut_client = {SAY("DATE\r\n"), SEE("400 %u"), AWAIT_END, END};
static const steps nntp_server_cut_server = {SEE("DATE\r\n"), SAY("400 %u"), END};
static const steps nntp_client_cut_client = {SAY("GROUP u%u"), LEAVE, SEE("400 %u"), AWAIT_END, END};
static const steps nntp_client_cut_server = {SEE("GROUP u%u"), AWAIT_END, SAY("400 %u"), END};
static const steps nntp_probed = {SEE("CAPABILITIES\r\n"), SAY("101\r\nREADER\r\n.\r\n"), SEE("QUIT\r\n"),
                                  SAY("205\r\n"), END};

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

/* ---- any bytes ---- */

static const steps nothing = {END};
static const steps streams = {STREAM, END};
static const steps client_ends_first = {TELL, LEAVE, HEAR, AWAIT_END, END};
static const steps server_ends_last = {HEAR, AWAIT_END, TELL, END};
static const steps client_ends_last = {HEAR, AWAIT_END, TELL, END};
static const steps server_ends_first = {TELL, LEAVE, HEAR, AWAIT_END, END};

/* ---- HTTP ---- */

#define CONNECT_REQUEST SAY("CONNECT t%u.test:443 HTTP/1.1\r\nHost: t%u.test:443\r\n\r\n")
static const steps tunnel_client = {CONNECT_REQUEST, SKIP("\r\n\r\n"), STREAM, END};
static const steps tunnel_early_client = {CONNECT_REQUEST, TELL, SKIP("\r\n\r\n"), HEAR, END};
static const steps get_client = {SAY("GET https://t%u.test/ HTTP/1.1\r\nHost: t%u.test\r\n\r\n"),
                                 SEE("HTTP/1.1 200 OK\r\n"),
                                 SKIP("\r\n\r\n"),
                                 HEAR,
                                 AWAIT_END,
                                 END};
static const steps get_server = {SKIP("\r\n\r\n"), SAY("HTTP/1.1 200 OK\r\nContent-Length: %t\r\n\r\n"), TELL, END};
static const steps post_client = {
    SAY("POST https://t%u.test/ HTTP/1.1\r\nHost: t%u.test\r\nContent-Length: %t\r\n\r\n"),
    TELL,
    SEE("HTTP/1.1 200 OK\r\n"),
    SKIP("\r\n\r\n"),
    HEAR,
    AWAIT_END,
    END};
static const steps post_server = {SKIP("\r\n\r\n"), HEAR, SAY("HTTP/1.1 200 OK\r\nContent-Length: %t\r\n\r\n"), TELL,
                                  END};
/* A client that ends its side behind its request, and a response that is whole by its end. */
static const steps old_client = {SAY("GET https://t%u.test/ HTTP/1.0\r\nHost: t%u.test\r\n\r\n"),
                                 LEAVE,
                                 SEE("HTTP/1.1 200 OK\r\n"),
                                 SKIP("\r\n\r\n"),
                                 HEAR,
                                 AWAIT_END,
                                 END};
static const steps old_server = {SKIP("\r\n\r\n"), SAY("HTTP/1.1 200 OK\r\n\r\n"), TELL, END};
static const steps chunks_client = {SAY("GET https://t%u.test/ HTTP/1.0\r\nHost: t%u.test\r\n\r\n"),
                                    SEE("HTTP/1.1 200 OK\r\n"),
                                    SKIP("\r\n\r\n"),
                                    SEE_EACH(60, "hello"),
                                    AWAIT_END,
                                    END};
static const steps chunks_server = {SKIP("\r\n\r\n"),
                                    SAY("HTTP/1.1 100 Continue\r\n\r\n"),
                                    SAY("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                                    SAY_EACH(60, "5\r\nhello\r\n"),
                                    SAY("0\r\n\r\n"),
                                    END};
static const steps via_opens = {SKIP("\r\n\r\n"), SAY("HTTP/1.1 200 OK\r\n\r\n"), END};
const struct fake_script_step simulation_via_refusal[] = {SEE("CONNECT t.test:1 HTTP/1.1\r\n"), SKIP("\r\n\r\n"),
                                                          SAY("HTTP/1.1 502 Not Today\r\n\r\n"), END};

/* ---- the tables ---- */

struct conversation {
    const char *name;
    const struct fake_script_step *client, *server;
    unsigned payload;
};

static const struct conversation smtp_conversations[] = {
    {"words", mail_words_client, mail_words_server, 0},
    {"many", mail_many_client, mail_many_server, PAYLOAD_MANY},
    {"message", mail_message_client, mail_message_server, PAYLOAD_UP | PAYLOAD_LINES},
    {"no_answer", mail_no_answer_client, mail_no_answer_server, PAYLOAD_MANY},
    {"server_cut", mail_server_cut_client, mail_server_cut_server, 0},
    {"client_cut", mail_client_cut_client, mail_client_cut_server, 0},
    {NULL, NULL, NULL, 0}};
static const struct conversation lmtp_conversations[] = {
    {"many", lmtp_many_client, lmtp_many_server, PAYLOAD_MANY},
    {"message", lmtp_message_client, lmtp_message_server, PAYLOAD_UP | PAYLOAD_LINES},
    {NULL, NULL, NULL, 0}};
static const struct conversation imap_conversations[] = {
    {"words", imap_words_client, imap_words_server, PAYLOAD_BOTH},
    {"ahead", imap_ahead_client, imap_ahead_server, PAYLOAD_BOTH | PAYLOAD_LINES},
    {"literals", imap_literals_client, imap_literals_server, PAYLOAD_BOTH},
    {"many", imap_many_client, imap_many_server, PAYLOAD_MANY},
    {"no_answer", imap_no_answer_client, imap_no_answer_server, PAYLOAD_MANY},
    {"server_cut", imap_server_cut_client, imap_server_cut_server, 0},
    {"client_cut", imap_client_cut_client, imap_client_cut_server, 0},
    {NULL, NULL, NULL, 0}};
static const struct conversation pop3_conversations[] = {
    {"words", pop3_words_client, pop3_words_server, PAYLOAD_BOTH},
    {"ahead", pop3_ahead_client, pop3_ahead_server, PAYLOAD_BOTH | PAYLOAD_LINES},
    {"auth", pop3_auth_client, pop3_auth_server, PAYLOAD_BOTH},
    {"many", pop3_many_client, pop3_many_server, PAYLOAD_MANY},
    {"no_answer", pop3_no_answer_client, pop3_no_answer_server, PAYLOAD_MANY},
    {"server_cut", pop3_server_cut_client, pop3_server_cut_server, 0},
    {"client_cut", pop3_client_cut_client, pop3_client_cut_server, 0},
    {NULL, NULL, NULL, 0}};
static const struct conversation sieve_conversations[] = {
    {"words", sieve_words_client, sieve_words_server, PAYLOAD_BOTH},
    {"ahead", sieve_ahead_client, sieve_ahead_server, PAYLOAD_BOTH | PAYLOAD_LINES},
    {"many", sieve_many_client, sieve_many_server, PAYLOAD_MANY},
    {"server_cut", sieve_server_cut_client, sieve_server_cut_server, 0},
    {"client_cut", sieve_client_cut_client, sieve_client_cut_server, 0},
    {NULL, NULL, NULL, 0}};
static const struct conversation nntp_conversations[] = {
    {"words", nntp_words_client, nntp_words_server, PAYLOAD_BOTH},
    {"many", nntp_many_client, nntp_many_server, PAYLOAD_MANY},
    {"no_answer", nntp_no_answer_client, nntp_no_answer_server, PAYLOAD_MANY},
    {"server_cut", nntp_server_cut_client, nntp_server_cut_server, 0},
    {"client_cut", nntp_client_cut_client, nntp_client_cut_server, 0},
    {NULL, NULL, NULL, 0}};
static const struct conversation ldap_conversations[] = {{"words", ldap_words_client, ldap_words_server, PAYLOAD_BOTH},
                                                         {"many", ldap_many_client, ldap_many_server, PAYLOAD_MANY},
                                                         {"cut", ldap_cut_client, ldap_cut_server, 0},
                                                         {NULL, NULL, NULL, 0}};
static const struct conversation postgres_conversations[] = {
    {"session", postgres_session_client, postgres_session_server, PAYLOAD_BOTH},
    {"asks", postgres_asks_client, postgres_asks_server, PAYLOAD_BOTH},
    {"cancel", postgres_cancel_client, postgres_cancel_server, 0},
    {"leaves", postgres_leaves_client, postgres_cancel_server, 0},
    {NULL, NULL, NULL, 0}};
static const struct conversation tcp_conversations[] = {
    {"stream", streams, streams, PAYLOAD_BOTH | PAYLOAD_COUNTED},
    {"client_first", client_ends_first, server_ends_last, PAYLOAD_BOTH | PAYLOAD_COUNTED},
    {"server_first", client_ends_last, server_ends_first, PAYLOAD_BOTH | PAYLOAD_COUNTED},
    {NULL, NULL, NULL, 0}};
static const struct conversation tunnel_conversations[] = {
    {"tunnel", tunnel_client, streams, PAYLOAD_BOTH | PAYLOAD_COUNTED},
    {"early", tunnel_early_client, streams, PAYLOAD_BOTH | PAYLOAD_COUNTED},
    {NULL, NULL, NULL, 0}};
static const struct conversation exchange_conversations[] = {{"get", get_client, get_server, PAYLOAD_DOWN},
                                                             {"post", post_client, post_server, PAYLOAD_BOTH},
                                                             {"old", old_client, old_server, PAYLOAD_DOWN},
                                                             {"chunks", chunks_client, chunks_server, 0},
                                                             {NULL, NULL, NULL, 0}};

/* A protocol. Where it has no STARTTLS, nobody opens. */
struct speech {
    const char *name;
    enum config_protocol protocol;
    const struct fake_script_step *client_opens, *server_opens;
    const char *greeting,
        *our_greeting;  /* the server's first words; ours in their place where it was asked for TLS, or, */
    bool greets_in_tls; /* what every client hears: the server greets again behind STARTTLS */
    const struct conversation *conversations;
    const struct fake_script_step *probed;
    bool is_exchange;
};

static const struct speech speeches[] = {
    {"tcp", CONFIG_PROTOCOL_TCP, NULL, NULL, NULL, NULL, false, tcp_conversations, nothing, false},
    {"smtp", CONFIG_PROTOCOL_SMTP, mail_client_opens, mail_server_opens, "220 t%u.test\r\n", "220 yett.test ESMTP\r\n",
     false, smtp_conversations, mail_probed, false},
    {"lmtp", CONFIG_PROTOCOL_LMTP, lmtp_client_opens, lmtp_server_opens, "220 t%u.test\r\n", "220 yett.test LMTP\r\n",
     false, lmtp_conversations, lmtp_probed, false},
    {"imap", CONFIG_PROTOCOL_IMAP, imap_client_opens, imap_server_opens, "* OK t%u.test\r\n", "* OK yett.test\r\n",
     false, imap_conversations, imap_probed, false},
    {"pop3", CONFIG_PROTOCOL_POP3, pop3_client_opens, pop3_server_opens, "+OK t%u.test\r\n", "+OK yett.test\r\n", false,
     pop3_conversations, pop3_probed, false},
    {"sieve", CONFIG_PROTOCOL_SIEVE, sieve_client_opens, sieve_server_opens,
     "\"SASL\" \"%u\"\r\n\"STARTTLS\"\r\nOK\r\n", "\"SASL\" \"%u\"\r\nOK\r\n", true, sieve_conversations, sieve_probed,
     false},
    {"nntp", CONFIG_PROTOCOL_NNTP, nntp_client_opens, nntp_server_opens, "200 t%u.test\r\n", "200 yett.test\r\n", false,
     nntp_conversations, nntp_probed, false},
    {"ldap", CONFIG_PROTOCOL_LDAP, ldap_client_opens, ldap_server_opens, NULL, NULL, false, ldap_conversations,
     ldap_probed, false},
    {"postgres", CONFIG_PROTOCOL_POSTGRES, postgres_client_opens, postgres_server_opens, NULL, NULL, false,
     postgres_conversations, postgres_probed, false},
    {"tunnel", CONFIG_PROTOCOL_HTTP_CONNECT, NULL, NULL, NULL, NULL, false, tunnel_conversations, NULL, false},
    {"exchange", CONFIG_PROTOCOL_HTTP_CONNECT, NULL, NULL, NULL, NULL, false, exchange_conversations, NULL, true},
};

/* ---- making kinds ---- */

static struct simulation_kind kinds[KINDS_MAX];
static size_t kind_count;
static size_t kinds_of_speech[ARRAY_LEN(speeches) + 1]; /* where those of each begin, and the end */

/* All but the END, behind what is there. */
static void add_steps(struct fake_script_step script[static SIMULATION_SCRIPT_MAX], const struct fake_script_step *more)
{
    size_t count = 0;

    while (script[count].step != FAKE_END)
        count++;
    for (; more->step != FAKE_END; more++, count++) {
        assert(count < SIMULATION_SCRIPT_MAX - 1);
        script[count] = *more;
    }
}

static void add_text(struct fake_script_step script[static SIMULATION_SCRIPT_MAX], enum fake_step step,
                     const char *text)
{
    const struct fake_script_step both[] = {{step, text, 1}, END};

    add_steps(script, both);
}

/* The server's greeting is heard by the client where nobody has greeted it before, and nobody else has heard it. */
static void make_client(struct simulation_kind *k, const struct speech *speech, const struct fake_script_step *says)
{
    static const steps hellos = {HELLOS, END};

    if (k->listen == CONFIG_TLS_STARTTLS)
        add_steps(k->client, speech->client_opens);
    else if (k->listen == CONFIG_TLS_IMPLICIT)
        add_steps(k->client, hellos);
    if (speech->greets_in_tls || (k->listen != CONFIG_TLS_STARTTLS && speech->greeting != NULL))
        add_text(k->client, FAKE_SEE,
                 speech->greets_in_tls || k->connect == CONFIG_TLS_STARTTLS ? speech->our_greeting : speech->greeting);
    add_steps(k->client, says);
}

static void make_target(struct simulation_kind *k, const struct speech *speech, const struct fake_script_step *says)
{
    static const steps accepts = {ACCEPT, END};
    bool tls = k->connect == CONFIG_TLS_IMPLICIT || k->is_exchange;

    if (k->via != VIA_NONE) {
        add_text(k->target, FAKE_SEE,
                 speech->protocol == CONFIG_PROTOCOL_HTTP_CONNECT ? "CONNECT t%u.test:443 HTTP/1.1\r\n"
                 : k->via == VIA_PROXY                            ? "CONNECT t.test:1 HTTP/1.1\r\n"
                                                                  : "CONNECT u.test:2 HTTP/1.1\r\n");
        add_steps(k->target, via_opens);
    }
    if (k->header)
        add_text(k->target, FAKE_SEE, "PROXY UNKNOWN\r\n");
    if (k->connect == CONFIG_TLS_STARTTLS)
        add_steps(k->target, speech->server_opens);
    else if (tls)
        add_steps(k->target, accepts);
    if (speech->greets_in_tls || (k->connect != CONFIG_TLS_STARTTLS && speech->greeting != NULL))
        add_text(k->target, FAKE_SAY, speech->greeting);
    add_steps(k->target, says);
}

static const char *tls_name(enum config_tls_mode tls)
{
    return tls == CONFIG_TLS_NONE ? "none" : tls == CONFIG_TLS_IMPLICIT ? "implicit" : "starttls";
}

/* The PROXY header and the upstream proxy go round, so that each is met with each protocol. */
static struct simulation_kind *make_kind(const struct speech *speech, enum simulation_look look,
                                         enum config_tls_mode listen, enum config_tls_mode connect, const char *name)
{
    struct simulation_kind *k = &kinds[kind_count];

    assert(kind_count < KINDS_MAX);
    *k = (struct simulation_kind){.protocol = speech->protocol,
                                  .listen = listen,
                                  .connect = connect,
                                  .header = kind_count % 3 == 1,
                                  .via = (enum simulation_via)(kind_count % 5 < 2 ? kind_count % 5 + 1 : VIA_NONE),
                                  .look = look,
                                  .is_exchange = speech->is_exchange};
    if (k->via == VIA_REFUSES_FIRST && (speech->protocol == CONFIG_PROTOCOL_HTTP_CONNECT || look == LOOK_PROBE))
        k->via = VIA_PROXY; /* there is one target */
    kind_count++;
    snprintf(k->name, sizeof(k->name), "%s %s, %s to %s%s%s", speech->name, name,
             look == LOOK_PROBE ? "nobody" : tls_name(listen), tls_name(connect), k->header ? ", header" : "",
             k->via == VIA_NONE    ? ""
             : k->via == VIA_PROXY ? ", via"
                                   : ", via for the second");
    return k;
}

static void make_conversation(const struct speech *speech, const struct conversation *c, enum config_tls_mode listen,
                              enum config_tls_mode connect)
{
    struct simulation_kind *k;

    /* Without TLS nothing is watched, and so nothing is taken out: that is tcp. In a tunnel TLS is the client's. */
    if (speech->client_opens != NULL && listen == CONFIG_TLS_NONE && connect == CONFIG_TLS_NONE)
        return;
    if (speech->protocol == CONFIG_PROTOCOL_HTTP_CONNECT && connect != CONFIG_TLS_NONE)
        return;
    k = make_kind(speech, LOOK_CLIENT, listen, connect, c->name);
    k->payload = c->payload;
    make_client(k, speech, c->client);
    make_target(k, speech, c->server);
}

/* After STARTTLS nobody greets again. */
static void make_probe(const struct speech *speech, enum config_tls_mode connect)
{
    struct simulation_kind *k = make_kind(speech, LOOK_PROBE, CONFIG_TLS_NONE, connect, "probe");

    make_target(k, speech, speech->probed);
}

static void make_kinds(void)
{
    static const enum config_tls_mode modes[] = {CONFIG_TLS_NONE, CONFIG_TLS_IMPLICIT, CONFIG_TLS_STARTTLS};

    for (size_t i = 0; i < ARRAY_LEN(speeches); i++) {
        const struct speech *speech = &speeches[i];
        size_t mode_count = speech->client_opens == NULL ? 2 : 3;

        for (size_t connect = 0; connect < mode_count; connect++) {
            if (speech->probed != NULL)
                make_probe(speech, modes[connect]);
            for (size_t listen = 0; listen < mode_count; listen++)
                for (const struct conversation *c = speech->conversations; c->name != NULL; c++)
                    make_conversation(speech, c, modes[listen], modes[connect]);
        }
        kinds_of_speech[i + 1] = kind_count;
    }
}

/* ---- services ---- */

static struct config_service configs[2 * KINDS_MAX];
static struct service items[2 * KINDS_MAX];
static struct services services = {.items = items};

static enum starttls_protocol protocol_of(enum config_protocol protocol)
{
#define PAIR(id, object, word, starttls, idle_ms) [CONFIG_PROTOCOL_##id] = STARTTLS_##id,
    static const enum starttls_protocol protocols[] = {PROTOCOLS(PAIR)};
#undef PAIR

    return protocols[protocol];
}

static void open_service(size_t i)
{
    static struct fake_context servers[2 * KINDS_MAX], clients[2 * KINDS_MAX];
    static char target_host[] = "t.test", target_text[] = "t.test:1", second_host[] = "u.test",
                second_text[] = "u.test:2", via_host[] = "p.test", via_text[] = "p.test:3", any[] = "*",
                name[] = "service", greeting[] = "yett.test";
    static struct config_address targets[] = {{.host = target_host, .port = 1, .text = target_text},
                                              {.host = second_host, .port = 2, .text = second_text}};
    static struct config_address via = {.host = via_host, .port = 3, .text = via_text};
    static struct config_allow_target anywhere = {.host = any, .port_first = 1, .port_last = 65535};
    const struct simulation_kind *k = &kinds[i / 2];

    servers[i] = (struct fake_context){.server = true, .blocks = i % 2 != 0, .verifies = i % 4 == 3};
    clients[i] = (struct fake_context){.server = false, .blocks = i % 2 != 0, .verifies = true};
    configs[i] = (struct config_service){.name = name,
                                         .protocol = k->protocol,
                                         .listen_tls = k->listen,
                                         .connect_tls = k->connect,
                                         .connect = targets,
                                         .connect_count = k->via == VIA_REFUSES_FIRST ? 2 : 1,
                                         .via = k->via == VIA_NONE ? NULL : &via,
                                         .allow_target = &anywhere,
                                         .allow_target_count = 1,
                                         .send_proxy = k->header ? CONFIG_SEND_PROXY_V1 : CONFIG_SEND_PROXY_NONE,
                                         .connect_timeout_ms = SIMULATION_TIMEOUT_MS,
                                         .handshake_timeout_ms = SIMULATION_TIMEOUT_MS,
                                         .idle_timeout_ms = SIMULATION_TIMEOUT_MS,
                                         .half_close_timeout_ms = SIMULATION_TIMEOUT_MS,
                                         .http_request_head_max_bytes = HTTP_HEAD_MAX,
                                         .http_response_head_max_bytes = HTTP_HEAD_MAX,
                                         .http_field_max_bytes = HTTP_HEAD_MAX,
                                         .http_fields_max = 100};
    items[i] = (struct service){.config = &configs[i],
                                .protocol = protocol_of(k->protocol),
                                .server_context = (struct tls_context *)(uintptr_t)fake_context(&servers[i]),
                                .client_context = (struct tls_context *)(uintptr_t)fake_context(&clients[i]),
                                .greeting_name = greeting,
                                .pool_group = 0,
                                .verify_group = 1};
    service_http_limits(&configs[i], items[i].http_limits);
}

void simulation_kinds_open(void)
{
    make_kinds();
    services.count = 2 * kind_count;
    for (size_t i = 0; i < services.count; i++)
        open_service(i);
}

struct services *simulation_services(void)
{
    return &services;
}

size_t simulation_speeches(void)
{
    return ARRAY_LEN(speeches);
}

size_t simulation_first_service(size_t speech)
{
    return 2 * kinds_of_speech[speech];
}

const struct simulation_kind *simulation_kind_of(size_t service)
{
    return &kinds[service / 2];
}
