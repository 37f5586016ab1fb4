/* starttls/list_probe.h: asking a server what it can do, where the answer is a list. Private to starttls/.
 *
 *   GREETING --good--> HELLO --good--> LIST --"."--> GOODBYE --any reply--> READY
 *                        `--other: it knows of no such list--> GOODBYE
 *
 * For POP3 and NNTP: a line that answers, and lines up to a lone dot behind it, each of which begins with the name of
 * what the server can do (RFC 2449 section 5, RFC 3977 section 5.2). Behind STARTTLS neither server greets a second
 * time; then it begins with HELLO. A protocol gives its words and says what an answer is. */
#ifndef YETT_STARTTLS_LIST_PROBE_H
#define YETT_STARTTLS_LIST_PROBE_H

#include "starttls/machine.h"

enum list_probe_state {
    LIST_PROBE_GREETING,
    LIST_PROBE_HELLO,
    LIST_PROBE_LIST,
    LIST_PROBE_GOODBYE,
    LIST_PROBE_READY,
    LIST_PROBE_STATE_COUNT
};

/* What a line is, as the answer to what was said. */
enum list_probe_answer {
    LIST_PROBE_ANSWER_NONE,
    LIST_PROBE_ANSWER_GOOD,
    LIST_PROBE_ANSWER_OTHER,
    LIST_PROBE_ANSWER_BYE
};

struct list_probe_class {
    struct machine_class class; /* LIST_PROBE_CLASS(), with its sizes and words */
    unsigned lines_max;         /* of the list */
    /* In the states GREETING, HELLO and GOODBYE. In the last one all but NONE will do. */
    enum list_probe_answer (*answer_of)(enum list_probe_state state, struct span line);
};

struct list_probe {
    struct starttls_machine m;
    unsigned lines; /* of the list */
};

extern const char *const list_probe_state_names[LIST_PROBE_STATE_COUNT];
void list_probe_start(struct starttls_machine *m);
enum starttls_status list_probe_on_line(struct starttls_machine *m, struct span line);

#define LIST_PROBE_CLASS                                                                                               \
    .size = sizeof(struct list_probe), .bytes_max = STARTTLS_CONNECTED_BYTES_MAX, .text = LINE_TEXT_EIGHT_BIT,         \
    .state_names = list_probe_state_names, .start = list_probe_start, .on_line = list_probe_on_line,                   \
    .clear = machine_close_capabilities

#endif
