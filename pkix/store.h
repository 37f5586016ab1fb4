/* pkix/store.h: whom a service trusts: anchors, known intermediates, distrusted certificates.
 *
 * Filled once at start, then immutable and shared by all threads (pkix/verify.h). Anchors are compared by their whole
 * DER, never by name or key identifier. NSS must be initialised. On failure each function leaves a sentence in *error
 * (owned by the caller) that names the file, the certificate and the field. */
#ifndef YETT_PKIX_STORE_H
#define YETT_PKIX_STORE_H

#include "base/span.h"

struct pkix_store;

struct pkix_store *pkix_store_create(void);
void pkix_store_destroy(struct pkix_store **store);

/* The certificates trusted in the open NSS database, as its trust flags say. */
MUST_CHECK bool pkix_store_add_database(struct pkix_store *store, char **error);

/* Told of a certificate that is left out: "FILE:LINE: certificate N: SUBJECT: why", lent; after
 * PKIX_STORE_LEFT_OUT_MAX of one path, how many more. */
enum { PKIX_STORE_LEFT_OUT_MAX = 20 };
typedef void pkix_store_left_out(void *ctx, const char *sentence);

/* Every certificate of a file or folder (pkix/pem.h). One that cannot be used is left out and told, so that one bad
 * authority does not cost all of a bundle; none that can be used is a failure, and so is a file that is not whole.
 * `told` NULL: one that cannot be used is a failure, too. */
MUST_CHECK bool pkix_store_add_anchors_path(struct pkix_store *store, const char *path, pkix_store_left_out *told,
                                            void *ctx, char **error);
MUST_CHECK bool pkix_store_add_intermediates_path(struct pkix_store *store, const char *path, pkix_store_left_out *told,
                                                  void *ctx, char **error);

/* One certificate, DER (copied). */
MUST_CHECK bool pkix_store_add_anchor(struct pkix_store *store, struct span der, char **error);
MUST_CHECK bool pkix_store_add_intermediate(struct pkix_store *store, struct span der, char **error);

/* Trust one certificate, DER (copied), if it is an authority's: by its basic constraints, or where it has no extensions
 * (version 1) by having issued itself. *is_authority says; one that is not is left out, which is no failure. `origin`
 * is for messages. For sources in which anchors lie beside certificates that nobody means to trust, such as tokens. */
MUST_CHECK bool pkix_store_add_authority(struct pkix_store *store, struct span der, const char *origin,
                                         bool *is_authority, char **error);

/* Remember the authorities of verified paths, as pkix/intermediates.h has it: for a store that verifies many peers.
 * What is remembered is the one thing in a store that changes once verification has begun. Lives with the store; NULL
 * when pkix_store_remember() was not called. */
struct pkix_intermediates;
void pkix_store_remember(struct pkix_store *store);
struct pkix_intermediates *pkix_store_remembered(const struct pkix_store *store);

/* Never on any path, whatever else says it is good (non-deferrable: no other error hides it). By the SHA-256 of the
 * certificate, by issuer name and serial number, or by subject name and public key (or its SHA-256), as Mozilla's
 * OneCRL does; the spans are copied: whole names, the INTEGER's contents, the whole SubjectPublicKeyInfo. */
void pkix_store_distrust_sha256(struct pkix_store *store, const uint8_t digest[32]);
void pkix_store_distrust_issuer_serial(struct pkix_store *store, struct span issuer, struct span serial);
void pkix_store_distrust_subject_key(struct pkix_store *store, struct span subject, struct span spki);
void pkix_store_distrust_subject_key_sha256(struct pkix_store *store, struct span subject, const uint8_t digest[32]);
void pkix_store_distrust_certificate(struct pkix_store *store, struct span der);

/* Whether there is an anchor of these bytes, or with this fingerprint. */
bool pkix_store_has_anchor(const struct pkix_store *store, struct span der);
bool pkix_store_has_anchor_sha256(const struct pkix_store *store, const uint8_t digest[32]);

size_t pkix_store_anchor_count(const struct pkix_store *store);

/* The DER subject names of the anchors, for a server's CertificateRequest. */
struct span pkix_store_anchor_subject(const struct pkix_store *store, size_t index);
struct span pkix_store_anchor_der(const struct pkix_store *store, size_t index);

#endif
