/* proxy/process/counters.h: what a worker counts, in memory it shares with the supervisor.
 *
 * Each worker process has one memfd: a header and one block for each service. The worker's loop thread is the only
 * writer (relaxed atomic adds, no lock), except of the counters that threads which fetch count in; the supervisor maps
 * it read-only and keeps the sums of workers that have ended, so that nothing counted is lost with a crash. The list
 * below is the one place for names and help. */
#ifndef YETT_PROXY_PROCESS_COUNTERS_H
#define YETT_PROXY_PROCESS_COUNTERS_H

#include "base/base.h"
#include <stdatomic.h>

/* X(name, kind, help): exported as yett_<name>; counters end in _total, gauges do not. What has a unit is shown in its
 * base unit (seconds, bytes), which comes before that end; what is counted of a SECONDS counter are microseconds. */
#define COUNTERS_LIST(X)                                                                                               \
    X(connections_open, GAUGE, "Sessions open now")                                                                    \
    X(connections_total, COUNTER, "Sessions accepted")                                                                 \
    X(connections_refused_limit_total, COUNTER, "Connections closed at once because a limit was reached")              \
    X(accept_paused_total, COUNTER, "Times accepting paused because descriptors ran out")                              \
    X(handshakes_server_total, COUNTER, "TLS handshakes completed as a server")                                        \
    X(handshakes_server_resumed_total, COUNTER, "Of these, resumed")                                                   \
    X(handshakes_server_failed_total, COUNTER, "TLS handshakes failed as a server")                                    \
    X(handshakes_server_x25519mlkem768_total, COUNTER,                                                                 \
      "Handshakes as a server whose keys were agreed on by x25519mlkem768")                                            \
    X(handshakes_server_x25519_total, COUNTER, "Handshakes as a server whose keys were agreed on by x25519")           \
    X(handshakes_server_secp256r1_total, COUNTER, "Handshakes as a server whose keys were agreed on by secp256r1")     \
    X(handshakes_server_secp384r1_total, COUNTER, "Handshakes as a server whose keys were agreed on by secp384r1")     \
    X(handshakes_server_secp521r1_total, COUNTER, "Handshakes as a server whose keys were agreed on by secp521r1")     \
    X(handshakes_client_total, COUNTER, "TLS handshakes completed as a client")                                        \
    X(handshakes_client_resumed_total, COUNTER, "Of these, resumed")                                                   \
    X(handshakes_client_failed_total, COUNTER, "TLS handshakes failed as a client")                                    \
    X(handshakes_client_x25519mlkem768_total, COUNTER,                                                                 \
      "Handshakes as a client whose keys were agreed on by x25519mlkem768")                                            \
    X(handshakes_client_x25519_total, COUNTER, "Handshakes as a client whose keys were agreed on by x25519")           \
    X(handshakes_client_secp256r1_total, COUNTER, "Handshakes as a client whose keys were agreed on by secp256r1")     \
    X(handshakes_client_secp384r1_total, COUNTER, "Handshakes as a client whose keys were agreed on by secp384r1")     \
    X(handshakes_client_secp521r1_total, COUNTER, "Handshakes as a client whose keys were agreed on by secp521r1")     \
    X(verifications_failed_total, COUNTER, "Peer certificates refused")                                                \
    X(signature_checks_total, COUNTER, "Signatures on peers' certificates that were verified")                         \
    X(verification_seconds_total, SECONDS, "Processor time of verifying peers' certificates")                          \
    X(access_denied_total, COUNTER, "Clients or requested targets that no rule allows")                                \
    X(negotiations_failed_total, COUNTER,                                                                              \
      "Plain-text phases (STARTTLS, CONNECT) that broke the protocol or were refused")                                 \
    X(proxy_headers_refused_total, COUNTER, "PROXY headers missing, malformed, or from who is not to send one")        \
    X(injections_refused_total, COUNTER, "Plain text found behind STARTTLS")                                           \
    X(targets_failed_total, COUNTER, "Sessions for which no target could be reached")                                  \
    X(targets_left_alone, GAUGE, "Targets that failed last, one of several: tried behind the others for a while")      \
    X(truncations_total, COUNTER, "TLS connections that ended without close_notify")                                   \
    X(timeouts_connect_total, COUNTER, "Sessions ended by the connect timeout")                                        \
    X(timeouts_handshake_total, COUNTER, "Sessions ended by the handshake timeout")                                    \
    X(timeouts_idle_total, COUNTER, "Sessions ended by the idle timeout")                                              \
    X(timeouts_half_close_total, COUNTER, "Sessions ended because one side never ended after the other had")           \
    X(clients_left_total, COUNTER, "Sessions whose client left before it reached a target")                            \
    X(resets_total, COUNTER, "Sessions relayed until the client's or the target's connection broke")                   \
    X(sessions_failed_total, COUNTER, "Sessions ended for an error: a warning in the log, unless left out")            \
    X(key_failures_total, COUNTER, "Sessions ended since a key of ours could not sign")                                \
    X(handshake_queue_refused_total, COUNTER, "Handshakes refused because the handshake pool's queue was full")        \
    X(handshake_queue_behind_total, COUNTER, "Handshake steps put behind others, since their clients had cost much")   \
    X(handshake_queue_waiting, GAUGE, "Handshake steps given to the pool and not back yet")                            \
    X(crl_fetches_total, COUNTER, "Requests for CRLs to distribution points")                                          \
    X(crl_fetch_failures_total, COUNTER, "Of these, without a CRL that could be used")                                 \
    X(client_received_bytes_total, COUNTER, "Application bytes received from clients")                                 \
    X(client_sent_bytes_total, COUNTER, "Application bytes sent to clients")

#define COUNTERS_ENUM(name, kind, help) COUNTER_##name,
enum counter { COUNTERS_LIST(COUNTERS_ENUM) COUNTER_COUNT };
#undef COUNTERS_ENUM

struct counters_block {
    _Atomic uint64_t values[COUNTER_COUNT];
};

struct counters;

/* Supervisor: make the shared memory for `service_count` services; *fd is to be inherited by the worker. */
struct counters *counters_create(size_t service_count, int *fd);
/* Worker: map it. NULL when the descriptor does not hold what it should. */
struct counters *counters_map(int fd, size_t service_count);
void counters_destroy(struct counters **c);

static inline void counter_add(struct counters_block *b, enum counter which, uint64_t amount)
{
    /* One writer: a plain load and store is enough, and no locked instruction is spent on a hot path. */
    atomic_store_explicit(&b->values[which], atomic_load_explicit(&b->values[which], memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

/* For counters that several threads write, and the loop's does not. */
static inline void counter_add_shared(struct counters_block *b, enum counter which, uint64_t amount)
{
    atomic_fetch_add_explicit(&b->values[which], amount, memory_order_relaxed);
}

static inline void counter_subtract(struct counters_block *b, enum counter which, uint64_t amount)
{
    atomic_store_explicit(&b->values[which], atomic_load_explicit(&b->values[which], memory_order_relaxed) - amount,
                          memory_order_relaxed);
}

struct counters_block *counters_service(struct counters *c, size_t service_index);
uint64_t counters_read(const struct counters *c, size_t service_index, enum counter which);

const char *counter_name(enum counter which);
const char *counter_help(enum counter which);
bool counter_is_gauge(enum counter which);

/* How many of what is counted make one of what is shown: 1, or 1000000 where microseconds are shown as seconds. */
unsigned counter_scale(enum counter which);

#endif
