/* see signatures.h */
#include "signatures.h"
#include "chains.h"
#include "pkix/cert.h"
#include "pkix/nss_crypto.h"
#include "pkix/nss_keys.h"

#include <stdio.h>
#include <time.h>

double benchmark_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

void benchmark_signatures(unsigned rounds)
{
    static const char *const names[] = {"P-256", "P-384", "P-521", "RSA-2048", "RSA-4096", "RSA-8192"};

    static_assert(ARRAY_LEN(names) == CHAIN_KIND_COUNT, "one name for each kind");
    printf("\nmicroseconds for each signature check\n%-24s %9s %9s %9s\n", "key", "good", "key kept", "bad");
    for (unsigned kind = 0; kind < CHAIN_KIND_COUNT; kind++) {
        struct chain chain;
        struct pkix_cert leaf, issuer, other;
        struct pkix_signed bad;
        struct pkix_nss_keys *keys = pkix_nss_keys_create();
        double good_us, kept_us, bad_us;

        chain_make(&chain, (enum chain_kind)kind, 1);
        if (pkix_cert_read(chain.leaf, &leaf) != PKIX_OK ||
            pkix_cert_read(chain.intermediates[0], &issuer) != PKIX_OK || pkix_cert_read(chain.root, &other) != PKIX_OK)
            base_abort("certificate");
        bad = leaf.outer;
        bad.data = other.outer.data; /* a good signature on something else */
        good_us = benchmark_now_us();
        for (unsigned i = 0; i < rounds; i++)
            if (pkix_nss_verify(&leaf.outer, issuer.spki, NULL) != PKIX_OK)
                base_abort("a good signature is bad");
        good_us = (benchmark_now_us() - good_us) / rounds;
        kept_us = benchmark_now_us();
        for (unsigned i = 0; i < rounds; i++)
            if (pkix_nss_verify(&leaf.outer, issuer.spki, keys) != PKIX_OK)
                base_abort("a good signature is bad");
        kept_us = (benchmark_now_us() - kept_us) / rounds;
        bad_us = benchmark_now_us();
        for (unsigned i = 0; i < rounds; i++)
            if (pkix_nss_verify(&bad, issuer.spki, NULL) != PKIX_BAD_SIGNATURE)
                base_abort("a bad signature is good");
        bad_us = (benchmark_now_us() - bad_us) / rounds;
        printf("%-24s %9.0f %9.0f %9.0f\n", names[kind], good_us, kept_us, bad_us);
        pkix_nss_keys_destroy(&keys);
        chain_clear(&chain);
    }
}
