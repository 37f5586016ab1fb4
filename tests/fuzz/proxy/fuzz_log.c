/* proxy/process/log.c: what a peer says, in each format: one line, whatever is in it, that a reader of the format takes
 * for what it is. Parts: three values; the first byte chooses the format. */
#include "proxy/process/log.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 16 * 1024 };

/* What the line put on standard error, in `line`. */
static size_t capture(const struct log_field *fields, char line[LINE_MAX_BYTES])
{
    int memory = memfd_create("log", MFD_CLOEXEC), saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    ssize_t size;

    FUZZ_CHECK(memory >= 0 && saved >= 0 && dup2(memory, STDERR_FILENO) >= 0);
    log_write(LOG_LEVEL_WARNING, LOG_OWN, "fuzzed", fields);
    FUZZ_CHECK(dup2(saved, STDERR_FILENO) >= 0);
    size = pread(memory, line, LINE_MAX_BYTES, 0);
    close(memory);
    close(saved);
    FUZZ_CHECK(size > 0 && size < LINE_MAX_BYTES);
    return (size_t)size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char line[LINE_MAX_BYTES];
    struct span input = span_of(data, size);
    bool is_json = (fuzz_byte(&input) & 1) != 0;
    struct span first = fuzz_part(&input), second = fuzz_part(&input);
    const struct log_field fields[] = {log_span("conn", first),
                                       log_number("number", (int64_t)size),
                                       log_span("reason", second),
                                       log_span("line", input),
                                       {.key = NULL}};
    size_t length;

    log_open("worker-0", CONFIG_LOG_STDERR, is_json ? CONFIG_LOG_JSON : CONFIG_LOG_LOGFMT, LOG_LEVEL_DEBUG);
    length = capture(fields, line);
    FUZZ_CHECK(line[length - 1] == '\n');
    for (size_t i = 0; i + 1 < length; i++)
        FUZZ_CHECK(line[i] >= ' ' && line[i] <= '~');
    if (is_json) {
        json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

        FUZZ_CHECK(object != NULL && json_string_value(json_object_get(object, "reason")) != NULL);
        FUZZ_CHECK(json_integer_value(json_object_get(object, "number")) == (json_int_t)size);
        json_decref(object);
    }
    return 0;
}
