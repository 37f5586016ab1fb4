/* see proxy/supervisor/supervisor_internal.h, and tokens/grants.h for the text.
 *
 * Told anew whenever a worker has been started: that one is on it before it can ask, and those that are gone are off it
 * before their numbers come round. */
#include "proxy/supervisor/supervisor_internal.h"

#include "proxy/process/log.h"
#include "tokens/grants.h"

/* By which an agent is asked for it; NULL: none is. */
static const char *uri_of(const struct generation *g, const struct config_identity *identity)
{
    switch (identity->type) {
    case CONFIG_IDENTITY_PKCS11:
        return identity->value;
    case CONFIG_IDENTITY_FILE:
        return file_keys_uri(generation_file_keys(g), identity->value);
    case CONFIG_IDENTITY_NSS:
        break;
    }
    return NULL;
}

static bool write_identities(struct buffer *out, const struct generation *g, const struct config_identity *items,
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *uri = uri_of(g, &items[i]);

        if (uri != NULL && !tokens_grants_write_uri(out, TOKENS_GRANT_SIGN, generation_number(g), uri))
            return false;
    }
    return true;
}

static bool write_trust(struct buffer *out, uint32_t generation, const struct config_trust *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (items[i].type == CONFIG_TRUST_PKCS11 &&
            !tokens_grants_write_uri(out, TOKENS_GRANT_LIST, generation, items[i].value))
            return false;
    return true;
}

static bool write_generation(struct buffer *out, const struct generation *g)
{
    const struct config *config = generation_config(g);
    uint32_t number = generation_number(g);
    bool good = true;

    for (unsigned i = 0; i < generation_worker_count(g) && good; i++)
        if (generation_worker(g, i) != NULL)
            good = tokens_grants_write_worker(out, worker_process_pid(generation_worker(g, i)), number);
    for (size_t i = 0; i < config->service_count && good; i++) {
        const struct config_service *s = &config->services[i];

        good = write_identities(out, g, s->identity, s->identity_count) &&
               write_identities(out, g, s->connect_identity, s->connect_identity_count) &&
               write_trust(out, number, s->trust, s->trust_count) &&
               write_trust(out, number, s->peer_trust, s->peer_trust_count);
    }
    return good;
}

void supervisor_grant(struct supervisor *s, const struct generation *starting)
{
    struct buffer text;
    bool good = true, listed = false;

    buffer_init(&text, TOKENS_GRANTS_BYTES_MAX);
    for (size_t i = 0; i < s->generation_count && good; i++) {
        listed = listed || s->generations[i] == starting;
        good = write_generation(&text, s->generations[i]);
    }
    if (!listed)
        good = good && write_generation(&text, starting);
    if (good)
        agents_grant(s->agents, buffer_span(&text));
    else
        log_line(LOG_LEVEL_ERROR, "grants_failed", log_text("reason", "the configurations name too much"));
    buffer_release(&text);
}
