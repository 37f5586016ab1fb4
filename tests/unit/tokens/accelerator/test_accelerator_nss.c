/* The accelerator beside NSS's own token, on random input: what one makes the other must make too, byte for byte, or
 * must accept. It is loaded into NSS as yett loads it, and spoken to with NSS's functions, so that this is also a test
 * of what NSS asks of a module. */
#include "base/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <keyhi.h>
#include <nss.h>
#include <pk11priv.h>
#include <pk11pub.h>
#include <secerr.h>
#include <secmod.h>
#include <string.h>

enum { ROUNDS = 20, SIZE_MAX_RANDOM = 300, OURS = 0, THEIRS = 1 };

static SECMODModule *module;
static PK11SlotInfo *slots[2];

static int set_up(void **state)
{
    static char parameters[] = "library=\"" TEST_ACCELERATOR "\" name=\"accelerator\"";

    (void)state;
    assert_int_equal(NSS_NoDB_Init(NULL), SECSuccess);
    module = SECMOD_LoadUserModule(parameters, NULL, PR_FALSE);
    assert_non_null(module);
    assert_true(module->loaded);
    slots[OURS] = PK11_ReferenceSlot(module->slots[0]);
    slots[THEIRS] = PK11_GetInternalSlot();
    return 0;
}

/* NSS_Shutdown() fails while any reference into it is left. */
static int tear_down(void **state)
{
    (void)state;
    PK11_FreeSlot(slots[OURS]);
    PK11_FreeSlot(slots[THEIRS]);
    SECMOD_DestroyModule(module);
    assert_int_equal(NSS_Shutdown(), SECSuccess);
    return 0;
}

static void random_bytes(void *out, size_t size)
{
    assert_int_equal(PK11_GenerateRandom(out, (int)size), SECSuccess);
}

static unsigned random_below(unsigned limit)
{
    uint32_t number;

    random_bytes(&number, sizeof(number));
    return number % limit;
}

static PK11SymKey *import(int which, CK_MECHANISM_TYPE type, CK_ATTRIBUTE_TYPE use, void *data, unsigned size)
{
    SECItem item = {siBuffer, data, size};
    PK11SymKey *key = PK11_ImportSymKey(slots[which], type, PK11_OriginUnwrap, use, &item, NULL);

    assert_non_null(key);
    assert_ptr_equal(PK11_GetSlotFromKey(key), slots[which]);
    PK11_FreeSlot(slots[which]);
    return key;
}

/* Both have the same value, and each is where it was made; frees them. */
static void assert_same(PK11SymKey *keys[2])
{
    SECItem *data[2];

    for (int i = 0; i < 2; i++) {
        PK11SlotInfo *slot;

        assert_non_null(keys[i]);
        slot = PK11_GetSlotFromKey(keys[i]);
        assert_ptr_equal(slot, slots[i]);
        PK11_FreeSlot(slot);
        assert_int_equal(PK11_ExtractKeyValue(keys[i]), SECSuccess);
        data[i] = PK11_GetKeyData(keys[i]);
    }
    assert_int_equal(data[OURS]->len, data[THEIRS]->len);
    assert_memory_equal(data[OURS]->data, data[THEIRS]->data, data[OURS]->len);
    PK11_FreeSymKey(keys[OURS]);
    PK11_FreeSymKey(keys[THEIRS]);
}

static const SECOidTag curves[] = {SEC_OID_CURVE25519, SEC_OID_SECG_EC_SECP256R1, SEC_OID_SECG_EC_SECP384R1,
                                   SEC_OID_SECG_EC_SECP521R1};

static SECKEYPrivateKey *generate_ec(int which, SECOidTag curve, SECKEYPublicKey **public_key, PK11AttrFlags flags)
{
    SECOidData *oid = SECOID_FindOIDByTag(curve);
    uint8_t encoded[32] = {SEC_ASN1_OBJECT_ID, (uint8_t)oid->oid.len};
    SECKEYECParams params = {siBuffer, encoded, oid->oid.len + 2};
    SECKEYPrivateKey *key;

    memcpy(encoded + 2, oid->oid.data, oid->oid.len);
    key = PK11_GenerateKeyPairWithOpFlags(slots[which], CKM_EC_KEY_PAIR_GEN, &params, public_key, flags,
                                          CKF_DERIVE | CKF_SIGN, CKF_DERIVE | CKF_SIGN, NULL);
    assert_non_null(key);
    return key;
}

