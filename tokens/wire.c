/* see tokens/wire.h */
#include "tokens/wire.h"

/* A reader that cannot run past the end: once `bad`, everything it gives is empty. */
struct reader {
    struct span rest;
    bool bad;
};

static struct span read_bytes(struct reader *r, size_t size)
{
    struct span bytes;

    if (r->bad || r->rest.size < size) {
        r->bad = true;
        return span_of(NULL, 0);
    }
    bytes = span_of(r->rest.data, size);
    r->rest = span_skip(r->rest, size);
    return bytes;
}

static uint64_t read_number(struct reader *r, size_t size)
{
    struct span bytes = read_bytes(r, size);
    uint64_t value = 0;

    for (size_t i = 0; i < bytes.size; i++)
        value = value << 8 | bytes.data[i];
    return value;
}

/* Two bytes of size, then that many bytes. */
static struct span read_field(struct reader *r, size_t size_max)
{
    size_t size = (size_t)read_number(r, 2);

    if (size > size_max) {
        r->bad = true;
        return span_of(NULL, 0);
    }
    return read_bytes(r, size);
}

static unsigned read_enum(struct reader *r, unsigned min, unsigned max)
{
    unsigned value = (unsigned)read_number(r, 1);

    if (value < min || value > max)
        r->bad = true;
    return value;
}

static enum tokens_wire_status read_end(const struct reader *r)
{
    return !r->bad && r->rest.size == 0 ? TOKENS_WIRE_OK : TOKENS_WIRE_BAD;
}

/* A writer that remembers where it started, to take everything back. */
struct writer {
    struct buffer *out;
    size_t start;
    bool bad;
};

static struct writer write_begin(struct buffer *out)
{
    return (struct writer){.out = out, .start = out->size};
}

static void write_bytes(struct writer *w, struct span bytes)
{
    if (!w->bad && !buffer_append(w->out, bytes))
        w->bad = true;
}

static void write_number(struct writer *w, uint64_t value, size_t size)
{
    uint8_t bytes[8];

    assert(size <= sizeof(bytes));
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    write_bytes(w, span_of(bytes, size));
}

static void write_field(struct writer *w, struct span bytes, size_t size_max)
{
    if (bytes.size > size_max) {
        w->bad = true;
        return;
    }
    write_number(w, bytes.size, 2);
    write_bytes(w, bytes);
}

/* Takes back everything when something did not fit. */
static bool write_end(struct writer *w)
{
    if (w->bad)
        w->out->size = w->start;
    return !w->bad;
}

static void write_head(struct writer *w, enum tokens_wire_type type, uint32_t id)
{
    write_number(w, 0, TOKENS_WIRE_HEADER_SIZE); /* filled in by write_frame_end() */
    write_number(w, type, 1);
    write_number(w, id, 4);
}

static bool write_frame_end(struct writer *w, size_t payload_max)
{
    size_t payload = w->out->size - w->start - TOKENS_WIRE_HEADER_SIZE;
    uint8_t *head;

    if (w->bad || payload > payload_max) {
        w->bad = true;
        return write_end(w);
    }
    head = w->out->data + w->out->start + w->start;
    for (size_t i = 0; i < TOKENS_WIRE_HEADER_SIZE; i++)
        head[i] = (uint8_t)(payload >> (8 * (TOKENS_WIRE_HEADER_SIZE - 1 - i)));
    return true;
}

/* see tokens/wire.h */
enum tokens_wire_status tokens_wire_frame(struct span bytes, size_t payload_max, struct span *payload)
{
    struct reader r = {.rest = bytes};
    size_t size;

    if (bytes.size < TOKENS_WIRE_HEADER_SIZE)
        return TOKENS_WIRE_MORE;
    size = (size_t)read_number(&r, TOKENS_WIRE_HEADER_SIZE);
    if (size == 0 || size > payload_max)
        return TOKENS_WIRE_BAD;
    if (r.rest.size < size)
        return TOKENS_WIRE_MORE;
    *payload = read_bytes(&r, size);
    return TOKENS_WIRE_OK;
}

