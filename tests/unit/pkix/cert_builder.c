/* see cert_builder.h */
#include "cert_builder.h"
#include "pkix/cert.h"
#include "pkix/key.h"
#include "pkix/nss_crypto.h"

#include <cert.h>
#include <cryptohi.h>
#include <keyhi.h>
#include <nss.h>
#include <pk11pub.h>
#include <secoid.h>
#include <stdio.h>
#include <stdlib.h>

/* Memory of everything made, in the order it was made. */
struct piece {
    struct piece *before;
    uint8_t data[];
};

static struct piece *pieces;
static SECKEYPrivateKey *private_keys[BUILDER_KEYS_MAX];
static SECKEYPublicKey *public_keys[BUILDER_KEYS_MAX];

const struct span builder_end = {(const uint8_t *)"", 0};

int builder_start(void **state)
{
    (void)state;
    return NSS_NoDB_Init(NULL) == SECSuccess ? 0 : -1;
}

int builder_stop(void **state)
{
    (void)state;
    while (pieces != NULL) {
        struct piece *before = pieces->before;

        free(pieces);
        pieces = before;
    }
    for (unsigned i = 0; i < BUILDER_KEYS_MAX; i++) {
        if (private_keys[i] != NULL)
            SECKEY_DestroyPrivateKey(private_keys[i]);
        if (public_keys[i] != NULL)
            SECKEY_DestroyPublicKey(public_keys[i]);
        private_keys[i] = NULL;
        public_keys[i] = NULL;
    }
    return NSS_Shutdown() == SECSuccess ? 0 : -1;
}

static uint8_t *allot(size_t size)
{
    struct piece *piece = base_alloc(sizeof(*piece) + size + 1);

    piece->before = pieces;
    pieces = piece;
    return piece->data;
}

struct span builder_bytes(const void *data, size_t size)
{
    uint8_t *copy = allot(size);

    memcpy(copy, data, size);
    return span_of(copy, size);
}

struct span builder_join(struct span a, struct span b)
{
    uint8_t *copy = allot(a.size + b.size);

    if (a.size != 0)
        memcpy(copy, a.data, a.size);
    if (b.size != 0)
        memcpy(copy + a.size, b.data, b.size);
    return span_of(copy, a.size + b.size);
}

static struct span wrap(unsigned tag, struct span contents)
{
    uint8_t header[6] = {(uint8_t)tag};
    size_t size = 1;

    if (contents.size < 0x80) {
        header[size++] = (uint8_t)contents.size;
    } else {
        unsigned bytes = contents.size > 0xffffff ? 4 : contents.size > 0xffff ? 3 : contents.size > 0xff ? 2 : 1;

        header[size++] = (uint8_t)(0x80 | bytes);
        for (unsigned i = bytes; i > 0; i--)
            header[size++] = (uint8_t)(contents.size >> (8 * (i - 1)));
    }
    return builder_join(span_of(header, size), contents);
}

struct span builder_tlv(unsigned tag, ...)
{
    struct span all = span_of(NULL, 0), part;
    va_list parts;

    va_start(parts, tag);
    while ((part = va_arg(parts, struct span)).data != builder_end.data)
        all = builder_join(all, part);
    va_end(parts);
    return wrap(tag, all);
}

struct span builder_oid(enum pkix_oid oid)
{
    return wrap(ASN1_OID, pkix_oid(oid));
}

