/* tls/client_hello.c: records of a client that begin with a ClientHello, or should. However the message is cut into
 * records, it says the same. */
#include "tls/client_hello.h"
#include "tls/record.h"

#include "base/buffer.h"
#include "base/slab.h"
#include "tls/hello_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 4096, NAME_MAX_SIZE = 254 };

static const uint16_t known[] = {0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401};

/* What is said of the hello, as bits and a hash of the name. */
static uint64_t ask(struct span records)
{
    uint8_t name[NAME_MAX_SIZE];
    uint64_t offered = 0, hash = 0;
    size_t size;

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        offered |= (uint64_t)tls_client_hello_offers(records, &known[i], 1) << i;
    if (tls_client_hello_offers(records, known, ARRAY_LEN(known)) != (offered != 0) ||
        tls_client_hello_offers(records, known, 0))
        base_abort("each scheme and all of them are told differently");
    if (tls_client_hello_server_name(records, name, sizeof(name), &size)) {
        if (size == 0 || size > sizeof(name) || tls_client_hello_server_name(records, name, size - 1, &size))
            base_abort("a name is empty or longer than its room");
        (void)!tls_client_hello_server_name(records, name, sizeof(name), &size);
        for (size_t i = 0; i < size; i++)
            hash = hash * 31 + name[i] + 1;
    }
    return offered | (uint64_t)tls_client_hello_takes_tickets(records) << ARRAY_LEN(known) |
           hash << (ARRAY_LEN(known) + 1);
}

/* What is known stays so when more comes, and the name is one that a service may have. */
static void look_for_name(struct span records)
{
    enum tls_hello_name before = TLS_HELLO_NEEDS_MORE;
    uint64_t hash_before = 0;

    for (size_t have = 0; have <= records.size; have += 1 + records.size / 64) {
        uint64_t hash = 0;
        char *name;
        enum tls_hello_name answer = tls_hello_name_read(span_of(records.data, have), &name);

        if ((name != NULL) != (answer == TLS_HELLO_HAS_NAME))
            base_abort("a name and no name");
        for (const char *c = name; c != NULL && *c != '\0'; c++) {
            if ((*c >= 'A' && *c <= 'Z') || *c <= ' ' || *c > '~')
                base_abort("a name has what no host name has");
            hash = hash * 31 + (uint8_t)*c;
        }
        slab_strfree(name);
        if (before != TLS_HELLO_NEEDS_MORE && (before != answer || hash != hash_before))
            base_abort("more bytes change what was known");
        before = answer;
        hash_before = hash;
    }
}

static void look_at_lists(struct span records)
{
    static uint8_t space[INPUT_MAX];
    struct span list;

    for (unsigned which = TLS_HELLO_CIPHER_SUITES; which <= TLS_HELLO_GROUPS; which++)
        if (tls_client_hello_list(records, (enum tls_hello_list)which, space, &list) && list.size != 0 &&
            (list.data < space || list.data + list.size > space + sizeof(space) || list.size > records.size))
            base_abort("a list is not where it was put");
}

/* One byte a record. */
static void cut(struct span message, struct buffer *out)
{
    static const uint8_t header[TLS_RECORD_HEADER_SIZE] = {TLS_CONTENT_HANDSHAKE, 3, 1, 0, 1};

    for (size_t i = 0; i < message.size; i++)
        if (!buffer_append(out, span_of(header, sizeof(header))) || !buffer_append(out, span_of(message.data + i, 1)))
            base_abort("no room for the records");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    struct buffer records;
    size_t body_size;
    uint64_t offered;

    if (size > INPUT_MAX)
        return 0;
    offered = ask(input);
    look_at_lists(input);
    look_for_name(input);
    if (size < TLS_RECORD_HEADER_SIZE || data[0] != TLS_CONTENT_HANDSHAKE)
        return 0;
    body_size = tls_record_body_size(data);
    if (body_size != size - TLS_RECORD_HEADER_SIZE)
        return 0;
    buffer_init(&records, INPUT_MAX * (TLS_RECORD_HEADER_SIZE + 1));
    cut(span_skip(input, TLS_RECORD_HEADER_SIZE), &records);
    if (ask(buffer_span(&records)) != offered)
        base_abort("the hello says something else in pieces");
    buffer_release(&records);
    return 0;
}