/* Mechanism, hash, salt and data have to make sense together: the agent trusts them from here on. */
static bool sign_fields_fit(const struct tokens_wire_request *request)
{
    switch (request->mechanism) {
    case TOKENS_WIRE_ECDSA:
    case TOKENS_WIRE_RSA_PKCS1:
        return request->hash == TOKENS_WIRE_HASH_NONE && request->salt_size == 0 && request->data.size != 0;
    case TOKENS_WIRE_RSA_PSS:
        return request->hash != TOKENS_WIRE_HASH_NONE && request->data.size == tokens_wire_hash_size(request->hash) &&
               request->salt_size <= 64;
    }
    return false;
}

/* see tokens/wire.h */
enum tokens_wire_status tokens_wire_request_decode(struct span payload, struct tokens_wire_request *request)
{
    struct reader r = {.rest = payload};

    *request = (struct tokens_wire_request){0};
    request->type = read_enum(&r, TOKENS_WIRE_FIND, TOKENS_WIRE_LISTED);
    request->id = (uint32_t)read_number(&r, 4);
    request->timeout_ms = (uint32_t)read_number(&r, 4);
    request->uri = read_field(&r, TOKENS_WIRE_URI_MAX);
    /* A URI becomes a C string in the agent. */
    if (request->uri.size == 0 || memchr(request->uri.data, 0, request->uri.size) != NULL)
        return TOKENS_WIRE_BAD;
    switch (request->type) {
    case TOKENS_WIRE_FIND:
        break;
    case TOKENS_WIRE_SIGN:
        request->key_tag = read_number(&r, 8);
        request->mechanism = read_enum(&r, TOKENS_WIRE_ECDSA, TOKENS_WIRE_RSA_PSS);
        request->hash = read_enum(&r, TOKENS_WIRE_HASH_NONE, TOKENS_WIRE_HASH_SHA512);
        request->salt_size = (uint16_t)read_number(&r, 2);
        request->data = read_field(&r, TOKENS_WIRE_DATA_MAX);
        if (r.bad || !sign_fields_fit(request))
            return TOKENS_WIRE_BAD;
        break;
    case TOKENS_WIRE_LIST:
        request->first = (uint16_t)read_number(&r, 2);
        request->list_tag = read_number(&r, 8);
        if (request->first >= TOKENS_WIRE_CERTS_MAX)
            return TOKENS_WIRE_BAD;
        break;
    case TOKENS_WIRE_FOUND:
    case TOKENS_WIRE_SIGNED:
    case TOKENS_WIRE_FAILED:
    case TOKENS_WIRE_LISTED:
        return TOKENS_WIRE_BAD;
    }
    return read_end(&r);
}

/* see tokens/wire.h */
bool tokens_wire_request_encode(const struct tokens_wire_request *request, struct buffer *out)
{
    struct writer w = write_begin(out);

    write_head(&w, request->type, request->id);
    write_number(&w, request->timeout_ms, 4);
    write_field(&w, request->uri, TOKENS_WIRE_URI_MAX);
    if (request->type == TOKENS_WIRE_SIGN) {
        write_number(&w, request->key_tag, 8);
        write_number(&w, request->mechanism, 1);
        write_number(&w, request->hash, 1);
        write_number(&w, request->salt_size, 2);
        write_field(&w, request->data, TOKENS_WIRE_DATA_MAX);
    } else if (request->type == TOKENS_WIRE_LIST) {
        write_number(&w, request->first, 2);
        write_number(&w, request->list_tag, 8);
    }
    return write_frame_end(&w, TOKENS_WIRE_REQUEST_MAX);
}

/* see tokens/wire.h */
enum tokens_wire_status tokens_wire_reply_decode(struct span payload, struct tokens_wire_reply *reply)
{
    struct reader r = {.rest = payload};

