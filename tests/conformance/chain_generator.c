/* chain-generator: chains that are right, or wrong in one or two ways, for differential.py.
 *
 * chain-generator SEED COUNT NOW FOLDER writes for each case N-roots.pem, N-leaf.pem and N-extras.pem, and on standard
 * output a line of JSON: its number, purpose, name, and the tags of what was done to it. The same seed gives the same
 * cases, signatures and dates apart; those are about NOW, in seconds since 1970. */
#include "cert_builder.h"

#include <jansson.h>
#include <nssb64.h>
#include <stdio.h>
#include <stdlib.h>

enum { INTERMEDIATES_MAX = 3, TAGS_MAX = 8, EXTRAS_MAX = 12 };
enum { KEY_ROOT = 1, KEY_OTHER_ROOT = 2, KEY_WRONG = 3, KEY_LEAF = 4, KEY_CA = 5 /* and the next ones */ };

struct chain {
    struct cert_spec leaf, root;
    struct cert_spec cas[INTERMEDIATES_MAX]; /* from the leaf upwards */
    unsigned ca_count;
    struct cert_spec more[EXTRAS_MAX]; /* sent as well, before the others */
    unsigned more_count;
    bool is_client;
    bool sends_root, shuffles, doubles;
    unsigned missing; /* 1 + the index of an intermediate that is not sent; 0: none */
    enum { TRUST_ROOT, TRUST_STRANGER, TRUST_INTERMEDIATE } trust;
    const char *name; /* asked for */
    const char *tags[TAGS_MAX];
    unsigned tag_count;
};

/* xorshift64*: the same everywhere. */
static uint64_t random_state;

static unsigned below(unsigned limit)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (unsigned)((random_state * 0x2545f4914f6cdd1du) >> 33) % limit;
}

static void tag(struct chain *c, const char *text)
{
    if (c->tag_count == TAGS_MAX)
        base_abort("too many tags");
    c->tags[c->tag_count++] = text;
}

/* Any authority of the chain, the root among them; *is_root says. */
static struct cert_spec *any_authority(struct chain *c, bool *is_root)
{
    unsigned at = below(c->ca_count + 1);

    *is_root = at == c->ca_count;
    return *is_root ? &c->root : &c->cas[at];
}

static void change_dates(struct chain *c)
{
    bool is_root = false, expired = below(2) == 0;
    struct cert_spec *spec = below(2) == 0 ? &c->leaf : any_authority(c, &is_root);

    if (expired)
        spec->not_after = builder_now - BUILDER_DAY;
    else
        spec->not_before = builder_now + BUILDER_DAY;
    tag(c, spec == &c->leaf ? "leaf-date" : is_root ? "root-date" : "issuer-date");
}

static void leave_one_out(struct chain *c)
{
    if (c->ca_count == 0)
        return;
    c->missing = 1 + below(c->ca_count);
    tag(c, "missing-intermediate");
}

static void break_signature(struct chain *c)
{
    bool is_root = false;
    struct cert_spec *spec = below(2) == 0 ? &c->leaf : any_authority(c, &is_root);

    spec->signer = KEY_WRONG;
    tag(c, is_root ? "root-signature" : "bad-signature");
}

static void take_ca_away(struct chain *c)
{
    bool is_root, absent = below(2) == 0;
    struct cert_spec *spec = any_authority(c, &is_root);

    spec->ca = absent ? BUILDER_NO_CONSTRAINTS : BUILDER_NOT_CA;
    tag(c, absent ? (is_root ? "root-no-basic-constraints" : "no-basic-constraints")
                  : (is_root ? "root-not-ca" : "not-ca"));
}

static void limit_length(struct chain *c)
{
    bool is_root;
    struct cert_spec *spec = any_authority(c, &is_root);
    unsigned under = is_root ? c->ca_count : (unsigned)(spec - c->cas);

    spec->path_length = (int)below(2);
    tag(c, under > (unsigned)spec->path_length ? "path-length" : "path-length-enough");
}

static void change_key_usage(struct chain *c)
{
    bool is_root;
    struct cert_spec *ca = any_authority(c, &is_root);

    switch (below(5)) {
    case 0:
        ca->key_usage = BUILDER_KU_CRL_SIGN;
        tag(c, is_root ? "root-key-usage" : "ca-key-usage");
        break;
    case 1:
        ca->key_usage = -1;
        tag(c, "ca-key-usage-absent");
        break;
    case 2:
        c->leaf.key_usage = -1;
        tag(c, "leaf-key-usage-absent");
        break;
    case 3:
        c->leaf.key_usage = 0x20;
        tag(c, "leaf-key-usage-encipherment");
        break;
    default:
        c->leaf.key_usage = BUILDER_KU_CERT_SIGN;
        tag(c, "leaf-key-usage-cert-sign");
    }
}

