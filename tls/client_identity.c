/* see tls/client_identity.h */
#include "tls/client_identity.h"
#include "tls/engine_internal.h"

#include "base/nss_scope.h"
#include "pkix/cert.h"
#include "pkix/dn.h"
#include "pkix/dn_compare.h"
#include "tls/runtime_internal.h"

#include <prerror.h>
#include <secerr.h>
#include <stdlib.h>

enum { CHOICE_SIZE_MAX = 1024 /* what is told of a choice; the rest is cut off */ };

/* ---- what an identity needs for it ---- */

/* The issuer's name of each certificate of the chain, as it is compared. */
static void read_issuers(struct tls_identity *identity)
{
    identity->issuers = base_alloc((identity->chain_length + 1) * sizeof(*identity->issuers));
    for (size_t i = 0; i <= identity->chain_length; i++) {
        struct pkix_cert cert = {0};
        struct tls_identity_bytes *form = &identity->issuers[identity->issuer_count];

        (void)!pkix_cert_read(i == 0 ? tls_identity_leaf(identity) : tls_identity_above(identity, i - 1), &cert);
        form->data = pkix_dn_form(cert.issuer, &form->size);
        if (form->data != NULL)
            identity->issuer_count++;
    }
}

/* NSS sends only what links up by its rules (identity_linked.h); an administrator should know. */
static void warn_of_lost(struct tls_identity *identity)
{
    size_t sent = tls_linked_sent(identity->linked);
    struct pkix_cert last = {0};
    char *longer;

    if (sent == identity->chain_length + 1)
        return;
    (void)!pkix_cert_read(tls_identity_above(identity, identity->chain_length - 1), &last);
    if (sent == identity->chain_length && pkix_cert_is_self_issued(&last))
        return; /* the root, which no server needs */
    longer = base_printf(
        "%s%sservers are shown %zu of its %zu certificates only: certificate %zu of the file is not the "
        "issuer of the one before it, or is not an authority's",
        identity->warning, identity->warning[0] == '\0' ? "" : "; ", sent, identity->chain_length + 1, sent + 1);
    free(identity->warning);
    identity->warning = longer;
}

bool tls_client_identity_prepare(struct tls_identity *identity, char **error)
{
    struct span chain[1 + TLS_CHAIN_LENGTH_MAX];

    if (identity->linked != NULL)
        return true;
    chain[0] = tls_identity_leaf(identity);
    for (size_t i = 0; i < identity->chain_length; i++)
        chain[1 + i] = tls_identity_above(identity, i);
    identity->linked = tls_linked_create(chain, identity->chain_length + 1, error);
    if (identity->linked == NULL || !tls_identity_put_in_slot(identity, error))
        return false;
    read_issuers(identity);
    warn_of_lost(identity);
    return true;
}

/* ---- the choice ---- */

/* A server's list, as its names are compared. */
struct wanted {
    struct tls_identity_bytes *forms; /* data NULL: malformed, fits nothing */
    const struct CERTDistNamesStr *names;
    size_t count;
};

static void read_wanted(const CERTDistNames *names, struct wanted *wanted)
{
    size_t count = names == NULL || names->nnames < 0 ? 0 : (size_t)names->nnames;

    *wanted = (struct wanted){.names = names, .count = count};
    wanted->forms = base_alloc((count + 1) * sizeof(*wanted->forms));
    for (size_t i = 0; i < count; i++)
        wanted->forms[i].data =
            pkix_dn_form(span_of(names->names[i].data, names->names[i].len), &wanted->forms[i].size);
}

static void clear_wanted(struct wanted *wanted)
{
    for (size_t i = 0; i < wanted->count; i++)
        free(wanted->forms[i].data);
    free(wanted->forms);
}

/* The place in the list of an authority that issued some certificate of the chain; `count` when there is none. */
static size_t find_authority(const struct tls_identity *identity, const struct wanted *wanted)
{
    for (size_t i = 0; i < wanted->count; i++)
        for (size_t n = 0; n < identity->issuer_count; n++)
            if (wanted->forms[i].data != NULL &&
                span_equal(span_of(wanted->forms[i].data, wanted->forms[i].size),
                           span_of(identity->issuers[n].data, identity->issuers[n].size)))
                return i;
    return wanted->count;
}

enum obstacle { OBSTACLE_NONE, OBSTACLE_AUTHORITY, OBSTACLE_EXPIRED, OBSTACLE_EARLY, OBSTACLE_SIGNATURE };

static enum obstacle look_at(const struct tls_context *c, const struct tls_identity *identity, PRFileDesc *fd,
                             const struct wanted *wanted)
{
    int64_t now = c->clock->wall_s();

    if (now > identity->not_after)
        return OBSTACLE_EXPIRED;
    if (now < identity->not_before)
        return OBSTACLE_EARLY;
    if (!SSL_CertIsUsable(fd, identity->cert))
        return OBSTACLE_SIGNATURE;
    return wanted->count == 0 || find_authority(identity, wanted) < wanted->count ? OBSTACLE_NONE : OBSTACLE_AUTHORITY;
}

