/* see tls/runtime_internal.h
 *
 * A server key on a token, and session tickets. To keep the secret of a session, libssl wraps it with a symmetric key,
 * and that key with the *server's private key*: by RSA decryption, or by ECDH with its signing key
 * (ssl3_GetWrappingKey). A token that only signs can do neither, and libssl would try again for each session, and fail
 * to resume any. But it makes that key once in a process for each authentication type, and then uses it for all servers
 * of the type. So here, before anyone else, an identity in memory of each type completes a handshake with itself. The
 * keys are the same in all workers (tls_ticket_key_generate()), so that each can unwrap what it finds in the session
 * cache that they share. */
#include "tls/runtime_internal.h"

#include "base/nss_scope.h"
#include "tls/accelerator.h"
#include "tls/engine.h"
#include "tls/identity_internal.h"

#include <cryptohi.h>
#include <prtime.h>
#include <secoid.h>
#include <stdlib.h>

enum { DIGITAL_SIGNATURE_BIT = 0x80, KEY_USAGE_UNUSED_BITS = 7, EXCHANGES_MAX = 16, DAY_SECONDS = 86400 };

/* What libssl tells apart (ssl_wrap_key_auth_type): an RSA key that may encrypt, one that may only sign, and ECDSA on
 * each curve alike. RSA-PSS certificates do not resume (context.c). */
enum key_usage { USAGE_ANY, USAGE_SIGN };

struct kind {
    bool ec;
    enum key_usage usage;
};

static const struct kind kinds[] = {
    {.ec = false, .usage = USAGE_ANY},
    {.ec = false, .usage = USAGE_SIGN},
    {.ec = true, .usage = USAGE_SIGN},
};

static bool add_key_usage(CERTCertificate *cert)
{
    /* BIT STRING of one bit */
    uint8_t encoded[] = {SEC_ASN1_BIT_STRING, 2, KEY_USAGE_UNUSED_BITS, DIGITAL_SIGNATURE_BIT};
    SECItem value = {.type = siBuffer, .data = encoded, .len = sizeof(encoded)};
    void *extensions = CERT_StartCertExtensions(cert);

    if (extensions == NULL)
        return false;
    if (CERT_AddExtension(extensions, SEC_OID_X509_KEY_USAGE, &value, PR_TRUE, PR_TRUE) != SECSuccess) {
        (void)CERT_FinishExtensions(extensions);
        return false;
    }
    return CERT_FinishExtensions(extensions) == SECSuccess;
}

static CERTCertificate *describe(SECKEYPublicKey *public_key)
{
    SCOPED_SPKI spki = SECKEY_CreateSubjectPublicKeyInfo(public_key);
    PRTime now = PR_Now();
    CERTName *name = CERT_AsciiToName("CN=yett session keys");
    CERTValidity *validity =
        CERT_CreateValidity(now - DAY_SECONDS * PR_USEC_PER_SEC, now + DAY_SECONDS * PR_USEC_PER_SEC);
    CERTCertificateRequest *request = NULL;
    CERTCertificate *cert = NULL;

    if (spki != NULL && name != NULL)
        request = CERT_CreateCertificateRequest(name, spki, NULL);
    if (request != NULL && validity != NULL)
        cert = CERT_CreateCertificate(1, name, validity, request);
    if (request != NULL)
        CERT_DestroyCertificateRequest(request);
    if (validity != NULL)
        CERT_DestroyValidity(validity);
    if (name != NULL)
        CERT_DestroyName(name);
    return cert;
}

static CERTCertificate *sign(CERTCertificate *cert, SECKEYPrivateKey *key, bool ec)
{
    SECOidTag algorithm = ec ? SEC_OID_ANSIX962_ECDSA_SHA256_SIGNATURE : SEC_OID_PKCS1_SHA256_WITH_RSA_ENCRYPTION;
    SECItem body = {0}, whole = {0};

    cert->version.data[0] = SEC_CERTIFICATE_VERSION_3;
    if (SECOID_SetAlgorithmID(cert->arena, &cert->signature, algorithm, NULL) != SECSuccess ||
        SEC_ASN1EncodeItem(cert->arena, &body, cert, SEC_ASN1_GET(CERT_CertificateTemplate)) == NULL ||
        SEC_DerSignData(cert->arena, &whole, body.data, (int)body.len, key, algorithm) != SECSuccess)
        return NULL;
    return CERT_NewTempCertificate(CERT_GetDefaultCertDB(), &whole, NULL, PR_FALSE, PR_TRUE);
}

