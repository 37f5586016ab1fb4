/* see strict_chain.h */
#include "strict_chain.h"

#include <setjmp.h>
#include <cmocka.h>

enum { KEY_ID_SIZE = 20 };

const char strict_chain_host[] = "www.example.com";

struct span strict_chain_key_id(char byte)
{
    char bytes[KEY_ID_SIZE];

    memset(bytes, byte, sizeof(bytes));
    return builder_bytes(bytes, sizeof(bytes));
}

struct span strict_chain_authority(struct span key_id)
{
    return builder_tlv(ASN1_SEQUENCE, builder_tlv(ASN1_CONTEXT | 0, key_id, builder_end), builder_end);
}

struct strict_chain strict_chain_make(void)
{
    struct strict_chain chain = {
        .root = builder_authority("root", 0, "root", 0),
        .ca = builder_authority("ca", 1, "root", 0),
        .leaf = builder_server(strict_chain_host, 2, "ca", 1),
        .root_key_id = strict_chain_key_id('r'),
        .ca_key_id = strict_chain_key_id('c'),
        .ca_authority = strict_chain_authority(strict_chain_key_id('r')),
        .leaf_authority = strict_chain_authority(strict_chain_key_id('c')),
        .purpose = PKIX_PURPOSE_SERVER,
    };

    return chain;
}

static struct span make(struct cert_spec spec, struct span key_id, struct span authority)
{
    if (key_id.size != 0)
        builder_add_extension(&spec, OID_SUBJECT_KEY_ID, false, builder_tlv(ASN1_OCTET_STRING, key_id, builder_end));
    if (authority.size != 0)
        builder_add_extension(&spec, OID_AUTHORITY_KEY_ID, false, authority);
    return builder_cert(&spec);
}

struct scene strict_chain_scene(const struct strict_chain *chain)
{
    struct span leaf = make(chain->leaf, span_of(NULL, 0), chain->leaf_authority);
    struct span root = make(chain->root, chain->root_key_id, chain->root_authority);
    struct scene scene =
        chain->purpose == PKIX_PURPOSE_SERVER ? scene_server(leaf, strict_chain_host, root) : scene_client(leaf, root);

    scene_add_extra(&scene, make(chain->ca, chain->ca_key_id, chain->ca_authority));
    return scene;
}

static void run(const struct strict_case *c)
{
    struct strict_chain chain = strict_chain_make();
    struct scene scene;
    enum pkix_error got;
    bool as_wanted;

    c->change(&chain);
    scene = strict_chain_scene(&chain);
    got = scene_verify(&scene);
    if (got != c->want_default)
        fail_msg("%s: default: want %s, got %s: %s", c->name, pkix_error_name(c->want_default), pkix_error_name(got),
                 scene.detail);
    scene.request.profile = PKIX_PROFILE_STRICT;
    got = scene_verify(&scene);
    /* What the default profile refuses the strict one does too, though it may give another reason: its rules come
     * before a leaf's own faults. */
    if (c->want_rule != NULL)
        as_wanted = got == PKIX_RULE_VIOLATION && strstr(scene.detail, c->want_rule) != NULL;
    else
        as_wanted = (got == PKIX_OK) == (c->want_default == PKIX_OK);
    if (!as_wanted)
        fail_msg("%s: strict: want %s, got %s: %s", c->name,
                 c->want_rule != NULL ? c->want_rule : pkix_error_name(c->want_default), pkix_error_name(got),
                 scene.detail);
}

void strict_chain_run(const struct strict_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        run(&cases[i]);
}

struct span strict_chain_sequence(struct span contents)
{
    return builder_tlv(ASN1_SEQUENCE, contents, builder_end);
}

struct span strict_chain_bytes(const char *text)
{
    return builder_bytes(text, strlen(text));
}
