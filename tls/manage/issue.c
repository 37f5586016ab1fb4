/* see tls/manage/issue.h */
#include "tls/manage/issue.h"
#include "base/nss_scope.h"
#include "base/text.h"
#include "tls/manage/database_internal.h"
#include "tls/manage/issue_internal.h"
#include "tls/runtime_internal.h"

#include <cryptohi.h>
#include <secder.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERIAL_BYTES = 16, DAY_SECONDS = 86400, BACKDATED_SECONDS = 3600, RSA_BITS_MIN = 2048 };

static const struct {
    const char *name;
    unsigned rsa_bits; /* 0: an EC key */
    SECOidTag curve;
} key_types[] = {
    [TLS_KEY_P256] = {"p256", 0, SEC_OID_ANSIX962_EC_PRIME256V1},
    [TLS_KEY_P384] = {"p384", 0, SEC_OID_SECG_EC_SECP384R1},
    [TLS_KEY_RSA_2048] = {"rsa2048", 2048, SEC_OID_UNKNOWN},
    [TLS_KEY_RSA_3072] = {"rsa3072", 3072, SEC_OID_UNKNOWN},
    [TLS_KEY_RSA_4096] = {"rsa4096", 4096, SEC_OID_UNKNOWN},
};
static_assert(ARRAY_LEN(key_types) == TLS_KEY_TYPE_COUNT, "one row for each key type");

/* What is known of a certificate to be, before any key is made: all that can be refused is refused by then. */
struct plan {
    const struct tls_issue_options *options;
    PLArenaPool *arena;
    CERTName *subject;
    CERTGeneralName *sans; /* circular list, NULL: none */
    bool has_host;         /* a DNS or IP name among them */
    CERTCertificateRequest *request;
    CERTCertificate *issuer;      /* NULL: self-signed */
    SECKEYPrivateKey *issuer_key; /* NULL: self-signed */
    PRTime not_before, not_after;
};

const char *tls_key_type_name(enum tls_key_type type)
{
    return key_types[type].name;
}

bool tls_key_type_parse(const char *name, enum tls_key_type *type)
{
    for (size_t i = 0; i < ARRAY_LEN(key_types); i++) {
        if (strcmp(name, key_types[i].name) == 0) {
            *type = (enum tls_key_type)i;
            return true;
        }
    }
    return false;
}

/* Subject alternative names */

static void note_san(struct plan *plan, CERTGeneralName *name)
{
    plan->has_host = plan->has_host || name->type == certDNSName || name->type == certIPAddress;
}

static bool plan_sans(struct plan *plan, char **error)
{
    if (plan->options->san_count > TLS_ISSUE_SANS_MAX) {
        *error = base_printf("more than %d alternative names", TLS_ISSUE_SANS_MAX);
        return false;
    }
    for (size_t i = 0; i < plan->options->san_count; i++) {
        CERTGeneralName *name = tls_issue_name(plan->arena, plan->options->sans[i], error);

        if (name == NULL)
            return false;
        note_san(plan, name);
        if (plan->sans == NULL)
            plan->sans = name;
        else
            PR_INSERT_BEFORE(&name->l, &plan->sans->l);
    }
    return true;
}

/* The names a request asks for; nothing else of its wishes (use, CA or not) is taken over. */
static bool plan_request_sans(struct plan *plan, char **error)
{
    CERTCertExtension **extensions = NULL;
    SECOidData *san_oid = SECOID_FindOIDByTag(SEC_OID_X509_SUBJECT_ALT_NAME);
    CERTGeneralName *name;

    if (CERT_GetCertificateRequestExtensions(plan->request, &extensions) != SECSuccess)
        return tls_nss_fail(error, "the request's extensions cannot be read");
    for (; extensions != NULL && *extensions != NULL; extensions++) {
        if (SECITEM_CompareItem(&(*extensions)->id, &san_oid->oid) != SECEqual)
            continue;
        plan->sans = CERT_DecodeAltNameExtension(plan->arena, &(*extensions)->value);
        if (plan->sans == NULL)
            return tls_nss_fail(error, "the request's alternative names cannot be read");
    }
    name = plan->sans;
    while (name != NULL) {
        note_san(plan, name);
        name = CONTAINER_OF(PR_NEXT_LINK(&name->l), CERTGeneralName, l);
        if (name == plan->sans)
            break;
    }
    return true;
}

/* Requests, names, issuer, validity */

