/* A PROXY header that comes to us. Each row is read in pieces of every size, with something behind it. */
#include "starttls/proxy_header.h"
#include "starttls/proxy_reader.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4        "\xc0\0\2\1\x0a\0\0\1\xdc\4\1\xbb" /* 192.0.2.1:56324, 10.0.0.1:443 */
#define BYTES(text)                                                                                                    \
    {                                                                                                                  \
        (const uint8_t *)(text), sizeof(text) - 1                                                                      \
    }

/* What all of it comes to, and from which size on it is told. */
static enum starttls_proxy_read read_in_pieces(struct span bytes, enum starttls_proxy_accept accept, size_t *told_at,
                                               struct starttls_proxy_said *said, size_t *size, const char **why)
{
    enum starttls_proxy_read answer = STARTTLS_PROXY_NEED_MORE;

    for (*told_at = 0; *told_at <= bytes.size; ++*told_at) {
        uint8_t *copy = base_memdup(bytes.data, *told_at == 0 ? 1 : *told_at); /* a look behind the end is found */

        answer = starttls_proxy_read(span_of(copy, *told_at), accept, said, size, why);
        free(copy);
        if (answer != STARTTLS_PROXY_NEED_MORE)
            break;
    }
    return answer;
}

static void headers_are_read(void **state)
{
    static const struct {
        struct span header;
        enum starttls_proxy_subject subject;
        const char *source, *destination; /* of CLIENT */
        unsigned source_port, destination_port;
        size_t tlvs;
    } rows[] = {
        {BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n"), STARTTLS_PROXY_CLIENT, "192.0.2.1", "10.0.0.1", 56324,
         443, 0},
        {BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 0\r\n"), STARTTLS_PROXY_CLIENT, "255.255.255.255",
         "255.255.255.255", 65535, 0, 0},
        {BYTES("PROXY TCP6 2001:DB8::1 ::1 1 2\r\n"), STARTTLS_PROXY_CLIENT, "2001:db8::1", "::1", 1, 2, 0},
        {BYTES(
             "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n"),
         STARTTLS_PROXY_CLIENT, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
         65535, 65535, 0},
        {BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:10.0.0.1 1 2\r\n"), STARTTLS_PROXY_CLIENT, "192.0.2.1", "10.0.0.1",
         1, 2, 0},
        {BYTES("PROXY UNKNOWN\r\n"), STARTTLS_PROXY_UNKNOWN, NULL, NULL, 0, 0, 0},
        {BYTES("PROXY UNKNOWN ffff::1 whatever 1 2\r\n"), STARTTLS_PROXY_UNKNOWN, NULL, NULL, 0, 0, 0},
        {BYTES(SIGNATURE "\x21\x11\0\x0c" V4), STARTTLS_PROXY_CLIENT, "192.0.2.1", "10.0.0.1", 56324, 443, 0},
        {BYTES(SIGNATURE "\x21\x11\0\x13" V4 "\2\0\4mail"), STARTTLS_PROXY_CLIENT, "192.0.2.1", "10.0.0.1", 56324, 443,
         7},
        {BYTES(SIGNATURE "\x21\x21\0\x24"
                         "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"
                         "\0\1\0\2"),
         STARTTLS_PROXY_CLIENT, "2001:db8::1", "::1", 1, 2, 0},
        {BYTES(SIGNATURE "\x21\0\0\0"), STARTTLS_PROXY_UNKNOWN, NULL, NULL, 0, 0, 0},
        {BYTES(SIGNATURE "\x21\0\0\3\4\0\0"), STARTTLS_PROXY_UNKNOWN, NULL, NULL, 0, 0, 3},
        {BYTES(SIGNATURE "\x20\0\0\0"), STARTTLS_PROXY_LOCAL, NULL, NULL, 0, 0, 0},
        /* LOCAL: its family and what follows are passed over. */
        {BYTES(SIGNATURE "\x20\x11\0\x0c" V4), STARTTLS_PROXY_LOCAL, NULL, NULL, 0, 0, 0},
        {BYTES(SIGNATURE "\x20\x77\0\2\1\1"), STARTTLS_PROXY_LOCAL, NULL, NULL, 0, 0, 0},
        /* CRC32C over the whole, with zeros in its place */
        {BYTES(SIGNATURE "\x21\x11\0\x13" V4 "\3\0\4\xa4\x54\x06\x56"), STARTTLS_PROXY_CLIENT, "192.0.2.1", "10.0.0.1",
         56324, 443, 7},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static const char behind[] = "\x16\3\1PROXY ";
        uint8_t *all = base_alloc(rows[i].header.size + sizeof(behind));
        char source[ADDRESS_TEXT_SIZE], destination[ADDRESS_TEXT_SIZE];
        struct starttls_proxy_said said;
        const char *why;
        size_t size, told_at;

        memcpy(all, rows[i].header.data, rows[i].header.size);
        memcpy(all + rows[i].header.size, behind, sizeof(behind));
        if (read_in_pieces(rows[i].header, STARTTLS_PROXY_ACCEPT_ANY, &told_at, &said, &size, &why) !=
            STARTTLS_PROXY_WHOLE)
            fail_msg("row %zu: %s", i, why);
        assert_int_equal(told_at, rows[i].header.size);
        assert_int_equal(starttls_proxy_read(span_of(all, rows[i].header.size + sizeof(behind)),
                                             STARTTLS_PROXY_ACCEPT_ANY, &said, &size, &why),
                         STARTTLS_PROXY_WHOLE);
        assert_int_equal(size, rows[i].header.size); /* not a byte of what is behind it */
        assert_int_equal(said.subject, rows[i].subject);
        assert_string_equal(address_text(&said.source, source), rows[i].source == NULL ? "" : rows[i].source);
        assert_string_equal(address_text(&said.destination, destination),
                            rows[i].destination == NULL ? "" : rows[i].destination);
        assert_int_equal(said.source_port, rows[i].source_port);
        assert_int_equal(said.destination_port, rows[i].destination_port);
        assert_int_equal(said.tlvs.size, rows[i].tlvs);
        free(all);
    }
}

