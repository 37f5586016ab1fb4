/* proxy/commands/cmd_cert_help.h: what "yett cert ... --help" prints. Apart from cmd_cert.c, to be read as text. */
#ifndef YETT_PROXY_COMMANDS_CMD_CERT_HELP_H
#define YETT_PROXY_COMMANDS_CMD_CERT_HELP_H

#define CMD_CERT_DATABASE_HELP                                                                                         \
    "  --database sql:DIR     the database; default sql:/var/lib/yett/nss\n"                                           \
    "  --password-file FILE   its password, if it has one\n"

static const char cmd_cert_help[] =
    "yett cert COMMAND [options]: certificates and keys in an NSS database.\n"
    "\n"
    "  create    make an authority, issue a certificate, sign a request\n"
    "  list      list the certificates\n"
    "  show      show one, of the database or of a file\n"
    "  import    store certificates and keys from PEM or PKCS#12 files\n"
    "  export    write a certificate, and its key if asked, to PEM files\n"
    "  trust     say whom the database trusts as an authority\n"
    "  delete    delete a certificate\n"
    "\n"
    "A certificate is named by its SHA-256 fingerprint, as create, import and list print it: sha256=HEX.\n"
    "In yett.conf it is an identity = nss:sha256=HEX when its key is in the database.\n"
    "Each command has its own --help, with examples.\n";

static const char cmd_cert_help_create[] =
    "yett cert create [options]: make a certificate and its key, or sign a request.\n"
    "\n"
    "  --ca                   for an authority: it signs others\n"
    "  --server, --client     for a server (default), a client, or both\n"
    "  --issuer WHO           the authority that signs: sha256=HEX, or its PEM file; its key is in the database\n"
    "  --self-signed          no authority: for tests\n"
    "  --subject NAME         such as CN=localhost,O=Example\n"
    "  --san NAME             dns:HOST, ip:ADDRESS, email:ADDRESS or uri:URI; repeat for more. Servers need one:\n"
    "                         clients look for the host there, not in the subject\n"
    "  --days N               how long it is valid; default 365, 3650 for an authority, within its issuer's\n"
    "  --key-type TYPE        p256 (default), p384, rsa2048, rsa3072, rsa4096\n"
    "  --request FILE         sign this PEM request (PKCS#10) instead of making a key; its names are taken over\n"
    "                         unless --subject and --san say others, its other wishes are not\n"
    "  --out FILE             write the certificate as PEM\n"
    "  --out-key FILE         write the key too (PKCS#8 PEM, mode 0600, a new file). Without this it stays in the\n"
    "                         database. The same FILE as --out makes an identity = file:FILE\n" CMD_CERT_DATABASE_HELP
    "\n"
    "Prints sha256=HEX. Examples:\n"
    "\n"
    "  yett cert create --database sql:demo --ca --subject 'CN=Demo CA' --out ca.pem\n"
    "  yett cert create --database sql:demo --issuer ca.pem --subject CN=localhost --san dns:localhost \\\n"
    "      --san ip:127.0.0.1 --out server.pem\n"
    "  yett cert create --database sql:demo --issuer ca.pem --client --subject CN=alice \\\n"
    "      --san email:alice@example.org --out alice.pem --out-key alice.key\n"
    "  yett cert create --database sql:demo --issuer ca.pem --client --request alice.csr --out alice.pem\n";

static const char cmd_cert_help_list[] = "yett cert list [--json]: the certificates of the database, by subject.\n"
                                         "\n"
                                         "  --json                 one array of objects\n" CMD_CERT_DATABASE_HELP "\n"
                                         "Examples:\n"
                                         "\n"
                                         "  yett cert list --database sql:/var/lib/yett/nss\n"
                                         "  yett cert list --json | jq -r '.[] | select(.has_key) | .sha256'\n";

static const char cmd_cert_help_show[] =
    "yett cert show sha256=HEX|FILE: tell what is in a certificate, and print it as PEM.\n"
    "\n"
    "  --json                 an object instead\n" CMD_CERT_DATABASE_HELP "\n"
    "Examples:\n"
    "\n"
    "  yett cert show sha256=HEX\n"
    "  yett cert show server.pem\n";

static const char cmd_cert_help_import[] =
    "yett cert import FILE [options]: store certificates and keys; makes the database if there is none.\n"
    "\n"
    "FILE is PEM, with any number of certificates and keys. Nothing imported is trusted: see yett cert trust.\n"
    "\n"
    "  --key FILE             a PEM file with the key (PKCS#8, PKCS#1 or SEC1, not encrypted)\n"
    "  --pkcs12               FILE is PKCS#12 (.p12, .pfx)\n"
    "  --pkcs12-password SOURCE      where its password is: file:PATH, env:NAME, credential:NAME or prompt; without this\n"
    "                         it is empty\n"
    "  --pkcs12-password-file FILE   the same as file:FILE\n" CMD_CERT_DATABASE_HELP "\n"
    "Examples:\n"
    "\n"
    "  yett cert import chain.pem --key server.key\n"
    "  yett cert import alice.p12 --pkcs12 --pkcs12-password-file password\n";

static const char cmd_cert_help_export[] =
    "yett cert export sha256=HEX [options]: write a certificate as PEM, to standard output unless --out says where.\n"
    "\n"
    "  --out FILE             write the certificate there\n"
    "  --out-key FILE         write its key (PKCS#8 PEM, mode 0600, a new file). The same FILE as --out makes an\n"
    "                         identity = file:FILE\n"
    "  --pkcs12               write a PKCS#12 file instead, with the key and the issuers that the database has (mode 0600,\n"
    "                         a new file), encrypted with AES-256 and protected with SHA-256\n"
    "  --pkcs12-password SOURCE      where its password is: file:PATH, env:NAME, credential:NAME, or prompt (default)\n"
    "  --pkcs12-password-file FILE   the same as file:FILE\n" CMD_CERT_DATABASE_HELP "\n"
    "A key that may not leave the database (CKA_EXTRACTABLE) is refused; one on a token of its own never does.\n"
    "\n"
    "Examples:\n"
    "\n"
    "  yett cert export sha256=HEX >server.pem\n"
    "  yett cert export sha256=HEX --out server.pem --out-key server.key\n"
    "  yett cert export sha256=HEX --pkcs12 --out alice.p12\n";

static const char cmd_cert_help_trust[] =
    "yett cert trust sha256=HEX --server|--client|--none: say whether an authority is believed. Replaces what was said\n"
    "before. It counts for services with trust = database or peer_trust = database.\n"
    "\n"
    "  --server               it is believed about servers\n"
    "  --client               it is believed about clients\n"
    "  --none                 it is not believed any more\n" CMD_CERT_DATABASE_HELP "\n"
    "Example:\n"
    "\n"
    "  yett cert trust sha256=HEX --server --client\n";

static const char cmd_cert_help_delete[] =
    "yett cert delete sha256=HEX [--with-key]: delete a certificate.\n"
    "\n"
    "  --with-key             delete its private key too. Without this, a certificate whose key nothing else uses is\n"
    "                         not deleted\n" CMD_CERT_DATABASE_HELP "\n"
    "Example:\n"
    "\n"
    "  yett cert delete sha256=HEX --with-key\n";

#endif
