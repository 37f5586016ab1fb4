/* base/slab.c */
#include "base/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct thing {
    char bytes[1000];
    void *pointer;
};

enum { THINGS = 1000, THREADS = 4 };

static bool is_zero(const struct thing *t)
{
    static const struct thing zero;

    return memcmp(t, &zero, sizeof(zero)) == 0;
}

/* Whatever order they are freed in, each is its own, zeroed and aligned, and the blocks go back. */
static void objects_are_their_own(void **state)
{
    static struct slab slab = SLAB_OF(struct thing);
    static struct thing *things[THINGS];

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < THINGS; i++) {
            things[i] = slab_alloc(&slab);
            assert_true(is_zero(things[i]));
            assert_int_equal((uintptr_t)things[i] % sizeof(void *), 0);
            memset(things[i], (int)(i % 251) + 1, sizeof(*things[i]));
        }
        for (size_t i = 0; i < THINGS; i++) {
            struct thing *t = things[i * 7 % THINGS]; /* 7 and THINGS have no common factor */

            for (size_t at = 0; at < sizeof(t->bytes); at++)
                assert_int_equal((uint8_t)t->bytes[at], i * 7 % THINGS % 251 + 1);
            slab_free(&slab, t);
            if (i % 3 == 0) { /* some come again in between */
                struct thing *again = slab_alloc(&slab);

                assert_true(is_zero(again));
                slab_free(&slab, again);
            }
        }
        assert_int_equal(slab.objects, 0);
        assert_true(slab.blocks <= 1);
    }
    slab_free(&slab, NULL);
}

/* How a process of its own ends that does it. */
static int end_of(void (*wrong)(struct slab *slab))
{
    static struct slab slab = SLAB_OF(struct thing);
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        wrong(&slab);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void free_twice(struct slab *slab)
{
    struct thing *first = slab_alloc(slab), *second = slab_alloc(slab);

    slab_free(slab, first);
    slab_free(slab, second);
    slab_free(slab, first);
}

static void free_the_last_twice(struct slab *slab)
{
    struct thing *t = slab_alloc(slab);

    slab_free(slab, t);
    slab_free(slab, t);
}

static void free_the_middle(struct slab *slab)
{
    struct thing *t = slab_alloc(slab);

    slab_free(slab, t->bytes + 64);
}

/* Else two connections would have the same memory. */
static void what_is_no_object_ends_the_process(void **state)
{
    (void)state;
    assert_int_not_equal(end_of(free_twice), 0);
    assert_int_not_equal(end_of(free_the_last_twice), 0);
    assert_int_not_equal(end_of(free_the_middle), 0);
}

static void *come_and_go(void *arg)
{
    struct slab *slab = arg;
    struct thing *held[16] = {NULL};

    for (size_t i = 0; i < 20000; i++) {
        struct thing **t = &held[i * 31 % ARRAY_LEN(held)];

        if (*t != NULL && (*t)->pointer != t)
            return NULL;
        slab_free(slab, *t);
        *t = slab_alloc(slab);
        (*t)->pointer = t;
    }
    for (size_t i = 0; i < ARRAY_LEN(held); i++)
        slab_free(slab, held[i]);
    return arg;
}

static void threads_share_one(void **state)
{
    static struct slab slab = SLAB_OF(struct thing);
    pthread_t threads[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &slab), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result;

        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &slab);
    }
    assert_int_equal(slab.objects, 0);
}

static void texts_of_every_length(void **state)
{
    char text[2 * SLAB_TEXT_BYTES + 1];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t length = 0; length < sizeof(text); length++) {
        char *copy = slab_strndup(text, length), *again = slab_strdup(copy);

        assert_int_equal(strlen(copy), length);
        assert_string_equal(copy, again);
        assert_ptr_not_equal(copy, again);
        slab_strfree(copy);
        slab_strfree(again);
    }
    memset(text, 'x', sizeof(text));
    text[10] = '\0';
    {
        char *copy = slab_strndup(text, sizeof(text));

        assert_int_equal(strlen(copy), 10);
        slab_strfree(copy);
    }
    slab_strfree(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_their_own),
        cmocka_unit_test(what_is_no_object_ends_the_process),
        cmocka_unit_test(threads_share_one),
        cmocka_unit_test(texts_of_every_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
