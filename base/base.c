/* see base/base.h */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void base_abort(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("yett: fatal: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

void *base_alloc(size_t size)
{
    void *ptr = calloc(1, size == 0 ? 1 : size);

    if (ptr == NULL)
        base_abort("out of memory (%zu bytes wanted)", size);
    return ptr;
}

void *base_realloc_array(void *ptr, size_t count, size_t size)
{
    ptr = reallocarray(ptr, count == 0 ? 1 : count, size);
    if (ptr == NULL)
        base_abort("out of memory (%zu times %zu bytes wanted)", count, size);
    return ptr;
}

void *base_memdup(const void *data, size_t size)
{
    void *copy = base_alloc(size);

    if (size != 0)
        memcpy(copy, data, size);
    return copy;
}

char *base_strndup(const char *text, size_t len)
{
    char *copy = base_alloc(len + 1);

    if (len != 0)
        memcpy(copy, text, len);
    return copy;
}

char *base_strdup(const char *text)
{
    return base_strndup(text, strlen(text));
}

char *base_vprintf(const char *fmt, va_list args)
{
    char *text = NULL;

    if (vasprintf(&text, fmt, args) < 0)
        base_abort("out of memory (formatting a message)");
    return text;
}

char *base_printf(const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    text = base_vprintf(fmt, args);
    va_end(args);
    return text;
}

void base_wipe(void *data, size_t size)
{
    if (size != 0)
        explicit_bzero(data, size);
}

void base_wipe_string(char **text)
{
    if (*text == NULL)
        return;
    base_wipe(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

bool base_equal_constant_time(const void *a, const void *b, size_t size)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t difference = 0;

    for (size_t i = 0; i < size; i++)
        difference |= (uint8_t)(x[i] ^ y[i]);
    return difference == 0;
}

const char *base_quote(const void *text, size_t size, char *out, size_t out_size)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *bytes = text;
    size_t used = 0;
    size_t shown = size > BASE_QUOTE_MAX ? BASE_QUOTE_MAX : size;

    assert(out_size >= 8);
    out[used++] = '"';
    for (size_t i = 0; i < shown; i++) {
        /* Room for the longest form of one byte, "...", the closing quote and the NUL. */
        if (used + 4 + 3 + 2 > out_size) {
            shown = i;
            break;
        }
        if (bytes[i] < 0x20 || bytes[i] >= 0x7f || bytes[i] == '"' || bytes[i] == '\\') {
            out[used++] = '\\';
            out[used++] = 'x';
            out[used++] = hex[bytes[i] >> 4];
            out[used++] = hex[bytes[i] & 15];
        } else {
            out[used++] = (char)bytes[i];
        }
    }
    if (shown < size) {
        memcpy(out + used, "...", 3);
        used += 3;
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}

/* LeakSanitizer's, where the program has it. */
extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));

void base_leak_check_pause(void)
{
    if (__lsan_disable != NULL)
        __lsan_disable();
}

void base_leak_check_resume(void)
{
    if (__lsan_enable != NULL)
        __lsan_enable();
}

uint64_t base_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t base_thread_us(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}
