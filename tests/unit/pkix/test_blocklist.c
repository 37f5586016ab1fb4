/* What is on no path, and which keys must be: pkix/blocklist.h, the pins of pkix/request.h. */
#include "scene.h"
#include "pkix/blocklist.h"
#include "pkix/cert.h"
#include "pkix/nss_crypto.h"

#include <nssb64.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static const char host[] = "www.example.com";
static char *file_path;   /* of the blocklist under test */
static const char *rules; /* what it says */

static int start(void **state)
{
    char template[] = "/tmp/yett-test-blocklist-XXXXXX";
    int fd;

    if (builder_start(state) != 0 || (fd = mkstemp(template)) < 0)
        return -1;
    close(fd);
    file_path = base_strdup(template);
    return 0;
}

static int stop(void **state)
{
    int status = unlink(file_path);

    free(file_path);
    return builder_stop(state) == 0 && status == 0 ? 0 : -1;
}

static void write_text(const char *text, size_t size)
{
    FILE *file = fopen(file_path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
}

static struct span make(struct cert_spec spec)
{
    return builder_cert(&spec);
}

/* Made once each: ECDSA signatures, and so fingerprints, differ each time. */
static struct span root(void)
{
    static struct span der;

    if (der.size == 0)
        der = make(builder_authority("root", 0, "root", 0));
    return der;
}

/* The serial number has its first bit set: the INTEGER begins with a zero byte. */
static struct span intermediate(void)
{
    static struct span der;
    struct cert_spec spec = builder_authority("ca", 1, "root", 0);

    spec.serial = builder_bytes("\0\xfe\x01", 3);
    if (der.size == 0)
        der = make(spec);
    return der;
}

static struct span leaf(void)
{
    static struct span der;

    if (der.size == 0)
        der = make(builder_server(host, 2, "ca", 1));
    return der;
}

static struct scene usual(void)
{
    struct scene scene = scene_server(leaf(), host, root());

    scene_add_extra(&scene, intermediate());
    return scene;
}

static void fail_on_problem(void *ctx, unsigned line, const char *sentence)
{
    (void)ctx;
    fail_msg("line %u: %s", line, sentence);
}

static void block(struct pkix_store *store)
{
    write_text(rules, strlen(rules));
    assert_true(pkix_store_add_blocklist_path(store, file_path, fail_on_problem, NULL));
}

static char *base64_of(struct span der)
{
    SECItem item = {siBuffer, (unsigned char *)(uintptr_t)der.data, (unsigned)der.size};
    char *encoded = NSSBase64_EncodeItem(NULL, NULL, 0, &item), *text = base_alloc(strlen(encoded) + 1), *out = text;

    for (const char *p = encoded; *p != '\0'; p++)
        if (*p != '\r' && *p != '\n')
            *out++ = *p;
    PORT_Free(encoded);
    return text;
}

static const char *hex_of(struct span bytes, char out[static 129])
{
    assert_true(bytes.size <= 64);
    for (size_t i = 0; i < bytes.size; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes.data[i]);
    return out;
}

static const char *sha256_of(struct span bytes, char out[static 129])
{
    uint8_t digest[32];

    assert_true(pkix_nss_digest(PKIX_SHA256, bytes, digest));
    return hex_of(span_of(digest, sizeof(digest)), out);
}

enum rule_kind { BY_SHA256, BY_SERIAL, BY_KEY };

/* The rule that names a certificate; owned by the caller. */
static char *rule_for(enum rule_kind kind, struct span der)
{
    struct pkix_cert cert;
    char hex[129], *name, *rule = NULL;

    assert_int_equal(pkix_cert_read(der, &cert), PKIX_OK);
    name = base64_of(kind == BY_SERIAL ? cert.issuer : cert.subject);
    switch (kind) {
    case BY_SHA256:
        rule = base_printf("sha256:%s", sha256_of(der, hex));
        break;
    case BY_SERIAL:
        rule = base_printf("issuer-serial:%s:%s", name, hex_of(cert.serial, hex));
        break;
    case BY_KEY:
        rule = base_printf("subject-spki:%s:%s", name, sha256_of(cert.spki, hex));
        break;
    }
    free(name);
    return rule;
}

static void expect_blocked(const char *text, enum pkix_error want)
{
    struct scene scene = usual();

    rules = text;
    scene.prepare = block;
    assert_verdict(&scene, want);
}

static void blocklist_distrusts_any_position(void **state)
{
    const struct {
        struct span der;
        enum pkix_error want;
    } table[] = {
        {leaf(), PKIX_DISTRUSTED},
        {intermediate(), PKIX_DISTRUSTED_ISSUER},
        {root(), PKIX_DISTRUSTED_ISSUER},
        {make(builder_authority("other", 1, "root", 0)), PKIX_OK},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++)
        for (int kind = BY_SHA256; kind <= BY_KEY; kind++) {
            char *rule = rule_for((enum rule_kind)kind, table[i].der);
            char *text = base_printf("# a comment\n\n  %s \t# why\r\n", rule);

            expect_blocked(text, table[i].want);
            free(text);
            free(rule);
        }
}

/* As openssl(1) prints it, without the zero byte; with zeros in front; in capitals. */
static void blocklist_takes_serials_in_every_form(void **state)
{
    static const char *const forms[] = {"fe01", "00fe01", "0000FE01", "0fe01"};
    static const char *const others[] = {"fe", "01", "fe0100", "7e01"};
    struct pkix_cert cert;
    char *issuer;

    (void)state;
    assert_int_equal(pkix_cert_read(intermediate(), &cert), PKIX_OK);
    issuer = base64_of(cert.issuer);
    for (unsigned i = 0; i < ARRAY_LEN(forms) + ARRAY_LEN(others); i++) {
        bool same = i < ARRAY_LEN(forms);
        char *text = base_printf("issuer-serial:%s:%s\n", issuer, same ? forms[i] : others[i - ARRAY_LEN(forms)]);

        expect_blocked(text, same ? PKIX_DISTRUSTED_ISSUER : PKIX_OK);
        free(text);
    }
    free(issuer);
}

static void blocklist_is_not_hidden_by_other_errors(void **state)
{
    struct cert_spec old = builder_authority("ca", 1, "root", 0);
    struct cert_spec bad_spec = builder_server(host, 2, "ca", 1);
    char *rule = rule_for(BY_SHA256, intermediate()), *leaf_rule;
    struct scene scene = usual();
    struct span bad;

    (void)state;
    /* Another certificate of the same authority has expired: two reasons, and still the one that was decided. */
    old.not_after = builder_now - BUILDER_DAY;
    rules = rule;
    scene_add_extra(&scene, make(old));
    scene.prepare = block;
    assert_verdict(&scene, PKIX_DISTRUSTED_ISSUER);

    /* The leaf itself: expired, for another name, and of an unknown issuer. */
    bad_spec.not_after = builder_now - BUILDER_DAY;
    bad = make(bad_spec);
    leaf_rule = rule_for(BY_SHA256, bad);
    scene = scene_server(bad, "other.example.com", root());
    rules = leaf_rule;
    scene.prepare = block;
    assert_verdict(&scene, PKIX_DISTRUSTED);
    free(leaf_rule);
    free(rule);
}

/* A way around a blocked certificate that needs none of it is a good path. */
static void blocklist_leaves_another_path(void **state)
{
    struct scene scene = usual();
    struct cert_spec again = builder_authority("ca", 1, "root", 0);
    char *rule = rule_for(BY_SHA256, intermediate());

    (void)state;
    again.serial = builder_bytes("\x07", 1);
    scene_add_extra(&scene, make(again));
    rules = rule;
    scene.prepare = block;
    assert_verdict(&scene, PKIX_OK);
    free(rule);
}

/* A blocked certificate of the same name with another key is not the leaf's issuer. */
static void blocklist_does_not_blame_a_namesake(void **state)
{
    struct span namesake = make(builder_authority("ca", 9, "root", 0));
    struct scene scene = scene_server(leaf(), host, root());
    char *rule = rule_for(BY_SHA256, namesake);

    (void)state;
    scene_add_extra(&scene, namesake);
    rules = rule;
    scene.prepare = block;
    assert_verdict(&scene, PKIX_BAD_SIGNATURE);
    free(rule);
}

struct problems {
    unsigned count, lines[32];
    char *sentences[32];
};

static void note_problem(void *ctx, unsigned line, const char *sentence)
{
    struct problems *p = ctx;

    assert_true(p->count < ARRAY_LEN(p->lines));
    p->lines[p->count] = line;
    p->sentences[p->count++] = base_strdup(sentence);
}

static void clear_problems(struct problems *p)
{
    for (unsigned i = 0; i < p->count; i++)
        free(p->sentences[i]);
    *p = (struct problems){0};
}

static bool add_with_problems(const char *text, size_t size, struct problems *p)
{
    struct pkix_store *store = pkix_store_create();
    bool good;

    write_text(text, size);
    good = pkix_store_add_blocklist_path(store, file_path, note_problem, p);
    pkix_store_destroy(&store);
    return good;
}

static void add_blocklist_path_tells_each_bad_line(void **state)
{
    static const struct {
        const char *line, *want;
    } table[] = {
        {"nonsense", "a rule begins with"},
        {"sha256", "must be followed by"},
        {"sha256:00", "must be followed by"},
        {"sha256:zz", "must be followed by"},
        {"sha256:0000000000000000000000000000000000000000000000000000000000000000:", "must be followed by"},
        {"SHA256:0000000000000000000000000000000000000000000000000000000000000000", "a rule begins with"},
        {"issuer-serial:MAA=", "must be issuer-serial:NAME:SERIAL"},
        {"issuer-serial::01", "not a DER name"},
        {"issuer-serial:MAA:01:02", "not hexadecimal"},
        {"issuer-serial:MAA=:", "not hexadecimal"},
        {"issuer-serial:MAA=:0x01", "not hexadecimal"},
        {"issuer-serial:MA%A=:01", "not a DER name"},
        {"issuer-serial:MAAA:01", "not a DER name"},
        {"issuer-serial:MQA=:01", "not a DER name"},
        {"subject-spki:MAA=:01", "64 hexadecimal digits"},
        {"subject-spki:!:01", "not a DER name"},
        {"subject-spki", "must be subject-spki:NAME:SHA256"},
    };
    struct problems p = {0};
    char *text = base_strdup("");

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        char *longer = base_printf("%s# line %u\n%s\n", text, i, table[i].line);

        free(text);
        text = longer;
    }
    assert_false(add_with_problems(text, strlen(text), &p));
    assert_int_equal(p.count, ARRAY_LEN(table));
    for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
        assert_int_equal(p.lines[i], 2 * i + 2);
        if (strstr(p.sentences[i], table[i].want) == NULL)
            fail_msg("%s: %s", table[i].line, p.sentences[i]);
    }
    clear_problems(&p);
    free(text);
}

