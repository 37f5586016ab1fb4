/* tokens/shim/shim_internal.h: what the program tells the shim module before NSS loads it.
 *
 * The module has no way to ask for parameters that fits binary data, so the program opens it first with dlopen() and
 * calls shim_configure(); NSS then gets the same handle. No PKCS#11 types here: NSS's and p11-kit's headers exclude
 * each other, and each side has its own. */
#ifndef YETT_TOKENS_SHIM_SHIM_INTERNAL_H
#define YETT_TOKENS_SHIM_SHIM_INTERNAL_H

#include "base/span.h"

struct shim_agent {
    const char *socket_path;
    uint32_t sign_timeout_ms;
};

struct shim_identity {
    const char *uri;
    size_t agent;        /* index */
    struct span encoded; /* tokens_wire_identity */
};

struct shim_config {
    const struct shim_agent *agents;
    size_t agent_count;
    const struct shim_identity *identities; /* slot ids are indexes */
    size_t identity_count;
};

enum { SHIM_IDENTITIES_MAX = 1024 };

/* Copies everything. NULL: forget all. While the module is not initialised. false: an identity does not decode. */
typedef bool (*shim_configure_function)(const struct shim_config *config);
/* See tokens_shim_error(). */
typedef const char *(*shim_error_function)(void);

#define SHIM_CONFIGURE_SYMBOL "yett_shim_configure"
#define SHIM_ERROR_SYMBOL     "yett_shim_error"

/* CKA_ID of an identity's objects in its slot: the token's, or when that is empty one made from the key. */
struct tokens_wire_identity;
enum { SHIM_ID_MAX = 256 };
size_t shim_object_id(const struct tokens_wire_identity *identity, uint8_t id[SHIM_ID_MAX]);

#endif
