/* see tls/manage/database.h */
#include "database_folder.h"
#include "tls/manage/database.h"
#include "base/nss_scope.h"
#include "tls/manage/database_internal.h"
#include "tls/manage/issue.h"
#include "tls/pem.h"
#include "tls/runtime.h"

#include <pk11pub.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void prepare_makes_a_private_folder(void **state)
{
    char *path = base_printf("%s/new", database_folder), *database = base_printf("sql:%s", path), *error = NULL;
    struct stat info;
    bool made;

    (void)state;
    assert_false(tls_database_prepare(database, TLS_DATABASE_EXISTING, &made, &error));
    assert_non_null(strstr(error, "No such file"));
    free(error);
    error = NULL;
    umask(0);
    assert_true(tls_database_prepare(database, TLS_DATABASE_CREATE, &made, &error));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    assert_true(tls_database_prepare(database, TLS_DATABASE_CREATE, &made, &error));

    assert_false(made);

    assert_int_equal(chmod(path, 0770), 0);
    assert_false(tls_database_prepare(database, TLS_DATABASE_EXISTING, &made, &error));
    assert_non_null(strstr(error, "others may write"));
    free(error);
    rmdir(path);
    free(path);
    free(database);
}

static void prepare_refuses_other_spellings(void **state)
{
    static const char *const cases[] = {"/tmp", "dbm:/tmp", "sql:", "", "sql:/dev/null"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *error = NULL;
        bool made;

        assert_false(tls_database_prepare(cases[i], TLS_DATABASE_CREATE, &made, &error));
        assert_non_null(error);
        free(error);
    }
}

static void sha256_parse_takes_what_people_write(void **state)
{
    static const struct {
        const char *text;
        bool want;
    } cases[] = {
        {"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", true},
        {"00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF", true},
        {"00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF", true},
        {"00112233445566778899aabbccddeeff00112233445566778899aabbccddeef", false},
        {"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff0", false},
        {"00112233445566778899aabbccddeeff00112233445566778899aabbccddeefg", false},
        {"0:0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[65];

        assert_int_equal(tls_database_sha256_parse(cases[i].text, got), cases[i].want);
        if (cases[i].want)
            assert_string_equal(got, cases[0].text);
    }
}

/* Two certificates with one subject share an NSS nickname; by fingerprint each is found. */
static void find_tells_equal_subjects_apart(void **state)
{
    struct tls_issued a = database_folder_issue("CN=same", TLS_ISSUE_CLIENT, TLS_KEY_P256);
    struct tls_issued b = database_folder_issue("CN=same", TLS_ISSUE_CLIENT, TLS_KEY_RSA_2048);
    struct tls_database_entry x, y;
    char *error = NULL;

    (void)state;
    assert_true(tls_database_find(a.sha256, &x, &error));
    assert_true(tls_database_find(b.sha256, &y, &error));
    assert_string_equal(x.key, "P-256");
    assert_string_equal(y.key, "RSA-2048");
    assert_true(x.has_key);
    assert_true(y.has_key);
    assert_int_equal(x.size, a.size);
    assert_memory_equal(x.der, a.der, a.size);
    tls_database_entry_clear(&x);
    tls_database_entry_clear(&y);
    database_folder_delete(a.sha256);
    assert_false(tls_database_find(a.sha256, &x, &error));
    free(error);
    assert_true(tls_database_find(b.sha256, &y, &error));
    assert_true(y.has_key);
    tls_database_entry_clear(&y);
    database_folder_delete(b.sha256);
    tls_issued_clear(&a);
    tls_issued_clear(&b);
}

static void list_is_sorted_by_subject(void **state)
{
    struct tls_issued b = database_folder_issue("CN=b", TLS_ISSUE_CLIENT, TLS_KEY_P256);
    struct tls_issued a = database_folder_issue("CN=a", TLS_ISSUE_CA, TLS_KEY_P256);
    struct tls_database_list list;
    char *error = NULL;

    (void)state;
    assert_true(tls_database_list(&list, &error));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.entries[0].sha256, a.sha256);
    assert_string_equal(list.entries[1].sha256, b.sha256);
    assert_true(list.entries[0].is_ca);
    tls_database_list_clear(&list);
    database_folder_delete(a.sha256);
    database_folder_delete(b.sha256);
    assert_int_equal(database_folder_count(), 0);
    tls_issued_clear(&a);
    tls_issued_clear(&b);
}

