/* The hinge, for each protocol and side: whatever comes in one piece with the end of the switch to TLS is refused, and
 * whatever comes in the next piece is TLS's, however the bytes are cut and whatever they are (CVE-2011-0411,
 * CVE-2021-23214, CVE-2021-23222). Random cuts and random bytes; the seed is fixed, so a failure happens again. */
#include "ldap_messages.h"
#include "starttls/starttls.h"

#include <setjmp.h>
#include <cmocka.h>

enum { RUNS = 3000, EXTRA_MAX = 40, INPUT_MAX = 512 };
enum side { ACCEPTED, CONNECTED };

#define BYTES(literal)                                                                                                 \
    {                                                                                                                  \
        (const uint8_t *)(literal), sizeof(literal) - 1                                                                \
    }

/* What the peer says, up to and with the last byte before TLS. */
static const struct opening {
    enum starttls_protocol protocol;
    enum side side;
    struct span says;
} openings[] = {
    {STARTTLS_SMTP, ACCEPTED, BYTES("EHLO a\r\nSTARTTLS\r\n")},
    {STARTTLS_SMTP, CONNECTED, BYTES("220 a\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n")},
    {STARTTLS_LMTP, ACCEPTED, BYTES("LHLO a\r\nSTARTTLS\r\n")},
    {STARTTLS_LMTP, CONNECTED, BYTES("220 a\r\n250-a\r\n250 STARTTLS\r\n220 go\r\n")},
    {STARTTLS_IMAP, ACCEPTED, BYTES("a CAPABILITY\r\nb STARTTLS\r\n")},
    {STARTTLS_IMAP, CONNECTED, BYTES("* OK a\r\n* 1 EXISTS\r\nS1 OK go\r\n")},
    {STARTTLS_POP3, ACCEPTED, BYTES("CAPA\r\nSTLS\r\n")},
    {STARTTLS_POP3, CONNECTED, BYTES("+OK a\r\n+OK go\r\n")},
    {STARTTLS_SIEVE, ACCEPTED, BYTES("NOOP\r\nSTARTTLS\r\n")},
    {STARTTLS_SIEVE, CONNECTED, BYTES("\"STARTTLS\"\r\nOK\r\nOK \"go\"\r\n")},
    {STARTTLS_NNTP, ACCEPTED, BYTES("CAPABILITIES\r\nSTARTTLS\r\n")},
    {STARTTLS_NNTP, CONNECTED, BYTES("201 a\r\n382 go\r\n")},
    {STARTTLS_LDAP, ACCEPTED, BYTES(SEARCH STARTTLS)},
    {STARTTLS_LDAP, CONNECTED, BYTES(GO)},
    {STARTTLS_POSTGRES, ACCEPTED, BYTES("\0\0\0\x08\x04\xd2\x16\x30\0\0\0\x08\x04\xd2\x16\x2f")},
    {STARTTLS_POSTGRES, CONNECTED, BYTES("S")},
};

static uint32_t seed;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % limit;
}

static struct starttls_machine *machine_of(const struct opening *o)
{
    const struct starttls_options options = {.name = "proxy.test", .upgrade = true};

    return o->side == ACCEPTED ? starttls_accept_create(o->protocol, &options)
                               : starttls_connect_create(o->protocol, &options);
}

/* Feed it all in random pieces up to a status that is not NEED_MORE. *piece_end: where that piece ended. */
static enum starttls_status feed(struct starttls_machine *m, struct span input, size_t *piece_end)
{
    enum starttls_status status = STARTTLS_NEED_MORE;
    size_t taken = 0;

    *piece_end = 0;
    while (status == STARTTLS_NEED_MORE && taken < input.size) {
        size_t piece = 1 + random_below(20), consumed;

        if (piece > input.size - taken)
            piece = input.size - taken;
        *piece_end = taken + piece;
        status = starttls_put(m, span_of(input.data + taken, piece), &consumed);
        starttls_output_consume(m, starttls_output(m).size);
        taken += consumed;
    }
    return status;
}

static void check_once(const struct opening *o)
{
    struct starttls_machine *m = machine_of(o);
    uint8_t input[INPUT_MAX];
    size_t size = o->says.size, piece_end;
    enum starttls_status status;

    memcpy(input, o->says.data, size);
    for (uint32_t extra = random_below(EXTRA_MAX + 1); extra > 0; extra--)
        input[size++] = (uint8_t)random_below(256);
    status = feed(m, span_of(input, size), &piece_end);
    if (piece_end == o->says.size) {
        assert_int_equal(status, STARTTLS_UPGRADE);
        assert_false(starttls_was_injected(m));
    } else {
        assert_int_equal(status, STARTTLS_BROKEN);
        assert_true(starttls_was_injected(m));
    }
    starttls_machine_destroy(&m);
}

static void nothing_passes_the_hinge(void **state)
{
    (void)state;
    seed = 1;
    for (size_t i = 0; i < ARRAY_LEN(openings); i++)
        for (unsigned run = 0; run < RUNS; run++)
            check_once(&openings[i]);
}

/* A protocol that is added is in the table, with the sides it has. */
static void each_protocol_is_here(void **state)
{
    static const enum protocol_starttls wanted[] = {
#define WANTED(id, object, word, starttls, idle_ms) [STARTTLS_##id] = starttls,
        PROTOCOLS(WANTED)
#undef WANTED
    };
    enum protocol_starttls found[STARTTLS_PROTOCOL_COUNT] = {PROTOCOL_NO_STARTTLS};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(openings); i++)
        found[openings[i].protocol] |=
            openings[i].side == ACCEPTED ? PROTOCOL_LISTEN_STARTTLS : PROTOCOL_CONNECT_STARTTLS;
    for (size_t i = 0; i < STARTTLS_PROTOCOL_COUNT; i++)
        assert_int_equal(found[i], wanted[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_passes_the_hinge),
        cmocka_unit_test(each_protocol_is_here),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
