/* benchmarks/load: the other ends of every measurement, the same for each proxy.
 *
 *   load echo-server  PORT                  plain TCP echo on 127.0.0.1, one epoll loop
 *   load tls-server   PORT --identity PEM   the same in TLS; a line on standard input asks what it has counted
 *   load handshakes   PORT --count N        N connections: handshake, one byte there and back, close
 *   load echo         PORT --connections N  N connections; for each line on standard input, a number, so many MiB there
 *                                           and back, over all of them together
 *   load idle         PORT                  for each line "+N" on standard input N more connections, and for "-" none
 *   load ping         PORT                  one connection; for each line on standard input, a number, so many seconds
 *                                           of 64 bytes there and back: how long each took
 *   load flood        PORT --rate N         N ClientHellos a second, each on a connection of its own, whatever becomes
 *                                           of them; counted is who was answered with a server's whole first flight
 *   load certificates PORT --folder F       --count N files F/0.pem and so on: a P-256 key and its certificate
 *   load version      0                     of OpenSSL
 *
 * Options: --tls 1.2|1.3, --resume (after a first full handshake on each thread), --threads N, --sigalgs LIST,
 * --ciphers NAME, --groups LIST, --identity PEM (shown to the proxy), --plain (no TLS on our side), --tickets N.
 * Prints one JSON object, or one for each line asked. TLS is OpenSSL's, so that no proxy is measured against its own
 * library's client. The certificate is not verified: what is measured is the other side. */
#include "load.h"

#include <getopt.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { THREADS_MAX = 64 };

static const struct {
    const char *name;
    void (*run)(const struct load_options *o);
} modes[] = {
    {"echo-server", load_run_echo_server},
    {"tls-server", load_run_tls_server},
    {"handshakes", load_run_handshakes},
    {"echo", load_run_echo},
    {"idle", load_run_idle},
    {"ping", load_run_ping},
    {"flood", load_run_flood},
    {"version", load_run_version},
    {"certificates", load_run_certificates},
};

static const struct option long_options[] = {
    {"count", required_argument, NULL, 'c'},
    {"connections", required_argument, NULL, 'C'},
    {"seconds", required_argument, NULL, 's'},
    {"tls", required_argument, NULL, 't'},
    {"resume", no_argument, NULL, 'r'},
    {"threads", required_argument, NULL, 'n'},
    {"sigalgs", required_argument, NULL, 'a'},
    {"ciphers", required_argument, NULL, 'x'},
    {"groups", required_argument, NULL, 'g'},
    {"identity", required_argument, NULL, 'i'},
    {"plain", no_argument, NULL, 'p'},
    {"tickets", required_argument, NULL, 'k'},
    {"rate", required_argument, NULL, 'R'},
    {"folder", required_argument, NULL, 'f'},
    {NULL, 0, NULL, 0},
};

static int usage(void)
{
    fputs("usage: load MODE PORT [OPTION]...; the modes and options are at the top of benchmarks/load/load.c\n",
          stderr);
    return 2;
}

static bool set_option(struct load_options *o, int c)
{
    switch (c) {
    case 'c':
        o->count = strtoul(optarg, NULL, 10);
        return o->count > 0;
    case 'C':
        o->connections = strtoul(optarg, NULL, 10);
        return o->connections > 0;
    case 's':
        o->seconds = (unsigned)strtoul(optarg, NULL, 10);
        return true;
    case 't':
        o->tls_version = strcmp(optarg, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
        return true;
    case 'r':
        o->resume = true;
        return true;
    case 'n':
        o->threads = (unsigned)strtoul(optarg, NULL, 10);
        return o->threads > 0 && o->threads <= THREADS_MAX;
    case 'a':
        o->sigalgs = optarg;
        return true;
    case 'x':
        o->ciphers = optarg;
        return true;
    case 'g':
        o->groups = optarg;
        return true;
    case 'i':
        o->identity = optarg;
        return true;
    case 'p':
        o->plain = true;
        return true;
    case 'k':
        o->tickets = (unsigned)strtoul(optarg, NULL, 10);
        return true;
    case 'R':
        o->rate = (unsigned)strtoul(optarg, NULL, 10);
        return o->rate > 0;
    case 'f':
        o->folder = optarg;
        return true;
    default:
        return false;
    }
}

void load_run_version(const struct load_options *o)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    (void)o;
    printf("{\"openssl\": \"%s\", \"hybrid\": %s}\n", OpenSSL_version(OPENSSL_VERSION_STRING),
           SSL_CTX_set1_groups_list(ctx, "X25519MLKEM768") == 1 ? "true" : "false");
    SSL_CTX_free(ctx);
}

int main(int argc, char **argv)
{
    struct load_options o = {.count = 100,
                             .connections = 1,
                             .threads = 1,
                             .seconds = 1,
                             .rate = 1000,
                             .tickets = 2,
                             .tls_version = TLS1_3_VERSION,
                             .folder = "."};
    struct rlimit files;
    int c;

    if (argc < 3)
        return usage();
    o.port = (uint16_t)atoi(argv[2]);
    while ((c = getopt_long(argc - 2, argv + 2, "", long_options, NULL)) != -1)
        if (!set_option(&o, c))
            return usage();
    (void)signal(SIGPIPE, SIG_IGN); /* who is gone is seen by what a call returns */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run(&o);
            return 0;
        }
    return usage();
}