struct span builder_integer(unsigned value)
{
    uint8_t bytes[5] = {0, (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    unsigned skip = 0;

    while (skip < 4 && bytes[skip] == 0 && (bytes[skip + 1] & 0x80) == 0)
        skip++;
    return wrap(ASN1_INTEGER, span_of(bytes + skip, sizeof(bytes) - skip));
}

struct span builder_boolean(bool value)
{
    uint8_t byte = value ? 0xff : 0x00;

    return wrap(ASN1_BOOLEAN, span_of(&byte, 1));
}

struct span builder_time(int64_t seconds)
{
    struct der_date d;
    char text[32];

    der_date_of_seconds(seconds, &d);
    if (d.year >= 2050)
        return builder_generalized(seconds);
    snprintf(text, sizeof(text), "%02u%02u%02u%02u%02u%02uZ", d.year % 100, d.month, d.day, d.hour, d.minute, d.second);
    return wrap(ASN1_UTC_TIME, span_of_string(text));
}

struct span builder_generalized(int64_t seconds)
{
    struct der_date d;
    char text[64];

    der_date_of_seconds(seconds, &d);
    snprintf(text, sizeof(text), "%04u%02u%02u%02u%02u%02uZ", d.year, d.month, d.day, d.hour, d.minute, d.second);
    return wrap(ASN1_GENERALIZED_TIME, span_of_string(text));
}

struct span builder_bit_string(struct span bytes)
{
    return wrap(ASN1_BIT_STRING, builder_join(span_of("", 1), bytes));
}

struct span builder_name(const char *common_name)
{
    if (common_name == NULL)
        return wrap(ASN1_SEQUENCE, span_of(NULL, 0));
    return builder_tlv(ASN1_SEQUENCE,
                       builder_tlv(ASN1_SET,
                                   builder_tlv(ASN1_SEQUENCE, builder_oid(OID_COMMON_NAME),
                                               wrap(ASN1_UTF8_STRING, span_of_string(common_name)), builder_end),
                                   builder_end),
                       builder_end);
}

struct span builder_general_name(unsigned tag, const char *text)
{
    return wrap(tag, span_of_string(text));
}

struct span builder_extension(enum pkix_oid oid, bool critical, struct span value)
{
    return builder_tlv(ASN1_SEQUENCE, builder_oid(oid), critical ? builder_boolean(true) : span_of(NULL, 0),
                       wrap(ASN1_OCTET_STRING, value), builder_end);
}

static void make_key(unsigned key)
{
    static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    SECItem params = {siBuffer, (unsigned char *)(uintptr_t)p256, sizeof(p256)};
    PK11SlotInfo *slot;

    assert(key < BUILDER_KEYS_MAX);
    if (private_keys[key] != NULL)
        return;
    slot = PK11_GetInternalSlot();
    private_keys[key] =
        PK11_GenerateKeyPair(slot, CKM_EC_KEY_PAIR_GEN, &params, &public_keys[key], PR_FALSE, PR_FALSE, NULL);
    PK11_FreeSlot(slot);
    if (private_keys[key] == NULL)
        base_abort("no key %u", key);
}

struct span builder_spki(unsigned key)
{
    SECItem *item;
    struct span copy;

    make_key(key);
    item = SECKEY_EncodeDERSubjectPublicKeyInfo(public_keys[key]);
    if (item == NULL)
        base_abort("no public key %u", key);
    copy = builder_bytes(item->data, item->len);
    SECITEM_FreeItem(item, PR_TRUE);
    return copy;
}

struct span builder_rsa_spki(unsigned bits)
{
    size_t size = (bits + 7) / 8;
    uint8_t *modulus = allot(size + 1);

    memset(modulus, 0x5a, size + 1);
    modulus[0] = 0;
    modulus[1] = (uint8_t)(1u << ((bits - 1) % 8));
    modulus[size] |= 1;
    return builder_tlv(
        ASN1_SEQUENCE,
        builder_tlv(ASN1_SEQUENCE, builder_oid(OID_RSA_ENCRYPTION), wrap(ASN1_NULL, span_of(NULL, 0)), builder_end),
        builder_bit_string(builder_tlv(
            ASN1_SEQUENCE, wrap(ASN1_INTEGER, bits % 8 == 0 ? span_of(modulus, size + 1) : span_of(modulus + 1, size)),
            builder_integer(65537), builder_end)),
        builder_end);
}

struct span builder_ecdsa_sha256(void)
{
    return builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ECDSA_SHA256), builder_end);
}

struct span builder_sign(struct span tbs, unsigned signer)
{
    SECItem signature = {siBuffer, NULL, 0};
    struct span copy;

    make_key(signer);
    if (SEC_SignData(&signature, tbs.data, (int)tbs.size, private_keys[signer],
                     SEC_OID_ANSIX962_ECDSA_SHA256_SIGNATURE) != SECSuccess)
        base_abort("key %u does not sign", signer);
    copy = builder_bytes(signature.data, signature.len);
    SECITEM_FreeItem(&signature, PR_FALSE);
    return copy;
}

struct span builder_signed(struct span tbs, struct span algorithm, struct span signature)
{
    return builder_tlv(ASN1_SEQUENCE, tbs, algorithm, builder_bit_string(signature), builder_end);
}

