/* Whose roots "mozilla" and "system" are: pkix/roots.h, pkix/roots_file.h, pkix/certdata.h. */
#include "cert_builder.h"
#include "base/base.h"
#include "pkix/certdata.h"
#include "pkix/dn.h"
#include "pkix/nss_crypto.h"
#include "pkix/roots.h"
#include "pkix/store_internal.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/yett-test-roots-XXXXXX";

static int start(void **state)
{
    return builder_start(state) != 0 || mkdtemp(folder) == NULL ? -1 : 0;
}

static int stop(void **state)
{
    char *command = base_printf("rm -r '%s'", folder);
    int status = system(command);

    free(command);
    return builder_stop(state) == 0 && status == 0 ? 0 : -1;
}

static char *write_file(const char *name, const char *text)
{
    char *path = base_printf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, 0644), 0);
    return path;
}

/* One certificate for each name, since no two signatures of ECDSA are the same. */
static struct span root(const char *name)
{
    static struct {
        const char *name;
        struct span der;
    } made[8];
    struct cert_spec spec = builder_authority(name, 0, name, 0);
    size_t i = 0;

    while (made[i].name != NULL && strcmp(made[i].name, name) != 0)
        assert_true(++i < ARRAY_LEN(made));
    if (made[i].name == NULL) {
        made[i].name = name;
        made[i].der = builder_cert(&spec);
    }
    return made[i].der;
}

/* ---- the list compiled in ---- */

struct rules {
    size_t removed, restricted, added;
    int64_t izenpe, epki;
};

static void count_rule(void *ctx, const struct pkix_distrust_rule *rule)
{
    struct rules *rules = ctx;

    assert_true(rule->note.size != 0);
    rules->removed += rule->verb == PKIX_DISTRUST_REMOVED ? 1 : 0;
    rules->added += rule->verb == PKIX_DISTRUST_ADDED ? 1 : 0;
    rules->restricted += rule->verb == PKIX_DISTRUST_UNTIL ? 1 : 0;
    if (rule->sha256[0] == 0x25 && rule->sha256[1] == 0x30)
        rules->izenpe = rule->until;
    if (rule->sha256[0] == 0xc0 && rule->sha256[1] == 0xa6)
        rules->epki = rule->until;
}

static void the_list_compiled_in_is_whole_and_dated(void **state)
{
    struct rules rules = {0};

    (void)state;
    pkix_roots_each_known(count_rule, &rules);
    assert_int_equal(rules.removed, 48);
    assert_int_equal(rules.restricted, 3);
    assert_int_equal(rules.added, 24);
    assert_int_equal(rules.izenpe, 1776297599);         /* 2026-04-15T23:59:59Z */
    assert_int_equal(rules.epki, 1744761599);           /* 2025-04-15T23:59:59Z */
    assert_true(pkix_roots_known_date() >= 1777593600); /* 2026-05-01 */
}

static bool has_subject(const struct pkix_store *store, const char *part, int64_t *until)
{
    for (size_t i = 0; i < store->anchors.count; i++) {
        char *subject = pkix_dn_text(store->anchors.entries[i]->cert.subject);
        bool found = strstr(subject, part) != NULL;

        free(subject);
        if (found && until != NULL)
            *until = store->anchors.entries[i]->distrust_after;
        if (found)
            return true;
    }
    return false;
}

/* With NSS 3.87 and 3.110: each of these was trusted by one of them. */
static void mozillas_list_is_without_what_was_removed(void **state)
{
    static const char *const gone[] = {"CN=GLOBALTRUST 2020",
                                       "CN=Entrust Root Certification Authority - G2",
                                       "CN=E-Tugra Global Root CA RSA v3",
                                       "CN=Baltimore CyberTrust Root",
                                       "CN=CommScope Public Trust ECC Root-01",
                                       "CN=TrustCor ECA-1"};
    struct pkix_store *store = pkix_store_create();
    int64_t until = 0;
    char *error = NULL;

    (void)state;
    assert_true(pkix_store_add_mozilla(store, NULL, &error));
    assert_true(pkix_store_anchor_count(store) > 80);
    for (size_t i = 0; i < ARRAY_LEN(gone); i++)
        assert_false(has_subject(store, gone[i], NULL));
    assert_true(has_subject(store, "CN=ISRG Root X1", &until));
    assert_true(until == INT64_MAX);
    if (has_subject(store, "CN=Izenpe.com", &until)) /* a newer list may be without it */
        assert_int_equal(until, 1776297599);
    for (size_t i = 0; i < store->anchors.count; i++)
        assert_int_equal(store->anchors.entries[i]->purposes, PKIX_FOR_SERVER);
    pkix_store_destroy(&store);
}

