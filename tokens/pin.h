/* tokens/pin.h: reading a PIN from where the administrator keeps it, and keeping it in locked memory.
 *
 * Sources: a file (mode 0600 or 0400, owned by us or root), a systemd credential (CREDENTIALS_DIRECTORY), an
 * environment variable (removed from our environment once read), a terminal prompt (echo off). Never logged. */
#ifndef YETT_TOKENS_PIN_H
#define YETT_TOKENS_PIN_H

#include "base/base.h"

enum tokens_pin_source { TOKENS_PIN_NONE, TOKENS_PIN_FILE, TOKENS_PIN_CREDENTIAL, TOKENS_PIN_ENV, TOKENS_PIN_PROMPT };

enum { TOKENS_PIN_MAX = 255 };

struct tokens_pin; /* in locked, undumpable memory */

/* NULL with a sentence in *error (which never has the PIN in it). The end of the line is not part of the PIN, nor is
 * a byte order mark. */
struct tokens_pin *tokens_pin_read(enum tokens_pin_source source, const char *value, const char *prompt, char **error);

/* Takes the values of these environment variables (each that is set) out of the environment, into locked memory, where
 * tokens_pin_read() finds them, once. From then on no other variable is read as a PIN, and one that is asked for all
 * the same is wiped. For a process that starts NSS: its random generator takes in the whole environment and keeps it in
 * memory, so this comes before, and one that is named later is in that memory already. */
void tokens_pin_take_environment(const char *const *names, size_t count);

/* The same from bytes at hand, which the caller wipes. NULL with a sentence when it is empty, longer than
 * TOKENS_PIN_MAX, has a NUL in it, or memory cannot be locked. */
struct tokens_pin *tokens_pin_copy(const char *text, size_t size, char **error);

const char *tokens_pin_text(const struct tokens_pin *pin);
void tokens_pin_destroy(struct tokens_pin **pin); /* wipes */

#endif
