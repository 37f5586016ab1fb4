/* benchmarks/instructions: what an engine computes for one connection, for callgrind to count.
 *
 *   instructions version                   of NSS and OpenSSL
 *   instructions make FOLDER               the keys that protect sessions, which take valgrind a minute to make
 *   instructions run  FOLDER ACCELERATOR   every scenario, with NSS computing with that module ("none": by itself)
 *
 * An engine of ours on one side, OpenSSL on the other, and memory between them: no socket, no loop, no other thread, so
 * that a count depends on little but the code. Only what is in a function named measured_...() is the engine's, and
 * callgrind is told to collect there alone (--toggle-collect=measured_*); on leaving scenario_end() it writes down what
 * it has (--dump-after=scenario_end). The name of each scenario and how many operations it had are printed.
 * benchmarks/gate runs it, and makes the certificates in FOLDER. */
#include "tls/engine.h"
#include "tls/record_slot.h"
#include "tls/runtime_internal.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CACHE_ENTRIES = 1000,
    CACHE_SECONDS = 3600,
    PIPE_BYTES = 1 << 20, /* under way between the two, each way */
    ECHO_BYTES = 16384,   /* at a time */
    FILE_BYTES_MAX = 65536,
    TURNS_MAX = 100000,
    WARM_UP = 8, /* operations that are not counted: what is made once has been made then */
};

#define NOINLINE __attribute__((noinline))

struct pipe {
    uint8_t data[PIPE_BYTES];
    size_t start, end; /* what is under way */
};

struct scenario {
    const char *name;
    const char *identity; /* of the side that is a server, in FOLDER */
    unsigned operations;
    int tls_version;
    bool resumed;
    bool connects;       /* our engine is the client */
    bool client_shows;   /* a client must show a certificate */
    size_t echoed_bytes; /* there and back on each connection; one byte in most */
};

static const struct scenario scenarios[] = {
    {"full, TLS 1.3, P-256", "ecdsa.pem", 64, TLS1_3_VERSION, .echoed_bytes = 1},
    {"full, TLS 1.3, RSA-2048", "rsa.pem", 32, TLS1_3_VERSION, .echoed_bytes = 1},
    {"full, TLS 1.2, P-256", "ecdsa.pem", 64, TLS1_2_VERSION, .echoed_bytes = 1},
    {"resumed, TLS 1.3", "ecdsa.pem", 64, TLS1_3_VERSION, .resumed = true, .echoed_bytes = 1},
    {"resumed, TLS 1.2", "ecdsa.pem", 64, TLS1_2_VERSION, .resumed = true, .echoed_bytes = 1},
    {"connecting side, verified", "chain.pem", 64, TLS1_3_VERSION, .connects = true, .echoed_bytes = 1},
    {"client certificate", "ecdsa.pem", 64, TLS1_3_VERSION, .client_shows = true, .echoed_bytes = 1},
    {"MiB echoed", "ecdsa.pem", 4, TLS1_3_VERSION, .echoed_bytes = 1 << 20},
};

struct world {
    const char *folder;
    struct pkix_store *store;
};

/* One connection: our engine, and OpenSSL's side with its two BIOs. */
struct connection {
    struct tls_engine *engine;
    SSL *ssl;
    BIO *to_ssl, *from_ssl;
    struct pipe *to_engine, *from_engine;
    size_t echo_bytes; /* plaintext for the engine's peer that waits for room */
    uint8_t echo[ECHO_BYTES];
};

static SSL_SESSION *newest; /* what OpenSSL's side offers */

__attribute__((noreturn)) static void stop(const char *what, const char *why)
{
    fprintf(stderr, "instructions: %s: %s\n", what, why);
    ERR_print_errors_fp(stderr);
    exit(1);
}

/* --- what is counted --- */

NOINLINE static void measured_create(struct connection *c, const struct tls_context *context, bool connects)
{
    c->engine = tls_engine_create(context, connects ? "localhost" : NULL, NULL);
}

NOINLINE static void measured_destroy(struct connection *c)
{
    tls_engine_destroy(&c->engine);
}

static size_t pipe_size(const struct pipe *p)
{
    return p->end - p->start;
}

static void pipe_consume(struct pipe *p, size_t size)
{
    p->start += size;
    if (p->start == p->end)
        p->start = p->end = 0;
}

