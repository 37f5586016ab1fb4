/* Arguments of PKCS #11 calls, made from bytes: what the fuzzer of the accelerator gives it, and threads of a test.
 *
 * Everything that is given by reference is a copy of exactly its size on the heap, so that a sanitizer sees one byte
 * too many, and stays until input_release(). What a caller may not do stays undone: a pointer and its size agree,
 * unless the pointer is NULL. */
#ifndef YETT_TESTS_TOKENS_CALLS_INPUT_H
#define YETT_TESTS_TOKENS_CALLS_INPUT_H

#include "accelerator.h"
#include "base/span.h"

enum { INPUT_BLOCKS_MAX = 256, INPUT_ATTRIBUTES_MAX = 16 };

struct input {
    struct span rest;
    void *blocks[INPUT_BLOCKS_MAX];
    size_t block_count;
    /* Where a key is named within a parameter. */
    CK_OBJECT_HANDLE (*choose_object)(struct input *in, void *context);
    void *context;
};

void input_init(struct input *in, struct span bytes);
void input_release(struct input *in);

bool input_is_used_up(const struct input *in);
/* 0 behind the end, and so everywhere below. */
unsigned input_byte(struct input *in);
/* One of those that matter somewhere, or any. */
CK_ULONG input_number(struct input *in);
/* `size` bytes with what `data` has, or zeros where it is NULL. */
void *input_block(struct input *in, const void *data, size_t size);
/* Some bytes; now and then NULL, even with a size. */
struct bytes input_bytes(struct input *in);
/* A place for what a call gives, and its size; now and then NULL. */
struct bytes input_room(struct input *in);

struct template
{
    CK_ATTRIBUTE *attributes;
    CK_ULONG count;
};
/* The attributes of an object that there can be, with changes; or any. */
struct template input_template(struct input *in);
/* For C_GetAttributeValue(): the types, each with some room. */
struct template input_questions(struct input *in);

/* A mechanism with a parameter of its type, some of it changed. NULL now and then. */
enum input_use { INPUT_DIGEST, INPUT_SIGN, INPUT_DERIVE, INPUT_WRAP, INPUT_MESSAGE, INPUT_GENERATE, INPUT_USE_COUNT };
CK_MECHANISM *input_mechanism(struct input *in, enum input_use use);

/* Of a message for AES-GCM or ChaCha20-Poly1305. */
struct message_parameter {
    void *data;
    CK_ULONG size;
};
struct message_parameter input_message(struct input *in);

/* Curves by number, of which there are as many as this; the identifiers, and points that are on them once
 * input_learn_points() was called. */
enum { INPUT_CURVES = 4 };
struct bytes input_curve(unsigned number);
void input_learn_points(const CK_FUNCTION_LIST_3_0 *p11);

#endif
