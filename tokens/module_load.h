/* tokens/module_load.h: a PKCS#11 module as a thing to hold, for those who look at nothing in it.
 *
 * Apart from tokens/module.h, whose PKCS#11 header and NSS's cannot be included together. */
#ifndef YETT_TOKENS_MODULE_LOAD_H
#define YETT_TOKENS_MODULE_LOAD_H

#include <stdbool.h>

struct tokens_module;

struct tokens_module_settings {
    const char *parameters; /* a string for C_Initialize(), as NSS's own token wants it; copied. NULL: none */
    bool serialise;         /* one call at a time, whatever the module says of itself */
};

/* Load a module: a path from the root; or, without a folder, the name of one that p11-kit is configured for (NAME in
 * NAME.module, see tokens/p11_kit_module.h), else a file in p11-kit's folder. NULL with a sentence in *error. */
struct tokens_module *tokens_module_load(const char *path, char **error);
struct tokens_module *tokens_module_load_with(const char *path, const struct tokens_module_settings *settings,
                                              char **error);
void tokens_module_unload(struct tokens_module **module);

#endif
