/* see calls.h: handles, sessions and objects */
#include "calls_internal.h"

/* ---- handles ---- */

/* Mostly one that there was; sometimes a number beside it, or none at all. */
static CK_ULONG mutated(struct input *in, CK_ULONG handle, unsigned how)
{
    if (how < 248)
        return handle;
    return how == 255 ? CK_INVALID_HANDLE : handle + input_byte(in) - 128;
}

CK_SESSION_HANDLE calls_choose_session(struct calls *c)
{
    unsigned which = input_byte(&c->in);

    return mutated(&c->in, c->handles->sessions[which % CALLS_SESSIONS], which);
}

/* Of the last half of the bytes the low bits say how many objects ago it was made. */
static CK_OBJECT_HANDLE choose_object(struct input *in, void *context)
{
    struct calls *c = context;
    unsigned which = input_byte(in), made = c->handles->made;
    unsigned place = which < 128 ? which : made + CALLS_OBJECTS - 1 - which % 8;

    return mutated(in, c->handles->objects[place % CALLS_OBJECTS], which);
}

CK_OBJECT_HANDLE calls_object(struct calls *c)
{
    return choose_object(&c->in, c);
}

void calls_keep(struct calls *c, CK_RV rv, CK_OBJECT_HANDLE handle)
{
    if (rv != CKR_OK)
        return;
    CHECK(handle != CK_INVALID_HANDLE);
    c->handles->objects[c->handles->made++ % CALLS_OBJECTS] = handle;
}

void calls_keep_made(struct calls *c, CK_RV rv, const CK_OBJECT_HANDLE *handle)
{
    calls_keep(c, rv, *handle);
}

/* What reading the value of an object comes to; nothing is read. */
static CK_RV read_value(struct calls *c, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE handle)
{
    CK_ATTRIBUTE value = {CKA_VALUE, NULL, 0};

    return c->p11->C_GetAttributeValue(s, handle, &value, 1);
}

/* ---- sessions and objects ---- */

static void open_session(struct calls *c)
{
    unsigned place = input_byte(&c->in);
    CK_FLAGS flags = place < 240 ? CKF_SERIAL_SESSION | CKF_RW_SESSION : place % 8;
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE;

    if (c->p11->C_OpenSession(place == 255 ? 7 : ACCELERATOR_SLOT, flags, NULL, NULL, &s) != CKR_OK)
        return;
    CHECK(s != CK_INVALID_HANDLE);
    c->handles->sessions[place % CALLS_SESSIONS] = s;
}

static void close_session(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_SESSION_INFO info;

    if (c->p11->C_CloseSession(s) == CKR_OK)
        CHECK(c->p11->C_GetSessionInfo(s, &info) == CKR_SESSION_HANDLE_INVALID);
}

static void close_all(struct calls *c)
{
    unsigned how = input_byte(&c->in);

    if (how >= 224) /* or little else would be seen of sequences that nobody chose */
        (void)c->p11->C_CloseAllSessions(how < 250 ? ACCELERATOR_SLOT : 0);
}

static void cancel(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    unsigned which = input_byte(&c->in);

    (void)c->p11->C_SessionCancel(s, which < 200 ? ~(CK_FLAGS)0 : (CK_FLAGS)1 << which % 32);
}

static void create_object(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct template t = input_template(&c->in);
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;

    calls_keep_made(c, c->p11->C_CreateObject(s, t.attributes, t.count, &made), &made);
}

static void copy_object(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_OBJECT_HANDLE from = calls_object(c), made = CK_INVALID_HANDLE;
    struct template t = input_template(&c->in);
    CK_RV rv = c->p11->C_CopyObject(s, from, t.attributes, t.count, &made);

    calls_keep(c, rv, made);
    /* What could not be read cannot be read of a copy either, whatever the template said. */
    if (rv == CKR_OK && read_value(c, s, from) == CKR_ATTRIBUTE_SENSITIVE)
        CHECK(read_value(c, s, made) != CKR_OK);
}

static void destroy_object(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_OBJECT_HANDLE gone = calls_object(c);

    if (c->p11->C_DestroyObject(s, gone) == CKR_OK)
        CHECK(read_value(c, s, gone) != CKR_OK);
}

static bool is_secret_of_private_key(CK_ATTRIBUTE_TYPE type)
{
    switch (type) {
    case CKA_VALUE:
    case CKA_PRIVATE_EXPONENT:
    case CKA_PRIME_1:
    case CKA_PRIME_2:
    case CKA_EXPONENT_1:
    case CKA_EXPONENT_2:
    case CKA_COEFFICIENT:
        return true;
    }
    return false;
}

static void get_attributes(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_OBJECT_HANDLE handle = calls_object(c);
    struct template t = input_questions(&c->in);
    CK_OBJECT_CLASS class = 0;
    CK_ATTRIBUTE ask_class = {CKA_CLASS, &class, sizeof(class)};
    CK_RV rv = c->p11->C_GetAttributeValue(s, handle, t.attributes, t.count);

    if (rv == CKR_OBJECT_HANDLE_INVALID || c->p11->C_GetAttributeValue(s, handle, &ask_class, 1) != CKR_OK)
        return;
    if (rv == CKR_OK)
        for (CK_ULONG i = 0; i < t.count; i++)
            CHECK(t.attributes[i].ulValueLen != CK_UNAVAILABLE_INFORMATION);
    for (CK_ULONG i = 0; class == CKO_PRIVATE_KEY && i < t.count; i++)
        if (is_secret_of_private_key(t.attributes[i].type))
            CHECK(t.attributes[i].ulValueLen == CK_UNAVAILABLE_INFORMATION);
}

