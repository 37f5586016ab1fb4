/* see tokens/pin.h */
#include "tokens/pin.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

/* One page of its own, so that locking, dumping and wiping are about the PIN and nothing else. */
struct tokens_pin {
    size_t size;
    char text[TOKENS_PIN_MAX + 8]; /* a byte order mark, CR LF and a NUL more */
};

static struct tokens_pin *pin_allocate(char **error)
{
    struct tokens_pin *pin = mmap(NULL, sizeof(*pin), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pin == MAP_FAILED) {
        *error = base_printf("cannot get memory for a PIN: %s", strerror(errno));
        return NULL;
    }
    if (mlock(pin, sizeof(*pin)) != 0) {
        *error = base_printf("cannot lock memory for a PIN: %s (LimitMEMLOCK=)", strerror(errno));
        munmap(pin, sizeof(*pin));
        return NULL;
    }
    /* Best effort on top of PR_SET_DUMPABLE: neither a core dump nor a child has the page. */
    (void)madvise(pin, sizeof(*pin), MADV_DONTDUMP);
    (void)madvise(pin, sizeof(*pin), MADV_DONTFORK);
    return pin;
}

/* see tokens/pin.h */
void tokens_pin_destroy(struct tokens_pin **pin)
{
    if (*pin == NULL)
        return;
    base_wipe(*pin, sizeof(**pin));
    munmap(*pin, sizeof(**pin));
    *pin = NULL;
}

/* see tokens/pin.h */
const char *tokens_pin_text(const struct tokens_pin *pin)
{
    return pin->text;
}

/* Leave the one line there is, without its end and without a byte order mark (base/text.h): with either, a PIN would be
 * a wrong one, and cost a try. Says what is wrong with what is left. */
static bool pin_finish(struct tokens_pin *pin, const char *source, char **error)
{
    struct base_text text = base_text_of(span_of(pin->text, pin->size));
    struct span line, another;

    if (memchr(pin->text, '\0', pin->size) != NULL) {
        *error = base_printf("%s has a zero byte in it", source);
        return false;
    }
    if (!base_text_next(&text, &line) || line.size == 0) {
        *error = base_printf("%s is empty", source);
        return false;
    }
    if (line.size > TOKENS_PIN_MAX) {
        *error = base_printf("%s is longer than %d bytes", source, TOKENS_PIN_MAX);
        return false;
    }
    if (base_text_next(&text, &another)) {
        *error = base_printf("%s has more than one line", source);
        return false;
    }
    pin->size = line.size;
    memmove(pin->text, line.data, line.size);
    base_wipe(pin->text + pin->size, sizeof(pin->text) - pin->size);
    return true;
}

/* see tokens/pin.h */
struct tokens_pin *tokens_pin_copy(const char *text, size_t size, char **error)
{
    struct tokens_pin *pin;

    if (size > TOKENS_PIN_MAX) {
        *error = base_printf("the PIN is longer than %d bytes", TOKENS_PIN_MAX);
        return NULL;
    }
    pin = pin_allocate(error);
    if (pin == NULL)
        return NULL;
    memcpy(pin->text, text, size);
    pin->size = size;
    if (!pin_finish(pin, "the PIN", error))
        tokens_pin_destroy(&pin);
    return pin;
}

/* Straight from the descriptor into the locked page: no stdio buffer keeps a copy. */
static bool read_descriptor(struct tokens_pin *pin, int fd, const char *source, char **error)
{
    if (!base_fd_read(fd, pin->text, sizeof(pin->text), &pin->size)) {
        *error = base_printf("cannot read %s: %s", source, strerror(errno));
        return false;
    }
    return pin_finish(pin, source, error);
}

enum permission_check { CHECK_OWNER_AND_MODE, TRUST_DIRECTORY };

static bool file_is_private(int fd, const char *source, char **error)
{
    struct stat info;

    if (fstat(fd, &info) == 0)
        return base_file_check(source, &info, BASE_FILE_PRIVATE, error);
    *error = base_printf("%s: cannot be examined: %s", source, strerror(errno));
    return false;
}

static bool read_file(struct tokens_pin *pin, const char *path, enum permission_check check, char **error)
{
    char quoted[BASE_QUOTE_SIZE];
    char *source = base_printf("PIN file %s", base_quote(path, strlen(path), quoted, sizeof(quoted)));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool good = false;

    if (fd < 0) {
        char *why = base_file_why(path, errno);

        *error = base_printf("%s: cannot be opened: %s", source, why);
        free(why);
    } else if (check == TRUST_DIRECTORY || file_is_private(fd, source, error)) {
        good = read_descriptor(pin, fd, source, error);
    }
    if (fd >= 0)
        close(fd);
    free(source);
    return good;
}

/* systemd gives access by ownership or by an ACL, and an ACL shows in the mode: the directory is what protects. */
static bool read_credential(struct tokens_pin *pin, const char *name, char **error)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char quoted[BASE_QUOTE_SIZE];
    char *path;
    bool good;

    base_quote(name, strlen(name), quoted, sizeof(quoted));
    if (name[0] == '\0' || strchr(name, '/') != NULL || strcmp(name, "..") == 0 || strcmp(name, ".") == 0) {
        *error = base_printf("%s is not the name of a credential", quoted);
        return false;
    }
    if (directory == NULL) {
        *error = base_printf("there is no credential %s: CREDENTIALS_DIRECTORY is not set (LoadCredential=)", quoted);
        return false;
    }
    path = base_printf("%s/%s", directory, name);
    good = read_file(pin, path, TRUST_DIRECTORY, error);
    free(path);
    return good;
}

