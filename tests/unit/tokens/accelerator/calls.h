/* Sequences of PKCS #11 calls, made from bytes (calls_input.h): every function of the accelerator, in any order, with
 * arguments that are good, nearly good or bad; sessions are closed and objects destroyed while others use them. What
 * must hold whatever was called before is checked, and is an abort where it does not. */
#ifndef YETT_TESTS_TOKENS_CALLS_H
#define YETT_TESTS_TOKENS_CALLS_H

#include "calls_input.h"

#include <stdatomic.h>

enum { CALLS_SESSIONS = 4, CALLS_OBJECTS = 16 };

/* What a sequence has opened and made, by place. Threads may share one. All zero at first. */
struct calls_handles {
    _Atomic(CK_SESSION_HANDLE) sessions[CALLS_SESSIONS];
    _Atomic(CK_OBJECT_HANDLE) objects[CALLS_OBJECTS];
    atomic_uint made; /* objects so far: the next goes to this place, modulo their number */
};

/* Whether nobody else calls the module meanwhile: then what was made a moment ago is still there. */
enum calls_company { CALLS_ALONE, CALLS_AMONG_OTHERS };

/* Make calls until the bytes are used up. Leaves sessions open; the module must be initialised, and is afterwards. */
void calls_run(const CK_FUNCTION_LIST_3_0 *p11, struct calls_handles *handles, enum calls_company company,
               struct span bytes);

#endif
