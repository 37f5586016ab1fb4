/* benchmark-verify [ROUNDS [MODULE]]: microseconds of processor time, and signature checks, for one verification; with
 * an accelerator in NSS, if one is named.
 *
 * Each library gets the same DER each time: the leaf, the intermediates in the order a peer sends them (for several
 * candidates the right one last), one anchor, the host name. Anchors are loaded beforehand; everything else is done
 * anew. "cold" has an empty signature cache, "warm" a filled one; only yett has one. */
#include "chains.h"
#include "signatures.h"
#include "pkix/store.h"
#include "pkix/verify.h"
#include "tls/runtime.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char host[] = "www.example.com";

/* The peer's order: the one that has signed comes last. */
static size_t peer_order(const struct chain *chain, struct span *out)
{
    for (size_t i = 0; i < chain->intermediate_count; i++)
        out[chain->intermediate_count - 1 - i] = chain->intermediates[i];
    return chain->intermediate_count;
}

static struct pkix_store *yett_store(const struct chain *chain)
{
    struct pkix_store *store = pkix_store_create();
    char *error = NULL;

    if (!pkix_store_add_anchor(store, chain->root, &error))
        base_abort("%s", error);
    return store;
}

static double yett_verify(struct pkix_store *store, const struct chain *chain, unsigned *signature_checks)
{
    struct span extras[CHAIN_CANDIDATES_MAX];
    struct pkix_limits limits = pkix_limits_default;
    struct pkix_request request = {.leaf = chain->leaf,
                                   .limits = &limits,
                                   .extras = extras,
                                   .extras_count = peer_order(chain, extras),
                                   .name = {PKIX_NAME_DNS, span_of_string(host)},
                                   .time = (int64_t)time(NULL)};
    struct pkix_verdict *verdict = NULL;
    double start, taken;

    limits.extras_max = CHAIN_CANDIDATES_MAX; /* more candidates than a peer may send by default, ... */
    limits.signature_cost_us_max *= 2;        /* ... and more checks than it may make us do */
    start = benchmark_now_us();
    if (pkix_verify(store, &request, &verdict) != PKIX_OK)
        base_abort("yett: %s", pkix_verdict_detail(verdict));
    taken = benchmark_now_us() - start;
    *signature_checks = pkix_verdict_signature_checks(verdict);
    pkix_verdict_destroy(&verdict);
    return taken;
}

static double yett_cold(const struct chain *chain, unsigned rounds, unsigned *signature_checks)
{
    double total = 0;

    for (unsigned i = 0; i < rounds; i++) {
        struct pkix_store *store = yett_store(chain);

        total += yett_verify(store, chain, signature_checks);
        pkix_store_destroy(&store);
    }
    return total / rounds;
}

static double yett_warm(const struct chain *chain, unsigned rounds, unsigned *signature_checks)
{
    struct pkix_store *store = yett_store(chain);
    double total = 0;

    yett_verify(store, chain, signature_checks);
    for (unsigned i = 0; i < rounds; i++)
        total += yett_verify(store, chain, signature_checks);
    pkix_store_destroy(&store);
    return total / rounds;
}

static X509 *openssl_cert(struct span der)
{
    const unsigned char *at = der.data;
    X509 *cert = d2i_X509(NULL, &at, (long)der.size);

    if (cert == NULL)
        base_abort("OpenSSL: certificate");
    return cert;
}

static double openssl_verify(const struct chain *chain, unsigned rounds)
{
    X509_STORE *store = X509_STORE_new();
    X509 *root = openssl_cert(chain->root);
    struct span extras[CHAIN_CANDIDATES_MAX];
    size_t count = peer_order(chain, extras);
    double start;

    X509_STORE_add_cert(store, root);
    X509_free(root);
    start = benchmark_now_us();
    for (unsigned i = 0; i < rounds; i++) {
        X509_STORE_CTX *ctx = X509_STORE_CTX_new();
        STACK_OF(X509) *untrusted = sk_X509_new_null();
        X509 *leaf = openssl_cert(chain->leaf);

        for (size_t k = 0; k < count; k++)
            sk_X509_push(untrusted, openssl_cert(extras[k]));
        X509_STORE_CTX_init(ctx, store, leaf, untrusted);
        X509_STORE_CTX_set_default(ctx, "ssl_server");
        X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(ctx), host, 0);
        /* With several candidates of one name OpenSSL tries one, does not come back, and fails: that is timed too. */
        if (X509_verify_cert(ctx) != 1 && count == 1)
            base_abort("OpenSSL: %s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
        sk_X509_pop_free(untrusted, X509_free);
        X509_free(leaf);
        X509_STORE_CTX_free(ctx);
    }
    start = benchmark_now_us() - start;
    X509_STORE_free(store);
    return start / rounds;
}

