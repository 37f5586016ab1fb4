/* see pkix/crl.h
 *
 * RFC 5280 section 6.3.3, for complete CRLs of the certificate's own issuer. A list is believed because of its
 * signature and for as long as it says, and about the certificates it says it is about. Who has a revoked certificate
 * would have us use a list in which it is not: an older one, one of another scope, one signed by an authority of the
 * same name. That a list cannot be used is therefore never the same as that there is none (pkix_crl_answer.unused).
 *
 * What is not done, and what follows: delta lists (section 5.2.4), indirect lists (5.2.5) and lists for some reasons
 * are refused as they are read, so that each list that counts is the whole truth about its scope on its day. RFC 5280's
 * reasons_mask and its interim states, half of section 6.3.3, fall away with them: a certificate is on a list that
 * counts, or it is not.
 *
 * A set is filled by one thread, and then shared and never changed. It is large (a public authority's list may have ten
 * megabytes), so that threads, and a reload, pass references on. */
#include "pkix/crl.h"
#include "pkix/check.h"
#include "pkix/crl_parse.h"
#include "pkix/nss_crypto.h"
#include "pkix/pem.h"

#include <stdatomic.h>
#include <stdlib.h>

/* A list that was fetched is hashed and verified once, when it comes, and not in each handshake: of 300,000 entries it
 * has ten megabytes. What is kept is by which key, so that another one asks anew. */
struct set_entry {
    uint8_t *der;
    struct pkix_crl crl;
    uint8_t *verified_spki; /* the key that its signature is known to be good with; NULL: none */
    size_t verified_spki_size;
};

struct pkix_crl_set {
    /* Verifications on several threads hold one; after it is shared nothing in it changes. */
    atomic_uint references;
    struct set_entry *entries;
    size_t count, capacity;
};

/* Empty, and the caller's one reference to it. */
struct pkix_crl_set *pkix_crl_set_create(void)
{
    struct pkix_crl_set *set = base_alloc(sizeof(*set));

    atomic_init(&set->references, 1);
    return set;
}

/* One more reference, to be destroyed like the first. */
struct pkix_crl_set *pkix_crl_set_share(struct pkix_crl_set *set)
{
    atomic_fetch_add(&set->references, 1);
    return set;
}

/* The last one frees it, on whatever thread that is. */
void pkix_crl_set_destroy(struct pkix_crl_set **shared)
{
    struct pkix_crl_set *set = *shared;

    *shared = NULL;
    if (set == NULL || atomic_fetch_sub(&set->references, 1) != 1)
        return;
    for (size_t i = 0; i < set->count; i++) {
        pkix_crl_clear(&set->entries[i].crl);
        free(set->entries[i].der);
        free(set->entries[i].verified_spki);
    }
    free(set->entries);
    free(set);
}

/* Read before it is in the set: a list that cannot be read is an error of the file, at the start and not in a
 * handshake, where it would be "nothing known". */
bool pkix_crl_set_add_taken(struct pkix_crl_set *set, uint8_t *der, size_t size, const char *origin, char **error)
{
    struct set_entry entry = {.der = der};
    enum pkix_error status = pkix_crl_read(span_of(der, size), &entry.crl);

    if (status != PKIX_OK) {
        *error = base_printf("%s: %s: %s", origin, pkix_error_name(status),
                             entry.crl.why != NULL ? entry.crl.why : pkix_error_sentence(status));
        pkix_crl_clear(&entry.crl);
        free(entry.der);
        return false;
    }
    if (set->count == set->capacity) {
        set->capacity = set->capacity == 0 ? 8 : 2 * set->capacity;
        set->entries = base_realloc_array(set->entries, set->capacity, sizeof(*set->entries));
    }
    set->entries[set->count++] = entry;
    return true;
}

bool pkix_crl_set_add(struct pkix_crl_set *set, struct span der, const char *origin, char **error)
{
    return pkix_crl_set_add_taken(set, base_memdup(der.data, der.size), der.size, origin, error);
}

static bool add_block(void *ctx, struct span der, const char *origin, char **error)
{
    return pkix_crl_set_add(ctx, der, origin, error);
}

/* A file, or a folder of them (PEM, with several lists in one, or DER). One that is wrong ends it: an administrator who
 * put a list there means it to count. */
bool pkix_crl_set_add_path(struct pkix_crl_set *set, const char *path, char **error)
{
    return pkix_pem_each_path(path, &pkix_pem_crls, add_block, set, error);
}

size_t pkix_crl_set_count(const struct pkix_crl_set *set)
{
    return set->count;
}

/* For ceilings on what is kept: an upper bound of what the set holds, its entries' index included. */
size_t pkix_crl_set_memory(const struct pkix_crl_set *set)
{
    size_t size = sizeof(*set) + set->capacity * sizeof(*set->entries);

    for (size_t i = 0; i < set->count; i++)
        size += set->entries[i].crl.info.der.size + set->entries[i].verified_spki_size +
                set->entries[i].crl.entry_count * sizeof(*set->entries[i].crl.entries);
    return size;
}

