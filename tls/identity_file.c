/* see tls/identity_file.h */
#include "tls/identity_file.h"

#include "tls/key_der.h"

#include <pk11pub.h>
#include <stdlib.h>

/* The first certificate and the one private key of the file; NULL where there is none. False: there are several keys.
 */
static bool find_pair(const struct tls_pem *pem, const struct tls_pem_block **cert, const struct tls_pem_block **key,
                      char **error)
{
    for (size_t i = 0; i < pem->count; i++) {
        const struct tls_pem_block *block = &pem->blocks[i];

        if (block->kind == BASE_PEM_CERTIFICATE && *cert == NULL)
            *cert = block;
        if (block->kind != BASE_PEM_KEY)
            continue;
        if (*key != NULL) {
            *error =
                base_printf("there is more than one private key, in line %u and line %u", (*key)->line, block->line);
            return false;
        }
        *key = block;
    }
    if (*cert != NULL && *key != NULL)
        return true;
    *error = base_printf("there is no %s: the certificate, those of its issuers and the key belong into this one file",
                         *cert == NULL ? "certificate" : "private key");
    return false;
}

static void list_certs(struct tls_identity_file *file)
{
    file->certs = base_alloc(file->pem.count * sizeof(*file->certs));
    for (size_t i = 0; i < file->pem.count; i++)
        if (file->pem.blocks[i].kind == BASE_PEM_CERTIFICATE)
            file->certs[file->cert_count++] = span_of(file->pem.blocks[i].der, file->pem.blocks[i].size);
}

static bool take_apart(struct tls_identity_file *file, char **error)
{
    const struct tls_pem_block *cert = NULL, *key = NULL;

    if (!find_pair(&file->pem, &cert, &key, error) ||
        !tls_key_der_to_pkcs8(key->label, span_of(key->der, key->size), &file->pkcs8, &file->pkcs8_size, error))
        return false;
    list_certs(file);
    return true;
}

/* see tls/identity_file.h */
bool tls_identity_file_read(const char *path, struct tls_identity_file *file, char **error)
{
    char quoted[BASE_QUOTE_SIZE];
    char *why = NULL;

    *file = (struct tls_identity_file){.certs = NULL};
    if (!tls_pem_read_file(path, &tls_pem_identity, BASE_FILE_KEY, &file->pem, error))
        return false;
    if (take_apart(file, &why))
        return true;
    *error = base_printf("%s: %s", base_quote(path, strlen(path), quoted, sizeof(quoted)), why);
    free(why);
    tls_identity_file_clear(file);
    return false;
}

/* see tls/identity_file.h */
void tls_identity_file_clear(struct tls_identity_file *file)
{
    tls_pem_clear(&file->pem);
    if (file->pkcs8 != NULL)
        base_wipe(file->pkcs8, file->pkcs8_size);
    free(file->pkcs8);
    free(file->certs);
    *file = (struct tls_identity_file){.certs = NULL};
}

/* see tls/identity_file.h */
bool tls_identity_file_id(const struct tls_identity_file *file, struct span salt, uint8_t id[TLS_IDENTITY_FILE_ID_SIZE])
{
    PK11Context *digest = PK11_CreateDigestContext(SEC_OID_SHA256);
    const struct span parts[] = {salt, file->certs[0], span_of(file->pkcs8, file->pkcs8_size)};
    bool good = digest != NULL && PK11_DigestBegin(digest) == SECSuccess;
    unsigned size = 0;

    for (size_t i = 0; i < ARRAY_LEN(parts) && good; i++) {
        uint8_t head[4] = {(uint8_t)(parts[i].size >> 24), (uint8_t)(parts[i].size >> 16),
                           (uint8_t)(parts[i].size >> 8), (uint8_t)parts[i].size};

        good = PK11_DigestOp(digest, head, sizeof(head)) == SECSuccess &&
               PK11_DigestOp(digest, parts[i].data, (unsigned)parts[i].size) == SECSuccess;
    }
    good = good && PK11_DigestFinal(digest, id, &size, TLS_IDENTITY_FILE_ID_SIZE) == SECSuccess &&
           size == TLS_IDENTITY_FILE_ID_SIZE;
    if (digest != NULL)
        PK11_DestroyContext(digest, PR_TRUE);
    return good;
}
