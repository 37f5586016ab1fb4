/* Who may connect to an agent, and ask for what: see tokens/agent/agent_access.h and tokens/grants.h */
#include "tokens/agent/agent_access.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whose the socket's file is would say nothing: others may write to its folder, and its name may be another by now.
 * see tokens/agent/agent_access.h */
void agent_access_take_client(struct agent *agent, const char *text)
{
    char *end;
    unsigned long uid = strtoul(text, &end, 10);

    if (*text >= '0' && *text <= '9' && *end == '\0' && uid < UINT32_MAX)
        agent->front.client_uid = (uid_t)uid;
}

/* One that cannot be read leaves things as they are: what was granted is not more than what is in force.
 * see tokens/agent/agent_access.h */
void agent_access_take_grants(struct agent *agent, int file)
{
    struct tokens_grants *grants = NULL;
    struct stat info;
    uint8_t *text;
    ssize_t size;

    if (file < 0 || fstat(file, &info) != 0 || info.st_size < 0 || info.st_size > TOKENS_GRANTS_BYTES_MAX)
        return;
    text = base_alloc((size_t)info.st_size + 1);
    size = pread(file, text, (size_t)info.st_size, 0);
    if (size == info.st_size)
        grants = tokens_grants_parse(span_of(text, (size_t)size));
    free(text);
    if (grants == NULL)
        return;
    tokens_grants_destroy(&agent->front.grants);
    agent->front.grants = grants;
}

/* see tokens/agent/agent_access.h */
bool agent_access_connect(struct agent *agent, int fd, struct conn *conn)
{
    struct kin_peer peer;

    if (!kin_peer(fd, &peer) || (peer.uid != geteuid() && peer.uid != 0 && peer.uid != agent->front.client_uid))
        return false;
    conn->pid = peer.pid;
    /* The user that workers have become is there for workers alone. So are keys of files: "yett check" opens those by
     * itself, so that nobody else has a reason to ask. */
    conn->by_grants = agent->options.file_keys || kin_of_peer(fd, &peer, agent->supervisor) != KIN_STRANGER ||
                      (peer.uid != geteuid() && peer.uid != 0);
    return true;
}

/* see tokens/agent/agent_access.h */
bool agent_access_request(struct agent *agent, const struct conn *conn, const struct tokens_wire_request *request)
{
    return !conn->by_grants || tokens_grants_allow(agent->front.grants, conn->pid, request->type, request->uri);
}
