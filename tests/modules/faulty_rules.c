/* see faulty_rules.h */
#include "faulty_rules.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { HANG_POLL_MS = 10, RULES_BYTES = 4096 };

CK_FUNCTION_LIST *real;
pthread_mutex_t faulty_lock = PTHREAD_MUTEX_INITIALIZER;
struct rule faulty_rules[FAULTY_RULES_MAX];
size_t faulty_rule_count;
struct seen_token faulty_tokens[FAULTY_TOKENS_MAX];
size_t faulty_token_count;
struct seen_session faulty_sessions[FAULTY_SESSIONS_MAX];

static int calls_fd = -1;
static unsigned long calls;
static bool to_drop;
static CK_RV stuck; /* CKR_OK: not */
static bool stuck_quietly;

static void sleep_ms(unsigned long ms)
{
    struct timespec pause = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    while (ms > 0 && nanosleep(&pause, &pause) != 0)
        ;
}

/* --- rules; lock held --- */

static void rule_read(char *line)
{
    struct rule *r = &faulty_rules[faulty_rule_count];
    char *at = strchr(line, '@');

    *r = (struct rule){.left = (unsigned long)-1};
    if (at != NULL) {
        *at = '\0';
        snprintf(r->label, sizeof(r->label), "%s", at + 1);
    }
    if (sscanf(line, "%47s %47s %47s %47s", r->kind, r->first, r->second, r->third) < 1)
        return;
    if (r->third[0] != '\0')
        r->left = strtoul(r->third, NULL, 0);
    to_drop = to_drop || strcmp(r->kind, "drop") == 0;
    faulty_rule_count++;
}

/* Told apart by what they say: not every file system's times are to be relied on. */
static void rules_read(void)
{
    static char before[RULES_BYTES];
    const char *path = getenv("YETT_FAULTS");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    char text[RULES_BYTES] = "", *rest = text, *line;

    if (fd >= 0) {
        if (read(fd, text, sizeof(text) - 1) < 0)
            abort();
        close(fd);
    }
    if (strcmp(text, before) == 0)
        return;
    memcpy(before, text, sizeof(before));
    faulty_rule_count = 0;
    calls = 0;
    to_drop = false;
    while (faulty_rule_count < FAULTY_RULES_MAX && (line = strsep(&rest, "\n")) != NULL)
        rule_read(line);
}

/* Of a kind, for a function (NULL: for none) and a token. */
struct rule *faulty_rule_for(const char *kind, const char *function, const char *label)
{
    for (size_t i = 0; i < faulty_rule_count; i++) {
        struct rule *r = &faulty_rules[i];

        if (strcmp(r->kind, kind) == 0 &&
            (function == NULL || strcmp(r->first, function) == 0 || strcmp(r->first, "*") == 0) &&
            (r->label[0] == '\0' || (label != NULL && strcmp(r->label, label) == 0)))
            return r;
    }
    return NULL;
}

unsigned long faulty_number(const char *text, unsigned long otherwise)
{
    return text[0] == '\0' ? otherwise : strtoul(text, NULL, 0);
}

/* --- what was seen; lock held --- */

struct seen_token *faulty_token_of_slot(CK_SLOT_ID slot)
{
    struct seen_token *t = NULL;
    CK_TOKEN_INFO info;
    size_t size = sizeof(info.label);

    if (slot == FAULTY_NO_SLOT)
        return NULL;
    for (size_t i = 0; i < faulty_token_count; i++)
        if (faulty_tokens[i].slot == slot)
            t = &faulty_tokens[i];
    if (t != NULL && t->label[0] != '\0')
        return t;
    if (real->C_GetTokenInfo(slot, &info) != CKR_OK || (info.flags & CKF_TOKEN_INITIALIZED) == 0)
        return t;
    if (t == NULL && faulty_token_count == FAULTY_TOKENS_MAX)
        return NULL;
    if (t == NULL)
        t = &faulty_tokens[faulty_token_count++];
    *t = (struct seen_token){.slot = slot};
    while (size > 0 && info.label[size - 1] == ' ')
        size--;
    memcpy(t->label, info.label, size);
    return t;
}

const char *faulty_label_of(CK_SLOT_ID slot)
{
    struct seen_token *t = faulty_token_of_slot(slot);

    return t == NULL ? NULL : t->label;
}

CK_SLOT_ID faulty_slot_shown(CK_SLOT_ID slot)
{
    struct rule *r = faulty_rule_for("slot", NULL, faulty_label_of(slot));

    return r == NULL ? slot : slot + faulty_number(r->first, 0);
}

/* The slot of the module behind. */
CK_SLOT_ID faulty_slot_behind(CK_SLOT_ID shown)
{
    CK_SLOT_ID slot = shown;

    pthread_mutex_lock(&faulty_lock);
    rules_read();
    for (size_t i = 0; i < faulty_token_count; i++)
        if (faulty_slot_shown(faulty_tokens[i].slot) == shown)
            slot = faulty_tokens[i].slot;
    if (slot == shown && faulty_slot_shown(shown) != shown)
        slot = shown + 1000000; /* a number that means nothing any more */
    pthread_mutex_unlock(&faulty_lock);
    return slot;
}

struct seen_session *faulty_session_seen(CK_SESSION_HANDLE handle)
{
    for (size_t i = 0; handle != 0 && i < FAULTY_SESSIONS_MAX; i++)
        if (faulty_sessions[i].handle == handle)
            return &faulty_sessions[i];
    return NULL;
}

