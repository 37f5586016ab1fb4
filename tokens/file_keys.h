/* tokens/file_keys.h: the private keys of files, on their way to the agent that keeps them (file_keys = agent).
 *
 * The supervisor reads the files, and writes what the agent is to have into a memory file: always all of it, one
 * *record* a key, without an end but the file's. In the agent each key has a *URI* of ours, "file-key:" and its id in
 * hexadecimal, by which workers ask for it as they ask for keys on tokens (tokens/wire.h). The id stands for this
 * certificate and this key (tls/identity_file.h): a key that was changed is another one, and a worker of the
 * configuration before it cannot ask for it (tokens/grants.h), nor one of the new for the old.
 * Threads: no state. */
#ifndef YETT_TOKENS_FILE_KEYS_H
#define YETT_TOKENS_FILE_KEYS_H

#include "base/span.h"

enum {
    TOKENS_FILE_KEY_ID_SIZE = 32,
    TOKENS_FILE_KEY_URI_SIZE = 9 + 2 * TOKENS_FILE_KEY_ID_SIZE + 1, /* with its NUL */
    TOKENS_FILE_KEYS_BYTES_MAX = 64 * 1024 * 1024
};

struct tokens_file_key {
    struct span id;    /* TOKENS_FILE_KEY_ID_SIZE bytes */
    struct span leaf;  /* the certificate, DER */
    struct span pkcs8; /* the private key, DER; not encrypted */
};

/* Append a record to an open file, straight from where the key is. False with errno. */
MUST_CHECK bool tokens_file_key_write(int fd, const struct tokens_file_key *key);

/* The next record of *rest, whose spans point into it. False: what is left is none; all were read when that is empty.
 */
MUST_CHECK bool tokens_file_key_next(struct span *rest, struct tokens_file_key *key);

void tokens_file_key_uri(struct span id, char uri[TOKENS_FILE_KEY_URI_SIZE]);
bool tokens_file_key_is(const char *uri); /* whether it is one of these */

#endif
