/* see calls.h: digests, signatures, keys from keys, messages */
#include "calls_internal.h"

#include <string.h>

/* ---- digests ---- */

void calls_digest_init(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);

    (void)c->p11->C_DigestInit(s, input_mechanism(&c->in, INPUT_DIGEST));
}

void calls_digest_update(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct bytes data = input_bytes(&c->in);

    (void)c->p11->C_DigestUpdate(s, data.data, data.size);
}

void calls_digest_key(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);

    (void)c->p11->C_DigestKey(s, calls_object(c));
}

/* A call that gives bytes: what it says it gave fits, and what it says it would give it gives. */
static void check_given(CK_RV rv, struct bytes room, const CK_ULONG *size)
{
    if (rv == CKR_OK && room.data != NULL)
        CHECK(*size <= room.size);
    if (rv == CKR_BUFFER_TOO_SMALL)
        CHECK(*size > room.size);
}

void calls_digest_final(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct bytes room = input_room(&c->in);
    CK_ULONG size = room.size;

    check_given(c->p11->C_DigestFinal(s, room.data, &size), room, &size);
}

void calls_digest(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct bytes data = input_bytes(&c->in), room = input_room(&c->in);
    CK_ULONG size = room.size;

    check_given(c->p11->C_Digest(s, data.data, data.size, room.data, &size), room, &size);
}

/* A state goes to another session, changed or not; unchanged it is taken. */
void calls_move_state(struct calls *c)
{
    CK_SESSION_HANDLE from = calls_choose_session(c), to = calls_choose_session(c);
    struct bytes room = input_room(&c->in);
    CK_ULONG size = room.size;
    unsigned how = input_byte(&c->in);
    CK_RV rv = c->p11->C_GetOperationState(from, room.data, &size);
    CK_SESSION_INFO info;

    check_given(rv, room, &size);
    if (rv != CKR_OK || room.data == NULL)
        return;
    if (how < 128) {
        rv = c->p11->C_SetOperationState(to, room.data, size, 0, 0);
        if (c->company == CALLS_ALONE)
            CHECK(rv == CKR_OK || c->p11->C_GetSessionInfo(to, &info) != CKR_OK);
        return;
    }
    for (; how % 4 != 0; how--)
        room.data[input_byte(&c->in) % size] ^= (CK_BYTE)(1 << input_byte(&c->in) % 8);
    size = how < 240 ? size : size - 1;
    (void)c->p11->C_SetOperationState(to, input_block(&c->in, room.data, size), size, how < 250 ? 0 : 1, 0);
}

void calls_set_state(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct bytes state = input_bytes(&c->in);

    (void)c->p11->C_SetOperationState(s, state.data, state.size, 0, 0);
}

/* ---- signatures ---- */

void calls_sign_init(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_MECHANISM *m = input_mechanism(&c->in, INPUT_SIGN);

    (void)c->p11->C_SignInit(s, m, calls_object(c));
}

void calls_sign_update(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct bytes data = input_bytes(&c->in);

    (void)c->p11->C_SignUpdate(s, data.data, data.size);
}

void calls_sign_final(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct bytes room = input_room(&c->in);
    CK_ULONG size = room.size;

    check_given(c->p11->C_SignFinal(s, room.data, &size), room, &size);
}

void calls_sign(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct bytes data = input_bytes(&c->in), room = input_room(&c->in);
    CK_ULONG size = room.size;

    check_given(c->p11->C_Sign(s, data.data, data.size, room.data, &size), room, &size);
}

void calls_verify_init(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_MECHANISM *m = input_mechanism(&c->in, INPUT_SIGN);

    (void)c->p11->C_VerifyInit(s, m, calls_object(c));
}

void calls_verify_update(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct bytes data = input_bytes(&c->in);

    (void)c->p11->C_VerifyUpdate(s, data.data, data.size);
}

void calls_verify_final(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct bytes signature = input_bytes(&c->in);

    (void)c->p11->C_VerifyFinal(s, signature.data, signature.size);
}

