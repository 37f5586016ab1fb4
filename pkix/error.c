/* see pkix/error.h */
#include "pkix/error.h"

#include <secerr.h>
#include <sslerr.h>

struct error_row {
    const char *name;
    int32_t nss;
    const char *sentence;
};

#define ERROR_ROW(id, row_name, row_nss, row_sentence) [id] = {row_name, row_nss, row_sentence},
static const struct error_row rows[] = {PKIX_ERROR_LIST(ERROR_ROW)};
#undef ERROR_ROW

static_assert(ARRAY_LEN(rows) == PKIX_ERROR_COUNT, "one row for each error");

static const struct error_row *row_of(enum pkix_error error)
{
    assert((unsigned)error < PKIX_ERROR_COUNT);
    return &rows[error];
}

const char *pkix_error_name(enum pkix_error error)
{
    return row_of(error)->name;
}

int32_t pkix_error_nss(enum pkix_error error)
{
    return row_of(error)->nss;
}

const char *pkix_error_sentence(enum pkix_error error)
{
    return row_of(error)->sentence;
}
