/* [control]: which user and which groups have which role, and whom the socket's file must let in. */
#include "proxy/control/control_roles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROOT = 0, DAEMON = 1, BIN = 2, SYS = 3 /* the same for users and groups on every Debian */, STRANGER = 4242 };

/* `text`: lines of [control]. NULL with *message the first finding. */
static struct control_roles *roles_of(const char *text, char **message)
{
    char *whole = base_printf("[control]\n%s[service s]\nlisten = 127.0.0.1:1\nlisten_tls = none\n"
                              "connect = 127.0.0.1:2\nconnect_tls = none\n",
                              text);
    struct config_findings findings = {.items = NULL};
    struct config_snapshot *snapshot = config_snapshot_from_memory("f", span_of_string(whole));
    struct config *config = config_parse(snapshot, &findings);
    struct control_roles *roles;

    if (config == NULL)
        fail_msg("%s: %s", text, findings.items[0].message);
    roles = control_roles_create(config, &findings);
    if (message != NULL)
        *message = findings.count == 0 ? NULL : config_finding_text(&findings.items[0]);
    config_findings_clear(&findings);
    config_destroy(&config);
    config_snapshot_destroy(&snapshot);
    free(whole);
    return roles;
}

static void role_is_the_highest_of_user_and_groups(void **state)
{
    static const struct {
        uid_t uid;
        gid_t groups[2];
        enum control_role want;
    } table[] = {
        {ROOT, {ROOT, ROOT}, CONTROL_ROLE_ADMINISTER},
        {DAEMON, {STRANGER, STRANGER}, CONTROL_ROLE_LOOK},
        {STRANGER, {STRANGER, BIN}, CONTROL_ROLE_OPERATE},
        {STRANGER, {BIN, STRANGER}, CONTROL_ROLE_OPERATE},
        {DAEMON, {BIN, STRANGER}, CONTROL_ROLE_OPERATE},
        {SYS, {STRANGER, BIN}, CONTROL_ROLE_ADMINISTER},
        {BIN, {STRANGER, STRANGER}, CONTROL_ROLE_NONE /* a user of the group's name */},
        {STRANGER, {DAEMON, SYS}, CONTROL_ROLE_NONE /* groups of the users' names */},
        {STRANGER, {ROOT, ROOT}, CONTROL_ROLE_NONE /* root's group is not root */},
    };
    struct control_roles *roles = roles_of("look = daemon\noperate = @bin\nadminister = sys\n", NULL);

    (void)state;
    assert_non_null(roles);
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (control_roles_of(roles, table[i].uid, table[i].groups, 2) != table[i].want)
            fail_msg("row %zu", i);
    assert_int_equal(control_roles_of(roles, geteuid(), NULL, 0), CONTROL_ROLE_ADMINISTER);
    assert_int_equal(control_roles_of(NULL, DAEMON, NULL, 0), CONTROL_ROLE_NONE);
    assert_int_equal(control_roles_of(NULL, ROOT, NULL, 0), CONTROL_ROLE_ADMINISTER);
    control_roles_destroy(&roles);
    assert_null(roles);
}

static void file_lets_in_no_more_than_who_is_named(void **state)
{
    static const struct {
        const char *text;
        enum control_reach want;
        gid_t group;
    } table[] = {
        {"", CONTROL_REACH_OWNER, 0},
        {"look = root\n", CONTROL_REACH_OWNER, 0 /* may already */},
        {"look = @bin\n", CONTROL_REACH_GROUP, BIN},
        {"look = @bin\noperate = @bin, root\n", CONTROL_REACH_GROUP, BIN},
        {"look = @bin\noperate = @sys\n", CONTROL_REACH_ALL, 0},
        {"look = @bin, daemon\n", CONTROL_REACH_ALL, 0},
        {"administer = daemon\n", CONTROL_REACH_ALL, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        struct control_roles *roles = roles_of(table[i].text, NULL);
        gid_t group = 0;

        if (control_roles_reach(roles, &group) != table[i].want)
            fail_msg("%s", table[i].text);
        if (table[i].want == CONTROL_REACH_GROUP)
            assert_int_equal(group, table[i].group);
        control_roles_destroy(&roles);
    }
}

static void name_that_does_not_exist_is_told_with_its_line(void **state)
{
    char *message;

    (void)state;
    assert_null(roles_of("look = daemon\noperate = @no-such-group\n", &message));
    assert_string_equal(message, "f:3: operate: there is no group no-such-group");
    free(message);
    assert_null(roles_of("look = no-such-user\n", &message));
    assert_string_equal(message, "f:2: look: there is no user no-such-user");
    free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(role_is_the_highest_of_user_and_groups),
        cmocka_unit_test(file_lets_in_no_more_than_who_is_named),
        cmocka_unit_test(name_that_does_not_exist_is_told_with_its_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
