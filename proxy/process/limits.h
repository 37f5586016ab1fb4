/* proxy/process/limits.h: the ceiling of every buffer and wait of the data plane that is not the administrator's to
 * set.
 *
 * Memory of one connection, whatever its two peers do:
 *
 *     session, two transports                           LIMIT_SESSION_STRUCTS
 *   + 2 legs x plain bytes received and not yet taken   LIMIT_RECEIVED_MAX
 *   + 2 legs x plain bytes to send                      memory_ceiling_to_send(): LIMIT_TO_SEND_MAX, and HTTP's heads
 *   + 2 legs x bytes handed to the kernel's queue       LIMIT_WIRE_BLOCK
 *   + machine or filter                                 LIMIT_STARTTLS_MAX      (starttls/limits.h)
 *   + what a balancer's PROXY header says               STARTTLS_PROXY_V2_BYTES_MAX, with accept_proxy
 *   + heads of HTTP messages                            as configured           (starttls_http_memory_max())
 *   + 2 engines' own buffers                            LIMIT_ENGINE_MAX each   (tls_engine_memory())
 *   = memory_ceiling()
 *
 * (what NSS itself keeps for a TLS connection comes on top). An idle connection holds none of these but the first line.
 */
#ifndef YETT_PROXY_PROCESS_LIMITS_H
#define YETT_PROXY_PROCESS_LIMITS_H

#include "base/base.h"
#include "starttls/limits.h"
#include "tls/limits.h"

enum {
    /* Per loop, not per connection: what one read or one relay step moves at most. */
    LIMIT_READ_BLOCK = 64 * 1024,
    LIMIT_RELAY_BLOCK = 64 * 1024,
    LIMIT_RELAY_BUDGET = 512 * 1024, /* bytes of one session and direction before other sessions get their turn */

    LIMIT_SESSION_STRUCTS = 4 * 1024,
    LIMIT_RECEIVED_MAX = 64 * 1024,
    LIMIT_HELD_MAX = 16 * 1024,         /* of it, before the relay begins: what a client says before it may */
    LIMIT_TO_SEND_MAX = 72 * 1024,      /* a relay block and the words of a machine */
    LIMIT_PROXY_HEADER_MAX = 32 * 1024, /* of it; a client certificate is the large part */
    LIMIT_WIRE_BLOCK = 4 * 1024,
    LIMIT_STARTTLS_MAX =
        STARTTLS_OUTPUT_BYTES_MAX + STARTTLS_EARLY_DATA_BYTES_MAX + 2 * STARTTLS_HTTP_CHUNK_LINE_BYTES_MAX + 8 * 1024,
    LIMIT_ENGINE_MAX = TLS_ENGINE_BYTES_MAX,
    LIMIT_CONNECTION_FIXED = LIMIT_SESSION_STRUCTS + LIMIT_STARTTLS_MAX +
                             2 * (LIMIT_RECEIVED_MAX + LIMIT_WIRE_BLOCK + LIMIT_ENGINE_MAX), /* without what depends on
                                                                                              * the service */

    LIMIT_PROXY_HEADER_IN_MS = 5000, /* for the PROXY header of a balancer, before anything else */

    LIMIT_LINGER_MS = 2000,          /* after the last words: how long the peer has to read them and go */
    LIMIT_LINGER_BYTES = 256 * 1024, /* and how much of what it still says is thrown away */
    LIMIT_IDLE_TRIM_MS = 2000,       /* a connection silent for so long gives its buffers back */

    LIMIT_TICK_MS = 1000,     /* after a session has begun, ended or fallen idle: what the log left out is looked at */
    LIMIT_TRIMMED_BATCH = 64, /* after so many of them, and not more often than ... */
    LIMIT_RETURN_PAGES_MS = 5000, /* ... this, the pages go back to the system */

    LIMIT_ACCEPT_BATCH = 32,         /* connections accepted from one listener before the loop goes on */
    LIMIT_ACCEPT_PAUSE_MS = 500,     /* out of descriptors: tried again when a session ends, or after this */
    LIMIT_DESCRIPTORS_RESERVED = 64, /* of RLIMIT_NOFILE: for the control socket, libraries, resolving */

    LIMIT_RESOLVER_THREADS = 16,           /* getaddrinfo() calls at a time */
    LIMIT_RESOLVER_PER_SERVICE = 6,        /* of one service: a name server that hangs must leave some to the others */
    LIMIT_RESOLVER_PER_PEER = 2,           /* of these for one peer: a name in both families */
    LIMIT_RESOLVER_WAITING = 1024,         /* lookups waiting for a thread, ... */
    LIMIT_RESOLVER_WAITING_PER_PEER = 256, /* ... and those of one peer */
    LIMIT_ADDRESSES = 16,                  /* of one family of a name that are tried */

    LIMIT_FETCH_LOOKUPS = 8,           /* getaddrinfo() calls for what is fetched at a time, forgotten ones included */
    LIMIT_FETCH_LOOKUPS_STRANGERS = 4, /* of them, for what nobody has verified */
    LIMIT_FETCH_ADDRESSES = 8,         /* of a responder that are tried */

    LIMIT_OCSP_ANSWER_MAX = 64 * 1024,
    LIMIT_OCSP_FETCHES_PER_RESPONDER = 4, /* at a time: with soft, who comes then goes on without an answer */
    LIMIT_FAILED_HOSTS = 64,              /* responders, and servers of CRLs, remembered because they did not answer */
    LIMIT_OCSP_FAILURE_SOFT_MS = 5 * 60 * 1000, /* how long, and how long an answer that was of no use; as Gecko does */
    LIMIT_OCSP_FAILURE_HARD_MS = 30 * 1000,     /* where an answer is needed */

