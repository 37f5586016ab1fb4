/* see calls_input.h */
#include "calls_input.h"

#include <stdlib.h>
#include <string.h>

void input_init(struct input *in, struct span bytes)
{
    *in = (struct input){.rest = bytes};
}

void input_release(struct input *in)
{
    while (in->block_count > 0)
        free(in->blocks[--in->block_count]);
}

bool input_is_used_up(const struct input *in)
{
    return in->rest.size == 0;
}

unsigned input_byte(struct input *in)
{
    unsigned byte = in->rest.size == 0 ? 0 : in->rest.data[0];

    in->rest = span_skip(in->rest, in->rest.size == 0 ? 0 : 1);
    return byte;
}

void *input_block(struct input *in, const void *data, size_t size)
{
    void *block = malloc(size);

    if ((block == NULL && size != 0) || in->block_count == INPUT_BLOCKS_MAX)
        base_abort("too many blocks, or no memory");
    if (size != 0 && data == NULL)
        memset(block, 0, size);
    else if (size != 0)
        memcpy(block, data, size);
    in->blocks[in->block_count++] = block;
    return block;
}

CK_ULONG input_number(struct input *in)
{
    static const CK_ULONG numbers[] = {0,    1,    2,     12,    16,     20,        32,         48,          64,
                                       66,   96,   128,   256,   255,    4095,      8160,       16320,       16321,
                                       1024, 2048, 16384, 65536, 100000, INT32_MAX, UINT32_MAX, ~(CK_ULONG)0};
    unsigned which = input_byte(in);
    CK_ULONG number = 0;

    if (which < ARRAY_LEN(numbers))
        return numbers[which];
    if (which % 2 == 0)
        return which;
    for (unsigned i = 0; i < sizeof(number); i++)
        number = number << 8 | input_byte(in);
    return number;
}

enum { NULL_WITHOUT_SIZE = 0, NULL_WITH_SIZE = 0xff, LONG_BYTES = 0xfe };

struct bytes input_bytes(struct input *in)
{
    size_t size = input_byte(in);
    uint8_t *block;

    if (size == NULL_WITHOUT_SIZE)
        return (struct bytes){NULL, 0};
    if (size == NULL_WITH_SIZE)
        return (struct bytes){NULL, 5};
    if (size == LONG_BYTES)
        return (struct bytes){input_block(in, NULL, 5000), 5000};
    size--;
    block = input_block(in, NULL, size);
    for (size_t i = 0; i < size; i++)
        block[i] = (uint8_t)input_byte(in);
    return (struct bytes){block, size};
}

struct bytes input_room(struct input *in)
{
    static const CK_ULONG sizes[] = {64, 0, 1, 15, 16, 31, 32, 33, 48, 63, 65, 128, 132, 256, 2048, 6000};
    unsigned which = input_byte(in);
    CK_ULONG size = sizes[which % ARRAY_LEN(sizes)];

    if (which >= 0xf0)
        return (struct bytes){NULL, size};
    return (struct bytes){input_block(in, NULL, size), size};
}

/* ---- keys that there can be ---- */

static struct {
    CK_BYTE data[160];
    CK_ULONG size;
} points[INPUT_CURVES];

struct bytes input_curve(unsigned number)
{
    static const char *const names[INPUT_CURVES] = {"06082a8648ce3d030107", "06052b81040022", "06052b81040023",
                                                    "06032b656e"};
    static _Thread_local CK_BYTE out[16];
    const char *name = names[number % INPUT_CURVES];

    for (size_t i = 0; i < strlen(name) / 2; i++) {
        char pair[3] = {name[2 * i], name[2 * i + 1], '\0'};

        out[i] = (CK_BYTE)strtoul(pair, NULL, 16);
    }
    return (struct bytes){out, strlen(name) / 2};
}

/* A private key on the curve that is always the same. */
static struct bytes scalar(struct input *in, unsigned curve)
{
    static const CK_ULONG sizes[INPUT_CURVES] = {32, 48, 66, 32};
    CK_ULONG size = sizes[curve % INPUT_CURVES];
    uint8_t *value = input_block(in, NULL, size);

    value[size - 1] = 7;
    return (struct bytes){value, size};
}

