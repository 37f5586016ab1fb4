/* see threads.h */
#include "threads.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct thread {
    pthread_t id;
    threads_work *work;
    void *shared;
    unsigned number, wrong;
};

static void *run_one(void *arg)
{
    struct thread *t = arg;

    t->wrong = t->work(t->shared, t->number);
    return NULL;
}

void threads_run(threads_work *work, void *shared)
{
    struct thread threads[THREADS_COUNT];

    for (unsigned i = 0; i < THREADS_COUNT; i++) {
        threads[i] = (struct thread){.work = work, .shared = shared, .number = i};
        assert_int_equal(pthread_create(&threads[i].id, NULL, run_one, &threads[i]), 0);
    }
    for (unsigned i = 0; i < THREADS_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i].id, NULL), 0);
        assert_int_equal(threads[i].wrong, 0);
    }
}