/* What was taken out of the environment of this process, and has not been asked for yet. */
struct taken {
    struct taken *next;
    char *name;
    size_t size; /* of the value, which may be longer than a PIN: that is told when it is asked for */
    struct tokens_pin *pin;
};

static struct taken *taken_first;
static bool environment_is_taken;

static void variable_wipe(const char *name, char *value)
{
    base_wipe(value, strlen(value)); /* /proc/PID/environ shows this very memory */
    unsetenv(name);
}

/* see tokens/pin.h */
void tokens_pin_take_environment(const char *const *names, size_t count)
{
    environment_is_taken = true;
    for (size_t i = 0; i < count; i++) {
        char *value = getenv(names[i]), *error = NULL;
        struct taken *taken;

        if (value == NULL)
            continue;
        taken = base_alloc(sizeof(*taken));
        *taken = (struct taken){.next = taken_first, .name = base_strdup(names[i]), .size = strlen(value)};
        taken_first = taken;
        taken->pin = pin_allocate(&error);
        free(error); /* said again, and better, when it is asked for */
        if (taken->pin != NULL && taken->size <= TOKENS_PIN_MAX) {
            memcpy(taken->pin->text, value, taken->size);
            taken->pin->size = taken->size;
        }
        variable_wipe(names[i], value);
    }
}

/* `source`: for messages. *handled: whether it was taken, or may not be read any more. */
static bool read_taken(struct tokens_pin *pin, const char *name, const char *source, bool *handled, char **error)
{
    struct taken **link = &taken_first, *taken;
    bool good = false;

    *handled = environment_is_taken;
    while (*link != NULL && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    taken = *link;
    if (taken == NULL) {
        char *value = getenv(name);

        if (environment_is_taken && value != NULL) {
            variable_wipe(name, value);
            *error = base_printf("%s is read only at the start, if it is named then: start yett anew", source);
        } else if (environment_is_taken) {
            *error = base_printf("%s is not set", source);
        }
        return false;
    }
    *link = taken->next;
    if (taken->size > TOKENS_PIN_MAX) {
        *error = base_printf("%s is longer than %d bytes", source, TOKENS_PIN_MAX);
    } else if (taken->pin == NULL) {
        *error = base_printf("%s could not be kept: memory cannot be locked (LimitMEMLOCK=)", source);
    } else {
        memcpy(pin, taken->pin, sizeof(*pin));
        good = pin_finish(pin, source, error);
    }
    tokens_pin_destroy(&taken->pin);
    free(taken->name);
    free(taken);
    return good;
}

static bool read_environment(struct tokens_pin *pin, const char *name, char **error)
{
    char *value;
    char quoted[BASE_QUOTE_SIZE];
    char *source = base_printf("environment variable %s", base_quote(name, strlen(name), quoted, sizeof(quoted)));
    bool handled, good = read_taken(pin, name, source, &handled, error);

    value = getenv(name);
    if (handled) {
        free(source);
        return good;
    }
    if (value == NULL) {
        *error = base_printf("%s is not set", source);
    } else {
        size_t size = strlen(value);

        if (size > TOKENS_PIN_MAX) {
            *error = base_printf("%s is longer than %d bytes", source, TOKENS_PIN_MAX);
        } else {
            memcpy(pin->text, value, size);
            pin->size = size;
            good = pin_finish(pin, source, error);
        }
        variable_wipe(name, value);
    }
    free(source);
    return good;
}

/* Signal characters are read as characters: a Ctrl-C that killed us would leave the terminal without echo. */
static bool read_line_without_echo(struct tokens_pin *pin, int tty, char **error)
{
    struct termios before, quiet;
    bool good = false;

    if (tcgetattr(tty, &before) != 0) {
        *error = base_printf("cannot ask for a PIN: %s", strerror(errno));
        return false;
    }
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0) {
        *error = base_printf("cannot switch the echo off: %s", strerror(errno));
        return false;
    }
    while (pin->size < sizeof(pin->text)) {
        ssize_t got = read(tty, pin->text + pin->size, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || pin->text[pin->size] == '\003')
            break;
        pin->size++;
        if (pin->text[pin->size - 1] == '\n') {
            good = true;
            break;
        }
    }
    tcsetattr(tty, TCSAFLUSH, &before);
    if (!good)
        *error = base_strdup("no PIN was entered");
    return good && pin_finish(pin, "the PIN", error);
}

static bool read_prompt(struct tokens_pin *pin, const char *prompt, char **error)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    bool good;

    if (tty < 0) {
        *error = base_printf("cannot ask for a PIN: there is no terminal (%s)", strerror(errno));
        return false;
    }
    dprintf(tty, "%s: ", prompt == NULL ? "PIN" : prompt);
    good = read_line_without_echo(pin, tty, error);
    dprintf(tty, "\n");
    close(tty);
    return good;
}

/* see tokens/pin.h */
struct tokens_pin *tokens_pin_read(enum tokens_pin_source source, const char *value, const char *prompt, char **error)
{
    struct tokens_pin *pin = pin_allocate(error);
    bool good = false;

    if (pin == NULL)
        return NULL;
    switch (source) {
    case TOKENS_PIN_NONE:
        *error = base_strdup("no PIN is configured");
        break;
    case TOKENS_PIN_FILE:
        good = read_file(pin, value, CHECK_OWNER_AND_MODE, error);
        break;
    case TOKENS_PIN_CREDENTIAL:
        good = read_credential(pin, value, error);
        break;
    case TOKENS_PIN_ENV:
        good = read_environment(pin, value, error);
        break;
    case TOKENS_PIN_PROMPT:
        good = read_prompt(pin, prompt, error);
        break;
    }
    if (!good)
        tokens_pin_destroy(&pin);
    return pin;
}
