/* see proxy/service/service_internal.h
 *
 * Two sides without a group in common have no connection, and each says no more than that a handshake failed. So it is
 * told beforehand whom a list leaves without any. */
#include "proxy/service/service_internal.h"
#include "tls/key_groups.h"
#include "tls/runtime.h"

#include <stdlib.h>

static const bool is_curve[KEY_GROUP_COUNT] = {
#define GROUP_CURVE(id, word, number, curve) [KEY_GROUP_##id] = (curve),
    KEY_GROUPS(GROUP_CURVE)
#undef GROUP_CURVE
};

static bool has(const enum key_group *groups, size_t count, enum key_group group)
{
    for (size_t i = 0; i < count; i++)
        if (groups[i] == group)
            return true;
    return false;
}

static bool has_curve(const enum key_group *groups, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_curve[groups[i]])
            return true;
    return false;
}

#define WARN(findings, config, ...)                                                                                    \
    config_note_add(findings, CONFIG_NOTE_WARNING, "groups_exclude", (config)->groups_place, "groups: " __VA_ARGS__)

void service_key_groups_check(const struct config_service *config, struct config_findings *findings)
{
    enum key_group usable[KEY_GROUP_COUNT];
    size_t count = tls_key_groups_choose(config->groups, config->group_count, usable);

    if (config->group_count == 0)
        return;
    if (count == 0) {
        config_finding_add(findings, config->groups_place,
                           "groups: NSS %s, which yett runs with, has none of these; add x25519, or leave groups out",
                           tls_nss_version());
        return;
    }
    for (size_t i = 0; i < config->group_count; i++)
        if (!tls_has_key_group(config->groups[i]))
            WARN(findings, config, "left out: NSS %s, which yett runs with, does not have %s", tls_nss_version(),
                 tls_key_group_name(config->groups[i]));
    if (!has_curve(usable, count))
        WARN(findings, config, "peers without %s are excluded, and all whose TLS is 1.2, which has no such groups%s",
             tls_key_group_name(usable[0]), config->tls_min > 0x0303 ? "" : ": tls_min = 1.3 would say so");
    else if (!has(usable, count, KEY_GROUP_SECP256R1))
        WARN(
            findings, config,
            "without secp256r1 peers are excluded that have no other, which is the one that all have to have (RFC 8446 "
            "section 9.1)%s",
            config->tls_min > 0x0303 ? ""
                                     : ", and all with TLS 1.2 where the certificate's key is of that curve (RFC 8422 "
                                       "section 5.1.1): set tls_min = 1.3, or have an RSA key");
}