struct cert_spec builder_authority(const char *subject, unsigned key, const char *issuer, unsigned signer)
{
    return (struct cert_spec){.subject = subject,
                              .issuer = issuer,
                              .key = key,
                              .signer = signer,
                              .ca = BUILDER_CA,
                              .path_length = -1,
                              .key_usage = BUILDER_KU_CERT_SIGN | BUILDER_KU_CRL_SIGN,
                              .not_before = builder_now - BUILDER_YEAR,
                              .not_after = builder_now + BUILDER_YEAR,
                              .version = 2};
}

struct cert_spec builder_server(const char *host, unsigned key, const char *issuer, unsigned signer)
{
    struct cert_spec spec = builder_authority(host, key, issuer, signer);

    spec.ca = BUILDER_NO_CONSTRAINTS;
    spec.key_usage = BUILDER_KU_SIGN;
    spec.eku = builder_oid(OID_SERVER_AUTH);
    builder_add_dns(&spec, host);
    return spec;
}

struct cert_spec builder_client(const char *common_name, unsigned key, const char *issuer, unsigned signer)
{
    struct cert_spec spec = builder_authority(common_name, key, issuer, signer);

    spec.ca = BUILDER_NO_CONSTRAINTS;
    spec.key_usage = BUILDER_KU_SIGN;
    spec.eku = builder_oid(OID_CLIENT_AUTH);
    return spec;
}

void builder_add_dns(struct cert_spec *spec, const char *host)
{
    assert(spec->san_count < BUILDER_SANS_MAX);
    spec->sans[spec->san_count++] = builder_general_name(0x82, host);
}

void builder_add_extension(struct cert_spec *spec, enum pkix_oid oid, bool critical, struct span value)
{
    assert(spec->extension_count < BUILDER_EXTENSIONS_MAX);
    spec->extensions[spec->extension_count++] = builder_extension(oid, critical, value);
}

static struct span extensions_of(const struct cert_spec *spec)
{
    struct span all = span_of(NULL, 0), sans = span_of(NULL, 0);

    if (spec->ca != BUILDER_NO_CONSTRAINTS)
        all = builder_join(
            all,
            builder_extension(
                OID_BASIC_CONSTRAINTS, !spec->basic_constraints_not_critical,
                builder_tlv(ASN1_SEQUENCE, spec->ca == BUILDER_CA ? builder_boolean(true) : span_of(NULL, 0),
                            spec->path_length >= 0 ? builder_integer((unsigned)spec->path_length) : span_of(NULL, 0),
                            builder_end)));
    if (spec->key_usage >= 0) {
        uint8_t bits[2] = {0, (uint8_t)spec->key_usage};

        while (spec->key_usage != 0 && (spec->key_usage >> bits[0] & 1) == 0)
            bits[0]++;
        all = builder_join(all, builder_extension(OID_KEY_USAGE, true, wrap(ASN1_BIT_STRING, span_of(bits, 2))));
    }
    if (spec->eku.size != 0)
        all = builder_join(all, builder_extension(OID_EXTENDED_KEY_USAGE, false, wrap(ASN1_SEQUENCE, spec->eku)));
    for (unsigned i = 0; i < spec->san_count; i++)
        sans = builder_join(sans, spec->sans[i]);
    if (spec->san_count != 0)
        all = builder_join(all,
                           builder_extension(OID_SUBJECT_ALT_NAME, spec->subject == NULL, wrap(ASN1_SEQUENCE, sans)));
    for (unsigned i = 0; i < spec->extension_count; i++)
        all = builder_join(all, spec->extensions[i]);
    return all;
}

struct span builder_cert(const struct cert_spec *spec)
{
    uint8_t serial[8] = {0x10, (uint8_t)spec->key, (uint8_t)spec->signer};
    struct span extensions = extensions_of(spec), tbs;
    const char *text = spec->subject == NULL ? "" : spec->subject;

