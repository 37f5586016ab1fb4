/* proxy/commands/cmd_token_internal.h: what the commands of "yett token" that open a module themselves have in common.
 * Commands take a struct token_options (proxy/commands/subcommand.h). On failure *error has a sentence, owned by the
 * caller. */
#ifndef YETT_PROXY_COMMANDS_CMD_TOKEN_INTERNAL_H
#define YETT_PROXY_COMMANDS_CMD_TOKEN_INTERNAL_H

#include "config/config.h"
#include "proxy/commands/subcommand.h"
#include "tokens/manage/manage.h"
#include "tokens/pin.h"

struct token_options {
    struct subcommand_line line; /* first */
    /* All that any of the commands can be told. */
    const char *config;
    const char *module;
    const char *pin;
    const char *new_pin;
    const char *so_pin;
    const char *label;
    const char *type;
    const char *subject;
    const char *out;
    struct subcommand_texts sans;
    bool json, insecure_weak_pin, force;
    /* What they work with, filled in before they run. */
    struct tokens_module *opened;
    struct config *read; /* NULL: no configuration was named */
    enum tokens_pin_source pin_source;
    const char *pin_value; /* of the options or the configuration */
};

int cmd_token_list(void *options);
int cmd_token_init(void *options);
int cmd_token_info(void *options);
int cmd_token_set_pin(void *options);
int cmd_token_keygen(void *options);
int cmd_token_request(void *options);
int cmd_token_import(void *options);

/* The user's PIN, from where --pin or the configuration says. NULL with *error. */
struct tokens_pin *token_pin_read(const struct token_options *o, char **error);

#endif
