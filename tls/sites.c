/* see tls/context_internal.h
 *
 * A *site* is the set of identities served for a name: for each kind of key the first identity, in configuration order,
 * whose certificate has that name; one with the exact name goes before one with a wildcard. Names with the same set
 * share a site. All is found out once per context; a handshake looks its name up in a sorted list.
 *
 * An RSA key on a token that cannot do RSA-PSS is of use in TLS 1.2 only. NSS settles the version before it asks for
 * the name, and takes whichever certificate of the site has a signature scheme that the client knows. So such a key has
 * none in TLS 1.3 (context.c), where another kind of key of the site serves in its place. When there is none, NSS fails
 * before it has sent anything, and the engine starts over with TLS 1.2 at most (handshake.c), as if that were all it
 * can do: a version range that is set before the ClientHello is read leaves no sign of a downgrade (RFC 8446
 * section 4.1.3).
 *
 * That is too late where NSS asks for another key share first: after a HelloRetryRequest there is no way back from
 * TLS 1.3 (section 4.1.4), and it looks for a certificate only when the second ClientHello has come. So while the
 * HelloRetryRequest is still in our hands, the first ClientHello is asked which schemes the client knows.
 *
 * Likewise in TLS 1.2 NSS settles the cipher suite, and so the kind of key, by the certificates of the first site.
 * Where the site of the name has no such key the engine starts over with a socket that is that site's from the
 * beginning. */
#include "tls/client_hello.h"
#include "tls/context_internal.h"
#include "tls/models.h"

#include <stdlib.h>

static int compare_names(const void *a, const void *b)
{
    const struct tls_site_name *left = a, *right = b;

    return strcmp(left->name, right->name);
}

static bool has_name(const struct tls_identity *identity, const char *name)
{
    for (size_t i = 0; i < identity->name_count; i++)
        if (strcmp(identity->names[i], name) == 0)
            return true;
    return false;
}

/* The wildcard that would cover `name`: "*.example.org" for "mail.example.org" (RFC 6125 section 6.4.3: the wildcard is
 * the whole left-most label, and stands for just one). NULL when there is none: a name of one label, or of two, for
 * which "*.org" would be far too much. Owned by the caller. */
static char *wildcard_of(const char *name)
{
    const char *rest = strchr(name, '.');

    if (rest == NULL || rest == name || strchr(rest + 1, '.') == NULL || name[0] == '*')
        return NULL;
    return base_printf("*%s", rest);
}

static void fill_slots(const struct tls_context *context, const char *name, struct tls_site *site)
{
    char *wildcard = wildcard_of(name);

    for (size_t i = 0; i < context->identity_count; i++) {
        const struct tls_identity *identity = context->identities[i];

        if (site->slots[identity->slot] == NULL && has_name(identity, name))
            site->slots[identity->slot] = identity;
    }
    for (size_t i = 0; wildcard != NULL && i < context->identity_count; i++) {
        const struct tls_identity *identity = context->identities[i];

        if (site->slots[identity->slot] == NULL && has_name(identity, wildcard))
            site->slots[identity->slot] = identity;
    }
    free(wildcard);
}

static size_t find_or_add_site(struct tls_context *context, const struct tls_site *wanted)
{
    for (size_t i = 0; i < context->site_count; i++)
        if (memcmp(context->sites[i].slots, wanted->slots, sizeof(wanted->slots)) == 0)
            return i;
    context->sites = base_realloc_array(context->sites, context->site_count + 1, sizeof(*context->sites));
    context->sites[context->site_count] = *wanted;
    return context->site_count++;
}

static void add_name(struct tls_context *context, const char *name)
{
    struct tls_site site = {0};

    fill_slots(context, name, &site);
    context->names = base_realloc_array(context->names, context->name_count + 1, sizeof(*context->names));
    context->names[context->name_count++] =
        (struct tls_site_name){.name = base_strdup(name), .site = find_or_add_site(context, &site)};
}

static bool share_a_name(const struct tls_identity *a, const struct tls_identity *b)
{
    for (size_t i = 0; i < a->name_count; i++)
        if (has_name(b, a->names[i]))
            return true;
    return false;
}