static void key_agreement(void **state)
{
    static const PK11AttrFlags flags = PK11_ATTR_SESSION | PK11_ATTR_INSENSITIVE | PK11_ATTR_PUBLIC;

    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(curves); c++)
        for (int round = 0; round < ROUNDS; round++) {
            unsigned size = round % 2 == 0 ? 0 : 16; /* whole, and cut */
            SECKEYPrivateKey *keys[2];
            SECKEYPublicKey *points[2];
            PK11SymKey *secrets[2];

            for (int i = 0; i < 2; i++)
                keys[i] = generate_ec(i, curves[c], &points[i], flags);
            for (int i = 0; i < 2; i++)
                secrets[i] = PK11_PubDeriveWithKDF(keys[i], points[1 - i], PR_FALSE, NULL, NULL, CKM_ECDH1_DERIVE,
                                                   CKM_HKDF_DERIVE, CKA_DERIVE, (int)size, CKD_NULL, NULL, NULL);
            assert_same(secrets);
            for (int i = 0; i < 2; i++) {
                SECKEY_DestroyPrivateKey(keys[i]);
                SECKEY_DestroyPublicKey(points[i]);
            }
        }
}

static const struct {
    CK_MECHANISM_TYPE hash, hmac;
    unsigned size;
} hashes[] = {{CKM_SHA256, CKM_SHA256_HMAC, 32}, {CKM_SHA384, CKM_SHA384_HMAC, 48}, {CKM_SHA512, CKM_SHA512_HMAC, 64}};

static void hkdf(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS * 3; round++) {
        uint8_t ikm[SIZE_MAX_RANDOM], salt[SIZE_MAX_RANDOM], info[SIZE_MAX_RANDOM];
        unsigned ikm_size = 1 + random_below(sizeof(ikm)), salt_size = random_below(sizeof(salt));
        CK_BBOOL extracts = round % 3 != 1, expands = round % 3 != 0;
        unsigned hash = random_below(ARRAY_LEN(hashes)), size = expands ? 1 + random_below(200) : 0;
        PK11SymKey *bases[2], *salts[2], *made[2];

        random_bytes(ikm, sizeof(ikm));
        random_bytes(salt, sizeof(salt));
        random_bytes(info, sizeof(info));
        for (int i = 0; i < 2; i++) {
            CK_HKDF_PARAMS params = {.bExtract = extracts,
                                     .bExpand = expands,
                                     .prfHashMechanism = hashes[hash].hash,
                                     .ulSaltType = salt_size == 0   ? CKF_HKDF_SALT_NULL
                                                   : round % 2 == 0 ? CKF_HKDF_SALT_DATA
                                                                    : CKF_HKDF_SALT_KEY,
                                     .pSalt = salt,
                                     .ulSaltLen = salt_size,
                                     .pInfo = info,
                                     .ulInfoLen = (CK_ULONG)round};
            SECItem item = {siBuffer, (void *)&params, sizeof(params)};

            bases[i] = import(i, CKM_HKDF_DERIVE, CKA_DERIVE, ikm, ikm_size);
            salts[i] = salt_size == 0 ? NULL : import(i, CKM_HKDF_DERIVE, CKA_DERIVE, salt, salt_size);
            if (salts[i] != NULL)
                params.hSaltKey = PK11_GetSymKeyHandle(salts[i]);
            made[i] = PK11_Derive(bases[i], round % 5 == 0 ? CKM_HKDF_DATA : CKM_HKDF_DERIVE, &item, CKM_HKDF_DERIVE,
                                  CKA_DERIVE, (int)size);
            PK11_FreeSymKey(bases[i]);
            if (salts[i] != NULL)
                PK11_FreeSymKey(salts[i]);
        }
        assert_same(made);
    }
}

