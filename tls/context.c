/* see tls/engine.h
 *
 * A context makes model sockets; each connection's socket is a copy of one (SSL_ImportFD), so that nothing is parsed or
 * set up per connection. NSS's defaults are not safe (RC4, 3DES and static RSA suites, renegotiation by clients,
 * client certificates on the first handshake only): everything is set here. */
#include "tls/client_identity.h"
#include "tls/context_internal.h"
#include "tls/key_groups.h"
#include "tls/models.h"
#include "tls/nspr_layer.h"
#include "tls/runtime_internal.h"
#include "tls/sessions.h"
#include "tls/nspr_layer.h"

#include "base/nss_scope.h"

#include <nss.h>
#include <prerror.h>
#include <secoid.h>
#include <sslproto.h>
#include <stdlib.h>
#include <time.h>

/* Mozilla's "intermediate" list without finite-field Diffie-Hellman, and its "modern" one, which is TLS 1.3 alone. */
static const PRUint16 suites_tls13[] = {
    TLS_AES_128_GCM_SHA256,
    TLS_AES_256_GCM_SHA384,
    TLS_CHACHA20_POLY1305_SHA256,
};
static const PRUint16 suites_tls12[] = {
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,       TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,         TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
};

/* The schemes with RSA-PSS come first, those of ordinary RSA keys before all, so that they can be left out where a
 * token cannot make them. */
enum { RSAE_SCHEMES = 3, PSS_SCHEMES = 6 };
static const SSLSignatureScheme schemes[] = {
    ssl_sig_rsa_pss_rsae_sha256,    ssl_sig_rsa_pss_rsae_sha384,    ssl_sig_rsa_pss_rsae_sha512,
    ssl_sig_rsa_pss_pss_sha256,     ssl_sig_rsa_pss_pss_sha384,     ssl_sig_rsa_pss_pss_sha512,
    ssl_sig_ecdsa_secp256r1_sha256, ssl_sig_ecdsa_secp384r1_sha384, ssl_sig_ecdsa_secp521r1_sha512,
    ssl_sig_rsa_pkcs1_sha256,       ssl_sig_rsa_pkcs1_sha384,       ssl_sig_rsa_pkcs1_sha512,
};

struct option {
    PRInt32 name;
    PRIntn value;
};

static const struct option common_options[] = {
    {SSL_SECURITY, PR_TRUE},
    {SSL_NO_LOCKS, PR_FALSE}, /* tried: SSL3_SendAlert() asks for the state of a lock that is not there, and crashes */
    {SSL_ENABLE_FDX, PR_FALSE},
    {SSL_ENABLE_0RTT_DATA, PR_FALSE}, /* a replayed mail command is sent twice */
    {SSL_ENABLE_POST_HANDSHAKE_AUTH, PR_FALSE},
    {SSL_ENABLE_EXTENDED_MASTER_SECRET, PR_TRUE},
    {SSL_ENABLE_ALPN, PR_TRUE},
    {SSL_ENABLE_OCSP_STAPLING, PR_TRUE},
    {SSL_ENABLE_SIGNED_CERT_TIMESTAMPS, PR_FALSE},
    {SSL_ENABLE_DELEGATED_CREDENTIALS, PR_FALSE},
    {SSL_ENABLE_FALSE_START, PR_FALSE},
    {SSL_ENABLE_FALLBACK_SCSV, PR_FALSE},
    {SSL_ENABLE_HELLO_DOWNGRADE_CHECK, PR_TRUE},
    {SSL_ENABLE_V2_COMPATIBLE_HELLO, PR_FALSE},
    {SSL_ENABLE_SERVER_DHE, PR_FALSE},
    {SSL_REQUIRE_DH_NAMED_GROUPS, PR_TRUE},
    {SSL_REUSE_SERVER_ECDHE_KEY, PR_FALSE},
    {SSL_ENABLE_TLS13_COMPAT_MODE, PR_TRUE}, /* for middleboxes (RFC 8446 appendix D.4) */
};

