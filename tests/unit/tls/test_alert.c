/* tls/alert.c, and what an engine says when a peer sends an alert before it changes its keys. */
#include "tls_fixture.h"

#include "tls/alert.h"
#include "tls/engine_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ALERT_COUNT = 256, WARNING = 1, FATAL = 2 };

static void every_number_has_words(void **state)
{
    int known = 0;

    (void)state;
    for (int alert = 0; alert < ALERT_COUNT; alert++) {
        const char *name = tls_alert_name(alert);
        char *sentence = tls_alert_sentence(alert, "client", "subject \"CN=x\"");
        bool certificate = strstr(sentence, "our certificate") != NULL;

        assert_true(strncmp(tls_alert_error_name(alert), "alert_received_", 15) == 0);
        assert_string_equal(tls_alert_error_name(alert) + 15, name);
        assert_non_null(strstr(sentence, "the client ended the connection with the "));
        if (strcmp(name, "unknown") == 0) {
            assert_non_null(strstr(sentence, "unknown alert"));
        } else {
            known++;
            assert_non_null(strstr(sentence, name));
        }
        assert_true(certificate == (strstr(sentence, "CN=x") != NULL) || alert == 113);
        free(sentence);
    }
    assert_int_equal(known, 35);
}

/* The words of the manual are those of the log. */
static void manual_lists_them(void **state)
{
    static char page[1024 * 1024];
    FILE *file = fopen(YETT_MANUAL_FOLDER "/yett.8", "r");
    size_t size;

    (void)state;
    assert_non_null(file);
    size = fread(page, 1, sizeof(page) - 1, file);
    page[size] = '\0';
    (void)fclose(file);
    for (char *c = page; *c != '\0'; c++)
        *c = *c == '\n' ? ' ' : *c;
    for (int alert = 0; alert < ALERT_COUNT; alert++) {
        char *sentence = tls_alert_sentence(alert, "client", "");
        char *words = strstr(sentence, ": "), *entry;

        if (strcmp(tls_alert_name(alert), "unknown") != 0) {
            entry = base_printf(".It Li %s (%d) %s.", tls_alert_name(alert), alert, words + 2);
            if (strstr(page, entry) == NULL)
                fail_msg("not in yett(8): %s", entry);
            free(entry);
        }
        free(sentence);
    }
}

