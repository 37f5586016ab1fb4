/* see scene.h */
#include "scene.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct scene scene_server(struct span leaf, const char *host, struct span anchor)
{
    struct scene scene = {.request = {.leaf = leaf,
                                      .purpose = PKIX_PURPOSE_SERVER,
                                      .name = {PKIX_NAME_DNS, span_of_string(host)},
                                      .time = builder_now}};

    scene_add_anchor(&scene, anchor);
    return scene;
}

struct scene scene_client(struct span leaf, struct span anchor)
{
    struct scene scene = {.request = {.leaf = leaf, .purpose = PKIX_PURPOSE_CLIENT, .time = builder_now}};

    scene_add_anchor(&scene, anchor);
    return scene;
}

void scene_add_anchor(struct scene *scene, struct span der)
{
    assert(scene->anchor_count < SCENE_CERTS_MAX);
    scene->anchors[scene->anchor_count++] = der;
}

void scene_add_extra(struct scene *scene, struct span der)
{
    assert(scene->extra_count < SCENE_CERTS_MAX);
    scene->extras[scene->extra_count++] = der;
}

enum pkix_error scene_verify(struct scene *scene)
{
    struct pkix_store *store = pkix_store_create();
    struct pkix_crl_set *crls = pkix_crl_set_create();
    struct pkix_verdict *verdict = NULL;
    enum pkix_error result;

    for (size_t i = 0; i < scene->anchor_count; i++) {
        char *error = NULL;

        if (!pkix_store_add_anchor(store, scene->anchors[i], &error)) {
            snprintf(scene->detail, sizeof(scene->detail), "%s", error);
            free(error);
        }
    }
    for (size_t i = 0; i < scene->crl_count; i++) {
        char *error = NULL;

        if (!pkix_crl_set_add(crls, scene->crls[i], "crl", &error))
            free(error);
    }
    if (scene->prepare != NULL)
        scene->prepare(store);
    scene->request.extras = scene->extras;
    scene->request.extras_count = scene->extra_count;
    scene->request.crls = crls;
    scene->request.stapled = scene->staples;
    scene->request.stapled_count = 8;
    result = pkix_verify(store, &scene->request, &verdict);
    assert_int_equal(result, pkix_verdict_error(verdict));
    scene->signature_checks = pkix_verdict_signature_checks(verdict);
    scene->path_length = pkix_verdict_path_length(verdict);
    scene->tried_count = pkix_verdict_tried_count(verdict);
    snprintf(scene->detail, sizeof(scene->detail), "%s", pkix_verdict_detail(verdict));
    scene->warning_count = pkix_verdict_warning_count(verdict);
    snprintf(scene->warning, sizeof(scene->warning), "%s",
             scene->warning_count == 0 ? "" : pkix_verdict_warning(verdict, 0));
    scene->policies[0] = '\0';
    for (size_t i = 0; i < pkix_verdict_policy_count(verdict); i++) {
        size_t size = strlen(scene->policies);

        snprintf(scene->policies + size, sizeof(scene->policies) - size, "%s%s", i == 0 ? "" : " ",
                 pkix_verdict_policy(verdict, i));
    }
    snprintf(scene->ev, sizeof(scene->ev), "%s",
             pkix_verdict_ev_policy(verdict) == NULL ? "" : pkix_verdict_ev_policy(verdict));
    pkix_verdict_destroy(&verdict);
    pkix_crl_set_destroy(&crls);
    pkix_store_destroy(&store);
    return result;
}

void assert_verdict_at(struct scene *scene, enum pkix_error want, const char *file, int line)
{
    enum pkix_error got = scene_verify(scene);

    if (got == want)
        return;
    print_error("%s:%d: want %s, got %s: %s\n", file, line, pkix_error_name(want), pkix_error_name(got), scene->detail);
    _fail(file, line);
}
