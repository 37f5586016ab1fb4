/* proxy/commands/cmd_crl_help.h: what "yett crl ... --help" prints. Apart from cmd_crl.c, to be read as text. */
#ifndef YETT_PROXY_COMMANDS_CMD_CRL_HELP_H
#define YETT_PROXY_COMMANDS_CMD_CRL_HELP_H

#define CMD_CRL_DIRECTORY_HELP "  --directory DIR        the folder; default /var/lib/yett/crls\n"

static const char cmd_crl_help[] =
    "yett crl COMMAND [options]: certificate revocation lists, kept in a folder.\n"
    "\n"
    "  add       check lists and store them\n"
    "  list      list them\n"
    "  show      tell what is in one\n"
    "  delete    delete one\n"
    "\n"
    "Services with crl = stored use them after the next start or reload; the folder is [yett] crl_directory.\n"
    "Each command has its own --help, with examples.\n";

static const char cmd_crl_help_add[] =
    "yett crl add FILE: check the lists in a PEM or DER file, or in a folder of them, and store them.\n"
    "\n"
    "A list replaces the one of the same issuer and scope, unless it is older than that. A list of a kind that is not\n"
    "used (delta, indirect, for some reasons only) is refused. Its signature is verified when it is used: that takes\n"
    "the issuer's certificate.\n"
    "\n" CMD_CRL_DIRECTORY_HELP "\n"
    "Prints the name of each. Examples:\n"
    "\n"
    "  yett crl add ca.crl && yett reload\n"
    "  curl -sS http://crl.example.org/ca.crl -o ca.crl && yett crl add ca.crl\n";

static const char cmd_crl_help_list[] =
    "yett crl list [--json]: the lists of the folder, one a line.\n"
    "\n"
    "  --json                 one array of objects\n" CMD_CRL_DIRECTORY_HELP "\n"
    "Examples:\n"
    "\n"
    "  yett crl list\n"
    "  yett crl list --json | jq -r '.[] | select(.state != \"current\") | .issuer'\n";

static const char cmd_crl_help_show[] = "yett crl show NAME|FILE: tell what is in a list of the folder, or of a file.\n"
                                        "A name is looked for in the folder first, then here.\n"
                                        "\n"
                                        "  --json                 an object instead\n" CMD_CRL_DIRECTORY_HELP "\n"
                                        "Examples:\n"
                                        "\n"
                                        "  yett crl show ./ca.crl\n";

static const char cmd_crl_help_delete[] = "yett crl delete NAME: delete a list of the folder.\n"
                                          "\n" CMD_CRL_DIRECTORY_HELP "\n"
                                          "Examples:\n"
                                          "\n"
                                          "  yett crl delete \"$(yett crl list --json | jq -r '.[0].name')\"\n";

#endif
