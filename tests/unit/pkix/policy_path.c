/* see policy_path.h */
#include "policy_path.h"
#include "pkix/oid.h"

#include <stdlib.h>

static const uint8_t oids[10][3] = {{0x2a, 3, 0}, {0x2a, 3, 1}, {0x2a, 3, 2}, {0x2a, 3, 3}, {0x2a, 3, 4},
                                    {0x2a, 3, 5}, {0x2a, 3, 6}, {0x2a, 3, 7}, {0x2a, 3, 8}, {0x2a, 3, 9}};

struct span policy_oid(char policy)
{
    return policy == '*' ? pkix_oid(OID_ANY_POLICY) : span_of(oids[policy - '0'], sizeof(oids[0]));
}

/* An element of less than 128 bytes at the end of `out`. */
static size_t put(uint8_t *out, size_t size, unsigned tag, struct span contents)
{
    assert(contents.size < 0x80 && size + 2 + contents.size <= POLICY_EXTENSION_MAX);
    out[size] = (uint8_t)tag;
    out[size + 1] = (uint8_t)contents.size;
    if (contents.size != 0)
        memcpy(out + size + 2, contents.data, contents.size);
    return size + 2 + contents.size;
}

/* What is in `out` becomes the contents of a SEQUENCE. */
static struct span sequence(uint8_t *out, size_t size)
{
    memmove(out + 4, out, size);
    out[0] = ASN1_SEQUENCE;
    if (size < 0x80) {
        out[1] = (uint8_t)size;
        memmove(out + 2, out + 4, size);
        return span_of(out, size + 2);
    }
    assert(size >= 0x100);
    out[1] = 0x82;
    out[2] = (uint8_t)(size >> 8);
    out[3] = (uint8_t)size;
    return span_of(out, size + 4);
}

void policy_path_set(struct policy_path *p, unsigned at, enum pkix_extension id, struct span value, bool critical)
{
    p->certs[at].extensions[id] =
        (struct pkix_extension_value){.value = value, .present = value.size != 0, .critical = critical};
}

static void put_spec(struct policy_path *p, unsigned at, const struct policy_spec *spec)
{
    struct pkix_cert *cert = &p->certs[at];
    uint8_t inner[64];
    size_t size = 0, inner_size;

    *cert = (struct pkix_cert){.subject = span_of_string("subject"),
                               .issuer = span_of_string(spec->self_issued ? "subject" : "issuer")};
    for (const char *c = spec->policies; c != NULL && *c != '\0'; c++) {
        inner_size = put(inner, 0, ASN1_OID, policy_oid(*c));
        size = put(p->extensions[at][0], size, ASN1_SEQUENCE, span_of(inner, inner_size));
    }
    if (spec->policies != NULL)
        policy_path_set(p, at, PKIX_EXT_CERTIFICATE_POLICIES, sequence(p->extensions[at][0], size), false);
    size = 0;
    for (const char *c = spec->mappings; c != NULL && *c != '\0'; c += c[2] == ' ' ? 3 : 2) {
        inner_size = put(inner, put(inner, 0, ASN1_OID, policy_oid(c[0])), ASN1_OID, policy_oid(c[1]));
        size = put(p->extensions[at][1], size, ASN1_SEQUENCE, span_of(inner, inner_size));
    }
    if (spec->mappings != NULL)
        policy_path_set(p, at, PKIX_EXT_POLICY_MAPPINGS, sequence(p->extensions[at][1], size), true);
    size = 0;
    inner[0] = (uint8_t)(spec->require_explicit - 1);
    if (spec->require_explicit > 0)
        size = put(p->extensions[at][2], size, ASN1_CONTEXT | 0, span_of(inner, 1));
    inner[0] = (uint8_t)(spec->inhibit_mapping - 1);
    if (spec->inhibit_mapping > 0)
        size = put(p->extensions[at][2], size, ASN1_CONTEXT | 1, span_of(inner, 1));
    if (size > 0)
        policy_path_set(p, at, PKIX_EXT_POLICY_CONSTRAINTS, sequence(p->extensions[at][2], size), true);
    inner[0] = (uint8_t)(spec->inhibit_any - 1);
    if (spec->inhibit_any > 0)
        policy_path_set(p, at, PKIX_EXT_INHIBIT_ANY_POLICY,
                        span_of(p->extensions[at][3], put(p->extensions[at][3], 0, ASN1_INTEGER, span_of(inner, 1))),
                        true);
    p->path[at] = cert;
}

