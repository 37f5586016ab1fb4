/* starttls/machine.h: the form every plain-text conversation has. Private to starttls/.
 *
 * A protocol is one file that exports one `struct protocol`, which base/protocols.h names: the two machine classes
 * (facing a client, facing a server), the one that asks a server what it can do, its filter, and its words. A machine
 * class is a table: states with names and with what is said on entering them, `start`, which enters the first state,
 * and `on_line`, a switch over the state. The common part cuts bytes into lines, counts, keeps the output and the
 * error, and owns the hinge: on_line only *asks* for STARTTLS_UPGRADE, and then on_hinge is told whether the peer kept
 * silent after it (HINGE_CLEAN: say the go-ahead) or not (HINGE_EARLY: say the refusal). A protocol without lines gives
 * on_bytes instead of on_line. */
#ifndef YETT_STARTTLS_MACHINE_H
#define YETT_STARTTLS_MACHINE_H

#include "starttls/filter.h"
#include "starttls/limits.h"
#include "starttls/line.h"
#include "starttls/starttls.h"

enum hinge { HINGE_CLEAN, HINGE_EARLY };

struct machine_class {
    size_t size;           /* of the struct that begins with a struct starttls_machine */
    size_t line_bytes_max; /* with CRLF */
    size_t bytes_max;      /* of the whole conversation */
    enum line_text text;
    const char *const *state_names;
    const char *const *says; /* by state: what is said on entering it, NULL: nothing. NULL: nothing on any */

    void (*start)(struct starttls_machine *m); /* machine_start() where the first state is the first of the enum */
    enum starttls_status (*on_line)(struct starttls_machine *m, struct span line);
    /* Instead of on_line; NULL otherwise. Takes at least one byte, or changes the status. */
    enum starttls_status (*on_bytes)(struct starttls_machine *m, struct span bytes, size_t *consumed);
    /* Last words to a peer whose line is at fault; NULL: none. The machine is BROKEN in any case. */
    void (*on_fault)(struct starttls_machine *m, enum line_status fault);
    void (*on_hinge)(struct starttls_machine *m, enum hinge hinge); /* NULL where nothing upgrades */
    void (*on_target_connected)(struct starttls_machine *m);        /* NULL where STARTTLS_TARGET is never given */
    bool (*client_may_leave)(const struct starttls_machine *m);     /* NULL: it may not */
    void (*clear)(struct starttls_machine *m); /* frees and wipes what the subclass owns; may be NULL */
};

struct starttls_machine {
    const struct machine_class *class;
    enum starttls_protocol protocol;
    struct starttls_options options;
    enum starttls_status status;
    unsigned state; /* the class's own enum */
    unsigned bad_commands;
    size_t bytes_taken;
    struct line_reader line;
    struct buffer out;
    bool output_lost; /* more was said than is declared: a fault that is kept, and told */
    bool was_injected;
    bool leaves_rest; /* with STARTTLS_TARGET: what follows the request is not early data */
    char *error;      /* NULL while nothing is wrong */
    enum starttls_refusal refusal;
    char *target_host; /* with STARTTLS_TARGET */
    uint16_t target_port;
    struct buffer early;        /* bytes that came with or after the request for a target */
    struct buffer capabilities; /* a probe's: words, as the server wrote them */
    struct buffer greeting;     /* the server's, for the client; see starttls_greeting() */
};

struct protocol {
    const char *alpn;                   /* NULL: none registered */
    bool greets_in_tls;                 /* its server greets again behind STARTTLS */
    bool client_opens;                  /* see starttls_client_opens() */
    const struct machine_class *accept; /* NULL: it has no conversation */
    const struct machine_class *connect;
    const struct machine_class *probe; /* NULL: nothing to ask */
    const struct filter_class *filter; /* NULL: nothing to filter */
    void (*failure_text)(enum starttls_failure failure, bool greeted, const char *name, struct buffer *out);
    void (*greeting_text)(const char *name, struct buffer *out);
};