struct pkix_crl_info pkix_crl_set_info(const struct pkix_crl_set *set, size_t index)
{
    assert(index < set->count);
    return set->entries[index].crl.info;
}

/* The signer's certificate says whether its key may sign CRLs (RFC 5280 section 6.3.3 (f)): a key that must not is not
 * to be made to hide a revocation, nor to invent one. */
static enum pkix_error check_signer(const struct set_entry *entry, const struct pkix_cert *signer,
                                    pkix_verify_statement *verify, void *ctx)
{
    enum pkix_error error;

    if (pkix_check_key_usage(signer, PKIX_KU_CRL_SIGN) != PKIX_OK)
        return PKIX_CRL_UNUSABLE;
    /* By the whole key: the same list under another key of that name is another question. */
    if (entry->verified_spki != NULL &&
        span_equal(span_of(entry->verified_spki, entry->verified_spki_size), signer->spki))
        return PKIX_OK;
    error = verify(ctx, &entry->crl.outer, signer->spki);
    return error == PKIX_OK || error == PKIX_LIMIT_EXCEEDED ? error : PKIX_CRL_BAD_SIGNATURE;
}

/* One CRL of the right name: PKIX_OK when it can be believed about the certificate, otherwise why not. What costs
 * nothing comes first, so that a signature is verified only of lists that would count. */
static enum pkix_error check_usable(const struct set_entry *entry, const struct pkix_crl_query *q)
{
    const struct pkix_crl_info *info = &entry->crl.info;
    enum pkix_error error = PKIX_CRL_BAD_SIGNATURE;

    /* Section 6.3.3 (a). The date of the next one ends it, without slop: until then the list stands for all that was
     * revoked meanwhile, and who keeps newer ones from us gains time with every hour granted. */
    if (q->time < info->this_update)
        return PKIX_CRL_NOT_YET_VALID;
    if (q->time > info->next_update)
        return PKIX_CRL_EXPIRED;
    /* Section 5.2.3 binds who issues; see read_list_extensions() for why only the strict profile asks. */
    if (q->numbers == PKIX_CRL_NUMBER_DEMANDED && info->number.size == 0)
        return PKIX_CRL_UNUSABLE;
    /* Section 6.3.3 (f) and (g): the signature last, as it costs, and of nobody else than these. */
    for (size_t i = 0; i < q->signer_count && error != PKIX_OK && error != PKIX_LIMIT_EXCEEDED; i++)
        error = check_signer(entry, q->signers[i], q->verify, q->ctx);
    return error;
}

/* Which of two lists that cannot be used is told: one with a signature that fits nobody may be the newest there is, and
 * is worth looking for its signer; one that has merely expired is what every folder has. */
static void note_unused(struct pkix_crl_answer *answer, const struct pkix_crl_info *list, enum pkix_error error)
{
    if (answer->unused == NULL || answer->unused_error == PKIX_CRL_EXPIRED) {
        answer->unused = list;
        answer->unused_error = error;
    }
}

/* All CRLs that fit are asked: one that lists the certificate is enough, whatever the others say. */
struct pkix_crl_answer pkix_crl_set_check(const struct pkix_crl_set *set, const struct pkix_crl_query *q)
{
    struct pkix_crl_answer answer = {.error = PKIX_REVOCATION_UNKNOWN};
    bool is_ca = pkix_says_it_is_authority(q->cert);

    for (size_t i = 0; i < set->count; i++) {
        const struct pkix_crl *crl = &set->entries[i].crl;
        const struct pkix_crl_entry *listed;
        enum pkix_error error;

        /* Section 6.3.3 (b) (1) and (2): of this issuer, in its bytes, and of this scope. A list for authorities
         * says nothing of a leaf that is not in it. */
        if (!span_equal(crl->info.issuer, q->cert->issuer) || !pkix_crl_covers(crl, q->cert, is_ca))
            continue;
        error = check_usable(&set->entries[i], q);
        /* In a list that cannot be believed nothing is looked up: else anybody could revoke anything. */
        listed = error == PKIX_OK ? pkix_crl_find(crl, q->cert->serial) : NULL;
        /* Section 6.3.3 (j). Whatever the reason: certificateHold revokes, too, until it is lifted; and
         * removeFromCRL is for delta CRLs, which are not used. */
        if (listed != NULL)
            return (struct pkix_crl_answer){
                .error = PKIX_REVOKED, .list = &crl->info, .revoked = pkix_crl_entry_when(listed)};
        /* A peer whose chain has used up the checks must not get away as "nothing known". */
        if (error == PKIX_LIMIT_EXCEEDED)
            return (struct pkix_crl_answer){.error = error};
        if (error == PKIX_OK)
            answer.list = &crl->info;
        else
            note_unused(&answer, &crl->info, error);
    }
    /* Good where one that can be believed has it not; else why the one that is about it cannot be. */
    answer.error = answer.list != NULL     ? PKIX_OK
                   : answer.unused != NULL ? answer.unused_error
                                           : PKIX_REVOCATION_UNKNOWN;
    return answer;
}

