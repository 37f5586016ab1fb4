/* see tls/manage/database.h and tls/manage/database_internal.h: what is told of a certificate */
#include "base/buffer.h"
#include "base/nss_scope.h"
#include "base/text.h"
#include "pkix/der.h"
#include "tls/manage/database.h"
#include "tls/manage/database_internal.h"
#include "tls/runtime_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { SANS_TEXT_MAX = 64 * 1024 };

static const char hex_digits[] = "0123456789abcdef";

static void hex_text(const uint8_t *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        *out++ = hex_digits[bytes[i] >> 4];
        *out++ = hex_digits[bytes[i] & 15];
    }
    *out = '\0';
}

void tls_database_fingerprint(const SECItem *der, char out[TLS_SHA256_HEX_SIZE])
{
    uint8_t digest[TLS_SHA256_BYTES];

    if (PK11_HashBuf(SEC_OID_SHA256, digest, der->data, (PRInt32)der->len) != SECSuccess)
        base_abort("SHA-256 failed: is NSS running?");
    hex_text(digest, sizeof(digest), out);
}

/* Text that is safe to print */

/* The size of the well-formed UTF-8 sequence at the start, 0 when there is none (RFC 3629 section 4). */
static size_t utf8_size(const uint8_t *at, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : at[0] >= 0xc0 ? 2 : 0;
    uint32_t point;

    if (size == 1)
        return 1;
    if (size == 0 || size > left || at[0] > 0xf4)
        return 0;
    point = at[0] & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3f);
    }
    /* Overlong, surrogate, out of range, and the C1 control characters, which terminals obey. */
    if (point < least[size] || (point >= 0xd800 && point <= 0xdfff) || point > 0x10ffff || point < 0xa0)
        return 0;
    return size;
}

static char *safe_text(struct span text)
{
    char *out = base_alloc(text.size * 3 + 1), *at = out;

    while (text.size > 0) {
        size_t size = utf8_size(text.data, text.size);

        if (size == 0 || text.data[0] < 0x20 || text.data[0] == 0x7f) {
            *at++ = '\\';
            *at++ = hex_digits[text.data[0] >> 4];
            *at++ = hex_digits[text.data[0] & 15];
            size = 1;
        } else {
            memcpy(at, text.data, size);
            at += size;
        }
        text = span_skip(text, size);
    }
    *at = '\0';
    return out;
}

char *tls_database_name_text(CERTName *name)
{
    char *ascii = CERT_NameToAscii(name);
    char *text = ascii == NULL ? base_strdup("(unreadable name)") : safe_text(span_of_string(ascii));

    PORT_Free(ascii);
    return text;
}

/* An otherName that names people as Active Directory does: [0] EXPLICIT UTF8String. */
static bool append_upn(struct buffer *out, const CERTGeneralName *name)
{
    static const uint8_t oid[] = {0x2b, 0x06, 0x01, 0x04, 0x01,
                                  0x82, 0x37, 0x14, 0x02, 0x03}; /* 1.3.6.1.4.1.311.20.2.3 */
    const SECItem *type = &name->name.OthName.oid, *wrapped = &name->name.OthName.name;
    struct der d = der_over(span_of(wrapped->data, wrapped->len), DER_SMALL), inner;
    struct span text;
    char *value;
    bool fits;

    if (!span_equal(span_of(type->data, type->len), span_of(oid, sizeof(oid))))
        return false;
    if (der_next_is(&d, ASN1_CONTEXT_CONSTRUCTED)) { /* NSS leaves the tag there, or not */
        if (der_enter(&d, ASN1_CONTEXT_CONSTRUCTED, &inner) != PKIX_OK)
            return false;
        d = inner;
    }
    if (der_read(&d, ASN1_UTF8_STRING, &text) != PKIX_OK || !der_at_end(&d))
        return false;
    value = safe_text(text);
    fits = buffer_printf(out, "%supn:%s", out->size == 0 ? "" : " ", value);
    (void)fits;
    free(value);
    return true;
}

static void append_san(struct buffer *out, const CERTGeneralName *name)
{
    char address[INET6_ADDRSTRLEN] = "?";
    const char *kind = "other";
    char *value;
    bool fits;

    switch ((int)name->type) {
    case certDNSName:
        kind = "dns";
        break;
    case certRFC822Name:
        kind = "email";
        break;
    case certURI:
        kind = "uri";
        break;
    case certIPAddress:
        if (name->name.other.len == 4 || name->name.other.len == 16)
            inet_ntop(name->name.other.len == 4 ? AF_INET : AF_INET6, name->name.other.data, address, sizeof(address));
        fits = buffer_printf(out, "%sip:%s", out->size == 0 ? "" : " ", address);
        (void)fits;
        return;
    case certOtherName:
        if (append_upn(out, name))
            return;
        fits = buffer_printf(out, "%sother", out->size == 0 ? "" : " ");
        (void)fits;
        return;
    default:
        fits = buffer_printf(out, "%sother", out->size == 0 ? "" : " ");
        (void)fits;
        return;
    }
    value = safe_text(span_of(name->name.other.data, name->name.other.len));
    fits = buffer_printf(out, "%s%s:%s", out->size == 0 ? "" : " ", kind, value);
    (void)fits; /* a certificate with more names than that is shown with those that fit */
    free(value);
}

