/* see pkix/search_path.h */
#include "pkix/search_path.h"

/* The name alone is not enough: an authority that changes its key issues itself a certificate of the same name. Name
 * and key together gain nothing the second time, and without the rule two authorities that certify each other are a
 * path without an end. */
bool pkix_path_has(const struct pkix_path *path, const struct pkix_cert *cert)
{
    for (unsigned i = 0; i < path->count; i++)
        if (span_equal(path->steps[i].cert->subject, cert->subject) &&
            span_equal(path->steps[i].cert->spki, cert->spki))
            return true;
    return false;
}

unsigned pkix_path_intermediates(const struct pkix_path *path)
{
    return path->count - 1;
}

/* Self-issued certificates (key rollover) do not count towards the configured depth, RFC 5280 section 6.1. */
unsigned pkix_path_counted_intermediates(const struct pkix_path *path)
{
    unsigned count = 0;

    for (unsigned i = 1; i < path->count; i++)
        count += pkix_cert_is_self_issued(path->steps[i].cert) ? 0 : 1;
    return count;
}
