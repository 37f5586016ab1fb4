/* proxy/control/operations.h: what those who ask from outside can have done: by the supervisor, above this folder. */
#ifndef YETT_PROXY_CONTROL_OPERATIONS_H
#define YETT_PROXY_CONTROL_OPERATIONS_H

#include "base/span.h"
#include <jansson.h>

/* `done` is called once, perhaps before the operation returns. */
/* `report`: one finding a line; when good: warnings, or "". `text`: what came of it, a sentence. `result` is borrowed.
 */
typedef void (*control_reloaded)(void *data, bool good, const char *report);
typedef void (*control_logged_in)(void *data, bool good, const char *text);
typedef void (*control_gathered)(void *data, const json_t *result);

/* Each gets `data` first. proxy/supervisor/supervisor.h says what they do, one for one. */
struct control_operations {
    json_t *(*status)(const void *data); /* the caller's reference */
    bool (*is_in_service)(const void *data);
    void (*connections)(void *data, control_gathered done, void *done_data);
    void (*reload)(void *data, control_reloaded done, void *done_data);
    void (*drain)(void *data);
    void (*stop)(void *data, bool now);
    /* token: "LABEL\nSERIAL", either of which may be empty */
    void (*login)(void *data, const char *module, const char *token, struct span pin, control_logged_in done,
                  void *done_data);
    bool (*logout)(void *data, const char *module, char **error);
};

/* Operations and whose they are. */
struct control_desk {
    const struct control_operations *can; /* static */
    void *data;
};

#endif
