/* see tls/accelerator.h */
#include "tls/accelerator.h"

#include "base/file.h"

#include <dlfcn.h>
#include <pk11pub.h>
#include <prerror.h>
#include <secmod.h>
#include <stdlib.h>

static struct {
    SECMODModule *module;
    PK11SlotInfo *slot;
    char *path;
} accelerator;

/* The families of which the module has all that a handshake wants: NSS calls them by one mechanism of each. */
static const CK_MECHANISM_TYPE families[] = {CKM_ECDSA, CKM_SHA256, CKM_SHA512};

static void put_first(void)
{
    int count;
    const PK11DefaultArrayEntry *entries = PK11_GetDefaultArray(&count);

    for (int i = 0; i < count; i++)
        for (size_t f = 0; f < ARRAY_LEN(families); f++)
            if (entries[i].mechanism == families[f])
                (void)PK11_UpdateSlotAttribute(accelerator.slot, &entries[i], PR_TRUE);
}

/* A module's specification is a list of words; a path in it is quoted. */
static char *quote(const char *text)
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

/* Whether NSS has put the slot where it was to go: a module without these mechanisms is no accelerator. */
static bool is_first(void)
{
    PK11SlotInfo *best = PK11_GetBestSlot(CKM_ECDH1_DERIVE, NULL);
    bool first = best == accelerator.slot;

    if (best != NULL)
        PK11_FreeSlot(best);
    return first;
}

/* NSS tells no more than a code of its own, so the loader is asked again: it tells which symbol or library it misses.
 */
static char *why_not_loaded(const char *path, PRErrorCode code)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *loader = library == NULL ? dlerror() : NULL, *name = PR_ErrorToName(code);
    bool is_module = library != NULL && dlsym(library, "C_GetFunctionList") != NULL;
    char *why;

    if (loader != NULL)
        why = base_strdup(loader);
    else if (!is_module)
        why = base_strdup("it has no C_GetFunctionList");
    else if (code == 0)
        why = base_strdup("it has not one slot, but none or several");
    else
        why = base_printf("%s", name == NULL ? "it does not start" : name);
    if (library != NULL)
        dlclose(library);
    return why;
}

bool tls_accelerator_start(const char *path, char **error)
{
    char *quoted, *spec;

    assert(accelerator.module == NULL);
    if (PK11_IsFIPS())
        return true;
    if (!base_file_check_program(path, error))
        return false;
    quoted = quote(path);
    spec = base_printf("library=%s name=\"yett accelerator\"", quoted);
    PR_SetError(0, 0);
    accelerator.module = SECMOD_LoadUserModule(spec, NULL, PR_FALSE);
    if (accelerator.module == NULL || !accelerator.module->loaded || accelerator.module->slotCount != 1) {
        char *why = why_not_loaded(path, PR_GetError());

        *error = base_printf("NSS does not load the accelerator %s: %s; it must be a PKCS #11 module with one slot",
                             path, why);
        free(why);
    }
    free(spec);
    free(quoted);
    if (*error == NULL) {
        accelerator.slot = PK11_ReferenceSlot(accelerator.module->slots[0]);
        accelerator.path = base_strdup(path);
        put_first();
        if (is_first())
            return true;
        *error = base_printf("%s is no accelerator: it lacks CKM_ECDH1_DERIVE and others", path);
    }
    tls_accelerator_stop();
    return false;
}

void tls_accelerator_stop(void)
{
    if (accelerator.slot != NULL)
        PK11_FreeSlot(accelerator.slot);
    /* NSS's lists hold the slot until NSS is shut down, and unloads the module then: taking a slot off them again
     * leaves a reference behind (PK11_UpdateSlotAttribute()). */
    if (accelerator.module != NULL)
        SECMOD_DestroyModule(accelerator.module);
    free(accelerator.path);
    memset(&accelerator, 0, sizeof(accelerator));
}

PK11SlotInfo *tls_accelerator_slot(void)
{
    return accelerator.slot;
}

const char *tls_accelerator_loaded(void)
{
    return accelerator.path;
}
