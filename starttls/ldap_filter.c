/* LDAP inside TLS: what the relayed session must not offer or ask for.
 *
 * Client to server: a request for StartTLS gets a name that no server knows, of the same size, so that the server
 * refuses it in its turn. Server to client: the name of StartTLS in the root DSE, which lists what the server can do
 * (RFC 4512 section 5.1), gets that one too. Both sides are followed message by message: the head of each is gathered
 * and looked at, and what is behind it passes by as it comes, whatever its size.
 *
 *       MESSAGE --head--> REST --all of it--> MESSAGE
 *
 * A login by SASL may put a layer of its own between the two (RFC 4513 section 5.2.1.8), behind which there is no BER
 * to be followed: at the success of one the filter ends (STARTTLS_READY) and the session is relayed blindly. One by
 * password ends nothing; a client may log in so as often as it likes. */
#include "starttls/ldap.h"

enum { TAG_REQUEST_NAME = 0x80, TAG_SASL = 0xa3, OID_BYTES = sizeof(LDAP_STARTTLS_OID) - 1 };
enum { SASL_BIND_IN_PROGRESS = 14 };

static const char refused_oid[] = "1.3.6.1.4.1.1466.20000";
static_assert(sizeof(refused_oid) == sizeof(LDAP_STARTTLS_OID), "no message changes its size");

struct flow {
    struct buffer head;
    size_t left; /* bytes of a message whose head has passed */
};

struct ldap_filter {
    struct starttls_filter f;
    struct flow flows[STARTTLS_DIRECTION_COUNT];
    bool sasl_pending; /* a login that has no answer yet ... */
    uint32_t sasl_id;  /* ... and its number */
};

static struct ldap_filter *filter_of(struct starttls_filter *f)
{
    return CONTAINER_OF(f, struct ldap_filter, f);
}

static void start(struct starttls_filter *f)
{
    struct ldap_filter *l = filter_of(f);

    buffer_init(&l->flows[STARTTLS_FROM_CLIENT].head, STARTTLS_LDAP_CLIENT_HEAD_BYTES_MAX);
    buffer_init(&l->flows[STARTTLS_FROM_SERVER].head, STARTTLS_LDAP_ROOT_BYTES_MAX);
}

static void clear(struct starttls_filter *f)
{
    buffer_wipe(&filter_of(f)->flows[STARTTLS_FROM_CLIENT].head); /* a Bind has a password */
    buffer_wipe(&filter_of(f)->flows[STARTTLS_FROM_SERVER].head);
}

/* ---- the head of a message ---- */

/* As ldap_message_read() of a message that may be cut off behind its operation's header; `content` is what there is of
 * the operation. */
static bool read_head(struct span head, struct ldap_message *message)
{
    struct ber_header header;
    struct span id;

    if (ber_read_header(head, &header) != BER_OK || header.tag != BER_SEQUENCE)
        return false;
    head = span_skip(head, header.size);
    if (head.size > header.content_size)
        head.size = header.content_size;
    if (!ber_take(&head, BER_INTEGER, &id) || !ber_number(id, &message->id) || ber_read_header(head, &header) != BER_OK)
        return false;
    message->op = header.tag;
    message->content = span_skip(head, header.size);
    if (message->content.size > header.content_size)
        message->content.size = header.content_size;
    return true;
}

static bool is_root_entry(struct span head)
{
    struct ldap_message message;
    struct ber_header name;

    return read_head(head, &message) && message.op == LDAP_SEARCH_ENTRY &&
           ber_read_header(message.content, &name) == BER_OK && name.tag == BER_OCTET_STRING && name.content_size == 0;
}

/* How much of a message is to be gathered, when `head` of it has been: of the root DSE all. */
static size_t wanted(enum starttls_direction direction, struct span head, size_t size)
{
    size_t want =
        direction == STARTTLS_FROM_CLIENT ? STARTTLS_LDAP_CLIENT_HEAD_BYTES_MAX : STARTTLS_LDAP_SERVER_HEAD_BYTES_MAX;

    if (direction == STARTTLS_FROM_SERVER && head.size >= want && size <= STARTTLS_LDAP_ROOT_BYTES_MAX &&
        is_root_entry(head))
        return size;
    return size < want ? size : want;
}