static void headers_are_refused(void **state)
{
    static const struct {
        struct span bytes;
        enum starttls_proxy_read answer;
        const char *words;
        size_t told_at; /* as soon as it can be known; 0: does not matter */
    } rows[] = {
        {BYTES("\x16\3\1\0\1"), STARTTLS_PROXY_MISSING, "no PROXY header", 1},
        {BYTES("EHLO a\r\n"), STARTTLS_PROXY_MISSING, "no PROXY header", 1},
        {BYTES("POST / HTTP/1.1\r\n"), STARTTLS_PROXY_MISSING, "no PROXY header", 2},
        {BYTES("proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n"), STARTTLS_PROXY_MISSING, "no PROXY header", 1},
        {BYTES("\r\n\r\nEHLO a\r\n"), STARTTLS_PROXY_MISSING, "no PROXY header", 5},
        {BYTES("PROXY  TCP4 1.2.3.4 1.2.3.4 1 1\r\n"), STARTTLS_PROXY_BROKEN, "no TCP4", 0},
        {BYTES("PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n"), STARTTLS_PROXY_BROKEN, "family", 0},
        {BYTES("PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n"), STARTTLS_PROXY_BROKEN, "family", 0},
        {BYTES("PROXY TCP4 1.2.3.04 1.2.3.4 1 1\r\n"), STARTTLS_PROXY_BROKEN, "addresses", 0},
        {BYTES("PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n"), STARTTLS_PROXY_BROKEN, "addresses", 0},
        {BYTES("PROXY TCP4 ::1 ::1 1 1\r\n"), STARTTLS_PROXY_BROKEN, "addresses", 0},
        {BYTES("PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n"), STARTTLS_PROXY_BROKEN, "addresses", 0},
        {BYTES("PROXY TCP6 fe80::1%lo ::1 1 1\r\n"), STARTTLS_PROXY_BROKEN, "addresses", 0},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n"), STARTTLS_PROXY_BROKEN, "ports", 0},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"), STARTTLS_PROXY_BROKEN, "ports", 0},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 -1\r\n"), STARTTLS_PROXY_BROKEN, "ports", 0},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), STARTTLS_PROXY_BROKEN, "ports", 0},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n"), STARTTLS_PROXY_BROKEN, "behind", 0},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n"), STARTTLS_PROXY_BROKEN, "control character", 31},
        {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\rX"), STARTTLS_PROXY_BROKEN, "control character", 32},
        {BYTES("PROXY UNKNOWN \0\r\n"), STARTTLS_PROXY_BROKEN, "control character", 0},
        {BYTES("PROXY UNKNOWN xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
               "xxxxxxxxxxxxxxxx\r\n"),
         STARTTLS_PROXY_BROKEN, "longer than 107", 107},
        {BYTES(SIGNATURE "\x11\x11\0\x0c" V4), STARTTLS_PROXY_BROKEN, "its version another", 13},
        {BYTES(SIGNATURE "\x22\x11\0\x0c" V4), STARTTLS_PROXY_BROKEN, "its command", 13},
        {BYTES(SIGNATURE "\x21\x12\0\x0c" V4), STARTTLS_PROXY_BROKEN, "its family", 16}, /* UDP */
        {BYTES(SIGNATURE "\x21\x41\0\x0c" V4), STARTTLS_PROXY_BROKEN, "its family", 16},
        {BYTES(SIGNATURE "\x21\x11\0\x0b" V4), STARTTLS_PROXY_BROKEN, "too short", 27},
        {BYTES(SIGNATURE "\x21\x31\0\x0c" V4), STARTTLS_PROXY_BROKEN, "too short", 28},
        {BYTES(SIGNATURE "\x21\x11\x10\1" V4), STARTTLS_PROXY_BROKEN, "longer than 4112", 16},
        {BYTES(SIGNATURE "\x21\x11\0\x0e" V4 "\2\0"), STARTTLS_PROXY_BROKEN, "behind its end", 30},
        {BYTES(SIGNATURE "\x21\x11\0\x13" V4 "\2\0\5mail"), STARTTLS_PROXY_BROKEN, "behind its end", 35},
        {BYTES(SIGNATURE "\x21\x11\0\x13" V4 "\3\0\4\xa4\x54\x06\x57"), STARTTLS_PROXY_BROKEN, "CRC32C", 35},
        {BYTES(SIGNATURE "\x21\x11\0\x12" V4 "\3\0\3\xa4\x54\x06"), STARTTLS_PROXY_BROKEN, "CRC32C", 34},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct starttls_proxy_said said;
        const char *why;
        size_t size, told_at;
        enum starttls_proxy_read answer =
            read_in_pieces(rows[i].bytes, STARTTLS_PROXY_ACCEPT_ANY, &told_at, &said, &size, &why);

        if (answer != rows[i].answer || strstr(why, rows[i].words) == NULL)
            fail_msg("row %zu: %d, %s", i, answer, why);
        if (rows[i].told_at != 0 && told_at != rows[i].told_at)
            fail_msg("row %zu is told at %zu", i, told_at);
        assert_int_equal(said.source.size + said.tlvs.size, 0);
    }
}

