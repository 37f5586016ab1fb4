/* see tls/manage/issue.h */
#include "database_folder.h"
#include "tls/manage/database.h"
#include "tls/manage/issue.h"
#include "tls/runtime.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOW = 1750000000, HOUR = 3600, DAY = 86400 };

static char ca_sha256[65];

static struct tls_database_entry entry_of(const char *sha256)
{
    struct tls_database_entry entry;
    char *error = NULL;

    if (!tls_database_find(sha256, &entry, &error))
        fail_msg("%s", error);
    return entry;
}

static struct tls_issued issue(struct tls_issue_options options)
{
    struct tls_issued issued;
    char *error = NULL;

    options.now = options.now == 0 ? NOW : options.now;
    if (!tls_issue(&options, &issued, &error))
        fail_msg("%s", error);
    return issued;
}

/* What a program of its own, not made by us, reads in a certificate or request. */
static char *openssl_text(const char *command, struct span der)
{
    char *path = base_printf("%s/der", database_folder),
         *line = base_printf("openssl %s -inform DER -in %s -noout -text -nameopt sep_comma_plus_space", command, path);
    FILE *file = fopen(path, "wb");
    char *text = base_alloc(65536);
    FILE *pipe;
    size_t size;

    assert_non_null(file);
    assert_int_equal(fwrite(der.data, 1, der.size, file), der.size);
    fclose(file);
    pipe = popen(line, "r");
    assert_non_null(pipe);
    size = fread(text, 1, 65535, pipe);
    text[size] = '\0';
    assert_int_equal(pclose(pipe), 0);
    unlink(path);
    free(path);
    free(line);
    return text;
}

static void assert_has(const char *text, const char *const *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(text, wanted[i]) == NULL)
            fail_msg("\"%s\" is not in:\n%s", wanted[i], text);
}

static void issue_makes_an_authority(void **state)
{
    static const char *const wanted[] = {"Version: 3",
                                         "Issuer: O=yett, CN=test CA",
                                         "CA:TRUE",
                                         "Certificate Sign, CRL Sign",
                                         "ecdsa-with-SHA256",
                                         "X509v3 Basic Constraints: critical",
                                         "X509v3 Key Usage: critical",
                                         "NIST CURVE: P-256",
                                         "X509v3 Subject Key Identifier",
                                         "X509v3 Authority Key Identifier"};
    struct tls_issued ca = issue((struct tls_issue_options){.subject = "CN=test CA,O=yett", .use = TLS_ISSUE_CA});
    struct tls_database_entry entry = entry_of(ca.sha256);
    char *text = openssl_text("x509", span_of(ca.der, ca.size));

    (void)state;
    assert_has(text, wanted, ARRAY_LEN(wanted));
    assert_null(strstr(text, "Extended Key Usage"));
    assert_true(entry.is_ca);
    assert_true(entry.has_key);
    assert_int_equal(entry.trust, TLS_DATABASE_TRUST_NONE);
    assert_int_equal(entry.not_before, NOW - HOUR);
    assert_int_equal(entry.not_after, NOW + (int64_t)TLS_ISSUE_DAYS_CA * DAY);
    assert_string_equal(entry.subject, "CN=test CA,O=yett");
    assert_string_equal(entry.issuer, entry.subject);
    assert_int_equal(strlen(entry.serial), 32);
    memcpy(ca_sha256, ca.sha256, sizeof(ca_sha256));
    free(text);
    tls_database_entry_clear(&entry);
    tls_issued_clear(&ca);
}

