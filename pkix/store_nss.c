/* see pkix/store.h: what NSS knows: Mozilla's roots and the certificate database
 *
 * Mozilla's list is read from its PKCS#11 module, object by object, and not through CERT_*: NSS would mix in what the
 * database says about the same certificates, and keep 160 of them in memory. The module is unloaded again. */
#include "base/nss_scope.h"
#include "pkix/nss_crypto.h"
#include "pkix/roots.h"
#include "pkix/store.h"
#include "pkix/store_internal.h"

#include <certdb.h>
#include <pkcs11n.h>
#include <prerror.h>
#include <secmod.h>
#include <stdlib.h>

static const char roots_module_spec[] = "name=\"Mozilla roots\" library=\"libnssckbi.so\"";

enum { SHA1_SIZE = 20 };

/* One CKO_NSS_TRUST object. */
struct trust_record {
    SECItem sha1, issuer, serial;
    CK_ULONG server;
};

struct trust_records {
    struct trust_record *list;
    size_t count, capacity;
};

static struct span item_span(const SECItem *item)
{
    return span_of(item->data, item->len);
}

static void clear_item(SECItem *item)
{
    SECITEM_FreeItem(item, PR_FALSE);
    *item = (SECItem){.type = siBuffer, .data = NULL, .len = 0};
}

static bool read_attribute(PK11GenericObject *object, CK_ATTRIBUTE_TYPE type, SECItem *item)
{
    *item = (SECItem){.type = siBuffer, .data = NULL, .len = 0};
    return PK11_ReadRawAttribute(PK11_TypeGeneric, object, type, item) == SECSuccess;
}

static CK_ULONG read_trust(PK11GenericObject *object)
{
    SECItem item;
    CK_ULONG value = CKT_NSS_TRUST_UNKNOWN;

    if (read_attribute(object, CKA_TRUST_SERVER_AUTH, &item) && item.len == sizeof(value))
        memcpy(&value, item.data, sizeof(value));
    clear_item(&item);
    return value;
}

static void read_trust_records(PK11SlotInfo *slot, struct trust_records *records)
{
    PK11GenericObject *first = PK11_FindGenericObjects(slot, CKO_NSS_TRUST);

    for (PK11GenericObject *object = first; object != NULL; object = PK11_GetNextGenericObject(object)) {
        struct trust_record record = {.server = read_trust(object)};

        if (!read_attribute(object, CKA_CERT_SHA1_HASH, &record.sha1))
            clear_item(&record.sha1);
        if (!read_attribute(object, CKA_ISSUER, &record.issuer) ||
            !read_attribute(object, CKA_SERIAL_NUMBER, &record.serial)) {
            clear_item(&record.sha1);
            clear_item(&record.issuer);
            continue;
        }
        if (records->count == records->capacity) {
            records->capacity = records->capacity == 0 ? 256 : 2 * records->capacity;
            records->list = base_realloc_array(records->list, records->capacity, sizeof(*records->list));
        }
        records->list[records->count++] = record;
    }
    PK11_DestroyGenericObjects(first);
}

static void clear_trust_records(struct trust_records *records)
{
    for (size_t i = 0; i < records->count; i++) {
        clear_item(&records->list[i].sha1);
        clear_item(&records->list[i].issuer);
        clear_item(&records->list[i].serial);
    }
    free(records->list);
}

/* The serial number attribute is a whole INTEGER; certificates have its contents. */
static struct span serial_contents(const SECItem *serial)
{
    struct der d = der_over(item_span(serial), DER_SMALL);
    struct span contents;

    return der_read_integer(&d, &contents) == PKIX_OK ? contents : span_of(NULL, 0);
}

static bool record_is_about(const struct trust_record *record, const struct pkix_cert *cert)
{
    uint8_t sha1[SHA1_SIZE];

    if (!span_equal(item_span(&record->issuer), cert->issuer) ||
        !span_equal(serial_contents(&record->serial), cert->serial))
        return false;
    return record->sha1.len == 0 || (pkix_nss_digest(PKIX_SHA1, cert->der, sha1) &&
                                     span_equal(item_span(&record->sha1), span_of(sha1, SHA1_SIZE)));
}

