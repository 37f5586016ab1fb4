/* One name, as every kind of name there is: the first part against the rest. */
#include "fuzz_support.h"
#include "pkix/dn.h"
#include "pkix/names.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size), name = fuzz_take_part(&rest), local, domain, host;
    uint8_t address[16];
    size_t address_size;
    char *text;

    for (int kind = PKIX_DNS_REFERENCE; kind <= PKIX_DNS_CONSTRAINT; kind++)
        (void)pkix_dns_id_valid(name, (enum pkix_dns_id)kind);
    if (pkix_dns_id_valid(name, PKIX_DNS_PRESENTED) && pkix_dns_id_valid(rest, PKIX_DNS_REFERENCE) &&
        pkix_dns_id_matches(name, rest))
        assert(name.data[0] == '*' || name.size <= rest.size);
    if (pkix_email_split(name, &local, &domain))
        assert(local.size != 0 && local.size + 1 + domain.size == name.size);
    if (pkix_uri_host(name, &host))
        assert(host.size != 0 && host.size < name.size);
    if (pkix_ip_parse(name, address, &address_size)) {
        char back[PKIX_IP_TEXT_SIZE];
        uint8_t again[16];
        size_t again_size;

        pkix_ip_format(span_of(address, address_size), back);
        assert(pkix_ip_parse(span_of_string(back), again, &again_size) && again_size == address_size);
        assert(memcmp(address, again, address_size) == 0);
    }
    text = pkix_dn_text(name);
    for (const char *c = text; *c != '\0'; c++)
        assert((unsigned char)*c >= 0x20 && *c != 0x7f);
    free(text);
    return 0;
}
