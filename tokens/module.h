/* tokens/module.h: a PKCS#11 module loaded with p11-kit, and what is asked of it again and again.
 *
 * For the agent and for "yett token". p11-kit's PKCS#11 header and NSS's cannot be included together: no NSS here.
 * Threads: load and unload from one thread; the rest is as thread-safe as the module is (see `serialise`). */
#ifndef YETT_TOKENS_MODULE_H
#define YETT_TOKENS_MODULE_H

#include "base/span.h"
#include "tokens/ckr.h"
#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

struct tokens_module {
    CK_FUNCTION_LIST *p11;
    char *path;
    char *parameters; /* C_Initialize()'s reserved string; NULL: none */
    bool initialized;
    bool serialise; /* only one call at a time */
};

/* C_Initialize with OS locking, unless `serialise` is set; a module that cannot lock is initialised without, and has it
 * set then. */
CK_RV tokens_module_initialize(struct tokens_module *module);
CK_RV tokens_module_finalize(struct tokens_module *module);

/* "CKM_ECDSA"; of those without a name, the number. Owned by the caller. */
char *tokens_mechanism_name(CK_MECHANISM_TYPE type);

/* Bytes of our own. */
struct tokens_bytes {
    uint8_t *data;
    size_t size;
};

static inline struct span tokens_bytes_span(const struct tokens_bytes *bytes)
{
    return span_of(bytes->data, bytes->size);
}

void tokens_bytes_set(struct tokens_bytes *bytes, struct span value); /* copies */
void tokens_bytes_clear(struct tokens_bytes *bytes);

enum { TOKENS_ATTRIBUTE_MAX = 65536, TOKENS_OBJECTS_MAX = 512, TOKENS_SLOTS_MAX = 256 };

/* One attribute of an object; false when the object has it not, or will not tell. *value is replaced. */
MUST_CHECK bool tokens_attribute(const struct tokens_module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                                 CK_ATTRIBUTE_TYPE type, struct tokens_bytes *value);
MUST_CHECK bool tokens_attribute_ulong(const struct tokens_module *module, CK_SESSION_HANDLE session,
                                       CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_ULONG *value);
/* false also when it cannot be read */
bool tokens_attribute_bool(const struct tokens_module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                           CK_ATTRIBUTE_TYPE type);

/* Objects that match: at most TOKENS_OBJECTS_MAX, as an array of our own (NULL when none). */
CK_RV tokens_objects(const struct tokens_module *module, CK_SESSION_HANDLE session, CK_ATTRIBUTE *wanted,
                     CK_ULONG wanted_count, CK_OBJECT_HANDLE **objects, size_t *count);

/* Slots with a token in them; an array of our own. At most TOKENS_SLOTS_MAX. */
CK_RV tokens_slots(const struct tokens_module *module, CK_SLOT_ID **slots, size_t *count);

/* A field of PKCS#11 that is padded with blanks, without them; owned by the caller. Control characters and % are
 * written as in a pkcs11: URI (RFC 7512 section 2.3): whoever makes a token may call it what he likes, and its name is
 * told on terminals, and kept with a line end between label and serial number. */
char *tokens_padded_text(const unsigned char *bytes, size_t size);
/* The token's label, likewise. */
char *tokens_token_label(const CK_TOKEN_INFO *info);

/* Whether module, slot and token are those the URI means. */
bool tokens_uri_matches_token(const struct tokens_module *module, P11KitUri *uri, CK_SLOT_ID slot,
                              const CK_TOKEN_INFO *info);

/* An object as a URI (token, object, id, type); session CK_INVALID_HANDLE: the token's own. Owned by the caller. */
char *tokens_uri_format(const struct tokens_module *module, const CK_TOKEN_INFO *info, CK_SESSION_HANDLE session,
                        CK_OBJECT_HANDLE object);

/* Parse a URI that names a token or what is on it. NULL with a sentence: not a URI, unknown attributes, or a PIN in it.
 */
P11KitUri *tokens_uri_parse(const char *text, char **error);

#endif
