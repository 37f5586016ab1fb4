/* see tls/handshake_internal.h
 *
 * NSS has one error for a client with whom a server shares no cipher suite, no group, and no kind of certificate, and
 * another one's for no application protocol. Who has to change what differs, so it is looked up in the ClientHello. */
#include "tls/client_hello.h"
#include "tls/handshake_internal.h"
#include "tls/key_groups.h"

#include <secerr.h>
#include <sslerr.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN_MAX = 8, SHOWN_SIZE = SHOWN_MAX * 8 + 8 };

/* "0x0017, 0x0018, ...": as IANA's registries have them. */
static const char *show(struct span list, char out[static SHOWN_SIZE])
{
    size_t size = 0;

    out[0] = '\0';
    for (size_t i = 0; i < SHOWN_MAX && list.size >= 2; i++, list = span_skip(list, 2))
        size += (size_t)snprintf(out + size, SHOWN_SIZE - size, "%s0x%02x%02x", i == 0 ? "" : ", ", list.data[0],
                                 list.data[1]);
    if (list.size >= 2)
        snprintf(out + size, SHOWN_SIZE - size, ", ...");
    return out;
}

static bool is_enabled(const struct tls_engine *e, unsigned suite)
{
    PRBool enabled = PR_FALSE;

    return SSL_CipherPrefGet(e->fd, (PRInt32)suite, &enabled) == SECSuccess && enabled;
}

static bool has_suite(const struct tls_engine *e, struct span list)
{
    for (; list.size >= 2; list = span_skip(list, 2))
        if (is_enabled(e, (unsigned)list.data[0] << 8 | list.data[1]))
            return true;
    return false;
}

static bool has_group(const struct tls_context *context, struct span list)
{
    enum key_group group;

    for (; list.size >= 2; list = span_skip(list, 2))
        for (size_t i = 0; i < context->group_count; i++)
            if (tls_key_group_find((unsigned)list.data[0] << 8 | list.data[1], &group) && group == context->groups[i])
                return true;
    return false;
}

/* "x25519, secp256r1"; owned by the caller. */
static char *own_groups(const struct tls_context *context)
{
    char *list = base_strdup("");

    for (size_t i = 0; i < context->group_count; i++) {
        char *shorter = list;

        list = base_printf("%s%s%s", shorter, i == 0 ? "" : ", ", tls_key_group_name(context->groups[i]));
        free(shorter);
    }
    return list;
}

static void note_no_group(struct tls_engine *e, const char *offered)
{
    char *ours = own_groups(e->context);

    tls_engine_note_error(e, "no_common_group",
                          base_printf("the client offers none of our groups (%s), but %s", ours, offered));
    free(ours);
}

static void note_for_hello(struct tls_engine *e, struct span hello)
{
    uint8_t *space = base_alloc(hello.size);
    char shown[SHOWN_SIZE];
    struct span list;

    if (tls_client_hello_list(hello, TLS_HELLO_CIPHER_SUITES, space, &list) && !has_suite(e, list))
        tls_engine_note_error(
            e, "no_common_cipher",
            base_printf("the client offers none of the cipher suites that are allowed here, but %s: it "
                        "is too old, or set to something else",
                        show(list, shown)));
    else if (tls_client_hello_list(hello, TLS_HELLO_GROUPS, space, &list) && !has_group(e->context, list))
        note_no_group(e, show(list, shown));
    else
        tls_engine_note_error(e, "no_common_certificate",
                              base_strdup("the client takes no certificate of the kind of ours: give the service an "
                                          "identity of the other kind of key, too (RSA, ECDSA)"));
    free(space);
}

void tls_no_common_note(struct tls_engine *e, int32_t code)
{
    bool server = e->context->role == TLS_ROLE_SERVER;

    if (e->report.error_name[0] != '\0' || e->report.alert_received > TLS_ALERT_CLOSE_NOTIFY)
        return;
    switch (code) {
    case SSL_ERROR_NO_CYPHER_OVERLAP:
        if (server && e->fd != NULL && e->transport.kept.size != 0)
            note_for_hello(e, buffer_span(&e->transport.kept));
        else
            tls_engine_note_error(e, "no_common_cipher",
                                  base_strdup("the two sides have no cipher suite and certificate type in common"));
        break;
    case SSL_ERROR_UNSUPPORTED_VERSION:
        tls_engine_note_error(e, "no_common_version",
                              base_strdup(server
                                              ? "the client does not speak a TLS version that is allowed here: it is "
                                                "too old, or tls_min is too high for it"
                                              : "the server does not speak a TLS version that is allowed here: it is "
                                                "too old, or tls_min is too high for it"));
        break;
    case SSL_ERROR_UNSUPPORTED_SIGNATURE_ALGORITHM:
        tls_engine_note_error(e, "no_common_signature_algorithm",
                              base_strdup(server
                                              ? "the client takes no signature that the key of our certificate makes: "
                                                "it may need one of the other kind (RSA, ECDSA)"
                                              : "the two sides have no signature algorithm in common"));
        break;
    default:
        break;
    }
}
