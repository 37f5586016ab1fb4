/* proxy/commands/cmd_token_help.h: what "yett token ... --help" prints. Apart from cmd_token.c, to be read as text. */
#ifndef YETT_PROXY_COMMANDS_CMD_TOKEN_HELP_H
#define YETT_PROXY_COMMANDS_CMD_TOKEN_HELP_H

#define CMD_TOKEN_MODULE_HELP                                                                                          \
    "  --module PATH|NAME     the PKCS#11 module: a library, or with -c the name of a [module NAME]\n"                 \
    "  -c, --config FILE      yett.conf, whose [module NAME] says library, environment and PIN\n"
#define CMD_TOKEN_PIN_HELP                                                                                             \
    "  --pin SOURCE           where the PIN is: file:PATH, env:NAME, credential:NAME, or prompt (default)\n"

static const char cmd_token_help[] =
    "yett token COMMAND [options]: tokens, keys and certificates behind a PKCS#11 module.\n"
    "\n"
    "  list      list tokens and what is on them, as pkcs11: URIs\n"
    "  info      what a module, its tokens and their mechanisms are and can do\n"
    "  set-pin   change a token's PIN\n"
    "  init      initialise an empty slot's token (for SoftHSM and other demo tokens)\n"
    "  keygen    make a key pair that never leaves the token\n"
    "  request   make a certificate request for a key, signed on the token\n"
    "  import    put an issued certificate beside its key\n"
    "  login     give a PIN to the running yett, after one was refused or taken back\n"
    "  logout    take the PIN back from the running yett\n"
    "\n"
    "Keys and tokens are named by URI (RFC 7512), such as 'pkcs11:token=demo;object=alice'; quote it, for the shell.\n"
    "A PIN is never given on the command line, where every user of the machine could read it.\n"
    "Each command has its own --help, with examples.\n";

static const char cmd_token_help_list[] =
    "yett token list [options]: tokens and what is on them. Without a PIN, what the token shows to everybody.\n"
    "\n"
    "  --json                 JSON instead of lines\n" CMD_TOKEN_MODULE_HELP "\n"
    "Examples:\n"
    "\n"
    "  yett token list --module /usr/lib/softhsm/libsofthsm2.so\n"
    "  yett token list -c /etc/yett/yett.conf --module hsm --json\n";

static const char cmd_token_help_info[] =
    "yett token info [URI|MODULE] [options]: what a module and its tokens say of themselves: versions, flags, lengths of\n"
    "PINs, sessions, memory, and each mechanism with its key sizes (bits or bytes, as PKCS#11 has it) and what it is for.\n"
    "Needs no PIN. The login state is that of this command: \"yett status\" tells that of the running yett.\n"
    "\n"
    "  --json                 one object instead\n" CMD_TOKEN_MODULE_HELP "\n"
    "For a server's RSA key and TLS 1.3, look for CKM_RSA_PKCS_PSS (or CKM_RSA_X_509) with \"sign\"; for EC, CKM_ECDSA.\n"
    "\n"
    "Examples:\n"
    "\n"
    "  yett token info /usr/lib/softhsm/libsofthsm2.so\n"
    "  yett token info -c /etc/yett/yett.conf --module hsm pkcs11:token=demo --json\n";

static const char cmd_token_help_set_pin[] =
    "yett token set-pin URI [options]: change the PIN of the token that URI names, knowing the old one. How good the new\n"
    "one is, is told: its length, the kinds of characters in it, and what does not count (1111, 1234, 121212).\n"
    "A weak one is refused, and so is what the token itself does not want, with its own message.\n"
    "\n"
    "  --pin SOURCE           where the old PIN is: file:PATH, env:NAME, credential:NAME, or prompt (default)\n"
    "  --new-pin SOURCE       where the new one is; asked for twice with prompt (default)\n"
    "  --insecure-weak-pin    set it however weak it is\n" CMD_TOKEN_MODULE_HELP "\n"
    "A reader with a key pad asks for both by itself. A running yett has the old PIN until it is told: put the new one\n"
    "where its configuration says it is and reload, or use yett token login.\n"
    "\n"
    "Example:\n"
    "\n"
    "  yett token set-pin --module /usr/lib/softhsm/libsofthsm2.so pkcs11:token=demo\n"
    "  yett token set-pin -c /etc/yett/yett.conf --module hsm --new-pin file:new-pin pkcs11:token=demo\n";

static const char cmd_token_help_init[] =
    "yett token init [options]: initialise the first empty slot's token, and set its PINs.\n"
    "\n"
    "  --label NAME           what the token will be called\n"
    "  --so-pin SOURCE        the PIN of its security officer, like --pin\n" CMD_TOKEN_PIN_HELP CMD_TOKEN_MODULE_HELP
    "\n"
    "Example:\n"
    "\n"
    "  yett token init --module /usr/lib/softhsm/libsofthsm2.so --label demo --pin file:pin --so-pin file:so-pin\n";

static const char cmd_token_help_keygen[] =
    "yett token keygen URI [options]: make a key pair on the token that URI names; object= is the key's label. The key\n"
    "only signs, and cannot be taken off the token. Prints the key's URI.\n"
    "\n"
    "  --type TYPE            p256 (default), p384, p521, rsa2048, rsa3072, rsa4096\n"
    "  --force                also where a key of this label is there already\n" CMD_TOKEN_PIN_HELP
        CMD_TOKEN_MODULE_HELP "\n"
    "Example:\n"
    "\n"
    "  yett token keygen --module /usr/lib/softhsm/libsofthsm2.so --pin file:pin 'pkcs11:token=demo;object=alice'\n";

static const char cmd_token_help_request[] =
    "yett token request URI [options]: a certificate request (PKCS#10, PEM) for the key that URI names, signed on the\n"
    "token. Send it to an authority, then: yett token import.\n"
    "\n"
    "  --subject NAME         such as CN=alice,O=Example\n"
    "  --san NAME             dns:HOST, ip:ADDRESS, email:ADDRESS or uri:URI; repeat for more\n"
    "  --out FILE             where to write it; default: standard output\n" CMD_TOKEN_PIN_HELP CMD_TOKEN_MODULE_HELP
    "\n"
    "Example:\n"
    "\n"
    "  yett token request --module /usr/lib/softhsm/libsofthsm2.so --pin file:pin \\\n"
    "      'pkcs11:token=demo;object=alice' --subject CN=alice --san email:alice@example.org --out alice.csr\n"
    "  yett cert create --database sql:demo --issuer ca.pem --client --request alice.csr --out alice.pem\n";

static const char cmd_token_help_import[] =
    "yett token import URI FILE [options]: put the certificate in FILE (PEM) on the token that URI names, which has its\n"
    "key, with the key's CKA_ID and label. Prints the certificate's URI.\n"
    "\n" CMD_TOKEN_PIN_HELP CMD_TOKEN_MODULE_HELP "\n"
    "Example:\n"
    "\n"
    "  yett token import --module /usr/lib/softhsm/libsofthsm2.so --pin file:pin pkcs11:token=demo alice.pem\n";

#endif