static void add_blocklist_path_tells_what_is_wrong_with_the_file(void **state)
{
    struct pkix_store *store = pkix_store_create();
    struct problems p = {0};
    char many[3 * 2 * PKIX_RULES_PROBLEMS_MAX];

    (void)state;
    assert_false(pkix_store_add_blocklist_path(store, "/nonexistent/list", note_problem, &p));
    assert_int_equal(p.count, 1);
    assert_int_equal(p.lines[0], 0);
    assert_string_equal(p.sentences[0], "cannot be opened: No such file or directory: there is no folder /nonexistent");
    clear_problems(&p);
    assert_false(add_with_problems("# a\0b\n", 6, &p));
    assert_int_equal(p.count, 1);
    assert_non_null(strstr(p.sentences[0], "NUL"));
    clear_problems(&p);
    for (size_t i = 0; i < sizeof(many); i++)
        many[i] = "x:\n"[i % 3];
    assert_false(add_with_problems(many, sizeof(many), &p));
    assert_int_equal(p.count, PKIX_RULES_PROBLEMS_MAX + 1);
    assert_string_equal(p.sentences[PKIX_RULES_PROBLEMS_MAX], "there are more bad lines");
    clear_problems(&p);
    assert_true(add_with_problems("", 0, &p));
    pkix_store_destroy(&store);
}

