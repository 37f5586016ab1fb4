/* see tls/runtime.h */
#include "tls/runtime.h"

#include "base/nss_scope.h"
#include "tls/accelerator.h"
#include "tls/database_files.h"
#include "tls/record_slot.h"
#include "tls/runtime_internal.h"

#include <dlfcn.h>
#include <nss.h>
#include <prerror.h>
#include <prinit.h>
#include <secerr.h>
#include <secport.h>
#include <ssl.h>
#include <sslproto.h>
#include <stdlib.h>
#include <unistd.h>

/* NSS is process-global, and so is this: the one place in tls/ with state that is not passed. */
static struct {
    NSSInitContext *nss;
    struct tls_runtime_keys keys;
    struct tls_nss_calls calls;
    bool session_cache;
} runtime;

char *tls_nss_error_text(int32_t code)
{
    const char *name = PR_ErrorToName(code);
    const char *text = PR_ErrorToString(code, PR_LANGUAGE_I_DEFAULT);

    if (name == NULL)
        return base_printf("error %d", (int)code);
    return text == NULL || text[0] == '\0' ? base_strdup(name) : base_printf("%s (%s)", name, text);
}

/* One sentence: what failed, and NSS's error. Takes the error of this thread. */
bool tls_nss_fail(char **error, const char *what)
{
    char *text = tls_nss_error_text(PR_GetError());

    *error = base_printf("%s: %s", what, text);
    free(text);
    return false;
}

const struct tls_nss_calls *tls_nss_calls(void)
{
    return &runtime.calls;
}

const struct tls_runtime_keys *tls_runtime_keys(void)
{
    return &runtime.keys;
}

bool tls_runtime_has_session_cache(void)
{
    return runtime.session_cache;
}

void tls_runtime_note_session_cache(void)
{
    runtime.session_cache = true;
}

/* NSS's experimental functions are found by name; look them up once, not for each connection. `call` is a pointer to
 * function; ISO C has no cast to it from the object pointer that NSS gives. */
static bool find_call(void *call, const char *name)
{
    void *found = SSL_GetExperimentalAPI(name);

    memcpy(call, &found, sizeof(found));
    return found != NULL;
}

static bool find_calls(char **error)
{
    struct tls_nss_calls *c = &runtime.calls;

    if (find_call(&c->hello_retry_callback, "SSL_HelloRetryRequestCallback") &&
        find_call(&c->send_session_ticket, "SSL_SendSessionTicket") &&
        find_call(&c->set_time_func, "SSL_SetTimeFunc") &&
        find_call(&c->set_resumption_token, "SSL_SetResumptionToken") &&
        find_call(&c->resumption_token_callback, "SSL_SetResumptionTokenCallback") &&
        find_call(&c->secret_callback, "SSL_SecretCallback") &&
        find_call(&c->hkdf_expand_label, "SSL_HkdfExpandLabelWithMech"))
        return true;
    *error = base_printf("NSS %s lacks a function that yett needs for sessions or records", NSS_GetVersion());
    return false;
}

static bool open_nss(const struct tls_runtime_options *options, char **error)
{
    PRUint32 flags = NSS_INIT_NOMODDB | NSS_INIT_NOROOTINIT | NSS_INIT_OPTIMIZESPACE;
    char quoted[BASE_QUOTE_SIZE];
    char *what, *why = NULL;

    if (options->database != NULL && !tls_database_may_be_opened(options->database, options->database_writable, &why)) {
        *error = base_printf("cannot open the NSS database %s: %s",
                             base_quote(options->database, strlen(options->database), quoted, sizeof(quoted)), why);
        free(why);
        return false;
    }
    if (options->database == NULL)
        flags |= NSS_INIT_NOCERTDB | NSS_INIT_READONLY | NSS_INIT_FORCEOPEN;
    else if (!options->database_writable)
        flags |= NSS_INIT_READONLY;
    runtime.nss = NSS_InitContext(options->database == NULL ? "" : options->database, "", "", SECMOD_DB, NULL, flags);
    if (runtime.nss != NULL)
        return true;
    what = options->database == NULL
               ? base_strdup("cannot initialise NSS")
               : base_printf("cannot open the NSS database %s",
                             base_quote(options->database, strlen(options->database), quoted, sizeof(quoted)));
    (void)tls_nss_fail(error, what);
    free(what);
    return false;
}

/* What every socket of the process is held to, whatever its own settings say. */
static bool set_policy(char **error)
{
    if (NSS_SetDomesticPolicy() != SECSuccess)
        return tls_nss_fail(error, "cannot set the cipher policy");
    if (NSS_OptionSet(NSS_TLS_VERSION_MIN_POLICY, SSL_LIBRARY_VERSION_TLS_1_2) != SECSuccess)
        return tls_nss_fail(error, "cannot set the lowest TLS version");
    return true;
}

bool tls_runtime_start(const struct tls_runtime_options *options, char **error)
{
    char *ignored = NULL;

    assert(runtime.nss == NULL);
    if (!open_nss(options, error))
        return false;
    if (!find_calls(error) || !set_policy(error))
        goto fail;
    if (options->accelerator != NULL && !tls_accelerator_start(options->accelerator, error))
        goto fail;
    tls_record_slot_measure();
    if (options->ticket_key.size != 0 && !tls_runtime_keys_import(options->ticket_key, &runtime.keys, error))
        goto fail;
    if (options->session_cache != NULL) {
        SECStatus joined;

        /* NSPR's PR_ImportFileMapFromString() keeps the PRFileDesc of the inherited descriptor and nobody closes it. */
        base_leak_check_pause();
        joined = SSL_InheritMPServerSIDCache(options->session_cache);
        base_leak_check_resume();
        if (joined != SECSuccess) {
            (void)tls_nss_fail(error, "cannot join the session cache");
            goto fail;
        }
        runtime.session_cache = true;
    }
    if (options->ticket_key.size != 0 && !tls_wrapping_keys_make(error))
        goto fail;
    return true;

fail:
    if (!tls_runtime_stop(&ignored))
        free(ignored); /* the first error is the one that is told */
    return false;
}

bool tls_runtime_stop(char **error)
{
    NSSInitContext *nss = runtime.nss;

    assert(nss != NULL);
    SSL_ClearSessionCache();
    /* Also without a cache: this is what releases the wrapping keys. */
    (void)SSL_ShutdownServerSessionIDCache();
    tls_runtime_keys_clear(&runtime.keys);
    tls_accelerator_stop();
    runtime.session_cache = false;
    runtime.nss = NULL;
    if (NSS_ShutdownContext(nss) != SECSuccess)
        return tls_nss_fail(error, "NSS cannot be shut down, something of it is still in use");
    return true;
}

/* Debian has it in a folder of its own beside NSS; others have both in one. */
char *tls_nss_token_path(void)
{
    static const char *const folders[] = {"nss/", ""};
    static const char name[] = "libsoftokn3.so";
    Dl_info info;
    const char *slash;

    if (dladdr(dlsym(RTLD_DEFAULT, "NSS_GetVersion"), &info) == 0 || info.dli_fname == NULL)
        return NULL;
    slash = strrchr(info.dli_fname, '/');
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        char *path = base_printf("%.*s%s%s", slash == NULL ? 0 : (int)(slash + 1 - info.dli_fname), info.dli_fname,
                                 folders[i], name);

        if (access(path, R_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

const char *tls_nss_version(void)
{
    return NSS_GetVersion();
}

const char *tls_nspr_version(void)
{
    return PR_GetVersion();
}

/* see tls/runtime.h */
const char *tls_accelerator_path(void)
{
    return tls_accelerator_loaded();
}
