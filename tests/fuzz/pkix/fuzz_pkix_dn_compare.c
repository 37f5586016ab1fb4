/* pkix/dn_compare.c: two names. The same from both sides, and what is equal is within. */
#include "fuzz_support.h"
#include "pkix/dn_compare.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_of(data, size), name = fuzz_take_part(&rest);
    bool equal = pkix_dn_equal(name, rest);
    bool within = pkix_dn_within(name, rest), around = pkix_dn_within(rest, name);
    size_t form_size;
    uint8_t *form = pkix_dn_form(name, &form_size);

    if (equal != pkix_dn_equal(rest, name))
        base_abort("equal from one side only");
    if (form == NULL && (within || around || (equal && !span_equal(name, rest))))
        base_abort("a malformed name is like another");
    if (form != NULL && equal != (within && around))
        base_abort("equal is not the same as within, both ways");
    if (form != NULL && (form_size > PKIX_DN_FORM_MAX || !pkix_dn_within(name, name)))
        base_abort("a name is not within itself, or its form passes the limit");
    free(form);
    return 0;
}
