/* see tokens/library.h */
#include "tokens/library.h"

#include "base/base.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The directory of the running program, without the last '/'; owned by the caller. */
static char *program_directory(void)
{
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
    char *slash;

    if (size <= 0)
        return base_strdup(".");
    path[size] = '\0';
    slash = strrchr(path, '/');
    if (slash != NULL)
        *slash = '\0';
    return base_strdup(path);
}

const char *tokens_library_directory(void)
{
    return YETT_LIBRARY_DIRECTORY;
}

char *tokens_library_find(const char *name)
{
    char *directory = program_directory();
    char *candidates[] = {
        base_printf("%s/%s", directory, name),
        base_printf("%s/../lib/yett/%s", directory, name),
        base_printf("%s/%s", tokens_library_directory(), name),
    };
    char *found = NULL;

    for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
        if (found == NULL && access(candidates[i], R_OK) == 0)
            found = base_strdup(candidates[i]);
        free(candidates[i]);
    }
    free(directory);
    return found;
}
