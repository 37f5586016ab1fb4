/* base/base.h: the few macros and functions every folder may use.
 *
 * libc only. What it does not do: log, keep state, know NSS (see base/nss_scope.h for the one exception).
 * Threads: everything here is safe from any thread. */
#ifndef YETT_BASE_BASE_H
#define YETT_BASE_BASE_H

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK              __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN                __attribute__((noreturn))
#define ARRAY_LEN(a)            (sizeof(a) / sizeof((a)[0]))

/* The struct of `type` whose member `member` is at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Stop the process with a sentence on standard error. For broken contracts and exhausted memory only;
 * bad input from a peer or an administrator is a status, never an abort. */
NORETURN void base_abort(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Memory or a stop of the process: these never return NULL. Free with free(). base_alloc() zeroes. */
void *base_alloc(size_t size) __attribute__((malloc, alloc_size(1), returns_nonnull));
void *base_realloc_array(void *ptr, size_t count, size_t size) __attribute__((alloc_size(2, 3), returns_nonnull));
void *base_memdup(const void *data, size_t size) __attribute__((returns_nonnull));
char *base_strdup(const char *text) __attribute__((malloc, returns_nonnull));
char *base_strndup(const char *text, size_t len) __attribute__((malloc, returns_nonnull));
char *base_printf(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((malloc, returns_nonnull));
char *base_vprintf(const char *fmt, va_list args) PRINTF_LIKE(1, 0) __attribute__((malloc, returns_nonnull));

/* Overwrite a secret so that the compiler cannot leave it out. `data` may be NULL when size is 0. */
void base_wipe(void *data, size_t size);

/* Wipe and free a NUL-terminated secret; sets *text to NULL. NULL-safe. */
void base_wipe_string(char **text);

/* Whether two byte strings of `size` are equal, in time that does not depend on their contents. */
bool base_equal_constant_time(const void *a, const void *b, size_t size);

/* Write `text` into `out` (at most out_size bytes with the NUL) as one printable, quoted, clipped token for a log
 * line or an error sentence: control bytes, quotes, backslashes and bytes >= 0x7f become \xHH; clipped at
 * BASE_QUOTE_MAX source bytes with "..." appended. Returns out. A buffer of BASE_QUOTE_SIZE always suffices. */
enum { BASE_QUOTE_MAX = 160, BASE_QUOTE_SIZE = BASE_QUOTE_MAX * 4 + 6 };
const char *base_quote(const void *text, size_t size, char *out, size_t out_size);

/* Between the two, a build with LeakSanitizer notes no allocation; elsewhere they do nothing. Only around one call into
 * a foreign library that keeps something for the life of the process; the comment there names it. */
void base_leak_check_pause(void);
void base_leak_check_resume(void);

/* Milliseconds of CLOCK_MONOTONIC. Only proxy/ and tokens/' agent ask for the time; others are given it. */
uint64_t base_now_ms(void);

/* Processor time of the calling thread: waiting for others, or for the core, is not in it. */
uint64_t base_thread_us(void);

#endif
