/* see proxy/supervisor/supervisor.h: what the control socket and the admin endpoint can have done */
#include "proxy/supervisor/supervisor.h"

static json_t *status(const void *data)
{
    return supervisor_status(data);
}

static bool is_in_service(const void *data)
{
    return supervisor_is_in_service(data);
}

static void connections(void *data, control_gathered done, void *done_data)
{
    supervisor_connections(data, done, done_data);
}

static void reload(void *data, control_reloaded done, void *done_data)
{
    supervisor_reload(data, done, done_data);
}

static void drain(void *data)
{
    supervisor_drain(data);
}

static void stop(void *data, bool now)
{
    supervisor_stop(data, now ? SUPERVISOR_STOP_NOW : SUPERVISOR_STOP_GRACEFULLY);
}

static void login(void *data, const char *module, const char *token, struct span pin, control_logged_in done,
                  void *done_data)
{
    supervisor_login(data, module, token, pin, done, done_data);
}

static bool logout(void *data, const char *module, char **error)
{
    return supervisor_logout(data, module, error);
}

struct control_desk supervisor_desk(struct supervisor *s)
{
    static const struct control_operations can = {
        .status = status,
        .is_in_service = is_in_service,
        .connections = connections,
        .reload = reload,
        .drain = drain,
        .stop = stop,
        .login = login,
        .logout = logout,
    };

    return (struct control_desk){.can = &can, .data = s};
}
