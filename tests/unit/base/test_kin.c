/* Who is at the other end of a socket: strangers, children, grandchildren, orphans, and those that are gone. */
#include "base/kin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A listening socket in the abstract namespace, each of another name: a grandchild that was killed and has not died yet
 * may hold the last one. */
static int listen_here(struct sockaddr_un *address)
{
    static unsigned count;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "yett-kin-%d-%u", (int)getpid(), count++);
    assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof(*address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static int connect_here(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? fd : -1;
}

enum connector { CHILD, GRANDCHILD, ORPHAN, GONE };

/* In the child: connect as `who`, and stay until killed. */
static void play(enum connector who, const struct sockaddr_un *address, int told)
{
    pid_t parent = getpid();

    if ((who == GRANDCHILD || who == ORPHAN) && fork() != 0) {
        if (who == ORPHAN)
            _exit(0); /* the grandchild is nobody's child now */
        pause();
    }
    while (who == ORPHAN && getppid() == parent)
        usleep(1000);
    if (connect_here(address) < 0)
        _exit(1);
    if (write(told, "", 1) != 1 || who == GONE)
        _exit(0);
    pause();
}

static enum kin kin_of_connector(enum connector who)
{
    struct sockaddr_un address;
    int listener = listen_here(&address), ready[2], fd;
    struct kin_peer peer;
    enum kin kin;
    pid_t child;
    char byte;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        play(who, &address, ready[1]);
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    if (who == GONE || who == ORPHAN)
        assert_int_equal(waitpid(child, NULL, 0), child);
    fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_true(kin_peer(fd, &peer));
    assert_int_equal(peer.uid, geteuid());
    kin = kin_of_peer(fd, &peer, getpid());
    if (who != GONE)
        kill(peer.pid, SIGKILL);
    if (who != GONE && who != ORPHAN) {
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    close(fd);
    close(listener);
    close(ready[0]);
    close(ready[1]);
    return kin;
}

static void child_and_its_children_are_kin(void **state)
{
    (void)state;
    assert_int_equal(kin_of_connector(CHILD), KIN_DESCENDANT);
    assert_int_equal(kin_of_connector(GRANDCHILD), KIN_DESCENDANT);
}

/* Its number may be anybody's by now. */
static void who_is_gone_is_not_known(void **state)
{
    (void)state;
    assert_int_equal(kin_of_connector(GONE), KIN_UNKNOWN);
}

static bool nobody(void *ctx, pid_t pid)
{
    (void)ctx;
    (void)pid;
    return false;
}

static bool everybody(void *ctx, pid_t pid)
{
    (void)ctx;
    (void)pid;
    return true;
}

static void orphan_stays_below_who_adopts(void **state)
{
    unsigned reaped = 0;

    (void)state;
    assert_true(kin_adopt_orphans());
    assert_int_equal(kin_of_connector(ORPHAN), KIN_DESCENDANT);
    assert_false(kin_reap_orphan(everybody, NULL)); /* somebody else's to reap */
    for (unsigned i = 0; i < 5000 && reaped == 0; i++) {
        while (kin_reap_orphan(nobody, NULL))
            reaped++;
        usleep(1000);
    }
    assert_int_equal(reaped, 1);
    assert_false(kin_reap_orphan(nobody, NULL));
}

static void this_process_is_no_descendant_of_itself_nor_of_others(void **state)
{
    struct sockaddr_un address;
    int listener = listen_here(&address), own = connect_here(&address), fd = accept(listener, NULL, NULL);
    struct kin_peer peer = {0};
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_true(fd >= 0 && kin_peer(fd, &peer));
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(kin_of_peer(fd, &peer, getpid()), KIN_STRANGER);
    assert_int_equal(kin_of_peer(fd, &peer, child), KIN_STRANGER);
    assert_int_equal(kin_of_peer(fd, &peer, getppid()), KIN_DESCENDANT);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(own);
    close(fd);
    close(listener);
}

static void who_is_no_unix_socket_has_no_peer(void **state)
{
    struct kin_peer peer;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_false(kin_peer(ends[0], &peer));
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(child_and_its_children_are_kin),
        cmocka_unit_test(who_is_gone_is_not_known),
        cmocka_unit_test(orphan_stays_below_who_adopts),
        cmocka_unit_test(this_process_is_no_descendant_of_itself_nor_of_others),
        cmocka_unit_test(who_is_no_unix_socket_has_no_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
