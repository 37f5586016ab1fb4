/* see pkix/request.h */
#include "pkix/request.h"

const struct pkix_limits pkix_limits_default = {
    .signature_checks_max = 100,
    .signature_cost_us_max = 30000,
    .path_steps_max = 5000,
    .name_comparisons_max = 250000,
    .policy_steps_max = 20000,
    .candidates_per_name_max = 64,
    .extras_max = 48,
    .extras_bytes_max = (size_t)128 * 1024,
    .intermediates_max = 6,
    .wall_ms_max = 2000,
};

/* The strictest form: everything that lets more in is asked for by name. */
struct pkix_request pkix_request_of_server(void)
{
    return (struct pkix_request){.purpose = PKIX_PURPOSE_SERVER};
}

/* A client's certificate has no name that is asked for, so what it may do is all that ties it to us; many private
 * authorities (AD CS) issue for anyExtendedKeyUsage, which RFC 5280 section 4.2.1.12 has stand for every use. A
 * server's is held to serverAuth: whoever gets hold of a mail or code signing certificate must not become a web site.
 */
struct pkix_request pkix_request_of_client(enum pkix_client_usage usage)
{
    return (struct pkix_request){.purpose = PKIX_PURPOSE_CLIENT, .client_usage = usage, .any_extended_key_usage = true};
}