void calls_verify(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct bytes data = input_bytes(&c->in), signature = input_bytes(&c->in);

    (void)c->p11->C_Verify(s, data.data, data.size, signature.data, signature.size);
}

/* What one key signs the other accepts, unless the data or the signature was changed; in a session that nobody else
 * knows. Keys that do not belong together, and data that cannot be signed, fail somewhere on the way. */
void calls_sign_and_verify(struct calls *c)
{
    CK_OBJECT_HANDLE signing = calls_object(c), checking = calls_object(c);
    CK_MECHANISM *m = input_mechanism(&c->in, INPUT_SIGN);
    struct bytes data = input_bytes(&c->in);
    unsigned change = input_byte(&c->in);
    CK_BYTE *signature = input_block(&c->in, NULL, 2048);
    CK_ULONG size = 2048, told = 0;
    CK_SESSION_HANDLE s;
    CK_RV rv, again;

    if (c->p11->C_OpenSession(ACCELERATOR_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &s) != CKR_OK)
        return;
    if (c->p11->C_SignInit(s, m, signing) == CKR_OK && c->p11->C_Sign(s, data.data, data.size, NULL, &told) == CKR_OK &&
        c->p11->C_Sign(s, data.data, data.size, signature, &size) == CKR_OK &&
        c->p11->C_VerifyInit(s, m, checking) == CKR_OK) {
        CHECK(size == told);
        rv = c->p11->C_Verify(s, data.data, data.size, signature, size);
        signature[change * 7 % size] ^= (CK_BYTE)(1 << change % 8);
        if (rv == CKR_OK && c->p11->C_VerifyInit(s, m, checking) == CKR_OK) {
            again = c->p11->C_Verify(s, data.data, data.size, signature, size);
            /* An RSA signature with a bit more may be no number below the modulus: that is another answer. */
            CHECK(again != CKR_OK);
        }
    }
    (void)c->p11->C_CloseSession(s);
}

/* ---- keys from keys ---- */

void calls_generate_key(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_MECHANISM *m = input_mechanism(&c->in, INPUT_GENERATE);
    struct template t = input_template(&c->in);
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;

    calls_keep_made(c, c->p11->C_GenerateKey(s, m, t.attributes, t.count, &made), &made);
}

void calls_generate_pair(struct calls *c)
{
    static CK_MECHANISM pair = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_SESSION_HANDLE s = calls_choose_session(c);
    unsigned how = input_byte(&c->in);
    struct bytes curve = input_curve(how);
    CK_ATTRIBUTE params = {CKA_EC_PARAMS, curve.data, curve.size};
    struct template public_key = {&params, 1}, private_key = input_template(&c->in);
    CK_OBJECT_HANDLE made[2] = {CK_INVALID_HANDLE, CK_INVALID_HANDLE};
    CK_MECHANISM *m = how < 200 ? &pair : input_mechanism(&c->in, INPUT_GENERATE);
    CK_RV rv;

    if (how >= 240)
        public_key = input_template(&c->in);
    rv = c->p11->C_GenerateKeyPair(s, m, public_key.attributes, public_key.count, private_key.attributes,
                                   private_key.count, &made[0], &made[1]);
    calls_keep(c, rv, made[0]);
    calls_keep(c, rv, made[1]);
}

void calls_derive(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_MECHANISM *m = input_mechanism(&c->in, INPUT_DERIVE);
    CK_OBJECT_HANDLE base = calls_object(c), made = CK_INVALID_HANDLE;
    struct template t = input_template(&c->in);
    CK_RV rv = c->p11->C_DeriveKey(s, m, base, t.attributes, t.count, &made);

    if (rv == CKR_OK && m->mechanism == CKM_TLS12_KEY_AND_MAC_DERIVE) {
        const CK_SSL3_KEY_MAT_OUT *out = ((CK_TLS12_KEY_MAT_PARAMS *)m->pParameter)->pReturnedKeyMaterial;
        const CK_OBJECT_HANDLE keys[] = {out->hClientMacSecret, out->hServerMacSecret, out->hClientKey,
                                         out->hServerKey};

        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
            if (keys[i] != CK_INVALID_HANDLE)
                calls_keep(c, CKR_OK, keys[i]);
    } else {
        calls_keep(c, rv, made);
    }
}

