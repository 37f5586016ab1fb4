/* config_parse_file FILE...: reads each as "yett check" does, as far as config/ goes. Prints the findings; the exit
 * status is 1 when there is any. For the tests that parse the examples. */
#include "config/config.h"

#include <stdlib.h>

static bool file_is_good(const char *path)
{
    struct config_findings findings = {.items = NULL};
    struct config_snapshot *snapshot = config_snapshot_read(path, &findings);
    struct config *config = snapshot == NULL ? NULL : config_parse(snapshot, &findings);
    bool good = config != NULL;

    for (size_t i = 0; i < findings.count; i++) {
        char *text = config_finding_text(&findings.items[i]);

        puts(text);
        free(text);
    }
    if (good)
        printf("%s: good, %zu services, %zu modules\n", path, config->service_count, config->module_count);
    config_destroy(&config);
    config_snapshot_destroy(&snapshot);
    config_findings_clear(&findings);
    return good;
}

int main(int argc, char **argv)
{
    int status = argc < 2 ? 2 : 0;

    for (int i = 1; i < argc; i++)
        if (!file_is_good(argv[i]))
            status = 1;
    return status;
}
