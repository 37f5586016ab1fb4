/* tls/established.c: what a peer puts inside protected records, and around them.
 *
 * The fuzzer is the peer, and has its keys: an input is a list of steps, of which the first kind makes a record that
 * opens, with any content, type and padding. What the engine sends is opened and looked at too.
 *
 *     role, suite, record size limit and version, in one byte; then steps:
 *     0 TYPE LENGTH BYTES PADDING(2)  a record that opens
 *     1 LENGTH BYTES                  bytes that were never sealed
 *     2 SIZE(2)   take plaintext      5  the transport's end
 *     3 SIZE(2)   put plaintext       6  trim
 *     4           close               7  take records */
#include "tls/engine_internal.h"
#include "tls/established.h"
#include "tls/runtime.h"

#include "base/nss_scope.h"

#include <sslproto.h>
#include <stdlib.h>

#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            base_abort("%s:%d: " #condition, __FILE__, __LINE__);                                                      \
    } while (0)

enum {
    STEPS_MAX = 200,
    PADDING_MAX = 16384 + 600,
    RECORD_MAX = 5 + 255 + 1 + PADDING_MAX + 16,
    TAKE_MAX = 20000,
    KEY_UPDATE_SIZE = 5,
    ALERT_SIZE = 2
};

struct peer {
    struct tls_engine *e;
    struct tls_record_direction seal, open;
    struct buffer record;   /* the one that is being made */
    struct buffer expected; /* data that was sealed, and not yet taken by the application */
    uint64_t put, got;      /* data for the peer: bytes put into the engine, and found in its records */
    bool unsealed;          /* bytes were sent that no record was made of */
    bool heard_end;         /* the engine has sent an alert: nothing may follow */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned take_byte(struct span *input)
{
    unsigned byte = input->size == 0 ? 0 : input->data[0];

    *input = span_skip(*input, input->size == 0 ? 0 : 1);
    return byte;
}

static size_t take_size(struct span *input)
{
    size_t high = take_byte(input);

    return high << 8 | take_byte(input);
}

static struct span take_bytes(struct span *input)
{
    size_t size = take_byte(input);
    struct span bytes = span_of(input->data, size < input->size ? size : input->size);

