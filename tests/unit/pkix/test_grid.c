/* All combinations instead of examples. Name constraints: each kind of name a leaf can have, in its alternative names
 * or only in its common name, under each constraint that permits or excludes it, against a model of RFC 5280
 * section 4.2.1.10 that fits on a screen. Path building: two issuers of one name and key, one of them with each defect
 * there is, in both orders and at each depth; the good one has to be found (RFC 4158 section 2.4), and without it
 * nothing may be. */
#include "scene.h"

#include <setjmp.h>
#include <cmocka.h>

enum { DNS = 0x82, DIRECTORY = 0xa4, IP = 0x87 };

static const char host[] = "test.localhost";

static struct span make(struct cert_spec spec)
{
    return builder_cert(&spec);
}

/* ---- Name constraints. ---- */

/* What a leaf's alternative names of one kind, its common name, or a constraint of one kind say. */
enum side { ABSENT, GOOD, BAD, SIDES };

static struct span dns_name(enum side side)
{
    return side == ABSENT ? span_of(NULL, 0) : builder_general_name(DNS, side == GOOD ? host : "bad.example.com");
}

static struct span ip_name(enum side side)
{
    return side == ABSENT ? span_of(NULL, 0)
                          : builder_tlv(IP, span_of(side == GOOD ? "\x7f\0\0\1" : "\1\1\1\1", 4), builder_end);
}

static struct span dns_constraint(enum side side)
{
    return side == ABSENT ? span_of(NULL, 0) : builder_general_name(DNS, side == GOOD ? "localhost" : "example.com");
}

static struct span ip_constraint(enum side side)
{
    static const char good[] = "\x7f\0\0\0\xff\xff\xff\0", bad[] = "\1\1\1\0\xff\xff\xff\0";

    return side == ABSENT ? span_of(NULL, 0) : builder_tlv(IP, span_of(side == GOOD ? good : bad, 8), builder_end);
}

enum common_name { CN_OTHER, CN_GOOD_HOST, CN_BAD_HOST, CN_GOOD_ADDRESS, CN_BAD_ADDRESS, COMMON_NAMES };

static const char *const common_names[] = {"A Person", "test.localhost", "bad.example.com", "127.0.0.1", "1.1.1.1"};

struct names {
    enum side dns, ip;
    enum common_name common_name;
};

struct rules {
    enum side permitted_dns, permitted_ip, excluded_dns, excluded_ip;
};

/* A name of one kind under the constraints of that kind. */
static bool allowed(enum side name, enum side permitted, enum side excluded)
{
    return name == ABSENT || ((permitted == ABSENT || permitted == name) && excluded != name);
}

/* A common name counts as a host's or an address where there is no alternative name of either kind: those who fall back
 * to it must not be led outside. */
static bool model_allows(const struct names *n, const struct rules *r)
{
    enum side dns = n->dns, ip = n->ip;

    if (dns == ABSENT && ip == ABSENT) {
        dns = n->common_name == CN_GOOD_HOST ? GOOD : n->common_name == CN_BAD_HOST ? BAD : ABSENT;
        ip = n->common_name == CN_GOOD_ADDRESS ? GOOD : n->common_name == CN_BAD_ADDRESS ? BAD : ABSENT;
    }
    return allowed(dns, r->permitted_dns, r->excluded_dns) && allowed(ip, r->permitted_ip, r->excluded_ip);
}

static enum pkix_error model(const struct names *n, const struct rules *r, enum pkix_name_type asked)
{
    if (!model_allows(n, r))
        return PKIX_NAME_CONSTRAINT_VIOLATION;
    return (asked == PKIX_NAME_DNS ? n->dns : n->ip) == GOOD ? PKIX_OK : PKIX_NAME_MISMATCH;
}

static struct span leaf_of(const struct names *n)
{
    struct cert_spec leaf = builder_server(host, 2, "ca", 1);

    leaf.subject = common_names[n->common_name];
    leaf.san_count = 0;
    if (n->dns != ABSENT)
        leaf.sans[leaf.san_count++] = dns_name(n->dns);
    if (n->ip != ABSENT)
        leaf.sans[leaf.san_count++] = ip_name(n->ip);
    return builder_cert(&leaf);
}

