#include "fuzz_filter.h"

/* `line` behind its blanks, by which some server may not be kept from a word. */
static struct span behind_blanks(struct span line)
{
    while (line.size != 0 && line.data[0] <= ' ')
        line = span_skip(line, 1);
    return line;
}

static bool begins_with(struct span line, const char *word)
{
    struct span text = behind_blanks(line);
    size_t size = strlen(word);

    return span_starts_with_nocase(text, word) && (text.size == size || text.data[size] <= ' ');
}

/* Where nobody challenged, every line of the client's is a command: none may ask for TLS, or for another's address. */
static void check(struct span to_client, struct span to_server)
{
    bool challenged = to_client.size != 0 && memchr(to_client.data, '+', to_client.size) != NULL;

    while (!challenged && to_server.size != 0) {
        const uint8_t *end = memchr(to_server.data, '\n', to_server.size);
        size_t size = end == NULL ? to_server.size : (size_t)(end - to_server.data) + 1;
        struct span line = span_of(to_server.data, size);

        if (end != NULL) {
            FUZZ_CHECK(!begins_with(line, "STLS"));
            FUZZ_CHECK(!begins_with(line, "XCLIENT"));
        }
        to_server = span_skip(to_server, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_filter(STARTTLS_POP3, check, data, size);
}
