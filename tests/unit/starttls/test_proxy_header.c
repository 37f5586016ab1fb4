#include "starttls/proxy_header.h"

#include <arpa/inet.h>

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

struct pair {
    uint8_t source[16], destination[16];
    struct starttls_proxy_addresses addresses;
};

static void set_pair(struct pair *p, const char *source, const char *destination)
{
    size_t source_size = 0, destination_size = 0;

    *p = (struct pair){.addresses = {.source_port = 56324, .destination_port = 443}};
    if (source == NULL)
        return;
    source_size = strchr(source, ':') == NULL ? 4 : 16; /* as a socket has it: mapped addresses too */
    destination_size = strchr(destination, ':') == NULL ? 4 : 16;
    assert_int_equal(inet_pton(source_size == 4 ? AF_INET : AF_INET6, source, p->source), 1);
    assert_int_equal(inet_pton(destination_size == 4 ? AF_INET : AF_INET6, destination, p->destination), 1);
    assert_int_equal(source_size, destination_size);
    p->addresses.source = p->source;
    p->addresses.destination = p->destination;
    p->addresses.size = source_size;
}

static void v1_writes_canonical_addresses(void **state)
{
    static const struct {
        const char *source, *destination, *want;
    } rows[] = {
        {"192.0.2.1", "198.51.100.255", "PROXY TCP4 192.0.2.1 198.51.100.255 56324 443\r\n"},
        {"::ffff:192.0.2.1", "::ffff:10.0.0.1", "PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n"},
        {"2001:db8::1", "::1", "PROXY TCP6 2001:db8::1 ::1 56324 443\r\n"},
        {"::", "1::", "PROXY TCP6 :: 1:: 56324 443\r\n"},
        {"1:0:0:2:0:0:0:3", "1:0:0:2:3:0:0:4", "PROXY TCP6 1:0:0:2::3 1::2:3:0:0:4 56324 443\r\n"},
        {"1:0:2:3:4:5:6:7", "0:1:2:3:4:5:6:0", "PROXY TCP6 1:0:2:3:4:5:6:7 0:1:2:3:4:5:6:0 56324 443\r\n"},
        {"ABCD:ef01:2345:6789:abcd:ef01:2345:6789",
         "0:0:1::", "PROXY TCP6 abcd:ef01:2345:6789:abcd:ef01:2345:6789 0:0:1:: 56324 443\r\n"},
        {"::ffff:192.0.2.1", "2001:db8::1", "PROXY TCP6 ::ffff:c000:201 2001:db8::1 56324 443\r\n"},
        {NULL, NULL, "PROXY UNKNOWN\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buffer out;
        struct pair p;

        set_pair(&p, rows[i].source, rows[i].destination);
        buffer_init(&out, 200);
        assert_true(starttls_proxy_header_v1(&p.addresses, &out));
        if (!span_equal(buffer_span(&out), span_of_string(rows[i].want)))
            fail_msg("got %.*s, want %s", (int)out.size, (const char *)buffer_span(&out).data, rows[i].want);
        assert_true(out.size <= 107); /* the most a receiver must take */
        buffer_release(&out);
    }
}

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static void v2_writes_addresses(void **state)
{
    static const struct {
        const char *source, *destination;
        struct span want;
    } rows[] = {
        {"192.0.2.1",
         "10.0.0.1",
         {(const uint8_t *)SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x01\x0a\x00\x00\x01\xdc\x04\x01\xbb", 28}},
        {"::ffff:192.0.2.1",
         "::ffff:10.0.0.1",
         {(const uint8_t *)SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x01\x0a\x00\x00\x01\xdc\x04\x01\xbb", 28}},
        {"2001:db8::1",
         "::2",
         {(const uint8_t *)SIGNATURE "\x21\x21\x00\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                                     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\xdc\x04\x01\xbb",
          52}},
        {NULL, NULL, {(const uint8_t *)SIGNATURE "\x21\x00\x00\x00", 16}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buffer out;
        struct pair p;

        set_pair(&p, rows[i].source, rows[i].destination);
        buffer_init(&out, 200);
        assert_true(starttls_proxy_header_v2(&p.addresses, NULL, NULL, &out));
        assert_true(span_equal(buffer_span(&out), rows[i].want));
        buffer_release(&out);
    }
}

static void v2_writes_what_tls_learnt(void **state)
{
    static const struct {
        const char *name;
        struct starttls_proxy_tls tls;
        struct span want; /* after the addresses */
    } rows[] = {
        {"not TLS", {.version = {(const uint8_t *)"TLSv1.3", 7}}, {(const uint8_t *)"", 0}},
        {"TLS, and nothing known", {.is_tls = true}, {(const uint8_t *)"\x20\x00\x05\x01\x00\x00\x00\x01", 8}},
        {"ALPN and authority",
         {.alpn = {(const uint8_t *)"imap", 4}, .authority = {(const uint8_t *)"a.test", 6}},
         {(const uint8_t *)"\x01\x00\x04imap\x02\x00\x06"
                           "a.test",
          16}},
        {"version and cipher",
         {.is_tls = true, .version = {(const uint8_t *)"TLSv1.3", 7}, .cipher = {(const uint8_t *)"C", 1}},
         {(const uint8_t *)"\x20\x00\x13\x01\x00\x00\x00\x01\x21\x00\x07TLSv1.3\x23\x00\x01"
                           "C",
          22}},
        {"a verified certificate",
         {.is_tls = true,
          .client_cert_on_connection = true,
          .client_cert_is_verified = true,
          .client_common_name = {(const uint8_t *)"\xc3\xa4", 2},
          .client_cert = {(const uint8_t *)"\x30\x01\x00", 3}},
         {(const uint8_t *)"\x20\x00\x10\x07\x00\x00\x00\x00\x22\x00\x02\xc3\xa4\x28\x00\x03\x30\x01\x00", 19}},
        {"a common name with a line end is left out",
         {.is_tls = true,
          .client_cert_on_connection = true,
          .client_cert_is_verified = true,
          .client_common_name = {(const uint8_t *)"a\r\nadmin", 8},
          .client_cert = {(const uint8_t *)"\x30\x01\x00", 3}},
         {(const uint8_t *)"\x20\x00\x0b\x07\x00\x00\x00\x00\x28\x00\x03\x30\x01\x00", 14}},
        {"likewise one that is not UTF-8",
         {.is_tls = true,
          .client_cert_on_connection = true,
          .client_cert_is_verified = true,
          .client_common_name = {(const uint8_t *)"\xe4", 1}},
         {(const uint8_t *)"\x20\x00\x05\x07\x00\x00\x00\x00", 8}},
        {"and an authority", {.authority = {(const uint8_t *)"a\nb", 3}}, {(const uint8_t *)"", 0}},
        {"one that is not verified",
         {.is_tls = true, .client_cert_on_connection = true},
         {(const uint8_t *)"\x20\x00\x05\x07\x00\x00\x00\x01", 8}},
        {"a resumed session's",
         {.is_tls = true, .client_cert_in_session = true, .client_cert_is_verified = true},
         {(const uint8_t *)"\x20\x00\x05\x05\x00\x00\x00\x00", 8}},
        {"verified without a certificate is not verified",
         {.is_tls = true, .client_cert_is_verified = true},
         {(const uint8_t *)"\x20\x00\x05\x01\x00\x00\x00\x01", 8}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buffer out;
        struct pair p;
        struct span got;

        set_pair(&p, "192.0.2.1", "10.0.0.1");
        buffer_init(&out, 1000);
        assert_true(starttls_proxy_header_v2(&p.addresses, &rows[i].tls, NULL, &out));
        got = buffer_span(&out);
        assert_int_equal(got.data[14] << 8 | got.data[15], got.size - 16);
        if (!span_equal(span_skip(got, 28), rows[i].want))
            fail_msg("%s", rows[i].name);
        buffer_release(&out);
    }
}

static void v2_is_whole_or_not_at_all(void **state)
{
    uint8_t *cert = base_alloc(70000);
    struct starttls_proxy_tls tls = {.is_tls = true, .client_cert = {cert, 65535 - 12 - 3 - 5 - 3}};
    struct pair p;
    struct buffer out;

    (void)state;
    set_pair(&p, "192.0.2.1", "10.0.0.1");
    buffer_init(&out, 100000);
    assert_true(starttls_proxy_header_v2(&p.addresses, &tls, NULL, &out)); /* exactly 65,535 */
    assert_int_equal(out.size, 16 + 65535);
    buffer_consume(&out, out.size);
    for (; tls.client_cert.size < 70000; tls.client_cert.size += 1 + tls.client_cert.size % 7) {
        if (tls.client_cert.size == 65535 - 12 - 3 - 5 - 3)
            continue;
        assert_false(starttls_proxy_header_v2(&p.addresses, &tls, NULL, &out));
        assert_int_equal(out.size, 0);
    }
    buffer_release(&out);
    buffer_init(&out, 20);
    assert_false(starttls_proxy_header_v2(&p.addresses, NULL, NULL, &out));
    assert_false(starttls_proxy_header_v1(&p.addresses, &out));
    assert_int_equal(out.size, 0);
    buffer_release(&out);
    free(cert);
}

static void v2_local_has_no_addresses(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 100);
    assert_true(starttls_proxy_header_v2_local(&out));
    assert_true(span_equal(buffer_span(&out), span_of(SIGNATURE "\x20\x00\x00\x00", 16)));
    buffer_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v1_writes_canonical_addresses), cmocka_unit_test(v2_writes_addresses),
        cmocka_unit_test(v2_writes_what_tls_learnt),     cmocka_unit_test(v2_is_whole_or_not_at_all),
        cmocka_unit_test(v2_local_has_no_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