    /* CRLs fetched by one worker; see proxy/fetch/crl_cache.h. */
    LIMIT_CRLS = 256,                       /* lists, those that could not be fetched included */
    LIMIT_CRL_BYTES_MAX = 16 * 1024 * 1024, /* of one; twice that is held while it comes, and once more for its index */
    LIMIT_CRL_BYTES_TOTAL = 64 * 1024 * 1024, /* of all, indexes included */
    LIMIT_CRL_ENTRY_BYTES_MAX = 64 * 1024,    /* certificates and URLs that are kept with one */
    LIMIT_CRL_THREADS = 4,                    /* fetches at a time */
    LIMIT_CRL_BACKGROUND_MS = 60 * 1000,      /* for a fetch, whether or not somebody waits so long */
    LIMIT_CRL_SILENCE_MS = 10 * 1000,         /* of a server: a thread is not held up longer by one that is dead */
    LIMIT_CRL_SPREAD_MS = 1000, /* such a fetch begins within so long: all workers of a generation may need it */
    LIMIT_CRL_REFRESH_MS = 4 * 60 * 60 * 1000, /* a new one is looked for at least so often, ... */
    LIMIT_CRL_REFRESH_MIN_MS = 5 * 1000,       /* ... and at most so often, whatever the authority's dates are */
    LIMIT_CRL_RETRY_MS = 5 * 60 * 1000,        /* the same while that fails */
    LIMIT_CRL_UNUSED_MS = 24 * 60 * 60 * 1000, /* dropped when nobody asked for so long */
    LIMIT_CRL_FAILURE_SOFT_MS = 5 * 60 * 1000, /* how long it is remembered that there is none to be had */
    LIMIT_CRL_FAILURE_HARD_MS = 30 * 1000,     /* where one is needed */

    /* What a peer's handshake steps may cost before they wait behind those of others; see
       proxy/session/handshake_pool.h. */
    LIMIT_PEER_COST_DEAR_US = 100 * 1000,      /* processor time of an address: three of the dearest chains, or about a
                                                * hundred ordinary ones */
    LIMIT_PEER_COST_SITE_DEAR_US = 800 * 1000, /* of an IPv6 site, whose addresses have that each */
    LIMIT_PEER_COST_HALVED_MS = 10 * 1000,     /* what is remembered is halved so often */
    LIMIT_PEER_COST_ROWS = 2048,               /* a power of two; twice as many, of 8 bytes */
    LIMIT_STEP_WAIT_MS = 1000,                 /* of the oldest first step for a token: then the newest is next */
    LIMIT_STEP_QUICK_MS = 50,                  /* a token that signs within this is never waited for by fewer */
    LIMIT_STEPS_BEFORE_BEHIND = 7,             /* then one of those behind has its turn, although others wait */

    /* Of steps that the loop takes itself; see proxy/session/handshake_turns.h. */
    LIMIT_TURNS_SLICE_US = 2000, /* for those of dear peers, before the loop looks at who else has come */
    LIMIT_TURN_COST_US = 5000,   /* what one step counts at most: beyond, the machine had no time for us */
    LIMIT_TURNS_WAITING = 1024,  /* of dear peers, that wait behind, and at most ... */
    LIMIT_TURNS_SHARE = 8,       /* ... this part of the connections for which there are descriptors */

    LIMIT_TARGET_ALONE_MS = 2000, /* one of several targets that failed is tried behind the others for so long, ... */
    LIMIT_TARGET_ALONE_MAX_MS = 60 * 1000, /* ... twice as long each time it fails again, up to this */

    LIMIT_KEYS_FAILED_MS = 2000, /* after a token could not sign, STARTTLS is not offered for so long */

    LIMIT_PROBES = 16,            /* targets that yett check --live looks at at a time */
    LIMIT_PROBE_SETTLE_MS = 1000, /* TLS 1.3: how long a server has to refuse our certificate after the handshake */
    LIMIT_PROBE_TELL_MS = 2000,   /* of a check that takes longer it is told what it waits for, each so often */
    LIMIT_MODULE_LOAD_MS = 20000, /* for a PKCS#11 module to load, at yett check and for its agent; with --live also
                                   * to list its tokens */
    LIMIT_PROBE_MODULE_BYTES = 256 * 1024, /* of that list */

    LIMIT_ISSUER_TIMEOUT_MS = 3000, /* for one question, waiting for others included */
    LIMIT_ISSUER_ANSWER_MAX = 60 * 1024,
    LIMIT_ISSUER_URLS = 32,             /* of which the answer, or the failure, is remembered */
    LIMIT_ISSUER_MEMORY_MS = 60 * 1000, /* how long */
    LIMIT_ISSUER_ASKING = 4,   /* handshakes of a service that may wait for one at a time: of its 8 threads or more,
                                * some are left to those that need none */
    LIMIT_ISSUER_FETCHES = 60, /* requests of a service within ... */
    LIMIT_ISSUER_WINDOW_MS = 60 * 1000, /* ... this: whoever makes certificates chooses what is asked */

    LIMIT_ATTEMPT_DELAY_MS = 250,   /* RFC 8305 section 5: Connection Attempt Delay */
    LIMIT_RESOLUTION_DELAY_MS = 50, /* RFC 8305 section 3: Resolution Delay */
    LIMIT_ATTEMPTS = 4,             /* connects of one session under way at a time */
};

#endif
