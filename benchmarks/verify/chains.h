/* chains.h: certificates for the benchmark, made with OpenSSL, in DER. */
#ifndef YETT_BENCHMARKS_CHAINS_H
#define YETT_BENCHMARKS_CHAINS_H

#include "base/span.h"

enum chain_kind { CHAIN_P256, CHAIN_P384, CHAIN_P521, CHAIN_RSA2048, CHAIN_RSA4096, CHAIN_RSA8192, CHAIN_KIND_COUNT };
enum { CHAIN_CANDIDATES_MAX = 64 };

struct chain {
    struct span root, leaf;
    struct span intermediates[CHAIN_CANDIDATES_MAX]; /* all of one name; the first has signed the leaf */
    size_t intermediate_count;
};

/* A root, `candidates` authorities of one name and different keys below it, and a server's leaf for "www.example.com"
 * without key identifiers, so that nothing tells the candidates apart. Free with chain_clear(). */
void chain_make(struct chain *chain, enum chain_kind kind, unsigned candidates);
void chain_clear(struct chain *chain);

#endif
