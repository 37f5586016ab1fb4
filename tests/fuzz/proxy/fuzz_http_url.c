/* proxy/fetch/http_fetch.c: a URL out of a certificate, before a request is written with it; and a Host field on the
 * admin port. */
#include "proxy/control/admin.h"
#include "proxy/fetch/http_fetch.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_url url;

    (void)admin_host_is_local(span_of(data, size));
    if (!http_url_parse(span_of(data, size), &url))
        return 0;
    FUZZ_CHECK(size <= HTTP_FETCH_URL_BYTES_MAX && url.port != 0);
    FUZZ_CHECK(starttls_host_kind(span_of_string(url.host)) != STARTTLS_HOST_INVALID);
    FUZZ_CHECK(url.authority.data >= data && url.authority.size + url.target.size <= size);
    /* They go into a request as they are. */
    for (size_t i = 0; i < url.authority.size; i++)
        FUZZ_CHECK(url.authority.data[i] > ' ' && url.authority.data[i] <= '~' && url.authority.data[i] != '@');
    for (size_t i = 0; i < url.target.size; i++)
        FUZZ_CHECK(url.target.data[i] > ' ' && url.target.data[i] <= '~' && url.target.data[i] != '#');
    return 0;
}
