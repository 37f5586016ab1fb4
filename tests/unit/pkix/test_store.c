/* Whom we trust: pkix/store.h, pkix/distrust.h, pkix/pem.h. */
#include "scene.h"
#include "pkix/distrust.h"
#include "pkix/dn.h"
#include "pkix/store_internal.h"
#include "pkix/nss_crypto.h"

#include <nssb64.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char *folder;

static int start(void **state)
{
    char template[] = "/tmp/yett-test-store-XXXXXX";

    if (builder_start(state) != 0 || mkdtemp(template) == NULL)
        return -1;
    folder = base_strdup(template);
    return 0;
}

static int stop(void **state)
{
    char *command = base_printf("rm -r '%s'", folder);
    int status = system(command);

    free(command);
    free(folder);
    return builder_stop(state) == 0 && status == 0 ? 0 : -1;
}

static char *write_file(const char *name, const char *text)
{
    char *path = base_printf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static char *pem_of(struct span der)
{
    SECItem item = {siBuffer, (unsigned char *)(uintptr_t)der.data, (unsigned)der.size};
    char *base64 = NSSBase64_EncodeItem(NULL, NULL, 0, &item), *text;

    text = base_printf("a comment\n-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", base64);
    PORT_Free(base64);
    return text;
}

static struct span root(const char *name)
{
    struct cert_spec spec = builder_authority(name, 0, name, 0);

    return builder_cert(&spec);
}

static void add_anchors_path_reads_every_certificate_of_a_file(void **state)
{
    char *one = pem_of(root("one")), *two = pem_of(root("two")), *both = base_printf("%s%s%s", one, two, one);
    char *path = write_file("both.pem", both), *error = NULL;
    struct pkix_store *store = pkix_store_create();

    (void)state;
    assert_true(pkix_store_add_anchors_path(store, path, NULL, NULL, &error));
    assert_int_equal(pkix_store_anchor_count(store), 2); /* the same one twice is one */
    free(path);
    path = write_file("dir.txt", "not looked at");
    assert_true(pkix_store_add_anchors_path(store, folder, NULL, NULL, &error));
    assert_int_equal(pkix_store_anchor_count(store), 2);
    pkix_store_destroy(&store);
    unlink(path);
    free(path);
    path = base_printf("%s/both.pem", folder);
    unlink(path);
    free(path);
    free(both);
    free(two);
    free(one);
}

static void add_anchors_path_says_what_is_wrong(void **state)
{
    const struct {
        const char *text, *want;
    } table[] = {
        {"", "no PEM block"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n", "bad.pem:1: the block \"CERTIFICATE\" has no END line"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
         "bad.pem:1: certificate 1: not a usable certificate"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct pkix_store *store = pkix_store_create();
        char *path = write_file("bad.pem", table[i].text), *error = NULL;

        assert_false(pkix_store_add_anchors_path(store, path, NULL, NULL, &error));
        if (strstr(error, table[i].want) == NULL || strstr(error, "bad.pem") == NULL)
            fail_msg("%s", error);
        free(error);
        unlink(path);
        free(path);
        pkix_store_destroy(&store);
    }
    {
        struct pkix_store *store = pkix_store_create();
        char *error = NULL;

        assert_false(pkix_store_add_anchors_path(store, "/nonexistent/file.pem", NULL, NULL, &error));
        assert_non_null(strstr(error, "/nonexistent/file.pem: cannot be opened"));
        free(error);
        pkix_store_destroy(&store);
    }
}

static void note_left_out(void *ctx, const char *sentence)
{
    char **all = ctx, *longer = base_printf("%s%s\n", *all, sentence);

    free(*all);
    *all = longer;
}

static void add_anchors_path_leaves_bad_ones_out(void **state)
{
    struct cert_spec weak = builder_authority("weak", 0, "weak", 0);
    char *good = pem_of(root("good")), *other = pem_of(root("other")), *bad, *text, *path, *told = base_strdup("");
    char *large = base_alloc(100000), *error = NULL;
    struct pkix_store *store = pkix_store_create();
    struct pkix_store *none = pkix_store_create();

    (void)state;
    weak.version = 9;
    bad = pem_of(builder_cert(&weak));
    memset(large, 'A', 99996);
    text = base_printf("%s# the bad one\n%s%s-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", good, bad,
                       other, large);
    path = write_file("bundle.pem", text);
    assert_true(pkix_store_add_anchors_path(store, path, note_left_out, &told, &error));
    assert_int_equal(pkix_store_anchor_count(store), 2);
    if (strstr(told, "certificate 2: ") == NULL || strstr(told, "not a usable certificate") == NULL ||
        strstr(told, "certificate 4: has 74997 bytes; a certificate may have 65535") == NULL)
        fail_msg("%s", told);
    assert_false(pkix_store_add_anchors_path(none, path, NULL, NULL, &error));
    assert_non_null(strstr(error, "certificate 2"));
    free(error);
    free(path);

    path = write_file("bundle.pem", bad);
    assert_false(pkix_store_add_anchors_path(none, path, note_left_out, &told, &error));
    if (strstr(error, "bundle.pem:2: certificate 1") == NULL)
        fail_msg("%s", error);
    free(error);
    free(text);
    free(path);
    text = base_printf("%s%s", bad, bad);
    path = write_file("bundle.pem", text);
    assert_false(pkix_store_add_anchors_path(none, path, note_left_out, &told, &error));
    assert_non_null(strstr(error, "none of its 2 certificates can be used"));
    free(error);
    unlink(path);
    free(path);
    free(text);
    free(told);
    free(large);
    free(bad);
    free(other);
    free(good);
    pkix_store_destroy(&store);
    pkix_store_destroy(&none);
}

static void add_anchor_refuses_a_key_that_could_never_verify(void **state)
{
    struct cert_spec spec = builder_authority("weak", 0, "weak", 0);
    struct pkix_store *store = pkix_store_create();
    char *error = NULL;

    (void)state;
    spec.spki = builder_rsa_spki(1024);
    assert_false(pkix_store_add_anchor(store, builder_cert(&spec), &error));
    assert_non_null(strstr(error, "CN=weak: public key"));
    free(error);
    pkix_store_destroy(&store);
}

static void anchors_are_found_among_many(void **state)
{
    struct pkix_store *store = pkix_store_create();
    char name[32], *error = NULL;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "root %u", i);
        assert_true(pkix_store_add_anchor(store, root(name), &error));
    }
    assert_int_equal(pkix_store_anchor_count(store), 100);
    for (size_t i = 0; i < 100; i++) {
        const struct pkix_store_entry *entry = store->anchors.entries[i];

        assert_ptr_equal(pkix_store_find_same(&store->anchors, &entry->cert), entry);
        assert_true(span_equal(pkix_store_anchor_subject(store, i), entry->cert.subject));
    }
    pkix_store_destroy(&store);
}