/* Ten thousand rules: all are found, and nothing else is. */
static void blocklist_finds_among_many(void **state)
{
    enum { RULES = 10000 };
    char *text = base_alloc(RULES * 80 + 200), *out = text, *rule = rule_for(BY_SHA256, intermediate());

    (void)state;
    for (unsigned i = 0; i < RULES; i++)
        out += sprintf(out, "sha256:%064x\n", i);
    expect_blocked(text, PKIX_OK);
    sprintf(out, "%s\n", rule);
    expect_blocked(text, PKIX_DISTRUSTED_ISSUER);
    free(rule);
    free(text);
}

static struct pkix_pin pin_of(struct span der)
{
    struct pkix_cert cert;
    struct pkix_pin pin;

    assert_int_equal(pkix_cert_read(der, &cert), PKIX_OK);
    assert_true(pkix_nss_digest(PKIX_SHA256, cert.spki, pin.sha256));
    return pin;
}

static void pins_match_any_certificate_of_the_path(void **state)
{
    const struct pkix_pin good[] = {pin_of(leaf()), pin_of(intermediate()), pin_of(root())};
    struct pkix_pin pair[] = {{{1, 2, 3}}, good[2]};
    struct scene scene = usual();

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
        scene.request.pins = &good[i];
        scene.request.pin_count = 1;
        assert_verdict(&scene, PKIX_OK);
    }
    scene.request.pins = pair;
    assert_verdict(&scene, PKIX_PIN_MISMATCH);
    scene.request.pin_count = 2;
    assert_verdict(&scene, PKIX_OK);
}

