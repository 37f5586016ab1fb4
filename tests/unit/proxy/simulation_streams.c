/* see tests/unit/proxy/simulation_speeches.h: any bytes, and HTTP, which leads to them */
#include "simulation_speeches.h"

/* ---- any bytes ---- */

static const steps nothing = {END};
static const steps streams = {STREAM, END};
static const steps client_ends_first = {TELL, LEAVE, HEAR, AWAIT_END, END};
static const steps server_ends_last = {HEAR, AWAIT_END, TELL, END};
static const steps client_ends_last = {HEAR, AWAIT_END, TELL, END};
static const steps server_ends_first = {TELL, LEAVE, HEAR, AWAIT_END, END};

static const struct conversation tcp_conversations[] = {
    {"stream", streams, streams, PAYLOAD_BOTH | PAYLOAD_COUNTED},
    {"client_first", client_ends_first, server_ends_last, PAYLOAD_BOTH | PAYLOAD_COUNTED},
    {"server_first", client_ends_last, server_ends_first, PAYLOAD_BOTH | PAYLOAD_COUNTED},
    {NULL, NULL, NULL, 0}};

const struct speech simulation_tcp = {"tcp", CONFIG_PROTOCOL_TCP, NULL,    NULL, NULL, NULL,
                                      false, tcp_conversations,   nothing, false};

/* ---- HTTP ---- */

#define CONNECT_REQUEST SAY("CONNECT t%u.test:443 HTTP/1.1\r\nHost: t%u.test:443\r\n\r\n")
static const steps tunnel_client = {CONNECT_REQUEST, SKIP("\r\n\r\n"), STREAM, END};
static const steps tunnel_early_client = {CONNECT_REQUEST, TELL, SKIP("\r\n\r\n"), HEAR, END};
static const steps get_client = {SAY("GET https://t%u.test/ HTTP/1.1\r\nHost: t%u.test\r\n\r\n"),
                                 SEE("HTTP/1.1 200 OK\r\n"),
                                 SKIP("\r\n\r\n"),
                                 HEAR,
                                 AWAIT_END,
                                 END};
static const steps get_server = {SKIP("\r\n\r\n"), SAY("HTTP/1.1 200 OK\r\nContent-Length: %t\r\n\r\n"), TELL, END};
static const steps post_client = {
    SAY("POST https://t%u.test/ HTTP/1.1\r\nHost: t%u.test\r\nContent-Length: %t\r\n\r\n"),
    TELL,
    SEE("HTTP/1.1 200 OK\r\n"),
    SKIP("\r\n\r\n"),
    HEAR,
    AWAIT_END,
    END};
static const steps post_server = {SKIP("\r\n\r\n"), HEAR, SAY("HTTP/1.1 200 OK\r\nContent-Length: %t\r\n\r\n"), TELL,
                                  END};
/* A client that ends its side behind its request, and a response that is whole by its end. */
static const steps old_client = {SAY("GET https://t%u.test/ HTTP/1.0\r\nHost: t%u.test\r\n\r\n"),
                                 LEAVE,
                                 SEE("HTTP/1.1 200 OK\r\n"),
                                 SKIP("\r\n\r\n"),
                                 HEAR,
                                 AWAIT_END,
                                 END};
static const steps old_server = {SKIP("\r\n\r\n"), SAY("HTTP/1.1 200 OK\r\n\r\n"), TELL, END};
static const steps chunks_client = {SAY("GET https://t%u.test/ HTTP/1.0\r\nHost: t%u.test\r\n\r\n"),
                                    SEE("HTTP/1.1 200 OK\r\n"),
                                    SKIP("\r\n\r\n"),
                                    SEE_EACH(60, "hello"),
                                    AWAIT_END,
                                    END};
static const steps chunks_server = {SKIP("\r\n\r\n"),
                                    SAY("HTTP/1.1 100 Continue\r\n\r\n"),
                                    SAY("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                                    SAY_EACH(60, "5\r\nhello\r\n"),
                                    SAY("0\r\n\r\n"),
                                    END};

static const struct conversation tunnel_conversations[] = {
    {"tunnel", tunnel_client, streams, PAYLOAD_BOTH | PAYLOAD_COUNTED},
    {"early", tunnel_early_client, streams, PAYLOAD_BOTH | PAYLOAD_COUNTED},
    {NULL, NULL, NULL, 0}};

static const struct conversation exchange_conversations[] = {{"get", get_client, get_server, PAYLOAD_DOWN},
                                                             {"post", post_client, post_server, PAYLOAD_BOTH},
                                                             {"old", old_client, old_server, PAYLOAD_DOWN},
                                                             {"chunks", chunks_client, chunks_server, 0},
                                                             {NULL, NULL, NULL, 0}};

const struct speech simulation_tunnel = {"tunnel", CONFIG_PROTOCOL_HTTP_CONNECT, NULL, NULL, NULL, NULL,
                                         false,    tunnel_conversations,         NULL, false};
const struct speech simulation_exchange = {"exchange", CONFIG_PROTOCOL_HTTP_CONNECT, NULL, NULL, NULL, NULL,
                                           false,      exchange_conversations,       NULL, true};
