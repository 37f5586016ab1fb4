/* proxy/control/operations.h: what those who ask from outside can have done: by the supervisor, above this folder. */
#ifndef YETT_PROXY_CONTROL_OPERATIONS_H
#define YETT_PROXY_CONTROL_OPERATIONS_H

#include "base/span.h"
#include <jansson.h>

/* `done` is called once, perhaps before the operation returns. */
typedef void (*control_reloaded)(void *data, bool good, const char *report); /* when not good: one finding a line */
typedef void (*control_gathered)(void *data, const json_t *result);          /* borrowed */

/* Each gets `data` first. proxy/supervisor/supervisor.h says what they do, one for one. */
struct control_operations {
    json_t *(*status)(const void *data); /* the caller's reference */
    bool (*is_in_service)(const void *data);
    void (*connections)(void *data, control_gathered done, void *done_data);
    void (*reload)(void *data, control_reloaded done, void *done_data);
    void (*drain)(void *data);
    void (*stop)(void *data, bool now);
    bool (*login)(void *data, const char *module, struct span pin, char **error);
    bool (*logout)(void *data, const char *module, char **error);
};

/* Operations and whose they are. */
struct control_desk {
    const struct control_operations *can; /* static */
    void *data;
};

#endif
