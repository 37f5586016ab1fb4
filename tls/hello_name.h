/* tls/hello_name.h: the server name of a ClientHello that no engine has been given yet, so that whoever has several
 * contexts at one place can choose among them.
 *
 * It is a look at bytes that the engine will read again, by NSS's rules: who has chosen by this name asks the engine
 * afterwards which name it was (tls_engine_session()), since a client can say two. Nothing is kept; pure. */
#ifndef YETT_TLS_HELLO_NAME_H
#define YETT_TLS_HELLO_NAME_H

#include "base/span.h"

enum tls_hello_name {
    TLS_HELLO_NEEDS_MORE,  /* the message is not whole */
    TLS_HELLO_HAS_NAME,    /* a host name */
    TLS_HELLO_HAS_NO_NAME, /* none, or what is no host name */
    TLS_HELLO_IS_NONE,     /* this is no ClientHello: an engine will say what is wrong with it */
};

/* `records`: all that the client has sent, from the first byte of TLS on. *name: in lower case, without a dot at its
 * end; slab_strfree() it. NULL but with HAS_NAME. */
MUST_CHECK enum tls_hello_name tls_hello_name_read(struct span records, char **name);

/* A name as clients send it: in lower case, and without the final dot that some of them keep. From the slab
 * (base/slab.h); NULL where it is no host name. */
char *tls_server_name_copy(struct span name);

#endif
