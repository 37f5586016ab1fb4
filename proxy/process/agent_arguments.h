/* proxy/process/agent_arguments.h: what the supervisor tells an agent process on its command line. */
#ifndef YETT_PROXY_PROCESS_AGENT_ARGUMENTS_H
#define YETT_PROXY_PROCESS_AGENT_ARGUMENTS_H

/* The arguments, all of them: NAME PATH SESSIONS_MAX QUEUE_MAX SIGN_TIMEOUT_MS PIN_SOURCE SANDBOX KIND CALLS
 * PARAMETERS. PARAMETERS may be empty: none. The listening socket is AGENT_LISTEN_FD. */
enum { AGENT_LISTEN_FD = 4, AGENT_ARGUMENTS = 10 };
#define AGENT_CALLS_AT_ONCE           "calls-at-once"
#define AGENT_CALLS_ONE_BY_ONE        "calls-one-by-one"
#define AGENT_PIN_SOURCE_MAY_BE_TRIED "pin-source-untried"
#define AGENT_PIN_SOURCE_SPENT        "pin-source-spent"
/* No programs; programs; and either without a kernel that can hold it to that. */
#define AGENT_SANDBOX_STRICT            "strict"
#define AGENT_SANDBOX_PROGRAMS          "programs"
#define AGENT_SANDBOX_STRICT_MAY_FAIL   "strict-may-fail"
#define AGENT_SANDBOX_PROGRAMS_MAY_FAIL "programs-may-fail"
/* What it is the agent of: a [module], or the keys of files, with the accelerator or NSS's own token to compute with.
 */
#define AGENT_KIND_TOKENS        "tokens"
#define AGENT_KIND_FILE_KEYS     "file-keys"
#define AGENT_KIND_FILE_KEYS_NSS "file-keys-nss"
#define AGENT_NSS_TOKEN_NAME     "libsoftokn3.so"

#endif
