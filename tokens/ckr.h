/* tokens/ckr.h: what a module's answer is called, and whose matter it is.
 *
 * PKCS #11 2.40 section 5.1 and 3.0 section 5.1 have the codes. Which says what is decided once, here: whether another
 * session may help, whether the token is to be looked after, and whether a PIN was at fault. Vendors use codes as they
 * like (a card pulled out is CKR_DEVICE_ERROR, CKR_GENERAL_ERROR or CKR_FUNCTION_FAILED), so what says nothing about a
 * PIN or about what was asked for counts as the token's. So do codes by which a module blames its caller for what it
 * has answered well before (CKR_ARGUMENTS_BAD, CKR_FUNCTION_NOT_SUPPORTED). Pure. */
#ifndef YETT_TOKENS_CKR_H
#define YETT_TOKENS_CKR_H

#include "base/base.h"
#include <p11-kit/pkcs11.h>

enum tokens_ckr_about {
    TOKENS_CKR_FINE,    /* nothing is wrong */
    TOKENS_CKR_SESSION, /* the token has forgotten the session, the login or the key, or is not there */
    TOKENS_CKR_TOKEN,   /* token, reader or module do not work. Of vendors' codes nobody knows more */
    TOKENS_CKR_PIN,     /* it was tried, or may not be */
    TOKENS_CKR_REQUEST  /* what was asked for cannot be done; asking again is of no use */
};