static void hmac(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t key[SIZE_MAX_RANDOM], data[SIZE_MAX_RANDOM], macs[2][64];
        unsigned size = 1 + random_below(sizeof(key)), cut = random_below(sizeof(data)), length;
        unsigned hash = random_below(ARRAY_LEN(hashes));
        SECItem none = {siBuffer, NULL, 0};

        random_bytes(key, sizeof(key));
        random_bytes(data, sizeof(data));
        for (int i = 0; i < 2; i++) {
            PK11SymKey *imported = import(i, hashes[hash].hmac, CKA_SIGN, key, size);
            PK11Context *context = PK11_CreateContextBySymKey(hashes[hash].hmac, CKA_SIGN, imported, &none);

            assert_non_null(context);
            assert_int_equal(PK11_DigestBegin(context), SECSuccess);
            assert_int_equal(PK11_DigestOp(context, data, cut), SECSuccess);
            assert_int_equal(PK11_DigestOp(context, data + cut, sizeof(data) - cut), SECSuccess);
            assert_int_equal(PK11_DigestFinal(context, macs[i], &length, sizeof(macs[i])), SECSuccess);
            assert_int_equal(length, hashes[hash].size);
            PK11_DestroyContext(context, PR_TRUE);
            PK11_FreeSymKey(imported);
        }
        assert_memory_equal(macs[OURS], macs[THEIRS], hashes[hash].size);
    }
}

struct sealed {
    uint8_t text[SIZE_MAX_RANDOM], tag[16], nonce[12];
    int size;
};

/* Messages with nonces that are counted, sealed by both and opened by the other. */
static void check_aead(CK_MECHANISM_TYPE type, unsigned key_size, CK_GENERATOR_FUNCTION generator, int fixed_bits)
{
    uint8_t key[32], plain[SIZE_MAX_RANDOM], additional[13], nonce[12], opened[SIZE_MAX_RANDOM];
    PK11Context *seal[2], *open[2];
    PK11SymKey *keys[2];
    SECItem none = {siBuffer, NULL, 0};

    random_bytes(key, sizeof(key));
    random_bytes(nonce, sizeof(nonce));
    for (int i = 0; i < 2; i++) {
        keys[i] = import(i, type, CKA_ENCRYPT, key, key_size);
        seal[i] = PK11_CreateContextBySymKey(type, CKA_NSS_MESSAGE | CKA_ENCRYPT, keys[i], &none);
        open[i] = PK11_CreateContextBySymKey(type, CKA_NSS_MESSAGE | CKA_DECRYPT, keys[i], &none);
        assert_non_null(seal[i]);
        assert_non_null(open[i]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        int size = (int)random_below(sizeof(plain)), opened_size;
        struct sealed sealed[2];

        random_bytes(plain, sizeof(plain));
        random_bytes(additional, sizeof(additional));
        for (int i = 0; i < 2; i++) {
            memcpy(sealed[i].nonce, nonce, sizeof(nonce));
            assert_int_equal(PK11_AEADOp(seal[i], generator, fixed_bits, sealed[i].nonce, sizeof(nonce), additional,
                                         sizeof(additional), sealed[i].text, &sealed[i].size, sizeof(sealed[i].text),
                                         sealed[i].tag, sizeof(sealed[i].tag), plain, size),
                             SECSuccess);
            assert_int_equal(sealed[i].size, size);
        }
        assert_memory_equal(sealed[OURS].nonce, sealed[THEIRS].nonce, sizeof(nonce));
        assert_memory_equal(sealed[OURS].text, sealed[THEIRS].text, (size_t)size);
        assert_memory_equal(sealed[OURS].tag, sealed[THEIRS].tag, 16);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(PK11_AEADOp(open[i], CKG_NO_GENERATE, 0, sealed[i].nonce, sizeof(nonce), additional,
                                         sizeof(additional), opened, &opened_size, sizeof(opened), sealed[i].tag, 16,
                                         sealed[i].text, size),
                             SECSuccess);
            assert_memory_equal(opened, plain, (size_t)size);
            sealed[i].tag[round % 16] ^= 4;
            assert_int_equal(PK11_AEADOp(open[i], CKG_NO_GENERATE, 0, sealed[i].nonce, sizeof(nonce), additional,
                                         sizeof(additional), opened, &opened_size, sizeof(opened), sealed[i].tag, 16,
                                         sealed[i].text, size),
                             SECFailure);
        }
    }
    for (int i = 0; i < 2; i++) {
        PK11_DestroyContext(seal[i], PR_TRUE);
        PK11_DestroyContext(open[i], PR_TRUE);
        PK11_FreeSymKey(keys[i]);
    }
}

