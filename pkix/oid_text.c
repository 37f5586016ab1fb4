/* see pkix/oid_text.h */
#include "pkix/oid_text.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SECOND_ARC_MAX = 39, ARC_PER_FIRST = 40, FIRST_ARC_MAX = 2, ARC_BITS = 7, MORE = 0x80, PADDING = 0x80 };

/* One arc in base 128, most significant first. */
static bool put_arc(uint64_t arc, uint8_t *out, size_t *size)
{
    unsigned bytes = 1;

    while (bytes < 9 && arc >> (ARC_BITS * bytes) != 0)
        bytes++;
    if (*size + bytes > PKIX_OID_SIZE_MAX)
        return false;
    for (unsigned i = bytes; i > 0; i--)
        out[(*size)++] = (uint8_t)((arc >> (ARC_BITS * (i - 1)) & 0x7f) | (i > 1 ? MORE : 0));
    return true;
}

bool pkix_oid_parse(const char *text, uint8_t out[PKIX_OID_SIZE_MAX], size_t *size)
{
    uint64_t first = 0;
    unsigned count = 0;

    *size = 0;
    for (;;) {
        uint64_t arc = 0;
        const char *start = text;

        for (; *text >= '0' && *text <= '9' && arc <= UINT32_MAX; text++)
            arc = arc * 10 + (uint64_t)(*text - '0');
        if (text == start || arc > UINT32_MAX)
            return false;
        if (count == 0)
            first = arc;
        else if (count == 1 && (first > FIRST_ARC_MAX || (first < FIRST_ARC_MAX && arc > SECOND_ARC_MAX)))
            return false;
        if (count > 0 && !put_arc(count == 1 ? first * ARC_PER_FIRST + arc : arc, out, size))
            return false;
        count++;
        if (*text == '\0')
            return count >= 2;
        if (*text++ != '.')
            return false;
    }
}

bool pkix_oid_is_well_formed(struct span contents)
{
    bool first = true;

    for (size_t i = 0; i < contents.size; i++) {
        if (first && contents.data[i] == PADDING)
            return false;
        first = (contents.data[i] & MORE) == 0;
    }
    return first && contents.size != 0;
}

/* The next arc; false when it does not fit. */
static bool take_arc(struct span *rest, uint64_t *arc)
{
    uint8_t byte;

    *arc = 0;
    do {
        if (*arc >> (64 - ARC_BITS) != 0)
            return false;
        byte = rest->data[0];
        *arc = *arc << ARC_BITS | (byte & 0x7f);
        *rest = span_skip(*rest, 1);
    } while ((byte & MORE) != 0);
    return true;
}

char *pkix_oid_text(struct span contents)
{
    struct span rest = contents;
    char *text = NULL;
    bool good = contents.size <= PKIX_OID_SIZE_MAX && pkix_oid_is_well_formed(contents);

    while (good && rest.size != 0) {
        uint64_t arc, first;
        char *longer;

        if (!(good = take_arc(&rest, &arc)))
            break;
        if (text == NULL) {
            first = arc / ARC_PER_FIRST > FIRST_ARC_MAX ? FIRST_ARC_MAX : arc / ARC_PER_FIRST;
            longer = base_printf("%" PRIu64 ".%" PRIu64, first, arc - first * ARC_PER_FIRST);
        } else {
            longer = base_printf("%s.%" PRIu64, text, arc);
        }
        free(text);
        text = longer;
    }
    if (good)
        return text;
    free(text);
    return base_printf("(unusual identifier of %zu bytes)", contents.size);
}
