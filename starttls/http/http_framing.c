/* see starttls/http/http.h: how a message says its body ends. */
#include "starttls/http/http.h"
#include "starttls/http/http_syntax.h"

static bool parse_length(struct span value, uint64_t *length)
{
    enum { DIGITS_MAX = 18 };

    *length = 0;
    if (value.size == 0 || value.size > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < value.size; i++) {
        if (!http_is_digit(value.data[i]))
            return false;
        *length = *length * 10 + (uint64_t)(value.data[i] - '0');
    }
    return true;
}

enum starttls_http_framing starttls_http_framing(const struct starttls_http *h, uint64_t *length, const char **error)
{
    size_t lengths, codings;
    struct span length_value = starttls_http_field(h, "Content-Length", &lengths);
    struct span coding = starttls_http_field(h, "Transfer-Encoding", &codings);

    *error = NULL;
    *length = 0;
    if (lengths + codings == 0)
        return STARTTLS_HTTP_UNFRAMED;
    if (lengths != 0 && codings != 0)
        *error = "it has both Content-Length and Transfer-Encoding";
    else if (lengths + codings > 1)
        *error = "it says more than once how its body ends";
    else if (lengths == 1 && !parse_length(length_value, length))
        *error = "its Content-Length is not a number";
    else if (codings == 1 && !span_equal_nocase(coding, span_of_string("chunked")))
        *error = "its Transfer-Encoding is something else than chunked";
    else if (codings == 1 && starttls_http_minor_version(h) == 0)
        *error = "it has a Transfer-Encoding, which HTTP/1.0 does not know";
    if (*error != NULL)
        return STARTTLS_HTTP_BADLY_FRAMED;
    return lengths == 1 ? STARTTLS_HTTP_LENGTH : STARTTLS_HTTP_CHUNKED;
}
