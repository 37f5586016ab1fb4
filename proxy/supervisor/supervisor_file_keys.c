/* see proxy/supervisor/supervisor_internal.h, and proxy/supervisor/file_keys.h for what is told.
 *
 * Told before the workers of a generation are started, who ask as they start, and when a generation has ended: its keys
 * are then wiped, unless another one has them as well. */
#include "proxy/supervisor/supervisor_internal.h"

#include "proxy/process/log.h"

#include <errno.h>
#include <string.h>

void supervisor_tell_file_keys(struct supervisor *s, struct file_keys *starting)
{
    struct file_keys *all[SUPERVISOR_GENERATIONS_MAX + 1] = {starting};
    size_t count = 1;
    bool any = starting != NULL;
    int fd;

    for (size_t i = 0; i < s->generation_count; i++) {
        all[count++] = generation_file_keys(s->generations[i]);
        any = any || all[count - 1] != NULL;
    }
    if (!any)
        return; /* there is no agent, or it is ending */
    fd = file_keys_join(all, count);
    if (fd >= 0)
        agents_give_file_keys(s->agents, fd);
    else
        log_line(LOG_LEVEL_ERROR, "file_keys_failed", log_text("reason", strerror(errno)));
}
