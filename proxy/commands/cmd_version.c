/* see proxy/commands/commands.h and proxy/process/version.h */
#include "proxy/commands/commands.h"
#include "proxy/process/version.h"

#include "proxy/commands/command_line.h"
#include "proxy/service/service.h"
#include "starttls/http/http.h"
#include "tls/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static const char help[] = "Usage: yett version\n"
                           "\n"
                           "Prints the version of yett, and those of the libraries it runs with: NSS, NSPR, libuv\n"
                           "and http-parser; and the path of the accelerator that is installed.\n";

const char *yett_version(void)
{
    return YETT_VERSION;
}

int cmd_version(int argc, char **argv)
{
    struct command_line line;
    char *http_parser, *accelerator;
    int status;

    if (!command_line_parse(&line, argc, argv, 0, 0, help, &status))
        return status;
    http_parser = starttls_http_parser_version();
    accelerator = services_accelerator_installed();
    printf("yett %s\nNSS %s\nNSPR %s\nlibuv %s\nhttp-parser %s\naccelerator %s\n", yett_version(), tls_nss_version(),
           tls_nspr_version(), uv_version_string(), http_parser, accelerator == NULL ? "none" : accelerator);
    free(accelerator);
    free(http_parser);
    return COMMAND_DONE;
}