/* A UTCTime's characters, or a single zero byte for "no date". */
static int64_t read_distrust_after(PK11GenericObject *object)
{
    SECItem item;
    int64_t seconds = INT64_MAX;

    if (read_attribute(object, CKA_NSS_SERVER_DISTRUST_AFTER, &item) && item.len > 1) {
        uint8_t der[2 + 127];
        struct der d;

        if (item.len <= 127) {
            der[0] = item.len == 13 ? ASN1_UTC_TIME : ASN1_GENERALIZED_TIME;
            der[1] = (uint8_t)item.len;
            memcpy(der + 2, item.data, item.len);
            d = der_over(span_of(der, item.len + 2u), DER_SMALL);
            if (der_read_time(&d, &seconds) != PKIX_OK)
                seconds = 0; /* there is a date, and it cannot be read: trust nothing issued since 1970 */
        }
    }
    clear_item(&item);
    return seconds;
}

void pkix_store_impose_constraints(struct pkix_store_entry *entry)
{
    SECItem subject = {.type = siBuffer,
                       .data = (unsigned char *)(uintptr_t)entry->cert.subject.data,
                       .len = (unsigned)entry->cert.subject.size};
    SECItem constraints = {.type = siBuffer, .data = NULL, .len = 0};

    if (CERT_GetImposedNameConstraints(&subject, &constraints) != SECSuccess)
        return;
    entry->imposed_constraints = base_memdup(constraints.data, constraints.len);
    entry->imposed_constraints_size = constraints.len;
    SECITEM_FreeItem(&constraints, PR_FALSE);
}

/* One root of the module, if it is trusted for servers. One that we cannot use (an old key, say) is left out: Mozilla's
 * list is not the administrator's to mend. */
static void add_root(struct pkix_store *store, const struct trust_records *records, PK11GenericObject *object,
                     struct span der)
{
    struct pkix_cert cert;
    struct pkix_store_entry *entry;
    char *error = NULL;
    bool trusted = false, is_new;

    if (pkix_cert_read(der, &cert) != PKIX_OK)
        return;
    for (size_t i = 0; i < records->count; i++)
        if (record_is_about(&records->list[i], &cert))
            trusted = records->list[i].server == CKT_NSS_TRUSTED_DELEGATOR;
    if (!trusted)
        return;
    entry = pkix_store_list_add(&store->anchors, der, PKIX_TRUST_ANCHOR, "Mozilla's roots", &is_new, &error);
    if (entry == NULL) {
        free(error);
        return;
    }
    if (!is_new)
        return; /* named by the administrator before: that counts more */
    entry->purposes = PKIX_FOR_SERVER;
    entry->listed = true;
    entry->distrust_after = read_distrust_after(object);
    pkix_store_impose_constraints(entry);
}

enum add_what { ADD_DISTRUST, ADD_ROOTS_TOO };

static void add_slot(struct pkix_store *store, PK11SlotInfo *slot, enum add_what what)
{
    struct trust_records records = {0};
    PK11GenericObject *first;

    read_trust_records(slot, &records);
    pkix_store_distrust_from(store, "Mozilla's list of roots");
    for (size_t i = 0; i < records.count; i++) {
        struct span serial = serial_contents(&records.list[i].serial);

        if (records.list[i].server == CKT_NSS_NOT_TRUSTED && serial.size != 0)
            pkix_store_distrust_issuer_serial(store, item_span(&records.list[i].issuer), serial);
    }
    pkix_store_distrust_from(store, NULL);
    first = what == ADD_DISTRUST ? NULL : PK11_FindGenericObjects(slot, CKO_CERTIFICATE);
    for (PK11GenericObject *object = first; object != NULL; object = PK11_GetNextGenericObject(object)) {
        SECItem value;

        if (read_attribute(object, CKA_VALUE, &value))
            add_root(store, &records, object, item_span(&value));
        clear_item(&value);
    }
    if (first != NULL)
        PK11_DestroyGenericObjects(first);
    clear_trust_records(&records);
}