void policy_path_put(struct policy_path *p, const struct policy_spec *specs, unsigned count)
{
    assert(count <= POLICY_PATH_MAX);
    p->count = count;
    for (unsigned i = 0; i < count; i++)
        put_spec(p, count - 1 - i, &specs[i]);
}

enum pkix_error policy_path_check(const struct policy_path *p, const struct policy_asked *asked, unsigned *steps_left,
                                  struct pkix_policy_outcome *outcome)
{
    struct span users[12];
    struct pkix_policy_inputs inputs = {.policies = users,
                                        .explicit_policy = asked->explicit_policy,
                                        .inhibit_policy_mapping = asked->inhibit_mapping,
                                        .inhibit_any_policy = asked->inhibit_any};

    for (const char *u = asked->users; u != NULL && *u != '\0'; u++)
        users[inputs.policy_count++] = policy_oid(*u);
    return pkix_policy_check(p->path, p->count, &inputs, steps_left, outcome);
}

const char *policy_set_text(const struct pkix_policy_set *set, char text[static 12])
{
    unsigned size = 0;

    for (int c = '0'; c <= '9'; c++)
        if (pkix_policy_set_has(set, policy_oid((char)c)))
            text[size++] = (char)c;
    if (set->any)
        text[size++] = '*';
    text[size] = '\0';
    return text;
}

/* ---- RFC 5280's tree ---- */

enum { TREE_MAX = 100000 };

struct leaf {
    char policy;
    char expected[12];
    int parent, depth;
    bool gone;
};

static struct leaf tree[TREE_MAX];
static int tree_count;

static void grow(char policy, const char *expected, int parent)
{
    assert(tree_count < TREE_MAX && strlen(expected) < sizeof(tree[0].expected));
    tree[tree_count] = (struct leaf){.policy = policy, .parent = parent, .depth = tree[parent].depth + 1};
    memcpy(tree[tree_count].expected, expected, strlen(expected) + 1);
    tree_count++;
}

static bool has_child(int node, char policy)
{
    for (int i = 0; i < tree_count; i++)
        if (!tree[i].gone && i != 0 && tree[i].parent == node && (policy == '\0' || tree[i].policy == policy))
            return true;
    return false;
}

/* 6.1.3 (d) (3): nodes above `depth` without children, until there are none. */
static void prune(int depth)
{
    bool again = true;

    while (again) {
        again = false;
        for (int i = 0; i < tree_count; i++)
            if (!tree[i].gone && tree[i].depth < depth && !has_child(i, '\0'))
                again = tree[i].gone = true;
    }
}

/* 6.1.3 (d) (1) and (2). */
static void grow_level(const struct policy_spec *spec, int depth, bool any_counts)
{
    int before = tree_count;

    for (const char *p = spec->policies; *p != '\0'; p++) {
        const char expected[2] = {*p, '\0'};
        bool matched = false;

        if (*p == '*')
            continue;
        for (int i = 0; i < before; i++)
            if (!tree[i].gone && tree[i].depth == depth - 1 && strchr(tree[i].expected, *p) != NULL) {
                grow(*p, expected, i);
                matched = true;
            }
        for (int i = 0; !matched && i < before; i++)
            if (!tree[i].gone && tree[i].depth == depth - 1 && tree[i].policy == '*')
                grow(*p, expected, i);
    }
    if (strchr(spec->policies, '*') == NULL || !any_counts)
        return;
    for (int i = 0; i < before; i++) {
        if (tree[i].gone || tree[i].depth != depth - 1)
            continue;
        for (const char *e = tree[i].expected; *e != '\0'; e++) {
            const char expected[2] = {*e, '\0'};

            if (!has_child(i, *e))
                grow(*e, expected, i);
        }
    }
}

