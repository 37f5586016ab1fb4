/* starttls/http/http_syntax.h: our own reading of the lines of a head, before http-parser's. Private to starttls/http/.
 *
 * Each line is held against RFC 9112 alone, with no more state than which line it is: what two readers along the way
 * may read differently (request smuggling) is refused here, whatever http-parser would make of it. */
#ifndef YETT_STARTTLS_HTTP_HTTP_SYNTAX_H
#define YETT_STARTTLS_HTTP_HTTP_SYNTAX_H

#include "base/span.h"

struct http_fault {
    unsigned status_code; /* that says it to a client; 0: nothing is wrong */
    const char *what;     /* a sentence, static */
    struct span quoted;   /* what of the line may be told; empty: nothing */
};

/* Of a line without its CRLF. */
struct http_fault http_request_line_fault(struct span line);
struct http_fault http_status_line_fault(struct span line);
struct http_fault http_field_fault(struct span line); /* not of an empty one, which ends the head */

bool http_is_digit(uint8_t c);
bool http_has_control(struct span s); /* other than the tab */

#endif
