/* see pkix/explain_name.h */
#include "pkix/explain_name.h"
#include "pkix/dn.h"
#include "pkix/nss_crypto.h"

#include <stdio.h>
#include <stdlib.h>

enum { FINGERPRINT_BYTES_SHOWN = 8 };

char *pkix_explain_name(struct span name)
{
    char *text = pkix_dn_text(name), *cut;
    size_t size = PKIX_EXPLAIN_NAME_MAX;

    if (strlen(text) <= PKIX_EXPLAIN_NAME_MAX)
        return text;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    cut = base_printf("%.*s...", (int)size, text);
    free(text);
    return cut;
}

char *pkix_explain_hex(struct span bytes)
{
    char *text = base_alloc(2 * bytes.size + 1);

    for (size_t i = 0; i < bytes.size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
    return text;
}

/* How a certificate differs from another one with its name: by the serial number, or else by its digest. */
static char *distinction(const struct pkix_cert *cert, const struct pkix_cert *other)
{
    uint8_t digest[PKIX_DIGEST_SIZE_MAX];
    bool same_serial = span_equal(cert->serial, other->serial);
    struct span bytes = cert->serial;
    char *hex, *text;

    if (same_serial && pkix_nss_digest(PKIX_SHA256, cert->der, digest))
        bytes = span_of(digest, FINGERPRINT_BYTES_SHOWN);
    hex = pkix_explain_hex(bytes);
    text = base_printf(" [%s %s%s]", same_serial ? "sha256" : "serial", hex, same_serial ? "..." : "");
    free(hex);
    return text;
}

/* Another certificate of that name among those tried, or NULL. */
static const struct pkix_cert *find_namesake(const struct pkix_notes *notes, const struct pkix_cert *cert)
{
    for (unsigned i = 0; i < notes->tried_count; i++) {
        const struct pkix_path *path = &notes->tried[i].path;

        for (unsigned k = 0; k < path->count; k++) {
            const struct pkix_cert *other = path->steps[k].cert;

            if (other != cert && span_equal(other->subject, cert->subject) && !span_equal(other->der, cert->der))
                return other;
        }
    }
    return NULL;
}

char *pkix_explain_cert(const struct pkix_notes *notes, const struct pkix_cert *cert)
{
    char *name = pkix_explain_name(cert->subject), *what, *text;
    const struct pkix_cert *namesake = find_namesake(notes, cert);

    if (namesake == NULL)
        return name;
    what = distinction(cert, namesake);
    text = base_printf("%s%s", name, what);
    free(what);
    free(name);
    return text;
}
