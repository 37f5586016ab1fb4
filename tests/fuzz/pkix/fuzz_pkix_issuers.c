/* What is served at a caIssuers address. */
#include "fuzz_support.h"
#include "pkix/issuers.h"

static void visit(void *ctx, struct span der)
{
    unsigned *count = ctx;
    struct pkix_cert cert;
    struct span url;

    assert(der.size != 0 && der.data != NULL);
    ++*count;
    if (pkix_cert_read(der, &cert) != PKIX_OK)
        return;
    url = pkix_cert_issuer_url(&cert);
    assert(url.size == 0 || (url.data >= der.data && url.data + url.size <= der.data + der.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned count = 0;

    if (pkix_issuers_read(span_of(data, size), visit, &count) == PKIX_OK)
        assert(count >= 1 && count <= PKIX_ISSUERS_MAX);
    else
        assert(count == 0);
    return 0;
}
