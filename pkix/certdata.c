/* see pkix/certdata.h */
#include "pkix/certdata.h"
#include "base/text.h"
#include "pkix/cert.h"
#include "pkix/der.h"

#include <stdlib.h>

enum { VALUE_BYTES_MAX = 64 * 1024, OBJECTS_MAX = 4 * PKIX_ROOTS_MAX, UTC_TIME_SIZE = 13 };

enum object_class { CLASS_NONE, CLASS_OTHER, CLASS_CERT, CLASS_TRUST };
enum server_trust { TRUST_UNSAID, TRUST_NONE, TRUST_ANCHOR, TRUST_DISTRUSTED };

struct bytes {
    uint8_t *data; /* NULL: none */
    size_t size;
};

struct object {
    enum object_class class;
    unsigned line;
    struct bytes value, issuer, serial, distrust_after;
    enum server_trust server;
};

struct reader {
    struct base_text text;
    struct object *objects;
    size_t count;
    const char *problem; /* NULL: none yet */
};

static bool word_is(struct span word, const char *text)
{
    return span_equal(word, span_of_string(text));
}

/* "\060\202": three octal digits of one byte each. */
static bool append_octal(struct bytes *bytes, struct span line)
{
    if (line.size % 4 != 0 || bytes->size + line.size / 4 > VALUE_BYTES_MAX)
        return false;
    for (; line.size != 0; line = span_skip(line, 4)) {
        const uint8_t *c = line.data;

        if (c[0] != '\\' || c[1] < '0' || c[1] > '3' || c[2] < '0' || c[2] > '7' || c[3] < '0' || c[3] > '7')
            return false;
        bytes->data[bytes->size++] = (uint8_t)((c[1] - '0') << 6 | (c[2] - '0') << 3 | (c[3] - '0'));
    }
    return true;
}

/* The lines up to END. With `bytes` NULL they are passed over, but read all the same. */
static const char *read_octal(struct reader *r, struct bytes *bytes)
{
    struct bytes own = {.data = base_alloc(VALUE_BYTES_MAX)};
    const char *problem = "the file ends within an attribute, before its END";
    struct span line;

    while (base_text_next(&r->text, &line)) {
        line = base_text_trim(line);
        if (word_is(line, "END")) {
            problem = NULL;
            break;
        }
        if (!append_octal(&own, line)) {
            problem = "this is no line of \\ooo, or the attribute is longer than 64 KiB";
            break;
        }
    }
    if (problem == NULL && bytes != NULL) {
        free(bytes->data); /* said twice: the last one counts, as for NSS */
        *bytes = (struct bytes){.data = base_memdup(own.data, own.size), .size = own.size};
    }
    free(own.data);
    return problem;
}

static enum object_class class_of(struct span word)
{
    if (word_is(word, "CKO_CERTIFICATE"))
        return CLASS_CERT;
    return word_is(word, "CKO_NSS_TRUST") || word_is(word, "CKO_TRUST") ? CLASS_TRUST : CLASS_OTHER;
}

static enum server_trust trust_of(struct span word)
{
    if (word_is(word, "CKT_NSS_TRUSTED_DELEGATOR") || word_is(word, "CKT_TRUST_ANCHOR"))
        return TRUST_ANCHOR;
    return word_is(word, "CKT_NSS_NOT_TRUSTED") || word_is(word, "CKT_NOT_TRUSTED") ? TRUST_DISTRUSTED : TRUST_NONE;
}

static struct bytes *bytes_of(struct object *object, struct span name)
{
    if (word_is(name, "CKA_VALUE"))
        return &object->value;
    if (word_is(name, "CKA_ISSUER"))
        return &object->issuer;
    if (word_is(name, "CKA_SERIAL_NUMBER"))
        return &object->serial;
    return word_is(name, "CKA_NSS_SERVER_DISTRUST_AFTER") ? &object->distrust_after : NULL;
}

static const char *begin_object(struct reader *r, struct span class)
{
    if (r->count == OBJECTS_MAX)
        return "there are too many objects";
    r->objects = base_realloc_array(r->objects, r->count + 1, sizeof(*r->objects));
    r->objects[r->count++] = (struct object){.class = class_of(class), .line = r->text.line};
    return NULL;
}

static const char *read_attribute(struct reader *r, struct span line)
{
    struct span name = base_text_word(&line), type = base_text_word(&line), value = line;
    struct object *object;

    if (word_is(name, "BEGINDATA") || word_is(name, "CVS_ID"))
        return NULL;
    if (name.size < 4 || memcmp(name.data, "CKA_", 4) != 0 || type.size == 0)
        return "this is no attribute: NAME TYPE VALUE";
    if (word_is(name, "CKA_CLASS"))
        return begin_object(r, value);
    if (r->count == 0)
        return "an attribute stands before the first CKA_CLASS";
    object = &r->objects[r->count - 1];
    if (word_is(type, "MULTILINE_OCTAL"))
        return read_octal(r, bytes_of(object, name));
    if (word_is(name, "CKA_TRUST_SERVER_AUTH") || word_is(name, "CKA_PKCS_TRUST_SERVER_AUTH"))
        object->server = trust_of(value);
    return NULL;
}

