/* see tests/unit/proxy/simulation_speeches.h: protocols that are spoken in lines */
#include "simulation_speeches.h"

enum { MANY = 700 /* more than a filter lets be without an answer */ };

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

const struct speech simulation_smtp = {"smtp",
                                       CONFIG_PROTOCOL_SMTP,
                                       mail_client_opens,
                                       mail_server_opens,
                                       "220 t%u.test\r\n",
                                       "220 yett.test ESMTP\r\n",
                                       false,
                                       smtp_conversations,
                                       mail_probed,
                                       false};
const struct speech simulation_lmtp = {"lmtp",
                                       CONFIG_PROTOCOL_LMTP,
                                       lmtp_client_opens,
                                       lmtp_server_opens,
                                       "220 t%u.test\r\n",
                                       "220 yett.test LMTP\r\n",
                                       false,
                                       lmtp_conversations,
                                       lmtp_probed,
                                       false};

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

static const struct conversation imap_conversations[] = {
    {"words", imap_words_client, imap_words_server, PAYLOAD_BOTH},
    {"ahead", imap_ahead_client, imap_ahead_server, PAYLOAD_BOTH | PAYLOAD_LINES},
    {"literals", imap_literals_client, imap_literals_server, PAYLOAD_BOTH},
    {"many", imap_many_client, imap_many_server, PAYLOAD_MANY},
    {"no_answer", imap_no_answer_client, imap_no_answer_server, PAYLOAD_MANY},
    {"server_cut", imap_server_cut_client, imap_server_cut_server, 0},
    {"client_cut", imap_client_cut_client, imap_client_cut_server, 0},
    {NULL, NULL, NULL, 0}};

const struct speech simulation_imap = {"imap",
                                       CONFIG_PROTOCOL_IMAP,
                                       imap_client_opens,
                                       imap_server_opens,
                                       "* OK t%u.test\r\n",
                                       "* OK yett.test\r\n",
                                       false,
                                       imap_conversations,
                                       imap_probed,
                                       false};

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

static const struct conversation pop3_conversations[] = {
    {"words", pop3_words_client, pop3_words_server, PAYLOAD_BOTH},
    {"ahead", pop3_ahead_client, pop3_ahead_server, PAYLOAD_BOTH | PAYLOAD_LINES},
    {"auth", pop3_auth_client, pop3_auth_server, PAYLOAD_BOTH},
    {"many", pop3_many_client, pop3_many_server, PAYLOAD_MANY},
    {"no_answer", pop3_no_answer_client, pop3_no_answer_server, PAYLOAD_MANY},
    {"server_cut", pop3_server_cut_client, pop3_server_cut_server, 0},
    {"client_cut", pop3_client_cut_client, pop3_client_cut_server, 0},
    {NULL, NULL, NULL, 0}};

const struct speech simulation_pop3 = {"pop3",
                                       CONFIG_PROTOCOL_POP3,
                                       pop3_client_opens,
                                       pop3_server_opens,
                                       "+OK t%u.test\r\n",
                                       "+OK yett.test\r\n",
                                       false,
                                       pop3_conversations,
                                       pop3_probed,
                                       false};

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

static const struct conversation sieve_conversations[] = {
    {"words", sieve_words_client, sieve_words_server, PAYLOAD_BOTH},
    {"ahead", sieve_ahead_client, sieve_ahead_server, PAYLOAD_BOTH | PAYLOAD_LINES},
    {"many", sieve_many_client, sieve_many_server, PAYLOAD_MANY},
    {"server_cut", sieve_server_cut_client, sieve_server_cut_server, 0},
    {"client_cut", sieve_client_cut_client, sieve_client_cut_server, 0},
    {NULL, NULL, NULL, 0}};

const struct speech simulation_sieve = {"sieve",
                                        CONFIG_PROTOCOL_SIEVE,
                                        sieve_client_opens,
                                        sieve_server_opens,
                                        "\"SASL\" \"%u\"\r\n\"STARTTLS\"\r\nOK\r\n",
                                        "\"SASL\" \"%u\"\r\nOK\r\n",
                                        true,
                                        sieve_conversations,
                                        sieve_probed,
                                        false};

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

static const struct conversation nntp_conversations[] = {
    {"words", nntp_words_client, nntp_words_server, PAYLOAD_BOTH},
    {"many", nntp_many_client, nntp_many_server, PAYLOAD_MANY},
    {"no_answer", nntp_no_answer_client, nntp_no_answer_server, PAYLOAD_MANY},
    {"server_cut", nntp_server_cut_client, nntp_server_cut_server, 0},
    {"client_cut", nntp_client_cut_client, nntp_client_cut_server, 0},
    {NULL, NULL, NULL, 0}};

const struct speech simulation_nntp = {"nntp",
                                       CONFIG_PROTOCOL_NNTP,
                                       nntp_client_opens,
                                       nntp_server_opens,
                                       "200 t%u.test\r\n",
                                       "200 yett.test\r\n",
                                       false,
                                       nntp_conversations,
                                       nntp_probed,
                                       false};
