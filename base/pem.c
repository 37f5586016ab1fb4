/* see base/pem.h */
#include "base/pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 64 };

static const char begin_mark[] = "-----BEGIN ";
static const char end_mark[] = "-----END ";
static const char dashes[] = "-----";
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- what blocks there are ---- */

static const struct {
    const char *label;
    enum base_pem_kind kind;
    const char *name; /* of one of its kind; for BASE_PEM_OTHER: what to do about it */
} labels[] = {
    {"CERTIFICATE", BASE_PEM_CERTIFICATE, "a certificate"},
    {"X509 CERTIFICATE", BASE_PEM_CERTIFICATE, "a certificate"},
    {"X509 CRL", BASE_PEM_CRL, "a CRL"},
    {"CRL", BASE_PEM_CRL, "a CRL"},
    {"PRIVATE KEY", BASE_PEM_KEY, "a private key"},
    {"RSA PRIVATE KEY", BASE_PEM_KEY, "a private key"},
    {"EC PRIVATE KEY", BASE_PEM_KEY, "a private key"},
    {"CERTIFICATE REQUEST", BASE_PEM_REQUEST, "a certificate request"},
    {"NEW CERTIFICATE REQUEST", BASE_PEM_REQUEST, "a certificate request"},
    {"EC PARAMETERS", BASE_PEM_PARAMETERS, "parameters"},
    {"DH PARAMETERS", BASE_PEM_PARAMETERS, "parameters"},
    {"X9.42 DH PARAMETERS", BASE_PEM_PARAMETERS, "parameters"},
    {"ENCRYPTED PRIVATE KEY", BASE_PEM_OTHER,
     "the key is encrypted, and this file has no place for its password; decrypt it with: openssl pkey -in FILE -out "
     "NEWFILE (mode 0600), or keep it encrypted in an NSS database: openssl pkcs12 -export, then yett cert import "
     "--pkcs12"},
    {"TRUSTED CERTIFICATE", BASE_PEM_OTHER,
     "it has trust settings of OpenSSL's beside the certificate, which are not read; write it without them with: openssl "
     "x509 -in FILE -out NEWFILE"},
    {"PKCS7", BASE_PEM_OTHER, "take the certificates out of it with: openssl pkcs7 -in FILE -print_certs -out NEWFILE"},
    {"PUBLIC KEY", BASE_PEM_OTHER, "it is a public key, without certificate or private key"},
    {"DSA PRIVATE KEY", BASE_PEM_OTHER, "DSA is not for TLS: keys are RSA or on P-256, P-384 or P-521"},
    {"OPENSSH PRIVATE KEY", BASE_PEM_OTHER, "it is a key of OpenSSH, not for TLS"},
};

static enum base_pem_kind kind_of(struct span label, const char **name)
{
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (span_equal(label, span_of_string(labels[i].label))) {
            *name = labels[i].name;
            return labels[i].kind;
        }
    }
    *name = NULL;
    return BASE_PEM_OTHER;
}

/* ---- lines ---- */

enum line_kind {
    LINE_TEXT,   /* base64, a header, or anything else */
    LINE_BEGIN,  /* label is set */
    LINE_END,    /* label is set */
    LINE_BROKEN, /* meant to be one of the two, or hiding one */
};

/* The label of "-----BEGIN label-----"; false when the line is none. */
static bool line_label(struct span line, const char *mark, struct span *label)
{
    size_t mark_len = strlen(mark), dashes_len = strlen(dashes);

    if (line.size <= mark_len + dashes_len || memcmp(line.data, mark, mark_len) != 0 ||
        memcmp(line.data + line.size - dashes_len, dashes, dashes_len) != 0)
        return false;
    *label = span_of(line.data + mark_len, line.size - mark_len - dashes_len);
    return label->size <= BASE_PEM_LABEL_MAX && label->data[0] != '-' && label->data[label->size - 1] != '-';
}

/* Whether the line has four dashes or more, blanks at most, and then BEGIN or END: nobody writes that as text. */
static bool has_boundary(struct span line)
{
    enum { DASHES_MIN = 4 };
    size_t dashes_seen = 0;

    for (size_t i = 0; i < line.size; i++) {
        struct span rest = span_skip(line, i);

        if (line.data[i] == '-')
            dashes_seen++;
        else if (dashes_seen >= DASHES_MIN && ((rest.size >= 5 && memcmp(rest.data, "BEGIN", 5) == 0) ||
                                               (rest.size >= 3 && memcmp(rest.data, "END", 3) == 0)))
            return true;
        else if (!is_blank(line.data[i]))
            dashes_seen = 0;
    }
    return false;
}