static char *sans_text(CERTCertificate *cert)
{
    SCOPED_ARENA arena = PORT_NewArena(DER_DEFAULT_CHUNKSIZE);
    SECItem value = {siBuffer, NULL, 0};
    CERTGeneralName *first, *name;
    struct buffer out;
    char *text;

    if (arena == NULL || CERT_FindCertExtension(cert, SEC_OID_X509_SUBJECT_ALT_NAME, &value) != SECSuccess)
        return base_strdup("");
    buffer_init(&out, SANS_TEXT_MAX);
    first = name = CERT_DecodeAltNameExtension(arena, &value);
    while (name != NULL) {
        append_san(&out, name);
        name = CONTAINER_OF(PR_NEXT_LINK(&name->l), CERTGeneralName, l);
        if (name == first)
            break;
    }
    text = base_strndup(out.size == 0 ? "" : (const char *)buffer_span(&out).data, out.size);
    buffer_release(&out);
    SECITEM_FreeItem(&value, PR_FALSE);
    return text;
}

SECOidTag tls_database_curve(const SECKEYPublicKey *key)
{
    const SECItem *params = &key->u.ec.DEREncodedParams;
    SECItem oid = {siBuffer, NULL, 0};

    if (params->len < 2 || params->data[0] != SEC_ASN1_OBJECT_ID || params->data[1] != params->len - 2)
        return SEC_OID_UNKNOWN;
    oid.data = params->data + 2;
    oid.len = params->len - 2;
    return SECOID_FindOIDTag(&oid);
}

static char *key_text(CERTCertificate *cert)
{
    SCOPED_PUBLIC_KEY key = CERT_ExtractPublicKey(cert);

    if (key != NULL && key->keyType == rsaKey)
        return base_printf("RSA-%u", SECKEY_PublicKeyStrengthInBits(key));
    if (key != NULL && key->keyType == ecKey) {
        SECOidTag curve = tls_database_curve(key);

        if (curve == SEC_OID_ANSIX962_EC_PRIME256V1)
            return base_strdup("P-256");
        if (curve == SEC_OID_SECG_EC_SECP384R1)
            return base_strdup("P-384");
        if (curve == SEC_OID_SECG_EC_SECP521R1)
            return base_strdup("P-521");
    }
    return base_strdup("another kind of key");
}

/* Entries */

bool tls_database_is_ca(const CERTCertificate *cert)
{
    CERTBasicConstraints constraints = {.isCA = PR_FALSE};
    SECItem value = {siBuffer, NULL, 0};
    bool found = CERT_FindCertExtension(cert, SEC_OID_X509_BASIC_CONSTRAINTS, &value) == SECSuccess &&
                 CERT_DecodeBasicConstraintValue(&constraints, &value) == SECSuccess;

    SECITEM_FreeItem(&value, PR_FALSE);
    return found && constraints.isCA;
}

bool tls_database_entry_fill(CERTCertificate *cert, struct tls_database_entry *entry, char **error)
{
    PRTime not_before, not_after;

    *entry = (struct tls_database_entry){.der = NULL};
    if (CERT_GetCertTimes(cert, &not_before, &not_after) != SECSuccess)
        return tls_nss_fail(error, "a certificate's validity cannot be read");
    entry->der = base_memdup(cert->derCert.data, cert->derCert.len);
    entry->size = cert->derCert.len;
    tls_database_fingerprint(&cert->derCert, entry->sha256);
    entry->subject = tls_database_name_text(&cert->subject);
    entry->issuer = tls_database_name_text(&cert->issuer);
    entry->serial = base_alloc((size_t)cert->serialNumber.len * 2 + 1);
    hex_text(cert->serialNumber.data, cert->serialNumber.len, entry->serial);
    entry->sans = sans_text(cert);
    entry->key = key_text(cert);
    entry->not_before = not_before / PR_USEC_PER_SEC;
    entry->not_after = not_after / PR_USEC_PER_SEC;
    entry->is_ca = tls_database_is_ca(cert);
    return true;
}

void tls_database_entry_clear(struct tls_database_entry *entry)
{
    free(entry->der);
    free(entry->subject);
    free(entry->issuer);
    free(entry->serial);
    free(entry->sans);
    free(entry->key);
    *entry = (struct tls_database_entry){.der = NULL};
}

char *tls_database_entry_text(const struct tls_database_entry *e)
{
    static const char *const trusts[] = {"nobody", "servers", "clients", "servers and clients"};
    char from[BASE_TEXT_TIME_SIZE], until[BASE_TEXT_TIME_SIZE];

    (void)base_text_time(e->not_before, from);
    (void)base_text_time(e->not_after, until);
    return base_printf("subject      %s\n"
                       "issuer       %s\n"
                       "names        %s\n"
                       "valid        %s to %s\n"
                       "key          %s, %s\n"
                       "authority    %s\n"
                       "trusted for  %s\n"
                       "serial       %s\n"
                       "sha256       %s\n",
                       e->subject, e->issuer, *e->sans == '\0' ? "none" : e->sans, from, until, e->key,
                       e->has_key ? "private key in the database" : "no private key here", e->is_ca ? "yes" : "no",
                       trusts[e->trust], e->serial, e->sha256);
}