static bool public_key_strong(CERTSubjectPublicKeyInfo *spki, char **error)
{
    SCOPED_PUBLIC_KEY key = SECKEY_ExtractPublicKey(spki);
    unsigned bits;

    if (key == NULL)
        return tls_nss_fail(error, "the request's public key cannot be read");
    bits = SECKEY_PublicKeyStrengthInBits(key);
    if (key->keyType == rsaKey && bits >= RSA_BITS_MIN)
        return true;
    if (key->keyType == ecKey) {
        SECOidTag curve = tls_database_curve(key);

        if (curve == SEC_OID_ANSIX962_EC_PRIME256V1 || curve == SEC_OID_SECG_EC_SECP384R1 ||
            curve == SEC_OID_SECG_EC_SECP521R1)
            return true;
    }
    *error = base_printf("the request's key is not RSA of at least %d bits, P-256, P-384 or P-521", RSA_BITS_MIN);
    return false;
}

static bool plan_request(struct plan *plan, char **error)
{
    SECItem der = {siBuffer, (unsigned char *)(uintptr_t)plan->options->request.data,
                   (unsigned int)plan->options->request.size};
    CERTSignedData *signed_data = PORT_ArenaZNew(plan->arena, CERTSignedData);

    plan->request = PORT_ArenaZNew(plan->arena, CERTCertificateRequest);
    if (signed_data == NULL || plan->request == NULL)
        base_abort("out of memory (a certificate request)");
    plan->request->arena = plan->arena;
    if (SEC_ASN1DecodeItem(plan->arena, signed_data, SEC_ASN1_GET(CERT_SignedDataTemplate), &der) != SECSuccess ||
        SEC_ASN1DecodeItem(plan->arena, plan->request, SEC_ASN1_GET(CERT_CertificateRequestTemplate),
                           &signed_data->data) != SECSuccess) {
        *error = base_strdup("the request is not a PKCS#10 certificate request");
        return false;
    }
    if (!public_key_strong(&plan->request->subjectPublicKeyInfo, error))
        return false;
    /* Proof that whoever asks has the key (RFC 2986 section 3). */
    if (CERT_VerifySignedDataWithPublicKeyInfo(signed_data, &plan->request->subjectPublicKeyInfo, NULL) != SECSuccess)
        return tls_nss_fail(error, "the request's own signature is not right");
    if (plan->options->san_count == 0)
        return plan_request_sans(plan, error);
    return true;
}

static bool plan_subject(struct plan *plan, char **error)
{
    char quoted[BASE_QUOTE_SIZE];
    const char *text = plan->options->subject;
    CERTName *parsed;

    if (text == NULL && plan->request != NULL) {
        plan->subject = &plan->request->subject;
        if (plan->subject->rdns == NULL || plan->subject->rdns[0] == NULL) {
            *error = base_strdup("the request has no subject; give one");
            return false;
        }
        return true;
    }
    parsed = text == NULL || *text == '\0' ? NULL : CERT_AsciiToName(text);
    if (parsed == NULL) {
        *error = base_printf("the subject %s is not a name such as \"CN=localhost,O=Example\"",
                             text == NULL ? "\"\"" : base_quote(text, strlen(text), quoted, sizeof(quoted)));
        return false;
    }
    plan->subject = PORT_ArenaZNew(plan->arena, CERTName);
    if (plan->subject == NULL || CERT_CopyName(plan->arena, plan->subject, parsed) != SECSuccess)
        base_abort("out of memory (a certificate's subject)");
    CERT_DestroyName(parsed);
    return true;
}

static bool plan_issuer(struct plan *plan, char **error)
{
    if (plan->options->issuer_sha256 == NULL)
        return true;
    plan->issuer = tls_database_cert(plan->options->issuer_sha256, error);
    if (plan->issuer == NULL)
        return false;
    if (!tls_database_is_ca(plan->issuer)) {
        *error = base_strdup("the issuer's certificate is not that of a certificate authority");
        return false;
    }
    plan->issuer_key = PK11_FindKeyByAnyCert(plan->issuer, NULL);
    if (plan->issuer_key == NULL) {
        *error = base_strdup("the issuer's private key is not in the database");
        return false;
    }
    return true;
}

static bool plan_validity(struct plan *plan, char **error)
{
    const struct tls_issue_options *o = plan->options;
    unsigned days = o->days != 0 ? o->days : (o->use & TLS_ISSUE_CA) ? TLS_ISSUE_DAYS_CA : TLS_ISSUE_DAYS_LEAF;
    PRTime issuer_from, issuer_until;
    char until[BASE_TEXT_TIME_SIZE];

    if (days > TLS_ISSUE_DAYS_MAX) {
        *error = base_printf("%u days are more than %d", days, TLS_ISSUE_DAYS_MAX);
        return false;
    }
    plan->not_before = (o->now - BACKDATED_SECONDS) * PR_USEC_PER_SEC;
    plan->not_after = (o->now + (int64_t)days * DAY_SECONDS) * PR_USEC_PER_SEC;
    if (plan->issuer == NULL)
        return true;
    if (CERT_GetCertTimes(plan->issuer, &issuer_from, &issuer_until) != SECSuccess)
        return tls_nss_fail(error, "the issuer's validity cannot be read");
    (void)base_text_time(issuer_until / PR_USEC_PER_SEC, until);
    if (issuer_until <= o->now * PR_USEC_PER_SEC) {
        *error = base_printf("the issuer's certificate expired at %s", until);
        return false;
    }
    if (plan->not_after > issuer_until && o->days != 0) {
        *error = base_printf("%u days go past the end of the issuer's certificate, %s", days, until);
        return false;
    }
    plan->not_before = plan->not_before < issuer_from ? issuer_from : plan->not_before;
    plan->not_after = plan->not_after > issuer_until ? issuer_until : plan->not_after;
    return true;
}

