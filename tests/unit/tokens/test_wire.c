#include "tokens/wire.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static const uint8_t digest[32] = {1, 2, 3};

static struct tokens_wire_request sign_request(void)
{
    return (struct tokens_wire_request){.type = TOKENS_WIRE_SIGN,
                                        .id = 0x01020304,
                                        .timeout_ms = 5000,
                                        .uri = span_of_string("pkcs11:token=a"),
                                        .key_tag = 0x1122334455667788,
                                        .mechanism = TOKENS_WIRE_RSA_PSS,
                                        .hash = TOKENS_WIRE_HASH_SHA256,
                                        .salt_size = 32,
                                        .data = span_of(digest, sizeof(digest))};
}

/* Encode, take the frame apart, decode. */
static enum tokens_wire_status round_trip(const struct tokens_wire_request *in, struct buffer *out,
                                          struct tokens_wire_request *got)
{
    struct span payload;

    assert_true(tokens_wire_request_encode(in, out));
    assert_int_equal(tokens_wire_frame(buffer_span(out), TOKENS_WIRE_REQUEST_MAX, &payload), TOKENS_WIRE_OK);
    assert_int_equal(payload.size + TOKENS_WIRE_HEADER_SIZE, out->size);
    return tokens_wire_request_decode(payload, got);
}

static void request_survives_the_wire(void **state)
{
    struct tokens_wire_request in = sign_request(), got;
    struct buffer out;

    (void)state;
    buffer_init(&out, 8192);
    assert_int_equal(round_trip(&in, &out, &got), TOKENS_WIRE_OK);
    assert_int_equal(got.type, in.type);
    assert_int_equal(got.id, in.id);
    assert_int_equal(got.timeout_ms, in.timeout_ms);
    assert_true(got.key_tag == in.key_tag);
    assert_int_equal(got.mechanism, in.mechanism);
    assert_int_equal(got.hash, in.hash);
    assert_int_equal(got.salt_size, in.salt_size);
    assert_true(span_equal(got.uri, in.uri));
    assert_true(span_equal(got.data, in.data));
    buffer_release(&out);
}

static void request_decode_refuses_what_makes_no_sense(void **state)
{
    struct tokens_wire_request table[7], got;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        table[i] = sign_request();
    table[0].hash = TOKENS_WIRE_HASH_SHA384; /* 32 bytes are no SHA-384 */
    table[1].salt_size = 65;
    table[2].mechanism = TOKENS_WIRE_ECDSA; /* with a hash */
    table[3].hash = TOKENS_WIRE_HASH_NONE;
    table[4].uri = span_of("a\0b", 3);
    table[5].uri = span_of(NULL, 0);
    table[6].data = span_of(NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct buffer out;

        buffer_init(&out, 8192);
        if (round_trip(&table[i], &out, &got) != TOKENS_WIRE_BAD)
            fail_msg("row %zu was accepted", i);
        buffer_release(&out);
    }
}

static void request_decode_refuses_every_truncation_and_a_byte_too_many(void **state)
{
    struct tokens_wire_request in = sign_request(), got;
    struct buffer out;
    struct span payload;

    (void)state;
    buffer_init(&out, 8192);
    assert_int_equal(round_trip(&in, &out, &got), TOKENS_WIRE_OK);
    payload = span_skip(buffer_span(&out), TOKENS_WIRE_HEADER_SIZE);
    for (size_t size = 0; size < payload.size; size++) {
        uint8_t *cut = base_memdup(payload.data, size);

        assert_int_equal(tokens_wire_request_decode(span_of(cut, size), &got), TOKENS_WIRE_BAD);
        free(cut);
    }
    assert_true(buffer_append(&out, span_of("x", 1)));
    payload = span_skip(buffer_span(&out), TOKENS_WIRE_HEADER_SIZE);
    assert_int_equal(tokens_wire_request_decode(payload, &got), TOKENS_WIRE_BAD);
    buffer_release(&out);
}

