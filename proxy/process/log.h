/* proxy/process/log.h: one line per fact.
 *
 * A line has a level, an *event* (a fixed lower_case_name), then key=value fields: the connection id first where there
 * is one. Format logfmt or JSON (one object a line), to stderr, syslog or the journal, as configured. Values are quoted
 * and clipped here (base_quote), so that no peer can forge a line. Never a PIN, a key or payload.
 * Flood guard: lines that a peer can cause (log_peer_*, log_write_of()) are limited per event and second, and where it
 * is known whose they are also per source, so that one peer that makes many does not hide what others do. What was left
 * out is counted and said in one line for each event.
 *
 * Threads: any thread may log; a line is written with one write(2). */
#ifndef YETT_PROXY_PROCESS_LOG_H
#define YETT_PROXY_PROCESS_LOG_H

#include "base/span.h"
#include "config/config.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `process` is shown in each line: "supervisor", "worker-3", "agent-hsm". Before log_open(): stderr, logfmt, info. */
/* Where there is no journal, or no syslog, lines go to standard error, and that is said there once: now, or when the
 * first line finds it gone. */
void log_open(const char *process, enum config_log target, enum config_log_format format, enum log_level level);

/* A field of a line. Build with log_text(), log_span(), log_number(). */
struct log_field {
    const char *key;  /* NULL ends a list */
    struct span text; /* when not a number */
    bool is_number;
    int64_t number;
};

static inline struct log_field log_text(const char *key, const char *text)
{
    return (struct log_field){.key = key, .text = span_of_string(text == NULL ? "" : text)};
}

static inline struct log_field log_span(const char *key, struct span text)
{
    return (struct log_field){.key = key, .text = text};
}

static inline struct log_field log_number(const char *key, int64_t number)
{
    return (struct log_field){.key = key, .is_number = true, .number = number};
}

/* `event` is one of proxy/process/log_events.h. At least one field: an event without a detail helps nobody.
 * log_line(LOG_LEVEL_WARNING, "target_refused", log_number("conn", id), log_text("target", host)); */
#define log_line(level, event, ...)                                                                                    \
    log_write((level), LOG_OWN, (event), (const struct log_field[]){__VA_ARGS__, {.key = NULL}})
/* The same for facts that a peer causes: rate-limited. */
#define log_peer_line(level, event, ...)                                                                               \
    log_write((level), LOG_PEER, (event), (const struct log_field[]){__VA_ARGS__, {.key = NULL}})

enum log_cause { LOG_OWN, LOG_PEER };
enum {
    LOG_PEER_LINES_PER_SECOND_MAX = 20,   /* of one event */
    LOG_SOURCE_LINES_PER_SECOND_MAX = 10, /* of them, of one source */
};

/* Says what the flood guard has left out in seconds that are over; call now and then (once a second is enough). True:
 * there is more to say when this second is over, so call again. */
bool log_flush_suppressed(void);

void log_write(enum log_level level, enum log_cause cause, const char *event, const struct log_field *fields);
/* A peer's line, of a source: bytes that tell one peer from another, such as its address without the port. */
void log_write_of(enum log_level level, struct span source, const char *event, const struct log_field *fields);
bool log_wants(enum log_level level);

#endif