static bool plan_use(const struct plan *plan, char **error)
{
    unsigned use = plan->options->use;

    if (use == 0 || ((use & TLS_ISSUE_CA) && use != TLS_ISSUE_CA)) {
        *error = base_strdup("a certificate is for an authority, or for a server, a client or both");
        return false;
    }
    if ((use & TLS_ISSUE_SERVER) && !plan->has_host) {
        *error = base_strdup("a server's certificate needs an alternative name dns:HOST or ip:ADDRESS: a client does "
                             "not look for the host in the subject");
        return false;
    }
    return true;
}

static bool plan_make(struct plan *plan, char **error)
{
    if (plan->options->request.size != 0 && !plan_request(plan, error))
        return false;
    if (plan->request != NULL && plan->options->issuer_sha256 == NULL) {
        *error = base_strdup("a request needs an issuer to sign it");
        return false;
    }
    return plan_sans(plan, error) && plan_subject(plan, error) && plan_issuer(plan, error) &&
           plan_validity(plan, error) && plan_use(plan, error);
}

/* Keys */

static SECKEYPrivateKey *make_key(enum tls_key_type type, SECKEYPublicKey **public_key, char **error)
{
    const PK11AttrFlags flags = PK11_ATTR_TOKEN | PK11_ATTR_PRIVATE | PK11_ATTR_SENSITIVE | PK11_ATTR_EXTRACTABLE;
    SCOPED_SLOT slot = PK11_GetInternalKeySlot();
    SECKEYPrivateKey *key = NULL;

    if (slot != NULL && key_types[type].rsa_bits != 0) {
        PK11RSAGenParams params = {.keySizeInBits = (int)key_types[type].rsa_bits, .pe = 65537};

        key = PK11_GenerateKeyPairWithOpFlags(slot, CKM_RSA_PKCS_KEY_PAIR_GEN, &params, public_key, flags, CKF_SIGN,
                                              CKF_SIGN | CKF_DECRYPT, NULL);
    } else if (slot != NULL) {
        const SECItem *oid = &SECOID_FindOIDByTag(key_types[type].curve)->oid;
        unsigned char encoded[32] = {SEC_ASN1_OBJECT_ID, (unsigned char)oid->len};
        SECItem params = {siBuffer, encoded, oid->len + 2};

        assert(oid->len + 2 <= sizeof(encoded));
        memcpy(encoded + 2, oid->data, oid->len);
        key = PK11_GenerateKeyPairWithOpFlags(slot, CKM_EC_KEY_PAIR_GEN, &params, public_key, flags, CKF_SIGN,
                                              CKF_SIGN | CKF_DERIVE, NULL);
    }
    if (key == NULL)
        tls_nss_fail(error, "the key cannot be made");
    return key;
}

/* Putting it together */

static SECOidTag signature_algorithm(const SECKEYPrivateKey *key)
{
    /* The hash goes with the size of the key: P-384 with SHA-384, P-521 with SHA-512, all others with SHA-256. */
    unsigned bytes = key->keyType == ecKey ? (unsigned)PK11_SignatureLen((SECKEYPrivateKey *)(uintptr_t)key) / 2 : 0;
    SECOidTag hash = bytes > 48 ? SEC_OID_SHA512 : bytes > 32 ? SEC_OID_SHA384 : SEC_OID_SHA256;

    return SEC_GetSignatureAlgorithmOidTag(key->keyType, hash);
}

static bool set_serial(CERTCertificate *cert)
{
    if (SECITEM_AllocItem(cert->arena, &cert->serialNumber, SERIAL_BYTES) == NULL ||
        PK11_GenerateRandom(cert->serialNumber.data, SERIAL_BYTES) != SECSuccess)
        return false;
    /* RFC 5280 section 4.1.2.2: positive; and always 16 bytes long, so the first byte must not be zero. */
    cert->serialNumber.data[0] = (unsigned char)((cert->serialNumber.data[0] & 0x3f) | 0x40);
    return true;
}