static const struct option client_options[] = {
    {SSL_HANDSHAKE_AS_CLIENT, PR_TRUE},
    {SSL_HANDSHAKE_AS_SERVER, PR_FALSE},
    {SSL_ENABLE_SESSION_TICKETS, PR_TRUE},
    /* Some TLS 1.2 servers ask for a client certificate in a second handshake (IIS); safe with the extension of RFC
     * 5746. Not demanded in the first handshake: a server that never renegotiates may be without it. */
    {SSL_ENABLE_RENEGOTIATION, SSL_RENEGOTIATE_REQUIRES_XTN},
    {SSL_REQUIRE_SAFE_NEGOTIATION, PR_FALSE},
    {SSL_REQUEST_CERTIFICATE, PR_FALSE},
    {SSL_REQUIRE_CERTIFICATE, SSL_REQUIRE_NEVER},
    {SSL_NO_CACHE, PR_FALSE}, /* the cache is ours: sessions.c */
};

static const struct option server_options[] = {
    {SSL_HANDSHAKE_AS_CLIENT, PR_FALSE},
    {SSL_HANDSHAKE_AS_SERVER, PR_TRUE},
    /* Tickets of TLS 1.3 are sent by ourselves, with a token in them; those of TLS 1.2 could not have one and would be
     * good for every service, so TLS 1.2 resumes through the shared cache (server_hooks.c). */
    {SSL_ENABLE_SESSION_TICKETS, PR_FALSE},
    {SSL_ENABLE_RENEGOTIATION, SSL_RENEGOTIATE_NEVER},
    {SSL_REQUIRE_SAFE_NEGOTIATION, PR_FALSE},
};

static bool set_options(PRFileDesc *model, const struct option *options, size_t count, char **error)
{
    for (size_t i = 0; i < count; i++)
        if (SSL_OptionSet(model, options[i].name, options[i].value) != SECSuccess)
            return tls_nss_fail(error, "cannot set an option of the TLS socket");
    return true;
}

static bool set_suites(PRFileDesc *model, enum tls_ciphers ciphers, char **error)
{
    const PRUint16 *implemented = SSL_GetImplementedCiphers();
    bool ok = true;

    for (unsigned i = 0; i < SSL_GetNumImplementedCiphers(); i++)
        ok = ok && SSL_CipherPrefSet(model, implemented[i], PR_FALSE) == SECSuccess;
    for (size_t i = 0; i < ARRAY_LEN(suites_tls13); i++)
        ok = ok && SSL_CipherPrefSet(model, suites_tls13[i], PR_TRUE) == SECSuccess;
    for (size_t i = 0; ciphers == TLS_CIPHERS_INTERMEDIATE && i < ARRAY_LEN(suites_tls12); i++)
        ok = ok && SSL_CipherPrefSet(model, suites_tls12[i], PR_TRUE) == SECSuccess;
    return ok ? true : tls_nss_fail(error, "cannot set the cipher suites");
}

/* What every identity can do. */
static unsigned version_of_all(const struct tls_context *context)
{
    unsigned max = TLS_VERSION_13;

    for (size_t i = 0; i < context->identity_count; i++)
        if (context->identities[i]->version_max < max)
            max = context->identities[i]->version_max;
    return max;
}

/* NSS leaves schemes with RSA-PSS out for a key whose token does not have the mechanism (ssl_PickSignatureScheme()). */
static bool is_seen_by_nss(const struct tls_identity *capped)
{
    SCOPED_SLOT slot = PK11_GetSlotFromPrivateKey(capped->key);

    return capped->slot == TLS_SLOT_RSA && slot != NULL && !PK11_DoesMechanism(slot, CKM_RSA_PKCS_PSS);
}

