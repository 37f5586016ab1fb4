/* The search, over a graph of certificates that the input describes.
 *
 * Four bytes make one certificate: subject, issuer, key and signer, each one of eight; bits of them choose path length,
 * age, and whether it is an anchor, sent by the peer, or to be had at the address that those it has issued name.
 * Signatures are a toy: the signature's last byte is the number of the signing key. What must hold: the limits, and
 * that a path found is one. */
#include "fuzz_support.h"
#include "pkix/search.h"
#include "pkix/store.h"
#include "pkix/store_internal.h"

#include <stdlib.h>

enum {
    NODES_MAX = 48,
    CERT_SIZE_MAX = 512,
    KINDS = 8,
    POINT_SIZE = 65,
    STEPS_MAX = 500,
    SIGNATURES_MAX = 40,
    COST_US_MAX = 150
};

static const int64_t now = 1767225600;

/* Bytes are written from the end to the front: lengths are known when they are needed. */
struct writer {
    uint8_t bytes[CERT_SIZE_MAX];
    size_t at;
};

static void put(struct writer *w, const void *data, size_t size)
{
    assert(w->at >= size);
    w->at -= size;
    memcpy(w->bytes + w->at, data, size);
}

/* Puts tag and length before everything written since `mark`. */
static void wrap(struct writer *w, unsigned tag, size_t mark)
{
    size_t size = mark - w->at;
    uint8_t header[4] = {(uint8_t)tag, 0x82, (uint8_t)(size >> 8), (uint8_t)size};

    if (size < 0x80) {
        header[1] = (uint8_t)size;
        put(w, header, 2);
    } else if (size < 0x100) {
        header[1] = 0x81;
        header[2] = (uint8_t)size;
        put(w, header, 3);
    } else {
        put(w, header, 4);
    }
}

static void put_name(struct writer *w, unsigned number)
{
    uint8_t name[] = {0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 0x41};

    name[sizeof(name) - 1] = (uint8_t)('A' + number);
    put(w, name, sizeof(name));
}

