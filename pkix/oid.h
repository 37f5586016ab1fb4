/* pkix/oid.h: the contents octets of the object identifiers pkix/ knows. */
#ifndef YETT_PKIX_OID_H
#define YETT_PKIX_OID_H

#include "base/span.h"

/* X(name, size, contents) */
#define PKIX_OID_LIST(X)                                                                                               \
    X(OID_KEY_USAGE, 3, "\x55\x1d\x0f")                                                                                \
    X(OID_SUBJECT_ALT_NAME, 3, "\x55\x1d\x11")                                                                         \
    X(OID_SUBJECT_DIRECTORY_ATTRIBUTES, 3, "\x55\x1d\x09")                                                             \
    X(OID_ISSUER_ALT_NAME, 3, "\x55\x1d\x12")                                                                          \
    X(OID_BASIC_CONSTRAINTS, 3, "\x55\x1d\x13")                                                                        \
    X(OID_CRL_NUMBER, 3, "\x55\x1d\x14")                                                                               \
    X(OID_REASON_CODE, 3, "\x55\x1d\x15")                                                                              \
    X(OID_INVALIDITY_DATE, 3, "\x55\x1d\x18")                                                                          \
    X(OID_DELTA_CRL_INDICATOR, 3, "\x55\x1d\x1b")                                                                      \
    X(OID_ISSUING_DISTRIBUTION_POINT, 3, "\x55\x1d\x1c")                                                               \
    X(OID_CERTIFICATE_ISSUER, 3, "\x55\x1d\x1d")                                                                       \
    X(OID_NAME_CONSTRAINTS, 3, "\x55\x1d\x1e")                                                                         \
    X(OID_CRL_DISTRIBUTION_POINTS, 3, "\x55\x1d\x1f")                                                                  \
    X(OID_CERTIFICATE_POLICIES, 3, "\x55\x1d\x20")                                                                     \
    X(OID_ANY_POLICY, 4, "\x55\x1d\x20\x00")                                                                           \
    X(OID_POLICY_MAPPINGS, 3, "\x55\x1d\x21")                                                                          \
    X(OID_AUTHORITY_KEY_ID, 3, "\x55\x1d\x23")                                                                         \
    X(OID_POLICY_CONSTRAINTS, 3, "\x55\x1d\x24")                                                                       \
    X(OID_EXTENDED_KEY_USAGE, 3, "\x55\x1d\x25")                                                                       \
    X(OID_ANY_EXTENDED_KEY_USAGE, 4, "\x55\x1d\x25\x00")                                                               \
    X(OID_INHIBIT_ANY_POLICY, 3, "\x55\x1d\x36")                                                                       \
    X(OID_SUBJECT_KEY_ID, 3, "\x55\x1d\x0e")                                                                           \
    X(OID_AUTHORITY_INFO_ACCESS, 8, "\x2b\x06\x01\x05\x05\x07\x01\x01")                                                \
    X(OID_QC_STATEMENTS, 8, "\x2b\x06\x01\x05\x05\x07\x01\x03")                                                        \
    X(OID_TLS_FEATURE, 8, "\x2b\x06\x01\x05\x05\x07\x01\x18")                                                          \
    X(OID_SERVER_AUTH, 8, "\x2b\x06\x01\x05\x05\x07\x03\x01")                                                          \
    X(OID_CLIENT_AUTH, 8, "\x2b\x06\x01\x05\x05\x07\x03\x02")                                                          \
    X(OID_OCSP_SIGNING, 8, "\x2b\x06\x01\x05\x05\x07\x03\x09")                                                         \
    X(OID_SMTP_UTF8_MAILBOX, 8, "\x2b\x06\x01\x05\x05\x07\x08\x09")                                                    \
    X(OID_QUALIFIER_CPS, 8, "\x2b\x06\x01\x05\x05\x07\x02\x01")                                                        \
    X(OID_QUALIFIER_USER_NOTICE, 8, "\x2b\x06\x01\x05\x05\x07\x02\x02")                                                \
    X(OID_SUBJECT_INFO_ACCESS, 8, "\x2b\x06\x01\x05\x05\x07\x01\x0b")                                                  \
    X(OID_MS_UPN, 10, "\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03")                                                      \
    X(OID_AD_OCSP, 8, "\x2b\x06\x01\x05\x05\x07\x30\x01")                                                              \
    X(OID_AD_CA_ISSUERS, 8, "\x2b\x06\x01\x05\x05\x07\x30\x02")                                                        \
    X(OID_OCSP_BASIC, 9, "\x2b\x06\x01\x05\x05\x07\x30\x01\x01")                                                       \
    X(OID_OCSP_NOCHECK, 9, "\x2b\x06\x01\x05\x05\x07\x30\x01\x05")                                                     \
    X(OID_SCT_LIST, 10, "\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02")                                                    \
    X(OID_NETSCAPE_CERT_TYPE, 9, "\x60\x86\x48\x01\x86\xf8\x42\x01\x01")                                               \
    X(OID_PKCS7_DATA, 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01")                                                       \
    X(OID_PKCS7_SIGNED_DATA, 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")                                                \
    X(OID_EMAIL_ADDRESS, 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01")                                                    \
    X(OID_COMMON_NAME, 3, "\x55\x04\x03")                                                                              \
    X(OID_COUNTRY, 3, "\x55\x04\x06")                                                                                  \
    X(OID_LOCALITY, 3, "\x55\x04\x07")                                                                                 \
    X(OID_STATE, 3, "\x55\x04\x08")                                                                                    \
    X(OID_STREET, 3, "\x55\x04\x09")                                                                                   \
    X(OID_ORGANIZATION, 3, "\x55\x04\x0a")                                                                             \
    X(OID_ORGANIZATIONAL_UNIT, 3, "\x55\x04\x0b")                                                                      \
    X(OID_SERIAL_NUMBER, 3, "\x55\x04\x05")                                                                            \
    X(OID_DOMAIN_COMPONENT, 10, "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19")                                            \
    X(OID_USER_ID, 10, "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01")                                                     \
    X(OID_EC_PUBLIC_KEY, 7, "\x2a\x86\x48\xce\x3d\x02\x01")                                                            \
    X(OID_P256, 8, "\x2a\x86\x48\xce\x3d\x03\x01\x07")                                                                 \
    X(OID_P384, 5, "\x2b\x81\x04\x00\x22")                                                                             \
    X(OID_P521, 5, "\x2b\x81\x04\x00\x23")                                                                             \
    X(OID_RSA_ENCRYPTION, 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01")                                                   \
    X(OID_MGF1, 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08")                                                             \
    X(OID_RSA_SHA1, 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05")                                                         \
    X(OID_RSA_SHA1_OIW, 5, "\x2b\x0e\x03\x02\x1d")                                                                     \
    X(OID_RSA_PSS, 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")                                                          \
    X(OID_RSA_SHA256, 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b")                                                       \
    X(OID_RSA_SHA384, 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c")                                                       \
    X(OID_RSA_SHA512, 9, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d")                                                       \
    X(OID_ECDSA_SHA1, 7, "\x2a\x86\x48\xce\x3d\x04\x01")                                                               \
    X(OID_ECDSA_SHA256, 8, "\x2a\x86\x48\xce\x3d\x04\x03\x02")                                                         \
    X(OID_ECDSA_SHA384, 8, "\x2a\x86\x48\xce\x3d\x04\x03\x03")                                                         \
    X(OID_ECDSA_SHA512, 8, "\x2a\x86\x48\xce\x3d\x04\x03\x04")                                                         \
    X(OID_SHA1, 5, "\x2b\x0e\x03\x02\x1a")                                                                             \
    X(OID_SHA256, 9, "\x60\x86\x48\x01\x65\x03\x04\x02\x01")                                                           \
    X(OID_SHA384, 9, "\x60\x86\x48\x01\x65\x03\x04\x02\x02")                                                           \
    X(OID_SHA512, 9, "\x60\x86\x48\x01\x65\x03\x04\x02\x03")

#define PKIX_OID_ENUMERATOR(id, size, contents) id,
enum pkix_oid { PKIX_OID_LIST(PKIX_OID_ENUMERATOR) PKIX_OID_COUNT };
#undef PKIX_OID_ENUMERATOR

/* The contents of a known object identifier; static. */
struct span pkix_oid(enum pkix_oid id);

/* Whether `contents` is that object identifier. */
bool pkix_oid_is(struct span contents, enum pkix_oid id);

#endif
