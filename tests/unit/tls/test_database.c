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

enum { NOW = 1750000000 };

/* In `database_folder`; must succeed. */
static void shell(const char *command)
{
    char *line = base_printf("cd %s && { %s; } 2>/dev/null", database_folder, command);

    if (system(line) != 0)
        fail_msg("%s", line);
    free(line);
}

static struct tls_pem read_pem(const char *name)
{
    char *path = base_printf("%s/%s", database_folder, name), *error = NULL;
    struct tls_pem pem;

    if (!tls_pem_read_file(path, &tls_pem_identity, BASE_FILE_ANY, &pem, &error))
        fail_msg("%s", error);
    free(path);
    return pem;
}

static struct span block_span(const struct tls_pem *pem, size_t index)
{
    assert_true(index < pem->count);
    return span_of(pem->blocks[index].der, pem->blocks[index].size);
}

static void import_cert(const char *name, char sha256[65])
{
    struct tls_pem pem = read_pem(name);
    char *error = NULL;

    if (!tls_database_import_cert(block_span(&pem, 0), sha256, &(unsigned){0}, &error))
        fail_msg("%s", error);
    tls_pem_clear(&pem);
}

static size_t cert_count(void)
{
    struct tls_database_list list;
    char *error = NULL;
    size_t count;

    assert_true(tls_database_list(&list, &error));
    count = list.count;
    tls_database_list_clear(&list);
    return count;
}

static void delete_cert(const char *sha256)
{
    char *error = NULL;

    if (!tls_database_delete(sha256, TLS_DATABASE_DELETE_KEY, &error))
        fail_msg("%s", error);
}

static struct tls_issued issue(const char *subject, unsigned use, enum tls_key_type type)
{
    struct tls_issued issued;
    char *error = NULL;

    if (!tls_issue(&(struct tls_issue_options){.subject = subject, .use = use, .key_type = type, .now = NOW}, &issued,
                   &error))
        fail_msg("%s", error);
    return issued;
}

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
    struct tls_issued a = issue("CN=same", TLS_ISSUE_CLIENT, TLS_KEY_P256);
    struct tls_issued b = issue("CN=same", TLS_ISSUE_CLIENT, TLS_KEY_RSA_2048);
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
    delete_cert(a.sha256);
    assert_false(tls_database_find(a.sha256, &x, &error));
    free(error);
    assert_true(tls_database_find(b.sha256, &y, &error));
    assert_true(y.has_key);
    tls_database_entry_clear(&y);
    delete_cert(b.sha256);
    tls_issued_clear(&a);
    tls_issued_clear(&b);
}

static void list_is_sorted_by_subject(void **state)
{
    struct tls_issued b = issue("CN=b", TLS_ISSUE_CLIENT, TLS_KEY_P256);
    struct tls_issued a = issue("CN=a", TLS_ISSUE_CA, TLS_KEY_P256);
    struct tls_database_list list;
    char *error = NULL;

    (void)state;
    assert_true(tls_database_list(&list, &error));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.entries[0].sha256, a.sha256);
    assert_string_equal(list.entries[1].sha256, b.sha256);
    assert_true(list.entries[0].is_ca);
    tls_database_list_clear(&list);
    delete_cert(a.sha256);
    delete_cert(b.sha256);
    assert_int_equal(cert_count(), 0);
    tls_issued_clear(&a);
    tls_issued_clear(&b);
}

static void entry_text_tells_everything_and_nothing_unsafe(void **state)
{
    struct tls_issued issued = issue("CN=a\\1Bb\xc3\xa9,O=x", TLS_ISSUE_CLIENT, TLS_KEY_P256);
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
    delete_cert(issued.sha256);
    tls_issued_clear(&issued);
}

