/* starttls/imap_syntax.h: the little IMAP grammar that machine and filter share. Private to starttls/. */
#ifndef YETT_STARTTLS_IMAP_SYNTAX_H
#define YETT_STARTTLS_IMAP_SYNTAX_H

#include "base/span.h"
#include "starttls/limits.h"

/* 1*64<any ASTRING-CHAR except "+">, RFC 9051 section 9. */
bool imap_is_tag(struct span tag);

/* A literal's announcement at the end of a line: {5}, {5+}, ~{5}. */
struct imap_literal {
    uint64_t size;         /* bytes; UINT64_MAX where the number is missing or longer than any real one */
    bool is_synchronizing; /* the sender waits for "+" before it sends them */
};

/* Of a line without CRLF, the last bytes that always suffice to tell: "{", the digits of any size and one more, "+}". A
 * number that is longer is of no known size all the same. */
enum { IMAP_LITERAL_BYTES_MAX = STARTTLS_IMAP_LITERAL_DIGITS_MAX + 4 };

/* Whether `line` (without CRLF) ends with one. `literal` may be NULL. */
bool imap_ends_with_literal(struct span line, struct imap_literal *literal);

#endif
