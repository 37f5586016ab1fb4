/* signatures.h: what one signature check costs with each kind of key. */
#ifndef YETT_BENCHMARKS_SIGNATURES_H
#define YETT_BENCHMARKS_SIGNATURES_H

double benchmark_now_us(void);

/* Prints microseconds for a good and for a bad signature: what the table in pkix/signature_cost.c is made from. */
void benchmark_signatures(unsigned rounds);

#endif
