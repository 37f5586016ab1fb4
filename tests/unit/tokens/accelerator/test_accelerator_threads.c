/* The accelerator under calls of several threads that know each other's sessions and keys: whatever one of them does in
 * the middle of what another does, nobody gets what is not there any more. Which calls is random, from a seed, and
 * differs from thread to thread; the fuzzer (tests/fuzz/tokens/fuzz_accelerator.c) makes the same ones alone. */
#include "accelerator.h"
#include "calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 6, SEQUENCES = 60, SEQUENCE_SIZE = 2048 };

static const CK_FUNCTION_LIST_3_0 *p11;
static struct calls_handles handles;

static int set_up(void **state)
{
    (void)state;
    p11 = accelerator_load();
    input_learn_points(p11);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    accelerator_unload();
    return 0;
}

/* xorshift64* */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dU;
}

/* Something to work with: sessions, and a key of each kind in them (calls.c and calls_input.c have the numbers). */
static const uint8_t beginning[] = {
    0, 0, 0,  1, 0,  2, 0, 3,                       /* open_session */
    4, 0, 64, 0, 66, 0, 0, 4,  1,  64, 1, 64, 0, 0, /* create_object: AES, a secret of 32 bytes */
    4, 2, 66, 0, 0,  0, 4, 3,  67, 0,  0, 0,        /* EC: private, public */
    4, 0, 69, 0, 0,  4, 1, 70, 0,  0,               /* RSA: private, public */
};

static void *work(void *argument)
{
    uint64_t random = *(const uint64_t *)argument;
    uint8_t *bytes = base_alloc(SEQUENCE_SIZE);

    for (unsigned i = 0; i < SEQUENCES; i++) {
        for (size_t at = 0; at < SEQUENCE_SIZE; at++)
            bytes[at] = (uint8_t)(next_random(&random) >> 56);
        memcpy(bytes, beginning, sizeof(beginning));
        calls_run(p11, &handles, CALLS_AMONG_OTHERS, span_of(bytes, SEQUENCE_SIZE));
    }
    free(bytes);
    return NULL;
}

static void calls_of_threads(void **state)
{
    uint64_t seeds[THREADS];
    pthread_t running[THREADS];
    CK_SESSION_HANDLE s;
    CK_OBJECT_HANDLE found;
    CK_ULONG count;

    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = 0x9e3779b97f4a7c15U * (i + 1);
        assert_int_equal(pthread_create(&running[i], NULL, work, &seeds[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(running[i], NULL), 0);
    assert_int_equal(p11->C_CloseAllSessions(ACCELERATOR_SLOT), CKR_OK);
    s = accelerator_open();
    assert_int_equal(p11->C_FindObjectsInit(s, NULL, 0), CKR_OK);
    assert_int_equal(p11->C_FindObjects(s, &found, 1, &count), CKR_OK);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_of_threads)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
