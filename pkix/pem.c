/* see pkix/pem.h */
#include "pkix/pem.h"
#include "base/file.h"
#include "pkix/der.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

const struct base_pem_file pkix_pem_certificates = {BASE_PEM_CERTIFICATE, 0, "certificates", false};
const struct base_pem_file pkix_pem_chain = {BASE_PEM_CERTIFICATE, BASE_PEM_KEY | BASE_PEM_PARAMETERS, "certificates",
                                             false};
const struct base_pem_file pkix_pem_crls = {BASE_PEM_CRL, 0, "CRLs", false};

bool pkix_file_read(const char *path, uint8_t **data, size_t *size, char **error)
{
    return base_file_read(path, BASE_FILE_TRUSTED, PKIX_FILE_SIZE_MAX, data, size, NULL, error);
}

struct visiting {
    const char *path;
    pkix_pem_visit *visit;
    void *ctx;
};

static bool visit_block(void *ctx, const struct base_pem_block *block, char **error)
{
    const struct visiting *v = ctx;
    char *origin = base_printf("%s:%u: %s %zu", v->path, block->line,
                               block->kind == BASE_PEM_CERTIFICATE ? "certificate" : "CRL", block->number);
    bool good = v->visit(v->ctx, block->der, origin, error);

    free(origin);
    return good;
}

bool pkix_pem_each(struct span text, const struct base_pem_file *file, const char *path, pkix_pem_visit *visit,
                   void *ctx, size_t *count, char **error)
{
    struct visiting v = {path, visit, ctx};

    return base_pem_each(text, path, file, visit_block, &v, count, error);
}

/* A DER file is one SEQUENCE and nothing else. */
static bool is_der(struct span bytes)
{
    struct der d = der_over(bytes, DER_LARGE);
    struct span whole;

    return der_read_whole(&d, ASN1_SEQUENCE, &whole) == PKIX_OK && der_at_end(&d);
}

static bool each_in_file(const char *path, const struct base_pem_file *file, pkix_pem_visit *visit, void *ctx,
                         size_t *count, char **error)
{
    uint8_t *data;
    size_t size;
    bool ok;

    if (!pkix_file_read(path, &data, &size, error))
        return false;
    if (is_der(span_of(data, size))) {
        *count = 1;
        ok = visit(ctx, span_of(data, size), path, error);
    } else {
        ok = pkix_pem_each(span_of(data, size), file, path, visit, ctx, count, error);
    }
    free(data);
    return ok;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_for_both(const char *ending)
{
    return strcmp(ending, ".pem") == 0 || strcmp(ending, ".der") == 0;
}

/* HASH.0 and HASH.r0 are the names that OpenSSL's rehash makes. */
static int has_certificates(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL &&
           (is_for_both(dot) || strcmp(dot, ".crt") == 0 || strcmp(dot, ".cer") == 0 ||
            (is_digit(dot[1]) && dot[2] == '\0'));
}

static int has_crls(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL &&
           (is_for_both(dot) || strcmp(dot, ".crl") == 0 || (dot[1] == 'r' && is_digit(dot[2]) && dot[3] == '\0'));
}

static bool each_in_folder(const char *path, const struct base_pem_file *file, pkix_pem_visit *visit, void *ctx,
                           char **error)
{
    /* In a folder, lists and certificates of one authority may lie side by side. */
    struct base_pem_file each = {file->take, file->pass | BASE_PEM_CERTIFICATE | BASE_PEM_CRL, file->what, true};
    struct dirent **entries = NULL;
    int entry_count = scandir(path, &entries, file->take & BASE_PEM_CRL ? has_crls : has_certificates, alphasort);
    size_t total = 0;
    bool ok = entry_count >= 0;

    if (!ok) {
        char *why = base_file_why(path, errno);

        *error = base_printf("%s: cannot be read: %s", path, why);
        free(why);
    }
    for (int i = 0; i < entry_count; i++) {
        char *name = base_printf("%s/%s", path, entries[i]->d_name);
        size_t count = 0;

        ok = ok && each_in_file(name, &each, visit, ctx, &count, error);
        total += count;
        free(name);
        free(entries[i]);
    }
    free(entries);
    if (ok && total == 0) {
        *error = base_printf("%s: no file in it has %s", path, file->what);
        ok = false;
    }
    return ok;
}

bool pkix_pem_each_path(const char *path, const struct base_pem_file *file, pkix_pem_visit *visit, void *ctx,
                        char **error)
{
    struct stat info;
    size_t count = 0;

    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return each_in_file(path, file, visit, ctx, &count, error);
    return base_file_check(path, &info, BASE_FILE_TRUSTED, error) && each_in_folder(path, file, visit, ctx, error);
}