/* The certificate, signed, as DER in plan->arena. */
static bool sign_cert(const struct plan *plan, CERTCertificateRequest *request, SECKEYPrivateKey *signer, SECItem *der,
                      char **error)
{
    SECItem tbs = {siBuffer, NULL, 0};
    SECOidTag algorithm = signature_algorithm(signer);
    CERTValidity *validity = CERT_CreateValidity(plan->not_before, plan->not_after);
    CERTName *issuer = plan->issuer != NULL ? &plan->issuer->subject : plan->subject;
    CERTCertificate *cert = validity == NULL ? NULL : CERT_CreateCertificate(1, issuer, validity, request);
    bool ok = false;

    if (cert == NULL || algorithm == SEC_OID_UNKNOWN)
        goto out;
    ok = set_serial(cert) && DER_SetUInteger(cert->arena, &cert->version, SEC_CERTIFICATE_VERSION_3) == SECSuccess &&
         SECOID_SetAlgorithmID(cert->arena, &cert->signature, algorithm, NULL) == SECSuccess &&
         tls_issue_add_extensions(cert, plan->options->use, plan->sans, plan->issuer) &&
         SEC_ASN1EncodeItem(plan->arena, &tbs, cert, SEC_ASN1_GET(CERT_CertificateTemplate)) != NULL &&
         SEC_DerSignData(plan->arena, der, tbs.data, (int)tbs.len, signer, algorithm) == SECSuccess;

out:
    if (!ok)
        tls_nss_fail(error, "the certificate cannot be made");
    if (cert != NULL)
        CERT_DestroyCertificate(cert);
    if (validity != NULL)
        CERT_DestroyValidity(validity);
    return ok;
}

static bool give(const SECItem *der, struct tls_issued *issued)
{
    issued->der = base_memdup(der->data, der->len);
    issued->size = der->len;
    tls_database_fingerprint(der, issued->sha256);
    return true;
}

static bool store(SECItem *der, char **error)
{
    SCOPED_CERT cert = CERT_NewTempCertificate(CERT_GetDefaultCertDB(), der, NULL, PR_FALSE, PR_TRUE);

    if (cert == NULL)
        return tls_nss_fail(error, "the new certificate cannot be read back");
    return tls_database_store_cert(cert, error);
}

static bool issue_with_new_key(const struct plan *plan, struct tls_issued *issued, char **error)
{
    SCOPED_PUBLIC_KEY public_key = NULL;
    SECKEYPrivateKey *key = make_key(plan->options->key_type, &public_key, error);
    SCOPED_SPKI spki = NULL;
    CERTCertificateRequest *request = NULL;
    SECItem der = {siBuffer, NULL, 0};
    bool ok = false;

    if (key == NULL)
        return false;
    spki = SECKEY_CreateSubjectPublicKeyInfo(public_key);
    request = spki == NULL ? NULL : CERT_CreateCertificateRequest(plan->subject, spki, NULL);
    if (request == NULL)
        tls_nss_fail(error, "the certificate cannot be made");
    else
        ok = sign_cert(plan, request, plan->issuer_key != NULL ? plan->issuer_key : key, &der, error) &&
             store(&der, error) && give(&der, issued);
    if (request != NULL)
        CERT_DestroyCertificateRequest(request);
    if (ok) {
        SECKEY_DestroyPrivateKey(key);
    } else {
        /* No key is left behind that no certificate leads to. */
        PK11_DeleteTokenPublicKey(SCOPE_TAKE(public_key));
        PK11_DeleteTokenPrivateKey(key, PR_TRUE);
    }
    return ok;
}

bool tls_issue(const struct tls_issue_options *options, struct tls_issued *issued, char **error)
{
    SCOPED_ARENA arena = PORT_NewArena(DER_DEFAULT_CHUNKSIZE);
    struct plan plan = {.options = options, .arena = arena};
    SECItem der = {siBuffer, NULL, 0};
    bool ok;

    *issued = (struct tls_issued){.der = NULL};
    if (arena == NULL)
        base_abort("out of memory (a certificate)");
    ok = plan_make(&plan, error);
    if (ok && plan.request != NULL) {
        /* CERT_CreateCertificate() takes the request's subject; ours may be another. Both are in the arena. */
        plan.request->subject = *plan.subject;
        ok = sign_cert(&plan, plan.request, plan.issuer_key, &der, error) && give(&der, issued);
    } else if (ok) {
        ok = issue_with_new_key(&plan, issued, error);
    }
    if (plan.issuer_key != NULL)
        SECKEY_DestroyPrivateKey(plan.issuer_key);
    if (plan.issuer != NULL)
        CERT_DestroyCertificate(plan.issuer);
    return ok;
}

void tls_issued_clear(struct tls_issued *issued)
{
    free(issued->der);
    *issued = (struct tls_issued){.der = NULL};
}
