/* What an NNTP server says of itself, asked once; see starttls_probe_create() in starttls/starttls.h, and
 * starttls/list_probe.h for the order.
 *
 * A server older than RFC 3977 answers CAPABILITIES with 5xx: then it has no list. After STARTTLS it does not greet a
 * second time (RFC 4642 section 2.2.2). */
#include "starttls/list_probe.h"
#include "starttls/nntp.h"

static const char *const says[LIST_PROBE_STATE_COUNT] = {
    [LIST_PROBE_HELLO] = "CAPABILITIES\r\n", [LIST_PROBE_GOODBYE] = "QUIT\r\n"};

static enum list_probe_answer answer_of(enum list_probe_state state, struct span line)
{
    unsigned code = nntp_reply_code(line);

    if (code == 0)
        return LIST_PROBE_ANSWER_NONE;
    if (code == 400)
        return LIST_PROBE_ANSWER_BYE;
    if (state == LIST_PROBE_GREETING)
        return code == NNTP_POSTING_ALLOWED || code == NNTP_POSTING_PROHIBITED ? LIST_PROBE_ANSWER_GOOD
                                                                               : LIST_PROBE_ANSWER_OTHER;
    return code == NNTP_CAPABILITIES_FOLLOW ? LIST_PROBE_ANSWER_GOOD : LIST_PROBE_ANSWER_OTHER;
}

const struct list_probe_class nntp_probe_class = {
    .class = {LIST_PROBE_CLASS, .line_bytes_max = STARTTLS_NNTP_REPLY_BYTES_MAX, .says = says},
    .lines_max = STARTTLS_NNTP_CAPABILITIES_MAX,
    .answer_of = answer_of,
};