/* Keys as OpenSSL writes them, in each form and kind, go in with their certificate and come out the same. */
static void keys_go_in_and_out(void **state)
{
    static const struct {
        const char *make; /* key.pem in the form to import, reference.pem as PKCS#8 */
        const char *label;
    } cases[] = {
        {"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem", "PRIVATE KEY"},
        {"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out key.pem", "PRIVATE KEY"},
        {"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out key.pem", "PRIVATE KEY"},
        {"openssl ecparam -name prime256v1 -genkey -noout -out key.pem", "EC PRIVATE KEY"},
        {"openssl ecparam -name secp384r1 -genkey -noout -out key.pem", "EC PRIVATE KEY"},
        {"openssl ecparam -name secp521r1 -genkey -noout -out key.pem", "EC PRIVATE KEY"},
        {"openssl genrsa -out key.pem 2048", "PRIVATE KEY"},
        {"openssl genrsa -traditional -out key.pem 2048", "RSA PRIVATE KEY"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char sha256[65], again[65], *error = NULL, *path, *text;
        struct tls_pem key;
        struct tls_database_entry entry;
        uint8_t *der;
        size_t size;

        shell(cases[i].make);
        shell("openssl req -x509 -new -key key.pem -subj /CN=imported -days 10 -out cert.pem");
        key = read_pem("key.pem");
        assert_int_equal(key.count, 1);
        assert_string_equal(key.blocks[0].label, cases[i].label);

        assert_false(tls_database_import_key(cases[i].label, block_span(&key, 0), again, &(unsigned){0}, &error));
        assert_non_null(strstr(error, "belongs to no certificate"));
        free(error);
        error = NULL;

        import_cert("cert.pem", sha256);
        assert_false(tls_database_export_key(sha256, &der, &size, &error));
        assert_non_null(strstr(error, "not in the database"));
        free(error);
        error = NULL;

        for (int twice = 0; twice < 2; twice++) {
            if (!tls_database_import_key(cases[i].label, block_span(&key, 0), again, &(unsigned){0}, &error))
                fail_msg("%s: %s", cases[i].make, error);
            assert_string_equal(again, sha256);
        }
        tls_pem_clear(&key);
        assert_true(tls_database_find(sha256, &entry, &error));
        assert_true(entry.has_key);
        tls_database_entry_clear(&entry);

        if (!tls_database_export_key(sha256, &der, &size, &error))
            fail_msg("%s: %s", cases[i].make, error);
        text = base_pem_encode("PRIVATE KEY", span_of(der, size));
        path = base_printf("%s/out.pem", database_folder);
        assert_true(base_file_write_secret(path, span_of_string(text), &error));
        shell(
            "openssl pkey -in key.pem -outform DER -out a && openssl pkey -in out.pem -outform DER -out b && cmp a b");
        shell("rm -f a b key.pem cert.pem out.pem");
        free(path);
        free(text);
        free(der);
        delete_cert(sha256);
        assert_int_equal(cert_count(), 0);
    }
}

static void keys_made_here_come_out(void **state)
{
    static const enum tls_key_type types[] = {TLS_KEY_P256, TLS_KEY_P384, TLS_KEY_RSA_2048};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct tls_issued issued = issue("CN=out", TLS_ISSUE_CLIENT, types[i]);
        char *path = base_printf("%s/out.pem", database_folder),
             *cert_path = base_printf("%s/cert.pem", database_folder);
        char *error = NULL, *text, *cert;
        uint8_t *der;
        size_t size;

        assert_true(tls_database_export_key(issued.sha256, &der, &size, &error));
        text = base_pem_encode("PRIVATE KEY", span_of(der, size));
        cert = base_pem_encode("CERTIFICATE", span_of(issued.der, issued.size));
        assert_true(base_file_write_secret(path, span_of_string(text), &error));
        assert_true(base_file_write_public(cert_path, span_of_string(cert), &error));
        shell("openssl pkey -in out.pem -pubout -out a && openssl x509 -in cert.pem -noout -pubkey -out b && cmp a b");
        shell("rm -f a b cert.pem out.pem");
        free(path);
        free(cert_path);
        free(text);
        free(cert);
        free(der);
        delete_cert(issued.sha256);
        tls_issued_clear(&issued);
    }
}