/* One identity that cannot do RSA-PSS caps a client at TLS 1.2: which one the server will want is said in TLS 1.3, and
 * there is no way back from there but another connection. A server starts over where it has nothing else to show
 * (sites.c), so that only those who get this identity have TLS 1.2. For that, NSS must not take the key in TLS 1.3: the
 * schemes are left out of the site's list (schemes_skipped()). Not where clients are asked for certificates: NSS has a
 * single list for what we sign with and for what clients may sign with, and without RSA-PSS in it no RSA client could
 * show a certificate in TLS 1.3. There it must be NSS that sees what the key cannot do, and of a token it does;
 * otherwise all of the service has TLS 1.2. */
static unsigned version_max(const struct tls_context *context)
{
    unsigned max = TLS_VERSION_12;

    if (context->role == TLS_ROLE_CLIENT)
        return version_of_all(context);
    for (size_t i = 0; i < context->identity_count; i++) {
        const struct tls_identity *identity = context->identities[i];

        if (identity->version_max > max)
            max = identity->version_max;
        if (context->peer != TLS_PEER_NONE && identity->version_max < TLS_VERSION_13 && !is_seen_by_nss(identity))
            return version_of_all(context);
    }
    return max;
}

/* Schemes to leave out. `site`: of a server. */
static size_t schemes_skipped(const struct tls_context *context, const struct tls_site *site, unsigned max)
{
    if (max < TLS_VERSION_13)
        return PSS_SCHEMES;
    return site != NULL && context->peer == TLS_PEER_NONE && site->slots[TLS_SLOT_RSA] != NULL &&
                   site->slots[TLS_SLOT_RSA]->version_max < TLS_VERSION_13
               ? RSAE_SCHEMES
               : 0;
}

/* A client has a key share for the group it likes best in its first message. Where that is the hybrid one it has
 * another, for the next one: a server without the first would ask for it, and that is a round trip for most servers of
 * today. */
static bool set_groups(const struct tls_context *context, PRFileDesc *model, char **error)
{
    SSLNamedGroup groups[KEY_GROUP_COUNT];
    bool hybrid = context->groups[0] == KEY_GROUP_X25519MLKEM768 && context->group_count > 1;

    for (size_t i = 0; i < context->group_count; i++)
        groups[i] = (SSLNamedGroup)tls_key_group_number(context->groups[i]);
    if (SSL_NamedGroupConfig(model, groups, (unsigned)context->group_count) != SECSuccess ||
        (context->role == TLS_ROLE_CLIENT && SSL_SendAdditionalKeyShares(model, hybrid) != SECSuccess))
        return tls_nss_fail(error, "cannot set the groups");
    return true;
}

static bool set_versions(struct tls_context *context, const struct tls_site *site, PRFileDesc *model,
                         enum tls_ciphers ciphers, unsigned version_min, char **error)
{
    unsigned max = version_max(context);
    SSLVersionRange range = {.min = (PRUint16)(ciphers == TLS_CIPHERS_MODERN ? TLS_VERSION_13 : version_min),
                             .max = (PRUint16)max};
    size_t skip = schemes_skipped(context, site, max);

    if (context->falls_back != (version_of_all(context) < max)) /* once: models are made again by other threads */
        context->falls_back = !context->falls_back;
    if (range.min != TLS_VERSION_12 && range.min != TLS_VERSION_13) {
        *error = base_printf("the lowest TLS version 0x%04x is none of 0x0303 and 0x0304", range.min);
        return false;
    }
    if (range.min > version_of_all(context)) {
        *error = base_strdup("TLS 1.3 is demanded, but the key of an identity cannot make RSA-PSS signatures");
        return false;
    }
    if (SSL_VersionRangeSet(model, &range) != SECSuccess)
        return tls_nss_fail(error, "cannot set the TLS versions");
    if (SSL_SignatureSchemePrefSet(model, schemes + skip, (unsigned)(ARRAY_LEN(schemes) - skip)) != SECSuccess)
        return tls_nss_fail(error, "cannot set the signature schemes");
    return set_groups(context, model, error);
}

