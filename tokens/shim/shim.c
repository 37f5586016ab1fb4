/* The NSS side of the shim: see tokens/shim/shim.h */
#include "tokens/shim/shim.h"
#include "base/elf.h"
#include "base/nss_scope.h"
#include "tokens/agent_client.h"
#include "tokens/file_keys.h"
#include "tokens/library.h"
#include "tokens/shim/shim_internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <prerror.h>
#include <secerr.h>
#include <secmod.h>
#include <stdlib.h>

enum { FIND_TIMEOUT_MS = 30000 };

/* An identity as it was found. */
struct known {
    char *uri;
    size_t agent;
    uint8_t *frame; /* owns what `identity` points to */
    struct span encoded;
    struct tokens_wire_identity identity;
    PK11SlotInfo *slot;
    bool away; /* while it is looked for */
};

/* One whose token is not there. */
struct away {
    char *uri, *reason;
};

/* NSS is process-global, and so is what it has loaded. */
static struct {
    void *library;
    shim_configure_function configure;
    shim_error_function error;
    SECMODModule *module;
    struct known *known;
    size_t known_count;
    struct away *away;
    size_t away_count;
} shim;

static bool library_open(const char *path, char **error)
{
    if (!base_elf_is_whole(path, error))
        return false;
    shim.library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (shim.library == NULL) {
        *error = base_printf("cannot load the token shim %s: %s", path, dlerror());
        return false;
    }
    /* POSIX's way round converting an object pointer to a function pointer. */
    *(void **)(&shim.configure) = dlsym(shim.library, SHIM_CONFIGURE_SYMBOL);
    *(void **)(&shim.error) = dlsym(shim.library, SHIM_ERROR_SYMBOL);
    if (shim.configure == NULL || shim.error == NULL) {
        *error = base_printf("%s is not yett's token shim", path);
        return false;
    }
    return true;
}

/* The agents, as they are asked for the identities. */
struct finder {
    const struct tokens_shim_options *options;
    struct agent_client **clients;
    bool *down;    /* did not answer: not asked again, each would cost a timeout */
    char *reasons; /* why the URI at hand was not found */
};

static void add_reason(struct finder *finder, const struct tokens_shim_module *module, struct span text)
{
    char *reasons =
        module->file_keys
            ? base_printf("%.*s", (int)text.size, (const char *)text.data) /* there is no other */
            : base_printf("%s%smodule %s: %.*s", finder->reasons == NULL ? "" : finder->reasons,
                          finder->reasons == NULL ? "" : "; ", module->name, (int)text.size, (const char *)text.data);

    free(finder->reasons);
    finder->reasons = reasons;
}

enum found { FOUND_NO, FOUND_YES, FOUND_AMBIGUOUS, FOUND_AWAY };

/* Whether the same question may have another answer once the token is there, works, or is logged in. */
static bool may_pass(enum tokens_wire_failure failure)
{
    return failure == TOKENS_WIRE_GONE || failure == TOKENS_WIRE_LOGIN || failure == TOKENS_WIRE_TIMEOUT ||
           failure == TOKENS_WIRE_QUEUE_FULL;
}

/* One URI, one module. */
static enum found find_in(struct finder *finder, size_t agent, const char *uri, struct known *known)
{
    const struct tokens_shim_module *module = &finder->options->modules[agent];
    struct tokens_wire_request request = {.type = TOKENS_WIRE_FIND, .uri = span_of_string(uri)};
    struct tokens_wire_reply reply;
    struct tokens_wire_identity identity;
    uint8_t *frame = NULL;
    enum agent_client_status status = AGENT_CLIENT_TIMEOUT;
    enum found found = FOUND_NO;

    if (!finder->down[agent])
        status = agent_client_call(finder->clients[agent], &request, FIND_TIMEOUT_MS, &reply, &frame);
    if (status != AGENT_CLIENT_OK) {
        finder->down[agent] = true;
        add_reason(finder, module, span_of_string(agent_client_status_text(status)));
        return FOUND_AWAY;
    }
    if (reply.type == TOKENS_WIRE_FOUND && tokens_wire_identity_decode(reply.identity, &identity) == TOKENS_WIRE_OK) {
        if (known->frame != NULL) {
            add_reason(finder, module, span_of_string("a key matches, and so does one in another module"));
            found = FOUND_AMBIGUOUS;
        } else {
            known->agent = agent;
            known->frame = SCOPE_TAKE(frame);
            known->encoded = reply.identity;
            known->identity = identity;
            found = FOUND_YES;
        }
    } else if (reply.type == TOKENS_WIRE_FAILED) {
        add_reason(finder, module, reply.text);
        found = reply.failure == TOKENS_WIRE_AMBIGUOUS ? FOUND_AMBIGUOUS
                : may_pass(reply.failure)              ? FOUND_AWAY
                                                       : FOUND_NO;
    } else {
        add_reason(finder, module, span_of_string(agent_client_status_text(AGENT_CLIENT_BAD_REPLY)));
    }
    free(frame);
    return found;
}

