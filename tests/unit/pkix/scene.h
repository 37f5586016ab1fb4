/* scene.h: one verification: whom we trust, what the peer sent, what is asked. */
#ifndef YETT_TESTS_SCENE_H
#define YETT_TESTS_SCENE_H

#include "cert_builder.h"
#include "pkix/crl.h"
#include "pkix/store.h"
#include "pkix/verify.h"

enum { SCENE_CERTS_MAX = 64 };

struct scene {
    struct span anchors[SCENE_CERTS_MAX];
    size_t anchor_count;
    struct span extras[SCENE_CERTS_MAX];
    size_t extra_count;
    struct span crls[8];
    size_t crl_count;
    struct span staples[8];
    struct pkix_request request;               /* leaf, name, purpose and so on; the rest is filled in */
    void (*prepare)(struct pkix_store *store); /* more to do to the store */

    /* Afterwards: */
    unsigned signature_checks;
    size_t path_length, tried_count;
    char detail[1024];
    char policies[128]; /* that hold: dotted decimal, separated by blanks */
    char warning[1024]; /* the first, or "" */
    size_t warning_count;
    char ev[64]; /* the policy of extended validation, or "" */
};

/* A server's leaf under one anchor, good for its host, now. */
struct scene scene_server(struct span leaf, const char *host, struct span anchor);
struct scene scene_client(struct span leaf, struct span anchor);
void scene_add_anchor(struct scene *scene, struct span der);
void scene_add_extra(struct scene *scene, struct span der);

/* The error, which is also PKIX_BAD_DER when an anchor could not be added. */
enum pkix_error scene_verify(struct scene *scene);

/* Fails the test with the verdict's sentence. */
#define assert_verdict(scene, want) assert_verdict_at(scene, want, __FILE__, __LINE__)
void assert_verdict_at(struct scene *scene, enum pkix_error want, const char *file, int line);

#endif
