/* see starttls/list_filter.h */
#include "starttls/list_filter.h"

static const struct list_filter_class *class_of(const struct list_filter *x)
{
    return CONST_CONTAINER_OF(x->l.f.class, struct list_filter_class, lines.class);
}

void list_filter_answered(struct list_filter *x)
{
    x->in_list = false;
    pending_pop(&x->pending);
}

/* Whether a line of the list is to be left out. One whose first word may go on behind its start is, to be sure. */
static bool is_left_out(const struct list_filter *x, struct span text, bool is_complete)
{
    const struct list_filter_class *class = class_of(x);
    struct span rest = text;
    struct span word = text_next_word(&rest);
    bool may_be = !is_complete && rest.size == 0 && word.size <= class->offer_bytes_max;

    return pending_oldest(&x->pending) == class->capabilities && (class->is_offer(word) || may_be);
}

/* A line of a list, or its start. */
static enum starttls_status on_listed(struct list_filter *x, struct span line, bool is_complete, struct sink *sink)
{
    struct span text = filter_line_text(line);
    bool is_end = is_complete && span_equal(text, span_of_string("."));

    if (!is_end && is_left_out(x, text, is_complete))
        return is_complete ? STARTTLS_NEED_MORE
                           : filter_broken_by(&x->l.f, STARTTLS_FAULT_SERVER,
                                              "the server sent a capability that is too long to be left out", text);
    if (is_end)
        list_filter_answered(x);
    sink_put(sink, line);
    return STARTTLS_NEED_MORE;
}

static enum starttls_status on_server_line(struct line_filter *l, bool is_complete, struct buffer *out)
{
    struct list_filter *x = CONTAINER_OF(l, struct list_filter, l);
    struct span line = buffer_span(&l->line);
    bool is_over = false;
    enum starttls_status status;
    struct sink sink;

    sink_open(&sink, out, line.size + STARTTLS_SERVER_LINE_GROWTH_MAX);
    status = x->in_list ? on_listed(x, line, is_complete, &sink) : class_of(x)->on_reply(x, line, &sink, &is_over);
    buffer_consume(&l->line, l->line.size);
    x->line_goes_on = !is_complete;
    x->ends_with_it = is_over;
    return filter_close(&l->f, &sink, is_over && is_complete ? STARTTLS_READY : status);
}

enum starttls_status list_filter_step_from_server(struct starttls_filter *f, struct span bytes, size_t *taken,
                                                  struct buffer *out)
{
    struct list_filter *x = CONTAINER_OF(f, struct list_filter, l.f);
    bool ended;

    if (!x->line_goes_on)
        return line_filter_gather(&x->l, &x->l.line, on_server_line, bytes, taken, out);
    *taken = filter_pass_line(bytes, out, &ended);
    if (!ended)
        return STARTTLS_NEED_MORE;
    x->line_goes_on = false;
    return x->ends_with_it ? STARTTLS_READY : STARTTLS_NEED_MORE;
}