    for (unsigned i = 0; text[i] != '\0'; i++)
        serial[3 + i % 5] = (uint8_t)(serial[3 + i % 5] * 31 + text[i]);
    tbs = builder_tlv(
        ASN1_SEQUENCE, builder_tlv(ASN1_CONTEXT_CONSTRUCTED, builder_integer((unsigned)spec->version), builder_end),
        wrap(ASN1_INTEGER, spec->serial.size != 0 ? spec->serial : span_of(serial, sizeof(serial))),
        spec->inner_algorithm.size != 0 ? spec->inner_algorithm : builder_ecdsa_sha256(),
        spec->issuer_der.size != 0 ? spec->issuer_der : builder_name(spec->issuer),
        wrap(ASN1_SEQUENCE, spec->validity.size != 0
                                ? spec->validity
                                : builder_join(builder_time(spec->not_before), builder_time(spec->not_after))),
        spec->subject_der.size != 0 ? spec->subject_der : builder_name(spec->subject),
        spec->spki.size != 0 ? spec->spki : builder_spki(spec->key),
        extensions.size == 0 ? span_of(NULL, 0) : wrap(ASN1_CONTEXT_CONSTRUCTED | 3, wrap(ASN1_SEQUENCE, extensions)),
        builder_end);
    return builder_signed(tbs, spec->outer_algorithm.size != 0 ? spec->outer_algorithm : builder_ecdsa_sha256(),
                          spec->signature.size != 0 ? spec->signature : builder_sign(tbs, spec->signer));
}

/* Each name becomes a GeneralSubtree. */
static struct span subtrees(struct span names)
{
    struct der d = der_over(names, DER_SMALL);
    struct span all = span_of(NULL, 0), whole;

    while (!der_at_end(&d)) {
        if (der_read_any(&d, NULL, NULL, &whole) != PKIX_OK)
            base_abort("names");
        all = builder_join(all, wrap(ASN1_SEQUENCE, whole));
    }
    return all;
}

struct span builder_constraints(struct span permitted_names, struct span excluded_names)
{
    struct span permitted = span_of(NULL, 0), excluded = span_of(NULL, 0);

    if (permitted_names.size != 0)
        permitted = wrap(ASN1_CONTEXT_CONSTRUCTED | 0, subtrees(permitted_names));
    if (excluded_names.size != 0)
        excluded = wrap(ASN1_CONTEXT_CONSTRUCTED | 1, subtrees(excluded_names));
    return wrap(ASN1_SEQUENCE, builder_join(permitted, excluded));
}

struct crl_spec builder_crl_of(const char *issuer, unsigned signer)
{
    return (struct crl_spec){.issuer = issuer,
                             .signer = signer,
                             .this_update = builder_now - BUILDER_DAY,
                             .next_update = builder_now + BUILDER_DAY};
}

struct span builder_crl(const struct crl_spec *spec)
{
    struct span entries = span_of(NULL, 0), extensions = span_of(NULL, 0), tbs;

    for (unsigned i = 0; i < spec->serial_count; i++)
        entries = builder_join(entries, builder_tlv(ASN1_SEQUENCE, wrap(ASN1_INTEGER, spec->serials[i]),
                                                    builder_time(builder_now - BUILDER_DAY),
                                                    spec->entry_extensions.size == 0
                                                        ? span_of(NULL, 0)
                                                        : wrap(ASN1_SEQUENCE, spec->entry_extensions),
                                                    builder_end));
    if (!spec->no_number)
        extensions = builder_extension(OID_CRL_NUMBER, spec->critical_number,
                                       builder_integer(spec->number == 0 ? 7 : spec->number));
    for (unsigned i = 0; i < spec->extension_count; i++)
        extensions = builder_join(extensions, spec->extensions[i]);
    tbs = builder_tlv(ASN1_SEQUENCE, spec->version_1 ? span_of(NULL, 0) : builder_integer(1), builder_ecdsa_sha256(),
                      builder_name(spec->issuer), builder_time(spec->this_update),
                      spec->next_update == 0 ? span_of(NULL, 0) : builder_time(spec->next_update),
                      entries.size == 0 ? span_of(NULL, 0) : wrap(ASN1_SEQUENCE, entries),
                      extensions.size == 0 ? span_of(NULL, 0)
                                           : wrap(ASN1_CONTEXT_CONSTRUCTED, wrap(ASN1_SEQUENCE, extensions)),
                      builder_end);
    return builder_signed(tbs, builder_ecdsa_sha256(), builder_sign(tbs, spec->signer));
}

static struct span sha1_of(struct span data)
{
    uint8_t digest[20];

    if (!pkix_nss_digest(PKIX_SHA1, data, digest))
        base_abort("SHA-1");
    return builder_bytes(digest, sizeof(digest));
}

static struct span key_bits(struct span spki)
{
    struct pkix_key key;

    if (pkix_key_read(spki, &key) != PKIX_OK)
        base_abort("key");
    return key.bit_string;
}

static struct span key_hash(struct span spki)
{
    return sha1_of(key_bits(spki));
}