static const char *obstacle_text(enum obstacle obstacle)
{
    switch (obstacle) {
    case OBSTACLE_NONE:
        break;
    case OBSTACLE_AUTHORITY:
        return "none of the authorities that the server names has issued it";
    case OBSTACLE_EXPIRED:
        return "it has expired";
    case OBSTACLE_EARLY:
        return "it is not valid yet";
    case OBSTACLE_SIGNATURE:
        return "the server does not verify signatures of its kind of key";
    }
    return "";
}

static void tell(struct tls_engine *e, char *text)
{
    free(e->identity_choice);
    e->identity_choice = text;
}

static void tell_chosen(struct tls_engine *e, const struct tls_identity *identity, const struct wanted *wanted)
{
    size_t at = find_authority(identity, wanted);
    char *authority;

    if (wanted->count == 0) {
        tell(e, base_printf("%s: the server names no authorities", tls_identity_describe(identity)));
    } else if (at == wanted->count) {
        tell(e, base_printf("%s: %s, but it is the only one", tls_identity_describe(identity),
                            obstacle_text(OBSTACLE_AUTHORITY)));
    } else {
        authority = pkix_dn_text(span_of(wanted->names->names[at].data, wanted->names->names[at].len));
        tell(e, base_printf("%s: the server names its authority %s", tls_identity_describe(identity), authority));
        free(authority);
    }
}

static void tell_none(struct tls_engine *e, PRFileDesc *fd, const struct wanted *wanted)
{
    const struct tls_context *c = e->context;
    struct buffer text;
    bool whole = true;

    buffer_init(&text, CHOICE_SIZE_MAX);
    for (size_t i = 0; i < c->identity_count && whole; i++)
        whole = buffer_printf(&text, "%s%s: %s", i == 0 ? "" : "; ", tls_identity_describe(c->identities[i]),
                              obstacle_text(look_at(c, c->identities[i], fd, wanted)));
    tell(e, c->identity_count == 0
                ? base_strdup("none: there is none for this service (connect_identity)")
                : base_printf("none: %.*s%s", (int)text.size,
                              text.size == 0 ? "" : (const char *)buffer_span(&text).data, whole ? "" : "; ..."));
    buffer_release(&text);
}

static const struct tls_identity *choose(const struct tls_context *c, PRFileDesc *fd, const struct wanted *wanted)
{
    for (size_t i = 0; i < c->identity_count; i++)
        if (look_at(c, c->identities[i], fd, wanted) == OBSTACLE_NONE)
            return c->identities[i];
    if (c->identity_count == 1 && c->no_suitable_identity == TLS_NO_SUITABLE_ONLY &&
        look_at(c, c->identities[0], fd, wanted) == OBSTACLE_AUTHORITY)
        return c->identities[0];
    return NULL;
}

/* NSS 3.87 loses a reference to our certificate with each ticket but the first of a TLS 1.3 connection: it hands out no
 * session with a client certificate, fills the next ticket into the same one, and overwrites the reference there
 * (tls13_HandleNewSessionTicket(), ssl3_FillInCachedSID()). A certificate on a token then holds its slot for ever, and
 * NSS does not shut down. Without a cache it does not look at tickets, which are of no use here anyway. */
static bool take_no_tickets(PRFileDesc *fd)
{
    return SSL_OptionSet(fd, SSL_NO_CACHE, PR_TRUE) == SECSuccess;
}

static SECStatus PR_CALLBACK choose_identity(void *arg, PRFileDesc *fd, CERTDistNames *authorities,
                                             CERTCertificate **cert, SECKEYPrivateKey **key)
{
    struct tls_engine *e = tls_engine_of(fd);
    struct wanted wanted;
    const struct tls_identity *identity;

    (void)arg;
    e->cert_wanted = true;
    read_wanted(authorities, &wanted);
    identity = choose(e->context, fd, &wanted);
    if (identity == NULL)
        tell_none(e, fd, &wanted);
    else
        tell_chosen(e, identity, &wanted);
    clear_wanted(&wanted);
    if (identity != NULL) {
        *cert = CERT_DupCertificate(tls_linked_leaf(identity->linked));
        *key = SECKEY_CopyPrivateKey(identity->key);
        if (*cert != NULL && *key != NULL && take_no_tickets(fd)) {
            e->identity = identity;
            return SECSuccess;
        }
        scope_release_cert(cert);
        scope_release_private_key(key);
    }
    PR_SetError(SEC_ERROR_NO_KEY, 0);
    return SECFailure; /* to NSS: go on without */
}

void tls_client_identity_install(PRFileDesc *model)
{
    (void)SSL_GetClientAuthDataHook(model, choose_identity, NULL);
}
