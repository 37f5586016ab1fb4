/* see proxy/commands/cmd_verify.h */
#include "proxy/commands/cmd_verify.h"

#include "proxy/commands/cmd_verify_internal.h"
#include "tls/runtime.h"

#include <stdio.h>
#include <stdlib.h>

static int verify(const struct verify_options *o, const struct verify_inputs *in)
{
    struct pkix_verdict *verdict = NULL;
    enum pkix_error error = pkix_verify(in->store, &o->request, &verdict);

    if (o->json)
        verify_print_json(verdict);
    else
        verify_print_text(o, verdict);
    pkix_verdict_destroy(&verdict);
    return error == PKIX_OK ? VERIFY_EXIT_VALID : VERIFY_EXIT_NOT_VALID;
}

static int read_and_verify(int argc, char **argv, struct verify_options *options)
{
    struct verify_inputs *in = base_alloc(sizeof(*in));
    char *error = NULL;
    int status = VERIFY_EXIT_USAGE;

    in->store = pkix_store_create();
    in->crls = pkix_crl_set_create();
    if (verify_inputs_read(argc, argv, options, in, &error)) {
        status = verify(options, in);
    } else {
        fprintf(stderr, "yett verify: %s\n", error);
        free(error);
    }
    verify_inputs_clear(in);
    free(in);
    return status;
}

int cmd_verify(int argc, char **argv)
{
    struct tls_runtime_options runtime = {0};
    struct verify_options options;
    char *error = NULL;
    int status = verify_options_read(argc, argv, &options);

    if (status != VERIFY_EXIT_VALID) {
        status = status == VERIFY_EXIT_NOT_VALID ? VERIFY_EXIT_VALID : status;
    } else if (!tls_runtime_start(&runtime, &error)) {
        fprintf(stderr, "yett verify: %s\n", error);
        free(error);
        status = VERIFY_EXIT_USAGE;
    } else {
        status = read_and_verify(argc, argv, &options);
        if (!tls_runtime_stop(&error)) {
            fprintf(stderr, "yett verify: %s\n", error);
            free(error);
        }
    }
    pkix_ev_list_clear(&options.ev);
    return status;
}