/* For clients without SNI: the first identity, joined by identities of other kinds of key for the same host, or for no
 * host in particular. */
static void add_default_site(struct tls_context *context)
{
    const struct tls_identity *first = context->identities[0];
    struct tls_site site = {0};

    site.slots[first->slot] = first;
    for (size_t i = 1; i < context->identity_count; i++) {
        const struct tls_identity *identity = context->identities[i];

        if (site.slots[identity->slot] == NULL && (identity->name_count == 0 || share_a_name(first, identity)))
            site.slots[identity->slot] = identity;
    }
    (void)find_or_add_site(context, &site);
}

/* Names several identities have come up several times; one entry of each stays. */
static void drop_double_names(struct tls_context *context)
{
    size_t kept = 0;

    for (size_t i = 0; i < context->name_count; i++) {
        if (kept != 0 && strcmp(context->names[kept - 1].name, context->names[i].name) == 0)
            free(context->names[i].name);
        else
            context->names[kept++] = context->names[i];
    }
    context->name_count = kept;
}

void tls_sites_build(struct tls_context *context)
{
    add_default_site(context);
    for (size_t i = 0; i < context->identity_count; i++)
        for (size_t n = 0; n < context->identities[i]->name_count; n++)
            add_name(context, context->identities[i]->names[n]);
    if (context->name_count != 0)
        qsort(context->names, context->name_count, sizeof(*context->names), compare_names);
    drop_double_names(context);
}

void tls_sites_clear(struct tls_context *context)
{
    for (size_t i = 0; i < context->site_count; i++)
        tls_model_destroy(&context->sites[i].model);
    for (size_t i = 0; i < context->name_count; i++)
        free(context->names[i].name);
    free(context->sites);
    free(context->names);
}

/* What a key of the slot may sign with in TLS 1.3 (RFC 8446 section 4.2.3). */
static bool is_offered(enum tls_key_slot slot, struct span hello_records)
{
    static const struct {
        uint16_t schemes[3];
        size_t count;
    } by_slot[TLS_SLOT_COUNT] = {
        [TLS_SLOT_RSA] = {{ssl_sig_rsa_pss_rsae_sha256, ssl_sig_rsa_pss_rsae_sha384, ssl_sig_rsa_pss_rsae_sha512}, 3},
        [TLS_SLOT_RSA_PSS] = {{ssl_sig_rsa_pss_pss_sha256, ssl_sig_rsa_pss_pss_sha384, ssl_sig_rsa_pss_pss_sha512}, 3},
        [TLS_SLOT_P256] = {{ssl_sig_ecdsa_secp256r1_sha256}, 1},
        [TLS_SLOT_P384] = {{ssl_sig_ecdsa_secp384r1_sha384}, 1},
        [TLS_SLOT_P521] = {{ssl_sig_ecdsa_secp521r1_sha512}, 1},
    };

    return tls_client_hello_offers(hello_records, by_slot[slot].schemes, by_slot[slot].count);
}

bool tls_site_caps(const struct tls_site *site, struct span hello_records)
{
    bool has_capped = false;

    for (size_t i = 0; i < TLS_SLOT_COUNT; i++) {
        const struct tls_identity *identity = site->slots[i];

        if (identity == NULL)
            continue;
        if (identity->version_max < TLS_VERSION_13)
            has_capped = true;
        else if (is_offered(identity->slot, hello_records))
            return false;
    }
    return has_capped;
}

static const struct tls_site *find_entry(const struct tls_context *context, char *name)
{
    struct tls_site_name key = {.name = name};
    struct tls_site_name *found;

    if (context->name_count == 0)
        return NULL;
    found = bsearch(&key, context->names, context->name_count, sizeof(key), compare_names);
    return found == NULL ? NULL : &context->sites[found->site];
}

const struct tls_site *tls_sites_find(const struct tls_context *context, const char *name)
{
    char *exact = base_strdup(name);
    const struct tls_site *site = find_entry(context, exact);
    char *wildcard = site == NULL ? wildcard_of(name) : NULL;

    if (wildcard != NULL)
        site = find_entry(context, wildcard);
    free(wildcard);
    free(exact);
    return site;
}
