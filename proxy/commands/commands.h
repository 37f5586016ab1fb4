/* proxy/commands/commands.h: the commands of the control plane. Each is given its own name as argv[0] and returns the
 * exit status of interface: 0 done, 1 not done, 2 wrong usage. */
#ifndef YETT_PROXY_COMMANDS_COMMANDS_H
#define YETT_PROXY_COMMANDS_COMMANDS_H

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_connections(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_drain(int argc, char **argv);
int cmd_stop(int argc, char **argv);
/* `yett token login` and `logout`: of the token commands, those that talk to the running yett. argv[0] is the last
 * word. */
int cmd_token_logout(int argc, char **argv);
int cmd_token_login(int argc, char **argv);
int cmd_version(int argc, char **argv);

#endif
