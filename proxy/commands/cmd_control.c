/* see proxy/commands/commands.h: the commands that change something about the running yett. */
#include "proxy/commands/commands.h"

#include "proxy/commands/control_client.h"
#include "tokens/pin.h"
#include "tokens/token_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMON_OPTIONS                                                                                                 \
    "  -c, --config FILE   the configuration the running yett was started with; default /etc/yett/yett.conf\n"         \
    "  --control PATH      its control socket, when it is another than the configuration says\n"

static const char reload_help[] =
    "Usage: yett reload [-c FILE]\n"
    "\n"
    "Has the running yett read its configuration again, and waits for the outcome.\n"
    "\n" COMMON_OPTIONS "\n"
    "New workers are started on the same sockets; when all of them are ready, the old ones stop accepting and go on\n"
    "with their sessions for at most drain_timeout. No connection is refused or cut. A configuration with errors\n"
    "changes nothing, and each error is printed as FILE:LINE: message. What yett check would warn of is printed as\n"
    "FILE:LINE: warning: message, and changes nothing either.\n"
    "\n"
    "Exit status: 0 the new configuration is in force, 1 it is not, 2 wrong usage.\n";

static const char drain_help[] =
    "Usage: yett drain [-c FILE]\n"
    "\n"
    "Takes the running yett out of service: it stops listening, /healthz says 503, and sessions go on until they end\n"
    "or drain_timeout is over. yett itself stays: watch it with \"yett status\", bring it back with \"yett reload\", or\n"
    "end it with \"yett stop\".\n"
    "\n" COMMON_OPTIONS "\n"
    "Exit status: 0 / 1 / 2.\n";

static const char stop_help[] =
    "Usage: yett stop [-c FILE] [--now]\n"
    "\n"
    "Ends the running yett and waits until it has ended. It stops accepting at once, and lets sessions go on for at\n"
    "most drain_timeout.\n"
    "\n" COMMON_OPTIONS "  --now               do not wait for sessions: close them\n"
    "\n"
    "Exit status: 0 / 1 / 2.\n";

static const char login_help[] =
    "Usage: yett token login [-c FILE] MODULE [URI]\n"
    "\n"
    "Gives the running yett the PIN of a token of [module MODULE]: asked for on the terminal, or the first line of standard\n"
    "input. Which token, a pkcs11: URI says (token=LABEL, serial=NUMBER); without one it is the token that waits for a\n"
    "PIN. It is tried once, on that token, and is used instead of the configured one until that changes and is reloaded.\n"
    "Waits for what the token says. While the token is logged in, or away, the PIN is kept for its next login.\n"
    "\n" COMMON_OPTIONS "\n"
    "Exit status: 0 logged in, or kept, 1 not, 2 wrong usage.\n"
    "\n"
    "Example:\n"
    "  yett token login hsm\n"
    "  yett token login hsm 'pkcs11:token=Mail;serial=4711'\n";

static const char logout_help[] =
    "Usage: yett token logout [-c FILE] MODULE\n"
    "\n"
    "Takes the PIN of a [module MODULE] back from the running yett: it logs out of the module's tokens, wipes the PIN,\n"
    "and signs nothing on tokens that need one, until \"yett token login MODULE\", or a restart. A reload changes\n"
    "nothing about it, unless it names another source of the PIN. Established connections go on; new ones that need\n"
    "the token are refused. \"yett status\" shows pin=logged_out.\n"
    "\n" COMMON_OPTIONS "\n"
    "Exit status: 0 handed on, 1 not, 2 wrong usage.\n"
    "\n"
    "Example:\n"
    "  yett token logout hsm     # before the card is taken home\n"
    "  yett token login hsm      # asks for the PIN\n";

static int ask(const struct command_line *line, json_t *request, enum control_wait wait)
{
    json_t *reply = control_client_ask(line, request, wait);

    if (reply == NULL)
        return COMMAND_FAILED;
    json_decref(reply);
    return COMMAND_DONE;
}