static PRFileDesc *model_create(char **error)
{
    PRFileDesc *layer = tls_nspr_layer_create(NULL);
    PRFileDesc *model = SSL_ImportFD(NULL, layer);

    if (model == NULL) {
        (void)PR_Close(layer);
        (void)tls_nss_fail(error, "cannot make a TLS socket");
    }
    return model;
}

/* NSS's wire form. NSS takes the first of the list as the least liked one; so the last goes first. */
static bool set_client_alpn(struct tls_context *context, PRFileDesc *model, char **error)
{
    uint8_t list[TLS_ALPN_LIST_MAX];
    size_t size = 0;

    for (size_t i = 0; i < context->alpn_count; i++) {
        const char *id = context->alpn[(i + context->alpn_count - 1) % context->alpn_count];
        size_t length = strlen(id);

        if (length == 0 || length > UINT8_MAX || size + 1 + length > sizeof(list)) {
            *error = base_strdup("an ALPN identifier is empty or too long");
            return false;
        }
        list[size++] = (uint8_t)length;
        memcpy(list + size, id, length);
        size += length;
    }
    return size == 0 || SSL_SetNextProtoNego(model, list, (unsigned)size) == SECSuccess
               ? true
               : tls_nss_fail(error, "cannot set the ALPN identifiers");
}

static int64_t machine_wall_s(void)
{
    return time(NULL);
}

static const struct tls_clock machine_clock = {.wall_s = machine_wall_s, .now_ms = base_now_ms};

static struct tls_context *context_create(enum tls_role role, const struct tls_clock *clock,
                                          const struct pkix_store *trust, struct tls_identity *const *identities,
                                          size_t identity_count, const char *const *alpn, size_t alpn_count)
{
    struct tls_context *context = base_alloc(sizeof(*context));

    context->clock = clock == NULL ? &machine_clock : clock;

    context->role = role;
    context->calls = role == TLS_ROLE_SERVER ? &tls_server_calls : &tls_client_calls;
    context->trust = trust;
    context->identities = base_alloc((identity_count + 1) * sizeof(struct tls_identity *));
    for (size_t i = 0; i < identity_count; i++) {
        context->identities[i] = identities[i];
        context->may_block = context->may_block || identities[i]->may_block;
    }
    context->identity_count = identity_count;
    context->alpn = base_alloc((alpn_count + 1) * sizeof(*context->alpn));
    for (size_t i = 0; i < alpn_count; i++)
        context->alpn[i] = base_strdup(alpn[i]);
    context->alpn_count = alpn_count;
    return context;
}

static bool choose_groups(struct tls_context *context, const enum key_group *wanted, size_t count, char **error)
{
    context->group_count = tls_key_groups_choose(wanted, count, context->groups);
    if (context->group_count != 0)
        return true;
    *error = base_printf("NSS %s has none of the groups", NSS_GetVersion());
    return false;
}

bool tls_client_context_create(const struct tls_client_options *options, struct tls_context **context, char **error)
{
    struct tls_context *c;

    assert(options->trust != NULL || options->insecure_no_verify);
    c = context_create(TLS_ROLE_CLIENT, options->clock, options->trust, options->identities, options->identity_count,
                       options->alpn, options->alpn_count);
    if (!choose_groups(c, options->groups, options->group_count, error))
        goto fail;
    c->insecure_no_verify = options->insecure_no_verify;
    c->revocation = options->revocation;
    c->issuers = options->issuers;
    c->pins = options->pins;
    c->pin_count = options->pin_count;
    c->policy = options->policy;
    c->no_suitable_identity = options->no_suitable_identity;
    c->sessions = tls_sessions_create();
    for (size_t i = 0; i < options->identity_count; i++)
        if (!tls_client_identity_prepare(options->identities[i], error))
            goto fail;
    c->model = model_create(error);
    if (c->model != NULL && set_options(c->model, common_options, ARRAY_LEN(common_options), error) &&
        set_options(c->model, client_options, ARRAY_LEN(client_options), error) &&
        set_suites(c->model, options->ciphers, error) &&
        set_versions(c, NULL, c->model, options->ciphers, options->version_min, error) &&
        set_client_alpn(c, c->model, error)) {
        tls_peer_verify_install(c->model);
        tls_client_hooks_install(c->model);
        *context = c;
        return true;
    }

fail:
    tls_context_destroy(&c);
    return false;
}