/* Once set, the attribute stays: nobody can take it back. */
static void key_that_may_not_leave_is_refused_by_name(void **state)
{
    struct tls_issued issued = issue("CN=stays", TLS_ISSUE_CLIENT, TLS_KEY_P256);
    CK_BBOOL no = CK_FALSE;
    SECItem value = {siBuffer, &no, sizeof(no)};
    char *error = NULL;
    uint8_t *der;
    size_t size;

    (void)state;
    {
        SCOPED_CERT cert = tls_database_cert(issued.sha256, &error);
        SCOPED_PRIVATE_KEY key = PK11_FindKeyByAnyCert(cert, NULL);

        assert_non_null(key);
        assert_int_equal(PK11_WriteRawAttribute(PK11_TypePrivKey, key, CKA_EXTRACTABLE, &value), SECSuccess);
    }
    assert_false(tls_database_export_key(issued.sha256, &der, &size, &error));
    assert_non_null(strstr(error, "CKA_EXTRACTABLE"));
    free(error);
    error = NULL;
    assert_false(tls_database_export_pkcs12(issued.sha256, "secret", &der, &size, &error));
    assert_non_null(strstr(error, "CKA_EXTRACTABLE"));
    assert_null(der);
    free(error);
    delete_cert(issued.sha256);
    tls_issued_clear(&issued);
}

static void import_key_refuses_what_is_no_key(void **state)
{
    static const struct {
        const char *label, *bytes;
    } cases[] = {
        {"PRIVATE KEY", "junk"},       {"EC PRIVATE KEY", "junk"},          {"RSA PRIVATE KEY", "junk"},
        {"DSA PRIVATE KEY", "\x30\0"}, {"ENCRYPTED PRIVATE KEY", "\x30\0"}, {"PRIVATE KEY", ""},
    };
    struct tls_issued issued = issue("CN=other", TLS_ISSUE_CLIENT, TLS_KEY_P256);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char sha256[65], *error = NULL;

        assert_false(
            tls_database_import_key(cases[i].label, span_of_string(cases[i].bytes), sha256, &(unsigned){0}, &error));
        assert_non_null(error);
        free(error);
    }
    delete_cert(issued.sha256);
    tls_issued_clear(&issued);
}

static void import_cert_twice_is_once(void **state)
{
    char first[65], second[65], *error = NULL;

    (void)state;
    shell("openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -subj /CN=twice -out cert.pem");
    import_cert("cert.pem", first);
    import_cert("cert.pem", second);
    assert_string_equal(first, second);
    assert_int_equal(cert_count(), 1);
    assert_false(tls_database_import_cert(span_of_string("junk"), second, &(unsigned){0}, &error));
    assert_non_null(strstr(error, "not a certificate"));
    free(error);
    delete_cert(first);
    shell("rm key.pem cert.pem");
}

static void import_pkcs12_of_each_age(void **state)
{
    static const char *const exports[] = {"", "-legacy", "-keypbe AES-128-CBC -certpbe AES-128-CBC -macalg sha1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(exports); i++) {
        char *path = base_printf("%s/all.p12", database_folder), *error = NULL, *command;
        struct tls_database_list list;
        uint8_t *data;
        size_t size, count;

        shell("openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj /CN=p12-ca -out ca.pem");
        shell("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj /CN=p12-leaf "
              "-out csr && openssl x509 -req -in csr -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem");
        command = base_printf("openssl pkcs12 -export %s -in cert.pem -inkey key.pem -certfile ca.pem -name friendly "
                              "-passout 'pass:gehe\xc3\xafm' -out all.p12",
                              exports[i]);
        shell(command);
        free(command);
        assert_true(base_file_read(path, BASE_FILE_ANY, 65536, &data, &size, NULL, &error));

        assert_false(tls_database_import_pkcs12(span_of(data, size), "wrong", &count, &error));
        assert_non_null(strstr(error, "its password is another"));
        free(error);
        error = NULL;
        assert_int_equal(cert_count(), 0);

        for (int twice = 0; twice < 2; twice++) {
            if (!tls_database_import_pkcs12(span_of(data, size), "gehe\xc3\xafm", &count, &error))
                fail_msg("%s: %s", exports[i], error);
            assert_int_equal(count, 2);
            assert_true(tls_database_list(&list, &error));
            assert_int_equal(list.count, 2);
            assert_string_equal(list.entries[0].subject, "CN=p12-ca");
            assert_false(list.entries[0].has_key);
            assert_int_equal(list.entries[0].trust, TLS_DATABASE_TRUST_NONE);
            assert_string_equal(list.entries[1].subject, "CN=p12-leaf");
            assert_true(list.entries[1].has_key);
            if (twice == 1)
                for (size_t e = 0; e < list.count; e++)
                    delete_cert(list.entries[e].sha256);
            tls_database_list_clear(&list);
        }
        assert_false(tls_database_import_pkcs12(span_of(data, size / 2), "gehe\xc3\xafm", &count, &error));
        assert_non_null(strstr(error, "not a whole PKCS#12 file"));
        free(error);
        free(data);
        free(path);
        shell("rm *.pem *.key csr all.p12 *.srl");
    }
}

