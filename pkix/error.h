/* pkix/error.h: why a certificate, a path or a revocation statement was refused.
 *
 * One list gives the enum, the fixed lower-case name (an interface: it is printed by `yett verify` and logged), the
 * NSS or NSPR error that makes NSS send the right TLS alert, and a sentence.
 *
 * Ranking, when several things are wrong: distrust of any certificate on the path, then revocation of an issuer and
 * problems of issuers, then an unknown issuer, then problems of the leaf itself, then revocation of the leaf, then its
 * name. Where all issuers of one certificate fail alike that error is told, otherwise PKIX_UNKNOWN_ISSUER; but an
 * issuer that is distrusted, then a path that only lacks a pinned key, and then one that lacks a policy, are told
 * whatever else was tried. */
#ifndef YETT_PKIX_ERROR_H
#define YETT_PKIX_ERROR_H

#include "base/base.h"

/* X(enumerator, name, NSS error, sentence) */
#define PKIX_ERROR_LIST(X)                                                                                             \
    X(PKIX_OK, "ok", 0, "the certificate is valid")                                                                    \
    X(PKIX_BAD_DER, "bad_der", SEC_ERROR_BAD_DER, "the encoding is not valid DER")                                     \
    X(PKIX_TOO_LARGE, "too_large", SEC_ERROR_BAD_DER,                                                                  \
      "the certificate is larger than 65,535 bytes, which are the most that are taken")                                \
    X(PKIX_BAD_INTEGER, "bad_integer", SEC_ERROR_BAD_DER, "an integer is not encoded as DER asks")                     \
    X(PKIX_BAD_TIME, "bad_time", SEC_ERROR_INVALID_TIME, "a date is not encoded as RFC 5280 asks")                     \
    X(PKIX_BAD_EXTENSION, "bad_extension", SEC_ERROR_EXTENSION_VALUE_INVALID,                                          \
      "an extension is malformed, empty or there twice")                                                               \
    X(PKIX_UNKNOWN_CRITICAL_EXTENSION, "unknown_critical_extension", SEC_ERROR_UNKNOWN_CRITICAL_EXTENSION,             \
      "a critical extension is not understood")                                                                        \
    X(PKIX_EMPTY_ISSUER, "empty_issuer", SEC_ERROR_BAD_DER, "the issuer name is empty")                                \
    X(PKIX_RULE_VIOLATION, "rule_violation", SEC_ERROR_BAD_DER, "a rule of the strict profile is broken")              \
    X(PKIX_UNKNOWN_ISSUER, "unknown_issuer", SEC_ERROR_UNKNOWN_ISSUER, "no path to a trusted certificate was found")   \
    X(PKIX_SELF_SIGNED, "self_signed", SEC_ERROR_UNKNOWN_ISSUER, "the certificate is self-signed and not trusted")     \
    X(PKIX_DISTRUSTED, "distrusted", SEC_ERROR_UNTRUSTED_CERT, "the certificate is marked as distrusted")              \
    X(PKIX_DISTRUSTED_ISSUER, "distrusted_issuer", SEC_ERROR_UNTRUSTED_ISSUER, "an issuer is marked as distrusted")    \
    X(PKIX_DISTRUSTED_AFTER, "distrusted_after", SEC_ERROR_UNTRUSTED_ISSUER,                                           \
      "the certificate was issued after its root stopped being trusted")                                               \
    X(PKIX_PIN_MISMATCH, "pin_mismatch", SEC_ERROR_APPLICATION_CALLBACK_ERROR,                                         \
      "no certificate of the path has a pinned public key")                                                            \
    X(PKIX_EXPIRED, "expired", SEC_ERROR_EXPIRED_CERTIFICATE, "the certificate has expired")                           \
    X(PKIX_EXPIRED_ISSUER, "expired_issuer", SEC_ERROR_EXPIRED_ISSUER_CERTIFICATE, "an issuer has expired")            \
    X(PKIX_NOT_YET_VALID, "not_yet_valid", SEC_ERROR_EXPIRED_CERTIFICATE, "the certificate is not valid yet")          \
    X(PKIX_NOT_YET_VALID_ISSUER, "not_yet_valid_issuer", SEC_ERROR_EXPIRED_ISSUER_CERTIFICATE,                         \
      "an issuer is not valid yet")                                                                                    \
    X(PKIX_BAD_SIGNATURE, "bad_signature", SEC_ERROR_BAD_SIGNATURE, "a signature does not verify")                     \
    X(PKIX_SIGNATURE_ALGORITHM_MISMATCH, "signature_algorithm_mismatch", SEC_ERROR_BAD_SIGNATURE,                      \
      "the two signature algorithms of the certificate differ")                                                        \
    X(PKIX_WEAK_SIGNATURE_ALGORITHM, "weak_signature_algorithm", SEC_ERROR_CERT_SIGNATURE_ALGORITHM_DISABLED,          \
      "the signature algorithm is weak or not supported")                                                              \
    X(PKIX_WEAK_KEY, "weak_key", SEC_ERROR_INVALID_KEY, "the public key is too weak or of an unusable size")           \
    X(PKIX_UNSUPPORTED_KEY, "unsupported_key", SEC_ERROR_UNSUPPORTED_KEYALG, "the public key type is not supported")   \
    X(PKIX_UNSUPPORTED_CURVE, "unsupported_curve", SEC_ERROR_UNSUPPORTED_ELLIPTIC_CURVE,                               \
      "the elliptic curve is not supported")                                                                           \
    X(PKIX_UNSUPPORTED_POINT, "unsupported_point", SEC_ERROR_UNSUPPORTED_EC_POINT_FORM,                                \
      "the form of the elliptic curve point is not supported")                                                         \
    X(PKIX_NAME_MISMATCH, "name_mismatch", SSL_ERROR_BAD_CERT_DOMAIN, "the certificate is for another name")           \
    X(PKIX_NAME_CONSTRAINT_VIOLATION, "name_constraint_violation", SEC_ERROR_CERT_NOT_IN_NAME_SPACE,                   \
      "an issuer may not issue for this name")                                                                         \
    X(PKIX_BAD_KEY_USAGE, "bad_key_usage", SEC_ERROR_INADEQUATE_KEY_USAGE, "the key may not be used for this")         \
    X(PKIX_BAD_EXTENDED_KEY_USAGE, "bad_extended_key_usage", SEC_ERROR_INADEQUATE_CERT_TYPE,                           \
      "the certificate is not for this purpose")                                                                       \
    X(PKIX_NOT_A_CA, "not_a_ca", SEC_ERROR_CA_CERT_INVALID, "an issuer is not a certificate authority")                \
    X(PKIX_CA_AS_END_ENTITY, "ca_as_end_entity", SEC_ERROR_INADEQUATE_CERT_TYPE,                                       \
      "a certificate authority's certificate is used by an end entity")                                                \
    X(PKIX_PATH_TOO_LONG, "path_too_long", SEC_ERROR_PATH_LEN_CONSTRAINT_INVALID,                                      \
      "there are more intermediates than allowed")                                                                     \
    X(PKIX_POLICY_MISSING, "policy_missing", SEC_ERROR_POLICY_VALIDATION_FAILED,                                       \
      "the required certificate policy does not hold for the path")                                                    \
    X(PKIX_BAD_POLICY, "bad_policy", SEC_ERROR_POLICY_VALIDATION_FAILED,                                               \
      "what a certificate says of policies is malformed or forbidden")                                                 \
    X(PKIX_TLS_FEATURE_MISSING, "tls_feature_missing", SEC_ERROR_OCSP_UNKNOWN_CERT,                                    \
      "the certificate asks for a stapled OCSP response and there is none")                                            \
    X(PKIX_REVOKED, "revoked", SEC_ERROR_REVOKED_CERTIFICATE, "the certificate is revoked")                            \
    X(PKIX_REVOCATION_UNKNOWN, "revocation_unknown", SEC_ERROR_OCSP_UNKNOWN_CERT,                                      \
      "no usable revocation statement was found")                                                                      \
    X(PKIX_OCSP_MALFORMED, "ocsp_malformed", SEC_ERROR_OCSP_MALFORMED_RESPONSE, "the OCSP response is malformed")      \
    X(PKIX_OCSP_SERVER_ERROR, "ocsp_server_error", SEC_ERROR_OCSP_SERVER_ERROR, "the OCSP response reports an error")  \
    X(PKIX_OCSP_TRY_LATER, "ocsp_try_later", SEC_ERROR_OCSP_TRY_SERVER_LATER, "the OCSP responder is busy")            \
    X(PKIX_OCSP_BAD_SIGNATURE, "ocsp_bad_signature", SEC_ERROR_OCSP_BAD_SIGNATURE,                                     \
      "the signature of the OCSP response does not verify")                                                            \
    X(PKIX_OCSP_BAD_SIGNER, "ocsp_bad_signer", SEC_ERROR_OCSP_INVALID_SIGNING_CERT,                                    \
      "the signer of the OCSP response may not speak for the issuer")                                                  \
    X(PKIX_OCSP_OTHER_CERT, "ocsp_other_cert", SEC_ERROR_OCSP_UNKNOWN_CERT,                                            \
      "the OCSP response is about another certificate")                                                                \
    X(PKIX_OCSP_FUTURE, "ocsp_future", SEC_ERROR_OCSP_FUTURE_RESPONSE, "the OCSP response is from the future")         \
    X(PKIX_OCSP_OLD, "ocsp_old", SEC_ERROR_OCSP_OLD_RESPONSE, "the OCSP response is too old")                          \
    X(PKIX_OCSP_UNKNOWN_CERT, "ocsp_unknown_cert", SEC_ERROR_OCSP_UNKNOWN_CERT,                                        \
      "the OCSP responder does not know the certificate")                                                              \
    X(PKIX_CRL_MALFORMED, "crl_malformed", SEC_ERROR_CRL_INVALID, "the CRL is malformed")                              \
    X(PKIX_CRL_UNUSABLE, "crl_unusable", SEC_ERROR_CRL_INVALID, "the CRL is of a kind that is not supported")          \
    X(PKIX_CRL_BAD_SIGNATURE, "crl_bad_signature", SEC_ERROR_CRL_BAD_SIGNATURE,                                        \
      "the signature of the CRL does not verify")                                                                      \
    X(PKIX_CRL_EXPIRED, "crl_expired", SEC_ERROR_CRL_EXPIRED, "the CRL has expired")                                   \
    X(PKIX_CRL_NOT_YET_VALID, "crl_not_yet_valid", SEC_ERROR_CRL_NOT_YET_VALID, "the CRL is from the future")          \
    X(PKIX_LIMIT_EXCEEDED, "limit_exceeded", SEC_ERROR_UNKNOWN_ISSUER,                                                 \
      "finding a path took more work than is allowed")                                                                 \
    X(PKIX_INTERNAL, "internal", SEC_ERROR_LIBRARY_FAILURE, "the cryptographic library failed")

#define PKIX_ERROR_ENUMERATOR(id, name, nss, sentence) id,
enum pkix_error { PKIX_ERROR_LIST(PKIX_ERROR_ENUMERATOR) PKIX_ERROR_COUNT };
#undef PKIX_ERROR_ENUMERATOR

/* The fixed lower-case name. */
const char *pkix_error_name(enum pkix_error error);

/* For PR_SetError(); 0 for PKIX_OK. */
int32_t pkix_error_nss(enum pkix_error error);

/* A sentence without a full stop. */
const char *pkix_error_sentence(enum pkix_error error);

#endif
