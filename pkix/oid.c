/* see pkix/oid.h */
#include "pkix/oid.h"

struct oid_row {
    size_t size;
    const char *contents;
};

#define OID_ROW(id, row_size, row_contents) [id] = {row_size, row_contents},
static const struct oid_row rows[] = {PKIX_OID_LIST(OID_ROW)};
#undef OID_ROW

#define OID_SIZE(id, row_size, row_contents)                                                                           \
    static_assert(sizeof(row_contents) - 1 == (row_size), "the size of " #id " is that of its contents");
PKIX_OID_LIST(OID_SIZE)
#undef OID_SIZE

static_assert(ARRAY_LEN(rows) == PKIX_OID_COUNT, "one row for each object identifier");

struct span pkix_oid(enum pkix_oid id)
{
    assert((unsigned)id < PKIX_OID_COUNT);
    return span_of(rows[id].contents, rows[id].size);
}

bool pkix_oid_is(struct span contents, enum pkix_oid id)
{
    return span_equal(contents, pkix_oid(id));
}
