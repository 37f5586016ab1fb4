/* limbo-harness: answers x509-limbo's cases.
 *
 * limbo.json on standard input, limbo's result JSON on standard output:
 *     {"version":1,"harness":"yett","results":[{"id","actual_result","context"}]}
 * --profile default|strict chooses the rules; --signatures adds "signature_checks" and "milliseconds" to each result.
 * Cases whose roots cannot even be configured are failures: a path to them cannot exist. */
#include "pkix/crl.h"
#include "pkix/names.h"
#include "pkix/store.h"
#include "pkix/verify.h"

#include <jansson.h>
#include <nss.h>
#include <nssb64.h>
#include <pkix/pem.h>
#include <secitem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CERTS_MAX = 4096, NAMES_MAX = 64 };

struct der_list {
    struct span certs[CERTS_MAX];
    size_t count;
};

struct options {
    enum pkix_profile profile;
    bool effort;
};

struct effort {
    unsigned signature_checks;
    double milliseconds; /* of pkix_verify() alone */
};

/* Processor time, so that what else the machine does is not counted. */
static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static bool copy_der(void *ctx, struct span der, const char *origin, char **error)
{
    struct der_list *list = ctx;

    (void)origin;
    (void)error;
    if (list->count < CERTS_MAX)
        list->certs[list->count++] = span_of(base_memdup(der.data, der.size), der.size);
    return true;
}

static void free_list(struct der_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free((void *)(uintptr_t)list->certs[i].data);
    free(list);
}

/* The blocks of one PEM text, or of an array of them. */
static struct der_list *read_pems(const json_t *value, const struct base_pem_file *file)
{
    struct der_list *list = base_alloc(sizeof(*list));
    char *error = NULL;
    size_t count, index;
    const json_t *item;

    if (json_is_string(value)) {
        if (!pkix_pem_each(span_of_string(json_string_value(value)), file, "case", copy_der, list, &count, &error))
            free(error);
        return list;
    }
    json_array_foreach((json_t *)(uintptr_t)value, index, item)
    {
        error = NULL;
        if (!pkix_pem_each(span_of_string(json_string_value(item)), file, "case", copy_der, list, &count, &error))
            free(error);
    }
    return list;
}

