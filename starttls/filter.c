/* see starttls/starttls.h and starttls/filter.h: what all filters share */
#include "starttls/filter.h"
#include "starttls/limits.h"

#include <stdlib.h>

struct starttls_filter *starttls_filter_create(enum starttls_protocol protocol)
{
    const struct filter_class *class = filter_class_of(protocol);
    struct starttls_filter *f;

    if (class == NULL)
        return NULL;
    f = base_alloc(class->size);
    f->class = class;
    f->protocol = protocol;
    f->status = STARTTLS_NEED_MORE;
    class->start(f);
    return f;
}

void starttls_filter_destroy(struct starttls_filter **f)
{
    if (*f == NULL)
        return;
    (*f)->class->clear(*f);
    free((*f)->error);
    base_wipe(*f, (*f)->class->size);
    free(*f);
    *f = NULL;
}

enum starttls_status starttls_filter_put(struct starttls_filter *f, enum starttls_direction direction,
                                         struct span bytes, size_t *consumed, struct buffer *out)
{
    assert(out->size_max >= STARTTLS_FILTER_OUT_BYTES_MIN);
    *consumed = 0;
    if (f->status == STARTTLS_NEED_MORE)
        f->status = f->class->put[direction](f, bytes, consumed, out);
    return f->status;
}

void starttls_filter_rest(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out)
{
    if (f->status != STARTTLS_BROKEN)
        f->class->rest(f, direction, out);
}

const char *starttls_filter_error(const struct starttls_filter *f)
{
    return f->error == NULL ? "" : f->error;
}

enum starttls_status filter_broken(struct starttls_filter *f, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (f->error == NULL)
        f->error = base_vprintf(fmt, args);
    va_end(args);
    return STARTTLS_BROKEN;
}

enum starttls_status filter_broken_by(struct starttls_filter *f, const char *what, struct span line)
{
    char quoted[BASE_QUOTE_SIZE];

    return filter_broken(f, "%s: %s", what, base_quote(line.data, line.size, quoted, sizeof(quoted)));
}
