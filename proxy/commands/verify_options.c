/* see proxy/commands/cmd_verify_internal.h */
#include "proxy/commands/cmd_verify_internal.h"

#include "pkix/names.h"
#include "proxy/commands/cmd_verify_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int misused(const char *sentence, const char *argument)
{
    fprintf(stderr, "yett verify: %s%s%s; see yett verify --help\n", sentence, argument == NULL ? "" : ": ",
            argument == NULL ? "" : argument);
    return VERIFY_EXIT_USAGE;
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

static bool parse_name(const char *text, struct verify_options *o)
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

const struct option verify_long_options[] = {
    {"trust", required_argument, NULL, VERIFY_OPTION_TRUST},
    {"roots", required_argument, NULL, VERIFY_OPTION_ROOTS},
    {"intermediates", required_argument, NULL, VERIFY_OPTION_INTERMEDIATES},
    {"purpose", required_argument, NULL, VERIFY_OPTION_PURPOSE},
    {"peer-purpose", required_argument, NULL, VERIFY_OPTION_PEER_PURPOSE},
    {"profile", required_argument, NULL, VERIFY_OPTION_PROFILE},
    {"name", required_argument, NULL, VERIFY_OPTION_NAME},
    {"time", required_argument, NULL, VERIFY_OPTION_TIME},
    {"crl", required_argument, NULL, VERIFY_OPTION_CRL},
    {"ocsp", required_argument, NULL, VERIFY_OPTION_OCSP},
    {"revocation", required_argument, NULL, VERIFY_OPTION_REVOCATION},
    {"policy", required_argument, NULL, VERIFY_OPTION_POLICY},
    {"ev", required_argument, NULL, VERIFY_OPTION_EV},
    {"ev-root", required_argument, NULL, VERIFY_OPTION_EV_ROOT},
    {"blocklist", required_argument, NULL, VERIFY_OPTION_BLOCKLIST},
    {"distrust", required_argument, NULL, VERIFY_OPTION_DISTRUST},
    {"pin", required_argument, NULL, VERIFY_OPTION_PIN},
    {"json", no_argument, NULL, VERIFY_OPTION_JSON},
    {"module", required_argument, NULL, VERIFY_OPTION_MODULE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool add_pin(const char *text, struct verify_options *o)
{
    struct pkix_pin *pin = &o->pins[o->request.pin_count];

    if (o->request.pin_count == VERIFY_PINS_MAX || strlen(text) != 2 * sizeof(pin->sha256) ||
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

static bool add_policy(const char *text, struct verify_options *o)
{
    struct pkix_policy_inputs *policy = &o->request.policy;
    uint8_t *oid;
    size_t size;

    if (policy->policy_count == VERIFY_POLICIES_MAX)
        return false;
    oid = o->policy_bytes[policy->policy_count].oid;
    if (!pkix_oid_parse(text, oid, &size))
        return false;
    o->policies[policy->policy_count++] = span_of(oid, size);
    policy->policies = o->policies;
    return true;
}

static bool take_policy(struct verify_options *o, int option, const char *argument, const char **why)
{
    struct pkix_policy_inputs *policy = &o->request.policy;
    int asked = option == VERIFY_OPTION_EV ? VERIFY_POLICY_ASKED_AS_EV : VERIFY_POLICY_ASKED;

    if (o->policy_asked == VERIFY_POLICY_ASKED_AS_EV ||
        (o->policy_asked != VERIFY_POLICY_NOT_ASKED && option == VERIFY_OPTION_EV)) {
        *why = "--ev is the only policy; give several with --policy";
        return false;
    }
    o->policy_asked = asked;
    *why = option == VERIFY_OPTION_EV
               ? "--ev is an object identifier like 2.23.140.1.1"
               : "--policy is ev, alone, or an object identifier like 2.23.140.1.1, at most 32 times";
    if (option == VERIFY_OPTION_POLICY && strcmp(argument, "ev") == 0) {
        policy->require_ev = true;
        return policy->policy_count == 0;
    }
    return !policy->require_ev && add_policy(argument, o);
}

/* One option that only sets something. False with a sentence in *why when its argument is wrong. */
static bool take_setting(struct verify_options *o, int option, const char *argument, const char **why)
{
    static const char *const roots[] = {"mozilla", "system", "none"}, *const purposes[] = {"server", "client"},
                             *const usages[] = {"client", "server", "any"}, *const profiles[] = {"default", "strict"},
                             *const modes[] = {"off", "soft", "hard"};
    int value = 0;

    switch (option) {
    case VERIFY_OPTION_MODULE:
        o->module = argument;
        break;
    case VERIFY_OPTION_DISTRUST:
        o->distrust = argument;
        break;
    case VERIFY_OPTION_ROOTS:
        value = choice(argument, roots, ARRAY_LEN(roots));
        o->roots = value + VERIFY_ROOTS_MOZILLA;
        *why = "--roots is mozilla, system or none";
        break;
    case VERIFY_OPTION_PURPOSE:
        value = choice(argument, purposes, ARRAY_LEN(purposes));
        o->request.purpose = value;
        *why = "--purpose is server or client";
        break;
    case VERIFY_OPTION_PEER_PURPOSE:
        value = choice(argument, usages, ARRAY_LEN(usages));
        o->request.client_usage = value;
        o->has_peer_purpose = true;
        *why = "--peer-purpose is client, server or any";
        break;
    case VERIFY_OPTION_PROFILE:
        value = choice(argument, profiles, ARRAY_LEN(profiles));
        o->request.profile = value;
        *why = "--profile is default or strict";
        break;
    case VERIFY_OPTION_REVOCATION:
        value = choice(argument, modes, ARRAY_LEN(modes));
        o->request.revocation = value;
        *why = "--revocation is off, soft or hard";
        break;
    case VERIFY_OPTION_NAME:
        value = parse_name(argument, o) ? 0 : -1;
        *why = "--name is dns:HOST, ip:ADDRESS or email:ADDRESS";
        break;
    case VERIFY_OPTION_TIME:
        value = parse_time(argument, &o->request.time) ? 0 : -1;
        *why = "--time is like 2026-01-31T12:00:00Z, or @SECONDS";
        break;
    case VERIFY_OPTION_POLICY:
    case VERIFY_OPTION_EV:
        value = take_policy(o, option, argument, why) ? 0 : -1;
        break;
    case VERIFY_OPTION_EV_ROOT:
        o->has_ev_roots = true;
        if (strncmp(argument, VERIFY_FILE_PREFIX, strlen(VERIFY_FILE_PREFIX)) != 0) /* files are for the second pass */
            value = (*why = pkix_ev_list_add(&o->ev, argument)) == NULL ? 0 : -1;
        break;
    case VERIFY_OPTION_PIN:
        value = add_pin(argument, o) ? 0 : -1;
        *why = "--pin is 64 hexadecimal digits, at most 32 times";
        break;
    case VERIFY_OPTION_JSON:
        o->json = true;
        break;
    default:
        value = -1;
        *why = "this option is not known";
    }
    return value >= 0;
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
static void ask_as_the_proxy_does(struct verify_options *o)
{
    struct pkix_request side = o->request.purpose == PKIX_PURPOSE_CLIENT
                                   ? pkix_request_of_client(o->request.client_usage)
                                   : pkix_request_of_server();

    o->request.purpose = side.purpose;
    o->request.client_usage = side.client_usage;
    o->request.any_extended_key_usage = side.any_extended_key_usage;
}

/* Two passes: settings first, so that wrong usage is told before any file is opened. VERIFY_EXIT_VALID to go on. */
int verify_options_read(int argc, char **argv, struct verify_options *o)
{
    int option;
    const char *why = NULL;

    *o = (struct verify_options){.request = {.time = (int64_t)time(NULL), .revocation = PKIX_REVOCATION_SOFT}};
    optind = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "h", verify_long_options, NULL)) != -1) {
        switch (option) {
        case 'h':
            fputs(cmd_verify_help, stdout);
            return VERIFY_EXIT_NOT_VALID; /* the caller turns this into success: nothing was verified */
        case '?':
            return misused("unknown option, or one without its argument", argv[optind - 1]);
        case VERIFY_OPTION_TRUST:
        case VERIFY_OPTION_INTERMEDIATES:
        case VERIFY_OPTION_CRL:
        case VERIFY_OPTION_OCSP:
        case VERIFY_OPTION_BLOCKLIST:
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
    return VERIFY_EXIT_VALID;
}
