/* proxy/session/connect.h: from a list of targets to one connected transport.
 *
 * The targets are tried in turn. A target that is a name is looked up in both families at a time and its addresses are
 * tried as RFC 8305 (Happy Eyeballs 2) says: IPv6 first, families interleaved, a new attempt each
 * LIMIT_ATTEMPT_DELAY_MS while the earlier ones go on, the first that connects wins. With a check (`denied`), both
 * families are awaited and every address must pass before the first attempt: a name with one forbidden address is
 * refused, and only a checked address is ever connected to (no second lookup, so no DNS rebinding). What it does not
 * do: keep time. Who asks has the deadline and destroys the connector. Threads: loop only. */
#ifndef YETT_PROXY_SESSION_CONNECT_H
#define YETT_PROXY_SESSION_CONNECT_H

#include "config/config.h"
#include "proxy/process/resolve.h"
#include "proxy/session/transport.h"

enum connect_status {
    CONNECT_OK,
    CONNECT_FAILED, /* no address of any target answered, or no name resolved */
    CONNECT_DENIED, /* an address is not allowed */
};

struct connect_result {
    enum connect_status status;
    struct transport *transport;    /* OK: the receiver's from now on */
    size_t target;                  /* OK: index of the target that answered */
    const struct sockaddr *address; /* OK, TCP: where to; lives with the connector. Else NULL */
    const char *error;              /* otherwise a sentence; lives with the connector */
};

struct connect_options {
    uv_loop_t *loop;
    struct resolver *resolver;
    struct resolve_asker asker;
    const struct config_address *targets; /* borrowed while the connector lives */
    size_t target_count;
    /* Why nobody may go there: static; NULL: one may. A member that is NULL: everywhere. */
    const char *(*denied)(void *context, const struct sockaddr *address);
    void (*on_done)(void *context, const struct connect_result *result);
    void *context;
};

struct connector;

/* on_done is called once, later, from the loop; the connector stays the caller's to destroy (there, if it likes). */
struct connector *connector_create(const struct connect_options *options);

/* The target that is being looked up or connected to now: all before it have failed. */
size_t connector_target(const struct connector *c);

/* The name that is being looked up now, and has no address yet; NULL: there is none. */
const char *connector_looks_up(const struct connector *c);

/* Ends what is under way, without on_done. NULL-safe; sets *c to NULL. */
void connector_destroy(struct connector **c);

#endif
