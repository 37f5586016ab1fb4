/* base/file.h: whole files in and out, and why one cannot be had.
 *
 * The one place that reads a file of an administrator's from its first byte to its last: bounded, with the checks of
 * who may write and read it, on the descriptor that is read. Sentences in *error are the caller's, begin with the path,
 * and say who is who: "PATH: cannot be opened: Permission denied: it belongs to root:root (mode 0600), and this process
 * runs as yett". Threads: no state. */
#ifndef YETT_BASE_FILE_H
#define YETT_BASE_FILE_H

#include "base/span.h"

#include <sys/stat.h>

/* Who may write to a file and read it. BASE_FILE_TRUSTED and BASE_FILE_KEY are about regular files and folders: a pipe
 * (a process substitution, /dev/stdin) is the business of who made it. */
enum { BASE_FILE_PIPE_WAIT_MS = 5000 }; /* how long a pipe may say nothing */

enum base_file_access {
    BASE_FILE_ANY,     /* whoever */
    BASE_FILE_TRUSTED, /* what it says is believed: not everybody may write to it */
    BASE_FILE_KEY,     /* it holds a private key: nobody but its owner may write to it, and not everybody read */
    BASE_FILE_PRIVATE, /* a secret of ours: a regular file of ours or of root, which nobody else may read or write */
};

/* False with a sentence naming mode and owner. */
MUST_CHECK bool base_file_check(const char *path, const struct stat *info, enum base_file_access access, char **error);

/* Code that is to be loaded: a regular file to which not everybody may write, in a folder where not everybody may put
 * another in its place, and as long as it says (base/elf.h). What cannot be looked at is told with its reason. */
MUST_CHECK bool base_file_check_program(const char *path, char **error);

/* The contents of a file of at most `size_max` bytes, a pipe's too, as long as somebody writes into it, not a
 * directory's. *data has a NUL behind its last
 * byte; the caller wipes (if secret) and frees it. `info` (may be NULL) gets what fstat() said. */
MUST_CHECK bool base_file_read(const char *path, enum base_file_access access, size_t size_max, uint8_t **data,
                               size_t *size, struct stat *info, char **error);

/* The same of an open file, which is not closed. */
MUST_CHECK bool base_file_read_fd(int fd, const char *path, enum base_file_access access, size_t size_max,
                                  uint8_t **data, size_t *size, struct stat *info, char **error);

/* From a descriptor, into memory that is there, to its end or until that is full. False with errno. */
MUST_CHECK bool base_fd_read(int fd, void *data, size_t capacity, size_t *size);

/* How many descriptors this process has open; 0 where /proc does not tell. */
size_t base_fd_count(void);

/* All of it, or false with errno. */
MUST_CHECK bool base_fd_write(int fd, struct span bytes);

/* A new file of mode 0600; one that is there is never touched: that is a failure. */
MUST_CHECK bool base_file_write_secret(const char *path, struct span bytes, char **error);

/* A file of mode 0644; one that is there is replaced at once and whole (written beside it, then renamed). What cannot
 * be renamed over (a terminal, a pipe) is written to. */
MUST_CHECK bool base_file_write_public(const char *path, struct span bytes, char **error);

/* Its two halves, for several files that are to be replaced together: *beside (owned by the caller) is the name of the
 * written file, which base_file_commit() renames and base_file_discard() removes; both free and clear *beside, and the
 * latter takes NULL. Only for what can be renamed over. */
MUST_CHECK bool base_file_stage(const char *path, struct span bytes, char **beside, char **error);
MUST_CHECK bool base_file_commit(const char *path, char **beside, char **error);
void base_file_discard(char **beside);

/* Make a folder of this mode, with the folders above it (mode 0755) that are not there. One that is there stays as it
 * is. *made (may be NULL): whether it was made. */
MUST_CHECK bool base_folder_make(const char *path, mode_t mode, bool *made, char **error);

/* "root:ssl-cert", by number where they have no name; owned by the caller. */
char *base_file_owner(const struct stat *info);

/* What an errno of open() or stat() means for this path: the words of the errno, and for EACCES which folder or file
 * stops whom, and what would help; for ENOENT the folder that is not there, if one is not. Owned by the caller. */
char *base_file_why(const char *path, int error_number);

/* The same where it was to be made there (a socket bound, a file removed), which its folder allows or not, or where a
 * socket was to be connected to. */
enum base_file_use { BASE_FILE_READ, BASE_FILE_MAKE, BASE_FILE_CONNECT };
char *base_file_why_for(const char *path, int error_number, enum base_file_use use);

#endif