static void only_an_alert_is_one(void **state)
{
    static const struct {
        uint8_t record[8];
        size_t size;
        int alert;
    } cases[] = {
        {{21, 3, 3, 0, 2, FATAL, 48}, 7, 48}, {{21, 3, 1, 0, 2, FATAL, 48}, 7, 48},
        {{21, 3, 3, 0, 2, WARNING, 0}, 7, 0}, {{21, 3, 3, 0, 2, FATAL, 255}, 7, 255},
        {{21, 3, 3, 0, 2, FATAL}, 6, -1},     {{21, 3, 3, 0, 2, FATAL, 48, 0}, 8, -1},
        {{22, 3, 3, 0, 2, FATAL, 48}, 7, -1}, {{21, 2, 3, 0, 2, FATAL, 48}, 7, -1},
        {{21, 3, 3, 0, 3, FATAL, 48}, 7, -1}, {{21, 3, 3, 0, 2, 3, 48}, 7, -1},
        {{21, 3, 3, 1, 2, FATAL, 48}, 7, -1}, {{0}, 0, -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (tls_alert_in_clear(span_of(cases[i].record, cases[i].size)) != cases[i].alert)
            fail_msg("case %zu", i);
}

/* Give bytes to an engine, `piece` at a time. */
static enum tls_status give(struct tls_engine *e, struct span bytes, size_t piece)
{
    enum tls_status status = TLS_OK;

    while (bytes.size != 0 && status == TLS_OK) {
        size_t room, size = piece < bytes.size ? piece : bytes.size;
        uint8_t *space = tls_engine_records_reserve(e, &room);

        assert_true(room >= size);
        memcpy(space, bytes.data, size);
        tls_engine_records_commit(e, size);
        bytes = span_skip(bytes, size);
        if ((tls_engine_wants(e) & TLS_NEEDS_STEP) != 0)
            status = tls_engine_step(e);
    }
    return status;
}

static enum tls_status give_alert(struct tls_engine *e, int level, int alert, size_t piece)
{
    uint8_t record[] = {21, 3, 3, 0, 2, (uint8_t)level, (uint8_t)alert};

    return give(e, span_of(record, sizeof(record)), piece);
}

static void check(const struct tls_engine *e, int alert, const char *peer)
{
    const char *name = alert == 0 ? "closed_in_handshake" : tls_alert_error_name(alert);

    if (strcmp(tls_engine_error_name(e), name) != 0 || strstr(tls_engine_error(e), peer) == NULL)
        fail_msg("alert %d: %s, %s", alert, tls_engine_error_name(e), tls_engine_error(e));
    assert_int_equal(tls_engine_alert_received(e), alert);
}

/* The client has the server's certificate, and says what it thinks of it in the clear. */
static void client_says_it_in_the_clear(void **state)
{
    struct test_fixture *f = *state;

    for (int alert = 0; alert < ALERT_COUNT; alert++) {
        for (size_t piece = 1; piece <= 7; piece += 6) {
            struct tls_engine *client = tls_engine_create(f->client, "server.example.org", NULL);
            struct tls_engine *server = tls_engine_create(f->server, NULL, NULL);

            assert_int_equal(tls_engine_step(client), TLS_OK);
            assert_int_equal(give(server, tls_engine_records(client), SIZE_MAX), TLS_OK);
            assert_true(tls_engine_records(server).size > 0);
            assert_int_equal(give_alert(server, alert % 2 == 0 ? FATAL : WARNING, alert, piece), TLS_FAILED);
            check(server, alert, "client");
            if (alert == 48)
                assert_non_null(strstr(tls_engine_error(server),
                                       "does not trust the authority that issued our certificate (subject \"CN=leaf"));
            tls_engine_destroy(&client);
            tls_engine_destroy(&server);
        }
    }
}

/* The records of a server's first flight, up to and with the ServerHello. */
static struct span server_hello(struct span records)
{
    struct tls_record_reader reader = {0};
    struct span rest = records;

    assert_true(tls_record_reader_next(&reader, &rest));
    return span_of(records.data, TLS_RECORD_HEADER_SIZE + tls_record_body_size(reader.header));
}

static void server_says_it_in_the_clear(void **state)
{
    struct test_fixture *f = *state;

    for (int alert = 0; alert < ALERT_COUNT; alert++) {
        for (size_t piece = 1; piece <= 7; piece += 6) {
            struct tls_engine *client = tls_engine_create(f->client, "server.example.org", NULL);
            struct tls_engine *server = tls_engine_create(f->server, NULL, NULL);

            assert_int_equal(tls_engine_step(client), TLS_OK);
            assert_int_equal(give(server, tls_engine_records(client), SIZE_MAX), TLS_OK);
            assert_int_equal(give(client, server_hello(tls_engine_records(server)), SIZE_MAX), TLS_OK);
            assert_int_equal(give_alert(client, FATAL, alert, piece), TLS_FAILED);
            check(client, alert, "server");
            tls_engine_destroy(&client);
            tls_engine_destroy(&server);
        }
    }
}

/* Behind the handshake: counted as long as nothing has come under the new keys, with NSS's records and with ours. */
static void alert_in_the_clear_afterwards(void **state)
{
    struct test_fixture *f = *state;

    for (int trimmed = 0; trimmed <= 1; trimmed++)
        for (int heard = 0; heard <= 1; heard++)
            for (size_t piece = 1; piece <= 7; piece += 6) {
                struct test_pair p;
                uint8_t byte;
                size_t n;

                test_pair_init(&p, f->client, "server.example.org", NULL, f->server);
                test_pair_handshake(&p);
                if (heard)
                    test_pair_send(&p, p.server, p.client, span_of_string("x"));
                assert_int_equal(tls_engine_take_plaintext(p.client, &byte, 1, &n), TLS_OK);
                if (trimmed)
                    tls_engine_trim(p.client);
                (void)give_alert(p.client, FATAL, 48, piece);
                assert_int_equal(tls_engine_take_plaintext(p.client, &byte, 1, &n), TLS_FAILED);
                if (strcmp(tls_engine_error_name(p.client),
                           heard ? "SSL_ERROR_RX_UNEXPECTED_RECORD_TYPE" : "alert_received_unknown_ca") != 0)
                    fail_msg("trimmed %d, heard %d, piece %zu: %s", trimmed, heard, piece,
                             tls_engine_error_name(p.client));
                test_pair_clear(&p);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_has_words),      cmocka_unit_test(manual_lists_them),
        cmocka_unit_test(only_an_alert_is_one),        cmocka_unit_test(client_says_it_in_the_clear),
        cmocka_unit_test(server_says_it_in_the_clear), cmocka_unit_test(alert_in_the_clear_afterwards),
    };

    return cmocka_run_group_tests_name("tls alert", tests, test_fixture_setup, test_fixture_teardown);
}