static void put_spki(struct writer *w, unsigned key)
{
    static const uint8_t algorithm[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                        0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    uint8_t bits[1 + POINT_SIZE] = {0, 0x04};
    size_t mark = w->at, inner;

    bits[sizeof(bits) - 1] = (uint8_t)key;
    inner = w->at;
    put(w, bits, sizeof(bits));
    wrap(w, ASN1_BIT_STRING, inner);
    put(w, algorithm, sizeof(algorithm));
    wrap(w, ASN1_SEQUENCE, mark);
}

/* basicConstraints, critical, of an authority; path length 0 to 2, or none. */
static void put_basic_constraints(struct writer *w, unsigned path_length)
{
    static const uint8_t oid_critical[] = {0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff};
    uint8_t length[] = {0x02, 0x01, (uint8_t)path_length}, ca[] = {0x01, 0x01, 0xff};
    size_t mark = w->at;

    if (path_length < 3)
        put(w, length, sizeof(length));
    put(w, ca, sizeof(ca));
    wrap(w, ASN1_SEQUENCE, mark);
    wrap(w, ASN1_OCTET_STRING, mark);
    put(w, oid_critical, sizeof(oid_critical));
    wrap(w, ASN1_SEQUENCE, mark);
}

/* authorityInfoAccess: the issuer is at "http://a/" and its letter. */
static void put_access(struct writer *w, unsigned issuer)
{
    static const uint8_t oid[] = {0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01};
    uint8_t access[] = {0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02, 0x86,
                        0x0a, 'h',  't',  't',  'p',  ':',  '/',  '/',  'a',  '/',  'A'};
    size_t mark = w->at;

    access[sizeof(access) - 1] = (uint8_t)('A' + issuer);
    put(w, access, sizeof(access));
    wrap(w, ASN1_SEQUENCE, mark);
    wrap(w, ASN1_SEQUENCE, mark);
    wrap(w, ASN1_OCTET_STRING, mark);
    put(w, oid, sizeof(oid));
    wrap(w, ASN1_SEQUENCE, mark);
}

struct node {
    unsigned subject, issuer, key, signer, path_length;
    bool expired, anchor, served, leaf;
};

static void put_extensions(struct writer *w, const struct node *node)
{
    size_t mark = w->at;

    put_access(w, node->issuer);
    if (!node->leaf)
        put_basic_constraints(w, node->path_length);
    wrap(w, ASN1_SEQUENCE, mark);
    wrap(w, ASN1_CONTEXT_CONSTRUCTED | 3, mark);
}

static struct span put_certificate(struct writer *w, const struct node *node, unsigned serial)
{
    static const uint8_t ecdsa[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
    uint8_t signature[] = {0x03, 0x02, 0x00, (uint8_t)node->signer};
    uint8_t number[] = {0x02, 0x01, (uint8_t)serial};
    static const uint8_t version[] = {0xa0, 0x03, 0x02, 0x01, 0x02};
    static const char valid[] = "\x30\x1e\x17\x0d"
                                "250101000000Z"
                                "\x17\x0d"
                                "270101000000Z",
                      past[] = "\x30\x1e\x17\x0d"
                               "240101000000Z"
                               "\x17\x0d"
                               "250101000000Z";
    size_t end = w->at = sizeof(w->bytes), tbs;

    put(w, signature, sizeof(signature));
    put(w, ecdsa, sizeof(ecdsa));
    tbs = w->at;
    put_extensions(w, node);
    put_spki(w, node->key);
    put_name(w, node->subject);
    put(w, node->expired ? past : valid, sizeof(valid) - 1);
    put_name(w, node->issuer);
    put(w, ecdsa, sizeof(ecdsa));
    put(w, number, sizeof(number));
    put(w, version, sizeof(version));
    wrap(w, ASN1_SEQUENCE, tbs);
    wrap(w, ASN1_SEQUENCE, end);
    return span_of(w->bytes + w->at, end - w->at);
}

static enum pkix_error look_at_toy_signature(void *ctx, const struct pkix_signed *statement, struct span spki,
                                             unsigned *cost_us)
{
    (void)ctx;
    (void)spki;
    if (statement->signature.size != 1)
        return PKIX_BAD_SIGNATURE;
    *cost_us = 1 + statement->signature.data[0] % 7;
    return PKIX_OK;
}

static enum pkix_error verify_toy_signature(void *ctx, const struct pkix_signed *statement, struct span spki)
{
    unsigned *calls = ctx;

    ++*calls;
    return statement->signature.size == 1 && statement->signature.data[0] == spki.data[spki.size - 1]
               ? PKIX_OK
               : PKIX_BAD_SIGNATURE;
}

static enum pkix_error no_revocation(const struct pkix_revocation_question *question,
                                     struct pkix_revocation_answer *answer)
{
    (void)question;
    (void)answer;
    return PKIX_OK;
}

/* What is served: one certificate for each name, the last one. */
struct served {
    struct span by_name[KINDS];
    unsigned asked;
};

static void ask(void *ctx, struct span url, struct pkix_issuer_answer *answer)
{
    struct served *s = ctx;
    struct span der = s->by_name[url.data[url.size - 1] - 'A'];

    s->asked++;
    answer->why = "nobody has it";
    if (der.size != 0)
        *answer = (struct pkix_issuer_answer){.bytes = base_memdup(der.data, der.size), .size = der.size};
}

static uint64_t no_time(void)
{
    return 0;
}

static void check_path(const struct pkix_search *search)
{
    const struct pkix_path *path = &search->path;

    assert(path->count >= 1 && path->count <= PKIX_PATH_MAX);
    for (unsigned i = 0; i + 1 < path->count; i++) {
        const struct pkix_cert *child = path->steps[i].cert, *issuer = path->steps[i + 1].cert;

        assert(span_equal(child->issuer, issuer->subject));
        assert(child->outer.signature.data[0] == issuer->spki.data[issuer->spki.size - 1]);
        assert(issuer->not_before <= now && now <= issuer->not_after);
    }
    assert(path->steps[path->count - 1].entry != NULL);
    assert(path->steps[path->count - 1].entry->trust == PKIX_TRUST_ANCHOR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned calls = 0, extra_count = 0;
    const struct pkix_domain domain = {.ctx = &calls,
                                       .look_at_signature = look_at_toy_signature,
                                       .verify_signature = verify_toy_signature,
                                       .check_revocation = no_revocation,
                                       .now_ms = no_time};
    const struct pkix_limits limits = {.signature_checks_max = SIGNATURES_MAX,
                                       .signature_cost_us_max = COST_US_MAX,
                                       .path_steps_max = STEPS_MAX,
                                       .name_comparisons_max = 1000,
                                       .policy_steps_max = 1000,
                                       .candidates_per_name_max = 16,
                                       .extras_max = NODES_MAX,
                                       .extras_bytes_max = 65536,
                                       .intermediates_max = 6};
    struct writer *writers;
    struct span extras[NODES_MAX];
    struct pkix_store *store;
    struct pkix_search *search;
    struct served served = {.asked = 0};
    const struct pkix_issuer_source source = {&served, ask};
    struct pkix_request request = {.time = now, .limits = &limits, .issuers = &source};

    if (size < 4)
        return 0;
    fuzz_start_nss();
    writers = base_alloc((NODES_MAX + 1) * sizeof(*writers));
    store = pkix_store_create();
    search = base_alloc(sizeof(*search));
    for (unsigned i = 0; 4 * i + 3 < size && i <= NODES_MAX; i++) {
        const uint8_t *b = data + 4 * (size_t)i;
        struct node node = {b[0] % KINDS,          b[1] % KINDS,          b[2] % KINDS,
                            b[3] % KINDS,          b[0] / KINDS % 4,      b[1] / KINDS % 8 == 0,
                            b[2] / KINDS % 8 == 0, b[3] / KINDS % 4 == 2, i == 0};
        struct span der = put_certificate(&writers[i], &node, i % 127 + 1);
        char *error = NULL;

        if (i == 0)
            request.leaf = der;
        else if (!node.anchor && node.served)
            served.by_name[node.subject] = der;
        else if (!node.anchor)
            extras[extra_count++] = der;
        else if (!pkix_store_add_anchor(store, der, &error))
            base_abort("%s", error);
    }
    request.extras = extras;
    request.extras_count = extra_count;
    if (pkix_search_init(search, store, &domain, &request) != PKIX_OK)
        base_abort("the leaf does not parse");
    if (pkix_search_run(search) == PKIX_OK)
        check_path(search);
    assert(search->budget.signature_checks <= SIGNATURES_MAX && calls <= SIGNATURES_MAX);
    assert(search->budget.signature_cost_us <= COST_US_MAX);
    assert(search->budget.steps <= STEPS_MAX);
    assert(served.asked <= PKIX_ISSUERS_ASKED_MAX);
    pkix_search_clear(search);
    free(search);
    pkix_store_destroy(&store);
    free(writers);
    return 0;
}
