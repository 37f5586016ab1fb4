/* What is shown: metrics from the status object, its text, and who may read the admin endpoint. */
#include "proxy/control/admin.h"
#include "proxy/supervisor/backoff.h"
#include "proxy/control/metrics.h"
#include "proxy/commands/status_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static json_t *status(void)
{
    json_error_t error;
    json_t *object = json_loads(
        "{\"version\": \"1.2.3\", \"pid\": 42, \"state\": \"running\", \"generation\": 7, \"uptime_seconds\": 3725,"
        " \"worker_deaths\": 2, \"reloads\": 9, \"reloads_failed\": 1,"
        " \"workers\": [{\"slot\": 0, \"pid\": 43, \"generation\": 7, \"state\": \"ready\", \"uptime_seconds\": 5},"
        "               {\"slot\": 0, \"pid\": 44, \"generation\": 6, \"state\": \"draining\", \"uptime_seconds\": 90}],"
        " \"services\": [{\"name\": \"a\\\"b\\\\c\", \"listen\": [\"127.0.0.1:1\", \"[::1]:1\"],"
        "                \"counters\": {\"connections_open\": 3, \"connections_total\": 11,"
        "                               \"client_received_bytes_total\": 1536}}],"
        " \"modules\": [{\"name\": \"hsm\", \"pid\": 50, \"state\": \"ready\", \"pin\": \"right\", \"signatures\": 12,"
        "               \"failures\": 1, \"path\": \"/x.so\","
        "               \"tokens\": [{\"label\": \"Mail\", \"present\": false, \"pin\": \"right\"}]}]}",
        0, &error);

    assert_non_null(object);
    return object;
}

static void metrics_text_has_every_part(void **state)
{
    static const char *const wanted[] = {
        "# HELP yett_info The version that runs\n# TYPE yett_info gauge\nyett_info{version=\"1.2.3\"} 1\n",
        "# TYPE yett_uptime_seconds gauge\nyett_uptime_seconds 3725\n",
        "# TYPE yett_worker_deaths_total counter\nyett_worker_deaths_total 2\n",
        "yett_reloads_failed_total 1\n",
        "yett_workers{state=\"ready\"} 1\n",
        "yett_workers{state=\"draining\"} 1\n",
        "# TYPE yett_connections_open gauge\nyett_connections_open{service=\"a\\\"b\\\\c\"} 3\n",
        "# TYPE yett_connections_total counter\nyett_connections_total{service=\"a\\\"b\\\\c\"} 11\n",
        "yett_module_signatures_total{module=\"hsm\"} 12\n",
        "yett_module_ready{module=\"hsm\"} 1\n",
    };
    json_t *object = status();
    char *text = metrics_text(object);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (strstr(text, wanted[i]) == NULL)
            fail_msg("not in the metrics: %s\n%s", wanted[i], text);
    free(text);
    json_decref(object);
}

/* Each line is a comment or "name{label} number": what a scraper refuses, nobody would see. */
static void metrics_text_is_well_formed(void **state)
{
    json_t *object = status();
    char *text = metrics_text(object);
    size_t lines = 0;

    (void)state;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"), lines++) {
        const char *space = strrchr(line, ' ');

        if (strncmp(line, "# HELP yett_", 12) == 0 || strncmp(line, "# TYPE yett_", 12) == 0)
            continue;
        assert_true(strncmp(line, "yett_", 5) == 0);
        assert_non_null(space);
        assert_int_equal(strspn(space + 1, "0123456789."), strlen(space + 1));
    }
    assert_true(lines > 60);
    free(text);
    json_decref(object);
}

static char *printed(void (*print)(const json_t *, FILE *), const json_t *object)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    print(object, out);
    fclose(out);
    return text;
}

