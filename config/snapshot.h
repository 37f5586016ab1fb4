/* config/snapshot.h: the inside of a snapshot, for config/ only. */
#ifndef YETT_CONFIG_SNAPSHOT_H
#define YETT_CONFIG_SNAPSHOT_H

#include "config/config.h"
#include <sys/types.h>

struct snapshot_file {
    char *name;
    uint8_t *text;
    size_t size; /* at most CONFIG_FILE_BYTES_MAX */
    dev_t device;
    ino_t inode; /* 0 and 0 when it came from memory or a descriptor */
};

/* The first is the file named on the command line. At least one. */
struct config_snapshot {
    struct snapshot_file *files;
    size_t count; /* at most CONFIG_FILES_MAX */
};

#endif
