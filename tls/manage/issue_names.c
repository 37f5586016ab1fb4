/* see tls/manage/issue_internal.h: subject alternative names from their text */
#include "base/address.h"
#include "base/span.h"
#include "tls/manage/issue_internal.h"

#include <secport.h>

static bool is_host_name(const char *text)
{
    size_t len = strlen(text), label_len = 0;
    size_t start = strncmp(text, "*.", 2) == 0 ? 2 : 0;

    if (len - start == 0 || len > 253)
        return false;
    for (size_t i = start; i < len; i++) {
        char c = text[i];

        if (c == '.' ? label_len == 0 || i + 1 == len : label_len == 63)
            return false;
        label_len = c == '.' ? 0 : label_len + 1;
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
              c == '.'))
            return false;
    }
    return true;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text <= 0x20 || *text >= 0x7f)
            return false;
    return true;
}

static bool is_email(const char *text)
{
    const char *at = strchr(text, '@');

    return at != NULL && at != text && is_printable(text) && is_host_name(at + 1);
}

static bool is_uri(const char *text)
{
    const char *colon = strchr(text, ':');

    return colon != NULL && colon != text && colon[1] != '\0' && is_printable(text);
}

CERTGeneralName *tls_issue_name(PLArenaPool *arena, const char *text, char **error)
{
    char quoted[BASE_QUOTE_SIZE];
    const char *colon = strchr(text, ':');
    const char *value = colon == NULL ? "" : colon + 1;
    size_t kind_len = colon == NULL ? 0 : (size_t)(colon - text);
    struct span kind = span_of(text, kind_len);
    CERTGeneralName *name = PORT_ArenaZNew(arena, CERTGeneralName);
    struct address address;
    struct span bytes = span_of_string(value);
    bool valid = false;

    if (name == NULL)
        base_abort("out of memory (a certificate's names)");
    PR_INIT_CLIST(&name->l);
    if (span_equal_nocase(kind, span_of_string("dns"))) {
        name->type = certDNSName;
        valid = is_host_name(value);
    } else if (span_equal_nocase(kind, span_of_string("email"))) {
        name->type = certRFC822Name;
        valid = is_email(value);
    } else if (span_equal_nocase(kind, span_of_string("uri"))) {
        name->type = certURI;
        valid = is_uri(value);
    } else if (span_equal_nocase(kind, span_of_string("ip"))) {
        name->type = certIPAddress;
        valid = address_parse(span_of_string(value), &address);
        bytes = span_of(address.bytes, address.size);
    } else {
        *error = base_printf("the alternative name %s is not dns:HOST, ip:ADDRESS, email:ADDRESS or uri:URI",
                             base_quote(text, strlen(text), quoted, sizeof(quoted)));
        return NULL;
    }
    if (!valid) {
        *error = base_printf("the alternative name %s is not a valid %.*s name",
                             base_quote(text, strlen(text), quoted, sizeof(quoted)), (int)kind.size,
                             (const char *)kind.data);
        return NULL;
    }
    name->name.other.data = PORT_ArenaAlloc(arena, bytes.size);
    if (name->name.other.data == NULL)
        base_abort("out of memory (a certificate's names)");
    memcpy(name->name.other.data, bytes.data, bytes.size);
    name->name.other.len = (unsigned int)bytes.size;
    return name;
}
