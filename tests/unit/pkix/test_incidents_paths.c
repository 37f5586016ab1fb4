/* Incidents of the web's authorities: expiry, cross-signing, distrust, and odd but real fields. */
#include "incident.h"
#include "pkix/store_internal.h"

#include <setjmp.h>
#include <cmocka.h>

/* AddTrust, 2020-05-30: one of two parents has expired. In any order the other one is found. */
static void addtrust_2020_expired_cross_signature(void **state)
{
    struct cert_spec cross = builder_authority("USERTrust", 1, "AddTrust", 5);
    struct cert_spec addtrust = builder_authority("AddTrust", 5, "AddTrust", 5);
    struct span usertrust = incident_make(builder_authority("USERTrust", 1, "USERTrust", 1));

    (void)state;
    cross.not_after = addtrust.not_after = builder_now - BUILDER_DAY;
    for (unsigned order = 0; order < 2; order++) {
        struct scene scene = scene_server(incident_make(builder_server(incident_host, 2, "USERTrust", 1)),
                                          incident_host, order == 0 ? usertrust : builder_cert(&addtrust));

        scene_add_anchor(&scene, order == 0 ? builder_cert(&addtrust) : usertrust);
        scene_add_extra(&scene, builder_cert(&cross));
        scene_add_extra(&scene, builder_cert(&addtrust));
        assert_verdict(&scene, PKIX_OK);
        assert_int_equal(scene.path_length, 2);
    }
}

/* DST Root X3, 2021-09-30: the handshake's longer path ends at an expired root, which is still in the store. */
static void dst_root_x3_2021_expired_root_in_the_store(void **state)
{
    struct cert_spec dst = builder_authority("DST Root CA X3", 5, "DST Root CA X3", 5);
    struct cert_spec cross = builder_authority("ISRG Root X1", 1, "DST Root CA X3", 5);
    struct scene scene;

    (void)state;
    dst.not_after = builder_now - BUILDER_DAY;
    scene = scene_server(incident_make(builder_server(incident_host, 3, "R3", 2)), incident_host, builder_cert(&dst));
    scene_add_extra(&scene, incident_make(builder_authority("R3", 2, "ISRG Root X1", 1)));
    scene_add_extra(&scene, builder_cert(&cross));
    assert_verdict(&scene, PKIX_EXPIRED_ISSUER);
    scene_add_anchor(&scene, incident_make(builder_authority("ISRG Root X1", 1, "ISRG Root X1", 1)));
    assert_verdict(&scene, PKIX_OK);
}

/* Let's Encrypt: a leaf whose issuer has two parents, in a handshake that has everything, twice, in disorder, among
 * certificates of others. */
static void lets_encrypt_two_parents_in_disorder_with_duplicates(void **state)
{
    struct span isrg = incident_make(builder_authority("ISRG Root X1", 1, "ISRG Root X1", 1));
    struct span certs[] = {incident_make(builder_authority("E5", 2, "ISRG Root X2", 4)),
                           incident_make(builder_authority("stranger", 7, "strangers' root", 8)),
                           incident_make(builder_authority("ISRG Root X2", 4, "ISRG Root X1", 1)),
                           incident_make(builder_authority("ISRG Root X1", 1, "DST Root CA X3", 5)),
                           incident_make(builder_authority("E5", 2, "ISRG Root X1", 1)),
                           isrg};

    (void)state;
    for (size_t first = 0; first < ARRAY_LEN(certs); first++) {
        struct scene scene =
            scene_server(incident_make(builder_server(incident_host, 3, "E5", 2)), incident_host, isrg);

        for (size_t i = 0; i < 2 * ARRAY_LEN(certs); i++)
            scene_add_extra(&scene, certs[(first + i) % ARRAY_LEN(certs)]);
        assert_verdict(&scene, PKIX_OK);
        assert_true(scene.signature_checks <= 4);
    }
}

static const int64_t last_day = 1764547199; /* 2025-11-30T23:59:59Z */

static void stop_trusting(struct pkix_store *store)
{
    store->anchors.entries[0]->distrust_after = last_day;
}

/* Symantec, TrustCor, Entrust: a root is believed about what it issued until a day. */
static void entrust_2024_leaves_from_before_and_after_the_last_day(void **state)
{
    (void)state;
    for (int offset = -1; offset <= 1; offset++) {
        struct cert_spec leaf = incident_leaf();
        struct scene scene;

        leaf.not_before = last_day + offset;
        scene = incident_scene(leaf);
        scene.prepare = stop_trusting;
        assert_verdict(&scene, offset <= 0 ? PKIX_OK : PKIX_DISTRUSTED_AFTER);
    }
}

