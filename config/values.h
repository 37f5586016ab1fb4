/* config/values.h: the small grammars of configuration values: numbers, durations, words, names, lists.
 *
 * Each takes NUL-terminated text without surrounding blanks and returns false with a sentence in *error (owned by the
 * caller) that says what would be right. Pure functions: any thread. */
#ifndef YETT_CONFIG_VALUES_H
#define YETT_CONFIG_VALUES_H

#include "base/span.h"

/* A word of an enumeration. */
enum value_word_state { VALUE_WORD_READY, VALUE_WORD_NOT_YET /* of the contract, but not of this version */ };
struct value_word {
    const char *name; /* NULL ends the list */
    unsigned value;
    enum value_word_state state;
};

/* A decimal number. */
MUST_CHECK bool value_number(const char *text, uint64_t min, uint64_t max, uint64_t *number, char **error);

/* 500ms, 30s, 5m, 1h; a number without a unit is seconds. The result is in milliseconds, as are the limits. */
MUST_CHECK bool value_duration(const char *text, uint64_t min_ms, uint64_t max_ms, uint64_t *duration_ms, char **error);

/* 8192, 64K, 1M: bytes, 1024 bytes, 1024 times 1024. The result is in bytes, as are the limits. */
MUST_CHECK bool value_size(const char *text, uint64_t min, uint64_t max, uint64_t *size, char **error);

MUST_CHECK bool value_word(const char *text, const struct value_word *words, unsigned *value, char **error);

/* The words that are ready, "a, b, c"; owned by the caller. */
char *value_word_list(const struct value_word *words, const char *separator);

/* 64 hexadecimal digits, colons between pairs allowed; *hex gets 64 lower-case digits, owned by the caller. */
MUST_CHECK bool value_sha256(const char *text, char **hex, char **error);

/* An object identifier in dotted decimal, such as 2.23.140.1.1: two numbers or more, none above 2^32 - 1, written
 * without leading zeros; so that one has one text. */
MUST_CHECK bool value_oid(const char *text, char **error);

/* A host name: labels of letters, digits, '-' and '_' (RFC 1123 section 2.1, and the underscore that DNS really has),
 * whose last label is not a number, so that no resolver takes it for an address. *name gets it in lower case without a
 * trailing dot. */
MUST_CHECK bool value_host_name(const char *text, char **name, char **error);

/* An IPv4 or IPv6 literal without brackets; *canonical gets its one text (base/address.h). False when it is none. */
bool value_address_literal(const char *text, char **canonical);

/* A name for sections and sockets: letters, digits, '.', '_', '-'; at most `size_max` bytes. */
bool value_is_name(const char *text, size_t size_max);

/* Take the next entry of a comma-separated list from *cursor. A comma of the entry itself is written "\,". *item gets
 * the entry without surrounding blanks, owned by the caller; it may be empty. Returns false at the end. */
bool value_list_next(const char **cursor, char **item);

/* The name nearest to `text`, or NULL when none is near: one slip in a short word, at most three in a long one. */
const char *value_nearest(const char *text, const char *const *names, size_t count);

/* base_quote() with a buffer of its own, owned by the caller. */
char *value_quote(const char *text);

/* The name of a user or group of the system: POSIX's portable names, and the final '$' that useradd(8) allows. */
bool value_is_user_name(const char *text);

#endif