    *input = span_skip(*input, bytes.size);
    return bytes;
}

static PK11SymKey *make_secret(unsigned cipher_suite, uint8_t fill)
{
    SCOPED_SLOT slot = PK11_GetInternalSlot();
    uint8_t bytes[TLS_RECORD_SECRET_MAX];
    SECItem item = {.type = siBuffer, .data = bytes, .len = cipher_suite == TLS_AES_256_GCM_SHA384 ? 48 : 32};
    PK11SymKey *key;

    memset(bytes, fill, sizeof(bytes));
    key = PK11_ImportSymKey(slot, CKM_HKDF_DERIVE, PK11_OriginUnwrap, CKA_DERIVE, &item, NULL);
    FUZZ_CHECK(key != NULL);
    return key;
}

static void begin(struct peer *p, const struct tls_context *context, unsigned cipher_suite, size_t plaintext_max)
{
    const struct tls_record_suite *suite = tls_record_suite_find(TLS_VERSION_13, cipher_suite);
    struct tls_established_start start = {.cipher_suite = cipher_suite,
                                          .read_secret = make_secret(cipher_suite, 'r'),
                                          .write_secret = make_secret(cipher_suite, 'w')};

    p->e = tls_engine_create(context, NULL, NULL);
    tls_engine_enter(p->e, TLS_PHASE_HELLO);
    tls_engine_enter(p->e, TLS_PHASE_OPEN);
    p->e->version = TLS_VERSION_13;
    p->e->cipher_suite = cipher_suite;
    FUZZ_CHECK(tls_established_start(p->e, &start));
    p->e->own->plaintext_max = plaintext_max;
    FUZZ_CHECK(tls_record_direction_init(&p->seal, suite, TLS_RECORD_SEAL, start.read_secret, 0) &&
               tls_record_direction_init(&p->open, suite, TLS_RECORD_OPEN, start.write_secret, 0));
    PK11_FreeSymKey(start.read_secret);
    PK11_FreeSymKey(start.write_secret);
    buffer_init(&p->record, RECORD_MAX);
    buffer_init(&p->expected, SIZE_MAX / 2);
}

/* TLS 1.2. */
static void begin12(struct peer *p, const struct tls_context *context, unsigned cipher_suite, size_t plaintext_max)
{
    const struct tls_record_suite *suite = tls_record_suite_find(TLS_VERSION_12, cipher_suite);
    struct tls_record_master master = {.secret = "master"};
    struct tls_record_direction read, write;
    bool server = context->role == TLS_ROLE_SERVER;

    p->e = tls_engine_create(context, NULL, NULL);
    tls_engine_enter(p->e, TLS_PHASE_HELLO);
    tls_engine_enter(p->e, TLS_PHASE_OPEN);
    p->e->version = TLS_VERSION_12;
    p->e->cipher_suite = cipher_suite;
    p->e->flood.handshakes = 1;
    FUZZ_CHECK(tls_record_directions_init12(suite, &master, server ? TLS_RECORD_OPEN : TLS_RECORD_SEAL,
                                            server ? TLS_RECORD_SEAL : TLS_RECORD_OPEN, server ? &read : &write,
                                            server ? &write : &read) &&
               tls_record_directions_init12(suite, &master, server ? TLS_RECORD_SEAL : TLS_RECORD_OPEN,
                                            server ? TLS_RECORD_OPEN : TLS_RECORD_SEAL, server ? &p->seal : &p->open,
                                            server ? &p->open : &p->seal));
    tls_established_take(p->e, &read, &write);
    p->e->own->plaintext_max = plaintext_max;
    buffer_init(&p->record, RECORD_MAX);
    buffer_init(&p->expected, SIZE_MAX / 2);
}

static void clear(struct peer *p)
{
    tls_engine_destroy(&p->e);
    tls_record_direction_clear(&p->seal);
    tls_record_direction_clear(&p->open);
    buffer_release(&p->record);
    buffer_release(&p->expected);
}

/* Who has read everything has the keys of the next record. */
static void follow_keys(struct peer *p)
{
    const struct tls_record_direction *read = &p->e->own->read;

    if (p->e->transport.in.size != 0)
        return;
    if (memcmp(p->seal.key, read->key, sizeof(read->key)) != 0) {
        tls_record_direction_rest(&p->seal);
        memcpy(p->seal.key, read->key, sizeof(read->key));
        memcpy(p->seal.iv, read->iv, sizeof(read->iv));
    }
    p->seal.sequence = read->sequence;
}

static bool give(struct peer *p, struct span bytes)
{
    size_t room;
    uint8_t *space = tls_engine_records_reserve(p->e, &room);

    if (room < bytes.size || bytes.size == 0)
        return false;
    memcpy(space, bytes.data, bytes.size);
    tls_engine_records_commit(p->e, bytes.size);
    return true;
}

/* The last byte that is not zero is the type. */
static void expect_data(struct peer *p, struct span inner)
{
    while (inner.size != 0 && inner.data[inner.size - 1] == 0)
        inner.size--;
    if (inner.size != 0 && inner.data[inner.size - 1] == TLS_CONTENT_DATA)
        FUZZ_CHECK(buffer_append(&p->expected, span_of(inner.data, inner.size - 1)));
}

/* TLS 1.2: no type and no padding inside. */
static void send_record12(struct peer *p, struct span *input)
{
    unsigned type = take_byte(input);
    struct span content = take_bytes(input);

    (void)take_size(input);
    follow_keys(p);
    FUZZ_CHECK(tls_record_seal(&p->seal, (enum tls_content_type)type, content, &p->record));
    if (!give(p, buffer_span(&p->record)))
        p->seal.sequence--;
    else if (type == TLS_CONTENT_DATA)
        FUZZ_CHECK(buffer_append(&p->expected, content));
    buffer_consume(&p->record, p->record.size);
}

static void send_record(struct peer *p, struct span *input)
{
    uint8_t type = (uint8_t)take_byte(input);
    struct span content = take_bytes(input);
    size_t padding = take_size(input) % PADDING_MAX;
    uint8_t *inner = base_alloc(content.size + 1 + padding);

    if (content.size != 0)
        memcpy(inner, content.data, content.size);
    inner[content.size] = type;
    follow_keys(p);
    FUZZ_CHECK(tls_record_seal(&p->seal, (enum tls_content_type)inner[content.size + padding],
                               span_of(inner, content.size + padding), &p->record));
    if (!give(p, buffer_span(&p->record)))
        p->seal.sequence--; /* it was never sent */
    else
        expect_data(p, span_of(inner, content.size + 1 + padding));
    buffer_consume(&p->record, p->record.size);
    free(inner);
}

static void send_unsealed(struct peer *p, struct span *input)
{
    if (give(p, take_bytes(input)))
        p->unsealed = true;
}

static void take_plaintext(struct peer *p, size_t size)
{
    uint8_t *out = base_alloc(size);
    struct span expected = buffer_span(&p->expected);
    size_t taken;
    enum tls_status status = tls_engine_take_plaintext(p->e, out, size, &taken);

    FUZZ_CHECK(taken <= size && taken <= expected.size);
    FUZZ_CHECK(taken == 0 || (status == TLS_OK && memcmp(out, expected.data, taken) == 0));
    buffer_consume(&p->expected, taken);
    if (status == TLS_FAILED)
        FUZZ_CHECK(tls_engine_error_name(p->e)[0] != '\0');
    else if (status == TLS_OK && p->e->dry && !tls_engine_has_failed(p->e) && !p->unsealed)
        FUZZ_CHECK(p->expected.size == 0);
    free(out);
}

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 5 + at / 253);
}