static enum line_kind line_kind_of(struct span line, struct span *label)
{
    if (line_label(line, begin_mark, label))
        return LINE_BEGIN;
    if (line_label(line, end_mark, label))
        return LINE_END;
    return has_boundary(line) ? LINE_BROKEN : LINE_TEXT;
}

/* ---- reading ---- */

struct reading {
    struct base_text text;
    const char *name;
    const struct base_pem_file *file;
    base_pem_visit *visit;
    void *ctx;
    size_t blocks, handed_out;
    char **error;
};

static bool fail_at(const struct reading *r, unsigned line, const char *sentence)
{
    *r->error = base_printf("%s:%u: %s", r->name, line, sentence);
    return false;
}

/* "NAME:LINE: the block "LABEL" ..." */
static bool fail_block(const struct reading *r, const struct base_pem_block *block, const char *sentence)
{
    char quoted[BASE_QUOTE_SIZE];

    *r->error = base_printf("%s:%u: the block %s %s", r->name, block->line,
                            base_quote(block->label.data, block->label.size, quoted, sizeof(quoted)), sentence);
    return false;
}

static bool fail_boundary(const struct reading *r)
{
    return fail_at(
        r, r->text.line,
        "the line has a BEGIN or END of a PEM block in it and is no proper one: that is -----BEGIN LABEL----- "
        "(five dashes on both sides) with nothing before or after it");
}

/* Of a block within which a line has a colon (RFC 1421), as "Proc-Type: 4,ENCRYPTED". */
static bool fail_headers(const struct reading *r, const struct base_pem_block *block)
{
    if (block->kind == BASE_PEM_KEY)
        return fail_block(
            r, block,
            "has headers, as only encrypted keys have: decrypt it with: openssl pkey -in FILE -out NEWFILE "
            "(mode 0600), or keep it encrypted in an NSS database: openssl pkcs12 -export, then yett cert "
            "import --pkcs12");
    return fail_block(r, block, "has a line with a colon in it, which is not base64");
}

/* The text is just after a BEGIN line; the body is all up to the END line. */
static bool take_body(struct reading *r, struct base_pem_block *block, struct span *body)
{
    struct span line, label;

    *body = span_of(r->text.rest.data, 0);
    while (base_text_next(&r->text, &line)) {
        line = base_text_trim(line);
        switch (line_kind_of(line, &label)) {
        case LINE_END:
            if (span_equal(label, block->label))
                return true;
            return fail_block(r, block, "has the END line of something else");
        case LINE_BEGIN:
            return fail_block(r, block, "has no END line: another block begins before it");
        case LINE_BROKEN:
            return fail_boundary(r);
        case LINE_TEXT:
            break;
        }
        if (memchr(line.data, ':', line.size) != NULL)
            return fail_headers(r, block);
        body->size = (size_t)(r->text.rest.data - body->data);
    }
    return fail_block(r, block, "has no END line");
}

static bool fail_kind(const struct reading *r, const struct base_pem_block *block, const char *name)
{
    char *sentence;

    if (block->kind == BASE_PEM_OTHER && name != NULL)
        sentence = base_printf("has no place here: %s", name);
    else
        sentence = base_printf("has no place here: %s%s%sthe file is for %s", name == NULL ? "" : "it is ",
                               name == NULL ? "" : name, name == NULL ? "" : ", and ", r->file->what);
    fail_block(r, block, sentence);
    free(sentence);
    return false;
}

/* A BEGIN line has been read. */
static bool take_block(struct reading *r, struct span label)
{
    struct base_pem_block block = {.label = label, .line = r->text.line};
    struct span body;
    uint8_t *der;
    size_t size;
    const char *name;
    bool good;

    block.kind = kind_of(label, &name);
    r->blocks++;
    if ((block.kind & (r->file->take | r->file->pass)) == 0)
        return fail_kind(r, &block, name);
    if (!take_body(r, &block, &body))
        return false;
    if ((block.kind & r->file->take) == 0)
        return true;
    if (!base_pem_decode(body, &der, &size))
        return fail_block(r, &block, "is not base64");
    block.der = span_of(der, size);
    block.number = ++r->handed_out;
    good = r->visit(r->ctx, &block, r->error);
    base_wipe(der, size);
    free(der);
    return good;
}

