#include "fuzz_filter.h"

static bool offers(const char *line, const char *keyword)
{
    size_t len = strlen(keyword);
    struct span s = span_of_string(line);

    return s.size >= 4 + len && span_equal_nocase(span_of(s.data + 4, len), span_of(keyword, len)) &&
           (s.size == 4 + len || s.data[4 + len] == ' ');
}

/* No line of a 250 reply but the first, and the last line if it came alone, offers what must not be offered. Read with
 * code of its own: line by line, as the application will. */
static void check(struct span to_client, struct span to_server)
{
    bool goes_on = false;

    (void)to_server;
    while (to_client.size != 0) {
        const uint8_t *end = memchr(to_client.data, '\n', to_client.size);
        size_t size = end == NULL ? to_client.size : (size_t)(end - to_client.data) + 1;
        char *line = base_strndup((const char *)to_client.data, size);
        size_t len = size;
        bool is_reply;

        if (end == NULL) {
            free(line);
            return; /* half a line, given out at the end of the relay */
        }
        line[--len] = '\0';
        if (len != 0 && line[len - 1] == '\r')
            line[--len] = '\0';
        is_reply = len >= 3 && memcmp(line, "250", 3) == 0;
        FUZZ_CHECK(!is_reply || !goes_on ||
                   !(offers(line, "STARTTLS") || offers(line, "XCLIENT") || offers(line, "XFORWARD")));
        goes_on = is_reply && len > 3 && line[3] == '-';
        free(line);
        to_client = span_skip(to_client, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_filter(STARTTLS_SMTP, check, data, size);
}
