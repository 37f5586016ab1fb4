/* see tokens/token_name.h */
#include "tokens/token_name.h"
#include "tokens/module.h"

/* What a URI does not name begins with NUL in p11-kit's struct. */
static char *field(const unsigned char *bytes, size_t size)
{
    return bytes[0] == '\0' ? base_strdup("") : tokens_padded_text(bytes, size);
}

/* see tokens/token_name.h */
bool tokens_token_name(const char *uri, char **label, char **serial, char **error)
{
    P11KitUri *parsed = tokens_uri_parse(uri, error);
    const CK_TOKEN_INFO *info;

    if (parsed == NULL)
        return false;
    info = p11_kit_uri_get_token_info(parsed);
    *label = field(info->label, sizeof(info->label));
    *serial = field(info->serialNumber, sizeof(info->serialNumber));
    p11_kit_uri_free(parsed);
    return true;
}