static void change_leaf_usage(struct chain *c)
{
    struct span right = builder_oid(c->is_client ? OID_CLIENT_AUTH : OID_SERVER_AUTH);
    struct span wrong = builder_oid(c->is_client ? OID_SERVER_AUTH : OID_CLIENT_AUTH);

    switch (below(4)) {
    case 0:
        c->leaf.eku = span_of(NULL, 0);
        tag(c, "leaf-usage-none");
        break;
    case 1:
        c->leaf.eku = wrong;
        tag(c, "leaf-usage-other");
        break;
    case 2:
        c->leaf.eku = builder_oid(OID_ANY_EXTENDED_KEY_USAGE);
        tag(c, "leaf-usage-any");
        break;
    default:
        c->leaf.eku = builder_join(wrong, right);
        tag(c, "leaf-usage-both");
    }
}

static void change_ca_usage(struct chain *c)
{
    bool is_root;
    struct cert_spec *ca = any_authority(c, &is_root);

    switch (below(3)) {
    case 0:
        ca->eku = builder_oid(c->is_client ? OID_CLIENT_AUTH : OID_SERVER_AUTH);
        tag(c, "ca-usage-same");
        break;
    case 1:
        ca->eku = builder_oid(c->is_client ? OID_SERVER_AUTH : OID_CLIENT_AUTH);
        tag(c, is_root ? "root-usage-other" : "ca-usage-other");
        break;
    default:
        ca->eku = builder_oid(OID_ANY_EXTENDED_KEY_USAGE);
        tag(c, is_root ? "root-usage-any" : "ca-usage-any");
    }
}

static void constrain(struct chain *c)
{
    static const struct {
        const char *tag, *permitted, *excluded;
    } table[] = {
        {"constraint-permits", "example.com", NULL},
        {"constraint-permits-label", "www.example.com", NULL},
        {"constraint-permits-other", "example.org", NULL},
        {"constraint-permits-case", "EXAMPLE.com", NULL},
        {"constraint-permits-suffix", "ample.com", NULL},
        {"constraint-excludes", NULL, "example.com"},
        {"constraint-excludes-other", NULL, "example.org"},
        {"constraint-excludes-part", "example.com", "www.example.com"},
    };
    unsigned row = below(ARRAY_LEN(table));
    bool is_root;
    struct cert_spec *ca = any_authority(c, &is_root);

    builder_add_extension(
        ca, OID_NAME_CONSTRAINTS, true,
        builder_constraints(
            table[row].permitted == NULL ? builder_end : builder_general_name(0x82, table[row].permitted),
            table[row].excluded == NULL ? builder_end : builder_general_name(0x82, table[row].excluded)));
    tag(c, table[row].tag);
    if (is_root)
        tag(c, "constraint-of-root");
}

static void change_name(struct chain *c)
{
    static const struct {
        const char *tag, *san;
    } table[] = {
        {"name-wildcard", "*.example.com"},       {"name-wildcard-deep", "*.com"},
        {"name-wildcard-part", "w*.example.com"}, {"name-other", "mail.example.com"},
        {"name-case", "WWW.Example.COM"},         {"name-dot", "www.example.com."},
        {"name-underscore", "w_w.example.com"},   {"name-cn-only", NULL},
    };
    unsigned row = below(ARRAY_LEN(table));

    if (c->is_client)
        return;
    c->leaf.san_count = 0;
    if (table[row].san != NULL)
        builder_add_dns(&c->leaf, table[row].san);
    tag(c, table[row].tag);
}

static void add_strange_extension(struct chain *c)
{
    bool is_root = false, twice = below(3) == 0;
    struct cert_spec *spec = below(2) == 0 ? &c->leaf : any_authority(c, &is_root);

    /* The identifier of a curve is surely no extension that anybody knows. */
    builder_add_extension(spec, OID_P256, !twice, builder_oid(OID_P256));
    if (twice) {
        if (spec->key_usage >= 0)
            builder_add_extension(spec, OID_KEY_USAGE, true, builder_bit_string(builder_bytes("\x84", 1)));
        else
            builder_add_extension(spec, OID_P256, false, builder_oid(OID_P256));
        tag(c, is_root ? "root-doubled-extension" : "doubled-extension");
    } else {
        tag(c, spec == &c->leaf ? "leaf-critical-extension"
               : is_root        ? "root-critical-extension"
                                : "ca-critical-extension");
    }
}

