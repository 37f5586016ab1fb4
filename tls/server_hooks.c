/* see tls/handshake_internal.h
 *
 * Whose ticket is it? NSS protects the tickets of all services of a process with one key, so that a client could resume
 * a session of one service at another, and be taken for somebody whom that one has never verified, or be led to a
 * service whose certificate it would not have accepted. So:
 *
 *   TLS 1.3  Each ticket carries a token (SSL_SendSessionTicket): a hash of the context, and of the name that was asked
 *            for. NSS shows it to the hello-retry callback, where all that can be said against it is a failed
 * handshake. There the engine starts over: it makes a new socket and gives it the same ClientHello (handshake.c), with
 * a clock at which every ticket has expired, which NSS answers with a full handshake. NSS shows no token in the second
 * ClientHello after a HelloRetryRequest, so tickets expire there as well. TLS 1.2  Its tickets cannot carry one, so
 * there are none. Sessions are in the cache that the workers share, under the address of the peer, which for NSS is the
 * hash of the context. */
#include "tls/client_hello.h"
#include "tls/handshake_internal.h"
#include "tls/key_groups.h"
#include "tls/models.h"
#include "tls/runtime_internal.h"
#include "base/slab.h"

#include <stdlib.h>

/* When every ticket has expired. Far from the ends of PRTime: NSS subtracts. */
static PRTime PR_CALLBACK time_after_all_tickets(void *arg)
{
    (void)arg;
    return INT64_MAX / 4;
}

/* FNV-1a, of the name as the client wrote it: NSS itself compares those, byte for byte, but ends the handshake when
 * they differ. */
static uint32_t hash_name(struct span name)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ name.data[i]) * 16777619u;
    return hash;
}

static void make_ticket_token(const struct tls_engine *e, uint8_t token[static TLS_TICKET_TOKEN_SIZE])
{
    uint32_t hash = e->name_chosen ? e->name_hash : hash_name(span_of(NULL, 0));

    memcpy(token, e->context->ticket_token, TLS_TOKEN_SIZE);
    for (size_t i = 0; i < sizeof(hash); i++)
        token[TLS_TOKEN_SIZE + i] = (uint8_t)(hash >> (8 * i));
}

static SSLHelloRetryRequestAction PR_CALLBACK check_ticket(PRBool first_hello, const PRUint8 *token, unsigned size,
                                                           PRUint8 *retry_token, unsigned *retry_size,
                                                           unsigned retry_size_max, void *arg)
{
    struct tls_engine *e = arg;
    uint8_t wanted[TLS_TICKET_TOKEN_SIZE];

    (void)retry_token;
    (void)retry_size_max;
    *retry_size = 0;
    if (!first_hello)
        return ssl_hello_retry_accept;
    make_ticket_token(e, wanted);
    if (size != 0 &&
        (!e->context->resumes || size != sizeof(wanted) || !base_equal_constant_time(token, wanted, sizeof(wanted)))) {
        e->hs->foreign_ticket = true;
        return ssl_hello_retry_fail;
    }
    (void)tls_nss_calls()->set_time_func(e->fd, time_after_all_tickets, NULL);
    return ssl_hello_retry_accept;
}

/* What a client asks for that is no name: an address, a name with a port. RFC 6066 section 3 forbids it, and clients
 * send it. It is served like one that says nothing, where any name is; it goes into no log and no PROXY header as a
 * name. */
static PRInt32 on_no_name(struct tls_engine *e, struct span said)
{
    char quoted[BASE_QUOTE_SIZE];

    if (e->context->sni == TLS_SNI_ANY)
        return SSL_SNI_CURRENT_CONFIG_IS_USED;
    tls_engine_note_error(e, "bad_server_name",
                          base_printf("the client asked for %s, which is not a host name",
                                      base_quote(said.data, said.size, quoted, sizeof(quoted))));
    return SSL_SNI_SEND_ALERT;
}

