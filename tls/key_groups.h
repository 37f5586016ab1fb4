/* tls/key_groups.h: the groups of key exchange (base/key_groups.h) as NSS has them.
 *
 * Threads: any. */
#ifndef YETT_TLS_KEY_GROUPS_H
#define YETT_TLS_KEY_GROUPS_H

#include "base/base.h"
#include "base/key_groups.h"

/* Whether the NSS in use has it. */
bool tls_has_key_group(enum key_group group);

/* Those of `wanted` that NSS has, in its order, each once; with count 0 all that NSS has. The result is their number.
 */
size_t tls_key_groups_choose(const enum key_group *wanted, size_t count, enum key_group out[static KEY_GROUP_COUNT]);

unsigned tls_key_group_number(enum key_group group);  /* in TLS's supported_groups, and NSS's SSLNamedGroup */
const char *tls_key_group_name(enum key_group group); /* "x25519", static */

/* The one with this number; false: none of ours. */
bool tls_key_group_find(unsigned number, enum key_group *group);

#endif