static struct span id_hash(const struct ocsp_spec *spec, struct span data)
{
    uint8_t digest[32];

    if (!spec->sha256_ids)
        return sha1_of(data);
    if (!pkix_nss_digest(PKIX_SHA256, data, digest))
        base_abort("SHA-256");
    return builder_bytes(digest, sizeof(digest));
}

struct ocsp_spec builder_ocsp_about(struct span cert, struct span issuer, const char *responder, unsigned signer)
{
    return (struct ocsp_spec){.cert = cert,
                              .issuer = issuer,
                              .responder = responder,
                              .signer = signer,
                              .status_count = 1,
                              .this_update = builder_now - 3600,
                              .next_update = builder_now + BUILDER_DAY};
}

static struct span single_response(const struct ocsp_spec *spec, enum ocsp_status status)
{
    struct pkix_cert cert, issuer;
    struct span status_der;

    if (pkix_cert_read(spec->cert, &cert) != PKIX_OK || pkix_cert_read(spec->issuer, &issuer) != PKIX_OK)
        base_abort("certificate");
    status_der = status == OCSP_GOOD      ? wrap(0x80, span_of(NULL, 0))
                 : status == OCSP_UNKNOWN ? wrap(0x82, span_of(NULL, 0))
                                          : wrap(0xa1, builder_generalized(builder_now - BUILDER_DAY));
    return builder_tlv(
        ASN1_SEQUENCE,
        builder_tlv(ASN1_SEQUENCE,
                    builder_tlv(ASN1_SEQUENCE, builder_oid(spec->sha256_ids ? OID_SHA256 : OID_SHA1),
                                wrap(ASN1_NULL, span_of(NULL, 0)), builder_end),
                    wrap(ASN1_OCTET_STRING, id_hash(spec, cert.issuer)),
                    wrap(ASN1_OCTET_STRING, id_hash(spec, key_bits(issuer.spki))),
                    spec->other_serial ? builder_integer(99) : wrap(ASN1_INTEGER, cert.serial), builder_end),
        status_der, builder_generalized(spec->this_update),
        spec->next_update == 0 ? span_of(NULL, 0)
                               : wrap(ASN1_CONTEXT_CONSTRUCTED, builder_generalized(spec->next_update)),
        spec->critical_extension
            ? wrap(0xa1, wrap(ASN1_SEQUENCE, builder_extension(OID_INVALIDITY_DATE, true, span_of("x", 1))))
            : span_of(NULL, 0),
        builder_end);
}

struct span builder_ocsp(const struct ocsp_spec *spec)
{
    struct span singles = span_of(NULL, 0), data, basic, status;
    uint8_t response_status = (uint8_t)spec->response_status;
    struct span responder_hash;

    for (unsigned i = 0; i < spec->status_count; i++)
        singles = builder_join(singles, single_response(spec, spec->statuses[i]));
    responder_hash = key_hash(builder_spki(spec->signer));
    if (spec->short_key_hash)
        responder_hash.size--;
    data = builder_tlv(ASN1_SEQUENCE,
                       spec->responder != NULL ? wrap(0xa1, builder_name(spec->responder))
                                               : wrap(0xa2, wrap(ASN1_OCTET_STRING, responder_hash)),
                       builder_generalized(builder_now), wrap(ASN1_SEQUENCE, singles), builder_end);
    basic =
        builder_tlv(ASN1_SEQUENCE, data, builder_ecdsa_sha256(), builder_bit_string(builder_sign(data, spec->signer)),
                    spec->delegate.size == 0 ? span_of(NULL, 0)
                                             : wrap(ASN1_CONTEXT_CONSTRUCTED, wrap(ASN1_SEQUENCE, spec->delegate)),
                    builder_end);
    status = wrap(ASN1_ENUMERATED, span_of(&response_status, 1));
    if (response_status != 0)
        return wrap(ASN1_SEQUENCE, status);
    return builder_tlv(ASN1_SEQUENCE, status,
                       wrap(ASN1_CONTEXT_CONSTRUCTED, builder_tlv(ASN1_SEQUENCE, builder_oid(OID_OCSP_BASIC),
                                                                  wrap(ASN1_OCTET_STRING, basic), builder_end)),
                       builder_end);
}

struct span builder_point(struct span general_names)
{
    return builder_tlv(0xa0, builder_tlv(0xa0, general_names, builder_end), builder_end);
}
