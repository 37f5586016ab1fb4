/* see tokens/certs.h */
#include "tokens/certs.h"
#include "tokens/agent_client.h"

#include <stdlib.h>

enum { TRIES_MAX = 3 /* for a list that changes while its pages are read */ };

/* A list as it comes, page by page. */
struct list {
    uint8_t *frames[TOKENS_WIRE_CERTS_MAX]; /* own what certs[] points to; each page has one certificate or more */
    size_t frame_count;
    struct span certs[TOKENS_WIRE_CERTS_MAX];
    size_t count, total;
    uint64_t tag;
};

static void list_clear(struct list *list)
{
    for (size_t i = 0; i < list->frame_count; i++)
        free(list->frames[i]);
    *list = (struct list){0};
}

enum got { GOT_ALL, GOT_MORE, GOT_CHANGED, GOT_NOTHING, GOT_AMBIGUOUS };

/* Takes the frame. A page that is not the next one of this list makes no sense. */
static enum got take_page(struct list *list, struct span page, uint8_t *frame, char **why)
{
    struct tokens_wire_certs certs;

    if (tokens_wire_certs_decode(page, &certs) != TOKENS_WIRE_OK || certs.first != list->count ||
        (list->count != 0 && (certs.list_tag != list->tag || certs.total != list->total))) {
        free(frame);
        *why = base_strdup(agent_client_status_text(AGENT_CLIENT_BAD_REPLY));
        return GOT_NOTHING;
    }
    list->frames[list->frame_count++] = frame;
    list->tag = certs.list_tag;
    list->total = certs.total;
    for (size_t i = 0; i < certs.count; i++)
        list->certs[list->count++] = certs.certs[i];
    return list->count == list->total ? GOT_ALL : GOT_MORE;
}

static enum got next_page(struct agent_client *client, const char *uri, struct list *list, char **why)
{
    struct tokens_wire_request request = {
        .type = TOKENS_WIRE_LIST, .uri = span_of_string(uri), .first = (uint16_t)list->count, .list_tag = list->tag};
    struct tokens_wire_reply reply;
    uint8_t *frame = NULL;
    enum agent_client_status status = agent_client_call(client, &request, TOKENS_CERTS_TIMEOUT_MS, &reply, &frame);
    enum got got = GOT_NOTHING;

    if (status == AGENT_CLIENT_OK && reply.type == TOKENS_WIRE_LISTED)
        return take_page(list, reply.certs, frame, why);
    if (status == AGENT_CLIENT_OK && reply.type == TOKENS_WIRE_FAILED) {
        got = reply.failure == TOKENS_WIRE_KEY_CHANGED ? GOT_CHANGED
              : reply.failure == TOKENS_WIRE_AMBIGUOUS ? GOT_AMBIGUOUS
                                                       : GOT_NOTHING;
        *why = base_strndup((const char *)reply.text.data, reply.text.size);
    } else {
        *why = base_strdup(agent_client_status_text(status == AGENT_CLIENT_OK ? AGENT_CLIENT_BAD_REPLY : status));
    }
    free(frame);
    return got;
}

/* The whole list of one agent. On GOT_NOTHING and GOT_AMBIGUOUS *why is a sentence. */
static enum got read_agent(const struct tokens_certs_agent *agent, const char *uri, struct list *list, char **why)
{
    struct agent_client *client = agent_client_create(agent->socket_path);
    enum got got = GOT_CHANGED;

    for (unsigned i = 0; i < TRIES_MAX && got == GOT_CHANGED; i++) {
        free(*why);
        *why = NULL;
        list_clear(list);
        do
            got = next_page(client, uri, list, why);
        while (got == GOT_MORE);
    }
    agent_client_destroy(&client);
    return got == GOT_CHANGED ? GOT_NOTHING : got;
}

static void add_reason(char **reasons, const char *module, const char *why)
{
    char *longer =
        base_printf("%s%smodule %s: %s", *reasons == NULL ? "" : *reasons, *reasons == NULL ? "" : "; ", module, why);

    free(*reasons);
    *reasons = longer;
}

/* Exactly one agent's list, into *found. */
static bool read_agents(const struct tokens_certs_agent *agents, size_t agent_count, const char *uri,
                        struct list *found, char **error)
{
    struct list *list = base_alloc(sizeof(*list));
    char quoted[BASE_QUOTE_SIZE];
    char *reasons = NULL;
    bool ambiguous = false;

    for (size_t i = 0; i < agent_count; i++) {
        char *why = NULL;
        enum got got = read_agent(&agents[i], uri, list, &why);

        if (got == GOT_ALL && found->count == 0) {
            *found = *list;
            *list = (struct list){0};
            continue;
        }
        add_reason(&reasons, agents[i].name,
                   got == GOT_ALL ? "a token matches, and so does one of another module" : why);
        ambiguous = ambiguous || got == GOT_ALL || got == GOT_AMBIGUOUS;
        free(why);
    }
    list_clear(list);
    free(list);
    if (ambiguous || found->count == 0)
        *error = base_printf("cannot use %s: %s", base_quote(uri, strlen(uri), quoted, sizeof(quoted)),
                             reasons == NULL ? "no module is configured" : reasons);
    free(reasons);
    return !ambiguous && found->count != 0;
}

/* see tokens/certs.h */
bool tokens_certs_read(const struct tokens_certs_agent *agents, size_t agent_count, const char *uri,
                       bool (*take)(void *ctx, struct span der, char **error), void *ctx, char **error)
{
    struct list *list = base_alloc(sizeof(*list));
    bool good;

    assert(strstr(uri, "pin-value") == NULL); /* the configuration refuses it: a PIN is sent nowhere, and not quoted */
    good = read_agents(agents, agent_count, uri, list, error);
    for (size_t i = 0; good && i < list->count; i++)
        good = take(ctx, list->certs[i], error);
    list_clear(list);
    free(list);
    return good;
}