static struct span authority_of(const struct rules *r)
{
    struct cert_spec ca = builder_authority("ca", 1, "root", 0);
    struct span permitted = builder_join(dns_constraint(r->permitted_dns), ip_constraint(r->permitted_ip));
    struct span excluded = builder_join(dns_constraint(r->excluded_dns), ip_constraint(r->excluded_ip));

    if (permitted.size + excluded.size != 0)
        builder_add_extension(&ca, OID_NAME_CONSTRAINTS, true, builder_constraints(permitted, excluded));
    return builder_cert(&ca);
}

static void check(struct span leaf, const struct names *n, struct span ca, const struct rules *r, struct span root)
{
    static const struct {
        enum pkix_name_type type;
        const char *value;
        size_t size;
    } asked[] = {{PKIX_NAME_DNS, "test.localhost", 14}, {PKIX_NAME_IP, "\x7f\0\0\1", 4}};

    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct scene scene = scene_server(leaf, host, root);
        enum pkix_error want = model(n, r, asked[i].type), got;

        scene.request.name = (struct pkix_name){asked[i].type, span_of(asked[i].value, asked[i].size)};
        scene_add_extra(&scene, ca);
        got = scene_verify(&scene);
        if (got != want)
            fail_msg("names dns %d, ip %d, CN %s; permitted dns %d, ip %d; excluded dns %d, ip %d: want %s, got %s: %s",
                     (int)n->dns, (int)n->ip, common_names[n->common_name], (int)r->permitted_dns, (int)r->permitted_ip,
                     (int)r->excluded_dns, (int)r->excluded_ip, pkix_error_name(want), pkix_error_name(got),
                     scene.detail);
    }
}

static void constraints_agree_with_a_model_in_every_combination(void **state)
{
    struct span authorities[SIDES * SIDES * SIDES * SIDES], root = make(builder_authority("root", 0, "root", 0));
    struct rules rules[SIDES * SIDES * SIDES * SIDES];
    size_t count = 0;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rules); i++) {
        rules[count] = (struct rules){.permitted_dns = (enum side)(i % SIDES),
                                      .permitted_ip = (enum side)(i / SIDES % SIDES),
                                      .excluded_dns = (enum side)(i / (SIDES * SIDES) % SIDES),
                                      .excluded_ip = (enum side)(i / (SIDES * SIDES * SIDES))};
        authorities[count] = authority_of(&rules[count]);
        count++;
    }
    for (unsigned i = 0; i < SIDES * SIDES * COMMON_NAMES; i++) {
        struct names names = {.dns = (enum side)(i % SIDES),
                              .ip = (enum side)(i / SIDES % SIDES),
                              .common_name = (enum common_name)(i / (SIDES * SIDES))};
        struct span leaf = leaf_of(&names);

        for (size_t r = 0; r < count; r++)
            check(leaf, &names, authorities[r], &rules[r], root);
    }
}

/* ---- Path building. ---- */

static void expire(struct cert_spec *spec)
{
    spec->not_after = builder_now - 1;
}

static void not_yet(struct cert_spec *spec)
{
    spec->not_before = builder_now + 1;
}

static void say_not_ca(struct cert_spec *spec)
{
    spec->ca = BUILDER_NOT_CA;
}

static void leave_out_constraints(struct cert_spec *spec)
{
    spec->ca = BUILDER_NO_CONSTRAINTS;
}

static void serve_clients(struct cert_spec *spec)
{
    spec->eku = builder_oid(OID_CLIENT_AUTH);
}

static void sign_lists_only(struct cert_spec *spec)
{
    spec->key_usage = BUILDER_KU_CRL_SIGN;
}

static void constrain(struct cert_spec *spec)
{
    builder_add_extension(spec, OID_NAME_CONSTRAINTS, true,
                          builder_constraints(builder_general_name(DNS, "example.com"), builder_end));
}

static void exclude(struct cert_spec *spec)
{
    builder_add_extension(spec, OID_NAME_CONSTRAINTS, true,
                          builder_constraints(builder_end, builder_general_name(DNS, "localhost")));
}

static void use_sha1(struct cert_spec *spec)
{
    spec->inner_algorithm = spec->outer_algorithm =
        builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ECDSA_SHA1), builder_end);
}

static void sign_wrongly(struct cert_spec *spec)
{
    spec->signer = 30;
}

static void lead_nowhere(struct cert_spec *spec)
{
    spec->issuer = "gone";
}

