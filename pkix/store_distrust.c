/* see pkix/store.h and pkix/store_internal.h: what is distrusted by name or fingerprint
 *
 * A rule is found by a hash of what it names, whatever their number: a list of a whole PKI's revoked authorities
 * (Mozilla's OneCRL has more than a thousand) is asked for each certificate that a peer has us look at. */
#include "pkix/nss_crypto.h"
#include "pkix/store.h"
#include "pkix/store_internal.h"

#include <stdlib.h>

/* What a rule names: a certificate by its digest, by its issuer and number, or whole; or an authority by its name and
 * key, or the key's digest. The order is the one they are asked in, and no more: each is asked. */
enum distrust_kind {
    DISTRUST_SHA256,
    DISTRUST_ISSUER_SERIAL,
    DISTRUST_SUBJECT_KEY,
    DISTRUST_SUBJECT_KEY_SHA256,
    DISTRUST_SAME,
};

struct pkix_store_distrust {
    enum distrust_kind kind;
    uint8_t *first; /* the digest, the issuer, the subject or the certificate */
    size_t first_size;
    uint8_t *second; /* the serial number, the public key or its digest; NULL: none */
    size_t second_size;
    const char *source; /* whose word it is; static */
    uint32_t next;      /* of its bucket: index + 1; 0: the last */
};

/* A blocklist of the largest size (PKIX_BLOCKLIST_RULES_MAX) puts 25 rules in a bucket. */
enum { SHA256_SIZE = 32, BUCKET_COUNT = 4096 };

/* The hash is not keyed and need not be: what is hashed into the table are the administrator's rules. A peer that makes
 * names for one bucket walks along as many rules as happen to be in it, and no longer. */
static size_t bucket_of(enum distrust_kind kind, struct span first, struct span second)
{
    uint64_t hash = span_hash(first) * 31 + span_hash(second) + kind;

    return (size_t)((hash ^ hash >> 32) % BUCKET_COUNT);
}

/* Copied, since a store outlives the files and modules its rules came from. Of two equal rules both are kept; the later
 * one is found first, and says the same. */
static void add_rule(struct pkix_store *store, enum distrust_kind kind, struct span first, struct span second)
{
    uint32_t *bucket;

    /* Made with the first rule, like the bits of the kinds, without which nobody looks into it. */
    if (store->distrust_buckets == NULL)
        store->distrust_buckets = base_alloc(BUCKET_COUNT * sizeof(*store->distrust_buckets));
    if (store->distrust_count == store->distrust_capacity) {
        store->distrust_capacity = store->distrust_capacity == 0 ? 16 : 2 * store->distrust_capacity;
        store->distrusts = base_realloc_array(store->distrusts, store->distrust_capacity, sizeof(*store->distrusts));
    }
    bucket = &store->distrust_buckets[bucket_of(kind, first, second)];
    store->distrusts[store->distrust_count++] = (struct pkix_store_distrust){
        .kind = kind,
        .first = base_memdup(first.data, first.size),
        .first_size = first.size,
        .second = second.size == 0 ? NULL : base_memdup(second.data, second.size),
        .second_size = second.size,
        .source = store->distrust_source == NULL ? "the configuration" : store->distrust_source,
        .next = *bucket,
    };
    *bucket = (uint32_t)store->distrust_count;
    store->distrust_kinds |= 1u << kind;
}

/* Whose word the rule is; NULL: there is none. All bytes of both parts and the kind are compared, the hash finds no
 * more than where to look: with it alone another certificate could be made to be distrusted. */
static const char *find_rule(const struct pkix_store *store, enum distrust_kind kind, struct span first,
                             struct span second)
{
    uint32_t at = store->distrust_buckets[bucket_of(kind, first, second)];

    for (; at != 0; at = store->distrusts[at - 1].next) {
        const struct pkix_store_distrust *rule = &store->distrusts[at - 1];

        if (rule->kind == kind && span_equal(span_of(rule->first, rule->first_size), first) &&
            span_equal(span_of(rule->second, rule->second_size), second))
            return rule->source;
    }
    return NULL;
}

void pkix_store_distrust_clear(struct pkix_store *store)
{
    for (size_t i = 0; i < store->distrust_count; i++) {
        free(store->distrusts[i].first);
        free(store->distrusts[i].second);
    }
    free(store->distrusts);
    free(store->distrust_buckets);
}

