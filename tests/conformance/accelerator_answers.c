/* The accelerator as a program: a question on each line of standard input, an answer on each line of standard output,
 * "ok" and bytes in hexadecimal, or the number of the error. wycheproof.py asks; words are separated by blanks, "-" is
 * no bytes:
 *
 *     hmac HASH KEY DATA                                ecdh PARAMS PRIVATE POINT
 *     hkdf HASH KEY SALT INFO SIZE                      ecdsa PARAMS POINT DIGEST SIGNATURE
 *     seal CIPHER KEY NONCE ADDITIONAL PLAIN            pkcs1 MODULUS EXPONENT DATA SIGNATURE
 *     open CIPHER KEY NONCE ADDITIONAL TEXT TAG         pss HASH SALT-SIZE MODULUS EXPONENT DIGEST SIGNATURE
 *
 * HASH is 256, 384 or 512; CIPHER is gcm or chacha. */
#include "accelerator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 8 };

static const CK_FUNCTION_LIST_3_0 *p11;
static CK_SESSION_HANDLE s;

static struct bytes parse(const char *word)
{
    return strcmp(word, "-") == 0 ? (struct bytes){NULL, 0} : hex(word);
}

static CK_MECHANISM_TYPE hash_of(const char *word, CK_MECHANISM_TYPE a, CK_MECHANISM_TYPE b, CK_MECHANISM_TYPE c)
{
    return strcmp(word, "256") == 0 ? a : strcmp(word, "384") == 0 ? b : c;
}

static CK_RV make_secret(CK_KEY_TYPE type, struct bytes value, CK_OBJECT_HANDLE *key)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)}, {CKA_VALUE, value.data, value.size}};

    return p11->C_CreateObject(s, template, ARRAY_LEN(template), key);
}

static CK_RV make_rsa(struct bytes modulus, struct bytes exponent, CK_OBJECT_HANDLE *key)
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_KEY_TYPE type = CKK_RSA;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)},
                               {CKA_KEY_TYPE, &type, sizeof(type)},
                               {CKA_MODULUS, modulus.data, modulus.size},
                               {CKA_PUBLIC_EXPONENT, exponent.data, exponent.size}};

    return p11->C_CreateObject(s, template, ARRAY_LEN(template), key);
}

static CK_RV give_value(CK_OBJECT_HANDLE key, struct bytes *out)
{
    CK_ATTRIBUTE value = {CKA_VALUE, out->data, out->size};
    CK_RV rv = p11->C_GetAttributeValue(s, key, &value, 1);

    out->size = value.ulValueLen;
    return rv;
}

static CK_RV hmac(char **w, struct bytes *out)
{
    CK_MECHANISM mechanism = {hash_of(w[1], CKM_SHA256_HMAC, CKM_SHA384_HMAC, CKM_SHA512_HMAC), NULL, 0};
    struct bytes data = parse(w[3]);
    CK_OBJECT_HANDLE key;
    CK_RV rv = make_secret(CKK_GENERIC_SECRET, parse(w[2]), &key);

    if (rv == CKR_OK)
        rv = p11->C_SignInit(s, &mechanism, key);
    return rv != CKR_OK ? rv : p11->C_Sign(s, data.data, data.size, out->data, &out->size);
}

static CK_RV hkdf(char **w, struct bytes *out)
{
    struct bytes salt = parse(w[3]), info = parse(w[4]);
    CK_HKDF_PARAMS params = {.bExtract = CK_TRUE,
                             .bExpand = CK_TRUE,
                             .prfHashMechanism = hash_of(w[1], CKM_SHA256, CKM_SHA384, CKM_SHA512),
                             .ulSaltType = salt.size == 0 ? CKF_HKDF_SALT_NULL : CKF_HKDF_SALT_DATA,
                             .pSalt = salt.data,
                             .ulSaltLen = salt.size,
                             .pInfo = info.data,
                             .ulInfoLen = info.size};
    CK_MECHANISM mechanism = {CKM_HKDF_DERIVE, &params, sizeof(params)};
    CK_ULONG size = strtoul(w[5], NULL, 10);
    CK_ATTRIBUTE template = {CKA_VALUE_LEN, &size, sizeof(size)};
    CK_OBJECT_HANDLE key, made;
    CK_RV rv = make_secret(CKK_HKDF, parse(w[2]), &key);

    if (rv == CKR_OK)
        rv = p11->C_DeriveKey(s, &mechanism, key, &template, 1, &made);
    return rv != CKR_OK ? rv : give_value(made, out);
}