static void request_encode_leaves_nothing_behind_when_it_does_not_fit(void **state)
{
    struct tokens_wire_request in = sign_request();
    struct buffer out;
    char *uri = base_alloc(TOKENS_WIRE_URI_MAX + 2);

    (void)state;
    memset(uri, 'u', TOKENS_WIRE_URI_MAX + 1);
    buffer_init(&out, 60);
    assert_true(buffer_append(&out, span_of("abc", 3)));
    assert_false(tokens_wire_request_encode(&in, &out));
    assert_true(span_equal(buffer_span(&out), span_of("abc", 3)));
    buffer_release(&out);
    buffer_init(&out, 8192);
    in.uri = span_of(uri, TOKENS_WIRE_URI_MAX + 1);
    assert_false(tokens_wire_request_encode(&in, &out));
    assert_int_equal(out.size, 0);
    buffer_release(&out);
    free(uri);
}

static void frame_waits_for_all_and_refuses_too_much(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        enum tokens_wire_status want;
    } table[] = {
        {"", 0, TOKENS_WIRE_MORE},          {"\0\0\0", 3, TOKENS_WIRE_MORE},
        {"\0\0\0\2x", 5, TOKENS_WIRE_MORE}, {"\0\0\0\2xy", 6, TOKENS_WIRE_OK},
        {"\0\0\0\2xyz", 7, TOKENS_WIRE_OK}, {"\0\0\0\0", 4, TOKENS_WIRE_BAD},
        {"\0\0\0\x11", 4, TOKENS_WIRE_BAD}, {"\xff\xff\xff\xff", 4, TOKENS_WIRE_BAD},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct span payload = {0};

        assert_int_equal(tokens_wire_frame(span_of(table[i].bytes, table[i].size), 16, &payload), table[i].want);
        if (table[i].want == TOKENS_WIRE_OK)
            assert_true(span_equal(payload, span_of("xy", 2)));
    }
}

static void reply_clips_a_long_sentence(void **state)
{
    char text[TOKENS_WIRE_TEXT_MAX + 100] = {0};
    struct tokens_wire_reply in = {.type = TOKENS_WIRE_FAILED,
                                   .id = 9,
                                   .failure = TOKENS_WIRE_REFUSED,
                                   .ckr = 0x30,
                                   .text = span_of(text, sizeof(text))},
                             got;
    struct buffer out;
    struct span payload;

    (void)state;
    memset(text, 't', sizeof(text));
    buffer_init(&out, 8192);
    assert_true(tokens_wire_reply_encode(&in, &out));
    assert_int_equal(tokens_wire_frame(buffer_span(&out), TOKENS_WIRE_REPLY_MAX, &payload), TOKENS_WIRE_OK);
    assert_int_equal(tokens_wire_reply_decode(payload, &got), TOKENS_WIRE_OK);
    assert_int_equal(got.failure, TOKENS_WIRE_REFUSED);
    assert_int_equal(got.ckr, 0x30);
    assert_int_equal(got.text.size, TOKENS_WIRE_TEXT_MAX);
    buffer_release(&out);
}

static void identity_survives_the_wire(void **state)
{
    struct tokens_wire_identity in = {.key_type = TOKENS_WIRE_KEY_EC,
                                      .mechanisms = 1 << TOKENS_WIRE_ECDSA,
                                      .id = span_of("\1\2", 2),
                                      .label = span_of_string("label"),
                                      .token_label = span_of_string("token"),
                                      .spki = span_of_string("spki"),
                                      .ec_params = span_of_string("params"),
                                      .ec_point = span_of_string("point"),
                                      .cert = span_of_string("cert"),
                                      .chain_count = 2,
                                      .chain = {{(const uint8_t *)"one", 3}, {(const uint8_t *)"two", 3}}},
                                got;
    struct buffer out;

    (void)state;
    buffer_init(&out, 8192);
    assert_true(tokens_wire_identity_encode(&in, &out));
    assert_int_equal(tokens_wire_identity_decode(buffer_span(&out), &got), TOKENS_WIRE_OK);
    assert_int_equal(got.chain_count, 2);
    assert_true(span_equal(got.chain[1], span_of_string("two")));
    assert_true(span_equal(got.cert, in.cert));
    assert_int_equal(got.modulus.size, 0);
    for (size_t size = 0; size < out.size; size++) {
        uint8_t *cut = base_memdup(buffer_span(&out).data, size);

        assert_int_equal(tokens_wire_identity_decode(span_of(cut, size), &got), TOKENS_WIRE_BAD);
        free(cut);
    }
    buffer_release(&out);
}