/* One certificate, in these bytes. Its issuer can issue the same names and key again, which this does not hit: for that
 * there are the other kinds. A fingerprint is what a person has at hand. */
void pkix_store_distrust_sha256(struct pkix_store *store, const uint8_t digest[32])
{
    add_rule(store, DISTRUST_SHA256, span_of(digest, SHA256_SIZE), span_of(NULL, 0));
}

/* One certificate as its issuer's lists name it (RFC 5280 section 4.1.2.2: a number is given once). In bytes: the
 * certificate's reader takes numbers in their shortest form only, so there is one spelling to be compared. */
void pkix_store_distrust_issuer_serial(struct pkix_store *store, struct span issuer, struct span serial)
{
    add_rule(store, DISTRUST_ISSUER_SERIAL, issuer, serial);
}

/* An authority, however often it is certified and by whom: a rule about one certificate is escaped by a
 * cross-signature, which has another issuer and another number. */
void pkix_store_distrust_subject_key(struct pkix_store *store, struct span subject, struct span spki)
{
    add_rule(store, DISTRUST_SUBJECT_KEY, subject, spki);
}

/* The same with the digest of the SubjectPublicKeyInfo, which is how Mozilla's OneCRL lists them. */
void pkix_store_distrust_subject_key_sha256(struct pkix_store *store, struct span subject, const uint8_t digest[32])
{
    add_rule(store, DISTRUST_SUBJECT_KEY_SHA256, subject, span_of(digest, SHA256_SIZE));
}

/* As NSS has it: libnssckbi and the database distrust certificates whole. */
void pkix_store_distrust_certificate(struct pkix_store *store, struct span der)
{
    add_rule(store, DISTRUST_SAME, der, span_of(NULL, 0));
}

static const char *find_rule_for(const struct pkix_store *store, enum distrust_kind kind, const struct pkix_cert *cert)
{
    /* A digest that cannot be made is a reason to distrust, not to trust. Where hashing fails NSS does, and a list that
     * then lets everything pass is no list. */
    static const char no_digest[] = "a distrust rule that cannot be compared, since hashing failed";
    const struct span none = span_of(NULL, 0);
    uint8_t digest[SHA256_SIZE];

    switch (kind) {
    case DISTRUST_SHA256:
        return pkix_nss_digest(PKIX_SHA256, cert->der, digest)
                   ? find_rule(store, kind, span_of(digest, sizeof(digest)), none)
                   : no_digest;
    case DISTRUST_ISSUER_SERIAL:
        /* In bytes, and the authority cannot get round it by spelling its name otherwise: it would have no issuer then
         * (pkix/search_candidates.c). */
        return find_rule(store, kind, cert->issuer, cert->serial);
    case DISTRUST_SUBJECT_KEY:
        /* The whole SubjectPublicKeyInfo. One key has one encoding there, which pkix_key_read() sees to, so that it
         * cannot be certified anew in other bytes. */
        return find_rule(store, kind, cert->subject, cert->spki);
    case DISTRUST_SUBJECT_KEY_SHA256:
        return pkix_nss_digest(PKIX_SHA256, cert->spki, digest)
                   ? find_rule(store, kind, cert->subject, span_of(digest, sizeof(digest)))
                   : no_digest;
    case DISTRUST_SAME:
        return find_rule(store, kind, cert->der, none);
    }
    /* Not NULL: a kind that is forgotten here would be a rule that nobody is held to. */
    base_abort("a distrust rule of no known kind");
}

/* NULL: the configuration's. */
void pkix_store_distrust_from(struct pkix_store *store, const char *source)
{
    store->distrust_source = source;
}

/* Kinds of which there is no rule are not asked, so that a store without fingerprints hashes nothing for them. Every
 * certificate of every path is asked about, the leaf and the anchor too (trust_of() of pkix/search_checks.c). */
const char *pkix_store_distrusted_by(const struct pkix_store *store, const struct pkix_cert *cert)
{
    const char *source = NULL;

    for (unsigned kind = DISTRUST_SHA256; kind <= DISTRUST_SAME && source == NULL; kind++)
        if ((store->distrust_kinds & 1u << kind) != 0)
            source = find_rule_for(store, (enum distrust_kind)kind, cert);
    return source;
}

bool pkix_store_distrusts(const struct pkix_store *store, const struct pkix_cert *cert)
{
    return pkix_store_distrusted_by(store, cert) != NULL;
}
