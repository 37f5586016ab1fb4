/* A CRL (the rest) and a certificate (the first part). */
#include "fuzz_support.h"
#include "pkix/crl_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size), cert_der = fuzz_take_part(&rest);
    struct pkix_cert cert;
    struct pkix_crl crl;

    if (pkix_crl_read(rest, &crl) == PKIX_OK) {
        for (size_t i = 0; i < crl.serial_count; i++)
            assert(pkix_crl_lists(&crl, crl.serials[i]));
        if (pkix_cert_read(cert_der, &cert) == PKIX_OK) {
            (void)pkix_crl_covers(&crl, &cert, false);
            (void)pkix_crl_covers(&crl, &cert, true);
        }
    }
    pkix_crl_clear(&crl);
    return 0;
}
