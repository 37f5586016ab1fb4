/* proxy/commands/cmd_verify_help.h: what "yett verify --help" prints. Apart from verify_options.c, to be read as text.
 */
#ifndef YETT_PROXY_COMMANDS_CMD_VERIFY_HELP_H
#define YETT_PROXY_COMMANDS_CMD_VERIFY_HELP_H

static const char cmd_verify_help[] =
    "yett verify [options] CHAIN.pem: build and check a path from a certificate to a trust anchor, and explain it.\n"
    "The first certificate of CHAIN.pem is the peer's; the others help, in any order.\n"
    "\n"
    "  --trust FILE           PEM file (or directory) of trust anchors, or a pkcs11: URI of some on a token; repeatable\n"
    "  --module PATH          the PKCS#11 module for such a URI\n"
    "  --roots LIST           mozilla, system or none; default mozilla, none where --trust is given\n"
    "  --intermediates FILE   PEM file of untrusted issuers; repeatable\n"
    "  --purpose PURPOSE      server (default) or client\n"
    "  --peer-purpose USAGE   with --purpose client: client (default), server or any, as the setting peer_purpose has it\n"
    "  --profile PROFILE      default, or strict: lint-like rules that real chains may break\n"
    "  --name NAME            dns:HOST, ip:ADDR or email:ADDR: what the certificate must be good for\n"
    "  --time TIME            RFC 3339 (2026-01-31T12:00:00Z) or @SECONDS; default now\n"
    "  --crl FILE             CRLs, PEM or DER; repeatable\n"
    "  --ocsp FILE            an OCSP response, DER; repeatable\n"
    "  --revocation MODE      off, soft (default: what is known to be revoked is refused) or hard\n"
    "  --blocklist FILE       certificates that are never accepted, as the setting blocklist has them\n"
    "  --distrust FILE        roots that are trusted no longer, as the setting distrust has them\n"
    "  --pin HEX              SHA-256 of a public key, one of which the path must have; repeatable\n"
    "  --policy OID|ev        a certificate policy that must hold for the path, or extended validation; repeatable:\n"
    "                         one of the policies is enough\n"
    "  --ev OID               as --policy OID, the only one\n"
    "  --ev-root OID=HEX      a policy that means extended validation, and the SHA-256 of the root that may say so;\n"
    "                         repeatable; or file:PATH of such pairs, as the setting ev has them\n"
    "  --json                 one object instead of text\n"
    "\n"
    "Exit status: 0 valid, 1 not valid, 2 wrong usage or unreadable input.\n"
    "\n"
    "  yett verify --name dns:www.example.org chain.pem\n"
    "  yett verify --trust ca.pem --purpose client --crl ca.crl client.pem\n"
    "  yett verify --trust 'pkcs11:token=Corporate;object=root' --module /usr/lib/softhsm/libsofthsm2.so chain.pem\n";

#endif
