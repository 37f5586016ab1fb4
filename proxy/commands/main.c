/* yett: one binary; which command it is goes by the first argument. */
#include "proxy/commands/cmd_agent.h"
#include "proxy/commands/cmd_cert.h"
#include "proxy/commands/cmd_crl.h"
#include "proxy/commands/cmd_token.h"
#include "proxy/commands/cmd_trust.h"
#include "proxy/commands/cmd_verify.h"
#include "proxy/commands/command_line.h"
#include "proxy/commands/commands.h"
#include "proxy/process/harmless_signals.h"
#include "proxy/process/version.h"
#include "proxy/worker/worker.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* NULL: internal */
};

static int run_worker(int argc, char **argv);
static int run_agent(int argc, char **argv);
static int run_token(int argc, char **argv);
static int run_help(int argc, char **argv);

static const struct command commands[] = {
    {"run", cmd_run, "run the proxy in the foreground"},
    {"check", cmd_check, "check the configuration, and open all it names"},
    {"status", cmd_status, "show the running yett: workers, services, tokens"},
    {"connections", cmd_connections, "list its sessions"},
    {"show", cmd_show, "show one session"},
    {"reload", cmd_reload, "have it read its configuration again"},
    {"drain", cmd_drain, "take it out of service, and let sessions end"},
    {"stop", cmd_stop, "end it"},
    {"cert", cmd_cert, "certificates and keys in the NSS database"},
    {"crl", cmd_crl, "certificate revocation lists"},
    {"trust", cmd_trust, "the roots of Mozilla's list, and their age"},
    {"token", run_token, "PKCS#11 modules, tokens and their keys"},
    {"verify", cmd_verify, "build and check a certificate path, and explain it"},
    {"version", cmd_version, "print versions"},
    {"help", run_help, "print this"},
    {"worker", run_worker, NULL},
    {"agent", run_agent, NULL},
};

/* A terminal's Ctrl-C and a service manager's SIGTERM reach the whole group. When children end is for the supervisor to
 * say, over their control sockets; when it is gone, these close. */
static void leave_signals_to_supervisor(void)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    harmless_signals_ignore();
}

static int run_worker(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    prctl(PR_SET_NAME, "yett-worker"); /* else ps shows the name it was started by, /proc/self/exe */
    leave_signals_to_supervisor();
    return worker_main();
}

/* An agent sees to its signals itself. */
static int run_agent(int argc, char **argv)
{
    prctl(PR_SET_NAME, "yett-agent");
    harmless_signals_ignore();
    return cmd_agent(argc, argv);
}

/* Of the token commands, two are for the running yett; the others open the module themselves. */
static int run_token(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "login") == 0)
        return cmd_token_login(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "logout") == 0)
        return cmd_token_logout(argc - 1, argv + 1);
    return cmd_token(argc, argv);
}

static void print_commands(FILE *out)
{
    fputs("Usage: yett COMMAND [options]\n"
          "\n"
          "yett puts TLS in front of and behind programs: it accepts and opens TLS connections, upgrades plain-text\n"
          "protocols with STARTTLS in both directions, verifies its peers, and signs with keys that stay on tokens.\n"
          "\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].summary != NULL)
            fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fputs(
        "\n"
        "\"yett COMMAND --help\" tells more about each. The configuration is /etc/yett/yett.conf unless -c FILE says\n"
        "otherwise.\n"
        "\n"
        "To begin with: write a service into yett.conf, look it over, run it, and watch it:\n"
        "\n"
        "  [service imaps]\n"
        "  listen     = 0.0.0.0:993\n"
        "  listen_tls = implicit\n"
        "  identity   = file:/etc/yett/mail.pem\n"
        "  connect    = 127.0.0.1:143\n"
        "\n"
        "  yett check -c yett.conf\n"
        "  yett run -c yett.conf\n"
        "  yett status -c yett.conf\n",
        out);
}

static int run_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    print_commands(stdout);
    return COMMAND_DONE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_commands(stderr);
        return COMMAND_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return run_help(argc - 1, argv + 1);
    if (strcmp(argv[1], "--version") == 0) {
        printf("yett %s\n", yett_version());
        return COMMAND_DONE;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, argv[1]) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "yett: there is no command \"%s\"; see: yett --help\n", argv[1]);
    return COMMAND_USAGE;
}
