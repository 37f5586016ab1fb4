/* What is spoken in the place of TLS is told by its first bytes, from as few as there are. */
#include "proxy/session/spoken.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define BYTES(text)                                                                                                    \
    {                                                                                                                  \
        (const uint8_t *)(text), sizeof(text) - 1                                                                      \
    }

static const struct {
    struct span first;
    enum spoken_side side;
    const char *words; /* of the sentence; NULL: there is none */
} rows[] = {
    {BYTES("\0\0\0\x08\x04\xd2\x16\x2f"), SPOKEN_BY_CLIENT, "PostgreSQL"},
    {BYTES("\0\0\0\x08\x04\xd2\x16\x30"), SPOKEN_BY_CLIENT, "PostgreSQL"},
    {BYTES("\0\0\0\x54\0\x03\0\0user\0"), SPOKEN_BY_CLIENT, "PostgreSQL"},
    {BYTES("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"), SPOKEN_BY_CLIENT, "LDAP"},
    {BYTES("\x30\x84\0\0\0\x10\x02\x01\x01\x60"), SPOKEN_BY_CLIENT, "LDAP"},
    {BYTES("\x30\x84\0\0"), SPOKEN_BY_CLIENT, "not TLS"},
    {BYTES("\x30\xff\0\0\0"), SPOKEN_BY_CLIENT, "not TLS"},
    {BYTES("SSH-2.0-OpenSSH_9.2\r\n"), SPOKEN_BY_CLIENT, "SSH"},
    {BYTES("SSH-2.0-OpenSSH_9.2\r\n"), SPOKEN_BY_TARGET, "SSH"},
    {BYTES("GET / HTTP/1.1\r\n"), SPOKEN_BY_CLIENT, "HTTP"},
    {BYTES("get / http/1.1\r\n"), SPOKEN_BY_CLIENT, "HTTP"},
    {BYTES("PRI * HTTP/2.0\r\n"), SPOKEN_BY_CLIENT, "HTTP"},
    {BYTES("CONNECT a:1 HTTP"), SPOKEN_BY_CLIENT, "http-proxy"},
    {BYTES("HTTP/1.1 400 Bad"), SPOKEN_BY_TARGET, "HTTP"},
    {BYTES("<!DOCTYPE HTML>\n"), SPOKEN_BY_TARGET, "HTTP"},
    {BYTES("<html><head>"), SPOKEN_BY_TARGET, "HTTP"},
    {BYTES("EHLO a\r\n"), SPOKEN_BY_CLIENT, "SMTP"},
    {BYTES("LHLO a\r\n"), SPOKEN_BY_CLIENT, "LMTP"},
    {BYTES("220 mx ESMTP\r\n"), SPOKEN_BY_TARGET, "SMTP"},
    {BYTES("554 5.5.0 Error: SMTP protocol synchronization\r\n"), SPOKEN_BY_TARGET, "SMTP"},
    {BYTES("421 4.7.0 mx Error: too many connections\r\n"), SPOKEN_BY_TARGET, "SMTP"},
    {BYTES("a001 CAPABILITY\r"), SPOKEN_BY_CLIENT, "IMAP"},
    {BYTES("a CAPABILITY\r\n"), SPOKEN_BY_CLIENT, "IMAP"},
    {BYTES("A00000001 LOGIN "), SPOKEN_BY_CLIENT, "IMAP"},
    {BYTES("kmyy1 starttls\r\n"), SPOKEN_BY_CLIENT, "IMAP"},
    {BYTES("2.7 ID (\"name\" "), SPOKEN_BY_CLIENT, "IMAP"},
    {BYTES("a FETCH 1 BODY\r\n"), SPOKEN_BY_CLIENT, "not TLS"},
    {BYTES("+ LOGIN a b\r\n"), SPOKEN_BY_CLIENT, "not TLS"},
    {BYTES(" LOGIN a b\r\n"), SPOKEN_BY_CLIENT, "not TLS"},
    {BYTES("capa\r\n"), SPOKEN_BY_CLIENT, "POP3"},
    {BYTES("STLS\r\n"), SPOKEN_BY_CLIENT, "POP3"},
    {BYTES("STARTTLS\r\n"), SPOKEN_BY_CLIENT, "STARTTLS"},
    {BYTES("AUTH PLAIN AG\r\n"), SPOKEN_BY_CLIENT, "SMTP or POP3"},
    {BYTES("QUIT\r\n"), SPOKEN_BY_CLIENT, "SMTP, POP3"},
    {BYTES("* OK hello\r\n"), SPOKEN_BY_TARGET, "IMAP"},
    {BYTES("+OK hello\r\n"), SPOKEN_BY_TARGET, "POP3"},
    {BYTES("USER alice\r\n"), SPOKEN_BY_CLIENT, "POP3"},
    {BYTES("PROXY TCP4 192.0"), SPOKEN_BY_CLIENT, "PROXY"},
    {BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x54"), SPOKEN_BY_CLIENT, "PROXY"},
    {BYTES("\x05\x01\0"), SPOKEN_BY_CLIENT, "SOCKS"},
    {BYTES("\x10\x10\0\x04MQTT\x04"), SPOKEN_BY_CLIENT, "MQTT"},
    {BYTES("\x10\x80\x80\x01\0\x04MQTT\x04"), SPOKEN_BY_CLIENT, "MQTT"},
    {BYTES("\x4a\0\0\0\x0a"
           "5.5.5"),
     SPOKEN_BY_TARGET, "MySQL"},
    {BYTES("\x03\0\0\x13\x0e\xe0\0"), SPOKEN_BY_CLIENT, "RDP"},
    {BYTES("<?xml version='1"), SPOKEN_BY_CLIENT, "XMPP"},
    {BYTES("\0"), SPOKEN_BY_CLIENT, "not TLS"},
    {BYTES("hello"), SPOKEN_BY_TARGET, "not TLS"},
    {BYTES("220 mx"), SPOKEN_BY_CLIENT, "not TLS"}, /* no client begins like this */
    {BYTES(""), SPOKEN_BY_CLIENT, NULL},
    {BYTES("\x16\x03\x01\x02\0\x01"), SPOKEN_BY_CLIENT, NULL},
    {BYTES("\x15\x03\x03\0\x02\x02\x28"), SPOKEN_BY_TARGET, NULL},
    {BYTES("\x80\x2e\x01\0\x02"), SPOKEN_BY_CLIENT, NULL}, /* SSL 2 has an error of its own */
};

static void what_is_spoken_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *sentence = spoken_instead_of_tls(rows[i].first, rows[i].side);

        if (rows[i].words == NULL)
            assert_null(sentence);
        else if (sentence == NULL || strstr(sentence, rows[i].words) == NULL)
            fail_msg("row %zu: %s, not %s", i, sentence == NULL ? "nothing" : sentence, rows[i].words);
        else
            assert_true(strlen(spoken_advice(sentence)) > 10); /* what would be right, in every one */
    }
}

/* Every beginning of every row, in memory of its own so that a sanitizer sees what is read behind it. */
static void a_beginning_is_enough_for_some_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (size_t size = 0; size <= rows[i].first.size; size++) {
            uint8_t *copy = base_memdup(rows[i].first.data, size);

            (void)!spoken_instead_of_tls(span_of(copy, size), rows[i].side);
            assert_false(spoken_is_tls(span_of(copy, size)) && copy[0] != 0x16);
            free(copy);
        }
}

static void tls_is_told_from_two_bytes_on(void **state)
{
    (void)state;
    assert_true(spoken_is_tls(span_of("\x16\x03\x01", 3)));
    assert_false(spoken_is_tls(span_of("\x16", 1)));
    assert_false(spoken_is_tls(span_of("\x16\x02\x01", 3)));
    assert_false(spoken_is_tls(span_of("EHLO a", 6)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_spoken_is_told),
        cmocka_unit_test(a_beginning_is_enough_for_some_answer),
        cmocka_unit_test(tls_is_told_from_two_bytes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
