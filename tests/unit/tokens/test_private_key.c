/* Private keys in PKCS#8, taken apart. */
#include "tokens/private_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Of the right form, with numbers that are none. */
static const uint8_t rsa[] = {0x30, 0x30, 0x02, 0x01, 0x00, /* PrivateKeyInfo, version 0 */
                              0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
                              0x05, 0x00, 0x04, 0x1c, 0x30, 0x1a, /* RSAPrivateKey */
                              0x02, 0x01, 0x00, 0x02, 0x02, 0x00, 0xc1, 0x02, 0x01, 0x03, 0x02, 0x01, 0x04,
                              0x02, 0x01, 0x05, 0x02, 0x01, 0x06, 0x02, 0x01, 0x07, 0x02, 0x01, 0x08};
static const uint8_t ec[] = {0x30, 0x20, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a,
                             0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,                         /* id-ecPublicKey */
                             0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, /* prime256v1 */
                             0x04, 0x06, 0x30, 0x04, 0x02, 0x01, 0x01, 0x04};

static void read_takes_rsa_apart(void **state)
{
    uint8_t whole[sizeof(rsa) + 3];
    struct tokens_private_key key;

    (void)state;
    /* One number is missing above: with it, all sizes are three more. */
    memcpy(whole, rsa, sizeof(rsa));
    memcpy(whole + sizeof(rsa), (const uint8_t[]){0x02, 0x01, 0x09}, 3);
    assert_false(tokens_private_key_read(span_of(rsa, sizeof(rsa)), &key));
    whole[1] = sizeof(whole) - 2;
    whole[21] = sizeof(whole) - 22;
    whole[23] = sizeof(whole) - 24;
    assert_true(tokens_private_key_read(span_of(whole, sizeof(whole)), &key));
    assert_int_equal(key.type, TOKENS_WIRE_KEY_RSA);
    assert_true(span_equal(key.rsa[TOKENS_RSA_MODULUS], span_of((const uint8_t[]){0xc1}, 1))); /* without its zero */
    for (size_t i = TOKENS_RSA_PUBLIC_EXPONENT; i < TOKENS_RSA_NUMBER_COUNT; i++)
        assert_int_equal(key.rsa[i].data[0], i + 2);
    for (size_t size = 0; size < sizeof(whole); size++)
        assert_false(tokens_private_key_read(span_of(whole, size), &key));
    whole[22] = 0x31;
    assert_false(tokens_private_key_read(span_of(whole, sizeof(whole)), &key));
}

static void read_takes_ec_apart(void **state)
{
    uint8_t whole[sizeof(ec) + 3];
    struct tokens_private_key key;

    (void)state;
    memcpy(whole, ec, sizeof(ec));
    memcpy(whole + sizeof(ec), (const uint8_t[]){0x02, 0x77, 0x78}, 3);
    whole[1] = sizeof(whole) - 2;
    whole[27] = sizeof(whole) - 28;
    whole[29] = sizeof(whole) - 30;
    assert_true(tokens_private_key_read(span_of(whole, sizeof(whole)), &key));
    assert_int_equal(key.type, TOKENS_WIRE_KEY_EC);
    assert_true(span_equal(key.ec_value, span_of_string("wx")));
    assert_true(span_equal(key.ec_params, span_of(whole + 16, 10)));
    for (size_t size = 0; size < sizeof(whole); size++)
        assert_false(tokens_private_key_read(span_of(whole, size), &key));
    whole[16] = 0x05; /* no named curve */
    assert_false(tokens_private_key_read(span_of(whole, sizeof(whole)), &key));
    whole[16] = 0x06;
    whole[15] = 0x02; /* an algorithm that nobody knows */
    assert_false(tokens_private_key_read(span_of(whole, sizeof(whole)), &key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_takes_rsa_apart),
        cmocka_unit_test(read_takes_ec_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
