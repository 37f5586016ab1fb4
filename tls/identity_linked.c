/* see tls/identity_linked.h */
#include "tls/identity_linked.h"

#include "base/nss_scope.h"
#include "pkix/cert.h"
#include "tls/limits.h"
#include "tls/runtime_internal.h"

#include <pthread.h>
#include <secoid.h>
#include <stdlib.h>

enum {
    NAME_RANDOM_SIZE = 32, /* not to be guessed: a peer that knew a name could put a certificate of its own in */
    /* SEQUENCE { SET { SEQUENCE { commonName, OCTET STRING } } } */
    NAME_SIZE = 2 + 2 + 2 + 5 + 2 + NAME_RANDOM_SIZE,
};

struct link {
    PK11GenericObject *object;
    CERTCertificate *cert;
};

struct tls_linked {
    struct link links[1 + TLS_CHAIN_LENGTH_MAX];
    size_t count, sent;
};

static bool make_name(uint8_t name[static NAME_SIZE])
{
    static const uint8_t head[] = {0x30, NAME_SIZE - 2,   0x31, NAME_SIZE - 4, 0x30, NAME_SIZE - 6, 6, 3, 0x55, 4, 3,
                                   4,    NAME_RANDOM_SIZE};

    memcpy(name, head, sizeof(head));
    return PK11_GenerateRandom(name + sizeof(head), NAME_RANDOM_SIZE) == SECSuccess;
}

static PK11GenericObject *make_object(PK11SlotInfo *slot, struct span der, const uint8_t *subject,
                                      const uint8_t *issuer)
{
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_CERTIFICATE_TYPE type = CKC_X_509;
    CK_BBOOL no = CK_FALSE;
    uint8_t serial[] = {2, 1, 1}; /* with the issuer's name, which is random, it is unique */
    CK_ATTRIBUTE template[] = {
        {CKA_CLASS, &class, sizeof(class)},
        {CKA_TOKEN, &no, sizeof(no)},
        {CKA_CERTIFICATE_TYPE, &type, sizeof(type)},
        {CKA_ID, (void *)(uintptr_t)subject, NAME_SIZE},
        {CKA_SUBJECT, (void *)(uintptr_t)subject, NAME_SIZE},
        {CKA_ISSUER, (void *)(uintptr_t)issuer, NAME_SIZE},
        {CKA_SERIAL_NUMBER, serial, sizeof(serial)},
        {CKA_VALUE, (void *)(uintptr_t)der.data, der.size},
    };

    return PK11_CreateManagedGenericObject(slot, template, ARRAY_LEN(template), PR_FALSE);
}

/* A key whose only use is to lead NSS to a certificate object: of all its public functions that make a certificate of
 * an object, PK11_GetCertFromPrivateKey() is the one that takes objects of a session. It goes by CKA_ID. */
static SECKEYPrivateKey *make_pointer(PK11SlotInfo *slot)
{
    const SECOidData *curve = SECOID_FindOIDByTag(SEC_OID_ANSIX962_EC_PRIME256V1);
    uint8_t encoded[16] = {SEC_ASN1_OBJECT_ID, (uint8_t)curve->oid.len};
    SECItem parameters = {.data = encoded, .len = curve->oid.len + 2};
    SCOPED_PUBLIC_KEY public_key = NULL;

    memcpy(encoded + 2, curve->oid.data, curve->oid.len);
    return PK11_GenerateKeyPair(slot, CKM_EC_KEY_PAIR_GEN, &parameters, &public_key, PR_FALSE, PR_FALSE, NULL);
}

static bool make_link(PK11SlotInfo *slot, SECKEYPrivateKey *pointer, struct span der, uint8_t *subject, uint8_t *issuer,
                      struct link *link)
{
    SECItem id = {.type = siBuffer, .data = subject, .len = NAME_SIZE};

    link->object = make_object(slot, der, subject, issuer);
    if (link->object == NULL || PK11_WriteRawAttribute(PK11_TypePrivKey, pointer, CKA_ID, &id) != SECSuccess)
        return false;
    link->cert = PK11_GetCertFromPrivateKey(pointer);
    return link->cert != NULL && span_equal(span_of(link->cert->derCert.data, link->cert->derCert.len), der);
}

static bool make_links(struct tls_linked *linked, const struct span *chain, size_t count)
{
    SCOPED_SLOT slot = PK11_GetInternalSlot();
    SCOPED_PRIVATE_KEY pointer = slot == NULL ? NULL : make_pointer(slot);
    uint8_t names[2][NAME_SIZE];

    if (pointer == NULL || !make_name(names[0]))
        return false;
    for (size_t i = 0; i < count; i++) {
        uint8_t *subject = names[i % 2], *issuer = names[(i + 1) % 2];

        if (!make_name(issuer))
            return false;
        linked->count = i + 1;
        if (!make_link(slot, pointer, chain[i], subject, issuer, &linked->links[i]))
            return false;
    }
    return true;
}

/* What libssl will do. */
static size_t count_sent(const struct tls_linked *linked, const struct span *chain)
{
    CERTCertificateList *list = CERT_CertChainFromCert(linked->links[0].cert, certUsageSSLClient, PR_FALSE);
    size_t count = 0;

    while (list != NULL && count < (size_t)list->len && count < linked->count &&
           span_equal(span_of(list->certs[count].data, list->certs[count].len), chain[count]))
        count++;
    if (list != NULL && count < (size_t)list->len)
        count = 0; /* something that is not ours: never */
    if (list != NULL)
        CERT_DestroyCertificateList(list);
    return count;
}

struct tls_linked *tls_linked_create(const struct span *chain, size_t count, char **error)
{
    struct tls_linked *linked = base_alloc(sizeof(*linked));

    assert(count != 0 && count <= ARRAY_LEN(linked->links));
    if (make_links(linked, chain, count))
        linked->sent = count_sent(linked, chain);
    if (linked->sent != 0)
        return linked;
    (void)tls_nss_fail(error, "NSS does not take the certificates to be shown to servers");
    tls_linked_destroy(&linked);
    return NULL;
}

void tls_linked_destroy(struct tls_linked **linked)
{
    struct tls_linked *l = *linked;

    if (l == NULL)
        return;
    *linked = NULL;
    for (size_t i = 0; i < l->count; i++) {
        if (l->links[i].cert != NULL)
            CERT_DestroyCertificate(l->links[i].cert);
        if (l->links[i].object != NULL)
            (void)PK11_DestroyGenericObject(l->links[i].object);
    }
    free(l);
}

CERTCertificate *tls_linked_leaf(const struct tls_linked *linked)
{
    return linked->links[0].cert;
}

size_t tls_linked_sent(const struct tls_linked *linked)
{
    return linked->sent;
}
