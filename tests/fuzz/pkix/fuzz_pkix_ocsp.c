/* An OCSP response (the rest) about a certificate and its issuer (the first two parts). */
#include "fuzz_support.h"
#include "pkix/ocsp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size), cert_der = fuzz_take_part(&rest), issuer_der = fuzz_take_part(&rest);
    uint8_t request[PKIX_OCSP_REQUEST_SIZE_MAX];
    struct pkix_cert cert, issuer;
    size_t request_size;
    int64_t ends;
    struct pkix_statement statement;

    fuzz_start_nss();
    if (pkix_cert_read(cert_der, &cert) != PKIX_OK || pkix_cert_read(issuer_der, &issuer) != PKIX_OK)
        return 0;
    (void)pkix_ocsp_ends_at(rest, &ends);
    if (pkix_ocsp_judge(rest, &cert, &issuer, 1767225600, fuzz_accept_any_signature, NULL, &statement) == PKIX_OK)
        assert(statement.valid_until >= 1767225600);
    if (pkix_ocsp_request_write(&cert, &issuer, request, &request_size))
        assert(request_size <= sizeof(request));
    return 0;
}