static void aead(void **state)
{
    (void)state;
    check_aead(CKM_AES_GCM, 16, CKG_GENERATE_COUNTER_XOR, 32);
    check_aead(CKM_AES_GCM, 32, CKG_GENERATE_COUNTER_XOR, 0);
    check_aead(CKM_AES_GCM, 16, CKG_GENERATE_COUNTER, 32);
    check_aead(CKM_AES_GCM, 32, CKG_GENERATE_COUNTER, 40); /* NSS takes whole bytes only */
    check_aead(CKM_CHACHA20_POLY1305, 32, CKG_GENERATE_COUNTER_XOR, 0);
}

/* The key in our slot that is `key` in theirs: as yett will move keys of files. */
static SECKEYPrivateKey *move_key(SECKEYPrivateKey *key, SECKEYPublicKey *public_key)
{
    SECItem *der = PK11_ExportDERPrivateKeyInfo(key, NULL);
    SECItem id =
        SECKEY_GetPublicKeyType(public_key) == ecKey ? public_key->u.ec.publicValue : public_key->u.rsa.modulus;
    SECKEYPrivateKey *moved = NULL;

    assert_non_null(der);
    assert_int_equal(
        PK11_ImportDERPrivateKeyInfoAndReturnKey(slots[OURS], der, NULL, &id, PR_FALSE, PR_TRUE, KU_ALL, &moved, NULL),
        SECSuccess);
    assert_ptr_equal(moved->pkcs11Slot, slots[OURS]);
    SECITEM_ZfreeItem(der, PR_TRUE);
    return moved;
}

static SECStatus verify(int which, SECKEYPublicKey *key, CK_MECHANISM_TYPE type, const SECItem *params,
                        const SECItem *signature, const SECItem *digest)
{
    SECKEYPublicKey *copy = SECKEY_CopyPublicKey(key);
    SECStatus rv;

    assert_int_not_equal(PK11_ImportPublicKey(slots[which], copy, PR_FALSE), CK_INVALID_HANDLE);
    rv = PK11_VerifyWithMechanism(copy, type, params, signature, digest, NULL);
    SECKEY_DestroyPublicKey(copy);
    return rv;
}

/* Each signs, both check; and neither takes another digest. */
static void check_signatures(SECKEYPrivateKey *theirs, SECKEYPublicKey *public_key, CK_MECHANISM_TYPE type,
                             const SECItem *params, unsigned digest_size)
{
    SECKEYPrivateKey *ours = move_key(theirs, public_key), *copy = SECKEY_CopyPrivateKey(ours);
    SECKEYPrivateKey *signing[] = {ours, theirs, copy};
    uint8_t digest_bytes[64], signature_bytes[1024];

    assert_non_null(copy);
    for (size_t i = 0; i < ARRAY_LEN(signing); i++) {
        SECItem digest = {siBuffer, digest_bytes, digest_size};
        SECItem signature = {siBuffer, signature_bytes, (unsigned)PK11_SignatureLen(signing[i])};

        random_bytes(digest_bytes, sizeof(digest_bytes));
        assert_int_equal(signature.len, PK11_SignatureLen(theirs));
        assert_int_equal(PK11_SignWithMechanism(signing[i], type, params, &signature, &digest), SECSuccess);
        for (int which = 0; which < 2; which++) {
            assert_int_equal(verify(which, public_key, type, params, &signature, &digest), SECSuccess);
            digest_bytes[0] ^= 1;
            assert_int_equal(verify(which, public_key, type, params, &signature, &digest), SECFailure);
            digest_bytes[0] ^= 1;
        }
    }
    SECKEY_DestroyPrivateKey(copy);
    SECKEY_DestroyPrivateKey(ours);
}

static void ecdsa(void **state)
{
    static const unsigned digests[] = {32, 48, 64};

    (void)state;
    for (size_t c = 1; c < ARRAY_LEN(curves); c++)
        for (size_t d = 0; d < ARRAY_LEN(digests); d++) {
            SECKEYPublicKey *public_key;
            SECKEYPrivateKey *key =
                generate_ec(THEIRS, curves[c], &public_key,
                            PK11_ATTR_SESSION | PK11_ATTR_INSENSITIVE | PK11_ATTR_PUBLIC | PK11_ATTR_EXTRACTABLE);

            check_signatures(key, public_key, CKM_ECDSA, NULL, digests[d]);
            SECKEY_DestroyPrivateKey(key);
            SECKEY_DestroyPublicKey(public_key);
        }
}

