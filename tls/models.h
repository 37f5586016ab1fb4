/* tls/models.h: the model sockets of servers, as far as they are used. Private to tls/.
 *
 * Each site of a context has a *model*, of which connections are copies (tls/context.c). It takes some 30 KiB, most of
 * them buffers that a model has no use for and NSS no call to do without. So where there are more than TLS_MODELS_KEPT
 * of them in the process, those that were asked for longest ago are put away, and made again when a client comes for
 * their site, which costs it a fraction of a millisecond. A model of keys on a token stays: what it takes to be made is
 * not ours alone.
 *
 * Threads: any; making a model has the others wait. */
#ifndef YETT_TLS_MODELS_H
#define YETT_TLS_MODELS_H

#include "tls/context_internal.h"

struct tls_model;

/* The site's model, made for the first time: a mistake of the configuration shows here. False with a sentence. */
MUST_CHECK bool tls_model_create(struct tls_context *context, struct tls_site *site, char **error);
void tls_model_destroy(struct tls_model **model); /* NULL-safe; nobody has taken it */

/* Lent until tls_model_give(). */
PRFileDesc *tls_model_take(const struct tls_site *site);
void tls_model_give(const struct tls_site *site);

/* How many there are in the process. */
size_t tls_models_count(void);

#endif
