/* see pkix/ev.h */
#include "pkix/ev.h"
#include "pkix/nss_crypto.h"
#include "pkix/oid.h"
#include "pkix/pem.h"

#include <stdlib.h>

enum { SHA256_SIZE = sizeof(((struct pkix_ev_root *)NULL)->root_sha256) };

struct reading {
    struct pkix_ev_list *list;
    pkix_ev_problem *problem;
    void *ctx;
    unsigned line, problems;
    size_t pairs;
};

static void tell(struct reading *r, unsigned line, const char *sentence)
{
    if (r->problems < PKIX_EV_PROBLEMS_MAX)
        r->problem(r->ctx, line, sentence);
    else if (r->problems == PKIX_EV_PROBLEMS_MAX)
        r->problem(r->ctx, line, "there are more bad lines");
    r->problems++;
}

/* Blanks around it taken off, in place. */
static char *trim(char *text)
{
    size_t size;

    text += strspn(text, " \t\r");
    for (size = strlen(text); size > 0 && strchr(" \t\r", text[size - 1]) != NULL; size--)
        text[size - 1] = '\0';
    return text;
}

/* 64 digits; openssl(1) prints colons between pairs of them. */
static bool decode_sha256(const char *text, uint8_t digest[static SHA256_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (unsigned i = 0; i < 2 * SHA256_SIZE; i++) {
        const char *digit;

        if (i > 0 && i % 2 == 0 && *text == ':')
            text++;
        digit = *text == '\0' ? NULL : strchr(digits, *text >= 'A' && *text <= 'F' ? *text - 'A' + 'a' : *text);
        if (digit == NULL)
            return false;
        text++;
        digest[i / 2] = (uint8_t)(digest[i / 2] << 4 | (digit - digits));
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
    if (!pkix_oid_parse(trim(oid), root.policy, &root.policy_size))
        return "before the '=' stands a policy's object identifier, such as 2.23.140.1.1";
    if (pkix_oid_is(span_of(root.policy, root.policy_size), OID_ANY_POLICY))
        return "anyPolicy says nothing of extended validation";
    if (!decode_sha256(trim(hex), root.root_sha256))
        return "after the '=' stands the SHA-256 of a root's certificate, 64 hexadecimal digits";
    if (has_pair(list, &root))
        return "the pair is there already";
    if (list->count == PKIX_EV_ROOTS_MAX)
        return "is one pair too many: they may be 1000";
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

static void take_line(struct reading *r, char *line)
{
    const char *sentence;

    line[strcspn(line, "#")] = '\0';
    line = trim(line);
    if (*line == '\0')
        return;
    r->pairs++;
    sentence = add_pair(r->list, line);
    if (sentence != NULL)
        tell(r, r->line, sentence);
}

bool pkix_ev_list_add_path(struct pkix_ev_list *list, const char *path, pkix_ev_problem *problem, void *ctx)
{
    struct reading r = {.list = list, .problem = problem, .ctx = ctx};
    uint8_t *data;
    size_t size, prefix = strlen(path);
    char *error = NULL, *text, *rest, *line;

    if (!pkix_file_read(path, &data, &size, &error)) {
        /* "PATH: " is for who tells it to say. */
        problem(ctx, 0, strncmp(error, path, prefix) == 0 && strlen(error) > prefix + 2 ? error + prefix + 2 : error);
        free(error);
        return false;
    }
    if (memchr(data, '\0', size) != NULL)
        tell(&r, 0, "is not text: it has a NUL in it");
    text = base_strndup(size == 0 ? "" : (const char *)data, size);
    free(data);
    for (rest = text; r.problems <= PKIX_EV_PROBLEMS_MAX && (line = strsep(&rest, "\n")) != NULL;) {
        r.line++;
        take_line(&r, line);
    }
    free(text);
    if (r.pairs == 0 && r.problems == 0)
        tell(&r, 0, "has no pair OID=SHA256 in it: nothing would ever be extended validation");
    return r.problems == 0;
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