static bool set_client_auth(struct tls_context *context, PRFileDesc *model, char **error)
{
    bool asks = context->peer != TLS_PEER_NONE;
    const struct option options[] = {
        {SSL_REQUEST_CERTIFICATE, asks},
        {SSL_REQUIRE_CERTIFICATE, context->peer == TLS_PEER_REQUIRE ? SSL_REQUIRE_ALWAYS : SSL_REQUIRE_NEVER},
        {SSL_NO_CACHE, !context->resumes || !tls_runtime_has_session_cache()},
    };

    return set_options(model, options, ARRAY_LEN(options), error);
}

static bool add_identity(PRFileDesc *model, const struct tls_identity *identity, struct span staple, char **error)
{
    SECItem response = {.type = siBuffer, .data = base_memdup(staple.data, staple.size), .len = (unsigned)staple.size};
    SECItemArray responses = {.items = &response, .len = 1};
    SECItem items[TLS_CHAIN_LENGTH_MAX + 1];
    CERTCertificateList chain = {.certs = items, .len = (int)identity->chain_length + 1};
    SSLExtraServerCertData extra = {
        .authType = ssl_auth_null, .certChain = &chain, .stapledOCSPResponses = staple.size == 0 ? NULL : &responses};
    SECStatus status;

    items[0] = identity->cert->derCert;
    for (size_t i = 0; i < identity->chain_length; i++)
        items[i + 1] = (SECItem){
            .type = siDERCertBuffer, .data = identity->chain[i].data, .len = (unsigned)identity->chain[i].size};
    status = SSL_ConfigServerCert(model, identity->cert, identity->key, &extra, sizeof(extra));
    free(response.data);
    return status == SECSuccess ? true : tls_nss_fail(error, "NSS does not take the certificate for a server");
}

/* see tls/context_internal.h */
PRFileDesc *tls_site_socket_create(struct tls_context *context, const struct tls_site *site, char **error)
{
    static const struct span no_staple = {0};
    const struct tls_site_settings *settings = &context->settings;
    PRFileDesc *model = model_create(error);

    if (model == NULL)
        return NULL;
    if (!set_options(model, common_options, ARRAY_LEN(common_options), error) ||
        !set_options(model, server_options, ARRAY_LEN(server_options), error) ||
        !set_client_auth(context, model, error) || !set_suites(model, settings->ciphers, error) ||
        !set_versions(context, site, model, settings->ciphers, settings->version_min, error))
        goto fail;
    for (size_t i = 0; i < TLS_SLOT_COUNT; i++) {
        const struct tls_identity *identity = site->slots[i];

        if (identity != NULL &&
            !add_identity(model, identity,
                          identity == context->identities[0] ? span_of(settings->staple, settings->staple_size)
                                                             : no_staple,
                          error))
            goto fail;
    }
    if (context->peer != TLS_PEER_NONE && !tls_ca_names_set(model, context->trust, error))
        goto fail;
    if (context->peer != TLS_PEER_NONE)
        tls_peer_verify_install(model);
    tls_server_hooks_install(context, model, settings->alpn_rule);
    return model;

fail:
    (void)PR_Close(model);
    return NULL;
}

static void hash_text(PK11Context *hash, const char *text)
{
    /* With its NUL, so that two texts cannot run into one another. */
    (void)PK11_DigestOp(hash, (const unsigned char *)text, (unsigned)strlen(text) + 1);
}

/* What makes sessions of this context its own: the service, who it is, whom it trusts, and what it insists on. After a
 * reload that changed any of it, older sessions are not taken. */