/* Gather; *size: of the whole message. BER_OK: there is enough of it. */
static enum ber_status gather(struct flow *flow, enum starttls_direction direction, struct span bytes, size_t *taken,
                              size_t *size)
{
    *taken = 0;
    for (;;) {
        struct span head = buffer_span(&flow->head);
        struct ber_header header;
        enum ber_status status = ber_read_header(head, &header);
        size_t want = head.size + 1;

        if (status == BER_BAD || (head.size != 0 && head.data[0] != BER_SEQUENCE))
            return BER_BAD;
        if (status == BER_OK) {
            *size = header.size + header.content_size;
            want = wanted(direction, head, *size);
            if (head.size >= want)
                return BER_OK;
        }
        if (*taken == bytes.size)
            return BER_NEED_MORE;
        want -= head.size;
        if (want > bytes.size - *taken)
            want = bytes.size - *taken;
        if (!buffer_append(&flow->head, span_of(bytes.data + *taken, want)))
            return BER_BAD;
        *taken += want;
    }
}

/* ---- client to server ---- */

/* The name of an extended request where it is StartTLS; empty: it is another. *is_bad: it has none. */
static struct span starttls_name(const struct ldap_message *message, bool *is_bad)
{
    struct span rest = message->content, name;
    struct ber_header header;

    *is_bad = ber_read_header(rest, &header) != BER_OK || header.tag != TAG_REQUEST_NAME;
    if (*is_bad || header.content_size != OID_BYTES)
        return span_of(NULL, 0);
    *is_bad = !ber_take(&rest, TAG_REQUEST_NAME, &name);
    return !*is_bad && span_equal(name, span_of_string(LDAP_STARTTLS_OID)) ? name : span_of(NULL, 0);
}

/* Whether a Bind is by SASL. Where its name is too long for that to be seen, it may be. */
static bool is_sasl(const struct ldap_message *message)
{
    struct span rest = message->content, element;

    if (!ber_take(&rest, BER_INTEGER, &element) || !ber_take(&rest, BER_OCTET_STRING, &element) || rest.size == 0)
        return true;
    return rest.data[0] == TAG_SASL;
}

static enum starttls_status on_request(struct ldap_filter *l, struct span head, struct sink *sink)
{
    struct ldap_message message;
    struct span name = span_of(NULL, 0);
    bool is_bad = false;

    if (!read_head(head, &message))
        return filter_broken(&l->f, STARTTLS_FAULT_CLIENT, "the client sent something that is not an LDAP message");
    if (message.op == LDAP_EXTENDED_REQUEST)
        name = starttls_name(&message, &is_bad);
    if (is_bad)
        return filter_broken(&l->f, STARTTLS_FAULT_CLIENT, "the client sent an extended request without a name");
    if (message.op == LDAP_BIND_REQUEST) {
        l->sasl_pending = is_sasl(&message);
        l->sasl_id = message.id;
    }
    if (name.size == 0) {
        sink_put(sink, head);
        return STARTTLS_NEED_MORE;
    }
    sink_put(sink, span_of(head.data, (size_t)(name.data - head.data)));
    sink_put_text(sink, refused_oid);
    sink_put(sink, span_skip(head, (size_t)(name.data - head.data) + name.size));
    return STARTTLS_NEED_MORE;
}

/* ---- server to client ---- */

static enum starttls_status on_bind_response(struct ldap_filter *l, const struct ldap_message *message)
{
    struct span rest = message->content, code;
    uint32_t result;

    if (!l->sasl_pending || message->id != l->sasl_id)
        return STARTTLS_NEED_MORE;
    if (!ber_take(&rest, BER_ENUMERATED, &code) || !ber_number(code, &result))
        return filter_broken(&l->f, STARTTLS_FAULT_SERVER, "the server sent a BindResponse without a result");
    if (result != SASL_BIND_IN_PROGRESS)
        l->sasl_pending = false;
    return result == LDAP_SUCCESS ? STARTTLS_READY : STARTTLS_NEED_MORE;
}

