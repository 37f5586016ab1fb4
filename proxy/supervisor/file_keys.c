/* see proxy/supervisor/file_keys.h */
#include "proxy/supervisor/file_keys.h"

#include "proxy/service/service.h"
#include "tls/identity_file.h"
#include "tokens/file_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert((int)TLS_IDENTITY_FILE_ID_SIZE == (int)TOKENS_FILE_KEY_ID_SIZE, "one id");

struct known {
    char *path;
    char uri[TOKENS_FILE_KEY_URI_SIZE];
};

struct file_keys {
    struct known *items;
    size_t count;
    int identities_fd, keys_fd;
};

/* While the files of one configuration are read. */
struct reading {
    struct file_keys *keys;
    const uint8_t *salt;
    struct config_findings *findings;
};

static int memory_file(const char *name)
{
    return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static bool seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
}

static bool keep(struct reading *r, const char *path, const struct tls_identity_file *file, char **error)
{
    struct file_keys *keys = r->keys;
    uint8_t id[TOKENS_FILE_KEY_ID_SIZE];
    struct tokens_file_key key = {
        .id = span_of(id, sizeof(id)), .leaf = file->certs[0], .pkcs8 = span_of(file->pkcs8, file->pkcs8_size)};
    struct file_identity identity = {.path = path, .certs = file->certs, .cert_count = file->cert_count};
    struct known *known;

    if (!tls_identity_file_id(file, span_of(r->salt, FILE_KEYS_SALT_SIZE), id)) {
        *error = base_strdup("NSS does not compute SHA-256");
        return false;
    }
    keys->items = base_realloc_array(keys->items, keys->count + 1, sizeof(*keys->items));
    known = &keys->items[keys->count++];
    known->path = base_strdup(path);
    tokens_file_key_uri(key.id, known->uri);
    identity.uri = known->uri;
    if (file_identity_write(keys->identities_fd, &identity) && tokens_file_key_write(keys->keys_fd, &key))
        return true;
    *error = base_printf("cannot keep it in memory: %s", strerror(errno));
    return false;
}

static void read_identity(struct reading *r, const struct config_identity *wanted)
{
    struct tls_identity_file file;
    char *error = NULL;
    bool good;

    if (wanted->type != CONFIG_IDENTITY_FILE || file_keys_uri(r->keys, wanted->value) != NULL)
        return;
    good = tls_identity_file_read(wanted->value, &file, &error);
    if (good) {
        good = keep(r, wanted->value, &file, &error);
        tls_identity_file_clear(&file);
    }
    if (!good)
        config_finding_add(r->findings, wanted->place, "identity %s: %s", wanted->text, error);
    free(error);
}

static void read_identities(struct reading *r, const struct config_identity *identities, size_t count)
{
    for (size_t i = 0; i < count; i++)
        read_identity(r, &identities[i]);
}

/* see proxy/supervisor/file_keys.h */
bool file_keys_read(const struct config *config, const uint8_t salt[FILE_KEYS_SALT_SIZE], struct file_keys **keys,
                    struct config_findings *findings)
{
    struct reading r = {.salt = salt, .findings = findings};
    size_t findings_before = findings->count;

    *keys = NULL;
    if (!services_have_file_keys_agent(config))
        return true;
    r.keys = base_alloc(sizeof(*r.keys));
    r.keys->identities_fd = memory_file("yett-identities");
    r.keys->keys_fd = memory_file("yett-file-keys");
    for (size_t i = 0; i < config->service_count; i++) {
        read_identities(&r, config->services[i].identity, config->services[i].identity_count);
        read_identities(&r, config->services[i].connect_identity, config->services[i].connect_identity_count);
    }
    if (findings->count == findings_before && (!seal(r.keys->identities_fd) || !seal(r.keys->keys_fd)))
        config_finding_add(findings, config->file_keys_place, "file_keys: cannot keep keys in memory: %s",
                           strerror(errno));
    if (findings->count > findings_before)
        file_keys_destroy(&r.keys);
    *keys = r.keys;
    return findings->count == findings_before;
}

/* see proxy/supervisor/file_keys.h */
void file_keys_destroy(struct file_keys **keys)
{
    struct file_keys *k = *keys;

    if (k == NULL)
        return;
    *keys = NULL;
    for (size_t i = 0; i < k->count; i++)
        free(k->items[i].path);
    if (k->identities_fd >= 0)
        close(k->identities_fd);
    if (k->keys_fd >= 0)
        close(k->keys_fd);
    free(k->items);
    free(k);
}

/* see proxy/supervisor/file_keys.h */
const char *file_keys_uri(const struct file_keys *keys, const char *path)
{
    for (size_t i = 0; keys != NULL && i < keys->count; i++)
        if (strcmp(keys->items[i].path, path) == 0)
            return keys->items[i].uri;
    return NULL;
}

/* see proxy/supervisor/file_keys.h */
int file_keys_identities_fd(const struct file_keys *keys)
{
    return keys == NULL ? -1 : keys->identities_fd;
}

/* Within the kernel: no byte of it comes by here. */
static bool append(int to, int from)
{
    struct stat info;
    off_t at = 0;

    if (fstat(from, &info) != 0)
        return false;
    while (at < info.st_size) {
        ssize_t sent = sendfile(to, from, &at, (size_t)(info.st_size - at));

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
    }
    return true;
}

/* see proxy/supervisor/file_keys.h */
int file_keys_join(struct file_keys *const *all, size_t count)
{
    int fd = memory_file("yett-all-file-keys");
    bool good = fd >= 0;

    for (size_t i = 0; i < count && good; i++)
        if (all[i] != NULL)
            good = append(fd, all[i]->keys_fd);
    if (good && seal(fd))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}