/* Notes the key in *ctx, a span. For a list that is taken in: no budget, since no peer has a hand in it but by the
 * address that its certificate names. The key that verified, and not the first one offered: the note lets handshakes
 * pass over this signature later on. */
static enum pkix_error verify_and_note(void *ctx, const struct pkix_signed *statement, struct span spki)
{
    enum pkix_error error = pkix_nss_verify(statement, spki, NULL);

    if (error == PKIX_OK)
        *(struct span *)ctx = spki;
    return error;
}

/* Whether a list that was fetched may be kept for all: judged as for the certificate that it was wanted for. "Revoked"
 * is as good an answer as any. */
enum pkix_error pkix_crl_set_accept(struct pkix_crl_set *set, struct span cert, const struct span *signers,
                                    size_t signer_count, int64_t time)
{
    struct pkix_cert about, certs[PKIX_CRL_ACCEPT_SIGNERS_MAX];
    const struct pkix_cert *pointers[PKIX_CRL_ACCEPT_SIGNERS_MAX];
    struct span spki = span_of(NULL, 0);
    enum pkix_error error;

    /* One list only, and not shared yet: what is noted about the key is read by other threads afterwards, without a
     * lock. */
    assert(set->count == 1 && signer_count <= ARRAY_LEN(certs));
    if (pkix_cert_read(cert, &about) != PKIX_OK)
        return PKIX_BAD_DER;
    for (size_t i = 0; i < signer_count; i++) {
        if (pkix_cert_read(signers[i], &certs[i]) != PKIX_OK)
            return PKIX_BAD_DER;
        pointers[i] = &certs[i];
    }
    error = pkix_crl_set_check(set, &(struct pkix_crl_query){.cert = &about,
                                                             .signers = pointers,
                                                             .signer_count = signer_count,
                                                             .time = time,
                                                             .numbers = PKIX_CRL_NUMBER_OPTIONAL,
                                                             .verify = verify_and_note,
                                                             .ctx = &spki})
                .error;
    /* What cannot be believed is not shared: a responder on the way, or an open network, must not be able to put a
     * list before all connections of this worker. */
    if (error != PKIX_OK && error != PKIX_REVOKED)
        return error;
    free(set->entries[0].verified_spki);
    set->entries[0].verified_spki = base_memdup(spki.data, spki.size);
    set->entries[0].verified_spki_size = spki.size;
    return PKIX_OK;
}

/* For those who show a list or plan when to fetch the next: nothing is verified, and nothing in it is to be believed
 * about any certificate. */
enum pkix_error pkix_crl_info_read(struct span der, struct pkix_crl_info *info)
{
    struct pkix_crl crl;
    enum pkix_error error = pkix_crl_read(der, &crl);

    *info = crl.info;
    pkix_crl_clear(&crl);
    return error;
}

/* Appends the digest of `bytes` in hexadecimal. */
static bool append_digest(struct span bytes, char **at)
{
    enum { SHA256_SIZE = 32 };
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[PKIX_DIGEST_SIZE_MAX];

    if (!pkix_nss_digest(PKIX_SHA256, bytes, digest))
        return false;
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        *(*at)++ = digits[digest[i] >> 4];
        *(*at)++ = digits[digest[i] & 15];
    }
    return true;
}

/* Both the issuer and the scope, hashed: names come from whoever made the list, and must not choose a path. So a list
 * takes the place of the one of its own issuer and scope, and of no other's. */
static bool append_scope(const struct pkix_crl_scope *scope, char **at)
{
    uint8_t *bytes = base_alloc(scope->point.size + 2);
    bool appended;

    bytes[0] = scope->only_user;
    bytes[1] = scope->only_ca;
    if (scope->point.size != 0)
        memcpy(bytes + 2, scope->point.data, scope->point.size);
    *(*at)++ = '-';
    appended = append_digest(span_of(bytes, scope->point.size + 2), at);
    free(bytes);
    return appended;
}

/* Hexadecimal digits, whatever the names in it. */
bool pkix_crl_file_name(struct span der, char out[PKIX_CRL_FILE_NAME_SIZE])
{
    struct pkix_crl crl;
    char *at = out;
    bool named = pkix_crl_read(der, &crl) == PKIX_OK && append_digest(crl.info.issuer, &at) &&
                 (!crl.scope.present || append_scope(&crl.scope, &at));

    if (named)
        memcpy(at, ".crl", sizeof(".crl"));
    pkix_crl_clear(&crl);
    return named;
}
