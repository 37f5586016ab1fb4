/* tls/vector.h: vectors of the TLS presentation language (RFC 8446 section 3.4): a length, and as many bytes. Private
 * to tls/. Their bytes are the peer's: whoever takes one goes on with what is left, and nothing reads past it. */
#ifndef YETT_TLS_VECTOR_H
#define YETT_TLS_VECTOR_H

#include "base/span.h"

/* A length of `length_size` bytes, and as many bytes as it says: moves `rest` behind them. False: there are not. */
MUST_CHECK bool tls_vector_take(struct span *rest, size_t length_size, struct span *vector);

#endif
