/* What the files of calls.h share: who calls, with which handles, and the functions, each of which makes one call or a
 * few. */
#ifndef YETT_TESTS_TOKENS_CALLS_INTERNAL_H
#define YETT_TESTS_TOKENS_CALLS_INTERNAL_H

#include "calls.h"

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            base_abort("%s:%d: " #condition, __FILE__, __LINE__);                                                      \
    } while (0)

struct calls {
    const CK_FUNCTION_LIST_3_0 *p11;
    struct calls_handles *handles;
    enum calls_company company;
    struct input in;
};

CK_SESSION_HANDLE calls_choose_session(struct calls *c);
CK_OBJECT_HANDLE calls_object(struct calls *c);
/* Give what was made a place, where `rv` says that it was. */
void calls_keep(struct calls *c, CK_RV rv, CK_OBJECT_HANDLE handle);
/* The same; `handle` is set by the call that gave `rv`. */
void calls_keep_made(struct calls *c, CK_RV rv, const CK_OBJECT_HANDLE *handle);

/* calls_crypto.c */
void calls_digest_init(struct calls *c);
void calls_digest_update(struct calls *c);
void calls_digest_key(struct calls *c);
void calls_digest_final(struct calls *c);
void calls_digest(struct calls *c);
void calls_move_state(struct calls *c);
void calls_set_state(struct calls *c);
void calls_sign_init(struct calls *c);
void calls_sign_update(struct calls *c);
void calls_sign_final(struct calls *c);
void calls_sign(struct calls *c);
void calls_verify_init(struct calls *c);
void calls_verify_update(struct calls *c);
void calls_verify_final(struct calls *c);
void calls_verify(struct calls *c);
void calls_sign_and_verify(struct calls *c);
void calls_generate_key(struct calls *c);
void calls_generate_pair(struct calls *c);
void calls_derive(struct calls *c);
void calls_wrap(struct calls *c);
void calls_unwrap(struct calls *c);
void calls_encrypt_init(struct calls *c);
void calls_decrypt_init(struct calls *c);
void calls_message(struct calls *c);
void calls_decrypt_message(struct calls *c);
void calls_message_final(struct calls *c);

#endif
