/* Certificates come from tokens, and a token may hold anything: nothing is read past its end, and every part that is
 * given lies inside what was read. */
#include "tokens/der.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct span part, struct span whole)
{
    if (part.size != 0 && (part.data < whole.data || part.data + part.size > whole.data + whole.size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span whole = span_of(data, size), parameters, bits, modulus, exponent;
    struct tokens_der_cert cert;

    if (tokens_der_cert_read(whole, &cert)) {
        inside(cert.serial, whole);
        inside(cert.issuer, whole);
        inside(cert.subject, whole);
        inside(cert.spki, whole);
        if (cert.not_after[15] != '\0')
            abort();
        whole = cert.spki;
    }
    if (tokens_der_spki_read(whole, &parameters, &bits)) {
        inside(parameters, whole);
        inside(bits, whole);
        if (tokens_der_rsa_read(bits, &modulus, &exponent)) {
            inside(modulus, bits);
            inside(exponent, bits);
        }
    }
    return 0;
}
