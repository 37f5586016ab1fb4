/* see starttls/http/http_syntax.h */
#include "starttls/http/http_syntax.h"

static const struct http_fault none;

static struct http_fault fault(unsigned status_code, const char *what, struct span quoted)
{
    return (struct http_fault){.status_code = status_code, .what = what, .quoted = quoted};
}

/* What of a line may be quoted in a log: it may hold credentials, or half of them, so it is the first word alone. */
static struct span first_word(struct span line)
{
    size_t size = 0;

    while (size < line.size && line.data[size] != ':' && line.data[size] != ' ' && line.data[size] != '\t')
        size++;
    return span_of(line.data, size);
}

bool http_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* tchar, RFC 9110 section 5.6.2. */
static bool is_token_char(uint8_t c)
{
    return http_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.size; i++)
        if (!is_token_char(s.data[i]))
            return false;
    return s.size != 0;
}

/* Visible ASCII: what a request target is made of. */
static bool is_visible(struct span s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~')
            return false;
    return true;
}

bool http_has_control(struct span s)
{
    for (size_t i = 0; i < s.size; i++)
        if ((s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 0x7f)
            return true;
    return false;
}

/* "HTTP/" DIGIT "." DIGIT */
static bool is_version(struct span s)
{
    return s.size == 8 && memcmp(s.data, "HTTP/", 5) == 0 && http_is_digit(s.data[5]) && s.data[6] == '.' &&
           http_is_digit(s.data[7]);
}

static bool is_known_version(struct span s)
{
    return span_equal(s, span_of_string("HTTP/1.0")) || span_equal(s, span_of_string("HTTP/1.1"));
}

/* method SP target SP version, with these two spaces and no other white space. RFC 9112 section 3. */
struct http_fault http_request_line_fault(struct span line)
{
    const uint8_t *first = line.size == 0 ? NULL : memchr(line.data, ' ', line.size);
    struct span method = span_of(line.data, first == NULL ? line.size : (size_t)(first - line.data));
    struct span rest = first == NULL ? span_of(NULL, 0) : span_skip(line, method.size + 1);
    const uint8_t *second = rest.size == 0 ? NULL : memchr(rest.data, ' ', rest.size);
    struct span target = span_of(rest.data, second == NULL ? rest.size : (size_t)(second - rest.data));
    struct span version = second == NULL ? span_of(NULL, 0) : span_skip(rest, target.size + 1);

    if (!is_token(method) || target.size == 0 || !is_visible(target))
        return fault(400, "the client's request line is not one", first_word(line));
    if (second == NULL)
        return fault(505, "the client speaks HTTP/0.9", first_word(line));
    if (is_known_version(version))
        return none;
    if (is_version(version))
        return fault(505, "the client speaks a version of HTTP that is neither 1.0 nor 1.1", first_word(line));
    return fault(400, "the client's request line is not one", first_word(line));
}

/* version SP 3DIGIT [SP reason]. RFC 9112 section 4; the space before an empty reason is often left out. */
struct http_fault http_status_line_fault(struct span line)
{
    bool is_good = line.size >= 12 && is_known_version(span_of(line.data, 8)) && line.data[8] == ' ' &&
                   line.data[9] >= '1' && line.data[9] <= '5' && http_is_digit(line.data[10]) &&
                   http_is_digit(line.data[11]) && (line.size == 12 || line.data[12] == ' ') && !http_has_control(line);

    return is_good ? none : fault(502, "the server's status line is not one", line);
}

/* name ":" value. The name is a token, so there is no white space before the colon, which some drop and some take
 * for a part of the name; a line that begins with white space is a folded one (RFC 9112 section 5.2). */
struct http_fault http_field_fault(struct span line)
{
    const uint8_t *colon = memchr(line.data, ':', line.size);
    struct span name = span_of(line.data, colon == NULL ? 0 : (size_t)(colon - line.data));

    if (line.data[0] == ' ' || line.data[0] == '\t')
        return fault(400, "a header field is folded", span_of(NULL, 0));
    if (!is_token(name))
        return fault(400, "a header field has no proper name", first_word(line));
    if (http_has_control(span_skip(line, name.size + 1)))
        return fault(400, "a header field has a control byte", name);
    return none;
}
