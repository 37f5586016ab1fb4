/* see incident.h */
#include "incident.h"

const char incident_host[] = "www.example.com";

struct span incident_make(struct cert_spec spec)
{
    return builder_cert(&spec);
}

struct span incident_root(void)
{
    return incident_make(builder_authority("root", 0, "root", 0));
}

struct span incident_authority(void)
{
    return incident_make(builder_authority("ca", 1, "root", 0));
}

struct cert_spec incident_leaf(void)
{
    return builder_server(incident_host, 2, "ca", 1);
}

struct scene incident_scene(struct cert_spec leaf)
{
    struct scene scene = scene_server(builder_cert(&leaf), incident_host, incident_root());

    scene_add_extra(&scene, incident_authority());
    return scene;
}