    *reply = (struct tokens_wire_reply){0};
    reply->type = read_enum(&r, TOKENS_WIRE_FOUND, TOKENS_WIRE_LISTED);
    reply->id = (uint32_t)read_number(&r, 4);
    if (r.bad)
        return TOKENS_WIRE_BAD;
    switch (reply->type) {
    case TOKENS_WIRE_FOUND:
        reply->identity = read_bytes(&r, r.rest.size);
        break;
    case TOKENS_WIRE_SIGNED:
        reply->signature = read_field(&r, TOKENS_WIRE_SIGNATURE_MAX);
        break;
    case TOKENS_WIRE_FAILED:
        reply->failure = read_enum(&r, TOKENS_WIRE_NOT_FOUND, TOKENS_WIRE_REFUSED);
        reply->ckr = read_number(&r, 8);
        reply->text = read_field(&r, TOKENS_WIRE_TEXT_MAX);
        break;
    case TOKENS_WIRE_LISTED:
        reply->certs = read_bytes(&r, r.rest.size);
        break;
    case TOKENS_WIRE_FIND:
    case TOKENS_WIRE_SIGN:
    case TOKENS_WIRE_LIST:
        return TOKENS_WIRE_BAD;
    }
    return read_end(&r);
}

/* see tokens/wire.h */
bool tokens_wire_reply_encode(const struct tokens_wire_reply *reply, struct buffer *out)
{
    struct writer w = write_begin(out);
    struct span text = reply->text;

    write_head(&w, reply->type, reply->id);
    switch (reply->type) {
    case TOKENS_WIRE_FOUND:
        write_bytes(&w, reply->identity);
        break;
    case TOKENS_WIRE_SIGNED:
        write_field(&w, reply->signature, TOKENS_WIRE_SIGNATURE_MAX);
        break;
    case TOKENS_WIRE_FAILED:
        if (text.size > TOKENS_WIRE_TEXT_MAX)
            text.size = TOKENS_WIRE_TEXT_MAX;
        write_number(&w, reply->failure, 1);
        write_number(&w, reply->ckr, 8);
        write_field(&w, text, TOKENS_WIRE_TEXT_MAX);
        break;
    case TOKENS_WIRE_LISTED:
        write_bytes(&w, reply->certs);
        break;
    case TOKENS_WIRE_FIND:
    case TOKENS_WIRE_SIGN:
    case TOKENS_WIRE_LIST:
        w.bad = true;
        break;
    }
    return write_frame_end(&w, TOKENS_WIRE_REPLY_MAX);
}

enum { MECHANISMS_ALL = 1 << TOKENS_WIRE_ECDSA | 1 << TOKENS_WIRE_RSA_PKCS1 | 1 << TOKENS_WIRE_RSA_PSS };
enum { NAME_MAX_SIZE = 256, KEY_PART_MAX = 2304 };

/* see tokens/wire.h */
enum tokens_wire_status tokens_wire_identity_decode(struct span bytes, struct tokens_wire_identity *identity)
{
    struct reader r = {.rest = bytes};

    *identity = (struct tokens_wire_identity){0};
    identity->key_type = read_enum(&r, TOKENS_WIRE_KEY_RSA, TOKENS_WIRE_KEY_EC);
    identity->mechanisms = (unsigned)read_number(&r, 1);
    if ((identity->mechanisms & ~(unsigned)MECHANISMS_ALL) != 0)
        return TOKENS_WIRE_BAD;
    identity->id = read_field(&r, NAME_MAX_SIZE);
    identity->label = read_field(&r, NAME_MAX_SIZE);
    identity->token_label = read_field(&r, NAME_MAX_SIZE);
    identity->spki = read_field(&r, KEY_PART_MAX);
    identity->modulus = read_field(&r, KEY_PART_MAX);
    identity->exponent = read_field(&r, KEY_PART_MAX);
    identity->ec_params = read_field(&r, KEY_PART_MAX);
    identity->ec_point = read_field(&r, KEY_PART_MAX);
    identity->cert = read_field(&r, TOKENS_WIRE_CERT_MAX);
    identity->chain_count = (size_t)read_number(&r, 1);
    if (identity->chain_count > TOKENS_WIRE_CHAIN_MAX)
        return TOKENS_WIRE_BAD;
    for (size_t i = 0; i < identity->chain_count; i++)
        identity->chain[i] = read_field(&r, TOKENS_WIRE_CERT_MAX);
    return read_end(&r);
}

