/* proxy/service/file_identities.h: what a worker gets of identity files whose private keys are with the agent of file
 * keys: the certificates, and the URI by which to ask for signatures (tokens/file_keys.h).
 *
 * The supervisor reads the files when a configuration is prepared, and writes this into a memory file for all workers
 * of that generation: a worker opens no such file, and has never had such a key. Threads: no state. */
#ifndef YETT_PROXY_SERVICE_FILE_IDENTITIES_H
#define YETT_PROXY_SERVICE_FILE_IDENTITIES_H

#include "base/span.h"

enum { FILE_IDENTITIES_BYTES_MAX = 64 * 1024 * 1024 };

struct file_identity {
    const char *path; /* as it was configured */
    const char *uri;
    const struct span *certs; /* DER, the leaf first */
    size_t cert_count;        /* at least 1 */
};

/* Append one to an open file. False with errno. */
MUST_CHECK bool file_identity_write(int fd, const struct file_identity *identity);

struct file_identities;

/* All of a file, from its beginning. NULL: it cannot be read, or is malformed. */
struct file_identities *file_identities_read(int fd);
void file_identities_destroy(struct file_identities **identities); /* NULL-safe */

size_t file_identities_count(const struct file_identities *identities); /* NULL: 0 */
const struct file_identity *file_identities_at(const struct file_identities *identities, size_t index);
/* That of a path; NULL: there is none. */
const struct file_identity *file_identities_find(const struct file_identities *identities, const char *path);

#endif
