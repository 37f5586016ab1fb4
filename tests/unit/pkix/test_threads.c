/* One store, many threads: pkix/store.h promises that verifications may run on any. */
#include "cert_builder.h"
#include "threads.h"
#include "pkix/crl.h"
#include "pkix/store.h"
#include "pkix/verify.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

enum { LEAVES = 8, ROUNDS = 50 };

struct shared {
    const struct pkix_store *store;
    const struct pkix_crl_set *crls;
    struct span leaves[LEAVES], extras[1];
};

static unsigned verify_many(void *arg, unsigned number)
{
    const struct shared *shared = arg;
    unsigned wrong = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned leaf = (number + round) % LEAVES;
        struct pkix_request request = {.leaf = shared->leaves[leaf],
                                       .extras = shared->extras,
                                       .extras_count = 1,
                                       .purpose = PKIX_PURPOSE_SERVER,
                                       .name = {PKIX_NAME_DNS, span_of_string("www.example.com")},
                                       .revocation = PKIX_REVOCATION_SOFT,
                                       .crls = shared->crls,
                                       .time = builder_now};
        struct pkix_verdict *verdict = NULL;
        enum pkix_error want = leaf == 0 ? PKIX_BAD_SIGNATURE : leaf == 1 ? PKIX_REVOKED : PKIX_OK;

        wrong += pkix_verify(shared->store, &request, &verdict) != want ? 1 : 0;
        pkix_verdict_destroy(&verdict);
    }
    return wrong;
}

static void verify_gives_every_thread_the_same_answers(void **state)
{
    struct cert_spec root = builder_authority("root", 0, "root", 0), ca = builder_authority("ca", 1, "root", 0);
    struct crl_spec crl = builder_crl_of("ca", 1);
    struct pkix_store *store = pkix_store_create();
    struct pkix_crl_set *crls = pkix_crl_set_create();
    struct shared shared = {.store = store, .crls = crls, .extras = {builder_cert(&ca)}};
    char *error = NULL;

    (void)state;
    assert_true(pkix_store_add_anchor(store, builder_cert(&root), &error));
    for (unsigned i = 0; i < LEAVES; i++) {
        struct cert_spec leaf = builder_server("www.example.com", 2 + i, "ca", i == 0 ? 20 : 1);

        if (i == 1)
            leaf.serial = crl.serials[crl.serial_count++] = builder_bytes("\x77", 1);
        shared.leaves[i] = builder_cert(&leaf);
    }
    assert_true(pkix_crl_set_add(crls, builder_crl(&crl), "crl", &error));
    threads_run(verify_many, &shared);
    pkix_crl_set_destroy(&crls);
    pkix_store_destroy(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_gives_every_thread_the_same_answers),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
