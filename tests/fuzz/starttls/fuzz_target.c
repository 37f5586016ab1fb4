/* Hosts and authorities: what we call an address, the C library must call the same one, and what we take for a host
 * and a port must be the same when it is written out and read again. */
#include "starttls/target.h"

#include <arpa/inet.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            base_abort("%s:%d: " #condition, __FILE__, __LINE__);                                                      \
    } while (0)

static void check_address(struct span text)
{
    char *copy = base_strndup(text.size == 0 ? "" : (const char *)text.data, text.size);
    bool has_nul = strlen(copy) != text.size;
    uint8_t want_bytes[ADDRESS_BYTES_MAX];
    char written[ADDRESS_TEXT_SIZE];
    struct address got, want, again;
    bool ours = address_parse(text, &got);
    size_t want_size = inet_pton(AF_INET, copy, want_bytes) == 1    ? 4
                       : inet_pton(AF_INET6, copy, want_bytes) == 1 ? 16
                                                                    : 0;

    FUZZ_CHECK(ours == (!has_nul && want_size != 0));
    if (ours) {
        want = address_of_bytes(want_bytes, want_size); /* mapped addresses are IPv4 there, too */
        FUZZ_CHECK(address_equal(&got, &want));
        FUZZ_CHECK(address_parse(span_of_string(address_text(&got, written)), &again) && address_equal(&got, &again));
        (void)starttls_address_denied_by_default(got.bytes, got.size);
    }
    free(copy);
}

static void check_authority(struct span text)
{
    char *host, *again_host, *written;
    uint16_t port, again_port;
    bool is_ipv6;

    if (!starttls_authority_parse(text, &host, &port))
        return;
    is_ipv6 = strchr(host, ':') != NULL;
    FUZZ_CHECK(starttls_host_kind(span_of_string(host)) != STARTTLS_HOST_INVALID && port != 0);
    written = base_printf(is_ipv6 ? "[%s]:%u" : "%s:%u", host, port);
    FUZZ_CHECK(starttls_authority_parse(span_of_string(written), &again_host, &again_port));
    FUZZ_CHECK(strcmp(host, again_host) == 0 && port == again_port);
    free(written);
    free(again_host);
    free(host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_address(span_of(data, size));
    check_authority(span_of(data, size));
    return 0;
}
