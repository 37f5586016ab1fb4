/* proxy/commands/cmd_crl.h: "yett crl": the folder of CRLs that services with crl = stored use.
 *
 * A file is named by its list's issuer and scope (pkix_crl_file_name()) and holds one list, DER. It is replaced by
 * rename(), so that a worker that starts meanwhile reads the old one or the new one. */
#ifndef YETT_PROXY_COMMANDS_CMD_CRL_H
#define YETT_PROXY_COMMANDS_CMD_CRL_H

/* argv[0] is "crl". Writes what was asked to standard output, sentences about errors to standard error. Returns the
 * exit status: 0 done, 1 not done, 2 wrong usage. */
int cmd_crl(int argc, char **argv);

#endif
