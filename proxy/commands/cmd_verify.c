/* see proxy/commands/cmd_verify.h */
#include "proxy/commands/cmd_verify.h"
#include "pkix/blocklist.h"
#include "pkix/distrust.h"
#include "pkix/roots.h"
#include "pkix/crl.h"
#include "pkix/describe.h"
#include "pkix/ev.h"
#include "pkix/identity.h"
#include "pkix/names.h"
#include "pkix/ocsp.h"
#include "pkix/oid.h"
#include "pkix/pem.h"
#include "pkix/store.h"
#include "pkix/verify.h"
#include "proxy/service/token_trust.h"
#include "tls/runtime.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    EXIT_VALID = 0,
    EXIT_NOT_VALID = 1,
    EXIT_USAGE = 2,
    CHAIN_MAX = 256,
    OCSP_FILES_MAX = 32,
    PINS_MAX = 32,
    POLICIES_MAX = 32
};

static const char file_prefix[] = "file:";

const char cmd_verify_usage[] =
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

struct options {
    const char *chain_path, *module, *distrust;
    bool json, has_peer_purpose, has_trust, has_ev_roots;
    enum { ROOTS_DEFAULT, ROOTS_MOZILLA, ROOTS_SYSTEM, ROOTS_NONE } roots;
    struct pkix_request request;
    uint8_t address[16];
    struct policy_bytes {
        uint8_t oid[PKIX_OID_SIZE_MAX];
    } policy_bytes[POLICIES_MAX];
    struct span policies[POLICIES_MAX];
    enum { POLICY_NOT_ASKED, POLICY_ASKED, POLICY_ASKED_AS_EV } policy_asked;
    struct pkix_ev_list ev;
    struct pkix_pin pins[PINS_MAX];
};

/* What the files hold. */
struct inputs {
    struct pkix_store *store;
    struct pkix_crl_set *crls;
    struct span chain[CHAIN_MAX]; /* owned */
    size_t chain_count;
    struct span ocsp[OCSP_FILES_MAX]; /* owned */
    size_t ocsp_count;
};

static int misused(const char *sentence, const char *argument)
{
    fprintf(stderr, "yett verify: %s%s%s; see yett verify --help\n", sentence, argument == NULL ? "" : ": ",
            argument == NULL ? "" : argument);
    return EXIT_USAGE;
}

/* Exactly `count` decimal digits. */
static bool read_digits(const char *text, size_t count, unsigned *value)
{
    *value = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *value = *value * 10 + (unsigned)(text[i] - '0');
    }
    return true;
}

/* @SECONDS, at most the last second of the year 9999. */
static bool parse_seconds(const char *text, int64_t *seconds)
{
    enum { DIGITS_MAX = 12 };
    static const int64_t seconds_max = 253402300799;
    size_t size = strlen(text);

    if (size == 0 || size > DIGITS_MAX || strspn(text, "0123456789") != size)
        return false;
    *seconds = strtoll(text, NULL, 10);
    return *seconds <= seconds_max;
}

