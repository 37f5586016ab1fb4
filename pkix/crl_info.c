/* see pkix/crl_info.h */
#include "pkix/crl_info.h"

static struct span without_zeros(struct span number)
{
    while (number.size > 0 && number.data[0] == 0)
        number = span_skip(number, 1);
    return number;
}

int pkix_crl_number_compare(struct span a, struct span b)
{
    a = without_zeros(a);
    b = without_zeros(b);
    if (a.size != b.size)
        return a.size < b.size ? -1 : 1;
    return a.size == 0 ? 0 : memcmp(a.data, b.data, a.size);
}

bool pkix_crl_is_older(const struct pkix_crl_info *a, const struct pkix_crl_info *b)
{
    if (a->this_update < b->this_update)
        return true;
    return a->number.size != 0 && b->number.size != 0 && pkix_crl_number_compare(a->number, b->number) < 0;
}