/* What was wrapped comes back with the same key. */
void calls_wrap(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_MECHANISM *m = input_mechanism(&c->in, INPUT_WRAP);
    CK_OBJECT_HANDLE key = calls_object(c), secret = calls_object(c), made = CK_INVALID_HANDLE;
    struct bytes room = input_room(&c->in);
    struct template t = input_template(&c->in);
    CK_ULONG size = room.size;
    CK_RV rv = c->p11->C_WrapKey(s, m, key, secret, room.data, &size);

    check_given(rv, room, &size);
    if (rv == CKR_OK && room.data != NULL)
        calls_keep_made(c, c->p11->C_UnwrapKey(s, m, key, room.data, size, t.attributes, t.count, &made), &made);
}

void calls_unwrap(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_MECHANISM *m = input_mechanism(&c->in, INPUT_WRAP);
    CK_OBJECT_HANDLE key = calls_object(c), made = CK_INVALID_HANDLE;
    struct bytes data = input_bytes(&c->in);
    struct template t = input_template(&c->in);

    calls_keep_made(c, c->p11->C_UnwrapKey(s, m, key, data.data, data.size, t.attributes, t.count, &made), &made);
}

/* ---- messages ---- */

void calls_encrypt_init(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_MECHANISM *m = input_mechanism(&c->in, INPUT_MESSAGE);

    (void)c->p11->C_MessageEncryptInit(s, m, calls_object(c));
}

void calls_decrypt_init(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_MECHANISM *m = input_mechanism(&c->in, INPUT_MESSAGE);

    (void)c->p11->C_MessageDecryptInit(s, m, calls_object(c));
}

/* What one session encrypts another decrypts, if it has the same key under way; changed it must not. */
void calls_message(struct calls *c)
{
    CK_SESSION_HANDLE encrypting = calls_choose_session(c), decrypting = calls_choose_session(c);
    struct message_parameter p = input_message(&c->in);
    struct bytes additional = input_bytes(&c->in), in = input_bytes(&c->in), room = input_room(&c->in);
    unsigned change = input_byte(&c->in);
    CK_BYTE *back;
    CK_ULONG size = room.size, back_size;
    CK_RV rv = c->p11->C_EncryptMessage(encrypting, p.data, p.size, additional.data, additional.size, in.data, in.size,
                                        room.data, &size);

    check_given(rv, room, &size);
    if (rv != CKR_OK || room.data == NULL)
        return;
    CHECK(size == in.size);
    back = input_block(&c->in, NULL, size);
    back_size = size;
    rv = c->p11->C_DecryptMessage(decrypting, p.data, p.size, additional.data, additional.size, room.data, size, back,
                                  &back_size);
    if (rv != CKR_OK || size == 0)
        return;
    if (c->company == CALLS_ALONE)
        CHECK(memcmp(back, in.data, size) == 0);
    room.data[change % size] ^= (CK_BYTE)(1 << change % 8);
    rv = c->p11->C_DecryptMessage(decrypting, p.data, p.size, additional.data, additional.size, room.data, size, back,
                                  &back_size);
    CHECK(rv != CKR_OK);
    for (CK_ULONG i = 0; rv == CKR_ENCRYPTED_DATA_INVALID && i < size; i++)
        CHECK(back[i] == 0);
}

void calls_decrypt_message(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct message_parameter p = input_message(&c->in);
    struct bytes additional = input_bytes(&c->in), in = input_bytes(&c->in), room = input_room(&c->in);
    CK_ULONG size = room.size;
    CK_RV rv = c->p11->C_DecryptMessage(s, p.data, p.size, additional.data, additional.size, in.data, in.size,
                                        room.data, &size);

    check_given(rv, room, &size);
}

void calls_message_final(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);

    (void)(input_byte(&c->in) % 2 == 0 ? c->p11->C_MessageEncryptFinal(s) : c->p11->C_MessageDecryptFinal(s));
}
