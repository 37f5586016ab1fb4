/* proxy/supervisor/file_keys.h: identity files whose private keys are for the agent of file keys (file_keys = agent).
 *
 * The supervisor reads the files when a configuration is prepared, with the rights that it has, and tells mistakes as
 * a worker would. What a file says goes two ways: the certificates to the workers of that generation
 * (proxy/service/file_identities.h), the key to the agent (tokens/file_keys.h), each in a sealed memory file. This
 * process keeps no key in its memory: what it read is wiped, and the pages of a memory file are nobody's until an agent
 * maps them. So a worker or an agent that is started anew gets what the generation began with, whatever happened to the
 * files since. Threads: the loop's. */
#ifndef YETT_PROXY_SUPERVISOR_FILE_KEYS_H
#define YETT_PROXY_SUPERVISOR_FILE_KEYS_H

#include "config/config.h"

enum { FILE_KEYS_SALT_SIZE = 32 };

struct file_keys;

/* The files of a configuration; *keys is NULL when it has none for the agent. `salt`: random, the same while this
 * process lives, so that a file that has not changed has the same URI, and nobody else can tell keys by theirs.
 * NSS must be initialised. False with findings. */
MUST_CHECK bool file_keys_read(const struct config *config, const uint8_t salt[FILE_KEYS_SALT_SIZE],
                               struct file_keys **keys, struct config_findings *findings);
void file_keys_destroy(struct file_keys **keys); /* NULL-safe */

/* The URI that workers of this generation may ask for; NULL: no such file, or `keys` is NULL. */
const char *file_keys_uri(const struct file_keys *keys, const char *path);
/* The memory file for workers; lent. -1: `keys` is NULL. */
int file_keys_identities_fd(const struct file_keys *keys);

/* One memory file with the keys of all of these (NULLs are passed over), for the agent. -1 with errno. */
MUST_CHECK int file_keys_join(struct file_keys *const *all, size_t count);

#endif
