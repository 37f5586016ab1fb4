/* Name constraints (the first part) against a certificate (the rest). */
#include "fuzz_support.h"
#include "pkix/constraints.h"

enum { COMPARISONS = 10000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size), constraints = fuzz_take_part(&rest);
    struct pkix_constraint_breach breach;
    struct pkix_cert cert;

    if (pkix_cert_read(rest, &cert) != PKIX_OK)
        return 0;
    for (int common_name = PKIX_COMMON_NAME_IGNORED; common_name <= PKIX_COMMON_NAME_CONSTRAINED; common_name++) {
        unsigned comparisons = COMPARISONS;
        enum pkix_error error =
            pkix_constraints_check(constraints, &cert, (enum pkix_common_name)common_name, &comparisons, &breach);

        assert(error == PKIX_OK || error == PKIX_BAD_DER || error == PKIX_NAME_CONSTRAINT_VIOLATION ||
               error == PKIX_LIMIT_EXCEEDED);
        assert(comparisons <= COMPARISONS);
        assert(error == PKIX_NAME_CONSTRAINT_VIOLATION || breach.rule == PKIX_CONSTRAINT_UNKNOWN);
    }
    return 0;
}