/* "2024-01-01T00:00:00+00:00" or "...Z", with or without fractions; now when absent. */
static int64_t read_time(const json_t *value)
{
    struct tm tm = {0};

    if (!json_is_string(value))
        return (int64_t)time(NULL);
    if (strptime(json_string_value(value), "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
        base_abort("time %s", json_string_value(value));
    return (int64_t)timegm(&tm);
}

static struct pkix_name read_name(const json_t *peer, uint8_t address[16])
{
    const char *kind = json_string_value(json_object_get(peer, "kind"));
    const char *value = json_string_value(json_object_get(peer, "value"));
    size_t size;

    if (kind == NULL || value == NULL)
        return (struct pkix_name){.type = PKIX_NAME_NONE};
    if (strcmp(kind, "IP") == 0) {
        if (!pkix_ip_parse(span_of_string(value), address, &size))
            base_abort("address %s", value);
        return (struct pkix_name){.type = PKIX_NAME_IP, .value = span_of(address, size)};
    }
    return (struct pkix_name){.type = strcmp(kind, "DNS") == 0 ? PKIX_NAME_DNS : PKIX_NAME_EMAIL,
                              .value = span_of_string(value)};
}

/* A client's certificate has to have every name the case lists. */
static enum pkix_error check_peer_names(const json_t *names, struct span leaf)
{
    struct pkix_cert cert;
    enum pkix_error error = pkix_cert_read(leaf, &cert);
    size_t index;
    const json_t *peer;

    json_array_foreach((json_t *)(uintptr_t)names, index, peer)
    {
        uint8_t address[16];
        struct pkix_name name = read_name(peer, address);

        if (error == PKIX_OK)
            error = pkix_name_check(&cert, &name);
    }
    return error;
}

static enum pkix_error verify_case(const json_t *testcase, const struct options *options,
                                   const struct pkix_store *store, char **context, struct effort *effort)
{
    struct der_list *leaf = read_pems(json_object_get(testcase, "peer_certificate"), &pkix_pem_certificates);
    struct der_list *extras = read_pems(json_object_get(testcase, "untrusted_intermediates"), &pkix_pem_certificates);
    struct der_list *crls = read_pems(json_object_get(testcase, "crls"), &pkix_pem_crls);
    const json_t *depth = json_object_get(testcase, "max_chain_depth");
    const char *kind = json_string_value(json_object_get(testcase, "validation_kind"));
    struct pkix_limits limits = pkix_limits_default;
    struct pkix_crl_set *crl_set = pkix_crl_set_create();
    uint8_t address[16];
    const struct pkix_request side =
        strcmp(kind, "CLIENT") == 0 ? pkix_request_of_client(PKIX_CLIENT_USAGE_CLIENT) : pkix_request_of_server();
    struct pkix_request request = {
        .extras = extras->certs,
        .extras_count = extras->count,
        .purpose = side.purpose,
        .client_usage = side.client_usage,
        .any_extended_key_usage = side.any_extended_key_usage,
        .profile = options->profile,
        .name = read_name(json_object_get(testcase, "expected_peer_name"), address),
        .time = read_time(json_object_get(testcase, "validation_time")),
        .revocation = crls->count == 0 ? PKIX_REVOCATION_OFF : PKIX_REVOCATION_HARD,
        .crls = crl_set,
        .limits = &limits,
    };
    struct pkix_verdict *verdict = NULL;
    enum pkix_error result;

    if (json_is_integer(depth))
        limits.intermediates_max = (unsigned)json_integer_value(depth);
    for (size_t i = 0; i < crls->count; i++) {
        char *error = NULL;

        /* An unusable CRL is no statement; hard revocation then fails for want of one. */
        if (!pkix_crl_set_add(crl_set, crls->certs[i], "case", &error))
            free(error);
    }
    if (leaf->count == 1)
        request.leaf = leaf->certs[0];
    effort->milliseconds = now_ms();
    result = pkix_verify(store, &request, &verdict);
    effort->milliseconds = now_ms() - effort->milliseconds;
    if (result == PKIX_OK)
        result = check_peer_names(json_object_get(testcase, "expected_peer_names"), request.leaf);
    *context = base_printf("%s: %s", pkix_error_name(result), pkix_verdict_detail(verdict));
    effort->signature_checks = pkix_verdict_signature_checks(verdict);
    pkix_verdict_destroy(&verdict);
    pkix_crl_set_destroy(&crl_set);
    free_list(crls);
    free_list(extras);
    free_list(leaf);
    return result;
}

static json_t *run_case(const json_t *testcase, const struct options *options)
{
    struct pkix_store *store = pkix_store_create();
    struct der_list *roots = read_pems(json_object_get(testcase, "trusted_certs"), &pkix_pem_certificates);
    enum pkix_error error;
    char *context = NULL, *store_error = NULL;
    struct effort effort = {0};
    json_t *result;

    for (size_t i = 0; i < roots->count; i++) {
        if (!pkix_store_add_anchor(store, roots->certs[i], &store_error)) {
            free(store_error);
            store_error = NULL;
        }
    }
    error = verify_case(testcase, options, store, &context, &effort);
    result = json_pack("{s:s, s:s, s:s}", "id", json_string_value(json_object_get(testcase, "id")), "actual_result",
                       error == PKIX_OK ? "SUCCESS" : "FAILURE", "context", context);
    if (options->effort) {
        json_object_set_new(result, "signature_checks", json_integer(effort.signature_checks));
        json_object_set_new(result, "milliseconds", json_real(effort.milliseconds));
    }
    free(context);
    free_list(roots);
    pkix_store_destroy(&store);
    return result;
}

static bool read_options(int argc, char **argv, struct options *options)
{
    *options = (struct options){.profile = PKIX_PROFILE_DEFAULT};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--signatures") == 0) {
            options->effort = true;
        } else if (strcmp(argv[i], "--profile") == 0 && i + 1 < argc && strcmp(argv[i + 1], "default") == 0) {
            i++;
        } else if (strcmp(argv[i], "--profile") == 0 && i + 1 < argc && strcmp(argv[i + 1], "strict") == 0) {
            options->profile = PKIX_PROFILE_STRICT;
            i++;
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options options;
    json_error_t parse_error;
    json_t *limbo, *results, *testcase;
    size_t index;

    if (!read_options(argc, argv, &options)) {
        fprintf(stderr, "usage: limbo-harness [--profile default|strict] [--signatures] <limbo.json >result.json\n");
        return 2;
    }
    if (NSS_NoDB_Init(NULL) != SECSuccess)
        base_abort("NSS cannot be initialised");
    limbo = json_loadf(stdin, 0, &parse_error);
    if (limbo == NULL) {
        fprintf(stderr, "limbo-harness: line %d: %s\n", parse_error.line, parse_error.text);
        return 1;
    }
    results = json_array();
    json_array_foreach(json_object_get(limbo, "testcases"), index, testcase)
        json_array_append_new(results, run_case(testcase, &options));
    limbo = (json_decref(limbo), json_pack("{s:i, s:s, s:o}", "version", 1, "harness", "yett", "results", results));
    json_dumpf(limbo, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(limbo);
    if (NSS_Shutdown() != SECSuccess)
        base_abort("NSS references are still held");
    return 0;
}
