/* pkix/request.h: what is asked of a verification: which chain, for what, when, and within which limits.
 *
 * The words are those of pkix/verify.h. All of it is values and borrowed bytes; nothing is decided here. */
#ifndef YETT_PKIX_REQUEST_H
#define YETT_PKIX_REQUEST_H

#include "base/span.h"
#include "pkix/oid_text.h"
#include "pkix/sources.h"

enum pkix_purpose { PKIX_PURPOSE_SERVER, PKIX_PURPOSE_CLIENT };

/* Which extended key usage a client's certificate must allow, where it names any: clientAuth, serverAuth, or one of
 * them. Public authorities issue no clientAuth any more, so that servers that talk to servers have certificates for
 * servers only. Which anchors count goes with it: those that are trusted for that use. */
enum pkix_client_usage { PKIX_CLIENT_USAGE_CLIENT, PKIX_CLIENT_USAGE_SERVER, PKIX_CLIENT_USAGE_ANY };
enum pkix_profile { PKIX_PROFILE_DEFAULT, PKIX_PROFILE_STRICT };

enum pkix_name_type { PKIX_NAME_NONE, PKIX_NAME_DNS, PKIX_NAME_IP, PKIX_NAME_EMAIL, PKIX_NAME_URI };

/* The name the leaf must be good for. DNS: text, without trailing NUL. IP: 4 or 16 bytes in network order. */
struct pkix_name {
    enum pkix_name_type type;
    struct span value;
};

/* The SHA-256 of a SubjectPublicKeyInfo. */
struct pkix_pin {
    uint8_t sha256[32];
};

/* A root that may issue for extended validation, and the policy that says so. */
struct pkix_ev_root {
    uint8_t policy[PKIX_OID_SIZE_MAX]; /* contents of the object identifier */
    size_t policy_size;
    uint8_t root_sha256[32]; /* of the root's certificate, DER */
};

/* What is asked about certificate policies: the inputs (c) to (g) of RFC 5280 section 6.1.1, and extended validation.
 * All zero: nothing is asked, and still a path fails on which a certificate requires an explicit policy
 * (policyConstraints) and no policy holds. Everything is borrowed until pkix_verify() returns. */
struct pkix_policy_inputs {
    const struct span *policies; /* user-initial-policy-set, contents of object identifiers. None, or anyPolicy among */
    size_t policy_count;         /* them: any. They are demanded only with explicit_policy */
    bool explicit_policy;        /* initial-explicit-policy: some policy, one of those named, has to hold */
    bool inhibit_policy_mapping; /* initial-policy-mapping-inhibit */
    bool inhibit_any_policy;     /* initial-any-policy-inhibit */
    bool require_ev;             /* the path has to be one of extended validation, by ev_roots */
    const struct pkix_ev_root *ev_roots;
    size_t ev_root_count;
};

struct pkix_limits {
    unsigned signature_checks_max;    /* 100 */
    unsigned signature_cost_us_max;   /* 30000: of all checks together, by pkix/signature.h; 50 of P-256, 23 of P-384 */
    unsigned path_steps_max;          /* 5000 */
    unsigned name_comparisons_max;    /* 250000 */
    unsigned policy_steps_max;        /* 20000: policies, mappings, nodes and edges looked at, on all paths */
    unsigned candidates_per_name_max; /* 64 */
    unsigned extras_max;              /* 48 certificates from the peer */
    size_t extras_bytes_max;          /* 128 KiB */
    unsigned intermediates_max;       /* 6: between leaf and anchor */
    unsigned wall_ms_max;             /* 2000; 0: none */
};

struct pkix_request {
    struct span leaf;          /* DER; borrowed until pkix_verify() returns */
    const struct span *extras; /* DER each; may be NULL when extras_count is 0 */
    size_t extras_count;
    enum pkix_purpose purpose;
    enum pkix_profile profile;
    struct pkix_name name;               /* PKIX_NAME_NONE: no name is checked (client certificates) */
    int64_t time;                        /* seconds since 1970-01-01T00:00:00Z */
    enum pkix_client_usage client_usage; /* client certificates */
    bool any_extended_key_usage;         /* client certificates: anyExtendedKeyUsage or none satisfies the purpose */
    enum pkix_revocation revocation;
    const struct span *stapled; /* OCSP responses, [0] for the leaf, [n] for extras[n-1]; size 0 where none */
    size_t stapled_count;
    const struct span *ocsp; /* OCSP responses from files or fetched, in any order */
    size_t ocsp_count;
    const struct pkix_crl_set *crls;             /* pkix/crl.h; borrowed; NULL: none */
    const struct pkix_evidence_source *evidence; /* NULL: none */
    const struct pkix_crl_source *crl_source;    /* NULL: none */
    const struct pkix_issuer_source *issuers;    /* NULL: none */
    enum pkix_waiting evidence_waiting;          /* of all three */
    struct pkix_policy_inputs policy;
    const struct pkix_pin *pins; /* some certificate of the path, anchor included, has one of these keys (as RFC 7469 */
    size_t pin_count;            /* section 2.6 has it); 0: any key will do */
    const struct pkix_limits *limits; /* NULL: pkix_limits_default */
};

/* A request for a TLS peer's certificate, with what follows from the side it is on; all else is for the caller to fill
 * in. Whoever verifies peers begins with it, so that none takes what another refuses. */
struct pkix_request pkix_request_of_server(void);
struct pkix_request pkix_request_of_client(enum pkix_client_usage usage);

extern const struct pkix_limits pkix_limits_default;

#endif
