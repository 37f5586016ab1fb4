/* The functions of PKCS #11 that the module has no use for. One stub for each: calling through another type would be
 * undefined. NSS asks C_GetMechanismInfo() first, and does itself what is missing. */
#include "tokens/accelerator/cryptoki.h"

#define UNSUPPORTED(name, ...)                                                                                         \
    CK_RV name(__VA_ARGS__)                                                                                            \
    {                                                                                                                  \
        return CKR_FUNCTION_NOT_SUPPORTED;                                                                             \
    }

/* Parameters with their types. NOLINTBEGIN(bugprone-macro-parentheses) */
#define UNUSED      __attribute__((unused))
#define SESSION     CK_SESSION_HANDLE s UNUSED
#define IN_BYTES(n) CK_BYTE *in##n UNUSED, CK_ULONG in_size##n UNUSED
#define OUT_BYTES   CK_BYTE *out UNUSED, CK_ULONG *out_size UNUSED
#define PARAMETER   void *parameter UNUSED, CK_ULONG parameter_size UNUSED
#define FLAGS       CK_FLAGS flags UNUSED
#define MECHANISM   CK_MECHANISM *m UNUSED, CK_OBJECT_HANDLE key UNUSED
#define TEXT(n)     CK_UTF8CHAR *text##n UNUSED, CK_ULONG text_size##n UNUSED
/* NOLINTEND(bugprone-macro-parentheses) */

UNSUPPORTED(C_InitToken, CK_SLOT_ID slot UNUSED, TEXT(1), CK_UTF8CHAR *label UNUSED)
UNSUPPORTED(C_InitPIN, SESSION, TEXT(1))
UNSUPPORTED(C_SetPIN, SESSION, TEXT(1), TEXT(2))
UNSUPPORTED(C_Login, SESSION, CK_USER_TYPE user UNUSED, TEXT(1))
UNSUPPORTED(C_LoginUser, SESSION, CK_USER_TYPE user UNUSED, TEXT(1), TEXT(2))
UNSUPPORTED(C_Logout, SESSION)
UNSUPPORTED(C_Encrypt, SESSION, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(C_EncryptUpdate, SESSION, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(C_EncryptFinal, SESSION, OUT_BYTES)
UNSUPPORTED(C_Decrypt, SESSION, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(C_DecryptUpdate, SESSION, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(C_DecryptFinal, SESSION, OUT_BYTES)
UNSUPPORTED(C_SignRecoverInit, SESSION, MECHANISM)
UNSUPPORTED(C_SignRecover, SESSION, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(C_VerifyRecoverInit, SESSION, MECHANISM)
UNSUPPORTED(C_VerifyRecover, SESSION, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(C_DigestEncryptUpdate, SESSION, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(C_DecryptDigestUpdate, SESSION, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(C_SignEncryptUpdate, SESSION, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(C_DecryptVerifyUpdate, SESSION, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(C_WaitForSlotEvent, FLAGS, CK_SLOT_ID *slot UNUSED, void *reserved UNUSED)
UNSUPPORTED(C_EncryptMessageBegin, SESSION, PARAMETER, IN_BYTES(1))
UNSUPPORTED(C_EncryptMessageNext, SESSION, PARAMETER, IN_BYTES(1), OUT_BYTES, FLAGS)
UNSUPPORTED(C_DecryptMessageBegin, SESSION, PARAMETER, IN_BYTES(1))
UNSUPPORTED(C_DecryptMessageNext, SESSION, PARAMETER, IN_BYTES(1), OUT_BYTES, FLAGS)
UNSUPPORTED(C_MessageSignInit, SESSION, MECHANISM)
UNSUPPORTED(C_SignMessage, SESSION, PARAMETER, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(C_SignMessageBegin, SESSION, PARAMETER)
UNSUPPORTED(C_SignMessageNext, SESSION, PARAMETER, IN_BYTES(1), OUT_BYTES)
UNSUPPORTED(C_MessageSignFinal, SESSION)
UNSUPPORTED(C_MessageVerifyInit, SESSION, MECHANISM)
UNSUPPORTED(C_VerifyMessage, SESSION, PARAMETER, IN_BYTES(1), IN_BYTES(2))
UNSUPPORTED(C_VerifyMessageBegin, SESSION, PARAMETER)
UNSUPPORTED(C_VerifyMessageNext, SESSION, PARAMETER, IN_BYTES(1), IN_BYTES(2))
UNSUPPORTED(C_MessageVerifyFinal, SESSION)

/* There are ciphers, but for messages only: so it is the mechanism that is not for this. pkcs11-tool --test goes on
 * then. */
CK_RV C_EncryptInit(SESSION, MECHANISM)
{
    return CKR_MECHANISM_INVALID;
}

CK_RV C_DecryptInit(SESSION, MECHANISM)
{
    return CKR_MECHANISM_INVALID;
}

/* PKCS #11 section 5.20: these answer so, whatever they are asked. */
CK_RV C_GetFunctionStatus(SESSION)
{
    return CKR_FUNCTION_NOT_PARALLEL;
}

CK_RV C_CancelFunction(SESSION)
{
    return CKR_FUNCTION_NOT_PARALLEL;
}
