/* tls/engine_flows.c, handshake*.c, server_hooks.c, nspr_layer.c: a handshake with a peer that says what it likes. One
 * engine is looked at; its peer is another engine whose bytes the fuzzer changes on their way, so that what is wrong
 * stands behind what is right.
 *
 *     byte 0: 1 the client is looked at, 2 TLS 1.2 at most, 4 client certificates are asked for, 8 sni = known,
 *             16 the peer is not there: the steps' bytes are all that comes
 *     byte 1: how to cut what comes
 *     then steps: SKIP(2), what to do with the byte after so many that pass: 0 BYTE change it, 1 PART put bytes in
 * front of it, 2 SIZE leave out as many, 3 the end of the connection
 *
 * Whatever comes, the engine holds no more than its limit, ends, and says why it failed. */
#include "base/buffer.h"
#include "tests/fuzz/fuzz.h"
#include "tls/engine.h"
#include "tls/limits.h"
#include "tls_certs.h"
#include "tls_pair.h"

#include <stdlib.h>

/* A ClientHello with X25519MLKEM768 has some 1,800 bytes, and the pieces may be of one. */
enum { ROUNDS_MAX = 8000, FOREVER = SIZE_MAX };

struct contexts {
    struct tls_context *client, *client12, *server[2][2]; /* asks for certificates, knows names only */
};

struct tamper {
    struct span steps;
    size_t pass;           /* bytes until the next change */
    size_t drop;           /* bytes to leave out */
    struct buffer changed; /* what goes to the engine */
    bool ended;
};

static const struct contexts *contexts(void)
{
    static struct contexts c;

    if (c.client == NULL) {
        static struct test_certs *certs;
        static struct tls_identity *identity;
        static struct pkix_store *store;

        test_tls_start(TEST_CACHE_NONE);
        certs = test_certs_create();
        store = test_certs_store(certs);
        identity = test_certs_identity(certs, &(struct test_leaf){.names = {"a.example.org"}});
        c.client = test_client(&(struct tls_client_options){.version_min = 0x0303, .trust = store});
        c.client12 = test_client(&(struct tls_client_options){
            .version_min = 0x0303, .trust = store, .identities = &identity, .identity_count = 1});
        for (unsigned asks = 0; asks < 2; asks++)
            for (unsigned known = 0; known < 2; known++)
                c.server[asks][known] =
                    test_server(&(struct tls_server_options){.identities = &identity,
                                                             .identity_count = 1,
                                                             .version_min = 0x0303,
                                                             .trust = store,
                                                             .peer = asks ? TLS_PEER_REQUEST : TLS_PEER_NONE,
                                                             .sni = known ? TLS_SNI_KNOWN : TLS_SNI_ANY});
    }
    return &c;
}

static void next_step(struct tamper *t)
{
    t->pass = FOREVER;
    if (t->steps.size >= 3) {
        t->pass = fuzz_byte(&t->steps) << 8;
        t->pass += fuzz_byte(&t->steps);
    }
}

/* What happens to `byte`; false: it is to be looked at again, with the next step. */
static bool change(struct tamper *t, uint8_t byte)
{
    switch (fuzz_byte(&t->steps) % 4) {
    case 0:
        byte ^= (uint8_t)fuzz_byte(&t->steps);
        FUZZ_CHECK(buffer_append_some(&t->changed, span_of(&byte, 1)) <= 1);
        next_step(t);
        return true;
    case 1:
        FUZZ_CHECK(buffer_append_some(&t->changed, fuzz_part(&t->steps)) <= 255);
        break;
    case 2:
        t->drop = fuzz_byte(&t->steps);
        break;
    case 3:
        t->ended = true;
        break;
    }
    next_step(t);
    return false;
}

