/* Changing a PIN: see tokens/manage/manage.h */
#include "tokens/manage/manage.h"
#include "tokens/manage/manage_session.h"

/* see tokens/manage/manage.h */
bool tokens_has_key_pad(struct tokens_module *module, const char *token_uri, bool *key_pad, char **error)
{
    struct manage_session session;
    bool found = manage_session_find(&session, module, token_uri, MANAGE_READ_WRITE, error);

    *key_pad = found && (session.info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
    manage_session_clear(&session);
    return found;
}

static char *refusal(const CK_TOKEN_INFO *info, CK_RV rv)
{
    if (rv == CKR_PIN_LEN_RANGE)
        return base_printf("the token does not change its PIN: CKR_PIN_LEN_RANGE, it wants %lu to %lu characters",
                           info->ulMinPinLen, info->ulMaxPinLen);
    return manage_ckr_error("the token does not change its PIN", rv);
}

/* see tokens/manage/manage.h */
bool tokens_set_pin(struct tokens_module *module, const char *token_uri, const struct tokens_pin *pin,
                    const struct tokens_pin *new_pin, char **error)
{
    struct manage_session session;
    const char *old_text = pin == NULL ? NULL : tokens_pin_text(pin);
    const char *new_text = new_pin == NULL ? NULL : tokens_pin_text(new_pin);
    CK_RV rv = CKR_GENERAL_ERROR;

    /* Logging in first says what is the matter with the old PIN, with the checks that go before a try. */
    if (manage_session_open(&session, module, token_uri, MANAGE_READ_WRITE, pin, error)) {
        rv = module->p11->C_SetPIN(session.handle, (unsigned char *)(uintptr_t)old_text,
                                   old_text == NULL ? 0 : strlen(old_text), (unsigned char *)(uintptr_t)new_text,
                                   new_text == NULL ? 0 : strlen(new_text));
        if (rv != CKR_OK)
            *error = refusal(&session.info, rv);
    }
    manage_session_clear(&session);
    return rv == CKR_OK;
}
