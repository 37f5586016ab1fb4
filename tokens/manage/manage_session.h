/* tokens/manage/manage_session.h: finding a token by URI and logging in, for "yett token". */
#ifndef YETT_TOKENS_MANAGE_MANAGE_SESSION_H
#define YETT_TOKENS_MANAGE_MANAGE_SESSION_H

#include "tokens/key.h"
#include "tokens/manage/manage.h"
#include "tokens/module.h"

struct manage_session {
    struct tokens_module *module;
    P11KitUri *uri;
    CK_SLOT_ID slot;
    CK_TOKEN_INFO info;
    CK_SESSION_HANDLE handle;
};

enum manage_mode { MANAGE_READ_ONLY, MANAGE_READ_WRITE };

/* Exactly one token must match; `handle` is CK_INVALID_HANDLE. Clear in any case. */
MUST_CHECK bool manage_session_find(struct manage_session *session, struct tokens_module *module, const char *uri,
                                    enum manage_mode mode, char **error);

/* Exactly one token must match; then a session, logged in when there is a PIN or the token has a key pad. A token whose
 * PIN is locked, or that has one try left, is refused by name. Clear in any case. */
MUST_CHECK bool manage_session_open(struct manage_session *session, struct tokens_module *module, const char *uri,
                                    enum manage_mode mode, const struct tokens_pin *pin, char **error);
void manage_session_clear(struct manage_session *session);

/* Exactly one private key matches the URI's object and id. */
MUST_CHECK bool manage_session_key(struct manage_session *session, struct tokens_key *key, char **error);

/* "WHAT: CKR_..., a sentence" */
char *manage_ckr_error(const char *what, CK_RV rv);

#endif