static void put_records(struct connection *c)
{
    size_t room, size = pipe_size(c->to_engine);
    uint8_t *space = tls_engine_records_reserve(c->engine, &room);

    if (size > room)
        size = room;
    if (size == 0)
        return;
    memcpy(space, c->to_engine->data + c->to_engine->start, size);
    tls_engine_records_commit(c->engine, size);
    pipe_consume(c->to_engine, size);
}

static void take_records(struct connection *c)
{
    struct span records = tls_engine_records(c->engine);

    if (records.size == 0)
        return;
    if (records.size > PIPE_BYTES - c->from_engine->end)
        stop("the engine", "has said more than a pipe takes");
    memcpy(c->from_engine->data + c->from_engine->end, records.data, records.size);
    c->from_engine->end += records.size;
    tls_engine_records_consume(c->engine, records.size);
}

/* What has come goes back, as an echo server behind a proxy would have it. */
static void echo(struct connection *c)
{
    size_t size;

    if (c->echo_bytes == 0 && (tls_engine_wants(c->engine) & TLS_HAS_PLAINTEXT) != 0) {
        enum tls_status status = tls_engine_take_plaintext(c->engine, c->echo, ECHO_BYTES, &c->echo_bytes);

        if (status == TLS_CLOSED)
            tls_engine_close(c->engine);
    }
    if (c->echo_bytes > 0 && (tls_engine_wants(c->engine) & TLS_WANTS_PLAINTEXT) != 0) {
        if (tls_engine_put_plaintext(c->engine, span_of(c->echo, c->echo_bytes), &size) != TLS_OK)
            stop("put_plaintext", tls_engine_error(c->engine));
        memmove(c->echo, c->echo + size, c->echo_bytes - size);
        c->echo_bytes -= size;
    }
}

/* Whether it may have more to do without hearing from the other side. */
NOINLINE static bool measured_turn(struct connection *c, bool echoes)
{
    size_t before = pipe_size(c->to_engine);

    put_records(c);
    if ((tls_engine_wants(c->engine) & TLS_NEEDS_STEP) != 0 && tls_engine_step(c->engine) == TLS_FAILED)
        stop(tls_engine_error_name(c->engine), tls_engine_error(c->engine));
    if (echoes)
        echo(c);
    take_records(c);
    return pipe_size(c->to_engine) != before || (tls_engine_wants(c->engine) & TLS_NEEDS_STEP) != 0 ||
           (echoes && (tls_engine_wants(c->engine) & TLS_HAS_PLAINTEXT) != 0);
}

/* As a client: a byte of ours, and its echo. */
NOINLINE static void measured_send(struct connection *c)
{
    size_t size;

    if (tls_engine_put_plaintext(c->engine, span_of_string("x"), &size) != TLS_OK || size != 1)
        stop("put_plaintext", tls_engine_error(c->engine));
}

NOINLINE static size_t measured_receive(struct connection *c)
{
    uint8_t byte;
    size_t size = 0;

    if ((tls_engine_wants(c->engine) & TLS_HAS_PLAINTEXT) != 0)
        (void)!tls_engine_take_plaintext(c->engine, &byte, 1, &size);
    return size;
}

NOINLINE static void measured_close(struct connection *c)
{
    tls_engine_close(c->engine);
}

/* --- the other side, and what goes between --- */

/* callgrind begins anew when this is entered. */
NOINLINE static void warm_up_end(void)
{
    __asm__ volatile("");
}

/* callgrind writes its counts down when this is left. */
NOINLINE static void scenario_end(const struct scenario *s)
{
    printf("%u %s\n", s->operations, s->name);
    (void)fflush(stdout);
}

static void carry(struct connection *c)
{
    struct pipe *to = c->to_engine, *from = c->from_engine;
    int n, size = (int)pipe_size(from);

    if (size > 0 && BIO_write(c->to_ssl, from->data + from->start, size) != size)
        stop("BIO_write", "no memory");
    pipe_consume(from, (size_t)size);
    while (to->end < PIPE_BYTES && (n = BIO_read(c->from_ssl, to->data + to->end, (int)(PIPE_BYTES - to->end))) > 0)
        to->end += (size_t)n;
}

static void exchange(struct connection *c, bool echoes)
{
    do
        carry(c);
    while (measured_turn(c, echoes));
    carry(c);
}

static void shake_hands(struct connection *c)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        int n = SSL_do_handshake(c->ssl);

        if (n != 1 && SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ)
            stop("OpenSSL's handshake", "failed");
        exchange(c, false);
        if (n == 1 && tls_engine_handshake_done(c->engine))
            return;
    }
    stop("the handshake", "never ends");
}

