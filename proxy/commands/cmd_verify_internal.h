/* proxy/commands/cmd_verify_internal.h: the parts of "yett verify", between themselves.
 *
 *   cmd_verify.c      the command: what is read, asked of pkix/ and printed
 *   verify_options.c  the first pass over the options: those that only set something
 *   verify_inputs.c   the second: those that name files, and the files
 *   verify_report.c   a verdict as text or JSON
 *
 * Two passes, so that wrong usage is told before any file is opened. */
#ifndef YETT_PROXY_COMMANDS_CMD_VERIFY_INTERNAL_H
#define YETT_PROXY_COMMANDS_CMD_VERIFY_INTERNAL_H

#include "pkix/crl.h"
#include "pkix/ev.h"
#include "pkix/oid.h"
#include "pkix/store.h"
#include "pkix/verify.h"

#include <getopt.h>

enum { VERIFY_EXIT_VALID = 0, VERIFY_EXIT_NOT_VALID = 1, VERIFY_EXIT_USAGE = 2 };

enum { VERIFY_CHAIN_MAX = 256, VERIFY_OCSP_FILES_MAX = 32, VERIFY_PINS_MAX = 32, VERIFY_POLICIES_MAX = 32 };

/* Before a path, where an option may also have a value. */
#define VERIFY_FILE_PREFIX "file:"

struct verify_options {
    const char *chain_path, *module, *distrust;
    bool json, has_peer_purpose, has_trust, has_ev_roots;
    enum { VERIFY_ROOTS_DEFAULT, VERIFY_ROOTS_MOZILLA, VERIFY_ROOTS_SYSTEM, VERIFY_ROOTS_NONE } roots;
    struct pkix_request request;
    uint8_t address[16];
    struct verify_policy_bytes {
        uint8_t oid[PKIX_OID_SIZE_MAX];
    } policy_bytes[VERIFY_POLICIES_MAX];
    struct span policies[VERIFY_POLICIES_MAX];
    enum { VERIFY_POLICY_NOT_ASKED, VERIFY_POLICY_ASKED, VERIFY_POLICY_ASKED_AS_EV } policy_asked;
    struct pkix_ev_list ev;
    struct pkix_pin pins[VERIFY_PINS_MAX];
};

/* What the files hold. */
struct verify_inputs {
    struct pkix_store *store;
    struct pkix_crl_set *crls;
    struct span chain[VERIFY_CHAIN_MAX]; /* owned */
    size_t chain_count;
    struct span ocsp[VERIFY_OCSP_FILES_MAX]; /* owned */
    size_t ocsp_count;
};

/* verify_options.c */
enum verify_option {
    VERIFY_OPTION_TRUST = 256,
    VERIFY_OPTION_ROOTS,
    VERIFY_OPTION_INTERMEDIATES,
    VERIFY_OPTION_PURPOSE,
    VERIFY_OPTION_PEER_PURPOSE,
    VERIFY_OPTION_PROFILE,
    VERIFY_OPTION_NAME,
    VERIFY_OPTION_TIME,
    VERIFY_OPTION_CRL,
    VERIFY_OPTION_OCSP,
    VERIFY_OPTION_REVOCATION,
    VERIFY_OPTION_POLICY,
    VERIFY_OPTION_EV,
    VERIFY_OPTION_EV_ROOT,
    VERIFY_OPTION_BLOCKLIST,
    VERIFY_OPTION_PIN,
    VERIFY_OPTION_DISTRUST,
    VERIFY_OPTION_JSON,
    VERIFY_OPTION_MODULE,
};

extern const struct option verify_long_options[];

/* VERIFY_EXIT_VALID to go on; VERIFY_EXIT_NOT_VALID when help has been given, and there is nothing to verify. */
MUST_CHECK int verify_options_read(int argc, char **argv, struct verify_options *o);

/* verify_inputs.c */
MUST_CHECK bool verify_inputs_read(int argc, char **argv, struct verify_options *o, struct verify_inputs *in,
                                   char **error);
void verify_inputs_clear(struct verify_inputs *in);

/* verify_report.c: to standard output */
void verify_print_json(const struct pkix_verdict *v);
void verify_print_text(const struct verify_options *o, const struct pkix_verdict *v);

#endif