static void note_unknown_name(struct tls_engine *e)
{
    tls_engine_note_error(e, "unknown_server_name",
                          base_printf("the client asked for %s, which is not served here", e->server_name));
}

void tls_server_hello_look(struct tls_engine *e)
{
    if (e->transport.kept.size != 0)
        e->takes_tickets = tls_client_hello_takes_tickets(buffer_span(&e->transport.kept));
}

/* A session of TLS 1.2 that began without a name, or with one that no identity has, is resumed under any: NSS has none
 * to compare. RFC 6066 section 3 wants a full handshake for another name; here that is one with a site of its own. */
enum tls_resumed_name tls_server_resumed_name(struct tls_engine *e)
{
    uint8_t name[TLS_HOST_NAME_MAX + 2]; /* a dot at the end, and one that is too long is refused as such */
    size_t size;

    if (!tls_client_hello_server_name(buffer_span(&e->transport.kept), name, sizeof(name), &size))
        return TLS_RESUMED_NAME_GOOD;
    e->server_name = tls_server_name_copy(span_of(name, size));
    if (e->server_name == NULL)
        return on_no_name(e, span_of(name, size)) == SSL_SNI_SEND_ALERT ? TLS_RESUMED_NAME_REFUSED
                                                                        : TLS_RESUMED_NAME_GOOD;
    if (tls_sites_find(e->context, e->server_name) != NULL)
        return TLS_RESUMED_NAME_OTHER;
    if (e->context->sni == TLS_SNI_ANY)
        return TLS_RESUMED_NAME_GOOD;
    note_unknown_name(e);
    return TLS_RESUMED_NAME_REFUSED;
}

/* Which of our groups the client has. Its first ClientHello says so, and is kept until it has been answered. */
static unsigned groups_of_client(struct tls_engine *e)
{
    struct span hello = buffer_span(&e->transport.kept), list;
    uint8_t *space;
    enum key_group group;

    if (e->hs->groups != 0 || !e->transport.keeping || hello.size == 0)
        return e->hs->groups;
    space = base_alloc(hello.size);
    if (tls_client_hello_list(hello, TLS_HELLO_GROUPS, space, &list))
        for (; list.size >= 2; list = span_skip(list, 2))
            if (tls_key_group_find((unsigned)list.data[0] << 8 | list.data[1], &group))
                e->hs->groups |= 1u << group;
    free(space);
    return e->hs->groups;
}

/* With a model NSS takes over its groups, and forgets which of them the client has: it would agree on another one with
 * a client of TLS 1.2, and ask one of TLS 1.3 for a share of it. */
static void keep_to_groups_of_client(struct tls_engine *e, PRFileDesc *fd)
{
    unsigned has = groups_of_client(e), count = 0;
    SSLNamedGroup common[KEY_GROUP_COUNT];

    for (size_t i = 0; i < e->context->group_count; i++)
        if ((has & 1u << e->context->groups[i]) != 0)
            common[count++] = (SSLNamedGroup)tls_key_group_number(e->context->groups[i]);
    if (count != 0)
        (void)SSL_NamedGroupConfig(fd, common, count);
}

/* NSS calls this when the client has sent a name. Without one, the default site is served, or handshake_server.c ends
 * it.
 */
static PRInt32 PR_CALLBACK choose_site(PRFileDesc *fd, const SECItem *names, PRUint32 count, void *arg)
{
    struct tls_engine *e = tls_engine_of(fd);
    struct span said = count == 0 ? span_of(NULL, 0) : span_of(names[0].data, names[0].len);
    const struct tls_site *site;

    (void)arg;
    slab_strfree(e->server_name);
    e->server_name = tls_server_name_copy(said);
    if (e->server_name == NULL)
        return on_no_name(e, said);
    site = tls_sites_find(e->context, e->server_name);
    if (site == NULL) {
        if (e->context->sni == TLS_SNI_ANY)
            return SSL_SNI_CURRENT_CONFIG_IS_USED;
        note_unknown_name(e);
        return SSL_SNI_SEND_ALERT;
    }
    e->site = site;
    if (site != e->origin) {
        PRFileDesc *changed = SSL_ReconfigFD(tls_model_take(site), fd);

        tls_model_give(site);
        if (changed == NULL)
            return SSL_SNI_SEND_ALERT;
        tls_handshake_cap(e); /* NSS has just taken over the model's versions */
        keep_to_groups_of_client(e, fd);
    }
    e->name_chosen = true;
    e->name_hash = hash_name(said);
    return 0; /* the first, and only, name: NSS keeps it, and tells the client that it was looked at */
}

