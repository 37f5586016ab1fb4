/* Known answers: what RFCs and NIST publish, for each mechanism of the accelerator. More of them, from Project
 * Wycheproof, are in tests/conformance. */
#include "accelerator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static const CK_FUNCTION_LIST_3_0 *p11;
static CK_SESSION_HANDLE s;

static int set_up(void **state)
{
    (void)state;
    p11 = accelerator_load();
    s = accelerator_open();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    accelerator_unload();
    return 0;
}

static void check_digest(CK_MECHANISM_TYPE type, const char *want)
{
    CK_MECHANISM mechanism = {type, NULL, 0};
    CK_BYTE out[64], *abc = hex("616263").data;
    CK_ULONG size = sizeof(out);

    assert_int_equal(p11->C_DigestInit(s, &mechanism), CKR_OK);
    assert_int_equal(p11->C_Digest(s, abc, 3, out, &size), CKR_OK);
    assert_bytes((struct bytes){out, size}, want);
}

/* FIPS 180-4, the message "abc" */
static void digests(void **state)
{
    (void)state;
    check_digest(CKM_SHA256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_digest(CKM_SHA384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                             "8086072ba1e7cc2358baeca134c825a7");
    check_digest(CKM_SHA512, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                             "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

static void check_hmac(CK_MECHANISM_TYPE type, const char *key, const char *data, const char *want)
{
    CK_MECHANISM mechanism = {type, NULL, 0};
    struct bytes in = hex(data);
    CK_BYTE out[64];
    CK_ULONG size = sizeof(out);

    assert_int_equal(p11->C_SignInit(s, &mechanism, accelerator_secret(s, CKK_GENERIC_SECRET, hex(key))), CKR_OK);
    assert_int_equal(p11->C_Sign(s, in.data, in.size, out, &size), CKR_OK);
    assert_bytes((struct bytes){out, size}, want);
}

/* RFC 4231 sections 4.2, 4.3 and 4.7, whose key is longer than a block */
static void hmacs(void **state)
{
    static char long_key[2 * 131 + 1];

    (void)state;
    memset(long_key, 'a', sizeof(long_key) - 1);
    check_hmac(CKM_SHA256_HMAC, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_hmac(CKM_SHA384_HMAC, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
               "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
               "faea9ea9076ede7f4af152e8b2fa9cb6");
    check_hmac(CKM_SHA512_HMAC, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
               "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
               "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
    check_hmac(CKM_SHA256_HMAC, long_key,
               "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669"
               "727374",
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

struct hkdf {
    CK_MECHANISM_TYPE hash;
    const char *key, *salt, *info;
    CK_ULONG size;
    const char *want;
    CK_BBOOL extract, expand;
};

static void check_hkdf(const struct hkdf *h)
{
    struct bytes salt = hex(h->salt), info = hex(h->info);
    CK_HKDF_PARAMS params = {
        .bExtract = h->extract,
        .bExpand = h->expand,
        .prfHashMechanism = h->hash,
        .ulSaltType = salt.size == 0 ? CKF_HKDF_SALT_NULL : CKF_HKDF_SALT_DATA,
        .pSalt = salt.data,
        .ulSaltLen = salt.size,
        .pInfo = info.data,
        .ulInfoLen = info.size,
    };
    CK_MECHANISM mechanism = {CKM_HKDF_DERIVE, &params, sizeof(params)};
    CK_ULONG size = h->size;
    CK_ATTRIBUTE template = {CKA_VALUE_LEN, &size, sizeof(size)};
    CK_OBJECT_HANDLE base = accelerator_secret(s, CKK_HKDF, hex(h->key)), made, salt_key;
    CK_BYTE out[256];

    assert_int_equal(p11->C_DeriveKey(s, &mechanism, base, &template, 1, &made), CKR_OK);
    assert_bytes(accelerator_value(s, made, out, sizeof(out)), h->want);
    if (salt.size == 0 || !h->extract)
        return;
    /* the same with the salt as a key, as TLS 1.3 has it */
    salt_key = accelerator_secret(s, CKK_HKDF, salt);
    params.ulSaltType = CKF_HKDF_SALT_KEY;
    params.hSaltKey = salt_key;
    assert_int_equal(p11->C_DeriveKey(s, &mechanism, base, &template, 1, &made), CKR_OK);
    assert_bytes(accelerator_value(s, made, out, sizeof(out)), h->want);
}

/* RFC 5869 appendix A.1 to A.3, whole and in its two steps; RFC 8448 section 3 for the zeros of TLS 1.3 */
static void hkdf(void **state)
{
    static const char ikm[] = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b";
    static const char prk[] = "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5";
    static const char okm[] = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
    static const struct hkdf cases[] = {
        {CKM_SHA256, ikm, "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9", 42, okm, CK_TRUE, CK_TRUE},
        {CKM_SHA256, ikm, "000102030405060708090a0b0c", "", 32, prk, CK_TRUE, CK_FALSE},
        {CKM_SHA256, prk, "", "f0f1f2f3f4f5f6f7f8f9", 42, okm, CK_FALSE, CK_TRUE},
        {CKM_SHA256, ikm, "", "", 42,
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8", CK_TRUE, CK_TRUE},
        {CKM_SHA256, zeros, "", "", 32, "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a", CK_TRUE,
         CK_FALSE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check_hkdf(&cases[i]);
}

static void check_ecdh(const char *params, const char *private_value, const char *point, const char *want)
{
    struct bytes peer = hex(point);
    CK_ECDH1_DERIVE_PARAMS ecdh = {.kdf = CKD_NULL, .pPublicData = peer.data, .ulPublicDataLen = peer.size};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh)};
    CK_OBJECT_HANDLE key, made;
    CK_BYTE out[80];

    assert_int_equal(accelerator_ec(s, CKO_PRIVATE_KEY, hex(params), hex(private_value), &key), CKR_OK);
    assert_int_equal(p11->C_DeriveKey(s, &mechanism, key, NULL, 0, &made), CKR_OK);
    assert_bytes(accelerator_value(s, made, out, sizeof(out)), want);
}

/* RFC 7748 section 6.1, both sides; RFC 5903 section 8 for the curves of NIST */
static void key_agreement(void **state)
{
    (void)state;
    check_ecdh(params_x25519, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
               "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
               "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    check_ecdh("06032b656e", "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
               "04208520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
               "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    check_ecdh(params_p256, "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
               "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
               "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
               "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de");
    check_ecdh(params_p384,
               "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
               "04e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571"
               "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
               "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746");
    check_ecdh(params_p521,
               "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa85a30fe1c2952c6771d937ba9777f595"
               "7b2639bab072462f68c27a57382d4a52",
               "0400d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97c356436adc6e95bb0352f6be64a6c2"
               "912d4ef2d0433ced2b6171640012d9460f015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d985207"
               "7b87220b6536c5c408a1d2aebb8e86d678ae49cb57091f4732296579ab44fcd17f0fc56a",
               "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4baa240a34786859810c06b3c7"
               "15a3a8cc3151f2bee417996d19f3ddea");
}

static CK_RV verify_ecdsa(const char *params, const char *point, const char *digest, const char *signature)
{
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    struct bytes in = hex(digest), sig = hex(signature);
    CK_OBJECT_HANDLE key;

    assert_int_equal(accelerator_ec(s, CKO_PUBLIC_KEY, hex(params), hex(point), &key), CKR_OK);
    assert_int_equal(p11->C_VerifyInit(s, &mechanism, key), CKR_OK);
    return p11->C_Verify(s, in.data, in.size, sig.data, sig.size);
}

/* RFC 6979 appendix A.2.5: P-256 and SHA-256 over "sample" */
static void ecdsa_verify(void **state)
{
    static const char point[] = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                                "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    static const char digest[] = "af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf";

    (void)state;
    assert_int_equal(verify_ecdsa(params_p256, point, digest,
                                  "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                                  "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"),
                     CKR_OK);
    assert_int_equal(verify_ecdsa(params_p256, point, digest,
                                  "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                                  "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda9"),
                     CKR_SIGNATURE_INVALID);
}

/* The second half of a signature's check: what we sign we accept, and nothing that differs in one bit. */
static void ecdsa_sign(void **state)
{
    static const char value[] = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    struct bytes digest = hex("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf");
    CK_OBJECT_HANDLE private_key, public_key;
    CK_BYTE signature[64], point[80];
    CK_ULONG size = sizeof(signature);
    CK_ATTRIBUTE attribute = {CKA_EC_POINT, point, sizeof(point)};

    (void)state;
    assert_int_equal(accelerator_ec(s, CKO_PRIVATE_KEY, hex(params_p256), hex(value), &private_key), CKR_OK);
    assert_int_equal(p11->C_GetAttributeValue(s, private_key, &attribute, 1), CKR_OK);
    assert_bytes((struct bytes){point, attribute.ulValueLen},
                 "04410460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                 "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    assert_int_equal(
        accelerator_ec(s, CKO_PUBLIC_KEY, hex(params_p256), (struct bytes){point, attribute.ulValueLen}, &public_key),
        CKR_OK);
    assert_int_equal(p11->C_SignInit(s, &mechanism, private_key), CKR_OK);
    assert_int_equal(p11->C_Sign(s, digest.data, digest.size, signature, &size), CKR_OK);
    assert_int_equal(size, 64);
    for (unsigned bit = 0; bit <= 8 * size; bit++) { /* the last round has all bits as they were */
        CK_BYTE mask = bit == 8 * size ? 0 : (CK_BYTE)(1 << bit % 8);
        CK_RV want = bit == 8 * size ? CKR_OK : CKR_SIGNATURE_INVALID;

        signature[bit / 8 % size] ^= mask;
        assert_int_equal(p11->C_VerifyInit(s, &mechanism, public_key), CKR_OK);
        assert_int_equal(p11->C_Verify(s, digest.data, digest.size, signature, size), want);
        signature[bit / 8 % size] ^= mask;
    }
}

/* The GCM specification's test case 4 (AES-128) and 16 (AES-256) */
static void aes_gcm(void **state)
{
    static const char *const keys[] = {"feffe9928665731c6d6a8f9467308308",
                                       "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"};
    static const char *const texts[] = {"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                                        "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
                                        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                                        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"};
    static const char *const tags[] = {"5bc94fbc3221a5db94fae95ae7121a47", "76fc6ece0f4e1768cddf8853bb2d551b"};
    struct bytes plain = hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                             "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct bytes iv = hex("cafebabefacedbaddecaf888"), aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        CK_OBJECT_HANDLE key = accelerator_secret(s, CKK_AES, hex(keys[i]));
        CK_MECHANISM mechanism = {CKM_AES_GCM, NULL, 0};
        CK_BYTE tag[16], out[80], back[80];
        CK_ULONG size = sizeof(out), back_size = sizeof(back);
        CK_GCM_MESSAGE_PARAMS params = {.pIv = iv.data, .ulIvLen = iv.size, .pTag = tag, .ulTagBits = 128};

        assert_int_equal(p11->C_MessageEncryptInit(s, &mechanism, key), CKR_OK);
        assert_int_equal(
            p11->C_EncryptMessage(s, &params, sizeof(params), aad.data, aad.size, plain.data, plain.size, out, &size),
            CKR_OK);
        assert_int_equal(p11->C_MessageEncryptFinal(s), CKR_OK);
        assert_bytes((struct bytes){out, size}, texts[i]);
        assert_bytes((struct bytes){tag, 16}, tags[i]);
        assert_int_equal(p11->C_MessageDecryptInit(s, &mechanism, key), CKR_OK);
        assert_int_equal(
            p11->C_DecryptMessage(s, &params, sizeof(params), aad.data, aad.size, out, size, back, &back_size), CKR_OK);
        assert_int_equal(back_size, plain.size);
        assert_memory_equal(back, plain.data, plain.size);
        /* not a bit of what is not authentic */
        tag[15] ^= 1;
        assert_int_equal(
            p11->C_DecryptMessage(s, &params, sizeof(params), aad.data, aad.size, out, size, back, &back_size),
            CKR_ENCRYPTED_DATA_INVALID);
        for (size_t b = 0; b < size; b++)
            assert_int_equal(back[b], 0);
        assert_int_equal(p11->C_MessageDecryptFinal(s), CKR_OK);
    }
}

/* RFC 8439 section 2.8.2 */
static void chacha20_poly1305(void **state)
{
    struct bytes plain =
        hex("4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a20496620"
            "4920636f756c64206f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572"
            "652c2073756e73637265656e20776f756c642062652069742e");
    struct bytes nonce = hex("070000004041424344454647"), aad = hex("50515253c0c1c2c3c4c5c6c7");
    CK_MECHANISM mechanism = {CKM_CHACHA20_POLY1305, NULL, 0};
    CK_BYTE tag[16], out[128];
    CK_ULONG size = sizeof(out);
    CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS params = {nonce.data, nonce.size, tag};
    CK_OBJECT_HANDLE key =
        accelerator_secret(s, CKK_CHACHA20, hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"));

    (void)state;
    assert_int_equal(p11->C_MessageEncryptInit(s, &mechanism, key), CKR_OK);
    assert_int_equal(
        p11->C_EncryptMessage(s, &params, sizeof(params), aad.data, aad.size, plain.data, plain.size, out, &size),
        CKR_OK);
    assert_int_equal(p11->C_MessageEncryptFinal(s), CKR_OK);
    assert_bytes((struct bytes){tag, 16}, "1ae10b594f09e26a7e902ecbd0600691");
    assert_bytes((struct bytes){out, size},
                 "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
                 "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                 "3ff4def08e4b7a9de576d26586cec64b6116");
}

/* The counter of a nonce that the token makes: GCM of one key with a nonce of counter 1 is the one with it given. */
static void nonces_are_counted(void **state)
{
    static const CK_GENERATOR_FUNCTION generators[] = {CKG_GENERATE_COUNTER, CKG_GENERATE_COUNTER_XOR};
    static const char *const second[] = {"0102030400000000"
                                         "00000001",
                                         "0102030405060708"
                                         "090a0b0d"};
    CK_MECHANISM mechanism = {CKM_AES_GCM, NULL, 0};
    CK_OBJECT_HANDLE key = accelerator_secret(s, CKK_AES, hex("feffe9928665731c6d6a8f9467308308"));

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(generators); i++) {
        CK_BYTE iv[12], tag[16], out[1], in[1] = {0};
        CK_ULONG size = sizeof(out);
        CK_GCM_MESSAGE_PARAMS params = {iv, sizeof(iv), 32, generators[i], tag, 128};

        assert_int_equal(p11->C_MessageEncryptInit(s, &mechanism, key), CKR_OK);
        for (unsigned n = 0; n < 2; n++) {
            memcpy(iv, hex("0102030405060708090a0b0c").data, sizeof(iv));
            assert_int_equal(p11->C_EncryptMessage(s, &params, sizeof(params), NULL, 0, in, 1, out, &size), CKR_OK);
        }
        assert_bytes((struct bytes){iv, sizeof(iv)}, second[i]);
        params.ulIvFixedBits = 64; /* another generator for the same key is refused */
        assert_int_equal(p11->C_EncryptMessage(s, &params, sizeof(params), NULL, 0, in, 1, out, &size),
                         CKR_MECHANISM_PARAM_INVALID);
        assert_int_equal(p11->C_MessageEncryptFinal(s), CKR_OK);
    }
}

/* With four free bits there are sixteen nonces, and no seventeenth. */
static void nonces_run_out(void **state)
{
    CK_MECHANISM mechanism = {CKM_AES_GCM, NULL, 0};
    CK_OBJECT_HANDLE key = accelerator_secret(s, CKK_AES, hex("feffe9928665731c6d6a8f9467308308"));
    CK_BYTE iv[12] = {0}, tag[16], out[1], in[1] = {0};
    CK_ULONG size = sizeof(out);
    CK_GCM_MESSAGE_PARAMS params = {iv, sizeof(iv), 92, CKG_GENERATE_COUNTER, tag, 128};

    (void)state;
    assert_int_equal(p11->C_MessageEncryptInit(s, &mechanism, key), CKR_OK);
    for (unsigned n = 0; n < 16; n++) {
        assert_int_equal(p11->C_EncryptMessage(s, &params, sizeof(params), NULL, 0, in, 1, out, &size), CKR_OK);
        assert_int_equal(iv[11], n);
    }
    assert_int_equal(p11->C_EncryptMessage(s, &params, sizeof(params), NULL, 0, in, 1, out, &size), CKR_DATA_LEN_RANGE);
    assert_int_equal(p11->C_MessageEncryptFinal(s), CKR_OK);
}

/* FIPS 197 appendix C.1 and C.3: a key wrapped is a block encrypted */
static void aes_wrap(void **state)
{
    static const char *const keys[] = {"000102030405060708090a0b0c0d0e0f",
                                       "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"};
    static const char *const wrapped[] = {"69c4e0d86a7b0430d8cdb78070b4c55a", "8ea2b7ca516745bfeafc49904b496089"};
    CK_MECHANISM mechanism = {CKM_AES_ECB, NULL, 0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        CK_OBJECT_HANDLE wrapping = accelerator_secret(s, CKK_AES, hex(keys[i])), made;
        CK_OBJECT_HANDLE secret = accelerator_secret(s, CKK_GENERIC_SECRET, hex("00112233445566778899aabbccddeeff"));
        CK_BYTE out[16], value[16];
        CK_ULONG size = sizeof(out);

        assert_int_equal(p11->C_WrapKey(s, &mechanism, wrapping, secret, out, &size), CKR_OK);
        assert_bytes((struct bytes){out, size}, wrapped[i]);
        assert_int_equal(p11->C_UnwrapKey(s, &mechanism, wrapping, out, size, NULL, 0, &made), CKR_OK);
        assert_bytes(accelerator_value(s, made, value, sizeof(value)), "00112233445566778899aabbccddeeff");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests),        cmocka_unit_test(hmacs),
        cmocka_unit_test(hkdf),           cmocka_unit_test(key_agreement),
        cmocka_unit_test(ecdsa_verify),   cmocka_unit_test(ecdsa_sign),
        cmocka_unit_test(aes_gcm),        cmocka_unit_test(chacha20_poly1305),
        cmocka_unit_test(aes_wrap),       cmocka_unit_test(nonces_are_counted),
        cmocka_unit_test(nonces_run_out),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
