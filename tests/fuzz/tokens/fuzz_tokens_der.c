/* Certificates come from tokens, and a token may hold anything: nothing is read past its end, and every part that is
 * given lies inside what was read. */
#include "tokens/der.h"
#include "tokens/private_key.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct span part, struct span whole)
{
    if (part.size != 0 && (part.data < whole.data || part.data + part.size > whole.data + whole.size))
        abort();
}

/* What is written of a token's numbers can be read, and is the same but for leading zeros. */
static void write_back(struct span input)
{
    struct span first = span_of(input.data, input.size / 2), second = span_skip(input, input.size / 2), parameters,
                bits;
    struct span modulus, exponent;
    struct buffer out;

    buffer_init(&out, 2 * input.size + 256);
    tokens_der_spki_rsa(&out, first, second);
    if (!tokens_der_spki_read(buffer_span(&out), &parameters, &bits) ||
        !tokens_der_rsa_read(bits, &modulus, &exponent) || modulus.size > first.size + 1 ||
        (modulus.size > 1 && memcmp(modulus.data, first.data + first.size - modulus.size, modulus.size) != 0))
        abort();
    buffer_consume(&out, out.size);
    if (tokens_der_spki_ec(&out, first, second) && !tokens_der_spki_read(buffer_span(&out), &parameters, &bits))
        abort();
    buffer_consume(&out, out.size);
    tokens_der_ecdsa_signature(&out, input);
    buffer_release(&out);
}

static void read_private_key(struct span whole)
{
    struct tokens_private_key key;

    if (!tokens_private_key_read(whole, &key))
        return;
    inside(key.ec_params, whole);
    inside(key.ec_value, whole);
    for (size_t i = 0; i < TOKENS_RSA_NUMBER_COUNT; i++)
        inside(key.rsa[i], whole);
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
    read_private_key(span_of(data, size));
    write_back(span_of(data, size));
    return 0;
}