/* A root that an administrator names stays, whatever Mozilla's list says of it, before and after. */
static void a_root_named_by_the_administrator_stays(void **state)
{
    struct pkix_store *module = pkix_store_create(), *store = pkix_store_create();
    struct span der = span_of(NULL, 0);
    char *error = NULL;

    (void)state;
    assert_true(pkix_store_add_module_roots(module, &error));
    for (size_t i = 0; i < module->anchors.count && der.size == 0; i++)
        if (has_subject(module, "OU=Go Daddy Class 2", NULL)) {
            char *subject = pkix_dn_text(module->anchors.entries[i]->cert.subject);

            if (strstr(subject, "OU=Go Daddy Class 2") != NULL)
                der = module->anchors.entries[i]->cert.der;
            free(subject);
        }
    if (der.size != 0) { /* NSS 3.123 is without it */
        assert_true(pkix_store_add_anchor(store, der, &error));
        assert_true(pkix_store_add_mozilla(store, NULL, &error));
        assert_true(pkix_store_has_anchor(store, der));
        pkix_store_destroy(&store);
        store = pkix_store_create();
        assert_true(pkix_store_add_mozilla(store, NULL, &error));
        assert_false(pkix_store_has_anchor(store, der));
        assert_true(pkix_store_add_anchor(store, der, &error));
        assert_true(pkix_store_has_anchor(store, der));
    }
    pkix_store_destroy(&store);
    pkix_store_destroy(&module);
}

static void the_systems_roots_are_for_both_and_without_what_was_removed(void **state)
{
    struct pkix_store *store = pkix_store_create();
    char *error = NULL;

    (void)state;
    assert_true(pkix_store_add_system(store, NULL, NULL, &error)); /* the package ca-certificates is installed */
    assert_true(pkix_store_anchor_count(store) > 50);
    assert_true(has_subject(store, "CN=ISRG Root X1", NULL));
    assert_false(has_subject(store, "CN=Baltimore CyberTrust Root", NULL));
    assert_int_equal(store->anchors.entries[0]->purposes, PKIX_FOR_SERVER | PKIX_FOR_CLIENT);
    pkix_store_destroy(&store);
}

/* ---- rules ---- */

static void rules_are_read_word_by_word(void **state)
{
    static const char digits[] = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
    static const struct {
        const char *rest;
        enum pkix_distrust_verb verb; /* NOTHING: a mistake */
        int64_t until;
    } table[] = {
        {" 2024-11-30", PKIX_DISTRUST_UNTIL, 1733011199},
        {"\t2024-11-30T00:00:01Z # why", PKIX_DISTRUST_UNTIL, 1732924801},
        {"  never  ", PKIX_DISTRUST_NEVER, 0},
        {" removed# why", PKIX_DISTRUST_REMOVED, 0},
        {" added # name", PKIX_DISTRUST_ADDED, 0},
        {"", PKIX_DISTRUST_NOTHING, 0},
        {" soon", PKIX_DISTRUST_NOTHING, 0},
        {" 2024-13-01", PKIX_DISTRUST_NOTHING, 0},
        {" 2024-11-30T24:00:01Z", PKIX_DISTRUST_NOTHING, 0},
        {" 2024-11-30T00:00:01", PKIX_DISTRUST_NOTHING, 0},
        {" 2024-+1-01", PKIX_DISTRUST_NOTHING, 0},
        {" never more", PKIX_DISTRUST_NOTHING, 0},
    };
    struct pkix_distrust_rule rule;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *line = base_printf("%s%s", digits, table[i].rest);
        const char *problem = pkix_distrust_rule_read(span_of_string(line), &rule);

        assert_int_equal(problem == NULL, table[i].verb != PKIX_DISTRUST_NOTHING);
        if (problem == NULL) {
            assert_int_equal(rule.verb, table[i].verb);
            assert_int_equal(rule.until, table[i].until);
            assert_int_equal(rule.sha256[31], 0xff);
        }
        free(line);
    }
    assert_null(pkix_distrust_rule_read(span_of_string("  # only a comment"), &rule));
    assert_int_equal(rule.verb, PKIX_DISTRUST_NOTHING);
    assert_non_null(pkix_distrust_rule_read(span_of_string("0011 never"), &rule));
}

