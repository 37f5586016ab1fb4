/* proxy/supervisor/intermediates.h: the intermediates that all workers remember together, kept by the supervisor.
 *
 * Workers tell what they learnt, and get what others learnt: at their start as a memory file, later one by one. The
 * supervisor outlives them, and its table outlives it in a file, where one is configured. Nothing here is trusted; see
 * pkix/intermediates.h. The supervisor parses the certificates it is told of, and nothing else of them.
 *
 * The file is read when the configuration first names it. It is written a while after something new is known, on a
 * thread of libuv's; and at the end. What goes wrong is said once. Threads: the loop's. */
#ifndef YETT_PROXY_SUPERVISOR_INTERMEDIATES_H
#define YETT_PROXY_SUPERVISOR_INTERMEDIATES_H

#include "config/config.h"
#include <uv.h>

enum { INTERMEDIATES_WRITE_MS = 60000 /* from the first news to the writing */ };

struct intermediates;

struct intermediates *intermediates_create(uv_loop_t *loop, uint64_t write_ms);
/* The loop has ended. */
void intermediates_destroy(struct intermediates **i);

/* Whether the folder of the file is there, where one is named; else with a finding. */
MUST_CHECK bool intermediates_check(const struct config *config, struct config_findings *findings);

/* Read the file of a new configuration, if it is another one; it is written to only after commit(). */
void intermediates_prepare(struct intermediates *i, const struct config *config);
void intermediates_commit(struct intermediates *i);

/* A worker's word: one certificate in PEM. Whether it was not known before: then others want to know. */
MUST_CHECK bool intermediates_learn(struct intermediates *i, const char *pem);

/* All that is known as text (proxy/process/intermediates_file.h) in a sealed memory file; -1 when that is nothing. Lent
 * until the next call of any of these. */
int intermediates_fd(struct intermediates *i);

size_t intermediates_count(const struct intermediates *i);

/* No more is learnt: write what is not written. The loop ends when that is done. */
void intermediates_stop(struct intermediates *i);

#endif