/* 6.1.4 (b). */
static void map_level(const struct policy_spec *spec, int depth, bool inhibited)
{
    const char *mappings = spec->mappings == NULL ? "" : spec->mappings;

    for (int from = '0'; from <= '9'; from++) {
        char to[12] = "";
        size_t size = 0;
        bool found = false;
        int before = tree_count;

        for (const char *m = mappings; *m != '\0'; m += m[2] == ' ' ? 3 : 2)
            if (m[0] == from && strchr(to, m[1]) == NULL)
                to[size++] = m[1];
        if (size == 0)
            continue;
        for (int i = 0; i < before; i++) {
            if (tree[i].gone || tree[i].depth != depth || tree[i].policy != from)
                continue;
            found = true;
            if (inhibited)
                tree[i].gone = true;
            else
                memcpy(tree[i].expected, to, sizeof(to));
        }
        for (int i = 0; !inhibited && !found && i < before; i++)
            if (!tree[i].gone && tree[i].depth == depth && tree[i].policy == '*')
                grow((char)from, to, tree[i].parent);
    }
    prune(depth);
}

static bool is_null(void)
{
    return tree[0].gone;
}

static void count_down(int *counter, bool self_issued)
{
    if (!self_issued && *counter > 0)
        --*counter;
}

static void cap(int *counter, int skip_certs)
{
    if (skip_certs > 0 && *counter > skip_certs - 1)
        *counter = skip_certs - 1;
}

/* 6.1.5 (g): cut what the user did not ask for; what is left below anyPolicy are the policies. */
static void intersect(int depth, const char *users, char valid[static 12])
{
    bool anyone = *users == '\0' || strchr(users, '*') != NULL;
    size_t size = 0;
    bool any = false, holds[10] = {false};

    if (is_null())
        tree_count = 0;
    for (int i = 1; i < tree_count; i++) {
        if (tree[i].gone || tree[tree[i].parent].policy != '*')
            continue;
        if (tree[i].policy == '*')
            any = any || tree[i].depth == depth;
        else if (anyone || strchr(users, tree[i].policy) != NULL)
            holds[tree[i].policy - '0'] = true;
    }
    for (const char *u = users; any && !anyone && *u != '\0'; u++)
        holds[*u - '0'] = true;
    for (int c = '0'; c <= '9'; c++)
        if (holds[c - '0'])
            valid[size++] = (char)c;
    if (any && anyone)
        valid[size++] = '*';
    valid[size] = '\0';
}

bool policy_tree_valid(const struct policy_spec *specs, unsigned count, const char *users, bool explicit_policy,
                       bool inhibit_mapping, bool inhibit_any, char valid[static 12])
{
    int n = (int)count, explicit_counter = explicit_policy ? 0 : n + 1;
    int mapping_counter = inhibit_mapping ? 0 : n + 1, any_counter = inhibit_any ? 0 : n + 1;

    tree_count = 1;
    tree[0] = (struct leaf){.policy = '*', .expected = "*", .parent = 0, .depth = 0};
    valid[0] = '\0';
    for (int i = 1; i <= n; i++) {
        const struct policy_spec *spec = &specs[i - 1];

        if (spec->policies == NULL) {
            tree[0].gone = true;
        } else if (!is_null()) {
            grow_level(spec, i, any_counter > 0 || (i < n && spec->self_issued));
            prune(i);
        }
        if (explicit_counter == 0 && is_null())
            return false;
        if (i == n)
            break;
        if (!is_null())
            map_level(spec, i, mapping_counter == 0);
        count_down(&explicit_counter, spec->self_issued);
        count_down(&mapping_counter, spec->self_issued);
        count_down(&any_counter, spec->self_issued);
        cap(&explicit_counter, spec->require_explicit);
        cap(&mapping_counter, spec->inhibit_mapping);
        cap(&any_counter, spec->inhibit_any);
    }
    count_down(&explicit_counter, false);
    if (specs[n - 1].require_explicit == 1)
        explicit_counter = 0;
    intersect(n, users, valid);
    return explicit_counter > 0 || valid[0] != '\0';
}
