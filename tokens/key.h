/* tokens/key.h: a private key on a token, its public half, and the certificates that go with it.
 *
 * A private key and its certificate are paired by CKA_ID and checked by public key. No private part is ever read. */
#ifndef YETT_TOKENS_KEY_H
#define YETT_TOKENS_KEY_H

#include "tokens/module.h"
#include "tokens/wire.h"

struct tokens_key {
    CK_OBJECT_HANDLE handle;
    enum tokens_wire_key type;
    struct tokens_bytes id;
    struct tokens_bytes label;
    struct tokens_bytes modulus; /* RSA, without leading zeros */
    struct tokens_bytes exponent;
    struct tokens_bytes ec_params; /* EC */
    struct tokens_bytes ec_point;  /* a DER OCTET STRING, whatever the token makes of CKA_EC_POINT */
    struct tokens_bytes spki;
    bool always_authenticate;
};

/* Read a private key's description. The public half comes from the private key object where it tells, else from the
 * public key or a certificate with the same CKA_ID. false with a sentence: no RSA or EC key, or no public half. */
MUST_CHECK bool tokens_key_read(const struct tokens_module *module, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
                                struct tokens_key *key, char **error);
void tokens_key_clear(struct tokens_key *key);

/* The public half of a key of this type from a SubjectPublicKeyInfo, as a certificate has it. False: it is of another
 * type, or malformed. */
MUST_CHECK bool tokens_key_take_spki(struct tokens_key *key, enum tokens_wire_key type, struct span spki);

/* Whether the certificate's public key is this key's. */
bool tokens_key_matches_cert(const struct tokens_key *key, struct span cert);

struct tokens_cert {
    CK_OBJECT_HANDLE handle;
    struct tokens_bytes der;
    struct tokens_bytes id;
};

struct tokens_cert_list {
    struct tokens_cert *certs;
    size_t count;
    size_t unreadable; /* certificates left out: they cannot be read, or are none that we can take apart */
    bool cut;          /* there may be more than TOKENS_OBJECTS_MAX */
};

/* All X.509 certificates of the token that can be read. */
CK_RV tokens_cert_list_read(const struct tokens_module *module, CK_SESSION_HANDLE session,
                            struct tokens_cert_list *list);
void tokens_cert_list_clear(struct tokens_cert_list *list);

/* Keep only the certificates that the URI names by object, id and type (all, when it has none of these), without those
 * that their token warns of (CKA_X_DISTRUSTED). */
void tokens_cert_list_select(const struct tokens_module *module, CK_SESSION_HANDLE session, P11KitUri *uri,
                             struct tokens_cert_list *list);

/* Whether the URI may name certificates that are to be trusted: it has to say on which token they are, or every token
 * that somebody plugs in could bring some. NULL, or a sentence that begins with `text`. Owned by the caller. */
char *tokens_cert_uri_problem(P11KitUri *uri, const char *text);

/* The key's certificate with the latest end, or NULL. `only` limits the choice to certificates that match (a URI's
 * attributes), unless NULL. */
const struct tokens_cert *tokens_cert_for_key(const struct tokens_module *module, CK_SESSION_HANDLE session,
                                              const struct tokens_cert_list *list, const struct tokens_key *key,
                                              P11KitUri *only);

/* The certificates above `leaf`: at most TOKENS_WIRE_CHAIN_MAX spans into the list. Returns how many. */
size_t tokens_cert_chain(const struct tokens_cert_list *list, struct span leaf, struct span *chain);

#endif
