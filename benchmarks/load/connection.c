/* see load.h: connections, made and closed the same way by every mode. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void load_die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

double load_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void load_set(int fd, int level, int option)
{
    int one = 1;

    setsockopt(fd, level, option, &one, sizeof(one));
}

int load_listen(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    load_set(fd, SOL_SOCKET, SO_REUSEADDR);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 4096) != 0)
        load_die("listen");
    return fd;
}

int load_connect_tcp(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        load_die("socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        load_die("connect");
    load_set(fd, IPPROTO_TCP, TCP_NODELAY);
    load_set(fd, IPPROTO_TCP, TCP_QUICKACK);
    return fd;
}

/* Called for each ticket of TLS 1.3, and once for a new session of TLS 1.2, which may have one or none. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct load_peer *peer = SSL_get_app_data(ssl);

    if (peer == NULL)
        return 0;
    peer->tickets += SSL_SESSION_has_ticket(session) ? 1 : 0;
    if (!peer->options->resume)
        return 0;
    SSL_SESSION_free(peer->session); /* a TLS 1.3 ticket is used once: the newest is the one to resume */
    peer->session = session;
    return 1; /* we keep the reference */
}

void load_use_identity(SSL_CTX *ctx, const char *path)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, path) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) != 1)
        load_die(path);
}

SSL_CTX *load_client_context(const struct load_options *o)
{
    const char *suite = "TLS_AES_128_GCM_SHA256";
    const char *ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
    SSL_CTX *ctx;

    if (o->plain)
        return NULL;
    ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL)
        load_die("SSL_CTX_new");
    SSL_CTX_set_min_proto_version(ctx, o->tls_version);
    SSL_CTX_set_max_proto_version(ctx, o->tls_version);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_new_session);
    if (o->ciphers != NULL && o->tls_version == TLS1_3_VERSION)
        suite = o->ciphers;
    else if (o->ciphers != NULL)
        ciphers = o->ciphers;
    /* The same suite and group everywhere, so that it is the proxies that differ (P-256 is named for TLS 1.2's ECDSA
     * certificates; X25519 is the one used). */
    if (SSL_CTX_set_ciphersuites(ctx, suite) != 1 || SSL_CTX_set_cipher_list(ctx, ciphers) != 1)
        load_die("cipher lists");
    if (SSL_CTX_set1_groups_list(ctx, o->groups != NULL ? o->groups : "X25519:P-256") != 1)
        load_die("groups");
    if (o->sigalgs != NULL && SSL_CTX_set1_sigalgs_list(ctx, o->sigalgs) != 1)
        load_die("signature algorithms");
    if (o->identity != NULL)
        load_use_identity(ctx, o->identity);
    return ctx;
}

bool load_connect(struct load_peer *peer, bool resume, struct load_connection *c)
{
    *c = (struct load_connection){.fd = load_connect_tcp(peer->options->port)};
    if (peer->ctx == NULL)
        return true;
    c->ssl = SSL_new(peer->ctx);
    SSL_set_app_data(c->ssl, peer);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_tlsext_host_name(c->ssl, "localhost");
    if (resume && peer->session != NULL)
        SSL_set_session(c->ssl, peer->session);
    if (SSL_connect(c->ssl) == 1)
        return true;
    peer->failed++;
    SSL_free(c->ssl);
    close(c->fd);
    return false;
}

bool load_one_byte(struct load_connection *c)
{
    char byte = 'x';

    if (c->ssl == NULL)
        return send(c->fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(c->fd, &byte, 1, 0) == 1;
    return SSL_write(c->ssl, &byte, 1) == 1 && SSL_read(c->ssl, &byte, 1) == 1;
}

void load_close(struct load_connection *c)
{
    if (c->ssl != NULL)
        SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(c->fd);
}