static void mismatch_algorithms(struct chain *c)
{
    struct cert_spec *spec = c->ca_count != 0 && below(2) == 0 ? &c->cas[0] : &c->leaf;

    spec->inner_algorithm = builder_tlv(ASN1_SEQUENCE, builder_oid(OID_ECDSA_SHA384), builder_end);
    tag(c, "algorithm-mismatch");
}

/* The highest intermediate a second time, from an authority nobody trusts, and sent first. */
static void cross_sign(struct chain *c)
{
    struct cert_spec cross;

    if (c->ca_count == 0)
        return;
    cross = c->cas[c->ca_count - 1];
    cross.issuer = "other root";
    cross.signer = KEY_OTHER_ROOT;
    cross.serial = builder_bytes("\x41", 1);
    if (below(2) == 0) {
        cross.not_after = builder_now - BUILDER_DAY;
        tag(c, "cross-signed-expired");
    } else {
        tag(c, "cross-signed");
    }
    c->more[c->more_count++] = cross;
    if (below(2) == 0)
        c->more[c->more_count++] = builder_authority("other root", KEY_OTHER_ROOT, "other root", KEY_OTHER_ROOT);
}

static void change_serial(struct chain *c)
{
    struct cert_spec *spec = c->ca_count != 0 && below(2) == 0 ? &c->cas[0] : &c->leaf;

    switch (below(3)) {
    case 0:
        spec->serial = builder_bytes("\0", 1);
        tag(c, "serial-zero");
        break;
    case 1:
        spec->serial = builder_bytes("\x81", 1);
        tag(c, "serial-negative");
        break;
    default:
        spec->serial =
            builder_bytes("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15", 21);
        tag(c, "serial-long");
    }
}

static void make_leaf_an_authority(struct chain *c)
{
    c->leaf.ca = BUILDER_CA;
    tag(c, "leaf-is-ca");
}

static void change_trust(struct chain *c)
{
    if (c->ca_count != 0 && below(2) == 0) {
        c->trust = TRUST_INTERMEDIATE;
        tag(c, "anchor-intermediate");
    } else {
        c->trust = TRUST_STRANGER;
        tag(c, "unknown-root");
    }
}

static void shrink_key(struct chain *c)
{
    c->leaf.spki = builder_rsa_spki(below(2) == 0 ? 1024 : 768);
    tag(c, "leaf-key-weak");
}

static void mess_up_order(struct chain *c)
{
    c->shuffles = true;
    tag(c, "shuffled");
    if (below(2) == 0) {
        c->doubles = true;
        tag(c, "doubled");
    }
    if (below(2) == 0) {
        c->more[c->more_count++] = builder_authority("stranger", KEY_WRONG, "nobody", KEY_WRONG);
        tag(c, "stranger");
    }
    if (below(2) == 0) {
        c->sends_root = true;
        tag(c, "root-sent");
    }
}

static void (*const changes[])(struct chain *c) = {
    change_dates,          leave_one_out,       break_signature, take_ca_away,  limit_length,
    change_key_usage,      change_leaf_usage,   change_ca_usage, constrain,     change_name,
    add_strange_extension, mismatch_algorithms, cross_sign,      change_serial, make_leaf_an_authority,
    change_trust,          shrink_key,          mess_up_order,   constrain,     change_leaf_usage,
};

static void make_chain(struct chain *c)
{
    static const char *const names[] = {"ca 1", "ca 2", "ca 3"};
    unsigned wanted;

    *c =
        (struct chain){.ca_count = below(INTERMEDIATES_MAX + 1), .is_client = below(4) == 0, .name = "www.example.com"};
    assert(c->ca_count <= INTERMEDIATES_MAX);
    c->root = builder_authority("root", KEY_ROOT, "root", KEY_ROOT);
    for (unsigned i = 0; i < c->ca_count; i++) {
        bool highest = i + 1 == c->ca_count;

        c->cas[i] = builder_authority(names[i], KEY_CA + i, highest ? "root" : names[i + 1],
                                      highest ? KEY_ROOT : KEY_CA + i + 1);
    }
    c->leaf = c->is_client ? builder_client("alice", KEY_LEAF, c->ca_count == 0 ? "root" : names[0],
                                            c->ca_count == 0 ? KEY_ROOT : KEY_CA)
                           : builder_server("www.example.com", KEY_LEAF, c->ca_count == 0 ? "root" : names[0],
                                            c->ca_count == 0 ? KEY_ROOT : KEY_CA);
    wanted = below(8) == 0 ? 0 : 1 + (below(3) == 0 ? 1 : 0);
    for (unsigned i = 0; i < wanted && c->tag_count <= TAGS_MAX / 2; i++)
        changes[below(ARRAY_LEN(changes))](c);
}

