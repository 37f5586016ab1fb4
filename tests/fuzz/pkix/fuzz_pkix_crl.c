/* A CRL (the rest) and a certificate (the first part). */
#include "fuzz_support.h"
#include "pkix/crl.h"
#include "pkix/crl_parse.h"

/* As a CRL that was fetched is judged: nothing here is signed, so it is never accepted. */
static void check_set(const struct pkix_crl *crl, const struct pkix_cert *cert)
{
    struct pkix_crl_set *set = pkix_crl_set_create();
    struct pkix_crl_info info;
    enum pkix_error error;
    char *sentence;

    fuzz_start_nss();
    if (!pkix_crl_set_add(set, crl->info.der, "crl", &sentence))
        base_abort("%s", sentence);
    info = pkix_crl_set_info(set, 0);
    error = pkix_crl_set_accept(set, cert->der, &cert->der, 1, info.this_update);
    assert(error != PKIX_OK && error != PKIX_REVOKED);
    error = pkix_crl_set_check(set, &(struct pkix_crl_query){.cert = cert,
                                                             .signers = &cert,
                                                             .signer_count = 1,
                                                             .time = info.this_update,
                                                             .verify = fuzz_accept_any_signature})
                .error;
    assert(error != PKIX_REVOKED || pkix_crl_find(crl, cert->serial) != NULL);
    assert(error != PKIX_OK || pkix_crl_find(crl, cert->serial) == NULL);
    assert(pkix_crl_set_memory(set) >= crl->info.der.size);
    pkix_crl_set_destroy(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size), cert_der = fuzz_take_part(&rest);
    struct pkix_cert cert;
    struct pkix_crl crl;
    struct pkix_crl_info info;
    char name[PKIX_CRL_FILE_NAME_SIZE];

    fuzz_start_nss();
    if (pkix_crl_file_name(rest, name))
        assert(pkix_crl_info_read(rest, &info) == PKIX_OK && strlen(name) < sizeof(name));
    if (pkix_crl_read(rest, &crl) == PKIX_OK) {
        for (size_t i = 0; i < crl.entry_count; i++) {
            assert(pkix_crl_find(&crl, span_of(crl.entries[i].serial, crl.entries[i].serial_size)) != NULL);
            (void)pkix_reason_name(pkix_crl_entry_when(&crl.entries[i]).reason);
        }
        if (pkix_cert_read(cert_der, &cert) == PKIX_OK) {
            (void)pkix_crl_covers(&crl, &cert, false);
            (void)pkix_crl_covers(&crl, &cert, true);
            check_set(&crl, &cert);
        }
        assert(pkix_crl_number_compare(crl.info.number, crl.info.number) == 0);
        assert(!pkix_crl_is_older(&crl.info, &crl.info));
    }
    pkix_crl_clear(&crl);
    return 0;
}