static void issue_makes_leaves_of_each_key_type(void **state)
{
    static const struct {
        enum tls_key_type type;
        unsigned use;
        const char *key, *text[3];
    } cases[] = {
        {TLS_KEY_P256, TLS_ISSUE_SERVER, "P-256", {"TLS Web Server Authentication\n", "P-256", "CA:FALSE"}},
        {TLS_KEY_P384, TLS_ISSUE_CLIENT, "P-384", {"TLS Web Client Authentication\n", "P-384", "CA:FALSE"}},
        {TLS_KEY_RSA_2048,
         TLS_ISSUE_SERVER | TLS_ISSUE_CLIENT,
         "RSA-2048",
         {"TLS Web Server Authentication, TLS Web Client Authentication", "2048 bit", "Digital Signature\n"}},
        {TLS_KEY_RSA_3072, TLS_ISSUE_SERVER, "RSA-3072", {"TLS Web Server", "3072 bit", "critical"}},
    };
    static const char *const sans[] = {"dns:localhost", "DNS:*.example.org",       "ip:127.0.0.1",
                                       "ip:::1",        "email:alice@example.org", "uri:https://example.org/x"};
    static const char *const wanted[] = {"DNS:localhost",
                                         "DNS:*.example.org",
                                         "IP Address:127.0.0.1",
                                         "IP Address:0:0:0:0:0:0:0:1",
                                         "email:alice@example.org",
                                         "URI:https://example.org/x",
                                         "Issuer: O=yett, CN=test CA"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_issued leaf = issue((struct tls_issue_options){.subject = "CN=localhost",
                                                                  .use = cases[i].use,
                                                                  .key_type = cases[i].type,
                                                                  .sans = sans,
                                                                  .san_count = ARRAY_LEN(sans),
                                                                  .days = 30,
                                                                  .issuer_sha256 = ca_sha256});
        struct tls_database_entry entry = entry_of(leaf.sha256);
        char *text = openssl_text("x509", span_of(leaf.der, leaf.size));

        assert_has(text, wanted, ARRAY_LEN(wanted));
        assert_has(text, cases[i].text, ARRAY_LEN(cases[i].text));
        assert_string_equal(entry.key, cases[i].key);
        assert_string_equal(entry.sans, "dns:localhost dns:*.example.org ip:127.0.0.1 ip:::1 "
                                        "email:alice@example.org uri:https://example.org/x");
        assert_true(entry.has_key);
        assert_false(entry.is_ca);
        assert_int_equal(entry.not_after, NOW + 30 * DAY);
        free(text);
        tls_database_entry_clear(&entry);
        tls_issued_clear(&leaf);
    }
}

static void issue_signs_so_that_openssl_agrees(void **state)
{
    static const char *const sans[] = {"dns:localhost"};
    static const enum tls_key_type issuer_types[] = {TLS_KEY_P256, TLS_KEY_P384, TLS_KEY_RSA_2048};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(issuer_types); i++) {
        struct tls_issued ca = issue(
            (struct tls_issue_options){.subject = "CN=chain CA", .use = TLS_ISSUE_CA, .key_type = issuer_types[i]});
        struct tls_issued leaf = issue((struct tls_issue_options){.subject = "CN=localhost",
                                                                  .use = TLS_ISSUE_SERVER,
                                                                  .sans = sans,
                                                                  .san_count = 1,
                                                                  .issuer_sha256 = ca.sha256});
        const struct tls_issued *files[] = {&ca, &leaf};
        const char *const names[] = {"ca", "leaf"};
        char *command = base_printf("cd %s && openssl x509 -inform DER -in ca -out ca.pem && openssl x509 -inform DER "
                                    "-in leaf -out leaf.pem && openssl verify -x509_strict -attime %d -purpose "
                                    "sslserver -CAfile ca.pem leaf.pem >/dev/null && rm ca leaf ca.pem leaf.pem",
                                    database_folder, NOW + 1);

        for (size_t f = 0; f < 2; f++) {
            char *path = base_printf("%s/%s", database_folder, names[f]);
            FILE *file = fopen(path, "wb");

            assert_non_null(file);
            assert_int_equal(fwrite(files[f]->der, 1, files[f]->size, file), files[f]->size);
            fclose(file);
            free(path);
        }
        assert_int_equal(system(command), 0);
        free(command);
        tls_issued_clear(&ca);
        tls_issued_clear(&leaf);
    }
}