/* Exactly one key in all modules, or that of a file, which one agent alone may be asked for. A module that cannot be
 * asked does not stand in the way of a key found elsewhere. */
static bool find_everywhere(struct finder *finder, const char *name, struct known *known, char **error)
{
    bool file_key = tokens_file_key_is(known->uri);
    char quoted[BASE_QUOTE_SIZE];
    bool ambiguous = false, away = false;

    if (strstr(known->uri, "pin-value") != NULL) {
        /* Not sent anywhere, and not quoted back: there is a PIN in it. */
        *error = base_strdup("a PKCS#11 URI with pin-value is not accepted: a PIN does not belong in a URI");
        return false;
    }
    for (size_t i = 0; i < finder->options->module_count; i++) {
        enum found found = FOUND_NO;

        if (finder->options->modules[i].file_keys == file_key)
            found = find_in(finder, i, known->uri, known);
        ambiguous = ambiguous || found == FOUND_AMBIGUOUS;
        away = away || found == FOUND_AWAY;
    }
    known->away = away && !ambiguous && !file_key && known->frame == NULL && finder->options->may_be_away;
    if (ambiguous || known->frame == NULL)
        *error = base_printf("%s%s: %s", file_key ? "" : "cannot use ",
                             base_quote(name, strlen(name), quoted, sizeof(quoted)),
                             finder->reasons == NULL ? "no module is configured" : finder->reasons);
    free(finder->reasons);
    finder->reasons = NULL;
    return *error == NULL;
}

/* The last one that is known is not: takes `reason`. */
static void put_away(struct known *known, char *reason)
{
    shim.away[shim.away_count++] = (struct away){.uri = known->uri, .reason = reason};
    *known = (struct known){.uri = NULL};
    shim.known_count--;
}

static bool find_identities(const struct tokens_shim_options *options, char **error)
{
    struct finder finder = {.options = options};
    bool good = true;

    finder.clients = base_alloc(options->module_count * sizeof(struct agent_client *));
    finder.down = base_alloc(options->module_count * sizeof(*finder.down));
    for (size_t i = 0; i < options->module_count; i++)
        finder.clients[i] = agent_client_create(options->modules[i].socket_path);
    shim.known = base_alloc(options->uri_count * sizeof(*shim.known));
    shim.away = base_alloc(options->uri_count * sizeof(*shim.away));
    for (size_t index = 0; good && index < options->uri_count; index++) {
        struct known *known = &shim.known[shim.known_count++];

        known->uri = base_strdup(options->uris[index]);
        good = find_everywhere(&finder, options->names == NULL ? known->uri : options->names[index], known, error);
        if (known->away) {
            good = true;
            put_away(known, *error);
            *error = NULL;
            continue;
        }
        if (!good && options->failed != NULL)
            *options->failed = index;
    }
    for (size_t i = 0; i < options->module_count; i++)
        agent_client_destroy(&finder.clients[i]);
    free(finder.clients);
    free(finder.down);
    return good;
}

static bool configure(const struct tokens_shim_options *options, char **error)
{
    struct shim_agent *agents = base_alloc(options->module_count * sizeof(*agents));
    struct shim_identity *identities = base_alloc(shim.known_count * sizeof(*identities));
    struct shim_config config = {.agents = agents,
                                 .agent_count = options->module_count,
                                 .identities = identities,
                                 .identity_count = shim.known_count};
    bool good;

    for (size_t i = 0; i < options->module_count; i++)
        agents[i] = (struct shim_agent){.socket_path = options->modules[i].socket_path,
                                        .sign_timeout_ms = options->modules[i].sign_timeout_ms};
    for (size_t i = 0; i < shim.known_count; i++)
        identities[i] = (struct shim_identity){
            .uri = shim.known[i].uri, .agent = shim.known[i].agent, .encoded = shim.known[i].encoded};
    good = shim.configure(&config);
    if (!good)
        *error = base_printf("the token shim refuses its configuration (at most %d identities)", SHIM_IDENTITIES_MAX);
    free(agents);
    free(identities);
    return good;
}

/* A value of NSS's module specification, in double quotes. */
static char *spec_quote(const char *text)
{
    char *out = base_alloc(2 * strlen(text) + 3);
    size_t used = 0;

    out[used++] = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            out[used++] = '\\';
        out[used++] = *text;
    }
    out[used] = '"';
    return out;
}

static bool load_into_nss(const char *path, char **error)
{
    char *quoted = spec_quote(path);
    char *spec = base_printf("library=%s name=\"yett tokens\"", quoted);
    PRErrorCode why;

    shim.module = SECMOD_LoadUserModule(spec, NULL, PR_FALSE);
    why = PR_GetError();
    free(spec);
    free(quoted);
    if (shim.module != NULL && shim.module->loaded)
        return true;
    *error = base_printf("NSS does not load the token shim %s (%s)", path, PR_ErrorToName(why));
    return false;
}