/* The root DSE: each value that is StartTLS's name, with its length before it, is another's. */
static void put_root(struct span entry, struct sink *sink)
{
    static const char value[] = "\x16" LDAP_STARTTLS_OID;
    const size_t size = sizeof(value) - 1;

    static_assert(OID_BYTES == 0x16, "its length");
    while (entry.size >= size) {
        const uint8_t *start = memchr(entry.data, value[0], entry.size - size + 1);
        size_t before = start == NULL ? entry.size : (size_t)(start - entry.data);

        sink_put(sink, span_of(entry.data, before));
        entry = span_skip(entry, before);
        if (start == NULL)
            return;
        if (memcmp(start, value, size) == 0) {
            sink_put(sink, span_of(start, 1));
            sink_put_text(sink, refused_oid);
            entry = span_skip(entry, size);
        } else {
            sink_put(sink, span_of(start, 1));
            entry = span_skip(entry, 1);
        }
    }
    sink_put(sink, entry);
}

static enum starttls_status on_response(struct ldap_filter *l, struct span head, bool is_whole, struct sink *sink)
{
    struct ldap_message message;

    if (!read_head(head, &message))
        return filter_broken(&l->f, STARTTLS_FAULT_SERVER, "the server sent something that is not an LDAP message");
    if (is_whole && is_root_entry(head))
        put_root(head, sink);
    else
        sink_put(sink, head);
    return message.op == LDAP_BIND_RESPONSE ? on_bind_response(l, &message) : STARTTLS_NEED_MORE;
}

/* ---- both ---- */

static enum starttls_status put_head(struct ldap_filter *l, enum starttls_direction direction, struct span bytes,
                                     size_t *taken, struct buffer *out)
{
    struct flow *flow = &l->flows[direction];
    struct span head;
    struct sink sink;
    size_t size = 0;
    enum starttls_status status;

    if (buffer_room(out) < STARTTLS_FILTER_LINE_BYTES_MAX)
        return STARTTLS_NEED_MORE;
    switch (gather(flow, direction, bytes, taken, &size)) {
    case BER_OK:
        break;
    case BER_NEED_MORE:
        return STARTTLS_NEED_MORE;
    case BER_BAD:
        return direction == STARTTLS_FROM_CLIENT
                   ? filter_broken(&l->f, STARTTLS_FAULT_CLIENT,
                                   "the client sent something that is not an LDAP message")
                   : filter_broken(&l->f, STARTTLS_FAULT_SERVER,
                                   "the server sent something that is not an LDAP message");
    }
    head = buffer_span(&flow->head);
    sink_open(&sink, out, head.size);
    status =
        direction == STARTTLS_FROM_CLIENT ? on_request(l, head, &sink) : on_response(l, head, head.size == size, &sink);
    flow->left = size - head.size;
    buffer_wipe(&flow->head);
    return filter_close(&l->f, &sink, status);
}

static enum starttls_status put(struct starttls_filter *f, enum starttls_direction direction, struct span bytes,
                                size_t *consumed, struct buffer *out)
{
    struct ldap_filter *l = filter_of(f);
    struct flow *flow = &l->flows[direction];
    enum starttls_status status = STARTTLS_NEED_MORE;

    while (status == STARTTLS_NEED_MORE && *consumed < bytes.size) {
        struct span rest = span_skip(bytes, *consumed);
        size_t taken = 0;

        if (flow->left == 0) {
            status = put_head(l, direction, rest, &taken, out);
        } else {
            taken = filter_pass(rest, flow->left, out);
            flow->left -= taken;
        }
        *consumed += taken;
        if (taken == 0)
            break;
    }
    return status;
}

static enum starttls_status put_from_client(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                            struct buffer *out)
{
    return put(f, STARTTLS_FROM_CLIENT, bytes, consumed, out);
}

static enum starttls_status put_from_server(struct starttls_filter *f, struct span bytes, size_t *consumed,
                                            struct buffer *out)
{
    return put(f, STARTTLS_FROM_SERVER, bytes, consumed, out);
}

static bool rest(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out)
{
    return filter_move(&filter_of(f)->flows[direction].head, out);
}

static_assert(STARTTLS_LDAP_ROOT_BYTES_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX, "a message of the server's");
static_assert(STARTTLS_LDAP_CLIENT_HEAD_BYTES_MAX <= STARTTLS_FILTER_LINE_BYTES_MAX, "one of the client's");

const struct filter_class ldap_filter_class = {
    .size = sizeof(struct ldap_filter),
    .start = start,
    .put = {[STARTTLS_FROM_CLIENT] = put_from_client, [STARTTLS_FROM_SERVER] = put_from_server},
    .rest = rest,
    .clear = clear,
};
