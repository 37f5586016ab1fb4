/* What a server refuses is told apart: each kind has its own end of a session, its own words for the client, and
 * somebody else to see to it. */
#include "starttls/starttls.h"

#include <setjmp.h>
#include <cmocka.h>

static enum starttls_refusal refusal_after(enum starttls_protocol protocol, const char *said)
{
    const struct starttls_options options = {
        .name = "proxy.test", .upgrade = true, .target_host = "mx.test", .target_port = 25};
    struct starttls_machine *m = starttls_connect_create(protocol, &options);
    struct span bytes = span_of_string(said);
    enum starttls_status status = STARTTLS_NEED_MORE;
    enum starttls_refusal refusal;

    while (bytes.size != 0 && status == STARTTLS_NEED_MORE) {
        size_t consumed;

        assert_int_equal(starttls_refusal(m), STARTTLS_REFUSAL_NONE);
        status = starttls_put(m, bytes, &consumed);
        bytes = span_skip(bytes, consumed);
    }
    refusal = starttls_refusal(m);
    assert_int_equal(status == STARTTLS_REFUSED, refusal != STARTTLS_REFUSAL_NONE);
    starttls_machine_destroy(&m);
    return refusal;
}

static void what_a_server_refuses_is_told_apart(void **state)
{
    static const struct {
        enum starttls_protocol protocol;
        const char *said;
        enum starttls_refusal want;
    } rows[] = {
        {STARTTLS_SMTP, "554 No SMTP service here\r\n", STARTTLS_REFUSAL_SERVICE},
        {STARTTLS_SMTP, "421 Too busy\r\n", STARTTLS_REFUSAL_SERVICE},
        {STARTTLS_SMTP, "220 mx\r\n502 no\r\n", STARTTLS_REFUSAL_COMMAND},
        {STARTTLS_SMTP, "220 mx\r\n421 Shutting down\r\n", STARTTLS_REFUSAL_GOODBYE},
        {STARTTLS_SMTP, "220 mx\r\n250-mx\r\n250 SIZE\r\n", STARTTLS_REFUSAL_NO_TLS},
        {STARTTLS_SMTP, "220 mx\r\n250-mx\r\n250 STARTTLS\r\n454 no\r\n", STARTTLS_REFUSAL_TLS},
        {STARTTLS_SMTP, "220 mx\r\n250-mx\r\n250 STARTTLS\r\n421 no\r\n", STARTTLS_REFUSAL_GOODBYE},
        {STARTTLS_SMTP, "what\r\n", STARTTLS_REFUSAL_NONE},
        {STARTTLS_SMTP, "220 mx\r\n", STARTTLS_REFUSAL_NONE},
        {STARTTLS_LMTP, "554 no\r\n", STARTTLS_REFUSAL_SERVICE},
        {STARTTLS_LMTP, "220 mx\r\n250 mx\r\n", STARTTLS_REFUSAL_NO_TLS},
        {STARTTLS_IMAP, "* BYE later\r\n", STARTTLS_REFUSAL_SERVICE},
        {STARTTLS_IMAP, "* PREAUTH hi\r\n", STARTTLS_REFUSAL_COMMAND},
        {STARTTLS_IMAP, "* OK hi\r\n* BYE no\r\n", STARTTLS_REFUSAL_GOODBYE},
        {STARTTLS_IMAP, "* OK hi\r\nS1 NO no\r\n", STARTTLS_REFUSAL_TLS},
        {STARTTLS_IMAP, "* OK hi\r\nS1 BAD no\r\n", STARTTLS_REFUSAL_TLS},
        {STARTTLS_POP3, "-ERR [SYS/TEMP] later\r\n", STARTTLS_REFUSAL_SERVICE},
        {STARTTLS_POP3, "+OK hi\r\n-ERR what\r\n", STARTTLS_REFUSAL_TLS},
        {STARTTLS_POP3, "+OK hi\r\n", STARTTLS_REFUSAL_NONE},
        {STARTTLS_SIEVE, "BYE (TRYLATER)\r\n", STARTTLS_REFUSAL_SERVICE},
        {STARTTLS_SIEVE, "\"SASL\" \"\"\r\nOK\r\n", STARTTLS_REFUSAL_NO_TLS},
        {STARTTLS_SIEVE, "\"STARTTLS\"\r\nOK\r\nNO\r\n", STARTTLS_REFUSAL_TLS},
        {STARTTLS_SIEVE, "\"STARTTLS\"\r\nOK\r\nBYE\r\n", STARTTLS_REFUSAL_GOODBYE},
        {STARTTLS_NNTP, "400 later\r\n", STARTTLS_REFUSAL_SERVICE},
        {STARTTLS_NNTP, "200 hi\r\n502 no\r\n", STARTTLS_REFUSAL_TLS},
        {STARTTLS_NNTP, "200 hi\r\n400 no\r\n", STARTTLS_REFUSAL_GOODBYE},
        {STARTTLS_POSTGRES, "N", STARTTLS_REFUSAL_NO_TLS},
        {STARTTLS_POSTGRES, "E", STARTTLS_REFUSAL_SERVICE},
        {STARTTLS_HTTP_CONNECT, "HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n", STARTTLS_REFUSAL_TARGET},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(refusal_after(rows[i].protocol, rows[i].said), rows[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_server_refuses_is_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
