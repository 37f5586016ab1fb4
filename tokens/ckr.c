/* see tokens/ckr.h */
#include "tokens/ckr.h"

#include <stdio.h>

static const struct ckr {
    CK_RV rv;
    const char *name;
    enum tokens_ckr_about about;
} list[] = {
#define CKR_ENTRY(name, number, about) {number, "CKR_" #name, TOKENS_CKR_##about},
    TOKENS_CKR_LIST(CKR_ENTRY)
#undef CKR_ENTRY
};

static const struct ckr *find(CK_RV rv)
{
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        if (list[i].rv == rv)
            return &list[i];
    return NULL;
}

/* see tokens/ckr.h */
enum tokens_ckr_about tokens_ckr_about(CK_RV rv)
{
    const struct ckr *ckr = find(rv);

    return ckr == NULL ? TOKENS_CKR_TOKEN : ckr->about;
}

/* see tokens/ckr.h */
bool tokens_ckr_may_pass(CK_RV rv)
{
    enum tokens_ckr_about about = tokens_ckr_about(rv);

    return about == TOKENS_CKR_SESSION || about == TOKENS_CKR_TOKEN;
}

/* see tokens/ckr.h */
const char *tokens_ckr_name(CK_RV rv)
{
    const struct ckr *ckr = find(rv);

    if (ckr != NULL)
        return ckr->name;
    return rv >= CKR_VENDOR_DEFINED ? "CKR_VENDOR_DEFINED" : "a CKR code without a name";
}

/* see tokens/ckr.h */
const char *tokens_ckr_text(CK_RV rv, char text[TOKENS_CKR_TEXT_SIZE])
{
    snprintf(text, TOKENS_CKR_TEXT_SIZE, "%s (0x%lx)", tokens_ckr_name(rv), (unsigned long)rv);
    return text;
}
