/* Lines are read back from a pipe that stands in for standard error. */
#include "proxy/process/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static int saved_stderr, pipe_read;
static char captured[65536];

static void capture_begin(void)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, (int)sizeof(captured)) >= (int)sizeof(captured));
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    pipe_read = ends[0];
    fcntl(pipe_read, F_SETFL, O_NONBLOCK);
}

/* What was written, as one string. */
static const char *capture_end(void)
{
    size_t size = 0;
    ssize_t n;

    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    while ((n = read(pipe_read, captured + size, sizeof(captured) - 1 - size)) > 0)
        size += (size_t)n;
    captured[size] = '\0';
    close(pipe_read);
    return captured;
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        count++;
    return count;
}

static void logfmt_quotes_what_needs_it(void **state)
{
    static const struct {
        const char *value, *want;
    } table[] = {
        {"plain", " key=plain\n"},
        {"127.0.0.1:80", " key=127.0.0.1:80\n"},
        {"", " key=\"\"\n"},
        {"two words", " key=\"two words\"\n"},
        {"a\"b\\c", " key=\"a\\\"b\\\\c\"\n"},
        {"line\nevent=forged", " key=\"line\\x0aevent=forged\"\n"},
        {"a=b", " key=\"a=b\"\n"},
        {"\x1b[31m", " key=\"\\x1b[31m\"\n"},
        {"\xff", " key=\"\\xff\"\n"},
    };

    (void)state;
    log_open("test", CONFIG_LOG_STDERR, CONFIG_LOG_LOGFMT, LOG_LEVEL_INFO);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const char *got;

        capture_begin();
        log_line(LOG_LEVEL_INFO, "some_event", log_text("key", table[i].value));
        got = capture_end();
        if (strstr(got, table[i].want) == NULL || strstr(got, " level=info process=test event=some_event ") == NULL)
            fail_msg("%s", got);
        assert_int_equal(count_of(got, "\n"), 1);
    }
}

static void json_lines_are_objects_whatever_the_bytes(void **state)
{
    char every_byte[256];
    json_t *object;

    (void)state;
    for (size_t i = 0; i < sizeof(every_byte); i++)
        every_byte[i] = (char)i;
    log_open("test", CONFIG_LOG_STDERR, CONFIG_LOG_JSON, LOG_LEVEL_INFO);
    capture_begin();
    log_line(LOG_LEVEL_ERROR, "some_event", log_span("bytes", span_of(every_byte, sizeof(every_byte))),
             log_number("number", -5));
    object = json_loads(capture_end(), JSON_ALLOW_NUL, NULL);
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "event")), "some_event");
    assert_int_equal(json_integer_value(json_object_get(object, "number")), -5);
    assert_true(json_is_string(json_object_get(object, "bytes")));
    json_decref(object);
}

static void json_has_characters_and_no_bytes(void **state)
{
    static const struct {
        const char *value, *want;
    } table[] = {
        {"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80", "M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff\xc3", "\\xff\\xc3"},
        {"\x9b"
         "31m",
         "\\x9b"
         "31m"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b"
         "31m"},
        {"\xe2\x80\x9b"
         "31m",
         "\xe2\x80\x9b"
         "31m"},
        {"\xc0\x80\xed\xa0\x80", "\\xc0\\x80\\xed\\xa0\\x80"},
    };

    (void)state;
    log_open("test", CONFIG_LOG_STDERR, CONFIG_LOG_JSON, LOG_LEVEL_INFO);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        json_t *object;

        capture_begin();
        log_line(LOG_LEVEL_INFO, "some_event", log_text("key", table[i].value));
        object = json_loads(capture_end(), 0, NULL);
        assert_non_null(object);
        assert_string_equal(json_string_value(json_object_get(object, "key")), table[i].want);
        json_decref(object);
    }
}

static void a_line_has_a_ceiling_and_stays_whole(void **state)
{
    static char long_value[100000];
    json_t *object;

    (void)state;
    memset(long_value, '\n', sizeof(long_value) - 1);
    log_open("test", CONFIG_LOG_STDERR, CONFIG_LOG_JSON, LOG_LEVEL_INFO);
    capture_begin();
    log_line(LOG_LEVEL_ERROR, "some_event", log_text("first", "1"), log_text("long", long_value),
             log_text("last", "2"));
    assert_true(strlen(capture_end()) <= 4096 + 1);
    object = json_loads(captured, 0, NULL);
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "first")), "1");
    json_decref(object);
}

