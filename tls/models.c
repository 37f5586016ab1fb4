/* see tls/models.h */
#include "tls/models.h"

#include <pthread.h>
#include <stdlib.h>

struct tls_model {
    struct tls_context *context;
    struct tls_site *site;
    PRFileDesc *socket; /* NULL: it is put away */
    unsigned users;
    struct tls_model *previous, *next; /* in the list, while there is a socket */
};

/* Those with a socket that may be put away; the one that was asked for last is first. */
static struct {
    pthread_mutex_t lock;
    struct tls_model *first, *last;
    size_t count;
} models = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void delist(struct tls_model *m)
{
    *(m->previous != NULL ? &m->previous->next : &models.first) = m->next;
    *(m->next != NULL ? &m->next->previous : &models.last) = m->previous;
    m->previous = m->next = NULL;
    models.count--;
}

static void enlist(struct tls_model *m)
{
    m->next = models.first;
    *(m->next != NULL ? &m->next->previous : &models.last) = m;
    models.first = m;
    models.count++;
}

static bool may_be_put_away(const struct tls_model *m)
{
    return !m->context->may_block;
}

static void put_away_oldest(void)
{
    struct tls_model *m = models.last;

    while (m != NULL && models.count > TLS_MODELS_KEPT) {
        struct tls_model *before = m->previous;

        if (m->users == 0) {
            delist(m);
            (void)PR_Close(m->socket);
            m->socket = NULL;
        }
        m = before;
    }
}

bool tls_model_create(struct tls_context *context, struct tls_site *site, char **error)
{
    struct tls_model *m = base_alloc(sizeof(*m));

    *m = (struct tls_model){.context = context, .site = site};
    m->socket = tls_site_socket_create(context, site, error);
    if (m->socket == NULL) {
        free(m);
        return false;
    }
    site->model = m;
    if (!may_be_put_away(m))
        return true;
    pthread_mutex_lock(&models.lock);
    enlist(m);
    put_away_oldest();
    pthread_mutex_unlock(&models.lock);
    return true;
}

void tls_model_destroy(struct tls_model **model)
{
    struct tls_model *m = *model;

    if (m == NULL)
        return;
    *model = NULL;
    assert(m->users == 0);
    pthread_mutex_lock(&models.lock);
    if (m->socket != NULL && may_be_put_away(m))
        delist(m);
    pthread_mutex_unlock(&models.lock);
    if (m->socket != NULL)
        (void)PR_Close(m->socket);
    free(m);
}

/* It could be made once, of nothing but memory. */
static void make_again(struct tls_model *m)
{
    char *error = NULL;

    m->socket = tls_site_socket_create(m->context, m->site, &error);
    if (m->socket == NULL)
        base_abort("out of memory for a TLS socket (%s)", error);
}

PRFileDesc *tls_model_take(const struct tls_site *site)
{
    struct tls_model *m = site->model;

    if (!may_be_put_away(m))
        return m->socket;
    pthread_mutex_lock(&models.lock);
    if (m->socket == NULL)
        make_again(m);
    else
        delist(m);
    enlist(m);
    m->users++;
    put_away_oldest();
    pthread_mutex_unlock(&models.lock);
    return m->socket;
}

void tls_model_give(const struct tls_site *site)
{
    struct tls_model *m = site->model;

    if (!may_be_put_away(m))
        return;
    pthread_mutex_lock(&models.lock);
    assert(m->users != 0);
    m->users--;
    pthread_mutex_unlock(&models.lock);
}

size_t tls_models_count(void)
{
    size_t count;

    pthread_mutex_lock(&models.lock);
    count = models.count;
    pthread_mutex_unlock(&models.lock);
    return count;
}
