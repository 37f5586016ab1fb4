/* see proxy/process/log.h */
#include "proxy/process/log.h"
#include "proxy/process/log_events.h"

#include <errno.h>
#include <inttypes.h>
#include <paths.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

enum {
    LOG_LINE_MAX = 4096,  /* bytes of a whole line; more is cut at a field */
    LOG_VALUE_MAX = 768,  /* bytes of one value before escaping */
    LOG_FIELDS_MAX = 32,  /* of one line */
    LOG_EVENTS_MAX = 128, /* different events the flood guard tells apart; all others share the last row */
    LOG_EVENT_NAME_MAX = 48,
    LOG_SOURCES_MAX = 1024, /* rows for events of sources; sources that meet in one share its lines */
};

static_assert((int)LOG_EVENT_COUNT < (int)LOG_EVENTS_MAX, "each event has a row of its own");

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const int level_priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

/* Set once by log_open(), before threads start; `unheard` by any of them. */
static struct {
    char process[LOG_EVENT_NAME_MAX];
    enum config_log target;
    atomic_bool unheard; /* it was said that nobody is there */
    enum config_log_format format;
    enum log_level level;
} opened = {.process = "yett", .target = CONFIG_LOG_STDERR, .format = CONFIG_LOG_LOGFMT, .level = LOG_LEVEL_INFO};

/* Flood guard: one row for each event that peers can cause. */
static struct guard_row {
    char event[LOG_EVENT_NAME_MAX];
    time_t second;
    unsigned written;
    uint64_t left_out;
} guard_rows[LOG_EVENTS_MAX];
static size_t guard_row_count;
/* And one for each event of a source, found by hash. The hash has a seed, so that nobody can choose to share a row. */
static_assert((LOG_SOURCES_MAX & (LOG_SOURCES_MAX - 1)) == 0, "a power of two");
static struct {
    time_t second;
    unsigned written;
} source_rows[LOG_SOURCES_MAX];
static uint64_t source_seed; /* 0: not made yet */
static pthread_mutex_t guard_lock = PTHREAD_MUTEX_INITIALIZER;

struct line {
    char text[LOG_LINE_MAX];
    size_t size;
    bool full; /* a field did not fit: it and all later ones are left out */
};

/* Where these listen, for the libraries that write to them: neither says when nobody does. */
static const char *socket_of(enum config_log target)
{
    return target == CONFIG_LOG_JOURNAL  ? "/run/systemd/journal/socket"
           : target == CONFIG_LOG_SYSLOG ? _PATH_LOG
                                         : NULL;
}

static void write_bytes(const char *text, size_t size)
{
    ssize_t written;

    do
        written = write(STDERR_FILENO, text, size);
    while (written < 0 && errno == EINTR);
}

/* Whether somebody is there to whom lines can be given. When nobody is, that is said, once until somebody is again. */
static bool is_heard(void)
{
    const char *path = socket_of(opened.target);
    char *sentence;

    if (path == NULL || access(path, W_OK) == 0) {
        opened.unheard = false;
        return true;
    }
    if (atomic_exchange(&opened.unheard, true))
        return false;
    sentence = base_printf("yett: log = %s, but nobody listens at %s (%s): lines go to standard error\n",
                           opened.target == CONFIG_LOG_JOURNAL ? "journal" : "syslog", path, strerror(errno));
    write_bytes(sentence, strlen(sentence));
    free(sentence);
    return false;
}

void log_open(const char *process, enum config_log target, enum config_log_format format, enum log_level level)
{
    snprintf(opened.process, sizeof(opened.process), "%s", process);
    if (target != opened.target)
        opened.unheard = false;
    opened.target = target;
    opened.format = format;
    opened.level = level;
    if (target == CONFIG_LOG_SYSLOG)
        openlog("yett", LOG_PID, LOG_DAEMON);
    (void)is_heard();
}

bool log_wants(enum log_level level)
{
    return level <= opened.level;
}

/* Room for closing quotes, braces and the newline is always kept. */
static bool add_bytes(struct line *l, const char *bytes, size_t size)
{
    if (l->size + size + 8 > sizeof(l->text))
        return false;
    memcpy(l->text + l->size, bytes, size);
    l->size += size;
    return true;
}

static bool add_text(struct line *l, const char *text)
{
    return add_bytes(l, text, strlen(text));
}

static bool add_number(struct line *l, int64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, number);
    return add_text(l, text);
}

/* One byte inside quotes. A line break, a quote or an escape sequence of a terminal never gets through as it is. */
static bool add_escaped(struct line *l, uint8_t byte)
{
    char escaped[8];

    if (byte == '"' || byte == '\\') {
        escaped[0] = '\\';
        escaped[1] = (char)byte;
        return add_bytes(l, escaped, 2);
    }
    if (byte >= 0x20 && byte < 0x7f) {
        escaped[0] = (char)byte;
        return add_bytes(l, escaped, 1);
    }
    snprintf(escaped, sizeof(escaped), opened.format == CONFIG_LOG_JSON ? "\\u%04x" : "\\x%02x", byte);
    return add_text(l, escaped);
}