static void levels_below_are_left_out(void **state)
{
    (void)state;
    log_open("test", CONFIG_LOG_STDERR, CONFIG_LOG_LOGFMT, LOG_LEVEL_WARNING);
    capture_begin();
    log_line(LOG_LEVEL_INFO, "unwanted", log_text("key", "value"));
    log_line(LOG_LEVEL_WARNING, "wanted", log_text("key", "value"));
    capture_end();
    assert_null(strstr(captured, "unwanted"));
    assert_non_null(strstr(captured, "event=wanted"));
    assert_false(log_wants(LOG_LEVEL_INFO));
}

static void peer_lines_are_limited_per_event_and_counted(void **state)
{
    enum { LINES = 5 * LOG_PEER_LINES_PER_SECOND_MAX };
    size_t written, seconds;

    (void)state;
    log_open("test", CONFIG_LOG_STDERR, CONFIG_LOG_LOGFMT, LOG_LEVEL_INFO);
    capture_begin();
    seconds = base_now_ms() / 1000;
    for (unsigned i = 0; i < LINES; i++)
        log_peer_line(LOG_LEVEL_WARNING, "flood", log_number("i", i));
    log_peer_line(LOG_LEVEL_WARNING, "other", log_number("i", 1));
    seconds = base_now_ms() / 1000 - seconds + 1; /* the loop may have run into another second */
    capture_end();
    written = count_of(captured, "event=flood");
    assert_true(written >= LOG_PEER_LINES_PER_SECOND_MAX);
    assert_true(written <= seconds * LOG_PEER_LINES_PER_SECOND_MAX);
    assert_int_equal(count_of(captured, "event=other"), 1);

    usleep(1100 * 1000); /* the second is over */
    capture_begin();
    assert_false(log_flush_suppressed());
    assert_false(log_flush_suppressed());
    capture_end();
    if (written < LINES)
        assert_int_equal(count_of(captured, "event=log_suppressed suppressed_event=flood"), 1);
}

/* One source that floods leaves lines to the others. */
static void lines_of_a_source_are_limited(void **state)
{
    enum { LINES = 50 * LOG_SOURCE_LINES_PER_SECOND_MAX };
    const struct log_field fields[] = {log_text("key", "value"), {.key = NULL}};
    const struct log_field other[] = {log_text("key", "other"), {.key = NULL}};
    size_t seconds, written;

    (void)state;
    usleep((useconds_t)(1000 - base_now_ms() % 1000) * 1000); /* a second of its own */
    log_open("test", CONFIG_LOG_STDERR, CONFIG_LOG_LOGFMT, LOG_LEVEL_INFO);
    capture_begin();
    seconds = base_now_ms() / 1000;
    for (unsigned i = 0; i < LINES; i++)
        log_write_of(LOG_LEVEL_WARNING, span_of_string("192.0.2.1"), "of_source", fields);
    log_write_of(LOG_LEVEL_WARNING, span_of_string("192.0.2.2"), "of_source", other);
    seconds = base_now_ms() / 1000 - seconds + 1;
    capture_end();
    written = count_of(captured, "key=value");
    assert_true(written >= LOG_SOURCE_LINES_PER_SECOND_MAX);
    assert_true(written <= seconds * LOG_SOURCE_LINES_PER_SECOND_MAX);
    assert_int_equal(count_of(captured, "key=other"), 1);
    capture_begin();
    while (log_flush_suppressed()) /* until the second is over, and it is said */
        usleep(10 * 1000);
    capture_end();
    assert_int_equal(count_of(captured, "event=log_suppressed suppressed_event=of_source"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logfmt_quotes_what_needs_it),
        cmocka_unit_test(json_lines_are_objects_whatever_the_bytes),
        cmocka_unit_test(json_has_characters_and_no_bytes),
        cmocka_unit_test(a_line_has_a_ceiling_and_stays_whole),
        cmocka_unit_test(levels_below_are_left_out),
        cmocka_unit_test(peer_lines_are_limited_per_event_and_counted),
        cmocka_unit_test(lines_of_a_source_are_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