static void entry_text_tells_everything_and_nothing_unsafe(void **state)
{
    struct tls_issued issued = database_folder_issue("CN=a\\1Bb\xc3\xa9,O=x", TLS_ISSUE_CLIENT, TLS_KEY_P256);
    struct tls_database_entry entry;
    char *error = NULL, *text;

    (void)state;
    assert_true(tls_database_find(issued.sha256, &entry, &error));
    text = tls_database_entry_text(&entry);
    assert_null(strchr(text, 0x1b));
    assert_non_null(strstr(text, "\xc3\xa9"));
    assert_non_null(strstr(text, "valid        2025-06-15T14:06:40Z to 2026-06-15T15:06:40Z"));
    assert_non_null(strstr(text, "private key in the database"));
    assert_non_null(strstr(text, issued.sha256));
    free(text);
    tls_database_entry_clear(&entry);
    database_folder_delete(issued.sha256);
    tls_issued_clear(&issued);
}

static void set_trust_sets_and_takes_away(void **state)
{
    static const unsigned trusts[] = {TLS_DATABASE_TRUST_SERVER, TLS_DATABASE_TRUST_CLIENT,
                                      TLS_DATABASE_TRUST_SERVER | TLS_DATABASE_TRUST_CLIENT, TLS_DATABASE_TRUST_NONE};
    struct tls_issued ca = database_folder_issue("CN=ca", TLS_ISSUE_CA, TLS_KEY_P256);
    struct tls_issued leaf = database_folder_issue("CN=leaf", TLS_ISSUE_CLIENT, TLS_KEY_P256);
    char *error = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(trusts); i++) {
        struct tls_database_entry entry;

        assert_true(tls_database_set_trust(ca.sha256, trusts[i], &error));
        assert_true(tls_database_find(ca.sha256, &entry, &error));
        assert_int_equal(entry.trust, trusts[i]);
        tls_database_entry_clear(&entry);
    }
    assert_false(tls_database_set_trust(leaf.sha256, TLS_DATABASE_TRUST_SERVER, &error));
    assert_non_null(strstr(error, "only the certificate of an authority"));
    free(error);
    database_folder_delete(ca.sha256);
    database_folder_delete(leaf.sha256);
    tls_issued_clear(&ca);
    tls_issued_clear(&leaf);
}

static void delete_keeps_no_key_that_nothing_leads_to(void **state)
{
    struct tls_issued issued = database_folder_issue("CN=gone", TLS_ISSUE_CLIENT, TLS_KEY_P256);
    struct tls_database_entry entry;
    char *error = NULL, again[65];
    uint8_t *der;
    size_t size;

    (void)state;
    assert_true(tls_database_export_key(issued.sha256, &der, &size, &error));
    assert_false(tls_database_delete(issued.sha256, TLS_DATABASE_KEEP_KEY, &error));
    assert_non_null(strstr(error, "has a private key"));
    free(error);
    error = NULL;
    assert_int_equal(database_folder_count(), 1);
    database_folder_delete(issued.sha256);
    assert_int_equal(database_folder_count(), 0);

    /* The certificate comes back alone: the key is gone. */
    assert_true(tls_database_import_cert(span_of(issued.der, issued.size), again, &(unsigned){0}, &error));
    assert_true(tls_database_find(again, &entry, &error));
    assert_false(entry.has_key);
    tls_database_entry_clear(&entry);
    assert_true(tls_database_delete(again, TLS_DATABASE_KEEP_KEY, &error));
    assert_false(tls_database_delete(again, TLS_DATABASE_KEEP_KEY, &error));
    free(error);
    free(der);
    tls_issued_clear(&issued);
}

