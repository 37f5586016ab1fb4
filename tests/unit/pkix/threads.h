/* threads.h: the same work in several threads at once. */
#ifndef YETT_TESTS_THREADS_H
#define YETT_TESTS_THREADS_H

enum { THREADS_COUNT = 4 };

/* What one thread does: `shared` is all threads', `number` (below THREADS_COUNT) its own. How much went wrong. */
typedef unsigned threads_work(void *shared, unsigned number);

/* Fails unless nothing went wrong in any. */
void threads_run(threads_work *work, void *shared);

#endif
