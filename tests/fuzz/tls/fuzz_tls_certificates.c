/* tls/certificate_message.c, peer_certs.c, wire_notes.c: the certificates in a message of either version, what NSS
 * tells certificates by, and what is noted of records. What is inside the input stays inside it; in pieces it says the
 * same. */
#include "tls/certificate_message.h"
#include "tls/peer_certs.h"
#include "tls/wire_notes.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct span input;
    size_t count, bytes;
};

static bool is_inside(struct span outer, struct span inner)
{
    return inner.size == 0 || (inner.data >= outer.data && inner.data + inner.size <= outer.data + outer.size);
}

static bool see_cert(void *arg, struct span cert)
{
    struct seen *seen = arg;
    struct span issuer, serial;

    if (cert.size == 0 || !is_inside(seen->input, cert))
        base_abort("a certificate is not inside its message");
    if (tls_peer_cert_key(cert, &issuer, &serial) && (!is_inside(cert, issuer) || !is_inside(cert, serial)))
        base_abort("a name or number is not inside its certificate");
    seen->count++;
    seen->bytes += cert.size;
    return true;
}

static void see_records(struct span records)
{
    struct tls_wire_note whole = {0}, pieces = {0};

    tls_wire_note_see(&whole, records);
    for (size_t at = 0, part = 1; at < records.size; at += part, part = part % 7 + 1)
        tls_wire_note_see(&pieces, span_of(records.data + at, part < records.size - at ? part : records.size - at));
    if (memcmp(&whole, &pieces, sizeof(whole)) != 0)
        base_abort("records say something else in pieces");
    if (whole.hello_size > sizeof(whole.hello) || whole.finished_size > sizeof(whole.finished))
        base_abort("more was noted than there is room for");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum tls_certificate_form forms[] = {TLS_CERTIFICATE_TLS12, TLS_CERTIFICATE_TLS13};
    struct span input = span_of(data, size), issuer, serial;

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct seen seen = {.input = input};
        bool whole = tls_certificate_message_each(forms[i], input, see_cert, &seen);

        if (whole && seen.bytes + 3 * seen.count + 3 > size)
            base_abort("more certificates than bytes");
    }
    if (tls_peer_cert_key(input, &issuer, &serial) && (!is_inside(input, issuer) || !is_inside(input, serial)))
        base_abort("a name or number is not inside its certificate");
    see_records(input);
    return 0;
}
