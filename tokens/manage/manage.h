/* tokens/manage/manage.h: what "yett token" does: looking at modules and tokens, making keys and requests, importing
 * certificates. Works on the real module with p11-kit, in the command's own process, not through an agent. */
#ifndef YETT_TOKENS_MANAGE_MANAGE_H
#define YETT_TOKENS_MANAGE_MANAGE_H

#include "base/span.h"
#include "tokens/module_load.h"
#include "tokens/pin.h"

/* --- what is there: values, for somebody else to print ---
 *
 * Text from a module may be a stranger's card's: it is plain ASCII here, anything else escaped. All of it is borrowed
 * until the callback returns. */

enum { TOKENS_FLAG_NAMES_MAX = 15 };

/* Names of the flags that are set, static. */
struct tokens_flag_names {
    size_t count;
    const char *names[TOKENS_FLAG_NAMES_MAX];
};

struct tokens_listed {
    const char *uri;
    struct tokens_flag_names flags; /* those that matter to who wants to use it */
    char *const *objects;           /* their pkcs11: URIs, without a PIN */
    size_t object_count;
};

/* Each token of the module. */
MUST_CHECK bool tokens_list(struct tokens_module *module, void (*take)(void *ctx, const struct tokens_listed *token),
                            void *ctx, char **error);

/* What a token does not tell is TOKENS_UNTOLD. */
#define TOKENS_UNTOLD UINT64_MAX

enum { TOKENS_VERSION_SIZE = 8, TOKENS_TEXT_SIZE = 4 * 32 + 1 /* a field of 32 bytes, all of them escaped */ };

struct tokens_module_info {
    const char *path;
    bool tells; /* false: it does not say what it is, and the four below are empty */
    char description[TOKENS_TEXT_SIZE];
    char manufacturer[TOKENS_TEXT_SIZE];
    char version[TOKENS_VERSION_SIZE];
    char cryptoki_version[TOKENS_VERSION_SIZE];
    bool locking; /* it can be used by several threads */
};

struct tokens_mechanism_info {
    char *name;
    uint64_t key_size_min, key_size_max; /* bits or bytes, as PKCS#11 has it for each mechanism */
    bool tells;                          /* false: not its flags */
    struct tokens_flag_names flags;
};

struct tokens_token_info {
    const char *uri;
    char label[TOKENS_TEXT_SIZE];
    char manufacturer[TOKENS_TEXT_SIZE];
    char model[TOKENS_TEXT_SIZE];
    char serial[TOKENS_TEXT_SIZE];
    char hardware_version[TOKENS_VERSION_SIZE];
    char firmware_version[TOKENS_VERSION_SIZE];
    struct tokens_flag_names flags;
    const char *login; /* of this process, not of the running yett */
    uint64_t pin_length_min, pin_length_max;
    struct {
        uint64_t open, read_write, open_max, read_write_max;
    } sessions;
    struct {
        uint64_t public_total, public_free, private_total, private_free;
    } memory;
    const struct tokens_mechanism_info *mechanisms;
    size_t mechanism_count;
};

struct tokens_info_taker {
    void *ctx;
    void (*module)(void *ctx, const struct tokens_module_info *module); /* first, once */
    void (*token)(void *ctx, const struct tokens_token_info *token);
};

/* What the module, its tokens and their mechanisms are and can do, without a PIN: of all tokens, or of those that
 * `uri` names (NULL: all; none matching is a failure). */
MUST_CHECK bool tokens_info(struct tokens_module *module, const char *uri, const struct tokens_info_taker *taker,
                            char **error);

/* --- keys and certificates --- */

/* The certificates that a URI names on exactly one token, read without a PIN, as tokens_certs_read() (tokens/certs.h)
 * does through an agent. */
MUST_CHECK bool tokens_certs_of(struct tokens_module *module, const char *uri,
                                bool (*take)(void *ctx, struct span der, char **error), void *ctx, char **error);

enum tokens_key_type {
    TOKENS_KEY_RSA_2048,
    TOKENS_KEY_RSA_3072,
    TOKENS_KEY_RSA_4096,
    TOKENS_KEY_P256,
    TOKENS_KEY_P384,
    TOKENS_KEY_P521
};

/* Whether there may be a private key with the label of a new one already: who names one of two by it names both. */
enum tokens_label_use { TOKENS_LABEL_ONCE, TOKENS_LABEL_AGAIN };

/* Make a key pair on the token the URI names (exactly one writable token must match): sign-only, sensitive, not
 * extractable; CKA_LABEL from the URI's object. Both halves have one CKA_ID from their first moment, so that whatever
 * ends this leaves no key that nobody can name; in the end it is SHA-1 of the public key, as NSS does, where the token
 * lets it be changed. *uri gets the private key's URI (owned by the caller). */
MUST_CHECK bool tokens_keygen(struct tokens_module *module, const char *token_uri, enum tokens_key_type type,
                              enum tokens_label_use use, const struct tokens_pin *pin, char **uri, char **error);

/* Initialise an empty slot's token (C_InitToken, C_InitPIN): for demos and tests with SoftHSM. */
MUST_CHECK bool tokens_init(struct tokens_module *module, const char *label, const struct tokens_pin *so_pin,
                            const struct tokens_pin *pin, char **error);

/* Whether the PINs of exactly one token are typed on its reader (CKF_PROTECTED_AUTHENTICATION_PATH). */
MUST_CHECK bool tokens_has_key_pad(struct tokens_module *module, const char *token_uri, bool *key_pad, char **error);

/* Change the user PIN of exactly one token (C_SetPIN in user mode). Both NULL where they are typed on its reader. A
 * token that refuses gets its code told, and what length it wants. */
MUST_CHECK bool tokens_set_pin(struct tokens_module *module, const char *token_uri, const struct tokens_pin *pin,
                               const struct tokens_pin *new_pin, char **error);

/* A PKCS#10 request (DER, owned by the caller) for the key the URI names, signed on the token. subject: RFC 4514 text
 * ("CN=Alice,O=Example"); sans: "dns:HOST", "email:ADDR", "ip:ADDR", "uri:URI". */
MUST_CHECK bool tokens_request(struct tokens_module *module, const char *key_uri, const char *subject,
                               const char *const *sans, size_t san_count, const struct tokens_pin *pin, uint8_t **der,
                               size_t *size, char **error);

/* Put an issued certificate (DER) on the token that holds its key, with the key's CKA_ID and label. */
MUST_CHECK bool tokens_import_certificate(struct tokens_module *module, const char *token_uri, struct span der,
                                          const struct tokens_pin *pin, char **uri, char **error);

#endif
