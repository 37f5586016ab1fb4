/* cert_builder.h: certificates, CRLs and OCSP responses made for a test, right or deliberately wrong.
 *
 * Everything made lives until builder_stop(). NSS is started by builder_start() and must shut down cleanly in
 * builder_stop(): that is the leak test. Keys are P-256 unless said otherwise, made when first asked for. */
#ifndef YETT_TESTS_CERT_BUILDER_H
#define YETT_TESTS_CERT_BUILDER_H

#include "base/span.h"
#include "pkix/der.h"
#include "pkix/oid.h"

int builder_start(void **state);
int builder_stop(void **state);

enum { BUILDER_SANS_MAX = 16, BUILDER_EXTENSIONS_MAX = 8, BUILDER_KEYS_MAX = 64 };

/* 2026-01-01T00:00:00Z, the time of the tests; certificates live from a year before to a year after. */
static const int64_t builder_now = 1767225600;
enum { BUILDER_DAY = 86400, BUILDER_YEAR = 365 * BUILDER_DAY };

/* DER elements. builder_tlv() joins its parts under a tag; end the list with builder_end. */
extern const struct span builder_end;
struct span builder_tlv(unsigned tag, ...);
struct span builder_bytes(const void *data, size_t size);
struct span builder_join(struct span a, struct span b);
struct span builder_oid(enum pkix_oid oid);
struct span builder_integer(unsigned value);
struct span builder_boolean(bool value);
struct span builder_time(int64_t seconds);
struct span builder_generalized(int64_t seconds);
struct span builder_bit_string(struct span bytes);
struct span builder_name(const char *common_name); /* NULL: the empty name */
struct span builder_general_name(unsigned tag, const char *text);
struct span builder_point(struct span general_names); /* DistributionPointName with a full name */
struct span builder_extension(enum pkix_oid oid, bool critical, struct span value);
struct span builder_spki(unsigned key);
struct span builder_rsa_spki(unsigned bits); /* a key nobody can use; only its size is right */
struct span builder_sign(struct span tbs, unsigned signer);
struct span builder_signed(struct span tbs, struct span algorithm, struct span signature);
struct span builder_ecdsa_sha256(void); /* AlgorithmIdentifier */

enum builder_ca { BUILDER_NO_CONSTRAINTS, BUILDER_NOT_CA, BUILDER_CA };

struct cert_spec {
    const char *subject, *issuer;        /* common names; NULL: empty */
    struct span subject_der, issuer_der; /* instead of subject and issuer, when given */
    struct span validity;                /* contents; instead of the two dates, when given */
    unsigned key, signer;                /* numbers of keys */
    struct span spki;                    /* instead of key, when given */
    enum builder_ca ca;
    int path_length; /* -1: none */
    bool basic_constraints_not_critical;
    int key_usage;   /* bits of the first byte, most significant first; -1: no extension */
    struct span eku; /* contents of the SEQUENCE; size 0: no extension */
    struct span sans[BUILDER_SANS_MAX];
    unsigned san_count;
    struct span extensions[BUILDER_EXTENSIONS_MAX]; /* more, whole */
    unsigned extension_count;
    int64_t not_before, not_after;
    struct span serial;                                      /* contents; size 0: made from the subject and keys */
    int version;                                             /* 0..3; written even when 0 */
    struct span outer_algorithm, inner_algorithm, signature; /* instead of the right ones, when given */
};

enum { BUILDER_KU_SIGN = 0x80, BUILDER_KU_CERT_SIGN = 0x04, BUILDER_KU_CRL_SIGN = 0x02 };

/* What is usual, to be changed where the test is about it. */
struct cert_spec builder_authority(const char *subject, unsigned key, const char *issuer, unsigned signer);
struct cert_spec builder_server(const char *host, unsigned key, const char *issuer, unsigned signer);
struct cert_spec builder_client(const char *common_name, unsigned key, const char *issuer, unsigned signer);
void builder_add_dns(struct cert_spec *spec, const char *host);
void builder_add_extension(struct cert_spec *spec, enum pkix_oid oid, bool critical, struct span value);

struct span builder_cert(const struct cert_spec *spec);

/* NameConstraints of GeneralNames; either may be builder_end. */
struct span builder_constraints(struct span permitted_names, struct span excluded_names);

struct crl_spec {
    const char *issuer;
    unsigned signer;
    struct span serials[8]; /* contents */
    unsigned serial_count;
    struct span entry_extensions;     /* of every entry, contents of the SEQUENCE */
    int64_t this_update, next_update; /* next 0: none */
    struct span extensions[4];        /* besides the number */
    unsigned extension_count;
    bool no_number, critical_number, version_1;
    unsigned number; /* 0: 7 */
};
struct crl_spec builder_crl_of(const char *issuer, unsigned signer);
struct span builder_crl(const struct crl_spec *spec);

enum ocsp_status { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN };
struct ocsp_spec {
    struct span cert, issuer; /* DER */
    unsigned signer;
    const char *responder; /* name; NULL: the signer's key hash */
    enum ocsp_status statuses[4];
    unsigned status_count;
    int64_t this_update, next_update; /* next 0: none */
    struct span delegate;             /* a certificate in the response */
    unsigned response_status;
    bool critical_extension, other_serial;
    bool sha256_ids;     /* in the CertID, instead of SHA-1 */
    bool short_key_hash; /* the responder's, without its last byte */
};
struct ocsp_spec builder_ocsp_about(struct span cert, struct span issuer, const char *responder, unsigned signer);
struct span builder_ocsp(const struct ocsp_spec *spec);

#endif