/* JSON is made of characters (RFC 8259 section 7), not of bytes. A byte that belongs to none is told in hexadecimal; so
 * are the control characters C1, which begin escape sequences to some terminals. Returns how many bytes it took; 0:
 * there is no room. */
static size_t add_json_character(struct line *l, struct span text)
{
    char escaped[16];
    uint32_t c = 0;
    size_t size = span_take_utf8(text, &c);

    if (size == 0 || (c >= 0x80 && c <= 0x9f)) {
        snprintf(escaped, sizeof(escaped), "\\\\x%02x", text.data[0]);
        size = 1;
    } else if (c <= 0xffff) {
        snprintf(escaped, sizeof(escaped), "\\u%04" PRIx32, c);
    } else {
        c -= 0x10000;
        snprintf(escaped, sizeof(escaped), "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
    }
    return add_text(l, escaped) ? size : 0;
}

/* As much as is shown of a value; a character is not cut in two. */
static struct span shown_of(struct span text)
{
    size_t shown = LOG_VALUE_MAX;

    if (text.size <= LOG_VALUE_MAX)
        return text;
    while (shown > LOG_VALUE_MAX - 4 && (text.data[shown] & 0xc0) == 0x80)
        shown--;
    return span_of(text.data, shown);
}

static bool add_quoted(struct line *l, struct span text)
{
    struct span rest = shown_of(text);
    size_t shown = rest.size;

    if (!add_text(l, "\""))
        return false;
    while (rest.size != 0) {
        size_t size = 1;

        if (opened.format == CONFIG_LOG_JSON && rest.data[0] >= 0x80)
            size = add_json_character(l, rest);
        else if (!add_escaped(l, rest.data[0]))
            return false;
        if (size == 0)
            return false;
        rest = span_skip(rest, size);
    }
    if (shown < text.size && !add_text(l, "..."))
        return false;
    return add_text(l, "\"");
}

static bool is_plain_token(struct span text)
{
    if (text.size == 0 || text.size > LOG_VALUE_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != 0 && strchr("._-:/@+,[]()*%", c) != NULL)))
            return false;
    }
    return true;
}

static bool add_value(struct line *l, const struct log_field *f)
{
    if (f->is_number)
        return add_number(l, f->number);
    if (opened.format == CONFIG_LOG_LOGFMT && is_plain_token(f->text))
        return add_bytes(l, (const char *)f->text.data, f->text.size);
    return add_quoted(l, f->text);
}

/* A field is in the line whole or not at all. */
static void add_field(struct line *l, struct log_field f)
{
    size_t size_before = l->size;
    bool json = opened.format == CONFIG_LOG_JSON;
    bool fits;

    if (l->full)
        return;
    fits = json ? add_text(l, l->size == 1 ? "\"" : ",\"") && add_text(l, f.key) && add_text(l, "\":")
                : (l->size == 0 || add_text(l, " ")) && add_text(l, f.key) && add_text(l, "=");
    if (!fits || !add_value(l, &f)) {
        l->size = size_before;
        l->full = true;
    }
}

static void format_line(struct line *l, enum config_log target, enum log_level level, const char *event,
                        const struct log_field *fields)
{
    l->size = 0;
    l->full = false;
    if (opened.format == CONFIG_LOG_JSON)
        l->text[l->size++] = '{';
    if (target == CONFIG_LOG_STDERR) {
        struct timespec now;
        struct tm utc;
        char text[40];

        clock_gettime(CLOCK_REALTIME, &now);
        gmtime_r(&now.tv_sec, &utc);
        snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900, utc.tm_mon + 1,
                 utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000);
        add_field(l, log_text("time", text));
    }
    add_field(l, log_text("level", level_names[level]));
    add_field(l, log_text("process", opened.process));
    add_field(l, log_text("event", event));
    for (const struct log_field *f = fields; f->key != NULL; f++)
        add_field(l, *f);
    if (opened.format == CONFIG_LOG_JSON)
        l->text[l->size++] = '}';
}

static void write_stderr(struct line *l)
{
    l->text[l->size] = '\n';
    write_bytes(l->text, l->size + 1);
}

/* The journal gets the line as MESSAGE and each field by itself: YETT_CONN=..., so that it can be asked for. */
static void write_journal(struct line *l, enum log_level level, const char *event, const struct log_field *fields)
{
    char *texts[LOG_FIELDS_MAX + 4];
    struct iovec items[LOG_FIELDS_MAX + 4];
    int count = 0;

    texts[count++] = base_printf("MESSAGE=%.*s", (int)l->size, l->text);
    texts[count++] = base_printf("PRIORITY=%d", level_priorities[level]);
    texts[count++] = base_printf("YETT_PROCESS=%s", opened.process);
    texts[count++] = base_printf("YETT_EVENT=%s", event);
    for (const struct log_field *f = fields; f->key != NULL && count < LOG_FIELDS_MAX + 4; f++) {
        char *item = f->is_number ? base_printf("YETT_%s=%" PRId64, f->key, f->number)
                                  : base_printf("YETT_%s=%.*s", f->key,
                                                (int)(f->text.size > LOG_VALUE_MAX ? LOG_VALUE_MAX : f->text.size),
                                                f->text.data == NULL ? "" : (const char *)f->text.data);
        for (char *c = item; *c != '=' && *c != '\0'; c++)
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
        texts[count++] = item;
    }
    for (int i = 0; i < count; i++)
        items[i] = (struct iovec){.iov_base = texts[i], .iov_len = strlen(texts[i])};
    if (sd_journal_sendv(items, count) < 0)
        write_stderr(l); /* no journal here: better there than nowhere */
    for (int i = 0; i < count; i++)
        free(texts[i]);
}

