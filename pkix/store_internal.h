/* pkix/store_internal.h: what the search sees of a store. */
#ifndef YETT_PKIX_STORE_INTERNAL_H
#define YETT_PKIX_STORE_INTERNAL_H

#include "pkix/cert.h"
#include "pkix/check.h"

struct pkix_intermediates;
struct pkix_nss_keys;
struct pkix_signature_cache;

enum { PKIX_FOR_SERVER = 1u << PKIX_PURPOSE_SERVER, PKIX_FOR_CLIENT = 1u << PKIX_PURPOSE_CLIENT };

struct pkix_store_entry {
    uint8_t *der;
    struct pkix_cert cert; /* its spans borrow `der` */
    enum pkix_trust trust; /* anchor or inherited */
    unsigned purposes;     /* PKIX_FOR_*: what an anchor is trusted for */
    bool listed;           /* an anchor by a list that others keep (pkix/distrust.h), not by name */
    uint64_t subject_hash;
    int64_t distrust_after;       /* seconds; leaves issued later are refused; INT64_MAX: none */
    uint8_t *imposed_constraints; /* a NameConstraints value from outside the certificate, or NULL */
    size_t imposed_constraints_size;
};

/* Entries of one kind, sorted by subject_hash. */
struct pkix_store_list {
    struct pkix_store_entry **entries;
    size_t count, capacity;
};

struct pkix_store_distrust;

struct pkix_store {
    struct pkix_store_list anchors;
    struct pkix_store_list intermediates;
    struct pkix_store_distrust *distrusts; /* store_distrust.c */
    size_t distrust_count, distrust_capacity;
    uint32_t *distrust_buckets;  /* NULL while there are no rules */
    unsigned distrust_kinds;     /* bits of the kinds there are */
    const char *distrust_source; /* of the rules that are added now; static */
    struct pkix_signature_cache *signatures;
    struct pkix_nss_keys *keys;            /* of those that had good signatures */
    struct pkix_intermediates *remembered; /* NULL: nothing is */
};

/* The entries with this subject, bytes compared: calls `visit` for each until it returns false. */
void pkix_store_find(const struct pkix_store_list *list, struct span subject,
                     bool (*visit)(void *ctx, const struct pkix_store_entry *entry), void *ctx);

/* The entry with these very bytes, or NULL. */
const struct pkix_store_entry *pkix_store_find_same(const struct pkix_store_list *list, const struct pkix_cert *cert);

/* Whose word the distrust rules are that are added from now on, for explanations; static. */
void pkix_store_distrust_from(struct pkix_store *store, const char *source);

/* Who distrusts the certificate, as above; NULL: nobody. Its cost does not grow with the number of rules. */
const char *pkix_store_distrusted_by(const struct pkix_store *store, const struct pkix_cert *cert);
bool pkix_store_distrusts(const struct pkix_store *store, const struct pkix_cert *cert);
void pkix_store_distrust_clear(struct pkix_store *store);

/* Add to a list and return the entry, or the one with the same bytes that is there already (*is_new says); NULL and
 * *error if `der` cannot be an issuer. `origin` is for messages: a file name, a module. */
struct pkix_store_entry *pkix_store_list_add(struct pkix_store_list *list, struct span der, enum pkix_trust trust,
                                             const char *origin, bool *is_new, char **error);

/* Take an entry out, and free it. */
void pkix_store_list_remove(struct pkix_store_list *list, size_t index);

/* What libnssckbi distrusts, without its roots. */
MUST_CHECK bool pkix_store_add_module_distrust(struct pkix_store *store, char **error);

/* The name constraints that NSS holds against the root, beyond its own, if there are any. */
void pkix_store_impose_constraints(struct pkix_store_entry *entry);

/* Trust an anchor because somebody named it: for every purpose, without dates or constraints from elsewhere. */
bool pkix_store_trust(struct pkix_store *store, struct span der, const char *origin, char **error);

#endif
