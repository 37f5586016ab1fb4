/* see config/values.h */
#include "config/values.h"
#include "base/address.h"

#include <limits.h>
#include <stdlib.h>

char *value_quote(const char *text)
{
    char out[BASE_QUOTE_SIZE];

    return base_strdup(base_quote(text, strlen(text), out, sizeof(out)));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Digits at the start of `text`; saturates, so that no length of them overflows. */
static uint64_t leading_number(const char *text, const char **end)
{
    uint64_t number = 0;

    for (; is_digit(*text); text++)
        number = number > UINT64_MAX / 16 ? UINT64_MAX / 8 : number * 10 + (uint64_t)(*text - '0');
    *end = text;
    return number;
}

bool value_number(const char *text, uint64_t min, uint64_t max, uint64_t *number, char **error)
{
    const char *end;

    *number = leading_number(text, &end);
    if (end != text && *end == '\0' && *number >= min && *number <= max)
        return true;
    char *quoted = value_quote(text);
    *error = base_printf("must be a number from %llu to %llu, not %s", (unsigned long long)min, (unsigned long long)max,
                         quoted);
    free(quoted);
    return false;
}

/* How a quantity may be written: units with their worth, the first one without a name. */
struct unit {
    const char *name;
    uint64_t worth;
};

static const struct unit duration_units[] = {{"", 1000},   {"ms", 1},      {"s", 1000},
                                             {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
static const struct unit size_units[] = {{"", 1}, {"K", 1024}, {"M", 1024 * 1024}};

/* With the largest unit that divides it, as an administrator would write it. */
static char *quantity_text(uint64_t quantity, const struct unit *units, size_t count)
{
    const struct unit *best = NULL;

    for (size_t i = 0; i < count; i++)
        if (quantity % units[i].worth == 0 && (quantity != 0 || units[i].worth == 1) &&
            (best == NULL || units[i].worth > best->worth || (units[i].worth == best->worth && best->name[0] == '\0')))
            best = &units[i];
    assert(best != NULL); /* one is worth 1 */
    return base_printf("%llu%s", (unsigned long long)(quantity / best->worth), best->name);
}

/* `such_as`: a sentence's end for what is none at all. */
static bool quantity_parse(const char *text, const struct unit *units, size_t count, uint64_t min, uint64_t max,
                           uint64_t *quantity, const char *such_as, char **error)
{
    const char *unit;
    uint64_t number = leading_number(text, &unit), worth = 0;
    char *quoted;

    for (size_t i = 0; i < count && unit != text; i++)
        if (strcmp(unit, units[i].name) == 0)
            worth = units[i].worth;
    if (worth != 0 && number <= max / worth && number * worth >= min) {
        *quantity = number * worth;
        return true;
    }
    quoted = value_quote(text);
    if (worth == 0) {
        *error = base_printf("must be %s, not %s", such_as, quoted);
    } else {
        char *least = quantity_text(min, units, count), *most = quantity_text(max, units, count);

        *error = base_printf("must be from %s to %s, not %s", least, most, quoted);
        free(least);
        free(most);
    }
    free(quoted);
    return false;
}

bool value_duration(const char *text, uint64_t min_ms, uint64_t max_ms, uint64_t *duration_ms, char **error)
{
    return quantity_parse(text, duration_units, ARRAY_LEN(duration_units), min_ms, max_ms, duration_ms,
                          "a time such as 500ms, 30s, 5m, 1h or 14d", error);
}

bool value_size(const char *text, uint64_t min, uint64_t max, uint64_t *size, char **error)
{
    return quantity_parse(text, size_units, ARRAY_LEN(size_units), min, max, size, "a size such as 8192, 64K or 1M",
                          error);
}

char *value_word_list(const struct value_word *words, const char *separator)
{
    char *list = base_strdup("");

    for (; words->name != NULL; words++) {
        char *longer;

        if (words->state != VALUE_WORD_READY)
            continue;
        longer = base_printf("%s%s%s", list, *list == '\0' ? "" : separator, words->name);
        free(list);
        list = longer;
    }
    return list;
}

bool value_word(const char *text, const struct value_word *words, unsigned *value, char **error)
{
    char *quoted, *list;

    for (const struct value_word *word = words; word->name != NULL; word++) {
        if (strcmp(text, word->name) != 0)
            continue;
        if (word->state == VALUE_WORD_READY) {
            *value = word->value;
            return true;
        }
        list = value_word_list(words, ", ");
        *error = base_printf("%s is not in this version, which has %s", word->name, list);
        free(list);
        return false;
    }
    quoted = value_quote(text);
    list = value_word_list(words, ", ");
    *error = base_printf("must be one of %s, not %s", list, quoted);
    free(list);
    free(quoted);
    return false;
}

bool value_sha256(const char *text, char **hex, char **error)
{
    char digits[65] = "";
    size_t count = 0;

    for (; *text != '\0' && count <= 64; text++) {
        char c = lower(*text);

        if (c == ':' && count != 0 && count % 2 == 0 && text[-1] != ':')
            continue;
        if (!is_digit(c) && !(c >= 'a' && c <= 'f'))
            count = 64;
        if (count < 64)
            digits[count] = c;
        count++;
    }
    if (count != 64 || text[-1] == ':') {
        *error = base_strdup("must be a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons");
        return false;
    }
    *hex = base_strndup(digits, 64);
    return true;
}

bool value_oid(const char *text, char **error)
{
    enum { ARC_DIGITS_MAX = 10, SECOND_ARC_MAX = 39 };
    unsigned arcs = 0;
    unsigned long long first = 0, arc;
    const char *at = text;
    bool good = true;
    char *quoted;

    while (good) {
        size_t digits = 0;

        while (is_digit(at[digits]))
            digits++;
        arc = digits == 0 || digits > ARC_DIGITS_MAX ? ULLONG_MAX : strtoull(at, NULL, 10);
        good = arc <= UINT32_MAX && (digits == 1 || *at != '0') && (arcs != 0 || arc <= 2) &&
               (arcs != 1 || first == 2 || arc <= SECOND_ARC_MAX);
        first = arcs == 0 ? arc : first;
        arcs++;
        at += digits;
        if (*at != '.')
            break;
        at++;
    }
    if (good && *at == '\0' && arcs >= 2)
        return true;
    quoted = value_quote(text);
    *error = base_printf("must be an object identifier such as 2.23.140.1.1, not %s", quoted);
    free(quoted);
    return false;
}

/* Whether inet_aton() and its relatives could take the label for a number: 127, 0x7f, 0x. */
static bool label_is_numeric(const char *label, size_t size)
{
    if (size >= 2 && label[0] == '0' && lower(label[1]) == 'x')
        return true;
    for (size_t i = 0; i < size; i++)
        if (!is_digit(label[i]))
            return false;
    return true;
}

static bool label_is_good(const char *label, size_t size)
{
    enum { LABEL_MAX = 63 }; /* RFC 1035 section 2.3.4 */

    if (size == 0 || size > LABEL_MAX || label[0] == '-' || label[size - 1] == '-')
        return false;
    for (size_t i = 0; i < size; i++)
        if (!is_letter(label[i]) && !is_digit(label[i]) && label[i] != '-' && label[i] != '_')
            return false;
    return true;
}

bool value_host_name(const char *text, char **name, char **error)
{
    enum { HOST_NAME_MAX_BYTES = 253 };
    size_t size = strlen(text);
    bool good;

    if (size > 1 && text[size - 1] == '.')
        size--;
    good = size > 0 && size <= HOST_NAME_MAX_BYTES;
    for (size_t start = 0; good && start <= size;) {
        const char *dot = memchr(text + start, '.', size - start);
        size_t label_size = dot == NULL ? size - start : (size_t)(dot - text) - start;

        good = label_is_good(text + start, label_size) && (dot != NULL || !label_is_numeric(text + start, label_size));
        start += label_size + 1;
    }
    if (!good) {
        char *quoted = value_quote(text);

        *error = base_printf("%s is neither a host name nor an address", quoted);
        free(quoted);
        return false;
    }
    *name = base_strndup(text, size);
    for (char *p = *name; *p != '\0'; p++)
        *p = lower(*p);
    return true;
}

bool value_address_literal(const char *text, char **canonical)
{
    char out[ADDRESS_TEXT_SIZE];
    struct address address;

    if (!address_parse(span_of_string(text), &address))
        return false;
    *canonical = base_strdup(address_text(&address, out));
    return true;
}

bool value_is_user_name(const char *text)
{
    static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-$";

    return text[0] != '\0' && strspn(text, characters) == strlen(text);
}

bool value_is_name(const char *text, size_t size_max)
{
    size_t size = strlen(text);

    for (const char *p = text; *p != '\0'; p++)
        if (!is_letter(*p) && !is_digit(*p) && *p != '.' && *p != '_' && *p != '-')
            return false;
    return size != 0 && size <= size_max;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool value_list_next(const char **cursor, char **item)
{
    const char *from = *cursor;
    size_t size = 0;
    char *out;

    if (from == NULL)
        return false;
    while (is_blank(*from))
        from++;
    out = base_alloc(strlen(from) + 1);
    while (*from != '\0' && *from != ',') {
        if (from[0] == '\\' && from[1] == ',')
            from++;
        out[size++] = *from++;
    }
    while (size != 0 && is_blank(out[size - 1]))
        size--;
    out[size] = '\0';
    *item = out;
    *cursor = *from == ',' ? from + 1 : NULL;
    return true;
}

/* Levenshtein's distance, for names short enough to have been meant. */
static size_t distance(const char *a, const char *b)
{
    enum { NAME_MAX_BYTES = 48, FAR = 1000 };
    size_t row[NAME_MAX_BYTES + 1];
    size_t a_size = strlen(a), b_size = strlen(b);

    if (a_size > NAME_MAX_BYTES || b_size > NAME_MAX_BYTES)
        return FAR;
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t best = diagonal + (lower(a[i - 1]) != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_size];
}

const char *value_nearest(const char *text, const char *const *names, size_t count)
{
    enum { SLIPS_MAX = 3 };
    const char *nearest = NULL;
    size_t size = strlen(text), slips = size < 4 ? 1 : size < 8 ? 2 : SLIPS_MAX;
    size_t best = slips + 1;

    for (size_t i = 0; i < count; i++) {
        size_t d = distance(text, names[i]);

        /* Most of it must be right: of two letters, one that is wrong leaves nothing to recognise. */
        if (d < best && d * 2 < size + 1) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}