/* TrustCor, Entrust: leaves issued one second before and after. */
static int64_t distrust_date;

static void set_distrust_date(struct pkix_store *store)
{
    store->anchors.entries[0]->distrust_after = distrust_date;
}

static void distrust_after_compares_with_the_leafs_first_day(void **state)
{
    struct cert_spec leaf = builder_server("a.example.com", 2, "root", 0);
    struct scene scene = scene_server(builder_cert(&leaf), "a.example.com", root("root"));

    (void)state;
    scene.prepare = set_distrust_date;
    distrust_date = leaf.not_before;
    assert_verdict(&scene, PKIX_OK);
    distrust_date = leaf.not_before - 1;
    assert_verdict(&scene, PKIX_DISTRUSTED_AFTER);
}

static void set_for_servers_only(struct pkix_store *store)
{
    store->anchors.entries[0]->purposes = PKIX_FOR_SERVER;
}

static void an_anchor_for_servers_says_nothing_about_clients(void **state)
{
    struct cert_spec client = builder_client("alice", 2, "root", 0), server = builder_server("a.b", 2, "root", 0);
    struct scene scene = scene_client(builder_cert(&client), root("root"));

    (void)state;
    scene.prepare = set_for_servers_only;
    assert_verdict(&scene, PKIX_UNKNOWN_ISSUER);
    scene = scene_server(builder_cert(&server), "a.b", root("root"));
    scene.prepare = set_for_servers_only;
    assert_verdict(&scene, PKIX_OK);
}

static void impose_constraints(struct pkix_store *store)
{
    struct span value = builder_constraints(builder_general_name(0x82, "gov.example"), span_of(NULL, 0));
    struct pkix_store_entry *entry = store->anchors.entries[0];

    entry->imposed_constraints = base_memdup(value.data, value.size);
    entry->imposed_constraints_size = value.size;
}

static void imposed_constraints_bind_as_own_ones_do(void **state)
{
    struct cert_spec leaf = builder_server("a.example.com", 2, "root", 0);
    struct scene scene = scene_server(builder_cert(&leaf), "a.example.com", root("root"));

    (void)state;
    scene.prepare = impose_constraints;
    assert_verdict(&scene, PKIX_NAME_CONSTRAINT_VIOLATION);
    leaf = builder_server("a.gov.example", 2, "root", 0);
    scene = scene_server(builder_cert(&leaf), "a.gov.example", root("root"));
    scene.prepare = impose_constraints;
    assert_verdict(&scene, PKIX_OK);
}