static void issue_refuses(void **state)
{
    static const char *const bad_dns[] = {"dns:not a host"}, *const bad_ip[] = {"ip:1.2.3"},
                             *const bad_kind[] = {"localhost"}, *const bad_email[] = {"email:@example.org"},
                             *const bad_uri[] = {"uri:no-scheme"}, *const nul_label[] = {"dns:a..b"},
                             *const good[] = {"dns:localhost"};
    const struct {
        struct tls_issue_options options;
        const char *want;
    } cases[] = {
        {{.subject = "CN=x", .use = TLS_ISSUE_SERVER}, "needs an alternative name"},
        {{.subject = "CN=x", .use = 0}, "is for an authority"},
        {{.subject = "CN=x", .use = TLS_ISSUE_CA | TLS_ISSUE_SERVER}, "is for an authority"},
        {{.subject = "no equals sign", .use = TLS_ISSUE_CA}, "is not a name"},
        {{.subject = "", .use = TLS_ISSUE_CA}, "is not a name"},
        {{.subject = NULL, .use = TLS_ISSUE_CA}, "is not a name"},
        {{.subject = "CN=x", .use = TLS_ISSUE_SERVER, .sans = bad_dns, .san_count = 1}, "not a valid dns name"},
        {{.subject = "CN=x", .use = TLS_ISSUE_SERVER, .sans = nul_label, .san_count = 1}, "not a valid dns name"},
        {{.subject = "CN=x", .use = TLS_ISSUE_SERVER, .sans = bad_ip, .san_count = 1}, "not a valid ip name"},
        {{.subject = "CN=x", .use = TLS_ISSUE_CLIENT, .sans = bad_email, .san_count = 1}, "not a valid email name"},
        {{.subject = "CN=x", .use = TLS_ISSUE_CLIENT, .sans = bad_uri, .san_count = 1}, "not a valid uri name"},
        {{.subject = "CN=x", .use = TLS_ISSUE_SERVER, .sans = bad_kind, .san_count = 1}, "is not dns:HOST"},
        {{.subject = "CN=x", .use = TLS_ISSUE_CLIENT, .days = TLS_ISSUE_DAYS_MAX + 1}, "days are more than"},
        {{.subject = "CN=x", .use = TLS_ISSUE_CLIENT, .days = TLS_ISSUE_DAYS_CA + 1, .issuer_sha256 = ca_sha256},
         "past the end of the issuer"},
        {{.subject = "CN=x", .use = TLS_ISSUE_CLIENT, .issuer_sha256 = "abc"}, "is not a SHA-256 fingerprint"},
        {{.subject = "CN=x",
          .use = TLS_ISSUE_CLIENT,
          .issuer_sha256 = "00000000000000000000000000000000000000000000000000000000000000ff"},
         "no certificate in the database"},
        {{.subject = "CN=x", .use = TLS_ISSUE_CLIENT, .now = NOW + 4000 * (int64_t)DAY, .issuer_sha256 = ca_sha256},
         "expired at"},
        {{.subject = "CN=x", .use = TLS_ISSUE_CLIENT, .request = {(const uint8_t *)"0123", 4}}, "not a PKCS#10"},
        {{.use = TLS_ISSUE_SERVER, .sans = good, .san_count = 1, .subject = "=="}, "is not a name"},
    };
    struct tls_database_list before, after;
    char *error = NULL;

    (void)state;
    assert_true(tls_database_list(&before, &error));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_issue_options options = cases[i].options;
        struct tls_issued issued;

        options.now = options.now == 0 ? NOW : options.now;
        error = NULL;
        assert_false(tls_issue(&options, &issued, &error));
        if (strstr(error, cases[i].want) == NULL)
            fail_msg("case %zu: \"%s\" is not in: %s", i, cases[i].want, error);
        assert_null(issued.der);
        free(error);
    }
    assert_true(tls_database_list(&after, &error));
    assert_int_equal(before.count, after.count);
    tls_database_list_clear(&before);
    tls_database_list_clear(&after);
}

static void issue_refuses_a_leaf_as_issuer(void **state)
{
    struct tls_issued leaf = issue((struct tls_issue_options){.subject = "CN=self-signed", .use = TLS_ISSUE_CLIENT});
    struct tls_issued none;
    char *error = NULL;

    (void)state;
    assert_false(tls_issue(
        &(struct tls_issue_options){
            .subject = "CN=x", .use = TLS_ISSUE_CLIENT, .now = NOW, .issuer_sha256 = leaf.sha256},
        &none, &error));
    assert_non_null(strstr(error, "not that of a certificate authority"));
    free(error);
    tls_issued_clear(&leaf);
}

/* A request made by openssl; `change` flips a bit of its signature. */
static struct span make_request(const char *key_options, uint8_t **der)
{
    char *path = base_printf("%s/request", database_folder), *error = NULL;
    char *command = base_printf("cd %s && openssl req -new -newkey %s -nodes -keyout key.pem -subj '/O=yett/CN=alice' "
                                "-addext 'subjectAltName=email:alice@example.org,DNS:alice.example.org' "
                                "-addext 'basicConstraints=critical,CA:TRUE' -outform DER -out request 2>/dev/null; "
                                "rm -f key.pem",
                                database_folder, key_options);
    FILE *file;
    size_t size;

    (void)error;
    assert_int_equal(system(command), 0);
    file = fopen(path, "rb");
    assert_non_null(file);
    *der = base_alloc(8192);
    size = fread(*der, 1, 8192, file);
    fclose(file);
    unlink(path);
    free(path);
    free(command);
    return span_of(*der, size);
}

