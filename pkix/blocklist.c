/* see pkix/blocklist.h
 *
 * A rule that matches nothing because it was misspelt is worse than none: somebody believes that a certificate is
 * blocked. So every line is a whole rule or an error that is told with its number, and what is decoded is looked at
 * for the form that it has to have. */
#include "pkix/blocklist.h"
#include "base/nss_scope.h"
#include "base/text.h"
#include "pkix/der.h"
#include "pkix/store_internal.h"

#include <nssb64.h>
#include <stdlib.h>

/* Bytes. RFC 5280 section 4.1.2.2 has at most 20 in a serial number, and devices have longer ones, which must be
 * possible to block. */
enum { SHA256_SIZE = 32, SERIAL_SIZE_MAX = 64 };

/* All of `text`: pairs of digits, at most `max` bytes; an odd first digit stands alone. 0 when it is not hexadecimal.
 * Serial numbers are printed so by some tools; without it such a rule would be shifted by four bits and block another
 * certificate, if any. */
static size_t decode_hex(const char *text, uint8_t *out, size_t max)
{
    size_t digits = strlen(text), size = 0;

    if (digits == 0 || digits > 2 * max)
        return 0;
    for (size_t i = 0; i < digits; i++) {
        int digit = base_text_hex_digit((uint8_t)text[i]);
        bool begins = (digits - i) % 2 == 0 || i == 0;

        if (digit < 0)
            return 0;
        if (begins)
            out[size++] = (uint8_t)digit;
        else
            out[size - 1] = (uint8_t)(out[size - 1] << 4 | digit);
    }
    return size;
}

/* All 64 digits: a fingerprint that was cut off by a terminal, or one of SHA-1, would be compared with a digest that it
 * can never be equal to. */
static bool decode_sha256(const char *text, uint8_t digest[SHA256_SIZE])
{
    return strlen(text) == 2 * (size_t)SHA256_SIZE && decode_hex(text, digest, SHA256_SIZE) == SHA256_SIZE;
}

/* A whole Name, with nothing behind it: what else is there could never match, and is a mistake. */
static bool is_name(struct span der)
{
    struct der contents;

    return der_enter_only(der, ASN1_SEQUENCE, DER_SMALL, &contents) == PKIX_OK;
}

/* NSS passes over what is not base64; here it is a mistake. RFC 4648 section 3.3 has it rejected: a character lost in
 * copying makes another name, and the rule would be about that one. */
static SECItem *decode_name(const char *base64)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    size_t size = strlen(base64);
    SECItem *item = NULL;

    if (size != 0 && strspn(base64, alphabet) == size)
        item = NSSBase64_DecodeBuffer(NULL, NULL, base64, (unsigned)size);
    if (item != NULL && !is_name(span_of(item->data, item->len))) {
        SECITEM_FreeItem(item, PR_TRUE);
        item = NULL;
    }
    return item;
}

/* Both forms of the INTEGER: with the zero byte that a set first bit needs, and without. RFC 5280 section 4.1.2.2 has
 * serial numbers positive, but there are authorities that forgot the zero byte, and their numbers are printed without
 * their sign. A number that is blocked in one form only would be let through in the other. */
static void add_serial(struct pkix_store *store, struct span issuer, const uint8_t *serial, size_t size)
{
    uint8_t padded[1 + SERIAL_SIZE_MAX] = {0};

    while (size > 1 && serial[0] == 0) {
        serial++;
        size--;
    }
    pkix_store_distrust_issuer_serial(store, issuer, span_of(serial, size));
    if ((serial[0] & 0x80) == 0)
        return;
    memcpy(padded + 1, serial, size);
    pkix_store_distrust_issuer_serial(store, issuer, span_of(padded, size + 1));
}

/* NULL, or what is wrong. Nothing is added unless both parts are good. */
static const char *add_issuer_serial(struct pkix_store *store, const char *name, const char *serial_text)
{
    uint8_t serial[SERIAL_SIZE_MAX];
    SCOPED_ITEM issuer = decode_name(name);
    size_t size = decode_hex(serial_text, serial, sizeof(serial));

    if (issuer == NULL)
        return "issuer-serial: the issuer is not a DER name in base64";
    if (size == 0)
        return "issuer-serial: the serial number is not hexadecimal, or longer than 64 bytes";
    add_serial(store, span_of(issuer->data, issuer->len), serial, size);
    return NULL;
}

/* Name and key together: the same key under another name is another authority, and the same name with another key is
 * what a rule must not hit. Whoever wants one certificate has sha256. */
static const char *add_subject_spki(struct pkix_store *store, const char *name, const char *digest_text)
{
    uint8_t digest[SHA256_SIZE];
    SCOPED_ITEM subject = decode_name(name);

    if (subject == NULL)
        return "subject-spki: the subject is not a DER name in base64";
    if (!decode_sha256(digest_text, digest))
        return "subject-spki: after the subject stands the SHA-256 of the public key, 64 hexadecimal digits";
    pkix_store_distrust_subject_key_sha256(store, span_of(subject->data, subject->len), digest);
    return NULL;
}

/* Three kinds and no default: an unknown word may be a rule of a later version, and to pass over it would be to trust
 * what it distrusts. issuer-serial is one certificate of an authority, as lists of revoked ones have it (RFC 5280
 * section 4.1.2.2: unique for each issuer), and is the only kind that can be written down without having the
 * certificate. */
static const char *add_line(struct pkix_store *store, char *kind)
{
    char *first = kind, *second;
    uint8_t digest[SHA256_SIZE];

    strsep(&first, ":");
    second = first;
    if (second != NULL)
        strsep(&second, ":");
    if (strcmp(kind, "sha256") == 0) {
        /* With nothing behind it: of "sha256:A:B" one of the two would be lost. */
        if (first == NULL || second != NULL || !decode_sha256(first, digest))
            return "sha256: must be followed by 64 hexadecimal digits";
        pkix_store_distrust_sha256(store, digest);
        return NULL;
    }
    if (strcmp(kind, "issuer-serial") == 0)
        return second == NULL ? "must be issuer-serial:NAME:SERIAL" : add_issuer_serial(store, first, second);
    if (strcmp(kind, "subject-spki") == 0)
        return second == NULL ? "must be subject-spki:NAME:SHA256" : add_subject_spki(store, first, second);
    return "a rule begins with issuer-serial:, subject-spki: or sha256:";
}

static_assert(PKIX_BLOCKLIST_RULES_MAX == 100000, "a sentence says so");

static const char *take(void *target, char *rule)
{
    return add_line(target, rule);
}

bool pkix_store_add_blocklist_path(struct pkix_store *store, const char *path, pkix_rules_problem *problem, void *ctx)
{
    static const struct pkix_rules_kind kind = {take, PKIX_BLOCKLIST_RULES_MAX,
                                                "is one rule too many: they may be 100000"};
    size_t count;
    bool read;

    /* Whose word it is, so that a person who finds a peer refused is told which file to look into; and taken back
     * afterwards, or the next rules would be the blocklist's as well. */
    pkix_store_distrust_from(store, "the blocklist");
    /* A bad line is told and the good ones count: where the store is used in spite of it, it distrusts more and not
     * less. */
    read = pkix_rules_read(path, &kind, store, &count, problem, ctx);
    pkix_store_distrust_from(store, NULL);
    return read;
}
