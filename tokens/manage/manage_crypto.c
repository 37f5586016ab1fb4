/* see tokens/manage/manage_crypto.h */
#include "tokens/manage/manage_crypto.h"
#include "base/address.h"
#include "base/nss_scope.h"
#include "tokens/der.h"

#include <nss.h>
#include <prerror.h>
#include <secasn1.h>
#include <stdlib.h>

struct manage_crypto {
    NSSInitContext *context; /* NULL: NSS was there already */
};

/* see tokens/manage/manage_crypto.h */
struct manage_crypto *manage_crypto_start(char **error)
{
    struct manage_crypto *crypto = base_alloc(sizeof(*crypto));

    if (NSS_IsInitialized())
        return crypto;
    crypto->context = NSS_InitContext("", "", "", "", NULL,
                                      NSS_INIT_READONLY | NSS_INIT_NOCERTDB | NSS_INIT_NOMODDB | NSS_INIT_FORCEOPEN |
                                          NSS_INIT_NOROOTINIT | NSS_INIT_OPTIMIZESPACE);
    if (crypto->context == NULL) {
        *error = base_printf("NSS does not start: %s", PR_ErrorToName(PR_GetError()));
        free(crypto);
        return NULL;
    }
    return crypto;
}

/* see tokens/manage/manage_crypto.h */
void manage_crypto_stop(struct manage_crypto **crypto)
{
    if (*crypto == NULL)
        return;
    if ((*crypto)->context != NULL)
        NSS_ShutdownContext((*crypto)->context);
    free(*crypto);
    *crypto = NULL;
}

/* see tokens/manage/manage_crypto.h */
bool manage_hash(enum tokens_wire_hash hash, struct span data, uint8_t *out)
{
    SECOidTag oid = SEC_OID_UNKNOWN;

    switch (hash) {
    case TOKENS_WIRE_HASH_SHA1:
        oid = SEC_OID_SHA1;
        break;
    case TOKENS_WIRE_HASH_SHA256:
        oid = SEC_OID_SHA256;
        break;
    case TOKENS_WIRE_HASH_SHA384:
        oid = SEC_OID_SHA384;
        break;
    case TOKENS_WIRE_HASH_SHA512:
        oid = SEC_OID_SHA512;
        break;
    case TOKENS_WIRE_HASH_NONE:
        return false;
    }
    return PK11_HashBuf(oid, out, data.data, (PRInt32)data.size) == SECSuccess;
}

/* see tokens/manage/manage_crypto.h */
bool manage_name(const char *subject, struct buffer *out, char **error)
{
    char quoted[BASE_QUOTE_SIZE];
    CERTName *name = CERT_AsciiToName(subject);
    SCOPED_ITEM der = NULL;

    if (name != NULL)
        der = SEC_ASN1EncodeItem(NULL, NULL, name, SEC_ASN1_GET(CERT_NameTemplate));
    if (name != NULL)
        CERT_DestroyName(name);
    if (der == NULL || !buffer_append(out, span_of(der->data, der->len))) {
        *error = base_printf("%s is not a subject such as CN=Alice,O=Example",
                             base_quote(subject, strlen(subject), quoted, sizeof(quoted)));
        return false;
    }
    return true;
}

/* The context tags of GeneralName. */
enum { NAME_EMAIL = 0x81, NAME_DNS = 0x82, NAME_URI = 0x86, NAME_IP = 0x87 };

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

/* see tokens/manage/manage_crypto.h */
bool manage_general_name(const char *san, struct buffer *out, char **error)
{
    static const struct {
        const char *prefix;
        uint8_t tag;
    } kinds[] = {{"email:", NAME_EMAIL}, {"dns:", NAME_DNS}, {"uri:", NAME_URI}};
    char quoted[BASE_QUOTE_SIZE];
    struct address address;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const char *value = san + strlen(kinds[i].prefix);

        if (strncmp(san, kinds[i].prefix, strlen(kinds[i].prefix)) != 0 || value[0] == '\0' || !is_ascii(value))
            continue;
        der_write(out, kinds[i].tag, span_of_string(value));
        return true;
    }
    if (strncmp(san, "ip:", 3) == 0 && address_parse(span_of_string(san + 3), &address)) {
        der_write(out, NAME_IP, span_of(address.bytes, address.size));
        return true;
    }
    *error = base_printf("%s is not dns:HOST, email:ADDRESS, ip:ADDRESS or uri:URI",
                         base_quote(san, strlen(san), quoted, sizeof(quoted)));
    return false;
}