static bool take_slots(char **error)
{
    for (int i = 0; i < shim.module->slotCount; i++) {
        PK11SlotInfo *slot = shim.module->slots[i];
        size_t id = (size_t)PK11_GetSlotID(slot);

        if (id < shim.known_count && shim.known[id].slot == NULL)
            shim.known[id].slot = PK11_ReferenceSlot(slot);
    }
    for (size_t i = 0; i < shim.known_count; i++) {
        if (shim.known[i].slot == NULL) {
            *error = base_printf("NSS shows no slot for %s", shim.known[i].uri);
            return false;
        }
    }
    return true;
}

/* see tokens/shim/shim.h */
bool tokens_shim_start(const struct tokens_shim_options *options, char **error)
{
    char *path =
        options->library_path != NULL ? base_strdup(options->library_path) : tokens_library_find("yett-shim.so");
    bool good = false;

    assert(shim.library == NULL);
    *error = NULL;
    if (path == NULL)
        *error = base_printf("yett-shim.so is neither beside the program nor in %s", tokens_library_directory());
    else
        good = library_open(path, error) && find_identities(options, error) && configure(options, error) &&
               load_into_nss(path, error) && take_slots(error);
    free(path);
    if (!good)
        tokens_shim_stop();
    return good;
}

/* see tokens/shim/shim.h */
void tokens_shim_stop(void)
{
    for (size_t i = 0; i < shim.known_count; i++) {
        if (shim.known[i].slot != NULL)
            PK11_FreeSlot(shim.known[i].slot);
        free(shim.known[i].frame);
        free(shim.known[i].uri);
    }
    free(shim.known);
    shim.known = NULL;
    shim.known_count = 0;
    for (size_t i = 0; i < shim.away_count; i++) {
        free(shim.away[i].uri);
        free(shim.away[i].reason);
    }
    free(shim.away);
    shim.away = NULL;
    shim.away_count = 0;
    if (shim.module != NULL) {
        SECMOD_UnloadUserModule(shim.module);
        SECMOD_DestroyModule(shim.module);
        shim.module = NULL;
    }
    if (shim.configure != NULL)
        (void)shim.configure(NULL);
    if (shim.library != NULL)
        dlclose(shim.library);
    shim.library = NULL;
    shim.configure = NULL;
    shim.error = NULL;
}

/* see tokens/shim/shim.h */
const char *tokens_shim_away(const char *uri)
{
    for (size_t i = 0; i < shim.away_count; i++)
        if (strcmp(shim.away[i].uri, uri) == 0)
            return shim.away[i].reason;
    return NULL;
}

static const struct known *known_get(const char *uri)
{
    for (size_t i = 0; i < shim.known_count; i++)
        if (strcmp(shim.known[i].uri, uri) == 0)
            return &shim.known[i];
    return NULL;
}

/* see tokens/shim/shim.h */
bool tokens_shim_identity(const char *uri, CERTCertificate **cert, SECKEYPrivateKey **key, bool *pss, char **error)
{
    const struct known *known = known_get(uri);
    char quoted[BASE_QUOTE_SIZE];
    uint8_t id_bytes[SHIM_ID_MAX];
    SECItem id = {siBuffer, id_bytes, 0}, der;
    SCOPED_PRIVATE_KEY found_key = NULL;
    SCOPED_CERT found_cert = NULL;

    base_quote(uri, strlen(uri), quoted, sizeof(quoted));
    if (known == NULL) {
        *error = base_printf("%s was not named when the tokens were opened", quoted);
        return false;
    }
    id.len = (unsigned)shim_object_id(&known->identity, id_bytes);
    found_key = PK11_FindKeyByKeyID(known->slot, &id, NULL);
    if (found_key == NULL) {
        *error = base_printf("NSS does not see the key of %s (%s)", quoted, PR_ErrorToName(PR_GetError()));
        return false;
    }
    if (cert != NULL) {
        if (known->identity.cert.size == 0) {
            *error = base_printf("the token has no certificate for the key of %s", quoted);
            return false;
        }
        der = (SECItem){siDERCertBuffer, known->frame + (known->identity.cert.data - known->frame),
                        (unsigned)known->identity.cert.size};
        found_cert = PK11_FindCertFromDERCertItem(known->slot, &der, NULL);
        if (found_cert == NULL) {
            *error = base_printf("NSS does not take the certificate of %s (%s)", quoted, PR_ErrorToName(PR_GetError()));
            return false;
        }
        *cert = SCOPE_TAKE(found_cert);
    }
    *key = SCOPE_TAKE(found_key);
    *pss =
        known->identity.key_type == TOKENS_WIRE_KEY_EC || (known->identity.mechanisms & 1U << TOKENS_WIRE_RSA_PSS) != 0;
    return true;
}

/* see tokens/shim/shim.h */
const char *tokens_shim_error(void)
{
    return shim.error == NULL ? "" : shim.error();
}
