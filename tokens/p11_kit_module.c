/* see tokens/p11_kit_module.h */
#include "tokens/p11_kit_module.h"

#include "base/file.h"
#include "base/span.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { MODULE_FILE_MAX = 64 * 1024 };

static struct span trimmed(struct span text)
{
    while (text.size > 0 && strchr(" \t\r", text.data[0]) != NULL)
        text = span_of(text.data + 1, text.size - 1);
    while (text.size > 0 && strchr(" \t\r", text.data[text.size - 1]) != NULL)
        text.size--;
    return text;
}

/* The first value counts, as p11-kit has it. */
static void take(const char *wanted, struct span key, struct span value, char **to)
{
    if (*to == NULL && value.size > 0 && span_equal(key, span_of_string(wanted)))
        *to = base_strndup((const char *)value.data, value.size);
}

static void read_line(struct span line, struct tokens_p11_kit_module *module)
{
    const uint8_t *colon;

    line = trimmed(line);
    if (line.size == 0 || line.data[0] == '#')
        return;
    colon = memchr(line.data, ':', line.size);
    if (colon == NULL)
        return;
    for (unsigned i = 0; i < 2; i++)
        take(i == 0 ? "module" : "x-init-reserved", trimmed(span_of(line.data, (size_t)(colon - line.data))),
             trimmed(span_of(colon + 1, line.size - (size_t)(colon + 1 - line.data))),
             i == 0 ? &module->path : &module->parameters);
}

/* see tokens/p11_kit_module.h */
bool tokens_p11_kit_module_read(const char *text, size_t size, struct tokens_p11_kit_module *module)
{
    *module = (struct tokens_p11_kit_module){.path = NULL};
    if (memchr(text, '\0', size) != NULL)
        return false;
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t line = end == NULL ? size : (size_t)(end - text);

        read_line(span_of(text, line), module);
        text += line + (end == NULL ? 0 : 1);
        size -= line + (end == NULL ? 0 : 1);
    }
    if (module->path != NULL)
        return true;
    free(module->parameters);
    module->parameters = NULL;
    return false;
}

static bool read_file(const char *path, struct tokens_p11_kit_module *module, char **error)
{
    uint8_t *text;
    size_t size;
    bool good;

    /* It says which code is loaded. */
    if (!base_file_read(path, BASE_FILE_TRUSTED, MODULE_FILE_MAX, &text, &size, NULL, error))
        return false;
    good = tokens_p11_kit_module_read((const char *)text, size, module);
    free(text);
    if (!good)
        *error = base_printf("%s: it names no module (\"module: PATH\")", path);
    return good;
}

/* see tokens/p11_kit_module.h */
bool tokens_p11_kit_module_find(const char *name, struct tokens_p11_kit_module *module, char **error)
{
    static const char *const folders[] = {"/etc/pkcs11/modules", "/usr/share/p11-kit/modules"};
    bool good = true;

    *module = (struct tokens_p11_kit_module){.path = NULL};
    for (size_t i = 0; i < ARRAY_LEN(folders) && good && module->path == NULL; i++) {
        char *path = base_printf("%s/%s.module", folders[i], name);

        if (access(path, F_OK) == 0)
            good = read_file(path, module, error);
        free(path);
    }
    return good;
}
