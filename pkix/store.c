/* see pkix/store.h and pkix/store_internal.h */
#include "pkix/store.h"
#include "pkix/dn.h"
#include "pkix/intermediates.h"
#include "pkix/key.h"
#include "pkix/nss_crypto.h"
#include "pkix/nss_keys.h"
#include "pkix/signature_cache.h"
#include "pkix/store_internal.h"

#include <stdlib.h>

struct pkix_store *pkix_store_create(void)
{
    struct pkix_store *store = base_alloc(sizeof(*store));

    store->signatures = pkix_signature_cache_create();
    store->keys = pkix_nss_keys_create();
    return store;
}

void pkix_store_remember(struct pkix_store *store)
{
    if (store->remembered == NULL)
        store->remembered = pkix_intermediates_create();
}

struct pkix_intermediates *pkix_store_remembered(const struct pkix_store *store)
{
    return store->remembered;
}

static void free_entry(struct pkix_store_entry *entry)
{
    free(entry->der);
    free(entry->imposed_constraints);
    free(entry);
}

void pkix_store_list_remove(struct pkix_store_list *list, size_t index)
{
    free_entry(list->entries[index]);
    list->count--;
    memmove(list->entries + index, list->entries + index + 1,
            (list->count - index) * sizeof(struct pkix_store_entry *));
}

static void clear_list(struct pkix_store_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free_entry(list->entries[i]);
    free(list->entries);
}

void pkix_store_destroy(struct pkix_store **store)
{
    if (*store == NULL)
        return;
    clear_list(&(*store)->anchors);
    clear_list(&(*store)->intermediates);
    pkix_store_distrust_clear(*store);
    pkix_signature_cache_destroy(&(*store)->signatures);
    pkix_nss_keys_destroy(&(*store)->keys);
    pkix_intermediates_destroy(&(*store)->remembered);
    free(*store);
    *store = NULL;
}

/* The index of the first entry whose hash is not less. */
static size_t lower_bound(const struct pkix_store_list *list, uint64_t hash)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (list->entries[middle]->subject_hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void pkix_store_find(const struct pkix_store_list *list, struct span subject,
                     bool (*visit)(void *ctx, const struct pkix_store_entry *entry), void *ctx)
{
    uint64_t hash = span_hash(subject);

    for (size_t i = lower_bound(list, hash); i < list->count && list->entries[i]->subject_hash == hash; i++)
        if (span_equal(list->entries[i]->cert.subject, subject) && !visit(ctx, list->entries[i]))
            return;
}

const struct pkix_store_entry *pkix_store_find_same(const struct pkix_store_list *list, const struct pkix_cert *cert)
{
    uint64_t hash = span_hash(cert->subject);

    for (size_t i = lower_bound(list, hash); i < list->count && list->entries[i]->subject_hash == hash; i++)
        if (span_equal(list->entries[i]->cert.der, cert->der))
            return list->entries[i];
    return NULL;
}

/* A certificate that can never be an issuer is an administrator's mistake, told now and not at the first handshake. */
static bool check_usable(const struct pkix_cert *cert, enum pkix_error parse_error, const char *origin, char **error)
{
    struct pkix_key key;
    enum pkix_error key_error;
    char *subject;

    if (cert->der.size > DER_SMALL_SIZE_MAX) {
        *error =
            base_printf("%s: has %zu bytes; a certificate may have %d", origin, cert->der.size, DER_SMALL_SIZE_MAX);
        return false;
    }
    if (parse_error != PKIX_OK) {
        /* Its name may come before what is wrong with it. */
        subject = cert->subject.size == 0 ? base_strdup("") : pkix_dn_text(cert->subject);
        *error = base_printf("%s: %s%snot a usable certificate: %s (%s)", origin, subject, *subject == '\0' ? "" : ": ",
                             pkix_error_sentence(parse_error), pkix_error_name(parse_error));
        free(subject);
        return false;
    }
    key_error = pkix_key_read(cert->spki, &key);
    if (key_error == PKIX_OK && cert->validity_error == PKIX_OK)
        return true;
    subject = pkix_dn_text(cert->subject);
    *error = base_printf("%s: %s: %s: %s", origin, subject, key_error != PKIX_OK ? "public key" : "validity",
                         pkix_error_sentence(key_error != PKIX_OK ? key_error : cert->validity_error));
    free(subject);
    return false;
}

struct pkix_store_entry *pkix_store_list_add(struct pkix_store_list *list, struct span der, enum pkix_trust trust,
                                             const char *origin, bool *is_new, char **error)
{
    struct pkix_store_entry *entry;
    struct pkix_cert cert;
    size_t at;
    const struct pkix_store_entry *same;
    enum pkix_error parse_error = pkix_cert_read(der, &cert);

    if (!check_usable(&cert, parse_error, origin, error))
        return NULL;
    same = pkix_store_find_same(list, &cert);
    *is_new = same == NULL;
    if (same != NULL) {
        for (at = lower_bound(list, same->subject_hash); list->entries[at] != same; at++)
            continue;
        return list->entries[at];
    }
    entry = base_alloc(sizeof(*entry));
    entry->der = base_memdup(der.data, der.size);
    entry->trust = trust;
    entry->distrust_after = INT64_MAX;
    if (pkix_cert_read(span_of(entry->der, der.size), &entry->cert) != PKIX_OK)
        base_abort("a certificate reads differently the second time");
    entry->subject_hash = span_hash(entry->cert.subject);
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 16 : 2 * list->capacity;
        list->entries = base_realloc_array(list->entries, list->capacity, sizeof(struct pkix_store_entry *));
    }
    at = lower_bound(list, entry->subject_hash);
    memmove(list->entries + at + 1, list->entries + at, (list->count - at) * sizeof(struct pkix_store_entry *));
    list->entries[at] = entry;
    list->count++;
    return entry;
}