void input_learn_points(const CK_FUNCTION_LIST_3_0 *p11)
{
    CK_SESSION_HANDLE s;
    struct input in;

    input_init(&in, span_of(NULL, 0));
    if (p11->C_OpenSession(ACCELERATOR_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &s) != CKR_OK)
        base_abort("no session");
    for (unsigned i = 0; i < INPUT_CURVES; i++) {
        CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
        CK_KEY_TYPE type = CKK_EC;
        struct bytes curve = input_curve(i), value = scalar(&in, i);
        CK_ATTRIBUTE key[] = {{CKA_CLASS, &class, sizeof(class)},
                              {CKA_KEY_TYPE, &type, sizeof(type)},
                              {CKA_EC_PARAMS, curve.data, curve.size},
                              {CKA_VALUE, value.data, value.size}};
        CK_ATTRIBUTE point = {CKA_EC_POINT, points[i].data, sizeof(points[i].data)};
        CK_OBJECT_HANDLE object;

        if (p11->C_CreateObject(s, key, ARRAY_LEN(key), &object) != CKR_OK ||
            p11->C_GetAttributeValue(s, object, &point, 1) != CKR_OK)
            base_abort("no point on curve %u", i);
        points[i].size = point.ulValueLen;
    }
    if (p11->C_CloseSession(s) != CKR_OK)
        base_abort("no session");
    input_release(&in);
}

static const struct {
    CK_ATTRIBUTE_TYPE type;
    const char *value;
} rsa[] = {
    {CKA_MODULUS, "e5b7319e4ad0cd37975fe6d9e88c45067cc0217384c9b760468b49c8e28d33f1d4f645b53c6f944f0cd2e074a33ecc10"
                  "50ce3d498826d45fe671d44947cc076f809733deebb3e71b6a4e6e64bd45face694be1cdd9b50c66382c45656efef355"
                  "27f9e7eaac4e9c252eb771bce3d6d7b1654a13c3fb38696a90ccead8a76b36fb"},
    {CKA_PUBLIC_EXPONENT, "010001"},
    {CKA_PRIVATE_EXPONENT,
     "cc62504d6c7796ff6d39b0a615182899fb08df3a6edd22c1104301e5305d3de85ef8b750e772c75c0626e1fa24fccc87"
     "7fbde01dba7c01dd49a5e1a149b628adc689c85b9908bd5ceee62964a10d5be013b67c306e1c7f5e3eff3c31d054f7be"
     "a2e15f67fe5ec84302a72d01c7769d0c752d6da37983fa73c442343208fa2011"},
    {CKA_PRIME_1, "feb214407cb721243bc92d40f2250a823095c29519d01651b90bdf685ee7077c"
                  "8bd8fcac0414c5540dfba7536f290b7568d81bacc99c6dc913bd2dc49c57dc35"},
    {CKA_PRIME_2, "e6e45d4c031fd52cd253deea7aed1c75481c370ea0a194ae88b56221142c4ac4"
                  "49e8101bd5835d9553dccc7421887c8dcfe245254a5b0856692a261808874c6f"},
    {CKA_EXPONENT_1, "f442ccf15baa357a8e6bcd9eaf9b9e8c6513fb5d0b38696f4ecc78219c826cc7"
                     "a147246bc42e3760f958138d0cda8c46b99a285079ba2fffdb925ec6643a4ed1"},
    {CKA_EXPONENT_2, "2b12bb1ced1049327d624c19ae2901c0175dbc1fac73b84aff11e766885ee2eb"
                     "cf65cd6b83df67dbedb3292919005f4c0d5606d43814d76f575b179430331d5d"},
    {CKA_COEFFICIENT, "de7c7485e117351d1a176256e4f7d3390751a8bc920f1b92ba1f9d0356cbe2d4"
                      "13c9f333954ac878e5dcf6e7d15db4bf4056eba6c86a7f6a2c35848b550b1cbb"},
};
enum { RSA_PUBLIC = 2 };

static struct bytes from_hex(struct input *in, const char *text)
{
    size_t size = strlen(text) / 2;
    uint8_t *out = input_block(in, NULL, size);

    for (size_t i = 0; i < size; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};

        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return (struct bytes){out, size};
}

/* ---- templates ---- */

static const CK_KEY_TYPE key_types[] = {CKK_AES,  CKK_GENERIC_SECRET, CKK_CHACHA20,   CKK_NSS_CHACHA20,
                                        CKK_DES3, CKK_HKDF,           CKK_EC,         CKK_RSA,
                                        CKK_DES,  CKK_DES2,           CKK_SHA256_HMAC};
