/* pkix/signature.h: what can be said of a signature before any arithmetic, and what the arithmetic will cost.
 *
 * Checks of signatures are what a peer can make us pay for: between the cheapest and the dearest key lies a factor of a
 * hundred. So a verification has a budget of their number and one of their cost (pkix/request.h), and what cannot be a
 * signature costs neither. Pure functions; no cryptography is done here. */
#ifndef YETT_PKIX_SIGNATURE_H
#define YETT_PKIX_SIGNATURE_H

#include "pkix/cert.h"
#include "pkix/key.h"

/* PKIX_OK when the signature could be one of that key's: then *cost_us is about what checking it takes, in microseconds
 * of the machine that signature.c's table was measured on. Otherwise PKIX_BAD_SIGNATURE (another type of key; RSA: not
 * as long as the modulus or not below it, RFC 8017 section 8.2.2; ECDSA: not two numbers from 1 to the order of the
 * curve less one, X9.62), PKIX_WEAK_SIGNATURE_ALGORITHM, or what pkix_key_read() says of the key. */
MUST_CHECK enum pkix_error pkix_signature_look(const struct pkix_signed *statement, struct span spki,
                                               unsigned *cost_us);

/* ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }, both positive and minimal, without leading zeros. */
MUST_CHECK bool pkix_ecdsa_read(struct span signature, struct span *r, struct span *s);

/* How those who need a signature verified have it done, so that its cost is counted: PKIX_OK or why not. */
typedef enum pkix_error pkix_verify_statement(void *ctx, const struct pkix_signed *statement, struct span spki);

#endif