static SECKEYPrivateKey *generate_rsa(int bits, SECKEYPublicKey **public_key)
{
    PK11RSAGenParams params = {.keySizeInBits = bits, .pe = 65537};
    SECKEYPrivateKey *key = PK11_GenerateKeyPairWithFlags(
        slots[THEIRS], CKM_RSA_PKCS_KEY_PAIR_GEN, &params, public_key,
        PK11_ATTR_SESSION | PK11_ATTR_INSENSITIVE | PK11_ATTR_PUBLIC | PK11_ATTR_EXTRACTABLE, NULL);

    assert_non_null(key);
    return key;
}

static void rsa(void **state)
{
    static const struct {
        CK_RSA_PKCS_PSS_PARAMS params;
        unsigned size;
    } pss[] = {
        {{CKM_SHA256, CKG_MGF1_SHA256, 32}, 32},
        {{CKM_SHA384, CKG_MGF1_SHA384, 48}, 48},
        {{CKM_SHA512, CKG_MGF1_SHA512, 64}, 64},
        {{CKM_SHA256, CKG_MGF1_SHA384, 7}, 32},
    };
    static const int bits[] = {1024, 2048, 3072};

    (void)state;
    for (size_t b = 0; b < ARRAY_LEN(bits); b++) {
        SECKEYPublicKey *public_key;
        SECKEYPrivateKey *key = generate_rsa(bits[b], &public_key);

        check_signatures(key, public_key, CKM_RSA_PKCS, NULL, 51);
        for (size_t i = 0; i < ARRAY_LEN(pss); i++) {
            CK_RSA_PKCS_PSS_PARAMS params = pss[i].params;
            SECItem item = {siBuffer, (void *)&params, sizeof(params)};

            if (bits[b] > 1024 || pss[i].size < 64) /* SHA-512 with a salt of 64 does not fit into 1,024 bits */
                check_signatures(key, public_key, CKM_RSA_PKCS_PSS, &item, pss[i].size);
        }
        SECKEY_DestroyPrivateKey(key);
        SECKEY_DestroyPublicKey(public_key);
    }
}

/* What libssl makes of a premaster secret, by both. */
struct tls12 {
    PK11SymKey *master, *client, *server, *client_mac;
    uint8_t ivs[2][16], finished[12];
};

static void compute_tls12(int which, void *premaster, CK_SSL3_RANDOM_DATA *randoms, bool extended, CK_ULONG mac_bits,
                          struct tls12 *out)
{
    CK_TLS12_MASTER_KEY_DERIVE_PARAMS plain = {*randoms, NULL, CKM_SHA256};
    CK_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_PARAMS hashed = {CKM_SHA256, randoms->pClientRandom, 32, NULL};
    SECItem item = {siBuffer, extended ? (void *)&hashed : (void *)&plain, extended ? sizeof(hashed) : sizeof(plain)};
    CK_SSL3_KEY_MAT_OUT material = {.pIVClient = out->ivs[0], .pIVServer = out->ivs[1]};
    CK_TLS12_KEY_MAT_PARAMS keys = {.ulMacSizeInBits = mac_bits,
                                    .ulKeySizeInBits = 128,
                                    .ulIVSizeInBits = 32,
                                    .RandomInfo = *randoms,
                                    .pReturnedKeyMaterial = &material,
                                    .prfHashMechanism = CKM_SHA256};
    SECItem keys_item = {siBuffer, (void *)&keys, sizeof(keys)};
    CK_TLS_MAC_PARAMS mac = {CKM_SHA256, 12, 1};
    SECItem mac_item = {siBuffer, (void *)&mac, sizeof(mac)};
    PK11SymKey *secret = import(which, CKM_TLS12_MASTER_KEY_DERIVE_DH, CKA_DERIVE, premaster, 48), *block;
    PK11Context *context;
    unsigned length;

