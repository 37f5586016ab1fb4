#include "relay.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static const char *const status_names[] = {"NEED_MORE", "UPGRADE", "DIRECT",  "TARGET",
                                           "READY",     "CLOSE",   "REFUSED", "BROKEN"};

/* Put one piece, emptying `out` into `got` whenever the filter has no room. */
/* Growth beyond what was declared would pass this ceiling, and end the session. */
static void check_ceiling(const struct buffer *out)
{
    assert_true(out->size <= STARTTLS_FILTER_LINE_BYTES_MAX);
    assert_true(out->capacity <= STARTTLS_FILTER_LINE_BYTES_MAX);
}

static enum starttls_status put_piece(struct starttls_filter *f, enum starttls_direction direction, struct span piece,
                                      size_t *taken, struct buffer *out, struct buffer *got)
{
    uint8_t *copy = base_memdup(piece.data, piece.size);
    enum starttls_status status = STARTTLS_NEED_MORE;

    *taken = 0;
    while (status == STARTTLS_NEED_MORE && *taken < piece.size) {
        size_t consumed;

        status = starttls_filter_put(f, direction, span_of(copy + *taken, piece.size - *taken), &consumed, out);
        *taken += consumed;
        check_ceiling(out);
        assert_true(consumed != 0 || out->size != 0 || status != STARTTLS_NEED_MORE);
        assert_true(buffer_append(got, buffer_span(out)));
        buffer_consume(out, out->size);
    }
    free(copy);
    return status;
}

static void run(const struct relay *r, size_t first, size_t size)
{
    struct starttls_filter *f = starttls_filter_create(r->protocol, r->greeting);
    enum starttls_status status = STARTTLS_NEED_MORE;
    struct buffer out;

    assert_non_null(f);
    buffer_init(&out, STARTTLS_FILTER_LINE_BYTES_MAX);
    for (size_t i = 0; i < r->step_count; i++) {
        const struct step *step = &r->steps[i];
        size_t offset = 0;
        struct buffer got;
        bool is_last = i + 1 == r->step_count;

        buffer_init(&got, 1024 * 1024);
        assert_int_equal(status, STARTTLS_NEED_MORE);
        while (status == STARTTLS_NEED_MORE && offset < step->bytes.size) {
            size_t piece = offset == 0 ? first : size;
            size_t taken;

            if (piece > step->bytes.size - offset)
                piece = step->bytes.size - offset;
            status = put_piece(f, step->direction, span_of(step->bytes.data + offset, piece), &taken, &out, &got);
            offset += taken;
        }
        if (!span_equal(buffer_span(&got), step->want) || (is_last && status != r->want) ||
            (is_last && r->want != STARTTLS_BROKEN && offset != step->bytes.size - r->want_left)) {
            print_error("%s, step %zu (first piece %zu, others %zu): got %s, %zu of %zu taken, error \"%s\", output:\n"
                        "%.*s\nwant %s, output:\n%.*s\n",
                        r->name, i + 1, first, size, status_names[status], offset, step->bytes.size,
                        starttls_filter_error(f), (int)got.size,
                        got.size == 0 ? "" : (const char *)buffer_span(&got).data, status_names[r->want],
                        (int)step->want.size, (const char *)step->want.data);
            fail();
        }
        buffer_release(&got);
    }
    if (r->want_error == NULL)
        assert_string_equal(starttls_filter_error(f), "");
    else
        assert_non_null(strstr(starttls_filter_error(f), r->want_error));
    /* Whoever is named is blamed, whichever side's bytes it was seen by. */
    assert_int_equal(starttls_filter_fault(f) == STARTTLS_FAULT_CLIENT,
                     strncmp(starttls_filter_error(f), "the client", 10) == 0);
    assert_int_equal(starttls_filter_fault(f) == STARTTLS_FAULT_SERVER,
                     strncmp(starttls_filter_error(f), "the server", 10) == 0);
    buffer_release(&out);
    starttls_filter_destroy(&f);
    assert_null(f);
}

void relay_check(const struct relay *r)
{
    size_t longest = 0;

    for (size_t i = 0; i < r->step_count; i++)
        if (r->steps[i].bytes.size > longest)
            longest = r->steps[i].bytes.size;
    size_t stride = longest < 700 ? 1 : longest / 97;

    run(r, longest, longest);
    for (size_t piece = 1; piece < longest; piece += piece < 11 ? 1 : stride)
        run(r, piece, piece);
    for (size_t cut = 1; cut < longest; cut += stride)
        run(r, cut, longest);
}