static void set_attributes(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_OBJECT_HANDLE handle = calls_object(c);
    struct template t = input_template(&c->in);
    CK_RV before = read_value(c, s, handle);

    (void)c->p11->C_SetAttributeValue(s, handle, t.attributes, t.count);
    if (before == CKR_ATTRIBUTE_SENSITIVE)
        CHECK(read_value(c, s, handle) != CKR_OK);
}

static void object_size(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_ULONG size;

    (void)c->p11->C_GetObjectSize(s, calls_object(c), &size);
}

static void find_init(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    struct template t = input_template(&c->in);

    (void)c->p11->C_FindObjectsInit(s, t.attributes, t.count);
}

static void find(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_ULONG most = input_byte(&c->in) % 20, count = 0;
    CK_OBJECT_HANDLE *found = input_block(&c->in, NULL, most * sizeof(*found));

    if (c->p11->C_FindObjects(s, found, most, &count) != CKR_OK)
        return;
    CHECK(count <= most);
    for (CK_ULONG i = 0; i < count; i++)
        calls_keep(c, CKR_OK, found[i]);
}

static void find_final(struct calls *c)
{
    (void)c->p11->C_FindObjectsFinal(calls_choose_session(c));
}

/* ---- the rest ---- */

static void ask(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_SLOT_ID slot = input_byte(&c->in) < 250 ? ACCELERATOR_SLOT : input_number(&c->in);
    struct bytes room = input_room(&c->in);
    CK_ULONG count = room.size / sizeof(CK_MECHANISM_TYPE), slots = input_byte(&c->in) % 2;
    CK_MECHANISM_INFO mechanism;
    CK_SESSION_INFO session;
    CK_TOKEN_INFO token;
    CK_SLOT_INFO slot_info;
    CK_INFO info;

    CHECK(c->p11->C_GetInfo(&info) == CKR_OK);
    (void)c->p11->C_GetSlotList(CK_TRUE, slots == 0 ? NULL : &slot, &slots);
    (void)c->p11->C_GetSlotInfo(slot, &slot_info);
    (void)c->p11->C_GetTokenInfo(slot, &token);
    (void)c->p11->C_GetMechanismList(slot, (CK_MECHANISM_TYPE *)(void *)room.data, &count);
    (void)c->p11->C_GetMechanismInfo(slot, input_number(&c->in), &mechanism);
    (void)c->p11->C_GetSessionInfo(s, &session);
    (void)c->p11->C_GenerateRandom(s, room.data, room.size);
    (void)c->p11->C_SeedRandom(s, room.data, room.size);
}

static void ask_for_what_is_not_there(struct calls *c)
{
    CK_SESSION_HANDLE s = calls_choose_session(c);
    CK_MECHANISM *m = input_mechanism(&c->in, (enum input_use)(input_byte(&c->in) % INPUT_USE_COUNT));
    CK_OBJECT_HANDLE key = calls_object(c);

    CHECK(c->p11->C_EncryptInit(s, m, key) != CKR_OK);
    CHECK(c->p11->C_DecryptInit(s, m, key) != CKR_OK);
    CHECK(c->p11->C_SignRecoverInit(s, m, key) != CKR_OK);
    CHECK(c->p11->C_Login(s, CKU_USER, NULL, 0) != CKR_OK);
    CHECK(c->p11->C_GetFunctionStatus(s) == CKR_FUNCTION_NOT_PARALLEL);
}

/* An end and a beginning in the middle of everything; nobody else may call meanwhile. */
static void begin_again(struct calls *c)
{
    CK_SESSION_INFO info;

    if (c->company != CALLS_ALONE || input_byte(&c->in) < 192)
        return;
    CHECK(c->p11->C_Finalize(NULL) == CKR_OK);
    CHECK(c->p11->C_GetSessionInfo(c->handles->sessions[0], &info) == CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK(c->p11->C_Initialize(NULL) == CKR_OK);
    CHECK(c->p11->C_GetSessionInfo(c->handles->sessions[0], &info) == CKR_SESSION_HANDLE_INVALID);
}

/* The corpus and the dictionary know the functions by their place. */
static void (*const functions[])(struct calls *c) = {
    /* 00 */ open_session,
    close_session,
    close_all,
    cancel,
    create_object,
    copy_object,
    destroy_object,
    /* 07 */ get_attributes,
    set_attributes,
    object_size,
    find_init,
    find,
    find_final,
    calls_digest_init,
    /* 0e */ calls_digest_update,
    calls_digest_key,
    calls_digest_final,
    calls_digest,
    calls_move_state,
    calls_set_state,
    calls_sign_init,
    /* 15 */ calls_sign_update,
    calls_sign_final,
    calls_sign,
    calls_verify_init,
    calls_verify_update,
    calls_verify_final,
    calls_verify,
    /* 1c */ calls_sign_and_verify,
    calls_generate_key,
    calls_generate_pair,
    calls_derive,
    calls_wrap,
    calls_unwrap,
    calls_encrypt_init,
    /* 23 */ calls_decrypt_init,
    calls_message,
    calls_decrypt_message,
    calls_message_final,
    ask,
    ask_for_what_is_not_there,
    begin_again,
};

void calls_run(const CK_FUNCTION_LIST_3_0 *p11, struct calls_handles *handles, enum calls_company company,
               struct span bytes)
{
    struct calls c = {.p11 = p11, .handles = handles, .company = company};

    input_init(&c.in, bytes);
    c.in.choose_object = choose_object;
    c.in.context = &c;
    while (!input_is_used_up(&c.in)) {
        functions[input_byte(&c.in) % ARRAY_LEN(functions)](&c);
        input_release(&c.in);
    }
}
