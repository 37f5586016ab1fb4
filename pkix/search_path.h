/* pkix/search_path.h: a path under construction, from the leaf upwards. */
#ifndef YETT_PKIX_SEARCH_PATH_H
#define YETT_PKIX_SEARCH_PATH_H

#include "pkix/cert.h"

struct pkix_store_entry;

enum { PKIX_PATH_MAX = 16 /* certificates, with leaf and anchor */ };

struct pkix_path_step {
    const struct pkix_cert *cert;
    const struct pkix_store_entry *entry; /* NULL for what the peer sent */
};

struct pkix_path {
    struct pkix_path_step steps[PKIX_PATH_MAX]; /* leaf first */
    unsigned count;
};

/* Whether the path would lead in a circle through the certificate: its name with its key is there already (RFC 4158
 * section 5.2). */
bool pkix_path_has(const struct pkix_path *path, const struct pkix_cert *cert);

/* How many intermediates there are above the leaf on the path so far. */
unsigned pkix_path_intermediates(const struct pkix_path *path);

/* The same without self-issued ones. */
unsigned pkix_path_counted_intermediates(const struct pkix_path *path);

#endif