static void a_removed_root_is_no_anchor_and_not_distrusted(void **state)
{
    struct pkix_store *store = pkix_store_create();
    struct pkix_distrust_rule rule = {.verb = PKIX_DISTRUST_REMOVED};
    struct pkix_cert cert;
    char *error = NULL;

    (void)state;
    assert_true(pkix_store_add_anchor(store, root("one"), &error));
    assert_true(pkix_store_add_anchor(store, root("two"), &error));
    assert_true(pkix_nss_digest(PKIX_SHA256, root("one"), rule.sha256));
    assert_false(pkix_store_distrust(store, PKIX_DISTRUST_LISTED, &rule)); /* it was named */
    assert_true(pkix_store_distrust(store, PKIX_DISTRUST_ALL, &rule));
    assert_int_equal(pkix_store_anchor_count(store), 1);
    assert_true(pkix_store_has_anchor(store, root("two")));
    assert_int_equal(pkix_cert_read(root("one"), &cert), PKIX_OK);
    assert_false(pkix_store_distrusts(store, &cert));
    pkix_store_destroy(&store);
}

/* ---- the kept list ---- */

static void a_kept_list_reads_as_it_was_written(void **state)
{
    struct pkix_roots *roots = pkix_roots_create(), *again;
    struct pkix_store *store = pkix_store_create();
    struct pkix_cert bad;
    char *text, *path, *error = NULL;
    int64_t until = 0, date = 0;

    (void)state;
    roots->date = 1795132800;
    roots->source = base_strdup("certdata.txt");
    assert_true(pkix_roots_add(roots, root("one"), INT64_MAX));
    assert_true(pkix_roots_add(roots, root("two"), 1733011199));
    assert_int_equal(pkix_cert_read(root("bad"), &bad), PKIX_OK);
    assert_true(pkix_roots_add_distrust(roots, bad.issuer, bad.serial));
    text = pkix_roots_text(roots);
    path = write_file("roots.list", text);
    again = pkix_roots_file_read(path, &error);
    assert_non_null(again);
    assert_int_equal(again->date, 1795132800);
    assert_string_equal(again->source, "certdata.txt");
    assert_int_equal(again->count, 2);
    assert_true(pkix_roots_file_read_date(path, &date, &error));
    assert_int_equal(date, 1795132800);
    assert_true(pkix_store_add_mozilla(store, path, &error)); /* in place of NSS's */
    assert_int_equal(pkix_store_anchor_count(store), 2);
    assert_true(has_subject(store, "CN=two", &until));
    assert_int_equal(until, 1733011199);
    assert_true(pkix_store_distrusts(store, &bad));
    pkix_store_destroy(&store);
    pkix_roots_destroy(&again);
    pkix_roots_destroy(&roots);
    free(text);
    free(path);
}

