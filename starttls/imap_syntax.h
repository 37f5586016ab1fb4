/* starttls/imap_syntax.h: the little IMAP grammar that machine and filter need. Private to starttls/. */
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

/* Whether a literal's number began before these last bytes of a line. */
bool imap_literal_is_cut(struct span tail);

/* A single space, and a literal's announcement. */
bool imap_is_literal_alone(struct span text);

/* The next word, taken from the front of `line`; spaces before it, which some servers skip, are skipped. */
struct span imap_take_word(struct span *line);

/* How many arguments a LOGIN has with the literal that its first line ends with: 1 or IMAP_LOGIN_ARGS. UNCLEAR: it is
 * another command, or one that a server may read otherwise. */
enum { IMAP_LOGIN_ARGS = 2, IMAP_LOGIN_UNCLEAR = IMAP_LOGIN_ARGS + 1 };
unsigned imap_count_login_args(struct span text);

#endif