CK_SLOT_ID faulty_slot_of(CK_SESSION_HANDLE handle)
{
    struct seen_session *s;
    CK_SLOT_ID slot;

    pthread_mutex_lock(&faulty_lock);
    s = faulty_session_seen(handle);
    slot = s == NULL ? FAULTY_NO_SLOT : s->slot;
    pthread_mutex_unlock(&faulty_lock);
    return slot;
}

void faulty_sessions_lose(CK_SLOT_ID slot)
{
    real->C_CloseAllSessions(slot);
    for (size_t i = 0; i < FAULTY_SESSIONS_MAX; i++)
        if (faulty_sessions[i].slot == slot)
            faulty_sessions[i] = (struct seen_session){0};
}

bool faulty_token_is_gone(CK_SLOT_ID slot)
{
    struct seen_token *t = faulty_token_of_slot(slot);
    bool gone = t != NULL && faulty_rule_for("gone", NULL, t->label) != NULL;

    if (gone && !t->gone)
        faulty_sessions_lose(slot);
    if (t != NULL)
        t->gone = gone;
    return gone;
}

/* --- before and after each call --- */

static void tell(const char *function, CK_SLOT_ID slot, CK_RV rv)
{
    char line[160];
    const char *label;
    int size;

    if (calls_fd < 0)
        return;
    pthread_mutex_lock(&faulty_lock);
    label = stuck == CKR_OK ? faulty_label_of(slot) : NULL;
    size = snprintf(line, sizeof(line), "%ld %s 0x%lx %s\n", (long)syscall(SYS_gettid), function, rv,
                    label == NULL ? "-" : label);
    pthread_mutex_unlock(&faulty_lock);
    if (write(calls_fd, line, (size_t)size) != size)
        abort();
}

static bool about_slots(const char *function)
{
    static const char *const names[] = {"C_GetInfo",         "C_GetSlotList",      "C_GetSlotInfo",
                                        "C_GetTokenInfo",    "C_GetMechanismList", "C_GetMechanismInfo",
                                        "C_WaitForSlotEvent"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], function) == 0)
            return true;
    return false;
}

/* What the rules say that the call comes to at once; CKR_OK: nothing. lock held. */
static CK_RV failure(const char *function, const char *label)
{
    struct rule *r;

    if (stuck != CKR_OK && strcmp(function, "C_Finalize") != 0 && !(stuck_quietly && about_slots(function)))
        return stuck;
    r = faulty_rule_for("nth", NULL, label);
    if (r != NULL && calls == faulty_number(r->first, 0))
        return faulty_number(r->second, CKR_GENERAL_ERROR);
    for (size_t i = 0; i < 2; i++) {
        r = faulty_rule_for(i == 0 ? "stick" : "stick-quietly", function, label);
        if (r != NULL) {
            stuck = faulty_number(r->second, CKR_GENERAL_ERROR);
            stuck_quietly = i == 1;
            return stuck;
        }
    }
    r = faulty_rule_for("fail", function, label);
    if (r == NULL || r->left == 0)
        return CKR_OK;
    r->left--;
    return faulty_number(r->second, CKR_GENERAL_ERROR);
}

CK_RV faulty_leave(const char *function, CK_SLOT_ID slot, CK_RV rv)
{
    tell(function, slot, rv);
    return rv;
}

/* CKR_OK: the call may be made. Else it has come to this. */
CK_RV faulty_enter(const char *function, CK_SLOT_ID slot)
{
    struct rule *r;
    char label[FAULTY_WORD];
    CK_RV rv;

    pthread_mutex_lock(&faulty_lock);
    rules_read();
    calls++;
    snprintf(label, sizeof(label), "%s", faulty_label_of(slot) == NULL ? "" : faulty_label_of(slot));
    if (to_drop)
        for (size_t i = 0; i < faulty_token_count; i++)
            faulty_sessions_lose(faulty_tokens[i].slot);
    to_drop = false;
    if (faulty_rule_for("crash", function, label) != NULL)
        abort();
    if (faulty_rule_for("exit", function, label) != NULL)
        _exit(3);
    r = faulty_rule_for("delay", function, label);
    if (r != NULL) {
        unsigned long ms = faulty_number(r->second, 0);

        pthread_mutex_unlock(&faulty_lock);
        sleep_ms(ms);
        pthread_mutex_lock(&faulty_lock);
    }
    while (faulty_rule_for("hang", function, label) != NULL) {
        pthread_mutex_unlock(&faulty_lock);
        sleep_ms(HANG_POLL_MS);
        pthread_mutex_lock(&faulty_lock);
        rules_read();
    }
    rv = failure(function, label);
    if (rv == CKR_OK && slot != FAULTY_NO_SLOT && faulty_token_is_gone(slot))
        rv = strcmp(function, "C_GetTokenInfo") == 0 || strcmp(function, "C_OpenSession") == 0 ? CKR_TOKEN_NOT_PRESENT
                                                                                               : CKR_DEVICE_REMOVED;
    pthread_mutex_unlock(&faulty_lock);
    if (rv != CKR_OK)
        tell(function, slot, rv);
    return rv;
}

/* see faulty_rules.h */
void faulty_begin(void)
{
    const char *path = getenv("YETT_FAULT_CALLS");

    if (path != NULL && calls_fd < 0)
        calls_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* see faulty_rules.h */
void faulty_finalized(void)
{
    pthread_mutex_lock(&faulty_lock);
    stuck = CKR_OK;
    memset(faulty_sessions, 0, sizeof(faulty_sessions));
    for (size_t i = 0; i < faulty_token_count; i++)
        faulty_tokens[i].authenticated = 0;
    pthread_mutex_unlock(&faulty_lock);
}
