/* see tls/sessions.h
 *
 * NSS has a client cache of its own, but it is one list for the whole process, searched from its front under one lock,
 * with an entry more for each ticket and no ceiling. This one belongs to a context, so that services do not share
 * sessions, and is bounded. A target has several sessions, for connections at the same time. Linear search is fine: a
 * context has few targets. */
#include "tls/sessions.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char *key;
    struct tls_session session;
};

struct tls_sessions {
    pthread_mutex_t lock;
    struct entry entries[TLS_CLIENT_SESSIONS_MAX];
    size_t count;
    uint64_t number;
};

struct tls_sessions *tls_sessions_create(void)
{
    struct tls_sessions *sessions = base_alloc(sizeof(*sessions));

    (void)pthread_mutex_init(&sessions->lock, NULL);
    return sessions;
}

void tls_session_clear(struct tls_session *session)
{
    base_wipe(session->token, session->token_size); /* has the resumption secret in it, wrapped */
    free(session->token);
    free(session->chain);
    *session = (struct tls_session){0};
}

static void entry_clear(struct entry *entry)
{
    tls_session_clear(&entry->session);
    free(entry->key);
    *entry = (struct entry){0};
}

void tls_sessions_destroy(struct tls_sessions **sessions)
{
    struct tls_sessions *s = *sessions;

    if (s == NULL)
        return;
    *sessions = NULL;
    for (size_t i = 0; i < s->count; i++)
        entry_clear(&s->entries[i]);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* The oldest entry of a key (NULL: of all), and how many there are. */
static struct entry *find_oldest(struct tls_sessions *s, const char *key, size_t *count)
{
    struct entry *oldest = NULL;

    *count = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (key != NULL && strcmp(s->entries[i].key, key) != 0)
            continue;
        ++*count;
        if (oldest == NULL || s->entries[i].session.number < oldest->session.number)
            oldest = &s->entries[i];
    }
    return oldest;
}

/* The place for a new entry of a key: a free one, or that of the oldest of this key, or of all. */
static struct entry *make_place(struct tls_sessions *s, const char *key)
{
    size_t count;
    struct entry *oldest = find_oldest(s, key, &count);

    if (count < TLS_CLIENT_SESSIONS_PER_KEY_MAX) {
        if (s->count < TLS_CLIENT_SESSIONS_MAX)
            return &s->entries[s->count++];
        oldest = find_oldest(s, NULL, &count);
    }
    entry_clear(oldest);
    return oldest;
}

void tls_sessions_put(struct tls_sessions *s, const char *key, struct tls_session *session)
{
    struct entry *entry;

    if (session->token_size > TLS_CLIENT_SESSION_BYTES_MAX || session->chain_size > TLS_CLIENT_SESSION_BYTES_MAX) {
        tls_session_clear(session);
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    entry = make_place(s, key);
    session->number = ++s->number;
    *entry = (struct entry){.key = base_strdup(key), .session = *session};
    (void)pthread_mutex_unlock(&s->lock);
    *session = (struct tls_session){0};
}

static struct entry *find_newest(struct tls_sessions *s, const char *key)
{
    struct entry *newest = NULL;

    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->entries[i].key, key) == 0 &&
            (newest == NULL || s->entries[i].session.number > newest->session.number))
            newest = &s->entries[i];
    return newest;
}

/* The last one takes the place of this. */
static void close_gap(struct tls_sessions *s, struct entry *entry)
{
    s->count--;
    *entry = s->entries[s->count];
    s->entries[s->count] = (struct entry){0};
}

bool tls_sessions_take(struct tls_sessions *s, const char *key, struct tls_session *session)
{
    struct entry *entry;

    (void)pthread_mutex_lock(&s->lock);
    entry = find_newest(s, key);
    if (entry != NULL) {
        *session = entry->session;
        free(entry->key);
        close_gap(s, entry);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return entry != NULL;
}

void tls_sessions_drop_older(struct tls_sessions *s, const char *key, uint64_t number)
{
    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = s->count; i > 0; i--) {
        struct entry *entry = &s->entries[i - 1];

        if (strcmp(entry->key, key) == 0 && entry->session.number < number) {
            entry_clear(entry);
            close_gap(s, entry);
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
}
