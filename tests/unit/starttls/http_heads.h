/* tests/unit/starttls/http_heads.h: a request that is asked of our accepting side, and what a head is compared with. */
#ifndef YETT_TESTS_UNIT_STARTTLS_HTTP_HEADS_H
#define YETT_TESTS_UNIT_STARTTLS_HTTP_HEADS_H

#include "starttls/http/http.h"
#include "starttls/http/http_proxy.h"
#include "starttls/limits.h"
#include "starttls/starttls.h"

/* What every head that we write ends with. */
#define LAST "Via: 1.1 yett\r\nConnection: close\r\n\r\n"

/* A byte at a time, until there is an answer. */
struct starttls_machine *ask(struct span request, enum starttls_status *status, size_t *consumed);

/* For the largest head, which is a response's. */
size_t room(void);
struct buffer head_buffer(void);

/* Fails the test, which is in the row of that name, where they differ. */
void check_text(const char *name, struct span got, const char *want);

#endif