/* OpenSSL sends and our engine echoes. */
static void send_to_engine(struct connection *c, size_t total)
{
    static uint8_t data[ECHO_BYTES];
    size_t sent = 0, received = 0;

    for (int i = 0; received < total; i++) {
        size_t size = total - sent < ECHO_BYTES ? total - sent : ECHO_BYTES;
        int n;

        if (i > TURNS_MAX || (size > 0 && SSL_write(c->ssl, data, (int)size) != (int)size))
            stop("SSL_write", "failed");
        sent += size;
        exchange(c, true);
        while ((n = SSL_read(c->ssl, data, ECHO_BYTES)) > 0)
            received += (size_t)n;
    }
}

/* Our engine sends and OpenSSL echoes. */
static void send_from_engine(struct connection *c)
{
    char byte;

    measured_send(c);
    exchange(c, false);
    if (SSL_read(c->ssl, &byte, 1) != 1 || SSL_write(c->ssl, &byte, 1) != 1)
        stop("the server's echo", "did not come");
    exchange(c, false);
    if (measured_receive(c) != 1)
        stop("the engine", "did not get its echo");
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(newest);
    newest = session;
    return 1;
}

static SSL_CTX *peer_context(const struct world *w, const struct scenario *s)
{
    SSL_CTX *ctx = SSL_CTX_new(s->connects ? TLS_server_method() : TLS_client_method());
    char *path = base_printf("%s/chain.pem", w->folder);

    SSL_CTX_set_min_proto_version(ctx, s->tls_version);
    SSL_CTX_set_max_proto_version(ctx, s->tls_version);
    if (SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256") != 1 ||
        SSL_CTX_set1_groups_list(ctx, "X25519:P-256") != 1)
        stop("OpenSSL", "does not have the ciphers");
    if ((s->connects || s->client_shows) && (SSL_CTX_use_certificate_chain_file(ctx, path) != 1 ||
                                             SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) != 1))
        stop(path, "OpenSSL does not take it");
    if (s->connects) {
        SSL_CTX_set_num_tickets(ctx, 0);
    } else {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx, on_new_session);
    }
    free(path);
    return ctx;
}

static struct tls_context *own_context(const struct world *w, const struct scenario *s, struct tls_identity **identity)
{
    struct tls_context *context = NULL;
    char *error = NULL, *path = base_printf("%s/%s", w->folder, s->identity);
    bool made;

    if (s->connects) {
        made = tls_client_context_create(&(struct tls_client_options){.version_min = 0x0303, .trust = w->store},
                                         &context, &error);
    } else {
        made = tls_identity_open(TLS_IDENTITY_FILE, path, identity, &error) &&
               tls_server_context_create(
                   &(struct tls_server_options){.identities = identity,
                                                .identity_count = 1,
                                                .version_min = 0x0303,
                                                .session_id_context = "benchmark",
                                                .trust = w->store,
                                                .peer = s->client_shows ? TLS_PEER_REQUIRE : TLS_PEER_NONE},
                   &context, &error);
    }
    if (!made)
        stop(path, error);
    free(path);
    return context;
}

/* first: there is nothing to resume yet. */
static void one_connection(const struct scenario *s, const struct tls_context *context, SSL_CTX *peer, bool first)
{
    static struct pipe to_engine, from_engine;
    static struct connection c;

    to_engine.start = to_engine.end = from_engine.start = from_engine.end = 0;
    c = (struct connection){.ssl = SSL_new(peer),
                            .to_ssl = BIO_new(BIO_s_mem()),
                            .from_ssl = BIO_new(BIO_s_mem()),
                            .to_engine = &to_engine,
                            .from_engine = &from_engine};
    SSL_set_bio(c.ssl, c.to_ssl, c.from_ssl);
    if (s->connects) {
        SSL_set_accept_state(c.ssl);
    } else {
        SSL_set_connect_state(c.ssl);
        SSL_set_tlsext_host_name(c.ssl, "localhost");
        if (s->resumed && newest != NULL)
            SSL_set_session(c.ssl, newest);
    }
    measured_create(&c, context, s->connects);
    shake_hands(&c);
    if (SSL_session_reused(c.ssl) != (s->resumed && !first))
        stop(s->name, "was resumed, or was not");
    if (s->connects) {
        send_from_engine(&c);
        measured_close(&c);
    } else {
        send_to_engine(&c, s->echoed_bytes);
    }
    SSL_shutdown(c.ssl);
    exchange(&c, !s->connects);
    measured_destroy(&c);
    SSL_free(c.ssl);
}

