/* proxy/commands/cmd_trust.h: "yett trust": newer roots for trust = mozilla, and the age of those there are
 * (pkix/roots.h). */
#ifndef YETT_PROXY_COMMANDS_CMD_TRUST_H
#define YETT_PROXY_COMMANDS_CMD_TRUST_H

/* argv[0] is "trust". Writes what was asked to standard output, sentences about errors to standard error. Returns the
 * exit status: 0 done, 1 not done, 2 wrong usage. */
int cmd_trust(int argc, char **argv);

#endif