/* The tag, when sealing, follows the text. */
static CK_RV aead(char **w, struct bytes *out)
{
    bool seals = strcmp(w[0], "seal") == 0, is_gcm = strcmp(w[1], "gcm") == 0;
    struct bytes nonce = parse(w[3]), additional = parse(w[4]), in = parse(w[5]), tag = parse(seals ? "-" : w[6]);
    CK_BYTE tag_bytes[16] = {0}, none[1];
    CK_GCM_MESSAGE_PARAMS gcm = {.pIv = nonce.data, .ulIvLen = nonce.size, .pTag = tag_bytes, .ulTagBits = 128};
    CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS chacha = {nonce.data, nonce.size, tag_bytes};
    CK_MECHANISM mechanism = {is_gcm ? CKM_AES_GCM : CKM_CHACHA20_POLY1305, NULL, 0};
    void *params = is_gcm ? (void *)&gcm : (void *)&chacha;
    CK_ULONG params_size = is_gcm ? sizeof(gcm) : sizeof(chacha);
    CK_OBJECT_HANDLE key;
    CK_RV rv = make_secret(is_gcm ? CKK_AES : CKK_CHACHA20, parse(w[2]), &key);

    if (tag.size > sizeof(tag_bytes))
        return CKR_ARGUMENTS_BAD;
    if (tag.size != 0)
        memcpy(tag_bytes, tag.data, tag.size);
    if (rv == CKR_OK)
        rv = (seals ? p11->C_MessageEncryptInit : p11->C_MessageDecryptInit)(s, &mechanism, key);
    if (rv != CKR_OK)
        return rv;
    rv = (seals ? p11->C_EncryptMessage : p11->C_DecryptMessage)(s, params, params_size, additional.data,
                                                                 additional.size, in.data == NULL ? none : in.data,
                                                                 in.size, out->data, &out->size);
    if (rv == CKR_OK && seals) {
        memcpy(out->data + out->size, tag_bytes, sizeof(tag_bytes));
        out->size += sizeof(tag_bytes);
    }
    return rv;
}

static CK_RV ecdh(char **w, struct bytes *out)
{
    struct bytes point = parse(w[3]);
    CK_ECDH1_DERIVE_PARAMS params = {.kdf = CKD_NULL, .pPublicData = point.data, .ulPublicDataLen = point.size};
    CK_MECHANISM mechanism = {CKM_ECDH1_DERIVE, &params, sizeof(params)};
    CK_OBJECT_HANDLE key, made;
    CK_RV rv = accelerator_ec(s, CKO_PRIVATE_KEY, parse(w[1]), parse(w[2]), &key);

    if (rv == CKR_OK)
        rv = p11->C_DeriveKey(s, &mechanism, key, NULL, 0, &made);
    return rv != CKR_OK ? rv : give_value(made, out);
}

static CK_RV verify(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, struct bytes data, struct bytes signature,
                    struct bytes *out)
{
    CK_RV rv = p11->C_VerifyInit(s, mechanism, key);

    out->size = 0;
    return rv != CKR_OK ? rv : p11->C_Verify(s, data.data, data.size, signature.data, signature.size);
}

static CK_RV ecdsa(char **w, struct bytes *out)
{
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_OBJECT_HANDLE key;
    CK_RV rv = accelerator_ec(s, CKO_PUBLIC_KEY, parse(w[1]), parse(w[2]), &key);

    return rv != CKR_OK ? rv : verify(&mechanism, key, parse(w[3]), parse(w[4]), out);
}

static CK_RV pkcs1(char **w, struct bytes *out)
{
    CK_MECHANISM mechanism = {CKM_RSA_PKCS, NULL, 0};
    CK_OBJECT_HANDLE key;
    CK_RV rv = make_rsa(parse(w[1]), parse(w[2]), &key);

    return rv != CKR_OK ? rv : verify(&mechanism, key, parse(w[3]), parse(w[4]), out);
}

static CK_RV pss(char **w, struct bytes *out)
{
    CK_RSA_PKCS_PSS_PARAMS params = {hash_of(w[1], CKM_SHA256, CKM_SHA384, CKM_SHA512),
                                     hash_of(w[1], CKG_MGF1_SHA256, CKG_MGF1_SHA384, CKG_MGF1_SHA512),
                                     strtoul(w[2], NULL, 10)};
    CK_MECHANISM mechanism = {CKM_RSA_PKCS_PSS, &params, sizeof(params)};
    CK_OBJECT_HANDLE key;
    CK_RV rv = make_rsa(parse(w[3]), parse(w[4]), &key);

    return rv != CKR_OK ? rv : verify(&mechanism, key, parse(w[5]), parse(w[6]), out);
}

static const struct {
    const char *name;
    int words;
    CK_RV (*answer)(char **w, struct bytes *out);
} questions[] = {{"hmac", 4, hmac}, {"hkdf", 6, hkdf},   {"seal", 6, aead},   {"open", 7, aead},
                 {"ecdh", 4, ecdh}, {"ecdsa", 5, ecdsa}, {"pkcs1", 5, pkcs1}, {"pss", 7, pss}};

static void answer(char **words, int count)
{
    static CK_BYTE buffer[65536];
    struct bytes out = {buffer, sizeof(buffer) - 16};

    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        if (strcmp(questions[i].name, words[0]) == 0 && questions[i].words == count) {
            CK_RV rv;

            s = accelerator_open(); /* whose closing takes all keys with it */
            rv = questions[i].answer(words, &out);
            (void)p11->C_CloseSession(s);
            if (rv != CKR_OK) {
                printf("0x%lx\n", rv);
                return;
            }
            printf("ok ");
            for (CK_ULONG b = 0; b < out.size; b++)
                printf("%02x", buffer[b]);
            putchar('\n');
            return;
        }
    base_abort("there is no question %s of %d words", words[0], count);
}

int main(void)
{
    char *line = NULL, *words[WORDS_MAX], *rest;
    size_t room = 0;

    p11 = accelerator_load();
    while (getline(&line, &room, stdin) > 0) {
        int count = 0;

        for (char *word = strtok_r(line, " \n", &rest); word != NULL && count < WORDS_MAX;
             word = strtok_r(NULL, " \n", &rest))
            words[count++] = word;
        if (count > 0)
            answer(words, count);
    }
    free(line);
    accelerator_unload();
    return 0;
}
