/* config/reader.h: one INI text as a row of events. The only file that knows inih is reader.c.
 *
 * inih is strict about little: it cuts long lines and section names, takes an indented line for more of the value
 * above, drops lines it does not understand and tells the number of the first only. So it is fed through its stream
 * reader, which passes on the lines "KEY = VALUE" one at a time, looks at everything else itself, and knows the line.
 *
 * Lines are base/text.h's, and a file that is no text is one problem, of line 0 when no line is to blame.
 * Comments: a line that begins with ';' or '#', and what follows ';' after a blank. An indented line is a line. */
#ifndef YETT_CONFIG_READER_H
#define YETT_CONFIG_READER_H

#include "base/span.h"

/* What a line that is not understood would have been: after a broken header, the options that follow belong nowhere. */
enum reader_problem { READER_PROBLEM_LINE, READER_PROBLEM_HEADER };

/* Each is called at most once a line, in the order of the lines. Strings are valid during the call. */
struct reader_events {
    /* [KIND] or [KIND NAME]; *name is "" in the first. */
    void (*section)(void *ctx, unsigned line, const char *kind, const char *name);
    void (*option)(void *ctx, unsigned line, const char *key, const char *value);
    /* The line is not understood and left out; the message never repeats it. */
    void (*problem)(void *ctx, unsigned line, enum reader_problem problem, const char *message);
};

void reader_run(struct span text, const struct reader_events *events, void *ctx);

#endif