bool pkix_store_trust(struct pkix_store *store, struct span der, const char *origin, char **error)
{
    bool is_new;
    struct pkix_store_entry *entry =
        pkix_store_list_add(&store->anchors, der, PKIX_TRUST_ANCHOR, origin, &is_new, error);

    if (entry == NULL)
        return false;
    entry->purposes = PKIX_FOR_SERVER | PKIX_FOR_CLIENT;
    entry->listed = false;
    entry->distrust_after = INT64_MAX;
    free(entry->imposed_constraints);
    entry->imposed_constraints = NULL;
    entry->imposed_constraints_size = 0;
    return true;
}

bool pkix_store_add_anchor(struct pkix_store *store, struct span der, char **error)
{
    return pkix_store_trust(store, der, "trust anchor", error);
}

bool pkix_store_add_authority(struct pkix_store *store, struct span der, const char *origin, bool *is_authority,
                              char **error)
{
    struct pkix_cert cert;
    struct span value;
    int path_length;

    *is_authority = false;
    /* One that cannot be read is told by pkix_store_trust(): what it would have been nobody knows. */
    if (pkix_cert_read(der, &cert) == PKIX_OK) {
        if (pkix_cert_extension(&cert, PKIX_EXT_BASIC_CONSTRAINTS, &value)) {
            if (pkix_read_basic_constraints(value, is_authority, &path_length) == PKIX_OK && !*is_authority)
                return true;
        } else if (cert.version != PKIX_V1 || !span_equal(cert.issuer, cert.subject)) {
            return true;
        }
    }
    *is_authority = pkix_store_trust(store, der, origin, error);
    return *is_authority;
}

bool pkix_store_add_intermediate(struct pkix_store *store, struct span der, char **error)
{
    bool is_new;

    return pkix_store_list_add(&store->intermediates, der, PKIX_TRUST_INHERITED, "intermediate", &is_new, error) !=
           NULL;
}

size_t pkix_store_anchor_count(const struct pkix_store *store)
{
    return store->anchors.count;
}

struct span pkix_store_anchor_subject(const struct pkix_store *store, size_t index)
{
    assert(index < store->anchors.count);
    return store->anchors.entries[index]->cert.subject;
}

bool pkix_store_has_anchor(const struct pkix_store *store, struct span der)
{
    struct pkix_cert cert;

    return pkix_cert_read(der, &cert) == PKIX_OK && pkix_store_find_same(&store->anchors, &cert) != NULL;
}

bool pkix_store_has_anchor_sha256(const struct pkix_store *store, const uint8_t digest[32])
{
    uint8_t own[32];

    for (size_t i = 0; i < store->anchors.count; i++)
        if (pkix_nss_digest(PKIX_SHA256, store->anchors.entries[i]->cert.der, own) &&
            memcmp(own, digest, sizeof(own)) == 0)
            return true;
    return false;
}

struct span pkix_store_anchor_der(const struct pkix_store *store, size_t index)
{
    assert(index < store->anchors.count);
    return store->anchors.entries[index]->cert.der;
}