static void one_version_is_not_the_other(void **state)
{
    static const struct span v1 = BYTES("PROXY UNKNOWN\r\n"), v2 = BYTES(SIGNATURE "\x20\0\0\0");
    struct starttls_proxy_said said;
    const char *why;
    size_t size;

    (void)state;
    assert_int_equal(starttls_proxy_read(v1, STARTTLS_PROXY_ACCEPT_V1, &said, &size, &why), STARTTLS_PROXY_WHOLE);
    assert_int_equal(starttls_proxy_read(v1, STARTTLS_PROXY_ACCEPT_V2, &said, &size, &why), STARTTLS_PROXY_BROKEN);
    assert_non_null(strstr(why, "takes version 2"));
    assert_int_equal(starttls_proxy_read(v2, STARTTLS_PROXY_ACCEPT_V2, &said, &size, &why), STARTTLS_PROXY_WHOLE);
    assert_int_equal(starttls_proxy_read(v2, STARTTLS_PROXY_ACCEPT_V1, &said, &size, &why), STARTTLS_PROXY_BROKEN);
    assert_non_null(strstr(why, "takes version 1"));
}

static void likeness_is_told(void **state)
{
    static const struct span v1 = BYTES("PROXY TCP4"), v2 = BYTES(SIGNATURE "\x20"), half = BYTES("PROX"),
                             cut = BYTES("\r\n\r\n\0\r\nQUIT"), other = BYTES("PROXIMA");

    (void)state;
    assert_true(starttls_proxy_is_header(v1));
    assert_true(starttls_proxy_is_header(v2));
    assert_false(starttls_proxy_is_header(half));
    assert_false(starttls_proxy_is_header(cut));
    assert_false(starttls_proxy_is_header(other));
    assert_false(starttls_proxy_is_header(span_of(NULL, 0)));
}