static bool add_module(struct pkix_store *store, enum add_what what, char **error)
{
    char spec[sizeof(roots_module_spec)];
    SECMODModule *module;

    memcpy(spec, roots_module_spec, sizeof(spec));
    module = SECMOD_LoadUserModule(spec, NULL, PR_FALSE);
    if (module == NULL || !module->loaded) {
        PRErrorCode code = PR_GetError();

        *error = base_printf("libnssckbi.so: Mozilla's roots cannot be loaded: %s", PR_ErrorToName(code));
        if (module != NULL)
            SECMOD_DestroyModule(module);
        return false;
    }
    for (int i = 0; i < module->slotCount; i++)
        if (PK11_IsPresent(module->slots[i]))
            add_slot(store, module->slots[i], what);
    SECMOD_UnloadUserModule(module);
    SECMOD_DestroyModule(module);
    return true;
}

bool pkix_store_add_module_roots(struct pkix_store *store, char **error)
{
    size_t before = store->anchors.count;

    if (!add_module(store, ADD_ROOTS_TOO, error))
        return false;
    if (store->anchors.count > before)
        return true;
    *error = base_strdup("libnssckbi.so: has no roots that are trusted for servers");
    return false;
}

bool pkix_store_add_module_distrust(struct pkix_store *store, char **error)
{
    return add_module(store, ADD_DISTRUST, error);
}

/* The database's trust flags for TLS: CAs trusted for servers' or clients' certificates, single trusted peers, and
 * what is explicitly distrusted. Other authorities there are known intermediates. */
static bool add_database_cert(struct pkix_store *store, CERTCertificate *cert, char **error)
{
    struct span der = span_of(cert->derCert.data, cert->derCert.len);
    CERTCertTrust trust = {0};
    unsigned flags, purposes = 0;
    struct pkix_store_entry *entry;
    char *origin;
    bool is_new, ok = true;

    if (CERT_GetCertTrust(cert, &trust) != SECSuccess)
        trust = (CERTCertTrust){0};
    flags = trust.sslFlags;
    if ((flags & CERTDB_TRUSTED_CA) != 0)
        purposes |= PKIX_FOR_SERVER;
    if ((flags & CERTDB_TRUSTED_CLIENT_CA) != 0)
        purposes |= PKIX_FOR_CLIENT;
    if ((flags & CERTDB_TERMINAL_RECORD) != 0 && (flags & CERTDB_TRUSTED) != 0)
        purposes |= PKIX_FOR_SERVER | PKIX_FOR_CLIENT;
    if ((flags & CERTDB_TERMINAL_RECORD) != 0 && purposes == 0) {
        pkix_store_distrust_from(store, "the NSS database");
        pkix_store_distrust_certificate(store, der);
        pkix_store_distrust_from(store, NULL);
        return true;
    }
    origin = base_printf("NSS database: %s", cert->nickname == NULL ? "certificate without nickname" : cert->nickname);
    if (purposes != 0) {
        entry = pkix_store_list_add(&store->anchors, der, PKIX_TRUST_ANCHOR, origin, &is_new, error);
        ok = entry != NULL;
        if (ok) {
            entry->purposes |= purposes;
            entry->listed = false;
        }
    } else if (CERT_IsCACert(cert, NULL)) {
        /* Not trusted by anybody: one that we cannot use is no mistake. */
        if (pkix_store_list_add(&store->intermediates, der, PKIX_TRUST_INHERITED, origin, &is_new, error) == NULL) {
            free(*error);
            *error = NULL;
        }
    }
    free(origin);
    return ok;
}

bool pkix_store_add_database(struct pkix_store *store, char **error)
{
    SCOPED_SLOT slot = PK11_GetInternalKeySlot();
    SCOPED_CERT_LIST list = slot == NULL ? NULL : PK11_ListCertsInSlot(slot);

    if (list == NULL) {
        *error = base_printf("NSS database: its certificates cannot be listed: %s", PR_ErrorToName(PR_GetError()));
        return false;
    }
    for (CERTCertListNode *node = CERT_LIST_HEAD(list); !CERT_LIST_END(node, list); node = CERT_LIST_NEXT(node))
        if (!add_database_cert(store, node->cert, error))
            return false;
    return true;
}