static void read_lines(struct reader *r)
{
    struct span line;

    while (r->problem == NULL && base_text_next(&r->text, &line)) {
        line = base_text_trim(line);
        if (line.size != 0 && line.data[0] != '#')
            r->problem = read_attribute(r, line);
    }
}

/* ---- from objects to roots ---- */

static struct span span_of_bytes(const struct bytes *bytes)
{
    return span_of(bytes->data, bytes->size);
}

static enum server_trust trust_in(const struct reader *r, const struct object *cert)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct object *o = &r->objects[i];

        if (o->class == CLASS_TRUST && o->server != TRUST_UNSAID &&
            span_equal(span_of_bytes(&o->issuer), span_of_bytes(&cert->issuer)) &&
            span_equal(span_of_bytes(&o->serial), span_of_bytes(&cert->serial)))
            return o->server;
    }
    return TRUST_UNSAID;
}

/* "241130235959Z", a UTCTime without its header. An end that cannot be read is no reason to trust without end. */
static bool read_distrust_after(const struct bytes *bytes, int64_t *until)
{
    uint8_t der[2 + UTC_TIME_SIZE] = {ASN1_UTC_TIME, UTC_TIME_SIZE};
    struct der d;

    *until = INT64_MAX;
    if (bytes->data == NULL)
        return true;
    if (bytes->size != UTC_TIME_SIZE)
        return false;
    memcpy(der + 2, bytes->data, UTC_TIME_SIZE);
    d = der_over(span_of(der, sizeof(der)), DER_SMALL);
    return der_read_time(&d, until) == PKIX_OK;
}

static const char *add_cert(struct pkix_roots *roots, const struct object *o)
{
    struct pkix_cert cert;
    int64_t until;

    if (o->value.data == NULL || pkix_cert_read(span_of_bytes(&o->value), &cert) != PKIX_OK)
        return "this object's CKA_VALUE is no certificate";
    if (!read_distrust_after(&o->distrust_after, &until))
        return "this object's CKA_NSS_SERVER_DISTRUST_AFTER is no time";
    return pkix_roots_add(roots, span_of_bytes(&o->value), until) ? NULL : "there are too many roots";
}

/* Without a serial number it names nothing. */
static const char *add_distrust(struct pkix_roots *roots, const struct object *o)
{
    struct der d = der_over(span_of_bytes(&o->serial), DER_SMALL);
    struct span contents;

    if (o->issuer.size == 0 || der_read_integer(&d, &contents) != PKIX_OK || contents.size == 0)
        return NULL;
    return pkix_roots_add_distrust(roots, span_of_bytes(&o->issuer), contents) ? NULL : "there are too many rules";
}

static const char *gather(const struct reader *r, struct pkix_roots *roots, unsigned *line)
{
    const char *problem = NULL;

    for (size_t i = 0; i < r->count && problem == NULL; i++) {
        const struct object *o = &r->objects[i];

        *line = o->line;
        if (o->class == CLASS_CERT && trust_in(r, o) == TRUST_ANCHOR)
            problem = add_cert(roots, o);
        else if (o->class == CLASS_TRUST && o->server == TRUST_DISTRUSTED)
            problem = add_distrust(roots, o);
    }
    if (problem == NULL && roots->count == 0) {
        *line = 0;
        problem = "no certificate in it is trusted for servers";
    }
    return problem;
}

static void clear_objects(struct reader *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->objects[i].value.data);
        free(r->objects[i].issuer.data);
        free(r->objects[i].serial.data);
        free(r->objects[i].distrust_after.data);
    }
    free(r->objects);
}

bool pkix_certdata_is(struct span text)
{
    struct base_text t = base_text_of(text);
    struct span line;

    while (base_text_next(&t, &line)) {
        line = base_text_trim(line);
        if (line.size == 0 || line.data[0] == '#')
            continue;
        return word_is(line, "BEGINDATA") || (line.size > 4 && memcmp(line.data, "CKA_", 4) == 0) ||
               (line.size > 6 && memcmp(line.data, "CVS_ID", 6) == 0);
    }
    return false;
}

struct pkix_roots *pkix_certdata_read(struct span text, const char *name, char **error)
{
    struct reader r = {.text = base_text_of(text)};
    struct pkix_roots *roots = pkix_roots_create();
    unsigned line = 0;

    r.problem = base_text_problem(text, &line);
    if (r.problem == NULL) {
        read_lines(&r);
        line = r.text.line;
    }
    if (r.problem == NULL)
        r.problem = gather(&r, roots, &line);
    clear_objects(&r);
    if (r.problem == NULL)
        return roots;
    *error = line == 0 ? base_printf("%s: %s", name, r.problem) : base_printf("%s:%u: %s", name, line, r.problem);
    pkix_roots_destroy(&roots);
    return NULL;
}