static void certs_survive_the_wire(void **state)
{
    struct tokens_wire_certs in = {.list_tag = 0x1122334455667788,
                                   .total = 5,
                                   .first = 3,
                                   .count = 2,
                                   .certs = {{(const uint8_t *)"one", 3}, {(const uint8_t *)"two", 3}}},
                             got;
    struct buffer out;

    (void)state;
    buffer_init(&out, 8192);
    assert_true(tokens_wire_certs_encode(&in, &out));
    assert_int_equal(tokens_wire_certs_decode(buffer_span(&out), &got), TOKENS_WIRE_OK);
    assert_true(got.list_tag == in.list_tag);
    assert_int_equal(got.total, 5);
    assert_int_equal(got.first, 3);
    assert_int_equal(got.count, 2);
    assert_true(span_equal(got.certs[1], span_of_string("two")));
    for (size_t size = 0; size < out.size; size++) {
        uint8_t *cut = base_memdup(buffer_span(&out).data, size);

        assert_int_equal(tokens_wire_certs_decode(span_of(cut, size), &got), TOKENS_WIRE_BAD);
        free(cut);
    }
    buffer_release(&out);
}

static void certs_decode_refuses_what_makes_no_sense(void **state)
{
    static const struct {
        uint16_t total, first;
        size_t count;
    } table[] = {{5, 4, 2}, {5, 0, 0}, {TOKENS_WIRE_CERTS_MAX + 1, 0, 1}, {0, 0, 1}, {1, 0xffff, 1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct tokens_wire_certs in = {.total = table[i].total, .first = table[i].first, .count = table[i].count}, got;
        struct buffer out;

        buffer_init(&out, 8192);
        assert_true(tokens_wire_certs_encode(&in, &out));
        if (tokens_wire_certs_decode(buffer_span(&out), &got) != TOKENS_WIRE_BAD)
            fail_msg("row %zu was accepted", i);
        buffer_release(&out);
    }
}

static void list_request_survives_the_wire(void **state)
{
    struct tokens_wire_request in = {.type = TOKENS_WIRE_LIST,
                                     .id = 7,
                                     .timeout_ms = 9,
                                     .uri = span_of_string("pkcs11:token=a"),
                                     .first = TOKENS_WIRE_CERTS_MAX - 1,
                                     .list_tag = 0x1122334455667788},
                               got;
    struct buffer out;

    (void)state;
    buffer_init(&out, 8192);
    assert_int_equal(round_trip(&in, &out, &got), TOKENS_WIRE_OK);
    assert_int_equal(got.type, TOKENS_WIRE_LIST);
    assert_int_equal(got.first, in.first);
    assert_true(got.list_tag == in.list_tag);
    buffer_release(&out);
    in.first++;
    buffer_init(&out, 8192);
    assert_int_equal(round_trip(&in, &out, &got), TOKENS_WIRE_BAD);
    buffer_release(&out);
    in = (struct tokens_wire_request){.type = TOKENS_WIRE_LISTED, .uri = span_of_string("pkcs11:token=a")};
    buffer_init(&out, 8192);
    assert_int_equal(round_trip(&in, &out, &got), TOKENS_WIRE_BAD); /* a reply is no request */
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_survives_the_wire),
        cmocka_unit_test(request_decode_refuses_what_makes_no_sense),
        cmocka_unit_test(request_decode_refuses_every_truncation_and_a_byte_too_many),
        cmocka_unit_test(request_encode_leaves_nothing_behind_when_it_does_not_fit),
        cmocka_unit_test(frame_waits_for_all_and_refuses_too_much),
        cmocka_unit_test(reply_clips_a_long_sentence),
        cmocka_unit_test(identity_survives_the_wire),
        cmocka_unit_test(certs_survive_the_wire),
        cmocka_unit_test(certs_decode_refuses_what_makes_no_sense),
        cmocka_unit_test(list_request_survives_the_wire),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