static gnutls_x509_crt_t gnutls_cert(struct span der)
{
    gnutls_datum_t datum = {(unsigned char *)(uintptr_t)der.data, (unsigned)der.size};
    gnutls_x509_crt_t cert;

    if (gnutls_x509_crt_init(&cert) < 0 || gnutls_x509_crt_import(cert, &datum, GNUTLS_X509_FMT_DER) < 0)
        base_abort("GnuTLS: certificate");
    return cert;
}

static double gnutls_verify(const struct chain *chain, unsigned rounds)
{
    gnutls_x509_trust_list_t list;
    gnutls_x509_crt_t root = gnutls_cert(chain->root);
    struct span extras[CHAIN_CANDIDATES_MAX];
    size_t count = peer_order(chain, extras);
    gnutls_typed_vdata_st data[] = {
        {.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)(uintptr_t)host, .size = 0},
        {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER, .size = 0},
    };
    double start;

    if (gnutls_x509_trust_list_init(&list, 0) < 0 || gnutls_x509_trust_list_add_cas(list, &root, 1, 0) != 1)
        base_abort("GnuTLS: trust list");
    start = benchmark_now_us();
    for (unsigned i = 0; i < rounds; i++) {
        gnutls_x509_crt_t certs[1 + CHAIN_CANDIDATES_MAX];
        unsigned status = 0;

        certs[0] = gnutls_cert(chain->leaf);
        for (size_t k = 0; k < count; k++)
            certs[1 + k] = gnutls_cert(extras[k]);
        if (gnutls_x509_trust_list_verify_crt2(list, certs, (unsigned)count + 1, data, 2, 0, &status, NULL) < 0 ||
            (status != 0 && count == 1))
            base_abort("GnuTLS: status %x", status);
        for (size_t k = 0; k <= count; k++)
            gnutls_x509_crt_deinit(certs[k]);
    }
    start = benchmark_now_us() - start;
    gnutls_x509_trust_list_deinit(list, 1);
    return start / rounds;
}

static void compare(const char *what, enum chain_kind kind, unsigned candidates, unsigned rounds)
{
    struct chain chain;
    unsigned cold_checks = 0, warm_checks = 0;
    double cold, warm, openssl, gnutls;

    chain_make(&chain, kind, candidates);
    cold = yett_cold(&chain, rounds, &cold_checks);
    warm = yett_warm(&chain, rounds, &warm_checks);
    openssl = openssl_verify(&chain, rounds);
    gnutls = gnutls_verify(&chain, rounds);
    printf("%-24s %9.0f (%3u) %9.0f (%3u) %9.0f %9.0f\n", what, cold, cold_checks, warm, warm_checks, openssl, gnutls);
    chain_clear(&chain);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 200;
    struct tls_runtime_options options = {.accelerator = argc > 2 ? argv[2] : NULL};
    char *error = NULL;

    if (rounds == 0 || !tls_runtime_start(&options, &error))
        base_abort("usage: benchmark-verify [ROUNDS [MODULE]]%s%s", error == NULL ? "" : ": ",
                   error == NULL ? "" : error);
    printf("microseconds for each verification (signature checks)\n%-24s %15s %15s %9s %9s\n", "chain", "yett cold",
           "yett warm", "OpenSSL", "GnuTLS");
    compare("P-256, 3 certificates", CHAIN_P256, 1, rounds);
    compare("RSA-2048, 3 certificates", CHAIN_RSA2048, 1, rounds);
    for (unsigned candidates = 2; candidates <= CHAIN_CANDIDATES_MAX; candidates *= 2) {
        char what[32];

        snprintf(what, sizeof(what), "P-256, %u candidates", candidates);
        compare(what, CHAIN_P256, candidates, rounds / 10 + 1);
    }
    benchmark_signatures(rounds / 4 + 1);
    if (!tls_runtime_stop(&error))
        base_abort("%s", error);
    return 0;
}