static void have_another_key(struct cert_spec *spec)
{
    spec->key = 31;
}

static void be_of_version_1(struct cert_spec *spec)
{
    spec->version = 0;
    spec->ca = BUILDER_NO_CONSTRAINTS;
    spec->key_usage = -1;
}

static void demand_something(struct cert_spec *spec)
{
    builder_add_extension(spec, OID_USER_ID, true, builder_integer(1));
}

static void limit_path(struct cert_spec *spec)
{
    spec->path_length = 0; /* with an issuing authority below */
}

typedef void (*defect)(struct cert_spec *spec);

static const defect defects[] = {
    expire,   not_yet,      say_not_ca,   leave_out_constraints, serve_clients,   sign_lists_only,  constrain, exclude,
    use_sha1, sign_wrongly, lead_nowhere, have_another_key,      be_of_version_1, demand_something, limit_path};

/* root <- ca1 <- ca2 <- leaf, the certificate at `depth` there twice: once right and once with the defect. */
static struct scene two_ways(unsigned depth, defect apply, bool good_too, bool bad_first)
{
    static const char *const names[] = {"root", "ca1", "ca2"};
    struct scene scene =
        scene_server(make(builder_server(host, 3, "ca2", 2)), host, make(builder_authority("root", 0, "root", 0)));

    for (unsigned i = 1; i <= 2; i++) {
        struct span good = make(builder_authority(names[i], i, names[i - 1], i - 1));
        struct cert_spec bad = builder_authority(names[i], i, names[i - 1], i - 1);

        if (i != depth) {
            scene_add_extra(&scene, good);
            continue;
        }
        apply(&bad);
        if (bad_first)
            scene_add_extra(&scene, builder_cert(&bad));
        if (good_too)
            scene_add_extra(&scene, good);
        if (!bad_first)
            scene_add_extra(&scene, builder_cert(&bad));
    }
    return scene;
}

static void a_good_issuer_is_found_beside_a_bad_one(void **state)
{
    (void)state;
    for (unsigned depth = 1; depth <= 2; depth++) {
        for (size_t i = 0; i < ARRAY_LEN(defects); i++) {
            if (defects[i] == limit_path && depth == 2)
                continue; /* no authority is below: that is no defect */
            for (unsigned order = 0; order < 2; order++) {
                struct scene scene = two_ways(depth, defects[i], true, order == 0);

                assert_verdict(&scene, PKIX_OK);
                assert_int_equal(scene.path_length, 4);
                scene = two_ways(depth, defects[i], false, order == 0);
                if (scene_verify(&scene) == PKIX_OK)
                    fail_msg("defect %zu at depth %u is accepted", i, depth);
            }
        }
    }
}

/* Every pair of authorities of a name signs for every pair below, and only one way through all of them is good. */
static void the_only_good_way_through_a_lattice_is_found(void **state)
{
    static const char *const names[] = {"root", "L1", "L2", "L3"};
    enum { LEVELS = 3, WAYS = 8 };

    (void)state;
    for (unsigned way = 0; way < WAYS; way++) {
        struct scene scene = scene_server(make(builder_server(host, 20, "L3", 5 + (way >> 2 & 1))), host,
                                          make(builder_authority("root", 0, "root", 0)));

        for (unsigned level = 1; level <= LEVELS; level++) {
            for (unsigned subject = 0; subject < 2; subject++) {
                for (unsigned issuer = 0; issuer < (level == 1 ? 1u : 2u); issuer++) {
                    struct cert_spec ca = builder_authority(names[level], 2 * level - 1 + subject, names[level - 1],
                                                            level == 1 ? 0 : 2 * level - 3 + issuer);

                    if (subject != (way >> (level - 1) & 1) || (level > 1 && issuer != (way >> (level - 2) & 1)))
                        expire(&ca);
                    scene_add_extra(&scene, builder_cert(&ca));
                }
            }
        }
        assert_verdict(&scene, PKIX_OK);
        assert_int_equal(scene.path_length, 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constraints_agree_with_a_model_in_every_combination),
        cmocka_unit_test(a_good_issuer_is_found_beside_a_bad_one),
        cmocka_unit_test(the_only_good_way_through_a_lattice_is_found),
    };

    return cmocka_run_group_tests(tests, builder_start, builder_stop);
}
