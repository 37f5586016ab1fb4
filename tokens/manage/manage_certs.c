/* Certificates for a trust store, without an agent: see tokens/manage/manage.h */
#include "tokens/manage/manage.h"
#include "tokens/manage/manage_session.h"

#include <stdlib.h>

static bool read_list(struct manage_session *session, const char *uri, struct tokens_cert_list *list, char **error)
{
    CK_RV rv = tokens_cert_list_read(session->module, session->handle, list);

    if (rv != CKR_OK) {
        *error = manage_ckr_error("the token does not list its certificates", rv);
        return false;
    }
    tokens_cert_list_select(session->module, session->handle, session->uri, list);
    if (list->cut)
        *error = base_printf("the token has %d certificates or more", TOKENS_OBJECTS_MAX);
    else if (list->count == 0)
        *error = base_printf("no certificate that can be read without login matches %s", uri);
    return *error == NULL;
}

/* see tokens/manage/manage.h */
bool tokens_certs_of(struct tokens_module *module, const char *uri,
                     bool (*take)(void *ctx, struct span der, char **error), void *ctx, char **error)
{
    struct manage_session session;
    struct tokens_cert_list list = {.count = 0};
    bool good = manage_session_open(&session, module, uri, MANAGE_READ_ONLY, NULL, error);

    if (good)
        *error = tokens_cert_uri_problem(session.uri, uri);
    good = good && *error == NULL && read_list(&session, uri, &list, error);
    for (size_t i = 0; good && i < list.count; i++)
        good = take(ctx, tokens_bytes_span(&list.certs[i].der), error);
    tokens_cert_list_clear(&list);
    manage_session_clear(&session);
    return good;
}
