/* proxy/commands/status_text.c: what `yett status` prints of an answer on the control socket, whoever gave it. */
#include "proxy/commands/status_text.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *out;
    json_t *reply = json_loadb((const char *)data, size, 0, NULL);

    if (out == NULL)
        out = fopen("/dev/null", "w");
    FUZZ_CHECK(out != NULL);
    if (reply == NULL)
        return 0;
    status_text_print(reply, out);
    status_text_print_connections(reply, out);
    json_decref(reply);
    return 0;
}