static void a_damaged_kept_list_is_told_by_line(void **state)
{
    static const struct {
        const char *text, *want;
    } table[] = {
        {"", "f:1: "},
        {"yett-roots 2\n", "f:1: "},
        {"yett-roots 1\ndate soon\n", "f:2: "},
        {"yett-roots 1\ndate 2026-01-01\n\nroot !!\n", "f:4: "},
        {"yett-roots 1\ndate 2026-01-01\nroot AAAA 2024-11-30 x\n", "f:3: "},
        {"yett-roots 1\ndate 2026-01-01\ndistrust AAAA\nroot AAAA\n", "f:3: "},
        {"yett-roots 1\ndate 2026-01-01\nwhat AAAA\n", "f:3: "},
        {"yett-roots 1\nroot AAAA\n", "no date"},
        {"yett-roots 1\ndate 2026-01-01\n", "no root"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *error = NULL;

        assert_null(pkix_roots_text_read(span_of_string(table[i].text), "f", &error));
        assert_non_null(strstr(error, table[i].want));
        free(error);
    }
}

/* A list that is named and cannot be read is an error: nothing falls back to an older one in silence. */
static void a_damaged_kept_list_is_no_reason_to_take_nsss(void **state)
{
    struct pkix_store *store = pkix_store_create();
    char *path = write_file("damaged.list", "yett-roots 1\n"), *error = NULL;

    (void)state;
    assert_false(pkix_store_add_mozilla(store, path, &error));
    assert_non_null(strstr(error, "damaged.list"));
    free(error);
    free(path);
    pkix_store_destroy(&store);
}

/* ---- certdata.txt ---- */

static void print_octal(FILE *out, const char *name, struct span bytes)
{
    fprintf(out, "%s MULTILINE_OCTAL\n", name);
    for (size_t i = 0; i < bytes.size; i++)
        fprintf(out, "\\%03o%s", bytes.data[i], i % 16 == 15 || i + 1 == bytes.size ? "\n" : "");
    fputs("END\n", out);
}

static void print_names(FILE *out, const struct pkix_cert *cert)
{
    print_octal(out, "CKA_ISSUER", cert->issuer);
    print_octal(out, "CKA_SERIAL_NUMBER", builder_tlv(ASN1_INTEGER, cert->serial, builder_end));
}

/* As NSS writes them, with what it has besides. */
static void print_root(FILE *out, const char *name, const char *distrust_after, const char *trust)
{
    struct pkix_cert cert;

    assert_int_equal(pkix_cert_read(root(name), &cert), PKIX_OK);
    fprintf(out,
            "# Certificate \"%s\"\nCKA_CLASS CK_OBJECT_CLASS CKO_CERTIFICATE\nCKA_TOKEN CK_BBOOL CK_TRUE\n"
            "CKA_LABEL UTF8 \"%s\"\nCKA_CERTIFICATE_TYPE CK_CERTIFICATE_TYPE CKC_X_509\n",
            name, name);
    print_names(out, &cert);
    print_octal(out, "CKA_VALUE", cert.der);
    if (distrust_after == NULL)
        fputs("CKA_NSS_SERVER_DISTRUST_AFTER CK_BBOOL CK_FALSE\n", out);
    else
        print_octal(out, "CKA_NSS_SERVER_DISTRUST_AFTER", span_of_string(distrust_after));
    fputs("CKA_NSS_EMAIL_DISTRUST_AFTER CK_BBOOL CK_FALSE\n\nCKA_CLASS CK_OBJECT_CLASS CKO_NSS_TRUST\n", out);
    print_names(out, &cert);
    fprintf(out, "CKA_TRUST_SERVER_AUTH CK_TRUST %s\nCKA_TRUST_EMAIL_PROTECTION CK_TRUST CKT_NSS_TRUSTED_DELEGATOR\n\n",
            trust);
}

static char *certdata(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    fputs("# comment\nBEGINDATA\nCKA_CLASS CK_OBJECT_CLASS CKO_NSS_BUILTIN_ROOT_LIST\nCKA_LABEL UTF8 \"Mozilla\"\n",
          out);
    print_root(out, "one", NULL, "CKT_NSS_TRUSTED_DELEGATOR");
    print_root(out, "two", "241130235959Z", "CKT_NSS_TRUSTED_DELEGATOR");
    print_root(out, "mail", NULL, "CKT_NSS_MUST_VERIFY_TRUST");
    print_root(out, "bad", NULL, "CKT_NSS_NOT_TRUSTED");
    fclose(out);
    return text;
}

static void certdata_gives_roots_for_servers_with_their_ends(void **state)
{
    char *text = certdata(), *error = NULL;
    struct pkix_roots *roots = pkix_certdata_read(span_of_string(text), "certdata.txt", &error);
    struct pkix_cert bad;

    (void)state;
    assert_true(pkix_certdata_is(span_of_string(text)));
    assert_false(pkix_certdata_is(span_of_string("-----BEGIN CERTIFICATE-----\n")));
    assert_non_null(roots);
    assert_int_equal(roots->count, 2);
    assert_true(span_equal(span_of(roots->roots[0].der, roots->roots[0].size), root("one")));
    assert_true(roots->roots[0].until == INT64_MAX);
    assert_int_equal(roots->roots[1].until, 1733011199);
    assert_int_equal(roots->distrust_count, 1);
    assert_int_equal(pkix_cert_read(root("bad"), &bad), PKIX_OK);
    assert_true(span_equal(span_of(roots->distrusts[0].serial, roots->distrusts[0].serial_size), bad.serial));
    pkix_roots_destroy(&roots);
    free(text);
}

/* Newer files have PKCS#11 3.2's own class and words. */
static void certdata_knows_the_standards_words(void **state)
{
    char *text = certdata(), *at, *error = NULL;
    struct pkix_roots *roots;

    (void)state;
    while ((at = strstr(text, "CKT_NSS_TRUSTED_DELEGATOR")) != NULL)
        memcpy(at, "CKT_TRUST_ANCHOR         ", strlen("CKT_NSS_TRUSTED_DELEGATOR"));
    while ((at = strstr(text, "CKO_NSS_TRUST")) != NULL)
        memcpy(at, "CKO_TRUST    ", strlen("CKO_NSS_TRUST"));
    roots = pkix_certdata_read(span_of_string(text), "certdata.txt", &error);
    assert_non_null(roots);
    assert_int_equal(roots->count, 2);
    pkix_roots_destroy(&roots);
    free(text);
}

static void certdata_that_is_damaged_is_told_by_line(void **state)
{
    static const struct {
        const char *text, *want;
    } table[] = {
        {"", "no certificate in it"},
        {"BEGINDATA\nCKA_LABEL UTF8 \"x\"\n", "f:2: "},
        {"CKA_CLASS CK_OBJECT_CLASS CKO_CERTIFICATE\nrubbish\n", "f:2: "},
        {"CKA_CLASS CK_OBJECT_CLASS CKO_CERTIFICATE\nCKA_VALUE MULTILINE_OCTAL\n\\060\\40\nEND\n", "f:3: "},
        {"CKA_CLASS CK_OBJECT_CLASS CKO_CERTIFICATE\nCKA_VALUE MULTILINE_OCTAL\n\\400\nEND\n", "f:3: "},
        {"CKA_CLASS CK_OBJECT_CLASS CKO_CERTIFICATE\nCKA_VALUE MULTILINE_OCTAL\n\\060\n", "before its END"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *error = NULL;

        assert_null(pkix_certdata_read(span_of_string(table[i].text), "f", &error));
        assert_non_null(strstr(error, table[i].want));
        free(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_compiled_in_is_whole_and_dated),
        cmocka_unit_test(mozillas_list_is_without_what_was_removed),
        cmocka_unit_test(a_root_named_by_the_administrator_stays),
        cmocka_unit_test(the_systems_roots_are_for_both_and_without_what_was_removed),
        cmocka_unit_test(rules_are_read_word_by_word),
        cmocka_unit_test(a_removed_root_is_no_anchor_and_not_distrusted),
        cmocka_unit_test(a_kept_list_reads_as_it_was_written),
        cmocka_unit_test(a_damaged_kept_list_is_told_by_line),
        cmocka_unit_test(a_damaged_kept_list_is_no_reason_to_take_nsss),
        cmocka_unit_test(certdata_gives_roots_for_servers_with_their_ends),
        cmocka_unit_test(certdata_knows_the_standards_words),
        cmocka_unit_test(certdata_that_is_damaged_is_told_by_line),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
