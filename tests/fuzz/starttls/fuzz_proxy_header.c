/* starttls/proxy_header.c: a client's names and certificate in a header of version 1 or 2. What comes out is read again
 * by the text of the specification, in any room there may be: a server must find every length true, and no name of a
 * client must bring a control character along. */
#include "starttls/proxy_header.h"
#include "tests/fuzz/fuzz.h"

enum { V2_FIXED = 16, TLV_HEAD = 3, TYPE_SSL = 0x20, TYPE_AUTHORITY = 0x02, SUBTYPE_CN = 0x22, SSL_FIXED = 5 };

static size_t size_at(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

static void check_text(struct span value)
{
    for (size_t i = 0; i < value.size; i++)
        FUZZ_CHECK(value.data[i] >= ' ' && value.data[i] != 0x7f);
}

/* TLVs to the last byte; those of PP2_TYPE_SSL hold more of them. */
static void check_tlvs(struct span tlvs)
{
    while (tlvs.size != 0) {
        struct span value;
        uint8_t type;

        FUZZ_CHECK(tlvs.size >= TLV_HEAD);
        type = tlvs.data[0];
        FUZZ_CHECK(size_at(tlvs.data + 1) <= tlvs.size - TLV_HEAD);
        value = span_of(tlvs.data + TLV_HEAD, size_at(tlvs.data + 1));
        tlvs = span_skip(tlvs, TLV_HEAD + value.size);
        if (type == TYPE_AUTHORITY || type == SUBTYPE_CN)
            check_text(value);
        if (type == TYPE_SSL) {
            FUZZ_CHECK(value.size >= SSL_FIXED);
            check_tlvs(span_skip(value, SSL_FIXED));
        }
    }
}

static void check_v2(struct span header)
{
    static const uint8_t signature[] = "\r\n\r\n\0\r\nQUIT\n";
    static const size_t address_sizes[] = {0, 12, 36, 216};
    size_t addresses;

    FUZZ_CHECK(header.size >= V2_FIXED && memcmp(header.data, signature, sizeof(signature) - 1) == 0);
    FUZZ_CHECK(size_at(header.data + 14) == header.size - V2_FIXED && header.data[13] >> 4 < 4);
    addresses = address_sizes[header.data[13] >> 4];
    header = span_skip(header, V2_FIXED);
    FUZZ_CHECK(addresses <= header.size);
    check_tlvs(span_skip(header, addresses));
}

static void check_v1(struct span line)
{
    FUZZ_CHECK(line.size >= 8 && line.size <= 107); /* "PROXY UNKNOWN" aside the longest line there is */
    FUZZ_CHECK(memcmp(line.data, "PROXY ", 6) == 0 && memcmp(line.data + line.size - 2, "\r\n", 2) == 0);
    check_text(span_of(line.data, line.size - 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t sizes[] = {0, 4, 16, 16};
    struct span input = span_of(data, size);
    unsigned flags = fuzz_byte(&input);
    uint8_t ends[2][16] = {{0}};
    struct starttls_proxy_addresses a = {.source = ends[0], .destination = ends[1], .size = sizes[flags & 3]};
    struct starttls_proxy_tls tls = {.is_tls = (flags & 4) != 0,
                                     .client_cert_on_connection = (flags & 8) != 0,
                                     .client_cert_in_session = (flags & 16) != 0,
                                     .client_cert_is_verified = (flags & 32) != 0};
    size_t room = (fuzz_byte(&input) << 8 | fuzz_byte(&input)) + 2;
    struct buffer out;

    a.source_port = (uint16_t)(fuzz_byte(&input) << 8 | fuzz_byte(&input));
    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < a.size; i++)
            ends[side][i] = (uint8_t)fuzz_byte(&input);
    tls.alpn = fuzz_part(&input);
    tls.authority = fuzz_part(&input);
    tls.version = fuzz_part(&input);
    tls.cipher = fuzz_part(&input);
    tls.client_common_name = fuzz_part(&input);
    tls.client_cert = input;

    buffer_init(&out, room);
    FUZZ_CHECK(buffer_append(&out, span_of("x", 1)));
    if (starttls_proxy_header_v2(&a, &tls, NULL, &out))
        check_v2(span_skip(buffer_span(&out), 1));
    else
        FUZZ_CHECK(out.size == 1);
    buffer_consume(&out, out.size - 1);
    if (starttls_proxy_header_v1(&a, &out))
        check_v1(span_skip(buffer_span(&out), 1));
    else
        FUZZ_CHECK(out.size == 1);
    buffer_release(&out);
    return 0;
}
