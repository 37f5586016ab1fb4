/* proxy/process/thread_priority.c: nice values and policies are a thread's own, and stay within their range. */
#include "proxy/process/thread_priority.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>

#include <cmocka.h>

static void *be_patient(void *arg)
{
    int *after = arg;

    if (!thread_priority_patient() || sched_getscheduler(0) != SCHED_BATCH)
        return NULL;
    *after = getpriority(PRIO_PROCESS, 0);
    return arg;
}

static void patient_threads_are_nicer(void **state)
{
    int before = getpriority(PRIO_PROCESS, 0), after = before;
    pthread_t thread;
    void *result;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, be_patient, &after), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &after);
    assert_true(after > before || after == 19);
    assert_true(after <= 19);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
}

static void a_loop_keeps_its_nice_value(void **state)
{
    int before = getpriority(PRIO_PROCESS, 0);

    (void)state;
    assert_true(thread_priority_prompt());
    assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
}

static void *be_patient_often(void *arg)
{
    for (int i = 0; i < 10; i++)
        (void)thread_priority_patient();
    return be_patient(arg);
}

static void nobody_is_nicer_than_the_nicest(void **state)
{
    int after = 0;
    pthread_t thread;
    void *result;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, be_patient_often, &after), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &after);
    assert_int_equal(after, 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patient_threads_are_nicer),
        cmocka_unit_test(a_loop_keeps_its_nice_value),
        cmocka_unit_test(nobody_is_nicer_than_the_nicest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