static struct span revoked_issuer, revoked_serial;

static void distrust_by_serial(struct pkix_store *store)
{
    pkix_store_distrust_issuer_serial(store, revoked_issuer, revoked_serial);
}

static void distrust_by_key(struct pkix_store *store)
{
    pkix_store_distrust_subject_key(store, builder_name("ca"), builder_spki(1));
}

/* DigiNotar, Comodo: single authorities and certificates are named by what Mozilla's OneCRL names them by. */
static void onecrl_names_by_issuer_and_serial_or_subject_and_key(void **state)
{
    struct cert_spec leaf = incident_leaf();
    struct scene scene;

    (void)state;
    revoked_issuer = builder_name("ca");
    revoked_serial = builder_bytes("\x05", 1);
    scene = incident_scene(leaf);
    scene.prepare = distrust_by_serial;
    assert_verdict(&scene, PKIX_OK);
    leaf.serial = revoked_serial;
    scene = incident_scene(leaf);
    scene.prepare = distrust_by_serial;
    assert_verdict(&scene, PKIX_DISTRUSTED);
    scene = incident_scene(incident_leaf());
    scene.prepare = distrust_by_key;
    assert_verdict(&scene, PKIX_DISTRUSTED_ISSUER);
}

static void serials_and_dates_that_are_odd_but_found(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        enum pkix_error want;
    } serials[] = {
        {"\x00", 1, PKIX_OK},
        {"\xff", 1, PKIX_OK},
        {"\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 22, PKIX_OK},
        {"\x00\x01", 2, PKIX_BAD_INTEGER},
        {"\xff\xff", 2, PKIX_BAD_INTEGER},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(serials); i++) {
        struct cert_spec leaf = incident_leaf();
        struct scene scene;

        leaf.serial = builder_bytes(serials[i].bytes, serials[i].size);
        scene = incident_scene(leaf);
        assert_verdict(&scene, serials[i].want);
        if (serials[i].want == PKIX_OK) {
            scene.request.profile = PKIX_PROFILE_STRICT;
            assert_int_not_equal(scene_verify(&scene), PKIX_OK);
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        struct cert_spec leaf = incident_leaf();
        struct scene scene;

        leaf.not_after = i == 0 ? 253402300799 /* 9999-12-31T23:59:59Z */ : 2524607999 /* 2049-12-31T23:59:59Z */;
        scene = incident_scene(leaf);
        assert_verdict(&scene, PKIX_OK);
    }
}

static void dates_as_der_does_not_write_them_are_refused(void **state)
{
    static const struct {
        unsigned tag;
        const char *text;
        enum pkix_error want;
    } table[] = {
        {ASN1_UTC_TIME, "270101000000Z", PKIX_OK},
        {ASN1_GENERALIZED_TIME, "20490101000000Z", PKIX_OK},
        {ASN1_UTC_TIME, "2701010000Z", PKIX_BAD_TIME},               /* no seconds */
        {ASN1_UTC_TIME, "270101235960Z", PKIX_BAD_TIME},             /* a leap second */
        {ASN1_UTC_TIME, "270101000000+0100", PKIX_BAD_TIME},         /* not UTC */
        {ASN1_UTC_TIME, "270229000000Z", PKIX_BAD_TIME},             /* 2027 has no such day */
        {ASN1_GENERALIZED_TIME, "20510101000000.5Z", PKIX_BAD_TIME}, /* a fraction */
        {ASN1_GENERALIZED_TIME, "205101010000Z", PKIX_BAD_TIME},
        {ASN1_GENERALIZED_TIME, "2051010100000 Z", PKIX_BAD_TIME},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct cert_spec leaf = incident_leaf();
        struct scene scene;

        leaf.validity = builder_join(builder_time(leaf.not_before),
                                     builder_tlv(table[i].tag, span_of_string(table[i].text), builder_end));
        scene = incident_scene(leaf);
        assert_verdict(&scene, table[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addtrust_2020_expired_cross_signature),
        cmocka_unit_test(dst_root_x3_2021_expired_root_in_the_store),
        cmocka_unit_test(lets_encrypt_two_parents_in_disorder_with_duplicates),
        cmocka_unit_test(entrust_2024_leaves_from_before_and_after_the_last_day),
        cmocka_unit_test(onecrl_names_by_issuer_and_serial_or_subject_and_key),
        cmocka_unit_test(serials_and_dates_that_are_odd_but_found),
        cmocka_unit_test(dates_as_der_does_not_write_them_are_refused),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