static bool take_line(struct reading *r, struct span line)
{
    struct span label;

    switch (line_kind_of(line, &label)) {
    case LINE_BEGIN:
        return take_block(r, label);
    case LINE_END:
        return fail_at(r, r->text.line, "a block ends here that has not begun: its BEGIN line is missing");
    case LINE_BROKEN:
        return fail_boundary(r);
    case LINE_TEXT:
        break;
    }
    return true;
}

/* Bytes in the place of text: what may have been meant. */
static bool fail_text(const struct reading *r, struct span text, unsigned line, const char *problem)
{
    if (text.size > 0 && text.data[0] == 0x30) /* SEQUENCE */
        *r->error =
            base_printf("%s: is DER or PKCS#12, or no text at all: it should be PEM, with %s", r->name, r->file->what);
    else if (line == 0)
        *r->error = base_printf("%s: %s", r->name, problem);
    else
        return fail_at(r, line, problem);
    return false;
}

bool base_pem_each(struct span text, const char *name, const struct base_pem_file *file, base_pem_visit *visit,
                   void *ctx, size_t *count, char **error)
{
    struct reading r = {base_text_of(text), name, file, visit, ctx, 0, 0, error};
    unsigned bad_line;
    const char *problem = base_text_problem(text, &bad_line);
    struct span line;
    bool good = problem == NULL || fail_text(&r, text, bad_line, problem);

    while (good && base_text_next(&r.text, &line))
        good = take_line(&r, base_text_trim(line));
    if (good && r.handed_out == 0 && (r.blocks == 0 || !file->may_have_none)) {
        *error = r.blocks == 0 ? base_printf("%s: has no PEM block (\"-----BEGIN ...-----\") in it; it should have %s",
                                             name, file->what)
                               : base_printf("%s: none of its PEM blocks is what it is for: %s", name, file->what);
        good = false;
    }
    if (count != NULL)
        *count = r.handed_out;
    return good;
}

/* ---- base64 ---- */

/* 0 to 63; -1: no digit. */
static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* What has been read of four characters. */
struct quantum {
    uint32_t bits;
    unsigned count, padding;
};

/* false: this character cannot come here. */
static bool take_character(struct quantum *q, uint8_t c)
{
    int value = value_of(c);

    if (c == '=' && q->count >= 2) {
        q->padding++;
        value = 0;
    } else if (value < 0 || q->padding != 0) {
        return false;
    }
    q->bits = q->bits << 6 | (uint32_t)value;
    q->count++;
    return true;
}

/* see base/pem.h */
bool base_pem_decode(struct span body, uint8_t **data, size_t *size)
{
    struct quantum q = {.bits = 0};
    bool good = true, ended = false;

    *data = base_alloc(body.size / 4 * 3 + 3);
    *size = 0;
    for (size_t i = 0; i < body.size && good; i++) {
        if (is_blank(body.data[i]))
            continue;
        good = !ended && take_character(&q, body.data[i]);
        if (!good || q.count < 4)
            continue;
        for (unsigned k = 0; k < 3 - q.padding; k++)
            (*data)[(*size)++] = (uint8_t)(q.bits >> (16 - 8 * k));
        ended = q.padding != 0;
        q = (struct quantum){.bits = 0};
    }
    if (good && q.count == 0 && *size != 0)
        return true;
    base_wipe(*data, *size);
    free(*data);
    *data = NULL;
    *size = 0;
    return false;
}

static char *put_quantum(char *at, struct span bytes)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 3; i++)
        bits = bits << 8 | (i < bytes.size ? bytes.data[i] : 0);
    for (size_t i = 0; i < 4; i++)
        *at++ = i <= bytes.size ? digits[bits >> (18 - 6 * i) & 63] : '=';
    return at;
}

/* see base/pem.h */
char *base_pem_encode(const char *label, struct span data)
{
    size_t quanta = (data.size + 2) / 3, lines = (quanta * 4 + COLUMNS - 1) / COLUMNS;
    char *text = base_alloc(2 * strlen(label) + strlen(begin_mark) + strlen(end_mark) + 2 * strlen(dashes) +
                            4 * quanta + lines + 4);
    char *at = text + sprintf(text, "%s%s%s\n", begin_mark, label, dashes);

    for (size_t i = 0; i < quanta; i++) {
        size_t left = data.size - 3 * i;

        at = put_quantum(at, span_of(data.data + 3 * i, left < 3 ? left : 3));
        if ((i + 1) % (COLUMNS / 4) == 0 || i + 1 == quanta)
            *at++ = '\n';
    }
    sprintf(at, "%s%s%s\n", end_mark, label, dashes);
    return text;
}
