/* starttls/filter.h: the form every filter of a relayed conversation has. Private to starttls/. */
#ifndef YETT_STARTTLS_FILTER_H
#define YETT_STARTTLS_FILTER_H

#include "starttls/starttls.h"

enum { STARTTLS_DIRECTION_COUNT = 2 };

struct filter_class {
    size_t size; /* of the struct that begins with a struct starttls_filter */
    void (*start)(struct starttls_filter *f);
    /* Take bytes of one side; see starttls_filter_put(). Called only while the status is NEED_MORE. A byte is taken
     * only when all that it lets through fits into `out`. */
    enum starttls_status (*put[STARTTLS_DIRECTION_COUNT])(struct starttls_filter *f, struct span bytes,
                                                          size_t *consumed, struct buffer *out);
    void (*rest)(struct starttls_filter *f, enum starttls_direction direction, struct buffer *out);
    void (*clear)(struct starttls_filter *f);
};

struct starttls_filter {
    const struct filter_class *class;
    enum starttls_protocol protocol;
    enum starttls_status status;
    char *error; /* NULL while nothing is wrong */
};

/* NULL where the protocol needs none. */
const struct filter_class *filter_class_of(enum starttls_protocol protocol);

/* The first error is the one that is told. */
enum starttls_status filter_broken(struct starttls_filter *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
enum starttls_status filter_broken_by(struct starttls_filter *f, const char *what, struct span line);

extern const struct filter_class smtp_filter_class;
extern const struct filter_class imap_filter_class;

#endif
