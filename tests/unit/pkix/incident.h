/* incident.h: the chain that incidents are told with: a root, an authority below it, and a server's leaf.
 *
 * test_incidents_*.c have one test for each incident elsewhere that has a testable form, named after it. */
#ifndef YETT_TESTS_INCIDENT_H
#define YETT_TESTS_INCIDENT_H

#include "scene.h"

extern const char incident_host[];

/* Keys 0, 1 and 2, each issued by the one before. */
struct span incident_root(void);
struct span incident_authority(void);
struct cert_spec incident_leaf(void);

struct span incident_make(struct cert_spec spec);

/* The leaf with the authority, under the root. */
struct scene incident_scene(struct cert_spec leaf);

#endif
