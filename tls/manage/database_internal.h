/* tls/manage/database_internal.h: what database.c and issue.c share: NSS objects of the open database. */
#ifndef YETT_TLS_MANAGE_DATABASE_INTERNAL_H
#define YETT_TLS_MANAGE_DATABASE_INTERNAL_H

#include "tls/manage/database.h"

#include <cert.h>
#include <keyhi.h>

enum { TLS_SHA256_BYTES = 32, TLS_SHA256_HEX_SIZE = 65 };

/* Lower-case hex SHA-256 of a certificate's DER, with its NUL. */
void tls_database_fingerprint(const SECItem *der, char out[TLS_SHA256_HEX_SIZE]);

/* The certificate with this fingerprint (hex, any case, colons allowed); a reference of the caller's. NULL with a
 * sentence when there is none. */
CERTCertificate *tls_database_cert(const char *sha256, char **error);

/* Store a certificate without trust; its key, if there is one with the matching CKA_ID, is found with it later. */
MUST_CHECK bool tls_database_store_cert(CERTCertificate *cert, char **error);

/* Whether the key's attributes let it be exported at all (CKA_EXTRACTABLE); else a sentence. */
MUST_CHECK bool tls_database_key_may_leave(SECKEYPrivateKey *key, char **error);

/* The curve of an EC public key, SEC_OID_UNKNOWN when it is none that we know. */
SECOidTag tls_database_curve(const SECKEYPublicKey *key);

/* Whether basic constraints say that this is an authority's certificate (RFC 5280 section 4.2.1.9). */
bool tls_database_is_ca(const CERTCertificate *cert);

/* All of an entry but what only the database knows (has_key, trust). */
MUST_CHECK bool tls_database_entry_fill(CERTCertificate *cert, struct tls_database_entry *entry, char **error);

/* RFC 4514 text of a name, safe to print: control bytes and what is no UTF-8 as \HH. Owned by the caller. */
char *tls_database_name_text(CERTName *name);

#endif
