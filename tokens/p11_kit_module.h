/* tokens/p11_kit_module.h: modules that p11-kit is configured for, by name: pkcs11.conf(5).
 *
 * NAME.module in /etc/pkcs11/modules, or else in /usr/share/p11-kit/modules, says with "module:" where NAME is, and
 * with "x-init-reserved:" what its C_Initialize() wants. We read that ourselves: p11-kit loads all that it knows of
 * where one is asked for, and a process that signs is no place for any other. What else is there (who may use it, in
 * which order, managed or not) is about programs that take whatever there is. */
#ifndef YETT_TOKENS_P11_KIT_MODULE_H
#define YETT_TOKENS_P11_KIT_MODULE_H

#include "base/base.h"

struct tokens_p11_kit_module {
    char *path;       /* as it is configured: a path, or a file in p11-kit's folder. The caller's; NULL: none is */
    char *parameters; /* likewise; NULL: none */
};

/* A name that p11-kit is not configured for has nothing, and that is no failure. false with a sentence in *error: a
 * file that cannot be used. */
MUST_CHECK bool tokens_p11_kit_module_find(const char *name, struct tokens_p11_kit_module *module, char **error);

/* The same of the file's text. */
MUST_CHECK bool tokens_p11_kit_module_read(const char *text, size_t size, struct tokens_p11_kit_module *module);

#endif