/* A renewed certificate has the same key: deleting the old one leaves the key to the new one. */
static void delete_leaves_a_shared_key(void **state)
{
    char old[65], renewed[65], *error = NULL;
    struct tls_database_entry entry;
    struct tls_pem key;

    (void)state;
    database_folder_shell("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem");
    database_folder_shell("openssl req -x509 -new -key key.pem -subj /CN=renewed -days 10 -out old.pem");
    database_folder_shell("openssl req -x509 -new -key key.pem -subj /CN=renewed -days 20 -out new.pem");
    database_folder_import("old.pem", old);
    database_folder_import("new.pem", renewed);
    key = database_folder_pem("key.pem");
    assert_true(
        tls_database_import_key("PRIVATE KEY", database_folder_block(&key, 0), (char[65]){0}, &(unsigned){0}, &error));
    tls_pem_clear(&key);
    assert_true(tls_database_delete(old, TLS_DATABASE_DELETE_KEY, &error));
    assert_true(tls_database_find(renewed, &entry, &error));
    assert_true(entry.has_key);
    tls_database_entry_clear(&entry);
    database_folder_delete(renewed);
    database_folder_shell("rm key.pem old.pem new.pem");
}

static void describe_reads_a_certificate_of_elsewhere(void **state)
{
    struct tls_database_entry entry;
    struct tls_pem pem;
    char *error = NULL;

    (void)state;
    database_folder_shell("openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -subj /CN=elsewhere -addext "
                          "subjectAltName=DNS:a.example.org,IP:10.0.0.1 -out cert.pem");
    pem = database_folder_pem("cert.pem");
    assert_true(tls_database_describe(database_folder_block(&pem, 0), &entry, &error));
    assert_string_equal(entry.subject, "CN=elsewhere");
    assert_string_equal(entry.sans, "dns:a.example.org ip:10.0.0.1");
    assert_false(entry.has_key);
    assert_int_equal(database_folder_count(), 0);
    tls_database_entry_clear(&entry);
    tls_pem_clear(&pem);
    assert_false(tls_database_describe(span_of_string("x"), &entry, &error));
    free(error);
    database_folder_shell("rm key.pem cert.pem");
}

static void unlock_minds_the_password(void **state)
{
    char *database = base_printf("sql:%s", database_folder), *error = NULL;

    (void)state;
    assert_false(tls_database_unlock("none is set", &error));
    assert_non_null(strstr(error, "has no password"));
    free(error);
    error = NULL;

    /* A second, new database, with a password from its first day. */
    assert_true(tls_runtime_stop(&error));
    database_folder_shell("mkdir -m 700 locked");
    free(database);
    database = base_printf("sql:%s/locked", database_folder);
    for (int round = 0; round < 2; round++) {
        const struct tls_runtime_options locked = {.database = database, .database_writable = true};
        struct tls_issued issued;

        assert_true(tls_runtime_start(&locked, &error));
        if (round == 1) {
            assert_false(tls_database_unlock(NULL, &error));
            assert_non_null(strstr(error, "has a password"));
            free(error);
            error = NULL;
            assert_false(tls_database_unlock("wrong", &error));
            assert_non_null(strstr(error, "is not right"));
            free(error);
            error = NULL;
        }
        assert_true(tls_database_unlock("open sesame", &error));
        issued = database_folder_issue("CN=locked", TLS_ISSUE_CLIENT, TLS_KEY_P256);
        tls_issued_clear(&issued);
        if (!tls_runtime_stop(&error))
            fail_msg("%s", error);
    }
    free(database);
    database = base_printf("sql:%s", database_folder);
    assert_true(
        tls_runtime_start(&(struct tls_runtime_options){.database = database, .database_writable = true}, &error));
    assert_true(tls_database_unlock(NULL, &error));
    free(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prepare_makes_a_private_folder),
        cmocka_unit_test(prepare_refuses_other_spellings),
        cmocka_unit_test(sha256_parse_takes_what_people_write),
        cmocka_unit_test(find_tells_equal_subjects_apart),
        cmocka_unit_test(list_is_sorted_by_subject),
        cmocka_unit_test(entry_text_tells_everything_and_nothing_unsafe),
        cmocka_unit_test(set_trust_sets_and_takes_away),
        cmocka_unit_test(delete_keeps_no_key_that_nothing_leads_to),
        cmocka_unit_test(delete_leaves_a_shared_key),
        cmocka_unit_test(describe_reads_a_certificate_of_elsewhere),
        cmocka_unit_test(unlock_minds_the_password),
    };

    return cmocka_run_group_tests(tests, database_folder_start, database_folder_stop);
}
