/* see tls/key_groups.h */
#include "tls/key_groups.h"

#include <nss.h>

static const struct {
    const char *name;
    unsigned number;
} facts[KEY_GROUP_COUNT] = {
#define GROUP_FACTS(id, word, number, curve) [KEY_GROUP_##id] = {#word, number},
    KEY_GROUPS(GROUP_FACTS)
#undef GROUP_FACTS
};

/* NSS cannot be asked: 3.87 takes a number that it does not know without a word. So it is the version of the NSS in
 * use; that of Debian 12 is before it, that of Debian 13 after. */
bool tls_has_key_group(enum key_group group)
{
    return group != KEY_GROUP_X25519MLKEM768 || NSS_VersionCheck("3.105");
}

size_t tls_key_groups_choose(const enum key_group *wanted, size_t count, enum key_group out[static KEY_GROUP_COUNT])
{
    size_t chosen = 0;

    assert(count <= KEY_GROUP_COUNT);
    for (size_t i = 0; i < (count == 0 ? (size_t)KEY_GROUP_COUNT : count); i++) {
        enum key_group group = count == 0 ? (enum key_group)i : wanted[i];

        if (tls_has_key_group(group))
            out[chosen++] = group;
    }
    return chosen;
}

unsigned tls_key_group_number(enum key_group group)
{
    return facts[group].number;
}

const char *tls_key_group_name(enum key_group group)
{
    return facts[group].name;
}

bool tls_key_group_find(unsigned number, enum key_group *group)
{
    for (*group = 0; *group < KEY_GROUP_COUNT; (*group)++)
        if (facts[*group].number == number)
            return true;
    return false;
}
