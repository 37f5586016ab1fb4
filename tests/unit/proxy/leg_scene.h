/* tests/unit/proxy/leg_scene.h: a leg (proxy/session/leg.h) and what it is made of: buffers, a clock that stands, and a
 * transport, an engine and a pool of the tests' own. One at a time: begin() makes it, finish() ends it. */
#ifndef YETT_TESTS_UNIT_PROXY_LEG_SCENE_H
#define YETT_TESTS_UNIT_PROXY_LEG_SCENE_H

#include "proxy/session/leg.h"
#include "proxy/process/limits.h"
#include "fake_tls.h"
#include "fake_transport.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

extern struct counters_block counters;
extern struct handshake_turns *turns;
extern uint64_t now_ms, now_us;
extern struct leg_means means;
extern struct leg leg;
extern struct fake_transport *peer; /* the leg's transport, from the other side */
extern unsigned news, moved;

/* What the leg's owner does with news: take all that comes. */
extern struct buffer heard;
extern enum leg_take last;
extern bool takes;

extern const struct fake_context server, blocking, verifying, client;

/* For cmocka. */
int start(void **state);
int stop(void **state);

/* A leg whose TLS is the context's; NULL: it has none. */
void begin(const struct fake_context *context);
void finish(void);

void take_all(void);
void let_read(void);
void say_hello(void);
void expect_heard(const char *want);
void expect_said(const char *want);

#endif
