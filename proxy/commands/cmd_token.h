/* proxy/commands/cmd_token.h: "yett token": tokens, keys and certificates behind a PKCS#11 module. See
 * tokens/manage/manage.h. */
#ifndef YETT_PROXY_COMMANDS_CMD_TOKEN_H
#define YETT_PROXY_COMMANDS_CMD_TOKEN_H

/* argv[0] is "token". Works on the module itself, in this process, beside any running proxy. Writes what was asked to
 * standard output, sentences about errors to standard error. Returns the exit status: 0 done, 1 not done, 2 wrong
 * usage. */
int cmd_token(int argc, char **argv);

#endif