static bool hash_context(struct tls_context *context, const struct tls_server_options *options, char **error)
{
    SCOPED_PK11_CONTEXT hash = PK11_CreateDigestContext(SEC_OID_SHA256);
    uint8_t settings[] = {(uint8_t)options->sni, (uint8_t)options->peer, (uint8_t)options->ciphers,
                          (uint8_t)options->version_min};
    unsigned size = 0;

    if (hash == NULL || PK11_DigestBegin(hash) != SECSuccess)
        return tls_nss_fail(error, "cannot hash the settings of the service");
    hash_text(hash, options->session_id_context == NULL ? "" : options->session_id_context);
    (void)PK11_DigestOp(hash, settings, sizeof(settings));
    for (size_t i = 0; i < context->group_count; i++)
        hash_text(hash, tls_key_group_name(context->groups[i]));
    for (size_t i = 0; i < context->alpn_count; i++)
        hash_text(hash, context->alpn[i]);
    for (size_t i = 0; i < context->identity_count; i++)
        (void)PK11_DigestOp(hash, context->identities[i]->cert->derCert.data,
                            context->identities[i]->cert->derCert.len);
    if (PK11_DigestFinal(hash, context->ticket_token, &size, sizeof(context->ticket_token)) != SECSuccess ||
        size != sizeof(context->ticket_token))
        return tls_nss_fail(error, "cannot hash the settings of the service");
    memcpy(&context->cache_address, context->ticket_token, sizeof(context->cache_address));
    return true;
}

/* Who asks for client certificates gets one each time: a resumed session is not asked for it again, and NSS keeps only
 * the leaf of the first one, which cannot be verified without the rest.
 * RSA-PSS certificates: NSS has no way to unwrap the wrapping key that another worker has put into the shared cache
 * (ssl_UnwrapSymWrappingKey), so that there are no sessions but in the worker that was first. */
static bool may_resume(const struct tls_context *context)
{
    if (context->peer != TLS_PEER_NONE)
        return false;
    for (size_t i = 0; i < context->identity_count; i++)
        if (context->identities[i]->slot == TLS_SLOT_RSA_PSS)
            return false;
    return true;
}

bool tls_server_context_create(const struct tls_server_options *options, struct tls_context **context, char **error)
{
    struct tls_context *c;

    assert(options->identity_count != 0);
    assert(options->peer == TLS_PEER_NONE || options->trust != NULL);
    c = context_create(TLS_ROLE_SERVER, options->clock, options->trust, options->identities, options->identity_count,
                       options->alpn, options->alpn_count);
    if (!choose_groups(c, options->groups, options->group_count, error))
        goto fail;
    c->sni = options->sni;
    c->peer = options->peer;
    c->revocation = options->revocation;
    c->issuers = options->issuers;
    c->peer_usage = options->peer_usage;
    c->pins = options->pins;
    c->pin_count = options->pin_count;
    c->policy = options->policy;
    c->resumes = may_resume(c);
    c->settings = (struct tls_site_settings){
        .ciphers = options->ciphers,
        .version_min = options->version_min,
        .alpn_rule = options->alpn_ignore ? TLS_ALPN_IGNORE : TLS_ALPN_MATCH,
        .staple = base_memdup(options->ocsp_staple.data, options->ocsp_staple.size),
        .staple_size = options->ocsp_staple.size,
    };
    tls_sites_build(c);
    if (!hash_context(c, options, error))
        goto fail;
    for (size_t i = 0; i < c->site_count; i++)
        if (!tls_model_create(c, &c->sites[i], error))
            goto fail;
    *context = c;
    return true;

fail:
    tls_context_destroy(&c);
    return false;
}

void tls_context_destroy(struct tls_context **context)
{
    struct tls_context *c = *context;

    if (c == NULL)
        return;
    *context = NULL;
    if (c->model != NULL)
        (void)PR_Close(c->model);
    free(c->settings.staple);
    tls_sites_clear(c);
    tls_sessions_destroy(&c->sessions);
    for (size_t i = 0; i < c->alpn_count; i++)
        free(c->alpn[i]);
    free(c->alpn);
    free(c->identities);
    free(c);
}