static const CK_OBJECT_CLASS classes[] = {CKO_SECRET_KEY, CKO_PRIVATE_KEY, CKO_PUBLIC_KEY,
                                          CKO_DATA,       CKO_CERTIFICATE, CKO_NSS_TRUST};
static const CK_ATTRIBUTE_TYPE numbers[] = {CKA_VALUE_LEN, CKA_MODULUS_BITS, CKA_CLASS, CKA_KEY_TYPE};
static const CK_ATTRIBUTE_TYPE flags[] = {CKA_TOKEN,   CKA_PRIVATE, CKA_SENSITIVE,    CKA_EXTRACTABLE, CKA_MODIFIABLE,
                                          CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP,         CKA_UNWRAP,      CKA_SIGN,
                                          CKA_VERIFY,  CKA_DERIVE,  CKA_SIGN_RECOVER, CKA_LOCAL};
static const CK_ATTRIBUTE_TYPE texts[] = {CKA_ID,       CKA_LABEL,   CKA_VALUE,           CKA_EC_PARAMS,
                                          CKA_EC_POINT, CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT,
                                          CKA_PRIME_1,  CKA_SUBJECT, CKA_ALWAYS_SENSITIVE};

static CK_ATTRIBUTE_TYPE choose_type(struct input *in)
{
    unsigned which = input_byte(in);

    if (which < 64)
        return flags[which % ARRAY_LEN(flags)];
    if (which < 128)
        return texts[which % ARRAY_LEN(texts)];
    if (which < 192)
        return rsa[which % ARRAY_LEN(rsa)].type;
    return which < 250 ? numbers[which % ARRAY_LEN(numbers)] : input_number(in);
}

static void add(struct template *t, CK_ATTRIBUTE_TYPE type, struct bytes value)
{
    assert(t->count < INPUT_ATTRIBUTES_MAX);
    t->attributes[t->count++] = (CK_ATTRIBUTE){type, value.data, value.size};
}

static void add_number(struct input *in, struct template *t, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
    add(t, type, (struct bytes){input_block(in, &value, sizeof(value)), sizeof(value)});
}

static void add_copy(struct input *in, struct template *t, CK_ATTRIBUTE_TYPE type, struct bytes value)
{
    add(t, type, (struct bytes){input_block(in, value.data, value.size), value.size});
}

static void add_any(struct input *in, struct template *t)
{
    CK_ATTRIBUTE_TYPE type = choose_type(in);
    CK_BBOOL truth;

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (numbers[i] == type) {
            add_number(in, t, type,
                       type == CKA_CLASS      ? classes[input_byte(in) % ARRAY_LEN(classes)]
                       : type == CKA_KEY_TYPE ? key_types[input_byte(in) % ARRAY_LEN(key_types)]
                                              : input_number(in));
            return;
        }
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (flags[i] == type) {
            truth = (CK_BBOOL)(input_byte(in) % 3);
            add(t, type, (struct bytes){input_block(in, &truth, 1), 1});
            return;
        }
    add(t, type, input_bytes(in));
}

static void add_ec(struct input *in, struct template *t, CK_OBJECT_CLASS class)
{
    unsigned curve = input_byte(in) % INPUT_CURVES;

    add_number(in, t, CKA_KEY_TYPE, CKK_EC);
    add_copy(in, t, CKA_EC_PARAMS, input_curve(curve));
    if (class == CKO_PRIVATE_KEY)
        add(t, CKA_VALUE, scalar(in, curve));
    else
        add_copy(in, t, CKA_EC_POINT, (struct bytes){points[curve].data, points[curve].size});
}

static void add_rsa(struct input *in, struct template *t, CK_OBJECT_CLASS class)
{
    add_number(in, t, CKA_KEY_TYPE, CKK_RSA);
    for (size_t i = 0; i < (class == CKO_PRIVATE_KEY ? ARRAY_LEN(rsa) : (size_t)RSA_PUBLIC); i++)
        add(t, rsa[i].type, from_hex(in, rsa[i].value));
}

static void add_secret(struct input *in, struct template *t)
{
    unsigned type = input_byte(in) % ARRAY_LEN(key_types), size = input_byte(in);

    add_number(in, t, CKA_KEY_TYPE, key_types[type]);
    if (size < 64)
        add(t, CKA_VALUE, input_bytes(in));
    else
        add(t, CKA_VALUE, (struct bytes){input_block(in, NULL, 16 + size % 3 * 16), 16 + size % 3 * 16});
}