static bool make_identity(const struct kind *kind, struct tls_identity **identity, char **error)
{
    SECKEYPrivateKey *key = kind->ec ? tls_runtime_keys()->ec : tls_runtime_keys()->rsa;
    SCOPED_PUBLIC_KEY public_key = SECKEY_ConvertToPublicKey(key);
    SCOPED_CERT unsigned_cert = public_key == NULL ? NULL : describe(public_key);
    SCOPED_PRIVATE_KEY copy = SECKEY_CopyPrivateKey(key);
    CERTCertificate *cert = NULL;

    if (unsigned_cert != NULL && (kind->usage == USAGE_ANY || add_key_usage(unsigned_cert)))
        cert = sign(unsigned_cert, key, kind->ec);
    if (cert == NULL || copy == NULL)
        return tls_nss_fail(error, "cannot make an identity for session keys");
    return tls_identity_create(cert, SCOPE_TAKE(copy), identity, error);
}

static void move_records(struct tls_engine *from, struct tls_engine *to)
{
    struct span records = tls_engine_records(from);
    size_t size;
    uint8_t *space = tls_engine_records_reserve(to, &size);

    size = size < records.size ? size : records.size;
    if (size == 0)
        return;
    memcpy(space, records.data, size);
    tls_engine_records_commit(to, size);
    tls_engine_records_consume(from, size);
}

static bool shake_hands(struct tls_engine *client, struct tls_engine *server, char **error)
{
    for (int i = 0; i < EXCHANGES_MAX; i++) {
        if (tls_engine_step(client) != TLS_OK || tls_engine_step(server) != TLS_OK) {
            *error =
                base_printf("cannot make the session keys: %s%s", tls_engine_error(client), tls_engine_error(server));
            return false;
        }
        move_records(client, server);
        move_records(server, client);
        if (tls_engine_handshake_done(client) && tls_engine_handshake_done(server)) {
            tls_engine_send_ticket(server); /* this is what makes NSS make the key */
            return true;
        }
    }
    *error = base_strdup("cannot make the session keys: the handshake does not end");
    return false;
}

static bool make_wrapping_key(const struct kind *kind, unsigned version, struct tls_context *client_context,
                              char **error)
{
    struct tls_identity *identity = NULL;
    struct tls_context *server_context = NULL;
    struct tls_engine *client = NULL, *server = NULL;
    bool ok = false;

    if (make_identity(kind, &identity, error)) {
        struct tls_server_options options = {
            .identities = &identity, .identity_count = 1, .version_min = version, .alpn_ignore = true};

        assert(identity != NULL);
        identity->version_max = version;
        ok = tls_server_context_create(&options, &server_context, error);
    }
    if (ok) {
        client = tls_engine_create(client_context, NULL, NULL);
        server = tls_engine_create(server_context, NULL, NULL);
        ok = shake_hands(client, server, error);
    }
    tls_engine_destroy(&client);
    tls_engine_destroy(&server);
    tls_context_destroy(&server_context);
    tls_identity_destroy(&identity);
    return ok;
}

bool tls_wrapping_keys_make(char **error)
{
    struct tls_client_options options = {.version_min = TLS_VERSION_12, .insecure_no_verify = true};
    struct tls_context *client_context = NULL;
    bool ok = tls_client_context_create(&options, &client_context, error);

    for (size_t i = 0; ok && i < ARRAY_LEN(kinds); i++) {
        ok = make_wrapping_key(&kinds[i], TLS_VERSION_13, client_context, error);
        /* With an accelerator that lacks the derivations of one version, the secrets of the two are in different slots,
         * which wrap with different mechanisms, and libssl has a wrapping key for each. */
        if (ok && tls_accelerator_slot() != NULL)
            ok = make_wrapping_key(&kinds[i], TLS_VERSION_12, client_context, error);
    }
    tls_context_destroy(&client_context);
    return ok;
}
