/* proxy/commands/cmd_trust_help.h: what "yett trust ... --help" prints. Apart from cmd_trust.c, to be read as text. */
#ifndef YETT_PROXY_COMMANDS_CMD_TRUST_HELP_H
#define YETT_PROXY_COMMANDS_CMD_TRUST_HELP_H

#define CMD_TRUST_ROOTS_HELP "  --roots PATH           where the list is kept; default /var/lib/yett/roots.list\n"

static const char cmd_trust_help[] =
    "yett trust COMMAND [options]: the roots that trust = mozilla means.\n"
    "\n"
    "  update    take in a newer list\n"
    "  status    tell which list is used, of when, and what it lacks\n"
    "\n"
    "NSS comes with Mozilla's list of the day it was built; yett knows what has been removed from it since, up to the day\n"
    "this version of yett was made. What was added since comes with a newer list, or with trust = system.\n"
    "Each command has its own --help, with examples.\n";

static const char cmd_trust_help_update[] =
    "yett trust update FILE: check a newer list of Mozilla's roots, and keep it.\n"
    "\n"
    "FILE is a certdata.txt, as in NSS's source, or a PEM bundle. A certdata.txt also says until when a root is trusted,\n"
    "and what is distrusted; a bundle does not. Nothing in either proves that it is Mozilla's: take it from where you\n"
    "trust. The difference to the list in use is told, and a list that lacks half of that is refused.\n"
    "\n"
    "  --date YYYY-MM-DD      the day the list is of; default: when FILE was last changed\n"
    "  --force                take a list that is older than the one kept, or lacks half of what is in use\n" CMD_TRUST_ROOTS_HELP
    "\n"
    "Examples:\n"
    "\n"
    "  yett trust update certdata.txt && yett reload\n"
    "  yett trust update --date 2026-11-20 cacert.pem\n";

static const char cmd_trust_help_status[] =
    "yett trust status [--json]: which list trust = mozilla uses, of when, and what was changed in it.\n"
    "\n"
    "  --json                 one object\n" CMD_TRUST_ROOTS_HELP "\n"
    "Examples:\n"
    "\n"
    "  yett trust status\n"
    "  yett trust status --json | jq .age_days\n";

#endif
