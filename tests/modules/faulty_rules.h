/* The rules of faulty-token.so (see faulty_token.c), and what it has seen of tokens and sessions. */
#ifndef YETT_TESTS_FAULTY_RULES_H
#define YETT_TESTS_FAULTY_RULES_H

#include <p11-kit/pkcs11.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define FAULTY_NO_SLOT ((CK_SLOT_ID)-1)

enum { FAULTY_RULES_MAX = 64, FAULTY_SESSIONS_MAX = 1024, FAULTY_TOKENS_MAX = 32, FAULTY_WORD = 48 };

struct rule {
    char kind[FAULTY_WORD], first[FAULTY_WORD], second[FAULTY_WORD], third[FAULTY_WORD], label[FAULTY_WORD];
    unsigned long left; /* `fail`: how often still */
};

struct seen_token {
    CK_SLOT_ID slot; /* of the module behind */
    char label[33];
    bool gone;
    unsigned long wrong;             /* PINs in a row */
    CK_SESSION_HANDLE authenticated; /* who has the one context-specific login */
};

struct seen_session {
    CK_SESSION_HANDLE handle; /* 0: none */
    CK_SLOT_ID slot;
};

extern CK_FUNCTION_LIST *real;      /* the module behind */
extern pthread_mutex_t faulty_lock; /* of the rest */
extern struct rule faulty_rules[];
extern size_t faulty_rule_count;
extern struct seen_token faulty_tokens[];
extern size_t faulty_token_count;
extern struct seen_session faulty_sessions[];

/* Before and after each call. enter: CKR_OK: it may be made; else it has come to this, and there is no leaving. */
CK_RV faulty_enter(const char *function, CK_SLOT_ID slot);
CK_RV faulty_leave(const char *function, CK_SLOT_ID slot, CK_RV rv);
void faulty_begin(void);     /* C_Initialize */
void faulty_finalized(void); /* C_Finalize: nothing is left of what was */

CK_SLOT_ID faulty_slot_behind(CK_SLOT_ID shown); /* the slot of the module behind */
CK_SLOT_ID faulty_slot_of(CK_SESSION_HANDLE session);

/* With the lock: */
struct rule *faulty_rule_for(const char *kind, const char *function, const char *label); /* NULL: none */
unsigned long faulty_number(const char *text, unsigned long otherwise);
struct seen_token *faulty_token_of_slot(CK_SLOT_ID slot); /* NULL: none */
const char *faulty_label_of(CK_SLOT_ID slot);             /* likewise */
CK_SLOT_ID faulty_slot_shown(CK_SLOT_ID slot);
struct seen_session *faulty_session_seen(CK_SESSION_HANDLE session); /* likewise */
void faulty_sessions_lose(CK_SLOT_ID slot);
bool faulty_token_is_gone(CK_SLOT_ID slot);

#endif
