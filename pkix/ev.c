/* see pkix/ev.h */
#include "pkix/ev.h"
#include "base/text.h"
#include "pkix/nss_crypto.h"
#include "pkix/oid.h"

#include <stdlib.h>

#define ONE_PAIR_TOO_MANY "is one pair too many: they may be 1000"

enum { SHA256_SIZE = sizeof(((struct pkix_ev_root *)NULL)->root_sha256) };

/* 64 digits; openssl(1) prints colons between pairs of them. */
static bool decode_sha256(const char *text, uint8_t digest[static SHA256_SIZE])
{
    for (unsigned i = 0; i < 2 * SHA256_SIZE; i++) {
        int digit;

        if (i > 0 && i % 2 == 0 && *text == ':')
            text++;
        digit = base_text_hex_digit((uint8_t)*text);
        if (digit < 0)
            return false;
        text++;
        digest[i / 2] = (uint8_t)(digest[i / 2] << 4 | digit);
    }
    return *text == '\0';
}

static bool has_pair(const struct pkix_ev_list *list, const struct pkix_ev_root *root)
{
    for (size_t i = 0; i < list->count; i++)
        if (memcmp(&list->roots[i], root, sizeof(*root)) == 0)
            return true;
    return false;
}

static const char *add_pair(struct pkix_ev_list *list, char *oid)
{
    struct pkix_ev_root root;
    char *hex = strchr(oid, '=');

    memset(&root, 0, sizeof(root)); /* padding too: pairs are compared whole */
    if (hex == NULL)
        return "must be OID=SHA256, a policy and the SHA-256 of a root's certificate";
    *hex++ = '\0';
    if (!pkix_oid_parse(pkix_rules_trim(oid), root.policy, &root.policy_size))
        return "before the '=' stands a policy's object identifier, such as 2.23.140.1.1";
    if (pkix_oid_is(span_of(root.policy, root.policy_size), OID_ANY_POLICY))
        return "anyPolicy says nothing of extended validation";
    if (!decode_sha256(pkix_rules_trim(hex), root.root_sha256))
        return "after the '=' stands the SHA-256 of a root's certificate, 64 hexadecimal digits";
    if (has_pair(list, &root))
        return "the pair is there already";
    if (list->count == PKIX_EV_ROOTS_MAX)
        return ONE_PAIR_TOO_MANY;
    list->roots = base_realloc_array(list->roots, list->count + 1, sizeof(*list->roots));
    list->roots[list->count++] = root;
    return NULL;
}
static_assert(PKIX_EV_ROOTS_MAX == 1000, "a sentence says so");

const char *pkix_ev_list_add(struct pkix_ev_list *list, const char *pair)
{
    char *copy = base_strdup(pair);
    const char *sentence = add_pair(list, copy);

    free(copy);
    return sentence;
}

static const char *take(void *target, char *rule)
{
    return add_pair(target, rule);
}

bool pkix_ev_list_add_path(struct pkix_ev_list *list, const char *path, pkix_rules_problem *problem, void *ctx)
{
    static const struct pkix_rules_kind kind = {take, PKIX_EV_ROOTS_MAX, ONE_PAIR_TOO_MANY};
    size_t count;

    if (!pkix_rules_read(path, &kind, list, &count, problem, ctx))
        return false;
    if (count == 0)
        problem(ctx, 0, "has no pair OID=SHA256 in it: nothing would ever be extended validation");
    return count > 0;
}

void pkix_ev_list_clear(struct pkix_ev_list *list)
{
    free(list->roots);
    *list = (struct pkix_ev_list){.roots = NULL};
}

const struct pkix_ev_root *pkix_ev_find(const struct pkix_policy_inputs *inputs, const struct pkix_cert *leaf,
                                        const struct pkix_cert *root, const struct pkix_policy_set *authorities)
{
    struct pkix_policies of_leaf;
    uint8_t sha256[SHA256_SIZE];
    const char *what;

    if (inputs->ev_root_count == 0 || pkix_policies_read(leaf, &of_leaf, &what) != PKIX_OK || of_leaf.count == 0 ||
        !pkix_nss_digest(PKIX_SHA256, root->der, sha256))
        return NULL;
    for (size_t i = 0; i < inputs->ev_root_count; i++) {
        const struct pkix_ev_root *pair = &inputs->ev_roots[i];
        struct span policy = span_of(pair->policy, pair->policy_size);

        if (memcmp(pair->root_sha256, sha256, sizeof(sha256)) == 0 && pkix_policies_have(&of_leaf, policy) &&
            pkix_policy_set_has(authorities, policy))
            return pair;
    }
    return NULL;
}
