/* see base/buffer.h */
#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUFFER_SIZE_MIN = 512 };

void buffer_init(struct buffer *b, size_t size_max)
{
    *b = (struct buffer){.size_max = size_max};
}

void buffer_release(struct buffer *b)
{
    free(b->data);
    buffer_init(b, b->size_max);
}

void buffer_wipe(struct buffer *b)
{
    base_wipe(b->data, b->capacity);
    buffer_release(b);
}

void buffer_trim(struct buffer *b)
{
    if (b->size == 0)
        buffer_release(b);
}

/* Make the free space at the end at least `size` bytes; the caller has checked the ceiling. */
static void make_room(struct buffer *b, size_t size)
{
    size_t capacity = b->capacity < BUFFER_SIZE_MIN ? BUFFER_SIZE_MIN : b->capacity;

    if (b->capacity - b->start - b->size >= size)
        return;
    if (b->start != 0) {
        memmove(b->data, b->data + b->start, b->size);
        b->start = 0;
        if (b->capacity - b->size >= size)
            return;
    }
    while (capacity - b->size < size)
        capacity *= 2;
    if (capacity > b->size_max)
        capacity = b->size_max;
    assert(capacity - b->size >= size);
    b->data = base_realloc_array(b->data, capacity, 1);
    b->capacity = capacity;
}

uint8_t *buffer_reserve(struct buffer *b, size_t size_wanted, size_t *size)
{
    if (size_wanted > buffer_room(b))
        size_wanted = buffer_room(b);
    *size = 0;
    if (size_wanted == 0)
        return NULL;
    make_room(b, size_wanted);
    *size = b->capacity - b->start - b->size;
    return b->data + b->start + b->size;
}

void buffer_commit(struct buffer *b, size_t size)
{
    assert(size <= b->capacity - b->start - b->size);
    b->size += size;
}

bool buffer_append(struct buffer *b, struct span bytes)
{
    if (bytes.size > buffer_room(b))
        return false;
    if (bytes.size == 0)
        return true;
    make_room(b, bytes.size);
    memcpy(b->data + b->start + b->size, bytes.data, bytes.size);
    b->size += bytes.size;
    return true;
}

size_t buffer_append_some(struct buffer *b, struct span bytes)
{
    if (bytes.size > buffer_room(b))
        bytes.size = buffer_room(b);
    return buffer_append(b, bytes) ? bytes.size : 0;
}

bool buffer_printf(struct buffer *b, const char *fmt, ...)
{
    va_list args;
    char *text;
    bool fits;

    va_start(args, fmt);
    text = base_vprintf(fmt, args);
    va_end(args);
    fits = buffer_append(b, span_of_string(text));
    free(text);
    return fits;
}

void buffer_consume(struct buffer *b, size_t size)
{
    assert(size <= b->size);
    b->size -= size;
    b->start = b->size == 0 ? 0 : b->start + size;
}

uint8_t *buffer_take(struct buffer *b, size_t *size)
{
    uint8_t *data = b->data;

    *size = b->size;
    if (b->size == 0) {
        buffer_release(b);
        return NULL;
    }
    if (b->start != 0)
        memmove(data, data + b->start, b->size);
    data = base_realloc_array(data, b->size, 1); /* what doubling allotted too much goes back */
    buffer_init(b, b->size_max);
    return data;
}