static void distrust_file_sets_dates_and_says_what_is_wrong(void **state)
{
    struct span der = root("root");
    struct pkix_store *store = pkix_store_create();
    uint8_t digest[32];
    char hex[65], *text, *path, *error = NULL;
    const char *const wrong[] = {"abc 2024-01-01", "%s",      "%s 2024-13-01",
                                 "%s 2024-+1-01",  "%s soon", "%s 2024-01-01 more"};

    (void)state;
    assert_true(pkix_nss_digest(PKIX_SHA256, der, digest));
    for (unsigned i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02X", digest[i]);
    assert_true(pkix_store_add_anchor(store, der, &error));
    text = base_printf("# comment\n\n%s\t2024-11-30 # reason\r\n", hex);
    path = write_file("distrust", text);
    assert_true(pkix_store_add_distrust_path(store, path, &error));
    assert_int_equal(store->anchors.entries[0]->distrust_after, 1733011199); /* 2024-11-30T23:59:59Z */
    free(text);
    free(path);
    text = base_printf("%s never", hex);
    path = write_file("distrust", text);
    assert_int_equal(store->distrust_count, 0);
    assert_true(pkix_store_add_distrust_path(store, path, &error));
    assert_true(pkix_store_distrusts(store, &store->anchors.entries[0]->cert));
    free(text);
    free(path);
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        char line[200];
        const char *mark = strstr(wrong[i], "%s");

        snprintf(line, sizeof(line), "\n%s%s\n", mark == NULL ? "" : hex, mark == NULL ? wrong[i] : mark + 2);
        path = write_file("distrust", line);
        assert_false(pkix_store_add_distrust_path(store, path, &error));
        assert_non_null(strstr(error, "distrust:2: "));
        free(error);
        error = NULL;
        unlink(path);
        free(path);
    }
    pkix_store_destroy(&store);
}

static void database_without_certificates_adds_nothing(void **state)
{
    struct pkix_store *store = pkix_store_create();
    char *error = NULL;

    (void)state;
    assert_true(pkix_store_add_database(store, &error));
    assert_int_equal(pkix_store_anchor_count(store), 0);
    pkix_store_destroy(&store);
}

static void add_authority_leaves_out_who_is_none(void **state)
{
    const struct {
        const char *issuer;
        enum builder_ca ca;
        int version;
        bool want;
    } table[] = {
        {"me", BUILDER_CA, 2, true},
        {"other", BUILDER_CA, 2, true},
        {"me", BUILDER_NOT_CA, 2, false},
        {"other", BUILDER_NOT_CA, 2, false},
        {"me", BUILDER_NO_CONSTRAINTS, 2, false},
        {"me", BUILDER_NO_CONSTRAINTS, 0, true}, /* version 1 cannot say more */
        {"other", BUILDER_NO_CONSTRAINTS, 0, false},
    };
    struct pkix_store *store = pkix_store_create();
    char *error = NULL;
    bool is_authority = true;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        struct cert_spec spec = builder_authority("me", 0, table[i].issuer, 0);
        size_t before = pkix_store_anchor_count(store);

        spec.ca = table[i].ca;
        spec.version = table[i].version;
        if (spec.version == 0)
            spec.key_usage = -1;
        if (!pkix_store_add_authority(store, builder_cert(&spec), "token", &is_authority, &error))
            fail_msg("row %u: %s", i, error);
        if (is_authority != table[i].want || pkix_store_anchor_count(store) != before + table[i].want)
            fail_msg("row %u: %s an authority", i, is_authority ? "is" : "is not");
    }
    assert_false(pkix_store_add_authority(store, span_of_string("0"), "token", &is_authority, &error));
    assert_false(is_authority);
    assert_non_null(strstr(error, "token: not a usable certificate"));
    free(error);
    pkix_store_destroy(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_anchors_path_reads_every_certificate_of_a_file),
        cmocka_unit_test(add_anchors_path_says_what_is_wrong),
        cmocka_unit_test(add_anchors_path_leaves_bad_ones_out),
        cmocka_unit_test(add_anchor_refuses_a_key_that_could_never_verify),
        cmocka_unit_test(add_authority_leaves_out_who_is_none),
        cmocka_unit_test(anchors_are_found_among_many),
        cmocka_unit_test(distrust_after_compares_with_the_leafs_first_day),
        cmocka_unit_test(an_anchor_for_servers_says_nothing_about_clients),
        cmocka_unit_test(imposed_constraints_bind_as_own_ones_do),
        cmocka_unit_test(distrust_file_sets_dates_and_says_what_is_wrong),
        cmocka_unit_test(database_without_certificates_adds_nothing),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
