/* starttls/http/http_forward.h: the heads of an HTTP/1 message on its way through a proxy. Private to starttls/.
 *
 * What goes out is written anew from what was understood, never copied whole: the request line in origin-form, Host
 * from the URI (RFC 9112 section 3.2.2), the end-to-end fields, one length or coding of our own, Via, and Connection:
 * close. What ends at a hop stays here (RFC 9110 section 7.6.1): Connection and what it names, the fields of TE,
 * Trailer, Upgrade, Keep-Alive, and everything between client and proxy (Proxy-...). A head so written has at most
 * STARTTLS_HTTP_ADDED_BYTES_MAX more bytes than the one it was made from, and STARTTLS_HTTP_ADDED_BYTES_PER_FIELD. */
#ifndef YETT_STARTTLS_HTTP_HTTP_FORWARD_H
#define YETT_STARTTLS_HTTP_HTTP_FORWARD_H

#include "starttls/http/http.h"

/* An https URI. The spans point into the text it was read from. */
struct http_uri {
    char *host; /* as starttls_authority_parse() gives it; the owner of the struct frees it */
    uint16_t port;
    struct span path; /* with the query; "" or "?..." when the path is empty */
};

enum http_uri_status {
    HTTP_URI_OK,
    HTTP_URI_NOT_ABSOLUTE, /* another form of request target */
    HTTP_URI_NOT_HTTPS,    /* http: what is asked for would go out in clear */
    HTTP_URI_BAD,
};

/* https://host[:port][/path][?query], the host by starttls/target.h; no user information, no fragment, visible ASCII.
 */
MUST_CHECK enum http_uri_status http_uri_parse(struct span text, struct http_uri *uri);

/* How a body is passed on. */
enum http_body { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_TO_END };

struct http_forward {
    enum http_body from, to; /* as it comes, as it goes: LENGTH to LENGTH, CHUNKED to CHUNKED or TO_END ... */
    uint64_t length;         /* LENGTH */
    bool head_only;          /* the request is HEAD */
    bool client_is_1_0;
};

/* The one Host that RFC 9112 section 3.2 asks for, even where it is not what counts: false when it is missing (but in
 * HTTP/1.0), there twice, or not a host. *differs: it names another host than `host`, or another port than `port`. */
MUST_CHECK bool http_forward_host(const struct starttls_http *head, const char *host, uint16_t port, bool *differs);

/* Append the head that goes to the server, or nothing. False: the client is to get *status_code, and *error is a
 * constant sentence for the log. *f is filled for the request's body. */
MUST_CHECK bool http_forward_request(const struct starttls_http *head, const struct http_uri *uri, struct buffer *out,
                                     struct http_forward *f, unsigned *status_code, const char **error);

/* Append the head that goes to the client, or nothing; `request` is how the request was. *f is filled for the
 * response's body. False with a constant sentence. An interim response (1xx) is not appended for a client of HTTP/1.0.
 */
MUST_CHECK bool http_forward_response(const struct starttls_http *head, const struct http_forward *request,
                                      struct buffer *out, struct http_forward *f, const char **error);

#endif
