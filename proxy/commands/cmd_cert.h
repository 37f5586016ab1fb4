/* proxy/commands/cmd_cert.h: "yett cert": the certificates and keys of the NSS database. See tls/manage/database.h,
 * tls/manage/issue.h. */
#ifndef YETT_PROXY_COMMANDS_CMD_CERT_H
#define YETT_PROXY_COMMANDS_CMD_CERT_H

/* argv[0] is "cert". Writes what was asked to standard output, sentences about errors to standard error. Returns the
 * exit status: 0 done, 1 not done, 2 wrong usage. */
int cmd_cert(int argc, char **argv);

#endif
