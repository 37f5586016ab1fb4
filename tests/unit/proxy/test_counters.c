#include "proxy/process/counters.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static void both_ends_see_the_same_numbers(void **state)
{
    int fd;
    struct counters *ours = counters_create(3, &fd), *workers = counters_map(fd, 3);

    (void)state;
    assert_non_null(ours);
    assert_non_null(workers);
    counter_add(counters_service(workers, 1), COUNTER_connections_total, 5);
    counter_add(counters_service(workers, 1), COUNTER_connections_open, 2);
    counter_subtract(counters_service(workers, 1), COUNTER_connections_open, 1);
    assert_int_equal(counters_read(ours, 1, COUNTER_connections_total), 5);
    assert_int_equal(counters_read(ours, 1, COUNTER_connections_open), 1);
    assert_int_equal(counters_read(ours, 0, COUNTER_connections_total), 0);
    assert_int_equal(counters_read(ours, 2, COUNTER_connections_total), 0);
    counters_destroy(&workers);
    counters_destroy(&ours);
    close(fd);
}

static void numbers_outlive_the_workers_end(void **state)
{
    int fd;
    struct counters *ours = counters_create(1, &fd), *workers = counters_map(fd, 1);

    (void)state;
    counter_add(counters_service(workers, 0), COUNTER_truncations_total, 1);
    counters_destroy(&workers);
    close(fd);
    assert_int_equal(counters_read(ours, 0, COUNTER_truncations_total), 1);
    counters_destroy(&ours);
}

static void the_shared_memory_cannot_be_resized(void **state)
{
    int fd;
    struct counters *ours = counters_create(1, &fd);

    (void)state;
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 1 << 20), -1);
    counters_destroy(&ours);
    close(fd);
}

static void map_refuses_what_does_not_fit(void **state)
{
    int fd, empty = memfd_create("empty", MFD_CLOEXEC);
    struct counters *ours = counters_create(2, &fd);

    (void)state;
    assert_null(counters_map(fd, 3));
    assert_null(counters_map(fd, 1));
    assert_null(counters_map(fd, SIZE_MAX));
    assert_null(counters_map(empty, 2));
    assert_null(counters_map(-1, 2));
    counters_destroy(&ours);
    close(fd);
    close(empty);
}

static void every_counter_has_a_name_a_help_and_the_right_ending(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        const char *name = counter_name((enum counter)i);
        bool ends_in_total = strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0;

        assert_true(strlen(counter_help((enum counter)i)) > 0);
        if (ends_in_total == counter_is_gauge((enum counter)i))
            fail_msg("%s", name);
    }
}

/* https://prometheus.io/docs/practices/naming/: base units, and only those. */
static void units_are_base_units(void **state)
{
    static const char *const not_base[] = {"microsecond", "millisecond", "minute", "hour", "kilobyte",
                                           "percent",     "_us",         "_ms",    "_kb",  "_mb"};

    (void)state;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        const char *name = counter_name((enum counter)i);

        for (size_t k = 0; k < ARRAY_LEN(not_base); k++)
            if (strstr(name, not_base[k]) != NULL)
                fail_msg("%s is not in a base unit", name);
        assert_int_equal(counter_scale((enum counter)i), strstr(name, "_seconds_") != NULL ? 1000000 : 1);
    }
}

static void every_counter_is_in_the_manual(void **state)
{
    FILE *file = fopen(YETT_MANUAL_FOLDER "/yett.8", "r");
    char *page = NULL;
    const char *section;
    size_t capacity = 0;

    (void)state;
    assert_non_null(file);
    assert_true(getdelim(&page, &capacity, '\0', file) > 0);
    fclose(file);
    section = strstr(page, "\n.Sh METRICS\n");
    assert_non_null(section);
    for (int i = 0; i < COUNTER_COUNT; i++) {
        char *entry = base_printf("\n.It Li yett_%s\n", counter_name((enum counter)i));

        if (strstr(section, entry) == NULL)
            fail_msg("yett_%s is not in yett(8), METRICS", counter_name((enum counter)i));
        free(entry);
    }
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_see_the_same_numbers),
        cmocka_unit_test(numbers_outlive_the_workers_end),
        cmocka_unit_test(the_shared_memory_cannot_be_resized),
        cmocka_unit_test(map_refuses_what_does_not_fit),
        cmocka_unit_test(every_counter_has_a_name_a_help_and_the_right_ending),
        cmocka_unit_test(units_are_base_units),
        cmocka_unit_test(every_counter_is_in_the_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