static void status_text_names_what_matters(void **state)
{
    static const char *const wanted[] = {"yett 1.2.3, process 42, running for 1 h 2 min, generation 7",
                                         "2 workers have died, 1 reloads were refused",
                                         "draining",
                                         "1.5 KiB",
                                         "127.0.0.1:1, [::1]:1",
                                         "token \"Mail\": gone, PIN right"};
    json_t *object = status();
    char *text = printed(status_text_print, object);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (strstr(text, wanted[i]) == NULL)
            fail_msg("not in the status: %s\n%s", wanted[i], text);
    free(text);
    json_object_set_new(object, "state", json_string("drained")); /* since when is not known */
    text = printed(status_text_print, object);
    assert_non_null(strstr(text, "process 42, drained, started 1 h 2 min ago, generation 7"));
    free(text);
    json_decref(object);
}

static void connections_text_escapes_peers_words(void **state)
{
    json_error_t error;
    json_t *object = json_loads("{\"connections\": [{\"id\": \"0.1.2\", \"subject\": \"CN=\\u001b[31mred\"}],"
                                " \"left_out\": 4, \"complete\": false}",
                                0, &error);
    char *text = printed(status_text_print_connections, object);

    (void)state;
    assert_null(strchr(text, '\033'));
    assert_non_null(strstr(text, "0.1.2"));
    assert_non_null(strstr(text, "1 connection\n"));
    assert_non_null(strstr(text, "4 more are not shown"));
    assert_non_null(strstr(text, "did not answer in time"));
    free(text);
    json_decref(object);
}

static void duration_has_two_units(void **state)
{
    static const struct {
        uint64_t seconds;
        const char *want;
    } cases[] = {{0, "0 s"},          {59, "59 s"},           {60, "1 min 0 s"}, {3599, "59 min 59 s"},
                 {3600, "1 h 0 min"}, {86399, "23 h 59 min"}, {90000, "1 d 1 h"}};
    char got[STATUS_DURATION_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(status_text_duration(cases[i].seconds, got), cases[i].want);
}

static void bytes_have_a_unit(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *want;
    } cases[] = {{0, "0 B"}, {1023, "1023 B"}, {1024, "1.0 KiB"}, {1536, "1.5 KiB"}, {5ull << 30, "5.0 GiB"}};
    char got[STATUS_BYTES_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(status_text_bytes(cases[i].bytes, got), cases[i].want);
}

static void admin_host_is_a_literal_or_localhost(void **state)
{
    static const struct {
        const char *host;
        bool want;
    } cases[] = {{"127.0.0.1:9180", true},
                 {"127.0.0.1", true},
                 {"localhost:9180", true},
                 {"LOCALHOST", true},
                 {"[::1]:9180", true},
                 {"[0:0:0:0:0:0:0:1]", true},
                 {"[::ffff:127.0.0.1]:9180", true},
                 {"localhost.", true},
                 {"localhost:0", false},
                 {"127.0.0.1:9180:1", false},
                 {"[evil.example]:9180", false},
                 {"[::1", false},
                 {"1.2.3", false},
                 {"", false},
                 {"evil.example", false},
                 {"evil.example:9180", false},
                 {"127.0.0.1.evil.example", false},
                 {"localhost.evil.example", false},
                 {":9180", false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (admin_host_is_local(span_of_string(cases[i].host)) != cases[i].want)
            fail_msg("%s: want %d", cases[i].host, cases[i].want);
}

static void backoff_grows_to_its_ceiling(void **state)
{
    static const uint64_t want[] = {0, 0, 100, 500, 1000, 5000, 5000};

    (void)state;
    for (unsigned deaths = 0; deaths < ARRAY_LEN(want); deaths++)
        assert_int_equal(backoff_ms(deaths), want[deaths]);
    assert_int_equal(backoff_ms(~0u), BACKOFF_MS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_text_has_every_part),
        cmocka_unit_test(metrics_text_is_well_formed),
        cmocka_unit_test(status_text_names_what_matters),
        cmocka_unit_test(connections_text_escapes_peers_words),
        cmocka_unit_test(duration_has_two_units),
        cmocka_unit_test(bytes_have_a_unit),
        cmocka_unit_test(admin_host_is_a_literal_or_localhost),
        cmocka_unit_test(backoff_grows_to_its_ceiling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