/* What makes the whole of an object that there can be. */
static void add_object(struct input *in, struct template *t, unsigned which)
{
    static const CK_OBJECT_CLASS made[] = {CKO_SECRET_KEY, CKO_SECRET_KEY,  CKO_PRIVATE_KEY, CKO_PUBLIC_KEY,
                                           CKO_DATA,       CKO_PRIVATE_KEY, CKO_PUBLIC_KEY,  CKO_SECRET_KEY};
    CK_OBJECT_CLASS class = made[which % ARRAY_LEN(made)];
    bool is_rsa = which % ARRAY_LEN(made) == 5 || which % ARRAY_LEN(made) == 6;

    add_number(in, t, CKA_CLASS, class);
    if (class == CKO_SECRET_KEY)
        add_secret(in, t);
    else if (class == CKO_DATA)
        add(t, CKA_VALUE, input_bytes(in));
    else if (is_rsa)
        add_rsa(in, t, class);
    else
        add_ec(in, t, class);
}

/* One attribute shorter, with a byte that differs, or gone. */
static void change(struct input *in, struct template *t)
{
    unsigned how = input_byte(in);
    CK_ATTRIBUTE *changed;

    if (how < 192 || t->count == 0)
        return;
    changed = &t->attributes[input_byte(in) % t->count];
    if (how < 212) {
        *changed = t->attributes[--t->count];
    } else if (changed->pValue != NULL && changed->ulValueLen != 0) {
        if (how < 232)
            ((uint8_t *)changed->pValue)[input_byte(in) % changed->ulValueLen] ^= (uint8_t)input_byte(in);
        else
            changed->pValue = input_block(in, changed->pValue, --changed->ulValueLen);
    }
}

struct template input_template(struct input *in)
{
    unsigned how = input_byte(in);
    struct template t = {input_block(in, NULL, INPUT_ATTRIBUTES_MAX * sizeof(CK_ATTRIBUTE)), 0};

    if (how == 0xff)
        return (struct template){NULL, 2};
    if (how == 0xfe) /* more than there may be */
        return (struct template){input_block(in, NULL, 65 * sizeof(CK_ATTRIBUTE)), 65};
    if (how >= 64 && how < 128)
        add_object(in, &t, how);
    for (unsigned more = input_byte(in) % 4; more > 0; more--)
        add_any(in, &t);
    change(in, &t);
    t.attributes = input_block(in, t.attributes, t.count * sizeof(CK_ATTRIBUTE));
    return t;
}

struct template input_questions(struct input *in)
{
    CK_ULONG count = 1 + input_byte(in) % 8;
    struct template t = {input_block(in, NULL, count * sizeof(CK_ATTRIBUTE)), count};

    for (CK_ULONG i = 0; i < count; i++) {
        struct bytes room = input_room(in);

        t.attributes[i] = (CK_ATTRIBUTE){choose_type(in), room.data, room.size};
    }
    return t;
}

/* ---- mechanisms ---- */

static const CK_MECHANISM_TYPE hashes[] = {CKM_SHA256, CKM_SHA384, CKM_SHA512, CKM_SHA_1};

static CK_MECHANISM_TYPE choose_hash(struct input *in)
{
    return hashes[input_byte(in) % ARRAY_LEN(hashes)];
}

static void *ecdh(struct input *in)
{
    CK_ECDH1_DERIVE_PARAMS p = {.kdf = input_byte(in) < 240 ? CKD_NULL : CKD_SHA256_KDF};
    unsigned curve = input_byte(in);
    struct bytes point =
        curve >= 192
            ? input_bytes(in)
            : (struct bytes){input_block(in, points[curve % INPUT_CURVES].data, points[curve % INPUT_CURVES].size),
                             points[curve % INPUT_CURVES].size};

    p.pPublicData = point.data;
    p.ulPublicDataLen = point.size;
    p.ulSharedDataLen = input_byte(in) < 240 ? 0 : 1;
    return input_block(in, &p, sizeof(p));
}

