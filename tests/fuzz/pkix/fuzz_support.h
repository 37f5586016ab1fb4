/* fuzz_support.h: what the fuzzers of pkix/ share. */
#ifndef YETT_FUZZ_PKIX_SUPPORT_H
#define YETT_FUZZ_PKIX_SUPPORT_H

#include "pkix/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* NSS for hashing, once; it stays. */
void fuzz_start_nss(void);

/* A part of the input: two bytes of length, then as many bytes, or what is left. */
struct span fuzz_take_part(struct span *input);

/* Every signature verifies: what is behind signatures is what is fuzzed. */
enum pkix_error fuzz_accept_any_signature(void *ctx, const struct pkix_signed *statement, struct span spki);

#endif