static void run(const struct world *w, const struct scenario *s)
{
    struct tls_identity *identity = NULL;
    struct tls_context *context = own_context(w, s, &identity);
    SSL_CTX *peer = peer_context(w, s);
    unsigned warm_up = s->operations < WARM_UP ? 1 : WARM_UP; /* a MiB is much to do */

    for (unsigned i = 0; i < warm_up; i++)
        one_connection(s, context, peer, i == 0);
    warm_up_end();
    for (unsigned i = 0; i < s->operations; i++)
        one_connection(s, context, peer, false);
    scenario_end(s);
    SSL_SESSION_free(newest);
    newest = NULL;
    SSL_CTX_free(peer);
    tls_context_destroy(&context);
    tls_identity_destroy(&identity);
}

static char *read_file(const char *folder, const char *name, size_t *size)
{
    char *path = base_printf("%s/%s", folder, name), *data = base_alloc(FILE_BYTES_MAX);
    FILE *file = fopen(path, "rb");

    if (file == NULL || (*size = fread(data, 1, FILE_BYTES_MAX, file)) == 0 || fclose(file) != 0)
        stop(path, "cannot be read");
    free(path);
    return data;
}

static void make(const char *folder)
{
    char *error = NULL, *path = base_printf("%s/ticket.key", folder);
    uint8_t *key = NULL;
    size_t size;
    FILE *file = fopen(path, "wb");

    if (!tls_runtime_start(&(struct tls_runtime_options){0}, &error) || !tls_ticket_key_generate(&key, &size, &error) ||
        !tls_runtime_stop(&error))
        stop("the keys that protect sessions", error);
    if (file == NULL || fwrite(key, 1, size, file) != size || fclose(file) != 0)
        stop(path, "cannot be written");
    base_wipe(key, size);
    free(key);
    free(path);
}

static void run_all(const char *folder, const char *accelerator)
{
    struct tls_runtime_options options = {.accelerator = strcmp(accelerator, "none") == 0 ? NULL : accelerator};
    struct world world = {.folder = folder};
    size_t size, root_size;
    char *error = NULL, *key = read_file(folder, "ticket.key", &size);
    char *root = read_file(folder, "root.der", &root_size);

    options.ticket_key = span_of(key, size);
    if (!tls_runtime_start(&options, &error))
        stop("NSS", error);
    /* Not whichever was faster just now, under valgrind. */
    if (options.accelerator != NULL)
        tls_record_slot_set(CKM_AES_GCM, TLS_RECORD_TOKEN_ACCELERATOR);
    /* As tls_session_cache_create(), which cannot be had here: it takes all descriptors below the highest that is open,
     * and valgrind's own are the highest there can be. */
    if (SSL_ConfigMPServerSIDCache(CACHE_ENTRIES, 0, CACHE_SECONDS, NULL) != SECSuccess)
        stop("NSS", "gives no session cache");
    tls_runtime_note_session_cache();
    world.store = pkix_store_create();
    if (!pkix_store_add_anchor(world.store, span_of(root, root_size), &error))
        stop("the root", error);
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        run(&world, &scenarios[i]);
    pkix_store_destroy(&world.store);
    (void)SSL_ShutdownServerSessionIDCache();
    if (!tls_runtime_stop(&error))
        stop("NSS", error);
    base_wipe(key, size);
    free(key);
    free(root);
}

int main(int argc, char **argv)
{
    /* No thread of NSS's to look for abandoned locks of the session cache. */
    setenv("NSS_SSL_SERVER_CACHE_MUTEX_TIMEOUT", "0", 1);
    if (argc == 2 && strcmp(argv[1], "version") == 0)
        printf("NSS %s, OpenSSL %s\n", tls_nss_version(), OpenSSL_version(OPENSSL_VERSION_STRING));
    else if (argc == 3 && strcmp(argv[1], "make") == 0)
        make(argv[2]);
    else if (argc == 4 && strcmp(argv[1], "run") == 0)
        run_all(argv[2], argv[3]);
    else
        stop("usage", "instructions version | make FOLDER | run FOLDER ACCELERATOR");
    return 0;
}
