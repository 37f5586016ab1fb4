/* see pkix/roots_file.h */
#include "pkix/roots_file.h"
#include "base/file.h"
#include "base/pem.h"
#include "base/text.h"
#include "pkix/der.h"
#include "pkix/distrust.h"
#include "pkix/store_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEAD_LINES = 3 /* the first line, the date, the source */ };

static const char first_line[] = "yett-roots 1";

struct pkix_roots *pkix_roots_create(void)
{
    return base_alloc(sizeof(struct pkix_roots));
}

void pkix_roots_destroy(struct pkix_roots **roots)
{
    if (*roots == NULL)
        return;
    for (size_t i = 0; i < (*roots)->count; i++)
        free((*roots)->roots[i].der);
    for (size_t i = 0; i < (*roots)->distrust_count; i++) {
        free((*roots)->distrusts[i].issuer);
        free((*roots)->distrusts[i].serial);
    }
    free((*roots)->roots);
    free((*roots)->distrusts);
    free((*roots)->source);
    free(*roots);
    *roots = NULL;
}

bool pkix_roots_add(struct pkix_roots *roots, struct span der, int64_t until)
{
    if (roots->count == PKIX_ROOTS_MAX)
        return false;
    roots->roots = base_realloc_array(roots->roots, roots->count + 1, sizeof(*roots->roots));
    roots->roots[roots->count++] =
        (struct pkix_root){.der = base_memdup(der.data, der.size), .size = der.size, .until = until};
    return true;
}

bool pkix_roots_add_distrust(struct pkix_roots *roots, struct span issuer, struct span serial)
{
    if (roots->distrust_count == PKIX_ROOTS_MAX)
        return false;
    roots->distrusts = base_realloc_array(roots->distrusts, roots->distrust_count + 1, sizeof(*roots->distrusts));
    roots->distrusts[roots->distrust_count++] =
        (struct pkix_root_distrust){.issuer = base_memdup(issuer.data, issuer.size),
                                    .issuer_size = issuer.size,
                                    .serial = base_memdup(serial.data, serial.size),
                                    .serial_size = serial.size};
    return true;
}

/* ---- reading ---- */

/* A line's words, at most three; `words` says how many there were, 4 for more. */
enum { WORDS_MAX = 3 };

static size_t split(struct span line, struct span words[static WORDS_MAX])
{
    size_t count = 0;

    for (struct span word = base_text_word(&line); word.size != 0; word = base_text_word(&line)) {
        if (count == WORDS_MAX)
            return WORDS_MAX + 1;
        words[count++] = word;
    }
    return count;
}

static const char *read_root(struct pkix_roots *roots, const struct span *words, size_t count)
{
    int64_t until = INT64_MAX;
    uint8_t *der;
    size_t size;
    bool added;

    if (count < 2 || count > 3 || (count == 3 && !pkix_distrust_time_read(words[2], &until)))
        return "behind root stands a certificate in base64, and nothing but a time behind that";
    if (!base_pem_decode(words[1], &der, &size))
        return "this is no base64";
    added = pkix_roots_add(roots, span_of(der, size), until);
    free(der);
    return added ? NULL : "there are too many roots";
}

static const char *read_distrust(struct pkix_roots *roots, const struct span *words, size_t count)
{
    uint8_t *issuer = NULL, *serial = NULL;
    size_t issuer_size, serial_size;
    const char *problem = "behind distrust stand an issuer's name and a serial number, in base64";

    if (count == 3 && base_pem_decode(words[1], &issuer, &issuer_size) &&
        base_pem_decode(words[2], &serial, &serial_size))
        problem = pkix_roots_add_distrust(roots, span_of(issuer, issuer_size), span_of(serial, serial_size))
                      ? NULL
                      : "there are too many rules";
    free(issuer);
    free(serial);
    return problem;
}

static const char *read_line(struct pkix_roots *roots, struct span line)
{
    struct span words[WORDS_MAX], source = span_of_string("source ");
    size_t count;

    if (line.size > source.size && memcmp(line.data, source.data, source.size) == 0) {
        free(roots->source);
        roots->source = base_strndup((const char *)line.data + source.size, line.size - source.size);
        return strlen(roots->source) <= PKIX_ROOTS_SOURCE_MAX ? NULL : "the source is too long";
    }
    count = split(line, words);
    if (count == 0)
        return NULL;
    if (span_equal(words[0], span_of_string("date")))
        return count == 2 && pkix_distrust_time_read(words[1], &roots->date) ? NULL : "behind date stands a date";
    if (span_equal(words[0], span_of_string("root")))
        return read_root(roots, words, count);
    if (span_equal(words[0], span_of_string("distrust")))
        return read_distrust(roots, words, count);
    return "a line begins with date, source, root or distrust";
}

