/* see pkix/describe.h */
#include "pkix/describe.h"
#include "pkix/cert.h"
#include "pkix/dn.h"
#include "pkix/key.h"
#include "pkix/nss_crypto.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHA256_SIZE = 32 };

char *pkix_time_text(int64_t seconds)
{
    struct der_date d;

    der_date_of_seconds(seconds, &d);
    return base_printf("%04u-%02u-%02uT%02u:%02u:%02uZ", d.year, d.month, d.day, d.hour, d.minute, d.second);
}

static char *hex(struct span bytes)
{
    char *text = base_alloc(2 * bytes.size + 1);

    for (size_t i = 0; i < bytes.size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
    return text;
}

bool pkix_describe(struct span der, struct pkix_description *d)
{
    struct pkix_cert cert;
    struct pkix_key key;
    struct pkix_algorithm algorithm;
    uint8_t digest[SHA256_SIZE];
    char key_text[32], *digest_text;
    enum pkix_error error = pkix_cert_read(der, &cert), key_error;

    *d = (struct pkix_description){0};
    if (cert.spki.size == 0 || !pkix_nss_digest(PKIX_SHA256, der, digest))
        return false;
    (void)error; /* an extension may be wrong; the fields before are there */
    digest_text = hex(span_of(digest, sizeof(digest)));
    memcpy(d->sha256, digest_text, sizeof(d->sha256));
    free(digest_text);
    d->subject = pkix_dn_text(cert.subject);
    d->issuer = pkix_dn_text(cert.issuer);
    d->serial = hex(cert.serial);
    d->not_before = cert.validity_error == PKIX_OK ? pkix_time_text(cert.not_before) : base_strdup("");
    d->not_after = cert.validity_error == PKIX_OK ? pkix_time_text(cert.not_after) : base_strdup("");
    key_error = pkix_key_read(cert.spki, &key);
    d->key = base_strdup(key_error == PKIX_OK ? pkix_key_text(&key, key_text, sizeof(key_text))
                                              : pkix_error_name(key_error));
    d->signature = base_strdup(
        pkix_algorithm_read(cert.outer.algorithm, &algorithm) == PKIX_OK ? pkix_algorithm_text(&algorithm) : "unknown");
    return true;
}

void pkix_description_clear(struct pkix_description *d)
{
    free(d->subject);
    free(d->issuer);
    free(d->serial);
    free(d->not_before);
    free(d->not_after);
    free(d->key);
    free(d->signature);
    *d = (struct pkix_description){0};
}