    out->master = PK11_DeriveWithFlags(
        secret, extended ? CKM_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_DH : CKM_TLS12_MASTER_KEY_DERIVE_DH, &item,
        CKM_TLS12_KEY_AND_MAC_DERIVE, CKA_DERIVE, 0, CKF_SIGN | CKF_VERIFY);
    assert_non_null(out->master);
    block = PK11_Derive(out->master, CKM_TLS12_KEY_AND_MAC_DERIVE, &keys_item, CKM_AES_GCM, CKA_ENCRYPT, 16);
    assert_non_null(block);
    out->client =
        PK11_SymKeyFromHandle(slots[which], block, PK11_OriginDerive, CKM_AES_GCM, material.hClientKey, PR_TRUE, NULL);
    out->server =
        PK11_SymKeyFromHandle(slots[which], block, PK11_OriginDerive, CKM_AES_GCM, material.hServerKey, PR_TRUE, NULL);
    out->client_mac = PK11_SymKeyFromHandle(slots[which], block, PK11_OriginDerive, CKM_SHA256_HMAC,
                                            material.hClientMacSecret, PR_TRUE, NULL);
    assert_int_not_equal(material.hServerMacSecret, CK_INVALID_HANDLE);
    context = PK11_CreateContextBySymKey(CKM_TLS_MAC, CKA_SIGN, out->master, &mac_item);
    assert_non_null(context);
    assert_int_equal(PK11_DigestBegin(context), SECSuccess);
    assert_int_equal(PK11_DigestOp(context, randoms->pServerRandom, 32), SECSuccess);
    assert_int_equal(PK11_DigestFinal(context, out->finished, &length, sizeof(out->finished)), SECSuccess);
    assert_int_equal(length, sizeof(out->finished));
    PK11_DestroyContext(context, PR_TRUE);
    PK11_FreeSymKey(block);
    PK11_FreeSymKey(secret);
}

static void tls12(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t premaster[48], client[32], server[32];
        CK_SSL3_RANDOM_DATA randoms = {client, sizeof(client), server, sizeof(server)};
        struct tls12 made[2] = {{0}};
        CK_ULONG mac_bits =
            round % 3 == 0 ? 0 : 256; /* an AEAD has no MAC, and libssl wants keys for it all the same */

        random_bytes(premaster, sizeof(premaster));
        random_bytes(client, sizeof(client));
        random_bytes(server, sizeof(server));
        for (int i = 0; i < 2; i++)
            compute_tls12(i, premaster, &randoms, round % 2 == 0, mac_bits, &made[i]);
        assert_memory_equal(made[OURS].finished, made[THEIRS].finished, sizeof(made[OURS].finished));
        assert_memory_equal(made[OURS].ivs, made[THEIRS].ivs, sizeof(made[OURS].ivs));
        assert_same((PK11SymKey *[]){made[OURS].client, made[THEIRS].client});
        assert_same((PK11SymKey *[]){made[OURS].server, made[THEIRS].server});
        if (mac_bits != 0)
            assert_same((PK11SymKey *[]){made[OURS].client_mac, made[THEIRS].client_mac});
        for (int i = 0; mac_bits == 0 && i < 2; i++) {
            assert_non_null(made[i].client_mac);
            PK11_FreeSymKey(made[i].client_mac);
        }
        assert_same((PK11SymKey *[]){made[OURS].master, made[THEIRS].master});
    }
}

/* What one wraps the other unwraps: sizes that fill their last block, and that do not. */
static void wrapping(void **state)
{
    (void)state;
    for (unsigned size = 1; size < 70; size++) {
        uint8_t wrapping_bytes[32], secret_bytes[70], wrapped[128];

        random_bytes(wrapping_bytes, sizeof(wrapping_bytes));
        random_bytes(secret_bytes, sizeof(secret_bytes));
        for (int from = 0; from < 2; from++) {
            SECItem item = {siBuffer, wrapped, sizeof(wrapped)};
            PK11SymKey *wrapping_keys[2], *secret = import(from, CKM_SHA256_HMAC, CKA_SIGN, secret_bytes, size);
            PK11SymKey *back[2];

            for (int i = 0; i < 2; i++)
                wrapping_keys[i] = import(i, CKM_AES_ECB, i == from ? CKA_WRAP : CKA_UNWRAP, wrapping_bytes, 32);
            assert_int_equal(PK11_WrapSymKey(CKM_AES_ECB, NULL, wrapping_keys[from], secret, &item), SECSuccess);
            back[1 - from] = PK11_UnwrapSymKey(wrapping_keys[1 - from], CKM_AES_ECB, NULL, &item, CKM_SHA256_HMAC,
                                               CKA_SIGN, (int)size);
            back[from] = secret;
            assert_same(back);
            PK11_FreeSymKey(wrapping_keys[0]);
            PK11_FreeSymKey(wrapping_keys[1]);
        }
    }
}

