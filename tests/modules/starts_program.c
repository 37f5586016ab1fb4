/* starts-program.so: a PKCS#11 module (that of YETT_TEST_MODULE, passed on) which starts the program of
 * YETT_TEST_PROGRAM as it is loaded, and waits for it. For tests. */
#include <dlfcn.h>
#include <errno.h>
#include <p11-kit/pkcs11.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static void start(void)
{
    char *program = getenv("YETT_TEST_PROGRAM");
    char *const arguments[] = {program, NULL};
    pid_t child;
    int error = program == NULL ? ENOENT : posix_spawn(&child, program, NULL, NULL, arguments, environ);

    if (error != 0)
        fprintf(stderr, "starts-program: %s\n", strerror(error));
    else
        (void)waitpid(child, NULL, 0);
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    const char *path = getenv("YETT_TEST_MODULE");
    void *module = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CK_RV (*real)(CK_FUNCTION_LIST **) = NULL;
    static int started;

    if (module != NULL)
        *(void **)&real = dlsym(module, "C_GetFunctionList");
    if (real == NULL)
        return CKR_GENERAL_ERROR;
    if (!started++)
        start();
    return real(list);
}