static void emit(enum log_level level, const char *event, const struct log_field *fields)
{
    struct line l;
    int saved_errno = errno;
    enum config_log target = is_heard() ? opened.target : CONFIG_LOG_STDERR;

    format_line(&l, target, level, event, fields);
    switch (target) {
    case CONFIG_LOG_STDERR:
        write_stderr(&l);
        break;
    case CONFIG_LOG_SYSLOG:
        syslog(level_priorities[level], "%.*s", (int)l.size, l.text);
        break;
    case CONFIG_LOG_JOURNAL:
        write_journal(&l, level, event, fields);
        break;
    }
    errno = saved_errno;
}

static void say_left_out(const char *event, uint64_t count)
{
    const struct log_field fields[] = {
        log_text("suppressed_event", event), log_number("lines", (int64_t)count), {.key = NULL}};

    emit(LOG_LEVEL_WARNING, "log_suppressed", fields);
}

static struct guard_row *guard_row_of(const char *event)
{
    for (size_t i = 0; i < guard_row_count; i++)
        if (strcmp(guard_rows[i].event, event) == 0)
            return &guard_rows[i];
    if (guard_row_count == LOG_EVENTS_MAX)
        return &guard_rows[LOG_EVENTS_MAX - 1];
    snprintf(guard_rows[guard_row_count].event, sizeof(guard_rows[0].event), "%s", event);
    return &guard_rows[guard_row_count++];
}

static uint64_t hash(uint64_t value, struct span bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        value = (value ^ bytes.data[i]) * 0x100000001b3; /* FNV-1a */
    return value;
}

/* Whether the source has lines left in this second; takes one. With the lock held. */
static bool source_passes(struct span source, const char *event, time_t now)
{
    size_t row;

    if (source.size == 0)
        return true;
    if (source_seed == 0 && getrandom(&source_seed, sizeof(source_seed), 0) != sizeof(source_seed))
        base_abort("no random bytes: %s", strerror(errno));
    row = hash(hash(source_seed, source), span_of_string(event)) >> 32 & (LOG_SOURCES_MAX - 1);
    if (source_rows[row].second != now) {
        source_rows[row].second = now;
        source_rows[row].written = 0;
    }
    if (source_rows[row].written == LOG_SOURCE_LINES_PER_SECOND_MAX)
        return false;
    source_rows[row].written++;
    return true;
}

/* Whether a line that a peer caused may be written now; says first what was left out in an earlier second. */
static bool guard_passes(const char *event, struct span source)
{
    time_t now = (time_t)(base_now_ms() / 1000);
    uint64_t left_out = 0;
    struct guard_row *row;
    bool passes;

    pthread_mutex_lock(&guard_lock);
    row = guard_row_of(event);
    if (row->second != now) {
        left_out = row->left_out;
        row->second = now;
        row->written = 0;
        row->left_out = 0;
    }
    passes = row->written < LOG_PEER_LINES_PER_SECOND_MAX && source_passes(source, event, now);
    if (passes)
        row->written++;
    else
        row->left_out++;
    pthread_mutex_unlock(&guard_lock);
    if (left_out != 0)
        say_left_out(event, left_out);
    return passes;
}

bool log_flush_suppressed(void)
{
    time_t now = (time_t)(base_now_ms() / 1000);
    bool unsaid = false;

    for (size_t i = 0; i < LOG_EVENTS_MAX; i++) {
        uint64_t left_out = 0;
        char event[LOG_EVENT_NAME_MAX];

        pthread_mutex_lock(&guard_lock);
        if (i < guard_row_count && guard_rows[i].second != now) {
            left_out = guard_rows[i].left_out;
            guard_rows[i].left_out = 0;
            memcpy(event, guard_rows[i].event, sizeof(event));
        } else if (i < guard_row_count && guard_rows[i].left_out != 0) {
            unsaid = true;
        }
        pthread_mutex_unlock(&guard_lock);
        if (left_out != 0)
            say_left_out(event, left_out);
    }
    return unsaid;
}

void log_write(enum log_level level, enum log_cause cause, const char *event, const struct log_field *fields)
{
    if (log_wants(level) && (cause == LOG_OWN || guard_passes(event, span_of(NULL, 0))))
        emit(level, event, fields);
}

void log_write_of(enum log_level level, struct span source, const char *event, const struct log_field *fields)
{
    if (log_wants(level) && guard_passes(event, source))
        emit(level, event, fields);
}