static void set_trust_sets_and_takes_away(void **state)
{
    static const unsigned trusts[] = {TLS_DATABASE_TRUST_SERVER, TLS_DATABASE_TRUST_CLIENT,
                                      TLS_DATABASE_TRUST_SERVER | TLS_DATABASE_TRUST_CLIENT, TLS_DATABASE_TRUST_NONE};
    struct tls_issued ca = issue("CN=ca", TLS_ISSUE_CA, TLS_KEY_P256);
    struct tls_issued leaf = issue("CN=leaf", TLS_ISSUE_CLIENT, TLS_KEY_P256);
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
    delete_cert(ca.sha256);
    delete_cert(leaf.sha256);
    tls_issued_clear(&ca);
    tls_issued_clear(&leaf);
}

static void delete_keeps_no_key_that_nothing_leads_to(void **state)
{
    struct tls_issued issued = issue("CN=gone", TLS_ISSUE_CLIENT, TLS_KEY_P256);
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
    assert_int_equal(cert_count(), 1);
    delete_cert(issued.sha256);
    assert_int_equal(cert_count(), 0);

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
    shell("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem");
    shell("openssl req -x509 -new -key key.pem -subj /CN=renewed -days 10 -out old.pem");
    shell("openssl req -x509 -new -key key.pem -subj /CN=renewed -days 20 -out new.pem");
    import_cert("old.pem", old);
    import_cert("new.pem", renewed);
    key = read_pem("key.pem");
    assert_true(tls_database_import_key("PRIVATE KEY", block_span(&key, 0), (char[65]){0}, &(unsigned){0}, &error));
    tls_pem_clear(&key);
    assert_true(tls_database_delete(old, TLS_DATABASE_DELETE_KEY, &error));
    assert_true(tls_database_find(renewed, &entry, &error));
    assert_true(entry.has_key);
    tls_database_entry_clear(&entry);
    delete_cert(renewed);
    shell("rm key.pem old.pem new.pem");
}

static void describe_reads_a_certificate_of_elsewhere(void **state)
{
    struct tls_database_entry entry;
    struct tls_pem pem;
    char *error = NULL;

    (void)state;
    shell("openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -subj /CN=elsewhere -addext "
          "subjectAltName=DNS:a.example.org,IP:10.0.0.1 -out cert.pem");
    pem = read_pem("cert.pem");
    assert_true(tls_database_describe(block_span(&pem, 0), &entry, &error));
    assert_string_equal(entry.subject, "CN=elsewhere");
    assert_string_equal(entry.sans, "dns:a.example.org ip:10.0.0.1");
    assert_false(entry.has_key);
    assert_int_equal(cert_count(), 0);
    tls_database_entry_clear(&entry);
    tls_pem_clear(&pem);
    assert_false(tls_database_describe(span_of_string("x"), &entry, &error));
    free(error);
    shell("rm key.pem cert.pem");
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
    shell("mkdir -m 700 locked");
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
        issued = issue("CN=locked", TLS_ISSUE_CLIENT, TLS_KEY_P256);
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
        cmocka_unit_test(keys_go_in_and_out),
        cmocka_unit_test(keys_made_here_come_out),
        cmocka_unit_test(key_that_may_not_leave_is_refused_by_name),
        cmocka_unit_test(import_key_refuses_what_is_no_key),
        cmocka_unit_test(import_cert_twice_is_once),
        cmocka_unit_test(import_pkcs12_of_each_age),
        cmocka_unit_test(set_trust_sets_and_takes_away),
        cmocka_unit_test(delete_keeps_no_key_that_nothing_leads_to),
        cmocka_unit_test(delete_leaves_a_shared_key),
        cmocka_unit_test(describe_reads_a_certificate_of_elsewhere),
        cmocka_unit_test(unlock_minds_the_password),
    };

    return cmocka_run_group_tests(tests, database_folder_start, database_folder_stop);
}
