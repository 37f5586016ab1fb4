#include "conversation.h"
#include "starttls/limits.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct result {
    enum starttls_status status;
    size_t consumed;
    char *error;
    bool was_injected;
    struct buffer output, early;
};

static const char *const status_names[] = {"NEED_MORE", "UPGRADE", "DIRECT",  "TARGET",
                                           "READY",     "CLOSE",   "REFUSED", "BROKEN"};

struct starttls_machine *conversation_create(const struct conversation *row)
{
    struct starttls_options options = {
        .name = "proxy.test",
        .upgrade = row->upgrade == UPGRADE,
        .opens_here = row->opens_here,
        .cancels_in_clear = row->cancels_in_clear,
        .target_host = row->target,
        .target_port = 443,
        .http_limits = row->http_limits,
    };

    if (row->side == PROBED)
        return starttls_probe_create(row->protocol, &options);
    return row->side == ACCEPTED ? starttls_accept_create(row->protocol, &options)
                                 : starttls_connect_create(row->protocol, &options);
}

static void drain(struct starttls_machine *m, struct buffer *output)
{
    struct span said = starttls_output(m);

    assert_true(buffer_append(output, said));
    starttls_output_consume(m, said.size);
}

/* Feed one piece, in a copy of its own size so that a sanitizer sees a read past its end. */
static bool feed(struct starttls_machine *m, struct span piece, struct result *r)
{
    uint8_t *copy = base_memdup(piece.data, piece.size);
    size_t consumed = 0;

    r->status = starttls_put(m, span_of(copy, piece.size), &consumed);
    free(copy);
    assert_true(consumed <= piece.size);
    assert_true(consumed == piece.size || r->status != STARTTLS_NEED_MORE);
    r->consumed += consumed;
    drain(m, &r->output);
    return r->status == STARTTLS_NEED_MORE;
}

/* Run the input, the first piece of `first` bytes and all others of `size`. */
static struct result run(const struct conversation *row, size_t first, size_t size)
{
    struct starttls_machine *m = conversation_create(row);
    struct result r = {.status = STARTTLS_NEED_MORE};
    size_t offset = 0;

    buffer_init(&r.output, 1024 * 1024);
    drain(m, &r.output);
    while (offset < row->input.size) {
        size_t piece = offset == 0 ? first : size;

        if (piece > row->input.size - offset)
            piece = row->input.size - offset;
        if (!feed(m, span_of(row->input.data + offset, piece), &r))
            break;
        offset += piece;
    }
    buffer_init(&r.early, STARTTLS_EARLY_DATA_BYTES_MAX);
    if (r.status == STARTTLS_READY)
        assert_true(buffer_append(&r.early, starttls_early_data(m)));
    r.error = base_strdup(starttls_error(m));
    r.was_injected = starttls_was_injected(m);
    assert_non_null(starttls_state_name(m));
    starttls_machine_destroy(&m);
    assert_null(m);
    return r;
}

static void clear(struct result *r)
{
    buffer_release(&r->output);
    buffer_release(&r->early);
    free(r->error);
}

static struct span wanted_output(const struct conversation *row)
{
    return row->want_output == NULL ? row->want_bytes : span_of_string(row->want_output);
}

static bool matches(const struct conversation *row, const struct result *r)
{
    bool error_is_right = row->want_error == NULL ? r->error[0] == '\0' : strstr(r->error, row->want_error) != NULL;

    bool injection_is_right = r->was_injected == (strstr(r->error, "plain text") != NULL);

    return r->status == row->want && error_is_right && injection_is_right &&
           r->consumed == row->input.size - row->want_left && span_equal(buffer_span(&r->output), wanted_output(row)) &&
           span_equal(buffer_span(&r->early), row->want_early);
}

/* As it is, but for what no terminal shows. */
static void print_bytes(const char *what, struct span bytes)
{
    print_error("%s:\n", what);
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] == '\n' || (bytes.data[i] >= ' ' && bytes.data[i] <= '~'))
            print_error("%c", bytes.data[i]);
        else
            print_error("\\x%02x", bytes.data[i]);
    print_error("\n");
}

static void run_and_compare(const struct conversation *row, size_t first, size_t size)
{
    struct result r = run(row, first, size);

    if (!matches(row, &r)) {
        print_error("%s (first piece %zu, others %zu): got %s, %zu of %zu bytes taken, error \"%s\"\n", row->name,
                    first, size, status_names[r.status], r.consumed, row->input.size, r.error);
        print_error("want %s, %zu left, error \"%s\"\n", status_names[row->want], row->want_left,
                    row->want_error == NULL ? "" : row->want_error);
        print_bytes("got output", buffer_span(&r.output));
        print_bytes("want output", wanted_output(row));
        print_bytes("kept", buffer_span(&r.early));
        fail();
    }
    clear(&r);
}

/* Every size and offset where the input is short; the ends and a stride where it is thousands of bytes. */
static size_t stride(size_t size)
{
    return size < 700 ? 1 : size / 97;
}

void conversation_check(const struct conversation *row)
{
    size_t size = row->input.size;

    run_and_compare(row, size, size);
    for (size_t piece = 1; piece <= 10; piece++)
        run_and_compare(row, piece, piece);
    for (size_t piece = 11; piece < size; piece += stride(size))
        run_and_compare(row, piece, piece);
    for (size_t cut = 1; cut < size; cut += stride(size))
        run_and_compare(row, cut, size);
}

void conversation_check_table(const struct conversation *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        conversation_check(&rows[i]);
}

void conversation_check_early(const struct conversation *row, size_t hinge)
{
    assert_true(hinge < row->input.size);
    run_and_compare(row, row->input.size, row->input.size);
    for (size_t cut = 1; cut < row->input.size; cut++) {
        struct conversation until_hinge = *row;

        if (cut != hinge) {
            struct result r = run(row, cut, row->input.size);

            if (r.status != STARTTLS_BROKEN || !r.was_injected ||
                !span_equal(buffer_span(&r.output), wanted_output(row)))
                fail_msg("%s: cut at %zu: got %s and \"%.*s\"", row->name, cut, status_names[r.status],
                         (int)r.output.size, (const char *)buffer_span(&r.output).data);
            clear(&r);
            continue;
        }
        until_hinge.input.size = hinge;
        struct result r = run(&until_hinge, hinge, hinge);

        assert_int_equal(r.status, STARTTLS_UPGRADE);
        assert_int_equal(r.consumed, hinge);
        clear(&r);
    }
}
