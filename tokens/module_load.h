/* tokens/module_load.h: a PKCS#11 module as a thing to hold, for those who look at nothing in it.
 *
 * Apart from tokens/module.h, whose PKCS#11 header and NSS's cannot be included together. */
#ifndef YETT_TOKENS_MODULE_LOAD_H
#define YETT_TOKENS_MODULE_LOAD_H

struct tokens_module;

/* Load a module. NULL with a sentence in *error. */
struct tokens_module *tokens_module_load(const char *path, char **error);
/* The same, with a string for C_Initialize(), as NSS's own token wants it: lent while the module is loaded. */
struct tokens_module *tokens_module_load_with(const char *path, const char *parameters, char **error);
void tokens_module_unload(struct tokens_module **module);

#endif
