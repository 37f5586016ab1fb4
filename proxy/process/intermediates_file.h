/* proxy/process/intermediates_file.h: remembered intermediates as text, and as a file that outlives yett.
 *
 * The text is PEM behind a first line of our own, what was used last at the end. It is what workers get at their start,
 * and what is written to the file. What is read is trusted no more than what a peer sends: each certificate is parsed
 * strictly, and all of them is a candidate at most (pkix/intermediates.h).
 * A file is *foreign* when it is not ours to replace: not a regular file, of another user, open to others for writing,
 * or without our first line. That keeps a slip in the configuration from costing somebody's CA bundle. Threads: any;
 * intermediates_file_write() blocks for the disk. Errors are sentences, the caller's. */
#ifndef YETT_PROXY_PROCESS_INTERMEDIATES_FILE_H
#define YETT_PROXY_PROCESS_INTERMEDIATES_FILE_H

#include "pkix/intermediates.h"

enum {
    /* One certificate in PEM: base64 in lines of 64, and the lines around it. */
    INTERMEDIATES_PEM_BYTES_MAX = PKIX_INTERMEDIATE_BYTES_MAX / 3 * 4 + PKIX_INTERMEDIATE_BYTES_MAX / 48 + 64,
    INTERMEDIATES_FILE_BYTES_MAX = PKIX_INTERMEDIATES_MAX * INTERMEDIATES_PEM_BYTES_MAX + 1024,
};

/* All that is known; "" when that is nothing. Owned by the caller. */
char *intermediates_text(struct pkix_intermediates *known);

/* Add what the text has, in its order: all or nothing. *added (may be NULL): how many were not known before. `name` is
 * for the message. */
MUST_CHECK bool intermediates_text_read(struct span text, const char *name, struct pkix_intermediates *known,
                                        size_t *added, char **error);

enum intermediates_file {
    INTERMEDIATES_FILE_READ,    /* or there is none */
    INTERMEDIATES_FILE_DAMAGED, /* ours, and of no use: nothing was added */
    INTERMEDIATES_FILE_FOREIGN, /* nothing was added, and it must not be written */
};

/* *error unless READ. */
MUST_CHECK enum intermediates_file intermediates_file_read(const char *path, struct pkix_intermediates *known,
                                                           char **error);

/* Replace the file at once and whole, mode 0600: written beside it as PATH.new, synced, renamed. */
MUST_CHECK bool intermediates_file_write(const char *path, const char *text, char **error);

#endif
