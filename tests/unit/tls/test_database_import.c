/* Keys, certificates and PKCS #12 files that go into a database and come out of it: tls/manage/database.h. */
#include "database_folder.h"
#include "tls/manage/database.h"
#include "base/nss_scope.h"
#include "tls/manage/database_internal.h"

#include <pk11pub.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

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

        database_folder_shell(cases[i].make);
        database_folder_shell("openssl req -x509 -new -key key.pem -subj /CN=imported -days 10 -out cert.pem");
        key = database_folder_pem("key.pem");
        assert_int_equal(key.count, 1);
        assert_string_equal(key.blocks[0].label, cases[i].label);

        assert_false(
            tls_database_import_key(cases[i].label, database_folder_block(&key, 0), again, &(unsigned){0}, &error));
        assert_non_null(strstr(error, "belongs to no certificate"));
        free(error);
        error = NULL;

        database_folder_import("cert.pem", sha256);
        assert_false(tls_database_export_key(sha256, &der, &size, &error));
        assert_non_null(strstr(error, "not in the database"));
        free(error);
        error = NULL;

        for (int twice = 0; twice < 2; twice++) {
            if (!tls_database_import_key(cases[i].label, database_folder_block(&key, 0), again, &(unsigned){0}, &error))
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
        database_folder_shell(
            "openssl pkey -in key.pem -outform DER -out a && openssl pkey -in out.pem -outform DER -out b && cmp a b");
        database_folder_shell("rm -f a b key.pem cert.pem out.pem");
        free(path);
        free(text);
        free(der);
        database_folder_delete(sha256);
        assert_int_equal(database_folder_count(), 0);
    }
}

static void keys_made_here_come_out(void **state)
{
    static const enum tls_key_type types[] = {TLS_KEY_P256, TLS_KEY_P384, TLS_KEY_RSA_2048};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct tls_issued issued = database_folder_issue("CN=out", TLS_ISSUE_CLIENT, types[i]);
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
        database_folder_shell(
            "openssl pkey -in out.pem -pubout -out a && openssl x509 -in cert.pem -noout -pubkey -out b && cmp a b");
        database_folder_shell("rm -f a b cert.pem out.pem");
        free(path);
        free(cert_path);
        free(text);
        free(cert);
        free(der);
        database_folder_delete(issued.sha256);
        tls_issued_clear(&issued);
    }
}

/* Once set, the attribute stays: nobody can take it back. */
static void key_that_may_not_leave_is_refused_by_name(void **state)
{
    struct tls_issued issued = database_folder_issue("CN=stays", TLS_ISSUE_CLIENT, TLS_KEY_P256);
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
    database_folder_delete(issued.sha256);
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
    struct tls_issued issued = database_folder_issue("CN=other", TLS_ISSUE_CLIENT, TLS_KEY_P256);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char sha256[65], *error = NULL;

        assert_false(
            tls_database_import_key(cases[i].label, span_of_string(cases[i].bytes), sha256, &(unsigned){0}, &error));
        assert_non_null(error);
        free(error);
    }
    database_folder_delete(issued.sha256);
    tls_issued_clear(&issued);
}

static void import_cert_twice_is_once(void **state)
{
    char first[65], second[65], *error = NULL;

    (void)state;
    database_folder_shell("openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -subj /CN=twice -out cert.pem");
    database_folder_import("cert.pem", first);
    database_folder_import("cert.pem", second);
    assert_string_equal(first, second);
    assert_int_equal(database_folder_count(), 1);
    assert_false(tls_database_import_cert(span_of_string("junk"), second, &(unsigned){0}, &error));
    assert_non_null(strstr(error, "not a certificate"));
    free(error);
    database_folder_delete(first);
    database_folder_shell("rm key.pem cert.pem");
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

        database_folder_shell("openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj /CN=p12-ca -out ca.pem");
        database_folder_shell(
            "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj /CN=p12-leaf "
            "-out csr && openssl x509 -req -in csr -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem");
        command = base_printf("openssl pkcs12 -export %s -in cert.pem -inkey key.pem -certfile ca.pem -name friendly "
                              "-passout 'pass:gehe\xc3\xafm' -out all.p12",
                              exports[i]);
        database_folder_shell(command);
        free(command);
        assert_true(base_file_read(path, BASE_FILE_ANY, 65536, &data, &size, NULL, &error));

        assert_false(tls_database_import_pkcs12(span_of(data, size), "wrong", &count, &error));
        assert_non_null(strstr(error, "its password is another"));
        free(error);
        error = NULL;
        assert_int_equal(database_folder_count(), 0);

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
                    database_folder_delete(list.entries[e].sha256);
            tls_database_list_clear(&list);
        }
        assert_false(tls_database_import_pkcs12(span_of(data, size / 2), "gehe\xc3\xafm", &count, &error));
        assert_non_null(strstr(error, "not a whole PKCS#12 file"));
        free(error);
        free(data);
        free(path);
        database_folder_shell("rm *.pem *.key csr all.p12 *.srl");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_go_in_and_out),
        cmocka_unit_test(keys_made_here_come_out),
        cmocka_unit_test(key_that_may_not_leave_is_refused_by_name),
        cmocka_unit_test(import_key_refuses_what_is_no_key),
        cmocka_unit_test(import_cert_twice_is_once),
        cmocka_unit_test(import_pkcs12_of_each_age),
    };

    return cmocka_run_group_tests(tests, database_folder_start, database_folder_stop);
}