#define PROTOCOL_OBJECT(id, object, word, starttls, idle_ms) extern const struct protocol starttls_##object;
PROTOCOLS(PROTOCOL_OBJECT)
#undef PROTOCOL_OBJECT

struct starttls_machine *machine_create(enum starttls_protocol protocol, const struct machine_class *class,
                                        const struct starttls_options *options);

/* Enter a state, and say what belongs to it. The only setter of the state where a class has `says`. */
void machine_enter(struct starttls_machine *m, unsigned state);

/* `start` of a class that begins with its first state. */
void machine_start(struct starttls_machine *m);

/* `on_hinge` of a connected side: there is no go-ahead of ours, and no last word to an attacker. */
void machine_hinge_in_silence(struct starttls_machine *m, enum hinge hinge);

/* Say something to the peer. Output past its ceiling is dropped and breaks the machine. */
void machine_say(struct starttls_machine *m, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Likewise bytes of any kind. */
void machine_put(struct starttls_machine *m, struct span bytes);

/* The ends of a conversation that went wrong. The first error is the one that is told. */
enum starttls_status machine_broken(struct starttls_machine *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
enum starttls_status machine_refused(struct starttls_machine *m, enum starttls_refusal what, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* As machine_broken() and machine_refused(), with the peer's line quoted after `what` and a colon. */
enum starttls_status machine_broken_by(struct starttls_machine *m, const char *what, struct span line);
enum starttls_status machine_refused_by(struct starttls_machine *m, enum starttls_refusal what, const char *sentence,
                                        struct span line);

/* Of a probe: keep a word of what the server can do. Past the ceiling the list is cut at a word: it is for a person to
 * read. The class calls machine_open_capabilities() in `start` and machine_close_capabilities() as `clear`. */
void machine_note_capability(struct starttls_machine *m, struct span word);
void machine_open_capabilities(struct starttls_machine *m);
void machine_close_capabilities(struct starttls_machine *m);

/* Keep a line of the server's greeting, without CRLF, for the client. False: there is no room for it. */
MUST_CHECK bool machine_keep_greeting(struct starttls_machine *m, struct span line);

/* Count a refused command; true when it was one too many. */
MUST_CHECK bool machine_bad_command(struct starttls_machine *m);

/* The same for a command whose refusal has been said: NEED_MORE, or BROKEN behind `last_words`, a line without CRLF. */
MUST_CHECK enum starttls_status machine_refuse_command(struct starttls_machine *m, const char *last_words);

/* Append to a buffer that may be full: last words are not worth an error of their own. */
void text_append(struct buffer *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Cut `line` at its first space: the word before it, and what follows the space. `line` without a space is one word
 * and an empty rest; *has_rest tells "word" from "word ". */
struct span text_word(struct span line, struct span *rest, bool *has_rest);

/* Cut the first word off `line`. Peers differ in what they take for space, and some stop at a NUL; whatever one of them
 * might skip or stop at is no part of a word. `line` begins with what ended it. */
struct span text_next_word(struct span *line);

/* Whether `word` is `wanted`, in any case. */
static inline bool text_word_is(struct span word, const char *wanted)
{
    return span_equal_nocase(word, span_of_string(wanted));
}

/* Of a client's line, what may be in a log: its first word, and none of what may be a password, or a URL with a token
 * in it. Empty where the first word is longer than any verb. */
struct span text_verb(struct span line);

/* The code of an SMTP reply line ("250-x", "250 x", "250"), or 0. RFC 5321 section 4.2. */
unsigned text_reply_code(struct span line);

/* Whether `line` begins as an HTTP request does: a browser sent across protocols (ALPACA, X1 and X3). */
enum http_likeness { HTTP_LIKENESS_METHOD, HTTP_LIKENESS_REQUEST_LINE };
bool text_looks_like_http(struct span line, enum http_likeness likeness);

#endif
