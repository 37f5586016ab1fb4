/* see proxy/supervisor/roots_age.h */
#include "proxy/supervisor/roots_age.h"

#include "base/text.h"
#include "pkix/roots.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static bool names_mozilla(const struct config_trust *trust, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (trust[i].type == CONFIG_TRUST_MOZILLA)
            return true;
    return false;
}

/* trust is mozilla by default, also where no server is verified. */
static bool uses(const struct config_service *s)
{
    return (config_service_originates_tls(s) && !s->insecure_no_verify && names_mozilla(s->trust, s->trust_count)) ||
           (s->peer != CONFIG_PEER_NONE && names_mozilla(s->peer_trust, s->peer_trust_count));
}

bool roots_are_used(const struct config *config)
{
    for (size_t i = 0; i < config->service_count; i++)
        if (uses(&config->services[i]))
            return true;
    return false;
}

static bool read_state(const struct config *config, struct pkix_roots_state *state)
{
    char *error = NULL;
    bool read = roots_are_used(config) && pkix_roots_state_read(config->roots, state, &error);

    free(error);
    return read;
}

struct roots_age roots_age_read(const struct config *config)
{
    struct pkix_roots_state state;

    if (!read_state(config, &state))
        return (struct roots_age){.known = false};
    return (struct roots_age){.known = true, .kept = state.kept, .date = state.date};
}

json_t *roots_age_status(const struct roots_age *age)
{
    char date[BASE_TEXT_TIME_SIZE];

    if (!age->known)
        return NULL;
    return json_pack("{s:b, s:s, s:I}", "kept", age->kept, "date", base_text_day(age->date, date), "age_seconds",
                     (json_int_t)((int64_t)time(NULL) - age->date));
}

void roots_age_check(const struct config *config, struct config_findings *findings)
{
    struct config_place place = {.file = config->files[0]};
    struct pkix_roots_state state;
    char date[BASE_TEXT_TIME_SIZE];
    int64_t days;

    if (!read_state(config, &state))
        return;
    days = ((int64_t)time(NULL) - state.date) / PKIX_ROOTS_SECONDS_PER_DAY;
    if (days <= PKIX_ROOTS_AGE_DAYS_MAX)
        return;
    if (config->roots_place.line != 0)
        place = config->roots_place;
    config_note_add(findings, CONFIG_NOTE_WARNING, "roots_old", place,
                    "trust = mozilla: what is known of Mozilla's roots is of %s, %" PRId64
                    " days ago: yett trust update takes in a newer list, and trust = system uses Debian's",
                    base_text_day(state.date, date), days);
}