static void note_no_common_alpn(struct tls_engine *e, struct span offered)
{
    char *names, quoted[BASE_QUOTE_SIZE];

    if (offered.size == 0)
        return;
    names = base_strndup((const char *)offered.data, offered.size);
    for (size_t at = 0; at < offered.size; at += 1 + (size_t)offered.data[at])
        names[at] = ' ';
    tls_engine_note_error(
        e, "no_common_alpn",
        base_printf("the client speaks none of the application protocols (ALPN) of this service, but %s: "
                    "it is meant for another port, or alpn should name what it speaks",
                    base_quote(names + 1, offered.size - 1, quoted, sizeof(quoted))));
    free(names);
}

/* RFC 7301 section 3.2, and alpaca-attack.com: a client that offers only what we do not speak is refused, not served in
 * the hope that it will notice. Of no length means no_application_protocol to NSS. */
static SECStatus PR_CALLBACK choose_alpn(void *arg, PRFileDesc *fd, const unsigned char *offered, unsigned size,
                                         unsigned char *chosen, unsigned *chosen_size, unsigned chosen_size_max)
{
    const struct tls_context *context = arg;

    *chosen_size = 0;
    for (size_t i = 0; i < context->alpn_count; i++) {
        size_t length = strlen(context->alpn[i]);

        for (unsigned at = 0; at < size && at + 1 + offered[at] <= size; at += 1 + offered[at]) {
            if (offered[at] != length || length > chosen_size_max ||
                memcmp(offered + at + 1, context->alpn[i], length) != 0)
                continue;
            memcpy(chosen, offered + at + 1, length);
            *chosen_size = (unsigned)length;
            return SECSuccess;
        }
    }
    note_no_common_alpn(tls_engine_of(fd), span_of(offered, size));
    return SECSuccess;
}

void tls_server_hooks_install(struct tls_context *context, PRFileDesc *model, enum tls_alpn_rule alpn)
{
    (void)SSL_SNISocketConfigHook(model, choose_site, NULL);
    if (alpn == TLS_ALPN_MATCH)
        (void)SSL_SetNextProtoCallback(model, choose_alpn, context);
}

void tls_server_socket_prepare(struct tls_engine *e)
{
    const struct tls_nss_calls *calls = tls_nss_calls();

    (void)calls->hello_retry_callback(e->fd, check_ticket, e);
    if (e->hs->tickets_refused)
        (void)calls->set_time_func(e->fd, time_after_all_tickets, NULL);
    if (e->hs->sessions_refused)
        (void)SSL_OptionSet(e->fd, SSL_NO_CACHE, PR_TRUE);
}

void tls_server_ticket_owe(struct tls_engine *e)
{
    (void)tls_nss_calls()->set_time_func(e->fd, NULL, NULL);
    e->ticket_owed = e->context->resumes && e->takes_tickets && tls_runtime_keys()->rsa != NULL;
}

void tls_server_ticket_send(struct tls_engine *e)
{
    uint8_t token[TLS_TICKET_TOKEN_SIZE];

    e->ticket_owed = false;
    make_ticket_token(e, token);
    /* Without a ticket the connection is just as good. */
    (void)tls_nss_calls()->send_session_ticket(e->fd, token, sizeof(token));
}
