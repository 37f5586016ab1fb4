/* see sandbox_probe.c: what is tried on files. */
#include "sandbox_probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int try_open_write(void)
{
    return probe_closed(open(probe_text("PROBE_WRITABLE"), O_WRONLY));
}

static int try_open_read_write(void)
{
    return probe_closed(open(probe_text("PROBE_WRITABLE"), O_RDWR | O_APPEND));
}

static int try_open_create(void)
{
    char path[512];

    snprintf(path, sizeof(path), "%s.new", probe_text("PROBE_WRITABLE"));
    return probe_closed(open(path, O_RDONLY | O_CREAT, 0600));
}

static int try_open_truncate(void)
{
    return probe_closed(open(probe_text("PROBE_WRITABLE"), O_RDONLY | O_TRUNC));
}

static int try_open_openat2(void)
{
    uint64_t how[3] = {O_WRONLY, 0, 0};

    return probe_closed((int)syscall(SYS_openat2, AT_FDCWD, probe_text("PROBE_WRITABLE"), how, sizeof(how)));
}

static int try_truncate(void)
{
    return truncate(probe_text("PROBE_WRITABLE"), 0);
}

static int try_unlink(void)
{
    return unlink(probe_text("PROBE_WRITABLE"));
}

static int try_rename(void)
{
    char path[512];

    snprintf(path, sizeof(path), "%s.moved", probe_text("PROBE_WRITABLE"));
    return rename(probe_text("PROBE_WRITABLE"), path);
}

static int try_read_private(void)
{
    return probe_closed(open(probe_text("PROBE_PRIVATE"), O_RDONLY));
}

static int try_read_shadow(void)
{
    return probe_closed(open("/etc/shadow", O_RDONLY));
}

static int try_list_private(void)
{
    char path[512];
    char *slash;
    DIR *folder;

    snprintf(path, sizeof(path), "%s", probe_text("PROBE_PRIVATE"));
    slash = strrchr(path, '/');
    if (slash != NULL)
        *slash = '\0';
    folder = opendir(path);
    if (folder == NULL)
        return -1;
    closedir(folder);
    return 0;
}

static int try_read_hosts(void)
{
    return probe_closed(open("/etc/hosts", O_RDONLY));
}

struct probe_list probe_files(void)
{
    static const struct probe_try items[] = {
        {"open_write", try_open_write},
        {"open_read_write", try_open_read_write},
        {"open_create", try_open_create},
        {"open_truncate", try_open_truncate},
        {"open_openat2", try_open_openat2},
        {"truncate", try_truncate},
        {"unlink", try_unlink},
        {"rename", try_rename},
        {"read_private", try_read_private},
        {"list_private", try_list_private},
        {"read_shadow", try_read_shadow},
        {"read_hosts", try_read_hosts},
    };

    return (struct probe_list)PROBE_LIST(items);
}