static const char *read_all(struct pkix_roots *roots, struct span data, unsigned *number)
{
    struct base_text text = base_text_of(data);
    struct span line;
    const char *problem = base_text_problem(data, number);

    if (problem != NULL)
        return problem;
    *number = 1;
    if (!base_text_next(&text, &line) || !span_equal(line, span_of_string(first_line)))
        return "the file does not begin with \"yett-roots 1\": yett trust update writes it";
    while (problem == NULL && base_text_next(&text, &line)) {
        problem = read_line(roots, line);
        *number = text.line;
    }
    if (problem != NULL)
        return problem;
    return roots->date == 0    ? "there is no date in the file"
           : roots->count == 0 ? "there is no root in the file"
                               : NULL;
}

struct pkix_roots *pkix_roots_text_read(struct span text, const char *name, char **error)
{
    struct pkix_roots *roots = pkix_roots_create();
    unsigned line;
    const char *problem = read_all(roots, text, &line);

    if (problem == NULL)
        return roots;
    *error = base_printf("%s:%u: %s", name, line, problem);
    pkix_roots_destroy(&roots);
    return NULL;
}

struct pkix_roots *pkix_roots_file_read(const char *path, char **error)
{
    struct pkix_roots *roots;
    uint8_t *data;
    size_t size;

    if (!base_file_read(path, BASE_FILE_TRUSTED, PKIX_ROOTS_FILE_BYTES_MAX, &data, &size, NULL, error))
        return NULL;
    roots = pkix_roots_text_read(span_of(data, size), path, error);
    free(data);
    return roots;
}

bool pkix_roots_file_read_date(const char *path, int64_t *date, char **error)
{
    struct base_text text;
    struct span line, word = span_of_string("date ");
    uint8_t *data;
    size_t size;
    bool found = false;

    if (!base_file_read(path, BASE_FILE_TRUSTED, PKIX_ROOTS_FILE_BYTES_MAX, &data, &size, NULL, error))
        return false;
    text = base_text_of(span_of(data, size));
    while (!found && text.line < HEAD_LINES && base_text_next(&text, &line))
        found = line.size > word.size && memcmp(line.data, word.data, word.size) == 0 &&
                pkix_distrust_time_read(span_skip(line, word.size), date);
    free(data);
    if (!found)
        *error = base_printf("%s: there is no date in its first lines: yett trust update writes it", path);
    return found;
}

/* ---- writing ---- */

/* base_pem_encode() writes lines between two boundaries; here it is one line. */
static void print_base64(FILE *out, struct span bytes)
{
    char *pem = base_pem_encode("X", bytes), *body = strchr(pem, '\n') + 1, *end = strstr(body, "-----END");

    for (; body < end; body++)
        if (*body != '\n')
            fputc(*body, out);
    free(pem);
}

static void print_time(FILE *out, int64_t seconds)
{
    struct der_date d;

    der_date_of_seconds(seconds, &d);
    fprintf(out, "%04u-%02u-%02uT%02u:%02u:%02uZ", d.year, d.month, d.day, d.hour, d.minute, d.second);
}

char *pkix_roots_text(const struct pkix_roots *roots)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL)
        base_abort("out of memory for a list of roots");
    fprintf(out, "%s\ndate ", first_line);
    print_time(out, roots->date);
    fprintf(out, "\nsource %s\n", roots->source == NULL ? "unknown" : roots->source);
    for (size_t i = 0; i < roots->count; i++) {
        fputs("root ", out);
        print_base64(out, span_of(roots->roots[i].der, roots->roots[i].size));
        if (roots->roots[i].until != INT64_MAX) {
            fputc(' ', out);
            print_time(out, roots->roots[i].until);
        }
        fputc('\n', out);
    }
    for (size_t i = 0; i < roots->distrust_count; i++) {
        fputs("distrust ", out);
        print_base64(out, span_of(roots->distrusts[i].issuer, roots->distrusts[i].issuer_size));
        fputc(' ', out);
        print_base64(out, span_of(roots->distrusts[i].serial, roots->distrusts[i].serial_size));
        fputc('\n', out);
    }
    if (fclose(out) != 0)
        base_abort("out of memory for a list of roots");
    return text;
}

/* ---- into a store ---- */

void pkix_store_add_roots(struct pkix_store *store, const struct pkix_roots *roots)
{
    for (size_t i = 0; i < roots->count; i++) {
        const struct pkix_root *root = &roots->roots[i];
        struct pkix_store_entry *entry;
        char *error = NULL;
        bool is_new;

        entry = pkix_store_list_add(&store->anchors, span_of(root->der, root->size), PKIX_TRUST_ANCHOR,
                                    "Mozilla's roots", &is_new, &error);
        free(error);
        if (entry == NULL || !is_new) /* named by the administrator before: that counts more */
            continue;
        entry->purposes = PKIX_FOR_SERVER;
        entry->listed = true;
        entry->distrust_after = root->until;
        pkix_store_impose_constraints(entry);
    }
    pkix_store_distrust_from(store, "the roots that yett trust update has kept");
    for (size_t i = 0; i < roots->distrust_count; i++) {
        const struct pkix_root_distrust *d = &roots->distrusts[i];

        pkix_store_distrust_issuer_serial(store, span_of(d->issuer, d->issuer_size),
                                          span_of(d->serial, d->serial_size));
    }
    pkix_store_distrust_from(store, NULL);
}