/* see tokens/wire.h */
bool tokens_wire_identity_encode(const struct tokens_wire_identity *identity, struct buffer *out)
{
    struct writer w = write_begin(out);

    if (identity->chain_count > TOKENS_WIRE_CHAIN_MAX)
        return false;
    write_number(&w, identity->key_type, 1);
    write_number(&w, identity->mechanisms, 1);
    write_field(&w, identity->id, NAME_MAX_SIZE);
    write_field(&w, identity->label, NAME_MAX_SIZE);
    write_field(&w, identity->token_label, NAME_MAX_SIZE);
    write_field(&w, identity->spki, KEY_PART_MAX);
    write_field(&w, identity->modulus, KEY_PART_MAX);
    write_field(&w, identity->exponent, KEY_PART_MAX);
    write_field(&w, identity->ec_params, KEY_PART_MAX);
    write_field(&w, identity->ec_point, KEY_PART_MAX);
    write_field(&w, identity->cert, TOKENS_WIRE_CERT_MAX);
    write_number(&w, identity->chain_count, 1);
    for (size_t i = 0; i < identity->chain_count; i++)
        write_field(&w, identity->chain[i], TOKENS_WIRE_CERT_MAX);
    return write_end(&w);
}

/* see tokens/wire.h */
enum tokens_wire_status tokens_wire_certs_decode(struct span bytes, struct tokens_wire_certs *certs)
{
    struct reader r = {.rest = bytes};

    *certs = (struct tokens_wire_certs){0};
    certs->list_tag = read_number(&r, 8);
    certs->total = (uint16_t)read_number(&r, 2);
    certs->first = (uint16_t)read_number(&r, 2);
    certs->count = (size_t)read_number(&r, 1);
    if (certs->total > TOKENS_WIRE_CERTS_MAX || certs->count == 0 || certs->count > TOKENS_WIRE_PAGE_MAX ||
        certs->first + certs->count > certs->total)
        return TOKENS_WIRE_BAD;
    for (size_t i = 0; i < certs->count; i++)
        certs->certs[i] = read_field(&r, TOKENS_WIRE_CERT_MAX);
    return read_end(&r);
}

/* see tokens/wire.h */
bool tokens_wire_certs_encode(const struct tokens_wire_certs *certs, struct buffer *out)
{
    struct writer w = write_begin(out);

    if (certs->count > TOKENS_WIRE_PAGE_MAX)
        return false;
    write_number(&w, certs->list_tag, 8);
    write_number(&w, certs->total, 2);
    write_number(&w, certs->first, 2);
    write_number(&w, certs->count, 1);
    for (size_t i = 0; i < certs->count; i++)
        write_field(&w, certs->certs[i], TOKENS_WIRE_CERT_MAX);
    return write_end(&w);
}

/* FNV-1a, 64 bits. See tokens/wire.h */
uint64_t tokens_wire_key_tag(struct span spki)
{
    uint64_t tag = 0xcbf29ce484222325U;

    for (size_t i = 0; i < spki.size; i++)
        tag = (tag ^ spki.data[i]) * 0x100000001b3U;
    return tag;
}

/* see tokens/wire.h */
size_t tokens_wire_hash_size(enum tokens_wire_hash hash)
{
    switch (hash) {
    case TOKENS_WIRE_HASH_NONE:
        return 0;
    case TOKENS_WIRE_HASH_SHA1:
        return 20;
    case TOKENS_WIRE_HASH_SHA256:
        return 32;
    case TOKENS_WIRE_HASH_SHA384:
        return 48;
    case TOKENS_WIRE_HASH_SHA512:
        return 64;
    }
    return 0;
}