static void pass(struct tamper *t, struct span bytes)
{
    for (size_t i = 0; i < bytes.size && !t->ended;) {
        if (t->drop != 0) {
            t->drop--;
            i++;
        } else if (t->pass == 0) {
            i += change(t, bytes.data[i]);
        } else {
            FUZZ_CHECK(buffer_append_some(&t->changed, span_of(bytes.data + i, 1)) <= 1);
            t->pass -= t->pass != FOREVER;
            i++;
        }
    }
}

/* Records of `from`, as far as there are any. */
static bool take_records(struct tls_engine *from, struct tamper *t)
{
    struct span records = tls_engine_records(from);
    size_t size = records.size;

    pass(t, records);
    tls_engine_records_consume(from, size);
    return size != 0;
}

static bool put_records(struct tls_engine *to, struct buffer *bytes, size_t piece_max)
{
    size_t room, size = bytes->size < piece_max ? bytes->size : piece_max;
    uint8_t *space = tls_engine_records_reserve(to, &room);

    if (size > room)
        size = room;
    if (size == 0)
        return false;
    memcpy(space, buffer_span(bytes).data, size);
    tls_engine_records_commit(to, size);
    buffer_consume(bytes, size);
    return true;
}

static bool step(struct tls_engine *e)
{
    uint8_t block[1024];
    size_t taken = 0;
    bool moved = false;

    if ((tls_engine_wants(e) & TLS_NEEDS_STEP) != 0) {
        (void)!tls_engine_step(e);
        moved = true;
    }
    if ((tls_engine_wants(e) & TLS_HAS_PLAINTEXT) != 0)
        (void)!tls_engine_take_plaintext(e, block, sizeof(block), &taken);
    return moved || taken != 0;
}

static void run(struct tls_engine *e, struct tls_engine *peer, struct tamper *t, size_t piece_max)
{
    struct buffer back;
    bool told_end = false;

    buffer_init(&back, 1024 * 1024);
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        bool moved = step(e);
        struct span records = tls_engine_records(e);

        FUZZ_CHECK(tls_engine_memory(e) <=
                   TLS_RECORDS_IN_MAX + TLS_RECORDS_OUT_MAX + TLS_PLAINTEXT_MAX + 3 * TLS_HELLO_KEPT_MAX + 64 * 1024);
        if (peer != NULL && records.size != 0)
            FUZZ_CHECK(buffer_append_some(&back, records) <= records.size);
        moved = moved || records.size != 0;
        tls_engine_records_consume(e, records.size);
        if (peer != NULL) {
            moved = step(peer) || moved;
            moved = put_records(peer, &back, SIZE_MAX) || moved;
            moved = take_records(peer, t) || moved;
        }
        moved = put_records(e, &t->changed, piece_max) || moved;
        if (moved)
            continue;
        if (told_end)
            break;
        told_end = true;
        (void)!tls_engine_records_end(e);
    }
    FUZZ_CHECK(told_end); /* it comes to an end */
    buffer_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct contexts *c = contexts();
    struct span input = span_of(data, size);
    unsigned flags = fuzz_byte(&input);
    size_t piece_max = fuzz_byte(&input) + 1u;
    const struct tls_context *client = (flags & 2) != 0 ? c->client12 : c->client;
    const struct tls_context *server = c->server[(flags & 4) != 0][(flags & 8) != 0];
    struct tls_engine *ends[2] = {tls_engine_create(server, NULL, NULL),
                                  tls_engine_create(client, "a.example.org", "key")};
    struct tls_engine *e = ends[flags & 1], *peer = ends[1 - (flags & 1)];
    struct tamper t = {.steps = input};

    buffer_init(&t.changed, 1024 * 1024);
    if ((flags & 16) != 0) {
        t.pass = FOREVER;
        pass(&t, input);
        peer = NULL;
    } else {
        next_step(&t);
    }
    run(e, peer, &t, piece_max);
    if (tls_engine_error_name(e)[0] != '\0')
        FUZZ_CHECK(tls_engine_error(e)[0] != '\0');
    buffer_release(&t.changed);
    tls_engine_destroy(&ends[0]);
    tls_engine_destroy(&ends[1]);
    return 0;
}