static void *hkdf(struct input *in)
{
    unsigned how = input_byte(in);
    CK_HKDF_PARAMS p = {.bExtract = (CK_BBOOL)(how & 1), .bExpand = (CK_BBOOL)(how >> 1 & 1)};
    struct bytes salt, info;

    p.prfHashMechanism = choose_hash(in);
    p.ulSaltType = (how >> 2) % 4 == 3 ? 0 : (CK_ULONG)CKF_HKDF_SALT_NULL << (how >> 2) % 4;
    p.hSaltKey = in->choose_object(in, in->context);
    salt = input_bytes(in);
    info = input_bytes(in);
    p.pSalt = salt.data;
    p.ulSaltLen = salt.size;
    p.pInfo = info.data;
    p.ulInfoLen = info.size;
    return input_block(in, &p, sizeof(p));
}

static struct bytes random32(struct input *in)
{
    return input_byte(in) < 224 ? (struct bytes){input_block(in, NULL, 32), 32} : input_bytes(in);
}

static CK_SSL3_RANDOM_DATA randoms(struct input *in)
{
    struct bytes client = random32(in), server = random32(in);

    return (CK_SSL3_RANDOM_DATA){client.data, client.size, server.data, server.size};
}

static CK_VERSION *version(struct input *in)
{
    return input_byte(in) % 2 == 0 ? NULL : input_block(in, NULL, sizeof(CK_VERSION));
}

static void *master(struct input *in)
{
    CK_TLS12_MASTER_KEY_DERIVE_PARAMS p = {
        .RandomInfo = randoms(in), .pVersion = version(in), .prfHashMechanism = choose_hash(in)};

    return input_block(in, &p, sizeof(p));
}

static void *extended_master(struct input *in)
{
    CK_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_PARAMS p = {.prfHashMechanism = choose_hash(in), .pVersion = version(in)};
    struct bytes hash = random32(in);

    p.pSessionHash = hash.data;
    p.ulSessionHashLen = hash.size;
    return input_block(in, &p, sizeof(p));
}

static void *key_material(struct input *in)
{
    CK_TLS12_KEY_MAT_PARAMS p = {.ulMacSizeInBits = input_number(in),
                                 .ulKeySizeInBits = input_number(in),
                                 .ulIVSizeInBits = input_number(in),
                                 .bIsExport = input_byte(in) < 250 ? CK_FALSE : CK_TRUE};
    CK_ULONG iv_size = p.ulIVSizeInBits / 8 < 64 ? p.ulIVSizeInBits / 8 : 64;
    CK_SSL3_KEY_MAT_OUT out = {0};

    p.RandomInfo = randoms(in);
    p.prfHashMechanism = choose_hash(in);
    if (input_byte(in) < 250) {
        out.pIVClient = input_block(in, NULL, iv_size);
        out.pIVServer = input_block(in, NULL, iv_size);
    }
    p.pReturnedKeyMaterial = input_byte(in) < 250 ? input_block(in, &out, sizeof(out)) : NULL;
    return input_block(in, &p, sizeof(p));
}

static void *finished(struct input *in)
{
    CK_TLS_MAC_PARAMS p = {choose_hash(in), input_number(in), input_byte(in) % 4};

    return input_block(in, &p, sizeof(p));
}

static void *pss(struct input *in)
{
    unsigned hash = input_byte(in);
    CK_RSA_PKCS_PSS_PARAMS p = {hashes[hash % 4], CKG_MGF1_SHA256 + hash / 4 % 4, input_number(in)};

    if (p.mgf > CKG_MGF1_SHA512)
        p.mgf = CKG_MGF1_SHA1;
    return input_block(in, &p, sizeof(p));
}

struct row {
    CK_MECHANISM_TYPE type;
    void *(*make)(struct input *in); /* NULL: it has none */
    CK_ULONG size;
};

