/* What an LDAP server says of itself; see starttls_probe_create() in starttls/starttls.h
 *
 *   ASKED (search of the root DSE) --entries, then SearchResultDone--> READY (Unbind)
 *
 * RFC 4512 section 5.1: anybody may read how one can log in by SASL. A server that does not let anybody serves all the
 * same. */
#include "starttls/ldap.h"

enum probe_state { PROBE_ASKED, PROBE_READY, PROBE_STATE_COUNT };

static const char *const state_names[] = {"PROBE_ASKED", "PROBE_READY"};
static_assert(ARRAY_LEN(state_names) == PROBE_STATE_COUNT, "one name for each state");

struct probe {
    struct starttls_machine m;
    struct buffer message;
};

static struct probe *probe_of(struct starttls_machine *m)
{
    return CONTAINER_OF(m, struct probe, m);
}

enum { SEARCH_ID = 1 };

static void start(struct starttls_machine *m)
{
    /* baseObject "", scope base, no aliases, no limits, (objectClass=*), one attribute. */
    static const char search[] =
        "\x30\x3e\x02\x01\x01\x63\x39\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01"
        "\x01\x00\x87\x0bobjectClass\x30\x19\x04\x17supportedSASLMechanisms";

    static_assert(sizeof(search) - 1 == 2 + 0x3e, "it says its size");
    machine_open_capabilities(m);
    buffer_init(&probe_of(m)->message, STARTTLS_LDAP_MESSAGE_BYTES_MAX);
    m->state = PROBE_ASKED;
    machine_put(m, span_of(search, sizeof(search) - 1));
}

static void clear(struct starttls_machine *m)
{
    buffer_release(&probe_of(m)->message);
    machine_close_capabilities(m);
}

/* SearchResultEntry: a name, and attributes of a type and a set of values. */
static void note_entry(struct starttls_machine *m, struct span entry)
{
    struct span name, attributes, attribute, type, values, value;

    if (!ber_take(&entry, BER_OCTET_STRING, &name) || !ber_take(&entry, BER_SEQUENCE, &attributes))
        return;
    while (ber_take(&attributes, BER_SEQUENCE, &attribute))
        if (ber_take(&attribute, BER_OCTET_STRING, &type) && ber_take(&attribute, BER_SET, &values))
            while (ber_take(&values, BER_OCTET_STRING, &value))
                machine_note_capability(m, value);
}

static enum starttls_status on_done(struct starttls_machine *m, struct span content)
{
    static const uint8_t unbind[] = {BER_SEQUENCE, 5, BER_INTEGER, 1, SEARCH_ID + 1, LDAP_UNBIND_REQUEST, 0};
    struct span code, dn, text;
    uint32_t result;

    if (!ber_take(&content, BER_ENUMERATED, &code) || !ber_number(code, &result) ||
        !ber_take(&content, BER_OCTET_STRING, &dn) || !ber_take(&content, BER_OCTET_STRING, &text))
        return machine_broken(m, "the server sent a result that is none");
    if (result == LDAP_BUSY || result == LDAP_UNAVAILABLE)
        return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", text);
    machine_put(m, span_of(unbind, sizeof(unbind)));
    m->state = PROBE_READY;
    return STARTTLS_READY;
}

static enum starttls_status on_message(struct starttls_machine *m, struct span bytes)
{
    struct ldap_message message;

    if (!ldap_message_read(bytes, &message))
        return machine_broken(m, "the server sent something that is not an LDAP message");
    if (message.id == 0)
        return machine_refused(m, STARTTLS_REFUSAL_GOODBYE, "the server said goodbye");
    if (message.id != SEARCH_ID)
        return machine_broken(m, "the server answers something that it was not asked");
    switch (message.op) {
    case LDAP_SEARCH_ENTRY:
        note_entry(m, message.content);
        return STARTTLS_NEED_MORE;
    case LDAP_SEARCH_REFERENCE:
        return STARTTLS_NEED_MORE;
    case LDAP_SEARCH_DONE:
        return on_done(m, message.content);
    default:
        return machine_broken(m, "the server answers something that it was not asked");
    }
}

static enum starttls_status on_bytes(struct starttls_machine *m, struct span bytes, size_t *consumed)
{
    struct buffer *message = &probe_of(m)->message;
    enum starttls_status status;

    switch (ldap_message_gather(message, bytes, consumed)) {
    case BER_OK:
        break;
    case BER_NEED_MORE:
        return STARTTLS_NEED_MORE;
    case BER_BAD:
        return machine_broken(m, "the server sent something that is not an LDAP message, or one that is too long");
    }
    status = on_message(m, buffer_span(message));
    buffer_release(message);
    return status;
}

const struct machine_class ldap_probe_class = {
    .size = sizeof(struct probe),
    .line_bytes_max = STARTTLS_LDAP_MESSAGE_BYTES_MAX,
    .bytes_max = STARTTLS_CONNECTED_BYTES_MAX,
    .state_names = state_names,
    .start = start,
    .on_bytes = on_bytes,
    .clear = clear,
};