/* X(name without CKR_, number, about) */
#define TOKENS_CKR_LIST(X)                                                                                             \
    X(OK, 0x0, FINE)                                                                                                   \
    X(CANCEL, 0x1, TOKEN)                                                                                              \
    X(HOST_MEMORY, 0x2, TOKEN)                                                                                         \
    X(SLOT_ID_INVALID, 0x3, SESSION)                                                                                   \
    X(GENERAL_ERROR, 0x5, TOKEN)                                                                                       \
    X(FUNCTION_FAILED, 0x6, TOKEN)                                                                                     \
    X(ARGUMENTS_BAD, 0x7, TOKEN)                                                                                       \
    X(NO_EVENT, 0x8, FINE)                                                                                             \
    X(NEED_TO_CREATE_THREADS, 0x9, TOKEN)                                                                              \
    X(CANT_LOCK, 0xa, TOKEN)                                                                                           \
    X(ATTRIBUTE_READ_ONLY, 0x10, REQUEST)                                                                              \
    X(ATTRIBUTE_SENSITIVE, 0x11, REQUEST)                                                                              \
    X(ATTRIBUTE_TYPE_INVALID, 0x12, REQUEST)                                                                           \
    X(ATTRIBUTE_VALUE_INVALID, 0x13, REQUEST)                                                                          \
    X(ACTION_PROHIBITED, 0x1b, REQUEST)                                                                                \
    X(DATA_INVALID, 0x20, REQUEST)                                                                                     \
    X(DATA_LEN_RANGE, 0x21, REQUEST)                                                                                   \
    X(DEVICE_ERROR, 0x30, TOKEN)                                                                                       \
    X(DEVICE_MEMORY, 0x31, TOKEN)                                                                                      \
    X(DEVICE_REMOVED, 0x32, SESSION)                                                                                   \
    X(ENCRYPTED_DATA_INVALID, 0x40, REQUEST)                                                                           \
    X(ENCRYPTED_DATA_LEN_RANGE, 0x41, REQUEST)                                                                         \
    X(AEAD_DECRYPT_FAILED, 0x42, REQUEST)                                                                              \
    X(FUNCTION_CANCELED, 0x50, TOKEN)                                                                                  \
    X(FUNCTION_NOT_PARALLEL, 0x51, TOKEN)                                                                              \
    X(FUNCTION_NOT_SUPPORTED, 0x54, TOKEN)                                                                             \
    X(KEY_HANDLE_INVALID, 0x60, SESSION)                                                                               \
    X(KEY_SIZE_RANGE, 0x62, REQUEST)                                                                                   \
    X(KEY_TYPE_INCONSISTENT, 0x63, REQUEST)                                                                            \
    X(KEY_NOT_NEEDED, 0x64, REQUEST)                                                                                   \
    X(KEY_CHANGED, 0x65, REQUEST)                                                                                      \
    X(KEY_NEEDED, 0x66, REQUEST)                                                                                       \
    X(KEY_INDIGESTIBLE, 0x67, REQUEST)                                                                                 \
    X(KEY_FUNCTION_NOT_PERMITTED, 0x68, REQUEST)                                                                       \
    X(KEY_NOT_WRAPPABLE, 0x69, REQUEST)                                                                                \
    X(KEY_UNEXTRACTABLE, 0x6a, REQUEST)                                                                                \
    X(MECHANISM_INVALID, 0x70, REQUEST)                                                                                \
    X(MECHANISM_PARAM_INVALID, 0x71, REQUEST)                                                                          \
    X(OBJECT_HANDLE_INVALID, 0x82, SESSION)                                                                            \
    X(OPERATION_ACTIVE, 0x90, TOKEN)                                                                                   \
    X(OPERATION_NOT_INITIALIZED, 0x91, TOKEN)                                                                          \
    X(PIN_INCORRECT, 0xa0, PIN)                                                                                        \
    X(PIN_INVALID, 0xa1, PIN)                                                                                          \
    X(PIN_LEN_RANGE, 0xa2, PIN)                                                                                        \
    X(PIN_EXPIRED, 0xa3, PIN)                                                                                          \
    X(PIN_LOCKED, 0xa4, PIN)                                                                                           \
    X(SESSION_CLOSED, 0xb0, SESSION)                                                                                   \
    X(SESSION_COUNT, 0xb1, TOKEN)                                                                                      \
    X(SESSION_HANDLE_INVALID, 0xb3, SESSION)                                                                           \
    X(SESSION_PARALLEL_NOT_SUPPORTED, 0xb4, TOKEN)                                                                     \
    X(SESSION_READ_ONLY, 0xb5, REQUEST)                                                                                \
    X(SESSION_EXISTS, 0xb6, TOKEN)                                                                                     \
    X(SESSION_READ_ONLY_EXISTS, 0xb7, TOKEN)                                                                           \
    X(SESSION_READ_WRITE_SO_EXISTS, 0xb8, TOKEN)                                                                       \
    X(SIGNATURE_INVALID, 0xc0, REQUEST)                                                                                \
    X(SIGNATURE_LEN_RANGE, 0xc1, REQUEST)                                                                              \
    X(TEMPLATE_INCOMPLETE, 0xd0, REQUEST)                                                                              \
    X(TEMPLATE_INCONSISTENT, 0xd1, REQUEST)                                                                            \
    X(TOKEN_NOT_PRESENT, 0xe0, SESSION)                                                                                \
    X(TOKEN_NOT_RECOGNIZED, 0xe1, SESSION)                                                                             \
    X(TOKEN_WRITE_PROTECTED, 0xe2, REQUEST)                                                                            \
    X(UNWRAPPING_KEY_HANDLE_INVALID, 0xf0, REQUEST)                                                                    \
    X(UNWRAPPING_KEY_SIZE_RANGE, 0xf1, REQUEST)                                                                        \
    X(UNWRAPPING_KEY_TYPE_INCONSISTENT, 0xf2, REQUEST)                                                                 \
    X(USER_ALREADY_LOGGED_IN, 0x100, FINE)                                                                             \
    X(USER_NOT_LOGGED_IN, 0x101, SESSION)                                                                              \
    X(USER_PIN_NOT_INITIALIZED, 0x102, PIN)                                                                            \
    X(USER_TYPE_INVALID, 0x103, TOKEN)                                                                                 \
    X(USER_ANOTHER_ALREADY_LOGGED_IN, 0x104, TOKEN)                                                                    \
    X(USER_TOO_MANY_TYPES, 0x105, TOKEN)                                                                               \
    X(WRAPPED_KEY_INVALID, 0x110, REQUEST)                                                                             \
    X(WRAPPED_KEY_LEN_RANGE, 0x112, REQUEST)                                                                           \
    X(WRAPPING_KEY_HANDLE_INVALID, 0x113, REQUEST)                                                                     \
    X(WRAPPING_KEY_SIZE_RANGE, 0x114, REQUEST)                                                                         \
    X(WRAPPING_KEY_TYPE_INCONSISTENT, 0x115, REQUEST)                                                                  \
    X(RANDOM_SEED_NOT_SUPPORTED, 0x120, REQUEST)                                                                       \
    X(RANDOM_NO_RNG, 0x121, TOKEN)                                                                                     \
    X(DOMAIN_PARAMS_INVALID, 0x130, REQUEST)                                                                           \
    X(CURVE_NOT_SUPPORTED, 0x140, REQUEST)                                                                             \
    X(BUFFER_TOO_SMALL, 0x150, REQUEST)                                                                                \
    X(SAVED_STATE_INVALID, 0x160, REQUEST)                                                                             \
    X(INFORMATION_SENSITIVE, 0x170, REQUEST)                                                                           \
    X(STATE_UNSAVEABLE, 0x180, REQUEST)                                                                                \
    X(CRYPTOKI_NOT_INITIALIZED, 0x190, SESSION)                                                                        \
    X(CRYPTOKI_ALREADY_INITIALIZED, 0x191, TOKEN)                                                                      \
    X(MUTEX_BAD, 0x1a0, TOKEN)                                                                                         \
    X(MUTEX_NOT_LOCKED, 0x1a1, TOKEN)                                                                                  \
    X(NEW_PIN_MODE, 0x1b0, TOKEN)                                                                                      \
    X(NEXT_OTP, 0x1b1, TOKEN)                                                                                          \
    X(EXCEEDED_MAX_ITERATIONS, 0x1b5, TOKEN)                                                                           \
    X(FIPS_SELF_TEST_FAILED, 0x1b6, TOKEN)                                                                             \
    X(LIBRARY_LOAD_FAILED, 0x1b7, TOKEN)                                                                               \
    X(PIN_TOO_WEAK, 0x1b8, PIN)                                                                                        \
    X(PUBLIC_KEY_INVALID, 0x1b9, REQUEST)                                                                              \
    X(FUNCTION_REJECTED, 0x200, REQUEST)                                                                               \
    X(TOKEN_RESOURCE_EXCEEDED, 0x201, TOKEN)                                                                           \
    X(OPERATION_CANCEL_FAILED, 0x202, TOKEN)                                                                           \
    X(KEY_EXHAUSTED, 0x203, REQUEST)

/* Not in the list: TOKENS_CKR_TOKEN. */
enum tokens_ckr_about tokens_ckr_about(CK_RV rv);
/* The token has lost what was had of it, or does not work: the next session, or the next moment, may do. */
bool tokens_ckr_may_pass(CK_RV rv);

/* "CKR_DEVICE_REMOVED"; vendors' codes are all "CKR_VENDOR_DEFINED". */
const char *tokens_ckr_name(CK_RV rv);

/* "CKR_DEVICE_REMOVED (0x32)", "CKR_VENDOR_DEFINED (0x80000113)". Returns `text`. */
enum { TOKENS_CKR_TEXT_SIZE = 64 };
const char *tokens_ckr_text(CK_RV rv, char text[TOKENS_CKR_TEXT_SIZE]);

#endif