static void put_plaintext(struct peer *p, size_t size)
{
    uint8_t *data = base_alloc(size + 1);
    size_t consumed;

    for (size_t i = 0; i < size; i++)
        data[i] = pattern(p->put + i);
    if (tls_engine_put_plaintext(p->e, span_of(data, size), &consumed) == TLS_FAILED)
        FUZZ_CHECK(consumed == 0 && tls_engine_error_name(p->e)[0] != '\0');
    FUZZ_CHECK(consumed <= size);
    p->put += consumed;
    free(data);
}

static bool is12(const struct peer *p)
{
    return p->e->version == TLS_VERSION_12;
}

static void see_record(struct peer *p, struct span record)
{
    static const uint8_t key_update[KEY_UPDATE_SIZE] = {24, 0, 0, 1, 0};
    uint8_t *content = base_alloc(record.size);
    size_t size;
    unsigned type;

    FUZZ_CHECK(!p->heard_end && (record.data[0] == TLS_CONTENT_DATA || is12(p)));
    FUZZ_CHECK(tls_record_open(&p->open, record, content, &size, &type));
    switch (type) {
    case TLS_CONTENT_DATA:
        FUZZ_CHECK(size <= p->e->own->plaintext_max);
        for (size_t i = 0; i < size; i++)
            FUZZ_CHECK(content[i] == pattern(p->got + i));
        p->got += size;
        break;
    case TLS_CONTENT_HANDSHAKE:
        FUZZ_CHECK(!is12(p) && size == KEY_UPDATE_SIZE && memcmp(content, key_update, size) == 0);
        FUZZ_CHECK(tls_record_direction_update(&p->open));
        break;
    case TLS_CONTENT_ALERT:
        FUZZ_CHECK(size == ALERT_SIZE);
        if (is12(p) && content[0] == 1 && content[1] == TLS_ALERT_NO_RENEGOTIATION)
            break;
        FUZZ_CHECK(content[1] == tls_engine_alert_sent(p->e));
        p->heard_end = true;
        break;
    default:
        FUZZ_CHECK(false);
    }
    free(content);
}

static void take_records(struct peer *p)
{
    while (tls_engine_records(p->e).size != 0) {
        struct span records = tls_engine_records(p->e);
        size_t size;

        FUZZ_CHECK(records.size >= TLS_RECORD_HEADER_SIZE);
        size = TLS_RECORD_HEADER_SIZE + tls_record_body_size(records.data);
        FUZZ_CHECK(records.size >= size);
        see_record(p, span_of(records.data, size));
        tls_engine_records_consume(p->e, size);
    }
    FUZZ_CHECK(p->got == p->put);
}

static void run_step(struct peer *p, struct span *input)
{
    switch (take_byte(input) % 8) {
    case 0:
        if (is12(p))
            send_record12(p, input);
        else
            send_record(p, input);
        break;
    case 1:
        send_unsealed(p, input);
        break;
    case 2:
        take_plaintext(p, take_size(input) % TAKE_MAX + 1);
        break;
    case 3:
        put_plaintext(p, take_size(input));
        break;
    case 4:
        tls_engine_close(p->e);
        break;
    case 5:
        (void)!tls_engine_records_end(p->e);
        break;
    case 6:
        tls_engine_trim(p->e);
        break;
    default:
        take_records(p);
        break;
    }
    FUZZ_CHECK(tls_engine_memory(p->e) <= sizeof(*p->e) + sizeof(*p->e->own) + TLS_RECORDS_IN_MAX + TLS_HELLO_KEPT_MAX +
                                              TLS_RECORDS_OUT_MAX + TLS_PLAINTEXT_MAX);
}

static void start_nss(void)
{
    static bool started;
    char *error = NULL;

    if (started)
        return;
    if (!tls_runtime_start(&(struct tls_runtime_options){0}, &error))
        base_abort("%s", error);
    started = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned suites[] = {TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256};
    static const size_t limits[] = {TLS_RECORD_PLAINTEXT_MAX, 63, 511};
    struct span input = span_of(data, size);
    unsigned settings = take_byte(&input);
    static const unsigned suites12[] = {TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                                        TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256};
    size_t suite = settings / 2 % ARRAY_LEN(suites), limit = limits[settings / 8 % ARRAY_LEN(limits)];
    bool client = settings % 2 == 0;
    struct tls_context context = {.role = client ? TLS_ROLE_CLIENT : TLS_ROLE_SERVER,
                                  .calls = client ? &tls_client_calls : &tls_server_calls};
    struct peer p = {0};

    start_nss();
    if (settings < 128)
        begin(&p, &context, suites[suite], limit);
    else
        begin12(&p, &context, suites12[suite], limit);
    for (int i = 0; i < STEPS_MAX && input.size != 0; i++)
        run_step(&p, &input);
    /* Whatever has come: it is read to an end, and what the engine says is whole. */
    for (int i = 0; i < STEPS_MAX && (tls_engine_wants(p.e) & TLS_HAS_PLAINTEXT) != 0; i++) {
        take_records(&p);
        take_plaintext(&p, TAKE_MAX);
    }
    FUZZ_CHECK((tls_engine_wants(p.e) & TLS_HAS_PLAINTEXT) == 0);
    take_records(&p);
    clear(&p);
    return 0;
}