/* A wrapping key for other processes: made in our slot, wrapped there with a server's public key. */
static void wrapping_with_rsa(void **state)
{
    uint8_t wrapped[256];
    SECItem item = {siBuffer, wrapped, sizeof(wrapped)};
    SECKEYPublicKey *public_key;
    SECKEYPrivateKey *key = generate_rsa(2048, &public_key);
    PK11SymKey *secrets[2];

    (void)state;
    secrets[OURS] = PK11_KeyGen(slots[OURS], CKM_AES_ECB, NULL, PK11_GetBestKeyLength(slots[OURS], CKM_AES_ECB), NULL);
    assert_non_null(secrets[OURS]);
    assert_int_equal(PK11_GetKeyLength(secrets[OURS]), 32);
    assert_int_equal(PK11_PubWrapSymKey(CKM_RSA_PKCS, public_key, secrets[OURS], &item), SECSuccess);
    secrets[THEIRS] = PK11_PubUnwrapSymKey(key, &item, CKM_AES_ECB, CKA_WRAP, 0);
    assert_same(secrets);
    SECKEY_DestroyPrivateKey(key);
    SECKEY_DestroyPublicKey(public_key);
}

/* The transcript of a handshake: hashed up to here again and again. NSS takes our slot for digests now. */
static void transcripts(void **state)
{
    static const SECOidTag tags[] = {SEC_OID_SHA256, SEC_OID_SHA384, SEC_OID_SHA512};
    enum { PIECES = 12 };
    uint8_t data[PIECES][SIZE_MAX_RANDOM], want[ARRAY_LEN(tags)][PIECES][64], got[64];
    unsigned sizes[PIECES], length;

    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        for (size_t i = 0; ours == 0 && i < PIECES; i++) {
            sizes[i] = random_below(SIZE_MAX_RANDOM);
            random_bytes(data[i], sizes[i]);
        }
        for (size_t t = 0; t < ARRAY_LEN(tags); t++) {
            PK11Context *running = PK11_CreateDigestContext(tags[t]);

            assert_int_equal(PK11_DigestBegin(running), SECSuccess);
            for (size_t i = 0; i < PIECES; i++) {
                PK11Context *clone;

                assert_int_equal(PK11_DigestOp(running, data[i], sizes[i]), SECSuccess);
                clone = PK11_CloneContext(running);
                assert_non_null(clone);
                assert_int_equal(PK11_DigestFinal(clone, ours ? got : want[t][i], &length, 64), SECSuccess);
                if (ours)
                    assert_memory_equal(got, want[t][i], length);
                PK11_DestroyContext(clone, PR_TRUE);
            }
            PK11_DestroyContext(running, PR_TRUE);
        }
        if (ours == 0)
            for (int i = 0; i < 2; i++) {
                int count;
                const PK11DefaultArrayEntry *entries = PK11_GetDefaultArray(&count);

                for (int e = 0; e < count; e++)
                    if (entries[e].mechanism == (i == 0 ? CKM_SHA256 : CKM_SHA512))
                        assert_int_equal(PK11_UpdateSlotAttribute(slots[OURS], &entries[e], PR_TRUE), SECSuccess);
            }
    }
    {
        PK11SlotInfo *best = PK11_GetBestSlot(CKM_SHA384, NULL);

        assert_ptr_equal(best, slots[OURS]); /* or nothing was tested */
        PK11_FreeSlot(best);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_agreement), cmocka_unit_test(hkdf),     cmocka_unit_test(hmac),
        cmocka_unit_test(aead),          cmocka_unit_test(ecdsa),    cmocka_unit_test(rsa),
        cmocka_unit_test(tls12),         cmocka_unit_test(wrapping), cmocka_unit_test(wrapping_with_rsa),
        cmocka_unit_test(transcripts),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
