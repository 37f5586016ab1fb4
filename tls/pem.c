/* see tls/pem.h */
#include "tls/pem.h"

#include <stdlib.h>

const struct base_pem_file tls_pem_identity = {
    .take = BASE_PEM_CERTIFICATE | BASE_PEM_KEY,
    .pass = BASE_PEM_PARAMETERS,
    .what = "a certificate, those of its issuers, and its private key",
};
const struct base_pem_file tls_pem_certificates = {
    .take = BASE_PEM_CERTIFICATE,
    .pass = BASE_PEM_KEY | BASE_PEM_PARAMETERS,
    .what = "certificates",
};
const struct base_pem_file tls_pem_keys = {
    .take = BASE_PEM_KEY,
    .pass = BASE_PEM_CERTIFICATE | BASE_PEM_PARAMETERS,
    .what = "a private key",
};
const struct base_pem_file tls_pem_request = {.take = BASE_PEM_REQUEST, .what = "a certificate request"};

struct list {
    struct tls_pem *pem;
    const char *name;
};

static bool take_block(void *ctx, const struct base_pem_block *block, char **error)
{
    const struct list *list = ctx;
    struct tls_pem *pem = list->pem;
    struct tls_pem_block taken = {.kind = block->kind, .line = block->line, .size = block->der.size};

    if (pem->count == TLS_PEM_BLOCKS_MAX) {
        *error = base_printf("%s:%u: more than %d PEM blocks", list->name, block->line, TLS_PEM_BLOCKS_MAX);
        return false;
    }
    memcpy(taken.label, block->label.data, block->label.size);
    taken.der = base_memdup(block->der.data, block->der.size);
    pem->blocks = base_realloc_array(pem->blocks, pem->count + 1, sizeof(*pem->blocks));
    pem->blocks[pem->count++] = taken;
    return true;
}

bool tls_pem_parse(struct span text, const struct base_pem_file *file, const char *name, struct tls_pem *pem,
                   char **error)
{
    struct list list = {pem, name};

    *pem = (struct tls_pem){.blocks = NULL};
    if (base_pem_each(text, name, file, take_block, &list, NULL, error))
        return true;
    tls_pem_clear(pem);
    return false;
}

static bool has_key(const struct tls_pem *pem)
{
    for (size_t i = 0; i < pem->count; i++)
        if (pem->blocks[i].kind == BASE_PEM_KEY)
            return true;
    return false;
}

bool tls_pem_read_file(const char *path, const struct base_pem_file *file, enum base_file_access access,
                       struct tls_pem *pem, char **error)
{
    struct stat info;
    uint8_t *data;
    size_t size;
    bool ok;

    *pem = (struct tls_pem){.blocks = NULL};
    if (!base_file_read(path, BASE_FILE_ANY, TLS_PEM_FILE_MAX, &data, &size, &info, error))
        return false;
    ok = tls_pem_parse(span_of(data, size), file, path, pem, error);
    base_wipe(data, size);
    free(data);
    if (ok && access == BASE_FILE_KEY && !has_key(pem))
        access = BASE_FILE_TRUSTED;
    ok = ok && base_file_check(path, &info, access, error);
    if (!ok)
        tls_pem_clear(pem);
    return ok;
}

void tls_pem_clear(struct tls_pem *pem)
{
    for (size_t i = 0; i < pem->count; i++) {
        base_wipe(pem->blocks[i].der, pem->blocks[i].size);
        free(pem->blocks[i].der);
    }
    free(pem->blocks);
    *pem = (struct tls_pem){.blocks = NULL};
}
