/* The parser, from bytes to a struct config and away again. What it makes of them must be consistent: either a
 * configuration or findings, each with a line that is there. */
#include "config/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* base/text.h's lines: LF, CR LF or a lone CR ends one. */
static unsigned lines_in(const uint8_t *data, size_t size)
{
    unsigned lines = 1;

    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n' || (data[i] == '\r' && (i + 1 == size || data[i + 1] != '\n'));
    return lines;
}

static void service_check(const struct config_service *s)
{
    assert(s->listen_count != 0 && s->place.line != 0 && s->place.file != NULL);
    assert((s->protocol == CONFIG_PROTOCOL_HTTP_CONNECT) == (s->connect_count == 0));
    assert((s->protocol == CONFIG_PROTOCOL_HTTP_CONNECT) == (s->allow_target_count != 0));
    assert((s->listen_tls != CONFIG_TLS_NONE) == (s->identity_count != 0));
    assert(s->peer == CONFIG_PEER_NONE || (s->peer_trust_count != 0 && s->listen_tls != CONFIG_TLS_NONE));
    for (size_t i = 0; i < s->listen_count; i++)
        assert(s->listen_tls != CONFIG_TLS_NONE || s->insecure_plaintext_listen ||
               s->listen[i].type == CONFIG_ADDRESS_SYSTEMD || config_address_is_loopback(&s->listen[i]));
    for (size_t i = 0; i < s->connect_count; i++)
        assert(s->connect_tls != CONFIG_TLS_NONE || s->insecure_plaintext_connect ||
               config_address_is_loopback(&s->connect[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_findings findings = {.items = NULL};
    struct config_snapshot *snapshot = config_snapshot_from_memory("f", span_of(data, size));
    struct config *config = config_parse(snapshot, &findings);
    unsigned lines = lines_in(data, size);

    assert((config == NULL) == (findings.count != 0));
    for (size_t i = 0; i < findings.count; i++) {
        assert(findings.items[i].line <= lines);
        assert(findings.items[i].message[0] != '\0');
    }
    for (size_t i = 0; config != NULL && i < config->service_count; i++)
        service_check(&config->services[i]);
    config_destroy(&config);
    config_snapshot_destroy(&snapshot);
    config_findings_clear(&findings);
    return 0;
}