static void pins_refuse_a_path_without_one(void **state)
{
    /* A key that the peer sent, and that is not on the path, is no match (RFC 7469 section 2.6). */
    struct span stranger = make(builder_authority("stranger", 7, "root", 0));
    const struct pkix_pin pin = pin_of(stranger);
    struct scene scene = usual(), anchored = scene_server(leaf(), host, leaf());

    (void)state;
    scene_add_extra(&scene, stranger);
    scene.request.pins = &pin;
    scene.request.pin_count = 1;
    assert_verdict(&scene, PKIX_PIN_MISMATCH);
    assert_non_null(strstr(scene.detail, "pinned"));
    anchored.request.pins = &pin;
    anchored.request.pin_count = 1;
    assert_verdict(&anchored, PKIX_PIN_MISMATCH);
}

/* Two anchors for one authority: the first path found has no pinned key, the other one has. */
static void pins_choose_between_paths(void **state)
{
    struct span other_root = make(builder_authority("other root", 5, "other root", 5));
    struct span cross = make(builder_authority("ca", 1, "other root", 5));
    const struct pkix_pin pins[] = {pin_of(root()), pin_of(other_root)};
    struct scene scene = usual();

    (void)state;
    scene_add_extra(&scene, cross);
    scene_add_anchor(&scene, other_root);
    for (unsigned i = 0; i < ARRAY_LEN(pins); i++) {
        scene.request.pins = &pins[i];
        scene.request.pin_count = 1;
        assert_verdict(&scene, PKIX_OK);
    }
}

static void pins_are_told_when_another_path_fails_differently(void **state)
{
    struct span other_root = make(builder_authority("other root", 5, "other root", 5));
    struct cert_spec cross = builder_authority("ca", 1, "other root", 5);
    const struct pkix_pin pin = {{0}};
    struct scene scene = usual();

    (void)state;
    cross.not_after = builder_now - BUILDER_DAY;
    scene_add_extra(&scene, make(cross));
    scene_add_anchor(&scene, other_root);
    scene.request.pins = &pin;
    scene.request.pin_count = 1;
    assert_verdict(&scene, PKIX_PIN_MISMATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocklist_distrusts_any_position),
        cmocka_unit_test(blocklist_takes_serials_in_every_form),
        cmocka_unit_test(blocklist_is_not_hidden_by_other_errors),
        cmocka_unit_test(blocklist_leaves_another_path),
        cmocka_unit_test(blocklist_does_not_blame_a_namesake),
        cmocka_unit_test(add_blocklist_path_tells_each_bad_line),
        cmocka_unit_test(add_blocklist_path_tells_what_is_wrong_with_the_file),
        cmocka_unit_test(blocklist_finds_among_many),
        cmocka_unit_test(pins_match_any_certificate_of_the_path),
        cmocka_unit_test(pins_refuse_a_path_without_one),
        cmocka_unit_test(pins_choose_between_paths),
        cmocka_unit_test(pins_are_told_when_another_path_fails_differently),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