enum { ROWS_MAX = 8 };
static const struct row rows[INPUT_USE_COUNT][ROWS_MAX] = {
    [INPUT_DIGEST] = {{CKM_SHA256, NULL, 0}, {CKM_SHA384, NULL, 0}, {CKM_SHA512, NULL, 0}},
    [INPUT_SIGN] = {{CKM_SHA256_HMAC, NULL, 0},
                    {CKM_SHA384_HMAC, NULL, 0},
                    {CKM_SHA512_HMAC, NULL, 0},
                    {CKM_ECDSA, NULL, 0},
                    {CKM_RSA_PKCS, NULL, 0},
                    {CKM_RSA_PKCS_PSS, pss, sizeof(CK_RSA_PKCS_PSS_PARAMS)},
                    {CKM_TLS_MAC, finished, sizeof(CK_TLS_MAC_PARAMS)}},
    [INPUT_DERIVE] = {{CKM_ECDH1_DERIVE, ecdh, sizeof(CK_ECDH1_DERIVE_PARAMS)},
                      {CKM_HKDF_DERIVE, hkdf, sizeof(CK_HKDF_PARAMS)},
                      {CKM_HKDF_DATA, hkdf, sizeof(CK_HKDF_PARAMS)},
                      {CKM_TLS12_MASTER_KEY_DERIVE, master, sizeof(CK_TLS12_MASTER_KEY_DERIVE_PARAMS)},
                      {CKM_TLS12_MASTER_KEY_DERIVE_DH, master, sizeof(CK_TLS12_MASTER_KEY_DERIVE_PARAMS)},
                      {CKM_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE, extended_master,
                       sizeof(CK_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_PARAMS)},
                      {CKM_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_DH, extended_master,
                       sizeof(CK_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_PARAMS)},
                      {CKM_TLS12_KEY_AND_MAC_DERIVE, key_material, sizeof(CK_TLS12_KEY_MAT_PARAMS)}},
    [INPUT_WRAP] = {{CKM_AES_ECB, NULL, 0}, {CKM_RSA_PKCS, NULL, 0}},
    [INPUT_MESSAGE] = {{CKM_AES_GCM, NULL, 0}, {CKM_CHACHA20_POLY1305, NULL, 0}},
    [INPUT_GENERATE] = {{CKM_AES_KEY_GEN, NULL, 0}, {CKM_EC_KEY_PAIR_GEN, NULL, 0}},
};

static const struct row *choose_row(enum input_use use, unsigned which)
{
    size_t count = 0;

    while (count < ROWS_MAX && rows[use][count].type != 0)
        count++;
    return &rows[use][which % count];
}

/* A parameter of another size than its type cannot be read, so anything may be in it. */
CK_MECHANISM *input_mechanism(struct input *in, enum input_use use)
{
    unsigned which = input_byte(in), how = input_byte(in);
    const struct row *row = choose_row(which < 224 ? use : (enum input_use)(which % INPUT_USE_COUNT), which);
    CK_MECHANISM m = {row->type, NULL, row->size};

    if (which == 0xff)
        return NULL;
    if (which == 0xfe)
        m.mechanism = input_number(in);
    else if (row->make != NULL)
        m.pParameter = row->make(in);
    if (how >= 240) {
        m.ulParameterLen = how % 8;
        m.pParameter = how % 2 == 0 ? NULL : input_block(in, NULL, m.ulParameterLen);
    }
    return input_block(in, &m, sizeof(m));
}

struct message_parameter input_message(struct input *in)
{
    static const CK_GENERATOR_FUNCTION generators[] = {CKG_NO_GENERATE, CKG_GENERATE_COUNTER_XOR, CKG_GENERATE_COUNTER,
                                                       CKG_GENERATE, CKG_GENERATE_RANDOM};
    static const CK_ULONG tag_bits[] = {128, 96, 104, 120, 64, 0, 127, 136};
    unsigned how = input_byte(in), what = input_byte(in);
    struct bytes nonce = how < 192 ? (struct bytes){input_block(in, NULL, 12), 12} : input_bytes(in);

    if (how % 4 == 3) {
        CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS p = {nonce.data, nonce.size, input_block(in, NULL, 16)};

        return (struct message_parameter){input_block(in, &p, sizeof(p)), sizeof(p)};
    }
    if (how % 4 == 2 && what >= 192)
        return (struct message_parameter){what % 2 == 0 ? NULL : input_block(in, NULL, what % 16), what % 16};
    CK_GCM_MESSAGE_PARAMS p = {.pIv = nonce.data,
                               .ulIvLen = nonce.size,
                               .ivGenerator = generators[what % ARRAY_LEN(generators)],
                               .ulIvFixedBits = how % 2 == 0 ? 0 : input_number(in),
                               .ulTagBits = tag_bits[what < 128 ? 0 : what % ARRAY_LEN(tag_bits)]};

    p.pTag = input_block(in, NULL, p.ulTagBits / 8);
    return (struct message_parameter){input_block(in, &p, sizeof(p)), sizeof(p)};
}
