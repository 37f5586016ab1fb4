/* pkits-runner: answers NIST's Public Key Interoperability Test Suite.
 *
 * pkits-runner FOLDER: reads FOLDER/expected.json, certs/NAME.crt and crls/NAME.crl; writes one line for each test:
 * number, title, "expected" and "actual" as valid or invalid, and the error, separated by tabs. Where the test names
 * the policies that are valid and others are, "actual" says so. The leaf is used as a client's certificate of any
 * extended key usage, every CRL of the test is given, and hard revocation is asked for. */
#include "pkix/crl.h"
#include "pkix/pem.h"
#include "pkix/store.h"
#include "pkix/verify.h"

#include <jansson.h>
#include <nss.h>
#include <stdio.h>
#include <stdlib.h>

enum { CERTS_MAX = 16, POLICIES_MAX = 16 };

/* 2020-01-01T00:00:00Z: the suite's certificates live from 2010 to 2030. */
static const int64_t suite_time = 1577836800;

/* NIST's test policies 1 to 9 are 2.16.840.1.101.3.2.1.48.N. */
static const uint8_t policy_arc[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x02, 0x01, 0x30, 0x00};

static struct span read_file(const char *folder, const char *kind, const char *name, const char *ending)
{
    char *path = base_printf("%s/%s/%s.%s", folder, kind, name, ending), *error = NULL;
    uint8_t *data;
    size_t size;

    if (!pkix_file_read(path, &data, &size, &error))
        base_abort("%s", error);
    free(path);
    return span_of(data, size);
}

/* What a test asks of policies. */
struct policies {
    uint8_t bytes[POLICIES_MAX][sizeof(policy_arc)];
    struct span items[POLICIES_MAX];
    size_t count;
};

/* "NIST-test-policy-1,NIST-test-policy-2" */
static void read_policies(const char *set, struct policies *policies)
{
    unsigned number;
    int size;

    for (; set != NULL && *set != '\0'; set += set[size] == ',' ? size + 1 : size) {
        if (policies->count == POLICIES_MAX || sscanf(set, "NIST-test-policy-%u%n", &number, &size) != 1 || number > 9)
            base_abort("policies %s", set);
        memcpy(policies->bytes[policies->count], policy_arc, sizeof(policy_arc));
        policies->bytes[policies->count][sizeof(policy_arc) - 1] = (uint8_t)number;
        policies->items[policies->count] = span_of(policies->bytes[policies->count], sizeof(policy_arc));
        policies->count++;
    }
}

static bool is_asked(const json_t *test, const char *input)
{
    const char *value = json_string_value(json_object_get(test, input));

    return value != NULL && strcmp(value, "true") == 0;
}

/* Whether the policies that hold are those that the test names, where it does. */
static bool has_policies(const json_t *test, const struct pkix_verdict *verdict)
{
    const char *want = json_string_value(json_object_get(test, "UserConstrainedPolicySet"));
    char text[POLICIES_MAX * 32] = "";
    size_t size = 0;

    if (want == NULL)
        return true;
    for (size_t i = 0; i < pkix_verdict_policy_count(verdict); i++) {
        const char *oid = pkix_verdict_policy(verdict, i), *number = strrchr(oid, '.') + 1;

        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s%s", i == 0 ? "" : ",",
                                 strcmp(oid, "2.5.29.32.0") == 0 ? "anyPolicy" : "NIST-test-policy-",
                                 strcmp(oid, "2.5.29.32.0") == 0 ? "" : number);
        if (size >= sizeof(text))
            base_abort("too many policies");
    }
    return strcmp(text, want) == 0;
}

static enum pkix_error verify_test(const json_t *test, const char *folder, const char **actual, char **detail)
{
    const json_t *names = json_object_get(test, "certs"), *name;
    struct pkix_store *store = pkix_store_create();
    struct pkix_crl_set *crls = pkix_crl_set_create();
    struct span certs[CERTS_MAX] = {{.data = NULL}};
    struct policies policies = {.count = 0};
    size_t count = json_array_size(names), index;
    struct pkix_request request = {.purpose = PKIX_PURPOSE_CLIENT,
                                   .time = suite_time,
                                   .any_extended_key_usage = true,
                                   .revocation = PKIX_REVOCATION_HARD,
                                   .crls = crls};
    struct pkix_verdict *verdict = NULL;
    enum pkix_error result;
    char *error = NULL;

    if (count < 2 || count > CERTS_MAX)
        base_abort("%zu certificates", count);
    json_array_foreach((json_t *)(uintptr_t)names, index, name) certs[index] =
        read_file(folder, "certs", json_string_value(name), "crt");
    if (!pkix_store_add_anchor(store, certs[0], &error))
        base_abort("%s", error);
    json_array_foreach(json_object_get(test, "crls"), index, name)
    {
        struct span crl = read_file(folder, "crls", json_string_value(name), "crl");

        /* An unusable list is no statement. */
        if (!pkix_crl_set_add(crls, crl, "crl", &error)) {
            free(error);
            error = NULL;
        }
        free((void *)(uintptr_t)crl.data);
    }
    request.leaf = certs[count - 1];
    request.extras = certs + 1;
    request.extras_count = count - 2;
    read_policies(json_string_value(json_object_get(test, "InitialPolicySet")), &policies);
    request.policy = (struct pkix_policy_inputs){
        .policies = policies.items,
        .policy_count = policies.count,
        .explicit_policy = is_asked(test, "InitialExplicitPolicy"),
        .inhibit_policy_mapping = is_asked(test, "InitialPolicyMappingInhibit"),
        .inhibit_any_policy = is_asked(test, "InitialInhibitAnyPolicy"),
    };
    result = pkix_verify(store, &request, &verdict);
    *actual = result != PKIX_OK ? "invalid" : has_policies(test, verdict) ? "valid" : "valid, for other policies";
    *detail = base_strdup(pkix_verdict_detail(verdict));
    pkix_verdict_destroy(&verdict);
    for (size_t i = 0; i < count; i++)
        free((void *)(uintptr_t)certs[i].data);
    pkix_crl_set_destroy(&crls);
    pkix_store_destroy(&store);
    return result;
}

int main(int argc, char **argv)
{
    json_error_t parse_error;
    char *path;
    json_t *tests, *test;
    size_t index;

    if (argc != 2) {
        fprintf(stderr, "usage: pkits-runner FOLDER\n");
        return 2;
    }
    if (NSS_NoDB_Init(NULL) != SECSuccess)
        base_abort("NSS cannot be initialised");
    path = base_printf("%s/expected.json", argv[1]);
    tests = json_load_file(path, 0, &parse_error);
    free(path);
    if (tests == NULL) {
        fprintf(stderr, "pkits-runner: %s\n", parse_error.text);
        return 1;
    }
    json_array_foreach(tests, index, test)
    {
        char *detail = NULL;
        const char *actual = NULL;
        enum pkix_error result = verify_test(test, argv[1], &actual, &detail);

        printf("%s\t%s\t%s\t%s\t%s\t%s\n", json_string_value(json_object_get(test, "test")),
               json_string_value(json_object_get(test, "title")),
               json_is_true(json_object_get(test, "should_validate")) ? "valid" : "invalid", actual,
               pkix_error_name(result), detail);
        free(detail);
    }
    json_decref(tests);
    if (NSS_Shutdown() != SECSuccess)
        base_abort("NSS references are still held");
    return 0;
}