int cmd_reload(int argc, char **argv)
{
    struct command_line line;
    const char *warnings;
    json_t *reply;
    int status;

    if (!command_line_parse(&line, argc, argv, COMMAND_CONTROL, 0, reload_help, &status))
        return status;
    reply = control_client_ask(&line, json_pack("{s:s}", "command", "reload"), CONTROL_ANSWER);
    if (reply == NULL)
        return COMMAND_FAILED;
    warnings = json_string_value(json_object_get(reply, "warnings"));
    if (warnings != NULL && warnings[0] != '\0') /* a yett that was started before an upgrade says none */
        printf("%s\n", warnings);
    json_decref(reply);
    return COMMAND_DONE;
}

int cmd_drain(int argc, char **argv)
{
    struct command_line line;
    int status;

    if (!command_line_parse(&line, argc, argv, COMMAND_CONTROL, 0, drain_help, &status))
        return status;
    return ask(&line, json_pack("{s:s}", "command", "drain"), CONTROL_ANSWER);
}

int cmd_stop(int argc, char **argv)
{
    struct command_line line;
    int status;

    if (!command_line_parse(&line, argc, argv, COMMAND_CONTROL | COMMAND_NOW, 0, stop_help, &status))
        return status;
    return ask(&line, json_pack("{s:s, s:b}", "command", "stop", "now", (line.options & COMMAND_NOW) != 0),
               CONTROL_THE_END);
}

/* The PIN, with echo off where there is a terminal. NULL after having said why. */
static struct tokens_pin *read_pin(const char *module)
{
    struct tokens_pin *pin;
    char line[TOKENS_PIN_MAX + 2];
    char *error = NULL, *question;

    if (isatty(STDIN_FILENO)) {
        question = base_printf("PIN of [module %s]: ", module);
        pin = tokens_pin_read(TOKENS_PIN_PROMPT, NULL, question, &error);
        free(question);
    } else {
        setvbuf(stdin, NULL, _IONBF, 0); /* nothing of it may stay in a buffer */
        pin = fgets(line, sizeof(line), stdin) == NULL ? NULL : tokens_pin_copy(line, strcspn(line, "\r\n"), &error);
        base_wipe(line, sizeof(line));
    }
    if (pin == NULL)
        fprintf(stderr, "yett token login: %s\n", error == NULL ? "no PIN was given" : error);
    free(error);
    return pin;
}

int cmd_token_logout(int argc, char **argv)
{
    struct command_line line;
    int status;

    if (!command_line_parse(&line, argc, argv, COMMAND_CONTROL, 1, logout_help, &status))
        return status;
    return ask(&line, json_pack("{s:s, s:s}", "command", "logout", "module", line.arguments[0]), CONTROL_ANSWER);
}

/* NULL after having said why. */
static json_t *login_request(const struct command_line *line)
{
    char *label, *serial, *error = NULL;
    json_t *request;

    if (line->argument_count == 1)
        return json_pack("{s:s, s:s}", "command", "login", "module", line->arguments[0]);
    if (!tokens_token_name(line->arguments[1], &label, &serial, &error)) {
        fprintf(stderr, "yett token login: %s\n", error);
        free(error);
        return NULL;
    }
    request = json_pack("{s:s, s:s, s:s, s:s}", "command", "login", "module", line->arguments[0], "token", label,
                        "serial", serial);
    free(label);
    free(serial);
    return request;
}

int cmd_token_login(int argc, char **argv)
{
    struct command_line line;
    struct tokens_pin *pin;
    json_t *request, *reply;
    int status;

    if (!command_line_parse(&line, argc, argv, COMMAND_CONTROL | COMMAND_ONE_MORE, 1, login_help, &status))
        return status;
    request = login_request(&line);
    if (request == NULL)
        return COMMAND_USAGE;
    pin = read_pin(line.arguments[0]);
    if (pin == NULL) {
        json_decref(request);
        return COMMAND_FAILED;
    }
    reply = control_client_ask_with_secret(&line, request, tokens_pin_text(pin));
    tokens_pin_destroy(&pin);
    if (reply == NULL)
        return COMMAND_FAILED;
    printf("%s\n", json_string_value(json_object_get(reply, "text")));
    json_decref(reply);
    return COMMAND_DONE;
}