/* ---- output ---- */

static int64_t now;

/* certtool knows no other time than the present: all dates are moved there. */
static struct span cert_of(const struct cert_spec *spec)
{
    struct cert_spec moved = *spec;

    moved.not_before += now - builder_now;
    moved.not_after += now - builder_now;
    return builder_cert(&moved);
}

static FILE *open_file(const char *folder, unsigned number, const char *what)
{
    char *path = base_printf("%s/%u-%s.pem", folder, number, what);
    FILE *file = fopen(path, "w");

    if (file == NULL)
        base_abort("%s cannot be written", path);
    free(path);
    return file;
}

static void write_pem(FILE *file, struct span der)
{
    SECItem item = {siBuffer, (unsigned char *)(uintptr_t)der.data, (unsigned)der.size};
    char *base64 = NSSBase64_EncodeItem(NULL, NULL, 0, &item);

    fprintf(file, "-----BEGIN CERTIFICATE-----\n");
    for (const char *p = base64; *p != '\0'; p++)
        if (*p != '\r')
            fputc(*p, file);
    fprintf(file, "\n-----END CERTIFICATE-----\n");
    PORT_Free(base64);
}

static void write_extras(const struct chain *c, const struct span *cas, struct span root, FILE *file)
{
    struct span extras[EXTRAS_MAX + 2 * INTERMEDIATES_MAX + 1];
    unsigned count = 0;

    for (unsigned i = 0; i < c->more_count; i++)
        extras[count++] = cert_of(&c->more[i]);
    for (unsigned i = 0; i < c->ca_count; i++) {
        if (c->missing == i + 1)
            continue;
        extras[count++] = cas[i];
        if (c->doubles)
            extras[count++] = cas[i];
    }
    if (c->sends_root)
        extras[count++] = root;
    for (unsigned i = count; c->shuffles && i > 1; i--) {
        unsigned with = below(i);
        struct span moving = extras[i - 1];

        extras[i - 1] = extras[with];
        extras[with] = moving;
    }
    for (unsigned i = 0; i < count; i++)
        write_pem(file, extras[i]);
}

static void write_chain(const struct chain *c, const char *folder, unsigned number)
{
    struct span cas[INTERMEDIATES_MAX], root = cert_of(&c->root);
    struct cert_spec stranger = builder_authority("yet another root", KEY_WRONG, "yet another root", KEY_WRONG);
    FILE *roots = open_file(folder, number, "roots"), *leaf = open_file(folder, number, "leaf");
    FILE *extras = open_file(folder, number, "extras");
    json_t *tags = json_array(), *line;

    for (unsigned i = 0; i < c->ca_count; i++)
        cas[i] = cert_of(&c->cas[i]);
    write_pem(roots, c->trust == TRUST_ROOT           ? root
                     : c->trust == TRUST_INTERMEDIATE ? cas[c->ca_count - 1]
                                                      : cert_of(&stranger));
    write_pem(leaf, cert_of(&c->leaf));
    write_extras(c, cas, root, extras);
    fclose(roots);
    fclose(leaf);
    fclose(extras);
    for (unsigned i = 0; i < c->tag_count; i++)
        json_array_append_new(tags, json_string(c->tags[i]));
    line =
        json_pack("{s:i, s:s, s:s, s:i, s:I, s:o}", "case", (int)number, "purpose", c->is_client ? "client" : "server",
                  "name", c->name, "intermediates", (int)c->ca_count, "time", (json_int_t)now, "tags", tags);
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(line);
}

int main(int argc, char **argv)
{
    void *state = NULL;
    unsigned count = argc == 5 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

    if (count == 0 || builder_start(&state) != 0) {
        fprintf(stderr, "chain-generator SEED COUNT NOW FOLDER\n");
        return 2;
    }
    now = (int64_t)strtoll(argv[3], NULL, 10);
    random_state = 0x9e3779b97f4a7c15u ^ strtoull(argv[1], NULL, 10);
    for (unsigned i = 0; i < count; i++) {
        struct chain chain;

        make_chain(&chain);
        write_chain(&chain, argv[4], i);
    }
    return builder_stop(&state) == 0 ? 0 : 1;
}
