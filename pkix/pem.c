/* see pkix/pem.h */
#include "pkix/pem.h"
#include "pkix/der.h"
#include "base/pem.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

bool pkix_file_read(const char *path, uint8_t **data, size_t *size, char **error)
{
    FILE *file = fopen(path, "rbe");
    struct stat info;
    bool ok = false;

    *data = NULL;
    *size = 0;
    if (file == NULL || fstat(fileno(file), &info) != 0) {
        *error = base_printf("%s: cannot be opened: %s", path, strerror(errno));
    } else if (S_ISDIR(info.st_mode)) {
        *error = base_printf("%s: is a directory", path);
    } else if (info.st_size > PKIX_FILE_SIZE_MAX) {
        *error = base_printf("%s: is larger than %d bytes", path, PKIX_FILE_SIZE_MAX);
    } else {
        size_t capacity = (size_t)info.st_size + 1;

        *data = base_alloc(capacity);
        *size = fread(*data, 1, capacity - 1, file);
        ok = ferror(file) == 0;
        if (!ok)
            *error = base_printf("%s: cannot be read: %s", path, strerror(errno));
    }
    if (file != NULL)
        fclose(file);
    if (!ok) {
        free(*data);
        *data = NULL;
    }
    return ok;
}

/* "CERTIFICATE" is also written "X509 CERTIFICATE". */
static bool is_label(struct span have, const char *label)
{
    static const char x509[] = "X509 ";

    if (have.size > strlen(x509) && memcmp(have.data, x509, strlen(x509)) == 0)
        have = span_skip(have, strlen(x509));
    return span_equal(have, span_of_string(label));
}

static const char *sentence_of(enum base_pem_status status)
{
    switch (status) {
    case BASE_PEM_NO_END:
        return "has no end line";
    case BASE_PEM_OTHER_END:
        return "has the end line of something else";
    case BASE_PEM_HAS_HEADERS:
        return "has headers, as only encrypted keys have";
    case BASE_PEM_BLOCK:
    case BASE_PEM_END:
        break;
    }
    return "is not base64";
}

static bool visit_block(enum base_pem_status status, struct span body, const char *origin, pkix_pem_visit *visit,
                        void *ctx, char **error)
{
    uint8_t *der = NULL;
    size_t size = 0;
    bool ok = status == BASE_PEM_BLOCK && base_pem_decode(body, &der, &size);

    if (ok)
        ok = visit(ctx, span_of(der, size), origin, error);
    else
        *error = base_printf("%s: %s", origin, sentence_of(status));
    free(der);
    return ok;
}

bool pkix_pem_each(struct span text, const char *label, const char *path, pkix_pem_visit *visit, void *ctx,
                   size_t *count, char **error)
{
    struct span have, body;
    enum base_pem_status status;
    bool ok = true;

    *count = 0;
    while (ok && (status = base_pem_next(&text, &have, &body)) != BASE_PEM_END) {
        char *origin;

        if (!is_label(have, label)) /* whatever it is, and whether it is whole */
            continue;
        ++*count;
        origin = base_printf("%s: %s %zu", path, strcmp(label, "CERTIFICATE") == 0 ? "certificate" : label, *count);
        ok = visit_block(status, body, origin, visit, ctx, error);
        free(origin);
    }
    return ok;
}

/* A DER file is one SEQUENCE and nothing else. */
static bool is_der(struct span bytes)
{
    struct der d = der_over(bytes, DER_LARGE);
    struct span whole;

    return der_read_whole(&d, ASN1_SEQUENCE, &whole) == PKIX_OK && der_at_end(&d);
}

static bool each_in_file(const char *path, const char *label, pkix_pem_visit *visit, void *ctx, size_t *count,
                         char **error)
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
        ok = pkix_pem_each(span_of(data, size), label, path, visit, ctx, count, error);
    }
    free(data);
    return ok;
}

static int is_wanted(const struct dirent *entry)
{
    static const char *const endings[] = {".pem", ".crt", ".cer", ".crl", ".der"};
    const char *dot = strrchr(entry->d_name, '.');

    if (entry->d_name[0] == '.' || dot == NULL)
        return 0;
    for (unsigned i = 0; i < ARRAY_LEN(endings); i++)
        if (strcmp(dot, endings[i]) == 0)
            return 1;
    /* The names OpenSSL's rehash makes: HASH.0 */
    return dot[1] >= '0' && dot[1] <= '9' && dot[2] == '\0';
}

static bool each_in_directory(const char *path, const char *label, pkix_pem_visit *visit, void *ctx, char **error)
{
    struct dirent **entries = NULL;
    int entry_count = scandir(path, &entries, is_wanted, alphasort);
    size_t total = 0;
    bool ok = entry_count >= 0;

    if (!ok)
        *error = base_printf("%s: cannot be read: %s", path, strerror(errno));
    for (int i = 0; i < entry_count; i++) {
        char *file = base_printf("%s/%s", path, entries[i]->d_name);
        size_t count = 0;

        ok = ok && each_in_file(file, label, visit, ctx, &count, error);
        total += count;
        free(file);
        free(entries[i]);
    }
    free(entries);
    if (ok && total == 0) {
        *error = base_printf("%s: holds no %s", path, label);
        ok = false;
    }
    return ok;
}

bool pkix_pem_each_path(const char *path, const char *label, pkix_pem_visit *visit, void *ctx, char **error)
{
    struct stat info;
    size_t count = 0;

    if (stat(path, &info) != 0) {
        *error = base_printf("%s: cannot be opened: %s", path, strerror(errno));
        return false;
    }
    if (S_ISDIR(info.st_mode))
        return each_in_directory(path, label, visit, ctx, error);
    if (!each_in_file(path, label, visit, ctx, &count, error))
        return false;
    if (count == 0)
        *error = base_printf("%s: holds no %s", path, label);
    return count != 0;
}