/* RFC 3339 section 5.6 without fractions, or seconds since 1970. */
static bool parse_time(const char *text, int64_t *seconds)
{
    enum { DATE_AND_TIME_SIZE = 19, OFFSET_SIZE = 6 };
    struct der_date date;
    const char *rest = text + DATE_AND_TIME_SIZE;
    unsigned hours, minutes;

    if (text[0] == '@')
        return parse_seconds(text + 1, seconds);
    if (strlen(text) <= DATE_AND_TIME_SIZE || text[4] != '-' || text[7] != '-' ||
        (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':' ||
        !read_digits(text, 4, &date.year) || !read_digits(text + 5, 2, &date.month) ||
        !read_digits(text + 8, 2, &date.day) || !read_digits(text + 11, 2, &date.hour) ||
        !read_digits(text + 14, 2, &date.minute) || !read_digits(text + 17, 2, &date.second) ||
        !der_date_to_seconds(&date, seconds))
        return false;
    if (strcmp(rest, "Z") == 0 || strcmp(rest, "z") == 0)
        return true;
    if (strlen(rest) != OFFSET_SIZE || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':' ||
        !read_digits(rest + 1, 2, &hours) || !read_digits(rest + 4, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *seconds += (rest[0] == '-' ? 1 : -1) * (int64_t)(hours * 3600 + minutes * 60);
    return *seconds >= 0;
}

static bool parse_name(const char *text, struct options *o)
{
    struct pkix_name *name = &o->request.name;
    struct span local, domain;
    size_t size;

    if (strncmp(text, "dns:", 4) == 0) {
        *name = (struct pkix_name){PKIX_NAME_DNS, span_of_string(text + 4)};
        return pkix_dns_id_valid(name->value, PKIX_DNS_REFERENCE);
    }
    if (strncmp(text, "email:", 6) == 0) {
        *name = (struct pkix_name){PKIX_NAME_EMAIL, span_of_string(text + 6)};
        return pkix_email_split(name->value, &local, &domain);
    }
    if (strncmp(text, "ip:", 3) != 0 || !pkix_ip_parse(span_of_string(text + 3), o->address, &size))
        return false;
    *name = (struct pkix_name){PKIX_NAME_IP, span_of(o->address, size)};
    return true;
}

static int choice(const char *text, const char *const *choices, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, choices[i]) == 0)
            return i;
    return -1;
}

static bool keep_chain_cert(void *ctx, struct span der, const char *origin, char **error)
{
    struct inputs *in = ctx;

    if (in->chain_count == CHAIN_MAX) {
        *error = base_printf("%s: more than %d certificates", origin, CHAIN_MAX);
        return false;
    }
    in->chain[in->chain_count++] = span_of(base_memdup(der.data, der.size), der.size);
    return true;
}

static bool add_ocsp_file(struct inputs *in, const char *path, char **error)
{
    uint8_t *data;
    size_t size;

    if (in->ocsp_count == OCSP_FILES_MAX) {
        *error = base_printf("%s: more than %d OCSP responses", path, OCSP_FILES_MAX);
        return false;
    }
    if (!pkix_file_read(path, &data, &size, error))
        return false;
    if (!pkix_ocsp_has_form(span_of(data, size))) {
        free(data);
        *error = base_printf("%s: is not an OCSP response in DER", path);
        return false;
    }
    in->ocsp[in->ocsp_count++] = span_of(data, size);
    return true;
}

static void clear_inputs(struct inputs *in)
{
    for (size_t i = 0; i < in->chain_count; i++)
        free((void *)(uintptr_t)in->chain[i].data);
    for (size_t i = 0; i < in->ocsp_count; i++)
        free((void *)(uintptr_t)in->ocsp[i].data);
    pkix_crl_set_destroy(&in->crls);
    pkix_store_destroy(&in->store);
}

enum option_value {
    OPTION_TRUST = 256,
    OPTION_ROOTS,
    OPTION_INTERMEDIATES,
    OPTION_PURPOSE,
    OPTION_PEER_PURPOSE,
    OPTION_PROFILE,
    OPTION_NAME,
    OPTION_TIME,
    OPTION_CRL,
    OPTION_OCSP,
    OPTION_REVOCATION,
    OPTION_POLICY,
    OPTION_EV,
    OPTION_EV_ROOT,
    OPTION_BLOCKLIST,
    OPTION_PIN,
    OPTION_DISTRUST,
    OPTION_JSON,
    OPTION_MODULE,
};

static const struct option long_options[] = {
    {"trust", required_argument, NULL, OPTION_TRUST},
    {"roots", required_argument, NULL, OPTION_ROOTS},
    {"intermediates", required_argument, NULL, OPTION_INTERMEDIATES},
    {"purpose", required_argument, NULL, OPTION_PURPOSE},
    {"peer-purpose", required_argument, NULL, OPTION_PEER_PURPOSE},
    {"profile", required_argument, NULL, OPTION_PROFILE},
    {"name", required_argument, NULL, OPTION_NAME},
    {"time", required_argument, NULL, OPTION_TIME},
    {"crl", required_argument, NULL, OPTION_CRL},
    {"ocsp", required_argument, NULL, OPTION_OCSP},
    {"revocation", required_argument, NULL, OPTION_REVOCATION},
    {"policy", required_argument, NULL, OPTION_POLICY},
    {"ev", required_argument, NULL, OPTION_EV},
    {"ev-root", required_argument, NULL, OPTION_EV_ROOT},
    {"blocklist", required_argument, NULL, OPTION_BLOCKLIST},
    {"distrust", required_argument, NULL, OPTION_DISTRUST},
    {"pin", required_argument, NULL, OPTION_PIN},
    {"json", no_argument, NULL, OPTION_JSON},
    {"module", required_argument, NULL, OPTION_MODULE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool add_pin(const char *text, struct options *o)
{
    struct pkix_pin *pin = &o->pins[o->request.pin_count];

    if (o->request.pin_count == PINS_MAX || strlen(text) != 2 * sizeof(pin->sha256) ||
        strspn(text, "0123456789abcdefABCDEF") != strlen(text))
        return false;
    for (size_t i = 0; i < sizeof(pin->sha256); i++) {
        const char pair[] = {text[2 * i], text[2 * i + 1], '\0'};

        pin->sha256[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    o->request.pins = o->pins;
    o->request.pin_count++;
    return true;
}

static bool add_policy(const char *text, struct options *o)
{
    struct pkix_policy_inputs *policy = &o->request.policy;
    uint8_t *oid;
    size_t size;

    if (policy->policy_count == POLICIES_MAX)
        return false;
    oid = o->policy_bytes[policy->policy_count].oid;
    if (!pkix_oid_parse(text, oid, &size))
        return false;
    o->policies[policy->policy_count++] = span_of(oid, size);
    policy->policies = o->policies;
    return true;
}

static bool take_policy(struct options *o, int option, const char *argument, const char **why)
{
    struct pkix_policy_inputs *policy = &o->request.policy;
    int asked = option == OPTION_EV ? POLICY_ASKED_AS_EV : POLICY_ASKED;

    if (o->policy_asked == POLICY_ASKED_AS_EV || (o->policy_asked != POLICY_NOT_ASKED && option == OPTION_EV)) {
        *why = "--ev is the only policy; give several with --policy";
        return false;
    }
    o->policy_asked = asked;
    *why = option == OPTION_EV ? "--ev is an object identifier like 2.23.140.1.1"
                               : "--policy is ev, alone, or an object identifier like 2.23.140.1.1, at most 32 times";
    if (option == OPTION_POLICY && strcmp(argument, "ev") == 0) {
        policy->require_ev = true;
        return policy->policy_count == 0;
    }
    return !policy->require_ev && add_policy(argument, o);
}

/* One option that only sets something. False with a sentence in *why when its argument is wrong. */
static bool take_setting(struct options *o, int option, const char *argument, const char **why)
{
    static const char *const roots[] = {"mozilla", "system", "none"}, *const purposes[] = {"server", "client"},
                             *const usages[] = {"client", "server", "any"}, *const profiles[] = {"default", "strict"},
                             *const modes[] = {"off", "soft", "hard"};
    int value = 0;

    switch (option) {
    case OPTION_MODULE:
        o->module = argument;
        break;
    case OPTION_DISTRUST:
        o->distrust = argument;
        break;
    case OPTION_ROOTS:
        value = choice(argument, roots, ARRAY_LEN(roots));
        o->roots = value + ROOTS_MOZILLA;
        *why = "--roots is mozilla, system or none";
        break;
    case OPTION_PURPOSE:
        value = choice(argument, purposes, ARRAY_LEN(purposes));
        o->request.purpose = value;
        *why = "--purpose is server or client";
        break;
    case OPTION_PEER_PURPOSE:
        value = choice(argument, usages, ARRAY_LEN(usages));
        o->request.client_usage = value;
        o->has_peer_purpose = true;
        *why = "--peer-purpose is client, server or any";
        break;
    case OPTION_PROFILE:
        value = choice(argument, profiles, ARRAY_LEN(profiles));
        o->request.profile = value;
        *why = "--profile is default or strict";
        break;
    case OPTION_REVOCATION:
        value = choice(argument, modes, ARRAY_LEN(modes));
        o->request.revocation = value;
        *why = "--revocation is off, soft or hard";
        break;
    case OPTION_NAME:
        value = parse_name(argument, o) ? 0 : -1;
        *why = "--name is dns:HOST, ip:ADDRESS or email:ADDRESS";
        break;
    case OPTION_TIME:
        value = parse_time(argument, &o->request.time) ? 0 : -1;
        *why = "--time is like 2026-01-31T12:00:00Z, or @SECONDS";
        break;
    case OPTION_POLICY:
    case OPTION_EV:
        value = take_policy(o, option, argument, why) ? 0 : -1;
        break;
    case OPTION_EV_ROOT:
        o->has_ev_roots = true;
        if (strncmp(argument, file_prefix, strlen(file_prefix)) != 0) /* files are for the second pass */
            value = (*why = pkix_ev_list_add(&o->ev, argument)) == NULL ? 0 : -1;
        break;
    case OPTION_PIN:
        value = add_pin(argument, o) ? 0 : -1;
        *why = "--pin is 64 hexadecimal digits, at most 32 times";
        break;
    case OPTION_JSON:
        o->json = true;
        break;
    default:
        value = -1;
        *why = "this option is not known";
    }
    return value >= 0;
}

/* Of a file's problems the first is told. */
static void on_line_problem(void *ctx, unsigned line, const char *sentence)
{
    char **problem = ctx;

    if (*problem == NULL)
        *problem = line == 0 ? base_strdup(sentence) : base_printf("line %u: %s", line, sentence);
}

/* Not on standard output, which may be one JSON object. */
static void on_left_out(void *ctx, const char *sentence)
{
    (void)ctx;
    fprintf(stderr, "yett verify: left out: %s\n", sentence);
}

static bool told_of_problem(const char *path, char *problem, char **error)
{
    *error = base_printf("%s: %s", path, problem);
    free(problem);
    return false;
}

static bool add_blocklist(struct pkix_store *store, const char *path, char **error)
{
    char *problem = NULL;

    return pkix_store_add_blocklist_path(store, path, on_line_problem, &problem) ||
           told_of_problem(path, problem, error);
}

static bool add_ev_roots(struct pkix_ev_list *list, const char *text, char **error)
{
    const char *path = text + strlen(file_prefix);
    char *problem = NULL;

    return strncmp(text, file_prefix, strlen(file_prefix)) != 0 ||
           pkix_ev_list_add_path(list, path, on_line_problem, &problem) || told_of_problem(path, problem, error);
}

static bool add_token_trust(struct pkix_store *store, const char *module, const char *uri, char **error)
{
    if (module != NULL)
        return token_trust_add_from_module(module, uri, store, error);
    *error = base_strdup("--trust with a pkcs11: URI needs --module, the PKCS#11 module of the token");
    return false;
}

/* One option that names a file. */
static bool take_file(struct inputs *in, struct options *o, int option, const char *path, char **error)
{
    switch (option) {
    case OPTION_TRUST:
        o->has_trust = true;
        if (strncmp(path, "pkcs11:", strlen("pkcs11:")) == 0)
            return add_token_trust(in->store, o->module, path, error);
        return pkix_store_add_anchors_path(in->store, path, on_left_out, NULL, error);
    case OPTION_INTERMEDIATES:
        return pkix_store_add_intermediates_path(in->store, path, on_left_out, NULL, error);
    case OPTION_CRL:
        return pkix_crl_set_add_path(in->crls, path, error);
    case OPTION_OCSP:
        return add_ocsp_file(in, path, error);
    case OPTION_BLOCKLIST:
        return add_blocklist(in->store, path, error);
    case OPTION_EV_ROOT:
        return add_ev_roots(&o->ev, path, error);
    }
    base_abort("option %d", option);
}

/* Who asks for anyPolicy asks for nothing. */
static bool requires_policy(const struct pkix_policy_inputs *policy)
{
    for (size_t i = 0; i < policy->policy_count; i++)
        if (pkix_oid_is(policy->policies[i], OID_ANY_POLICY))
            return false;
    return policy->policy_count != 0;
}

/* What follows from the side a peer is on is pkix_request_of_...()'s to say, here as in tls/peer_verify.c. */
static void ask_as_the_proxy_does(struct options *o)
{
    struct pkix_request side = o->request.purpose == PKIX_PURPOSE_CLIENT
                                   ? pkix_request_of_client(o->request.client_usage)
                                   : pkix_request_of_server();

    o->request.purpose = side.purpose;
    o->request.client_usage = side.client_usage;
    o->request.any_extended_key_usage = side.any_extended_key_usage;
}

/* Two passes: settings first, so that wrong usage is told before any file is opened. EXIT_VALID to go on. */
static int read_options(int argc, char **argv, struct options *o)
{
    int option;
    const char *why = NULL;

    *o = (struct options){.request = {.time = (int64_t)time(NULL), .revocation = PKIX_REVOCATION_SOFT}};
    optind = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        switch (option) {
        case 'h':
            fputs(cmd_verify_usage, stdout);
            return EXIT_NOT_VALID; /* the caller turns this into success: nothing was verified */
        case '?':
            return misused("unknown option, or one without its argument", argv[optind - 1]);
        case OPTION_TRUST:
        case OPTION_INTERMEDIATES:
        case OPTION_CRL:
        case OPTION_OCSP:
        case OPTION_BLOCKLIST:
            break;
        default:
            if (!take_setting(o, option, optarg, &why))
                return misused(why, optarg);
        }
    }
    if (optind + 1 != argc)
        return misused("exactly one CHAIN.pem is needed", NULL);
    if (o->request.policy.require_ev && !o->has_ev_roots)
        return misused("--policy ev needs --ev-root", NULL);
    if (o->has_peer_purpose && o->request.purpose != PKIX_PURPOSE_CLIENT)
        return misused("--peer-purpose needs --purpose client", NULL);
    o->chain_path = argv[optind];
    ask_as_the_proxy_does(o);
    o->request.policy.explicit_policy = requires_policy(&o->request.policy);
    return EXIT_VALID;
}

static bool read_inputs(int argc, char **argv, struct options *o, struct inputs *in, char **error)
{
    int option;

    optind = 0;
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
        if (option == OPTION_TRUST || option == OPTION_INTERMEDIATES || option == OPTION_CRL || option == OPTION_OCSP ||
            option == OPTION_BLOCKLIST || option == OPTION_EV_ROOT)
            if (!take_file(in, o, option, optarg, error))
                return false;
    if (o->roots == ROOTS_DEFAULT)
        o->roots = o->has_trust ? ROOTS_NONE : ROOTS_MOZILLA;
    if (o->roots == ROOTS_MOZILLA && !pkix_store_add_mozilla(in->store, pkix_roots_kept_path, error))
        return false;
    if (o->roots == ROOTS_SYSTEM && !pkix_store_add_system(in->store, on_left_out, NULL, error))
        return false;
    if (o->distrust != NULL && !pkix_store_add_distrust_path(in->store, o->distrust, error))
        return false; /* now that all anchors are there */
    if (!pkix_pem_each_path(o->chain_path, &pkix_pem_chain, keep_chain_cert, in, error))
        return false;
    o->request.leaf = in->chain[0];
    o->request.extras = in->chain + 1;
    o->request.extras_count = in->chain_count - 1;
    o->request.ocsp = in->ocsp;
    o->request.ocsp_count = in->ocsp_count;
    o->request.crls = in->crls;
    o->request.policy.ev_roots = o->ev.roots;
    o->request.policy.ev_root_count = o->ev.count;
    return true;
}

static const char *revocation_text(const struct pkix_verdict *v)
{
    switch (pkix_verdict_revocation(v)) {
    case PKIX_REVOCATION_NOT_CHECKED:
        return "not_checked";
    case PKIX_REVOCATION_NOTHING_FOUND:
        return "nothing_found";
    case PKIX_REVOCATION_GOOD_OCSP:
        return "good_ocsp";
    case PKIX_REVOCATION_GOOD_CRL:
        return "good_crl";
    case PKIX_REVOCATION_IS_REVOKED:
        return "revoked";
    }
    base_abort("revocation status");
}

static json_t *chain_json(const struct pkix_verdict *v)
{
    json_t *chain = json_array();

    for (size_t i = 0; i < pkix_verdict_path_length(v); i++) {
        struct pkix_description d;

        if (pkix_describe(pkix_verdict_path_cert(v, i), &d))
            json_array_append_new(chain,
                                  json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "subject", d.subject, "issuer",
                                            d.issuer, "serial", d.serial, "not_before", d.not_before, "not_after",
                                            d.not_after, "sha256", d.sha256, "key", d.key, "signature", d.signature));
        pkix_description_clear(&d);
    }
    return chain;
}

static json_t *tried_json(const struct pkix_verdict *v)
{
    json_t *tried = json_array();

    for (size_t i = 0; i < pkix_verdict_tried_count(v); i++) {
        json_t *path = json_array();

        for (size_t k = 0; k < pkix_verdict_tried_length(v, i); k++)
            json_array_append_new(path, json_string(pkix_verdict_tried_subject(v, i, k)));
        json_array_append_new(tried, json_pack("{s:o, s:s, s:s, s:s}", "path", path, "error",
                                               pkix_error_name(pkix_verdict_tried_error(v, i)), "at",
                                               pkix_verdict_tried_subject(v, i, pkix_verdict_tried_at(v, i)), "detail",
                                               pkix_verdict_tried_detail(v, i)));
    }
    return tried;
}

static json_t *policies_json(const struct pkix_verdict *v)
{
    json_t *policies = json_array();

    for (size_t i = 0; i < pkix_verdict_policy_count(v); i++)
        json_array_append_new(policies, json_string(pkix_verdict_policy(v, i)));
    return policies;
}

static json_t *warnings_json(const struct pkix_verdict *v)
{
    json_t *warnings = json_array();

    for (size_t i = 0; i < pkix_verdict_warning_count(v); i++)
        json_array_append_new(warnings, json_string(pkix_verdict_warning(v, i)));
    return warnings;
}

/* The allow rules that fit the peer's certificate, each by itself: they can be copied into a configuration. */
struct rule_visitor {
    void (*visit)(void *ctx, const char *rule);
    void *ctx;
};

static void tell_rule(const struct rule_visitor *v, const char *prefix, const char *value)
{
    char *rule = base_printf("%s%s", prefix, value);

    v->visit(v->ctx, rule);
    free(rule);
}

static void each_allow_rule(const struct pkix_verdict *v, const struct rule_visitor *visitor)
{
    struct pkix_identity identity;

    if (pkix_verdict_path_length(v) == 0 || !pkix_identity_read(pkix_verdict_path_cert(v, 0), &identity))
        return;
    for (size_t i = 0; i < identity.count; i++)
        if (pkix_id_rule(identity.ids[i].type) != NULL)
            tell_rule(visitor, pkix_id_rule(identity.ids[i].type), identity.ids[i].value);
    tell_rule(visitor, "sha256:", identity.sha256);
    tell_rule(visitor, "spki_sha256:", identity.spki_sha256);
    for (size_t i = 1; i < pkix_verdict_path_length(v); i++) {
        struct pkix_description d;

        if (pkix_describe(pkix_verdict_path_cert(v, i), &d))
            tell_rule(visitor, "issuer:sha256=", d.sha256);
        pkix_description_clear(&d);
    }
    for (size_t i = 0; i < pkix_verdict_policy_count(v); i++)
        tell_rule(visitor, "policy:", pkix_verdict_policy(v, i));
    pkix_identity_clear(&identity);
}

static void append_rule(void *ctx, const char *rule)
{
    json_array_append_new(ctx, json_string(rule));
}

static void print_rule(void *ctx, const char *rule)
{
    (void)ctx;
    printf("allow: %s\n", rule);
}

static json_t *identities_json(const struct pkix_verdict *v)
{
    json_t *rules = json_array();

    each_allow_rule(v, &(struct rule_visitor){append_rule, rules});
    return rules;
}

static void print_json(const struct pkix_verdict *v)
{
    enum pkix_error error = pkix_verdict_error(v);
    const char *ev_policy = pkix_verdict_ev_policy(v);
    bool valid = error == PKIX_OK;
    json_t *object =
        json_pack("{s:b, s:o, s:s, s:o, s:b, s:s?, s:o, s:s, s:o, s:o, s:o, s:i}", "valid", valid, "error",
                  valid ? json_null() : json_string(pkix_error_name(error)), "detail", pkix_verdict_detail(v), "chain",
                  chain_json(v), "ev", ev_policy != NULL, "ev_policy", ev_policy, "policies", policies_json(v),
                  "revocation", revocation_text(v), "identities", identities_json(v), "warnings", warnings_json(v),
                  "tried", tried_json(v), "signature_checks", (int)pkix_verdict_signature_checks(v));

    json_dumpf(object, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(object);
}

static void print_text(const struct options *o, const struct pkix_verdict *v)
{
    const char *ev_policy = pkix_verdict_ev_policy(v);

    if (pkix_verdict_error(v) == PKIX_OK)
        printf("valid; revocation: %s\n", revocation_text(v));
    else
        printf("not valid: %s: %s\n", pkix_error_name(pkix_verdict_error(v)), pkix_verdict_detail(v));
    for (size_t i = 0; i < pkix_verdict_warning_count(v); i++)
        printf("warning: %s\n", pkix_verdict_warning(v, i));
    for (size_t i = 0; i < pkix_verdict_policy_count(v); i++)
        printf("%s%s", i == 0 ? "policies: " : ", ", pkix_verdict_policy(v, i));
    if (pkix_verdict_policy_count(v) != 0)
        printf("\n");
    if (ev_policy != NULL)
        printf("extended validation: %s\n", ev_policy);
    for (size_t i = 0; i < pkix_verdict_path_length(v); i++) {
        struct pkix_description d;

        if (pkix_describe(pkix_verdict_path_cert(v, i), &d))
            printf("%3zu  %s\n     %s to %s, %s, %s, sha256 %s\n", i, d.subject, d.not_before, d.not_after, d.key,
                   d.signature, d.sha256);
        pkix_description_clear(&d);
    }
    if (o->request.purpose == PKIX_PURPOSE_CLIENT)
        each_allow_rule(v, &(struct rule_visitor){print_rule, NULL});
    for (size_t i = 0; i < pkix_verdict_tried_count(v); i++) {
        printf("tried:");
        for (size_t k = 0; k < pkix_verdict_tried_length(v, i); k++)
            printf("%s %s", k == 0 ? "" : " <-", pkix_verdict_tried_name(v, i, k));
        printf("\n");
        /* One that stopped for the reason above has been explained. */
        if (pkix_verdict_tried_error(v, i) != pkix_verdict_error(v) ||
            strcmp(pkix_verdict_tried_detail(v, i), pkix_verdict_detail(v)) != 0)
            printf("       %s: %s\n", pkix_error_name(pkix_verdict_tried_error(v, i)), pkix_verdict_tried_detail(v, i));
    }
    printf("signature checks: %u\n", pkix_verdict_signature_checks(v));
}

static int verify(const struct options *o, const struct inputs *in)
{
    struct pkix_verdict *verdict = NULL;
    enum pkix_error error = pkix_verify(in->store, &o->request, &verdict);

    if (o->json)
        print_json(verdict);
    else
        print_text(o, verdict);
    pkix_verdict_destroy(&verdict);
    return error == PKIX_OK ? EXIT_VALID : EXIT_NOT_VALID;
}

static int read_and_verify(int argc, char **argv, struct options *options)
{
    struct inputs *in = base_alloc(sizeof(*in));
    char *error = NULL;
    int status = EXIT_USAGE;

    in->store = pkix_store_create();
    in->crls = pkix_crl_set_create();
    if (read_inputs(argc, argv, options, in, &error)) {
        status = verify(options, in);
    } else {
        fprintf(stderr, "yett verify: %s\n", error);
        free(error);
    }
    clear_inputs(in);
    free(in);
    return status;
}

int cmd_verify(int argc, char **argv)
{
    struct tls_runtime_options runtime = {0};
    struct options options;
    char *error = NULL;
    int status = read_options(argc, argv, &options);

    if (status != EXIT_VALID) {
        status = status == EXIT_NOT_VALID ? EXIT_VALID : status;
    } else if (!tls_runtime_start(&runtime, &error)) {
        fprintf(stderr, "yett verify: %s\n", error);
        free(error);
        status = EXIT_USAGE;
    } else {
        status = read_and_verify(argc, argv, &options);
        if (!tls_runtime_stop(&error)) {
            fprintf(stderr, "yett verify: %s\n", error);
            free(error);
        }
    }
    pkix_ev_list_clear(&options.ev);
    return status;
}
