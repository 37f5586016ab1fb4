/* pkix/roots_file.h: a list of roots in memory and in the file that keeps it.
 *
 * The file is text (base/text.h), written by us and read by us, whole or not at all:
 *
 *     yett-roots 1
 *     date 2026-11-20
 *     source certdata.txt
 *     root BASE64-OF-THE-CERTIFICATE [2024-11-30T23:59:59Z]
 *     distrust BASE64-OF-THE-ISSUER-NAME BASE64-OF-THE-SERIAL-NUMBER
 *
 * A time behind a root: it is an anchor only for leaves issued until then. What reads other people's files is
 * pkix/certdata.h. Sentences in *error are the caller's and name file and line. Threads: no state. */
#ifndef YETT_PKIX_ROOTS_FILE_H
#define YETT_PKIX_ROOTS_FILE_H

#include "pkix/store.h"

/* Mozilla's list has some 150 roots. Certificates are bounded by pkix/cert.h. */
enum { PKIX_ROOTS_MAX = 1000, PKIX_ROOTS_FILE_BYTES_MAX = 16 * 1024 * 1024, PKIX_ROOTS_SOURCE_MAX = 200 };

struct pkix_root {
    uint8_t *der;
    size_t size;
    int64_t until; /* INT64_MAX: no end */
};

/* A certificate on no path, by its issuer's name and its serial number (the INTEGER's contents). */
struct pkix_root_distrust {
    uint8_t *issuer, *serial;
    size_t issuer_size, serial_size;
};

struct pkix_roots {
    int64_t date; /* the day the list is of, seconds since 1970 */
    char *source; /* what it was made from, one line */
    struct pkix_root *roots;
    size_t count;
    struct pkix_root_distrust *distrusts;
    size_t distrust_count;
};

struct pkix_roots *pkix_roots_create(void);
void pkix_roots_destroy(struct pkix_roots **roots);

/* Copies. False: there are PKIX_ROOTS_MAX already. */
MUST_CHECK bool pkix_roots_add(struct pkix_roots *roots, struct span der, int64_t until);
MUST_CHECK bool pkix_roots_add_distrust(struct pkix_roots *roots, struct span issuer, struct span serial);

/* NULL with *error. */
struct pkix_roots *pkix_roots_text_read(struct span text, const char *name, char **error);
struct pkix_roots *pkix_roots_file_read(const char *path, char **error);

/* The date alone. */
MUST_CHECK bool pkix_roots_file_read_date(const char *path, int64_t *date, char **error);

/* Owned by the caller. */
char *pkix_roots_text(const struct pkix_roots *roots);

/* Trust them for servers, as listed (pkix/distrust.h). Those that cannot be used are left out. */
void pkix_store_add_roots(struct pkix_store *store, const struct pkix_roots *roots);

#endif
