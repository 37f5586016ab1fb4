/* What a POP3 server says of itself, asked once; see starttls_probe_create() in starttls/starttls.h, and
 * starttls/list_probe.h for the order.
 *
 * A server without CAPA, which is newer than POP3 (RFC 2449), answers -ERR: then it has no list. After STLS it does not
 * greet a second time (RFC 2595 section 4). */
#include "starttls/list_probe.h"
#include "starttls/pop3.h"

static const char *const says[LIST_PROBE_STATE_COUNT] = {
    [LIST_PROBE_HELLO] = "CAPA\r\n", [LIST_PROBE_GOODBYE] = "QUIT\r\n"};

static enum list_probe_answer answer_of(enum list_probe_state state, struct span line)
{
    (void)state; /* +OK and -ERR are all there is, whatever was said */
    switch (pop3_reply_of(line)) {
    case POP3_REPLY_OK:
        return LIST_PROBE_ANSWER_GOOD;
    case POP3_REPLY_ERR:
        return LIST_PROBE_ANSWER_OTHER;
    case POP3_REPLY_NONE:
    case POP3_REPLY_CHALLENGE:
        break;
    }
    return LIST_PROBE_ANSWER_NONE;
}

const struct list_probe_class pop3_probe_class = {
    .class = {LIST_PROBE_CLASS, .line_bytes_max = STARTTLS_POP3_REPLY_BYTES_MAX, .says = says},
    .lines_max = STARTTLS_POP3_CAPABILITIES_MAX,
    .answer_of = answer_of,
};
