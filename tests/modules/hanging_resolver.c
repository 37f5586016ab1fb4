/* hanging-resolver.so: for LD_PRELOAD, a name server that never answers: getaddrinfo() of a name that begins with
 * "hang." does not come back. For tests. */
#include <dlfcn.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **result)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    while (node != NULL && strncmp(node, "hang.", 5) == 0)
        pause();
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, result);
}
