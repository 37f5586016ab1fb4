/* proxy/commands/cmd_verify.h: "yett verify": build and check a path and explain it. See pkix/verify.h. */
#ifndef YETT_PROXY_COMMANDS_CMD_VERIFY_H
#define YETT_PROXY_COMMANDS_CMD_VERIFY_H

/* argv[0] is "verify". Writes the explanation to standard output, sentences about wrong use and unreadable files to
 * standard error. Returns the exit status: 0 valid, 1 not valid, 2 wrong usage or unreadable input. */
int cmd_verify(int argc, char **argv);

#endif
