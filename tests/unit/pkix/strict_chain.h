/* strict_chain.h: a chain that keeps every rule of the strict profile, to be changed where the test is about it. */
#ifndef YETT_TESTS_STRICT_CHAIN_H
#define YETT_TESTS_STRICT_CHAIN_H

#include "scene.h"

struct strict_chain {
    struct cert_spec root, ca, leaf;                          /* keys 0, 1 and 2 */
    struct span root_key_id, ca_key_id;                       /* contents of their SubjectKeyIdentifier; size 0: none */
    struct span root_authority, ca_authority, leaf_authority; /* AuthorityKeyIdentifier; size 0: none */
    enum pkix_purpose purpose;
};

extern const char strict_chain_host[];

struct strict_chain strict_chain_make(void);

/* An identifier of twenty such bytes, and the usual AuthorityKeyIdentifier with it. */
struct span strict_chain_key_id(char byte);
struct span strict_chain_authority(struct span key_id);

struct scene strict_chain_scene(const struct strict_chain *chain);

/* Changes one thing in a chain. */
struct strict_case {
    const char *name;
    void (*change)(struct strict_chain *chain);
    enum pkix_error want_default;
    const char *want_rule; /* part of the strict profile's sentence; NULL: it accepts or refuses like the default one */
};

/* A change of a test, and its row in the table of them. */
#define CHANGE(name) static void name(struct strict_chain *c)
#define ROW(name, want_default, want_rule)                                                                             \
    {                                                                                                                  \
#name, name, want_default, want_rule                                                                           \
    }

/* A SEQUENCE of these, and the bytes of a text. */
struct span strict_chain_sequence(struct span contents);
struct span strict_chain_bytes(const char *text);

/* Verifies each case in both profiles; fails with the first that differs. */
void strict_chain_run(const struct strict_case *cases, size_t count);

#endif