static void issue_signs_a_request(void **state)
{
    static const char *const wanted[] = {"Subject: O=yett, CN=alice", "CA:FALSE",
                                         "email:alice@example.org, DNS:alice.example.org",
                                         "TLS Web Client Authentication\n"};
    static const char *const kinds[] = {"ec -pkeyopt ec_paramgen_curve:P-256", "rsa:2048"};
    static const char *const own_sans[] = {"dns:other.example.org"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        uint8_t *der;
        struct span request = make_request(kinds[i], &der);
        struct tls_issue_options options = {
            .use = TLS_ISSUE_CLIENT, .request = request, .issuer_sha256 = ca_sha256, .now = NOW};
        struct tls_issued issued = issue(options);
        char *text = openssl_text("x509", span_of(issued.der, issued.size)), *error = NULL;
        struct tls_database_entry entry;

        assert_has(text, wanted, ARRAY_LEN(wanted));
        assert_false(tls_database_find(issued.sha256, &entry, &error));
        free(error);
        free(text);
        tls_issued_clear(&issued);

        /* The issuer's word goes over the request's. */
        options.subject = "CN=bob";
        options.sans = own_sans;
        options.san_count = 1;
        issued = issue(options);
        text = openssl_text("x509", span_of(issued.der, issued.size));
        assert_null(strstr(text, "alice"));
        assert_non_null(strstr(text, "DNS:other.example.org"));
        assert_non_null(strstr(text, "CN=bob"));
        free(text);
        tls_issued_clear(&issued);

        error = NULL;
        der[request.size - 1] ^= 1;
        assert_false(tls_issue(&options, &issued, &error));
        assert_non_null(strstr(error, "own signature is not right"));
        free(error);
        der[request.size - 1] ^= 1;

        error = NULL;
        options.issuer_sha256 = NULL;
        assert_false(tls_issue(&options, &issued, &error));
        assert_non_null(strstr(error, "needs an issuer"));
        free(error);
        free(der);
    }
}

static void issue_refuses_a_weak_request(void **state)
{
    static const char *const kinds[] = {"rsa:1024", "ec -pkeyopt ec_paramgen_curve:secp256k1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        uint8_t *der;
        struct span request = make_request(kinds[i], &der);
        struct tls_issued issued;
        char *error = NULL;

        assert_false(tls_issue(
            &(struct tls_issue_options){
                .use = TLS_ISSUE_CLIENT, .request = request, .issuer_sha256 = ca_sha256, .now = NOW},
            &issued, &error));
        assert_non_null(strstr(error, "key"));
        free(error);
        free(der);
    }
}

static void serials_differ(void **state)
{
    struct tls_issued a = issue((struct tls_issue_options){.subject = "CN=twice", .use = TLS_ISSUE_CLIENT});
    struct tls_issued b = issue((struct tls_issue_options){.subject = "CN=twice", .use = TLS_ISSUE_CLIENT});
    struct tls_database_entry x = entry_of(a.sha256), y = entry_of(b.sha256);

    (void)state;
    assert_string_not_equal(x.serial, y.serial);
    assert_string_equal(x.subject, y.subject);
    tls_database_entry_clear(&x);
    tls_database_entry_clear(&y);
    tls_issued_clear(&a);
    tls_issued_clear(&b);
}

static void key_type_names_parse(void **state)
{
    enum tls_key_type got;

    (void)state;
    for (int type = 0; type < TLS_KEY_TYPE_COUNT; type++) {
        assert_true(tls_key_type_parse(tls_key_type_name((enum tls_key_type)type), &got));
        assert_int_equal(got, type);
    }
    assert_false(tls_key_type_parse("rsa1024", &got));
    assert_false(tls_key_type_parse("", &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(issue_makes_an_authority),
        cmocka_unit_test(issue_makes_leaves_of_each_key_type),
        cmocka_unit_test(issue_signs_so_that_openssl_agrees),
        cmocka_unit_test(issue_refuses),
        cmocka_unit_test(issue_refuses_a_leaf_as_issuer),
        cmocka_unit_test(issue_signs_a_request),
        cmocka_unit_test(issue_refuses_a_weak_request),
        cmocka_unit_test(serials_differ),
        cmocka_unit_test(key_type_names_parse),
    };

    return cmocka_run_group_tests(tests, database_folder_start, database_folder_stop);
}
