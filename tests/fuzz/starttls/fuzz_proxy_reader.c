/* starttls/proxy_reader.c: what a balancer, or who pretends to be one, says first. However the bytes are cut, the
 * answer is the same; a header is whole at one size and at no smaller one; what is behind it changes nothing; and what
 * was understood, written as the writer writes it and read again, is the same. */
#include "starttls/proxy_header.h"
#include "starttls/proxy_reader.h"
#include "starttls/proxy_tlv.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static bool same_said(const struct starttls_proxy_said *a, const struct starttls_proxy_said *b)
{
    return a->subject == b->subject && address_equal(&a->source, &b->source) &&
           address_equal(&a->destination, &b->destination) && a->source_port == b->source_port &&
           a->destination_port == b->destination_port && span_equal(a->tlvs, b->tlvs);
}

static void check_answer(enum starttls_proxy_read answer, const struct starttls_proxy_said *said, const char *why)
{
    FUZZ_CHECK((why != NULL) == (answer == STARTTLS_PROXY_MISSING || answer == STARTTLS_PROXY_BROKEN));
    FUZZ_CHECK(answer == STARTTLS_PROXY_WHOLE || said->tlvs.size == 0);
    FUZZ_CHECK((said->subject == STARTTLS_PROXY_CLIENT) == (said->source.size != 0));
    FUZZ_CHECK((said->source.size == 0) == (said->destination.size == 0));
}

/* A byte more at a time, each time in memory of its own, so that a look behind the end is found. */
static void check_pieces(struct span input, enum starttls_proxy_accept accept, enum starttls_proxy_read all,
                         const struct starttls_proxy_said *all_said, size_t all_size)
{
    size_t most = input.size < STARTTLS_PROXY_V2_BYTES_MAX + 2 ? input.size : STARTTLS_PROXY_V2_BYTES_MAX + 2;
    size_t step = most > 300 ? 7 : 1;

    for (size_t have = 0; have <= most; have += step) {
        uint8_t *copy = base_memdup(input.size == 0 ? (const uint8_t *)"" : input.data, have == 0 ? 1 : have);
        struct starttls_proxy_said said;
        const char *why;
        size_t size;
        enum starttls_proxy_read answer = starttls_proxy_read(span_of(copy, have), accept, &said, &size, &why);

        check_answer(answer, &said, why);
        if (answer == STARTTLS_PROXY_WHOLE)
            FUZZ_CHECK(all == STARTTLS_PROXY_WHOLE && size == all_size && size <= have && same_said(&said, all_said));
        else if (answer == STARTTLS_PROXY_NEED_MORE)
            FUZZ_CHECK(all != STARTTLS_PROXY_WHOLE || have < all_size);
        else
            FUZZ_CHECK(all == answer); /* what is wrong stays wrong */
        free(copy);
    }
}

static void check_text(struct span tlvs)
{
    char text[STARTTLS_PROXY_TLVS_TEXT_SIZE];
    struct span said = span_of_string(starttls_proxy_tlvs_text(tlvs, text));

    FUZZ_CHECK(said.size < sizeof(text) && span_is_clean_utf8(said));
}

static void check_again(const struct starttls_proxy_said *said)
{
    struct starttls_proxy_addresses a = {.source = said->source.bytes,
                                         .destination = said->destination.bytes,
                                         .size = said->source.size,
                                         .source_port = said->source_port,
                                         .destination_port = said->destination_port};
    struct starttls_proxy_passed passed = {.tlvs = said->tlvs, .about_tls = true};
    struct starttls_proxy_said again;
    struct buffer out;
    const char *why;
    size_t size;

    if (said->source.size != said->destination.size || said->source.size == 0)
        return;
    buffer_init(&out, 2 * STARTTLS_PROXY_V2_BYTES_MAX);
    FUZZ_CHECK(starttls_proxy_header_v2(&a, NULL, &passed, &out));
    FUZZ_CHECK(starttls_proxy_read(buffer_span(&out), STARTTLS_PROXY_ACCEPT_V2, &again, &size, &why) ==
               STARTTLS_PROXY_WHOLE);
    FUZZ_CHECK(size == out.size && again.tlvs.size <= said->tlvs.size && address_equal(&again.source, &said->source) &&
               again.source_port == said->source_port && again.destination_port == said->destination_port);
    buffer_consume(&out, out.size);
    FUZZ_CHECK(starttls_proxy_header_v1(&a, &out));
    FUZZ_CHECK(starttls_proxy_read(buffer_span(&out), STARTTLS_PROXY_ACCEPT_V1, &again, &size, &why) ==
               STARTTLS_PROXY_WHOLE);
    again.tlvs = said->tlvs;
    FUZZ_CHECK(size == out.size && same_said(&again, said));
    buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    enum starttls_proxy_accept accept = (enum starttls_proxy_accept)(fuzz_byte(&input) % 3);
    struct starttls_proxy_said said;
    enum starttls_proxy_read answer;
    const char *why;
    size_t whole;

    check_text(input);
    answer = starttls_proxy_read(input, accept, &said, &whole, &why);
    check_answer(answer, &said, why);
    FUZZ_CHECK(starttls_proxy_is_header(input) || (answer != STARTTLS_PROXY_WHOLE && answer != STARTTLS_PROXY_BROKEN));
    check_pieces(input, accept, answer, &said, whole);
    if (answer != STARTTLS_PROXY_WHOLE)
        return 0;
    FUZZ_CHECK(whole <= input.size && whole <= STARTTLS_PROXY_V2_BYTES_MAX);
    check_text(said.tlvs);
    check_again(&said);
    return 0;
}
