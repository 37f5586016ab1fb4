/* see proxy/commands/cmd_verify_internal.h */
#include "proxy/commands/cmd_verify_internal.h"

#include "pkix/blocklist.h"
#include "pkix/distrust.h"
#include "pkix/ocsp.h"
#include "pkix/pem.h"
#include "pkix/roots.h"
#include "proxy/service/token_trust.h"

#include <stdio.h>
#include <stdlib.h>

static bool keep_chain_cert(void *ctx, struct span der, const char *origin, char **error)
{
    struct verify_inputs *in = ctx;

    if (in->chain_count == VERIFY_CHAIN_MAX) {
        *error = base_printf("%s: more than %d certificates", origin, VERIFY_CHAIN_MAX);
        return false;
    }
    in->chain[in->chain_count++] = span_of(base_memdup(der.data, der.size), der.size);
    return true;
}

static bool add_ocsp_file(struct verify_inputs *in, const char *path, char **error)
{
    uint8_t *data;
    size_t size;

    if (in->ocsp_count == VERIFY_OCSP_FILES_MAX) {
        *error = base_printf("%s: more than %d OCSP responses", path, VERIFY_OCSP_FILES_MAX);
        return false;
    }
    if (!pkix_file_read(path, &data, &size, error))
        return false;
    if (!pkix_ocsp_has_form(span_of(data, size))) {
        free(data);
        *error = base_printf("%s: is not an OCSP response in DER", path);
        return false;
    }
    in->ocsp[in->ocsp_count++] = span_of(data, size);
    return true;
}

void verify_inputs_clear(struct verify_inputs *in)
{
    for (size_t i = 0; i < in->chain_count; i++)
        free((void *)(uintptr_t)in->chain[i].data);
    for (size_t i = 0; i < in->ocsp_count; i++)
        free((void *)(uintptr_t)in->ocsp[i].data);
    pkix_crl_set_destroy(&in->crls);
    pkix_store_destroy(&in->store);
}

/* Of a file's problems the first is told. */
static void on_line_problem(void *ctx, unsigned line, const char *sentence)
{
    char **problem = ctx;

    if (*problem == NULL)
        *problem = line == 0 ? base_strdup(sentence) : base_printf("line %u: %s", line, sentence);
}

/* Not on standard output, which may be one JSON object. */
static void on_left_out(void *ctx, const char *sentence)
{
    (void)ctx;
    fprintf(stderr, "yett verify: left out: %s\n", sentence);
}

static bool told_of_problem(const char *path, char *problem, char **error)
{
    *error = base_printf("%s: %s", path, problem);
    free(problem);
    return false;
}

static bool add_blocklist(struct pkix_store *store, const char *path, char **error)
{
    char *problem = NULL;

    return pkix_store_add_blocklist_path(store, path, on_line_problem, &problem) ||
           told_of_problem(path, problem, error);
}

static bool add_ev_roots(struct pkix_ev_list *list, const char *text, char **error)
{
    const char *path = text + strlen(VERIFY_FILE_PREFIX);
    char *problem = NULL;

    return strncmp(text, VERIFY_FILE_PREFIX, strlen(VERIFY_FILE_PREFIX)) != 0 ||
           pkix_ev_list_add_path(list, path, on_line_problem, &problem) || told_of_problem(path, problem, error);
}

static bool add_token_trust(struct pkix_store *store, const char *module, const char *uri, char **error)
{
    if (module != NULL)
        return token_trust_add_from_module(module, uri, store, error);
    *error = base_strdup("--trust with a pkcs11: URI needs --module, the PKCS#11 module of the token");
    return false;
}

/* One option that names a file. */
static bool take_file(struct verify_inputs *in, struct verify_options *o, int option, const char *path, char **error)
{
    switch (option) {
    case VERIFY_OPTION_TRUST:
        o->has_trust = true;
        if (strncmp(path, "pkcs11:", strlen("pkcs11:")) == 0)
            return add_token_trust(in->store, o->module, path, error);
        return pkix_store_add_anchors_path(in->store, path, on_left_out, NULL, error);
    case VERIFY_OPTION_INTERMEDIATES:
        return pkix_store_add_intermediates_path(in->store, path, on_left_out, NULL, error);
    case VERIFY_OPTION_CRL:
        return pkix_crl_set_add_path(in->crls, path, error);
    case VERIFY_OPTION_OCSP:
        return add_ocsp_file(in, path, error);
    case VERIFY_OPTION_BLOCKLIST:
        return add_blocklist(in->store, path, error);
    case VERIFY_OPTION_EV_ROOT:
        return add_ev_roots(&o->ev, path, error);
    }
    base_abort("option %d", option);
}

bool verify_inputs_read(int argc, char **argv, struct verify_options *o, struct verify_inputs *in, char **error)
{
    int option;

    optind = 0;
    while ((option = getopt_long(argc, argv, "h", verify_long_options, NULL)) != -1)
        if (option == VERIFY_OPTION_TRUST || option == VERIFY_OPTION_INTERMEDIATES || option == VERIFY_OPTION_CRL ||
            option == VERIFY_OPTION_OCSP || option == VERIFY_OPTION_BLOCKLIST || option == VERIFY_OPTION_EV_ROOT)
            if (!take_file(in, o, option, optarg, error))
                return false;
    if (o->roots == VERIFY_ROOTS_DEFAULT)
        o->roots = o->has_trust ? VERIFY_ROOTS_NONE : VERIFY_ROOTS_MOZILLA;
    if (o->roots == VERIFY_ROOTS_MOZILLA && !pkix_store_add_mozilla(in->store, pkix_roots_kept_path, error))
        return false;
    if (o->roots == VERIFY_ROOTS_SYSTEM && !pkix_store_add_system(in->store, on_left_out, NULL, error))
        return false;
    if (o->distrust != NULL && !pkix_store_add_distrust_path(in->store, o->distrust, error))
        return false; /* now that all anchors are there */
    if (!pkix_pem_each_path(o->chain_path, &pkix_pem_chain, keep_chain_cert, in, error))
        return false;
    o->request.leaf = in->chain[0];
    o->request.extras = in->chain + 1;
    o->request.extras_count = in->chain_count - 1;
    o->request.ocsp = in->ocsp;
    o->request.ocsp_count = in->ocsp_count;
    o->request.crls = in->crls;
    o->request.policy.ev_roots = o->ev.roots;
    o->request.policy.ev_root_count = o->ev.count;
    return true;
}