static void tlvs_are_told(void **state)
{
    static const struct span tlvs = BYTES("\2\0\4mail\5\0\2\1\2\4\0\1\0\3\0\4abcd\xea\0\3 ab\x20\0\0"),
                             evil = BYTES("\2\0\5a\r\nb=\1\0\3\xff\xfe\xfd");
    char text[STARTTLS_PROXY_TLVS_TEXT_SIZE];
    uint8_t many[40 * 67];

    (void)state;
    assert_string_equal(starttls_proxy_tlvs_text(tlvs, text), "authority=mail unique_id=0102 0xea=206162 ssl=");
    assert_string_equal(starttls_proxy_tlvs_text(evil, text), "authority=610d0a623d alpn=fffefd");
    for (size_t i = 0; i < sizeof(many); i++)
        many[i] = i % 67 == 0 ? 0xe0 : i % 67 == 1 ? 0 : i % 67 == 2 ? 64 : 'x';
    assert_true(strlen(starttls_proxy_tlvs_text(span_of(many, sizeof(many)), text)) < sizeof(text));
    assert_int_equal(strlen(text), 3 * 69 + 2);
}

/* What goes on with send_proxy: all but what is about the header, and about TLS where it ended here. */
static void tlvs_are_passed_on(void **state)
{
    static const struct span tlvs =
                                 BYTES("\1\0\4imap\2\0\3a\r\n\2\0\4mail\3\0\4abcd\4\0\1\0\x20\0\5\1\0\0\0\0\xea\0\2hi"),
                             with_tls = BYTES("\1\0\4imap\2\0\4mail\x20\0\5\1\0\0\0\0\xea\0\2hi"),
                             without = BYTES("\xea\0\2hi");
    static const struct starttls_proxy_addresses nobody = {.size = 0};

    (void)state;
    for (int about_tls = 0; about_tls < 2; about_tls++) {
        struct starttls_proxy_passed passed = {.tlvs = tlvs, .about_tls = about_tls != 0};
        struct starttls_proxy_said said;
        struct buffer out;
        const char *why;
        size_t size;

        buffer_init(&out, 200);
        assert_true(starttls_proxy_header_v2(&nobody, NULL, &passed, &out));
        assert_int_equal(starttls_proxy_read(buffer_span(&out), STARTTLS_PROXY_ACCEPT_V2, &said, &size, &why),
                         STARTTLS_PROXY_WHOLE);
        assert_true(span_equal(said.tlvs, about_tls != 0 ? with_tls : without));
        buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read),
        cmocka_unit_test(headers_are_refused),
        cmocka_unit_test(one_version_is_not_the_other),
        cmocka_unit_test(likeness_is_told),
        cmocka_unit_test(tlvs_are_told),
        cmocka_unit_test(tlvs_are_passed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
