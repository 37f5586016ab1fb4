/* tls/pem.c and tls/key_der.c: keys and certificates as files have them, and names as clients and certificates do. What
 * was taken for a key of PKCS#8 must begin as one. */
#include "tests/fuzz/fuzz.h"
#include "tls/handshake_internal.h"
#include "tls/key_der.h"
#include "tls/pem.h"

#include "base/slab.h"

#include <stdlib.h>

static void count_name(void *arg, struct span name)
{
    size_t *count = arg;

    FUZZ_CHECK(name.size != 0 && name.size <= TLS_HOST_NAME_MAX);
    (*count)++;
}

static void convert(const char *label, struct span der)
{
    uint8_t *pkcs8 = NULL;
    size_t size = 0;
    char *error = NULL;

    if (tls_key_der_to_pkcs8(label, der, &pkcs8, &size, &error))
        FUZZ_CHECK(error == NULL && size >= 2 && pkcs8[0] == 0x30 &&
                   tls_key_der_element_size(span_of(pkcs8, size)) == size);
    else
        FUZZ_CHECK(error != NULL && pkcs8 == NULL);
    free(pkcs8);
    free(error);
}

static void read_pem(struct span text)
{
    static const struct base_pem_file file = {
        .take = BASE_PEM_CERTIFICATE | BASE_PEM_KEY, .pass = BASE_PEM_PARAMETERS, .what = "keys"};
    struct tls_pem pem = {0};
    char *error = NULL;

    if (tls_pem_parse(text, &file, "input", &pem, &error)) {
        FUZZ_CHECK(pem.count != 0);
        tls_pem_clear(&pem);
    } else {
        FUZZ_CHECK(error != NULL);
    }
    free(error);
}

static void read_name(struct span text)
{
    char *name = tls_server_name_copy(text);

    if (name == NULL)
        return;
    FUZZ_CHECK(strlen(name) == text.size || (strlen(name) == text.size - 1 && text.data[text.size - 1] == '.'));
    for (const char *c = name; *c != '\0'; c++)
        FUZZ_CHECK(*c > ' ' && *c <= '~' && !(*c >= 'A' && *c <= 'Z'));
    slab_strfree(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const labels[] = {"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"};
    struct span input = span_of(data, size), first, second;
    size_t count = 0;
    unsigned kind = fuzz_byte(&input);

    convert(labels[kind % ARRAY_LEN(labels)], input);
    if (tls_key_der_split(input, &first, &second))
        FUZZ_CHECK(first.size != 0 && second.size != 0 && first.size + second.size <= input.size);
    FUZZ_CHECK(tls_key_der_element_size(input) <= input.size);
    (void)!tls_key_der_dns_names(input, count_name, &count);
    read_pem(input);
    read_name(input);
    return 0;
}
