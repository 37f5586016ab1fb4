/* base/nss_scope.h: scope guards for NSS and NSPR references.
 *
 * The one header of base/ that knows NSS; included by tls/, pkix/ and tokens/ only. A variable declared with a guard
 * is released when it goes out of scope; hand it on with SCOPE_TAKE(). NSS_ShutdownContext() fails while a reference
 * is held somewhere, which is how a missing guard shows. */
#ifndef YETT_BASE_NSS_SCOPE_H
#define YETT_BASE_NSS_SCOPE_H

#include <cert.h>
#include <keyhi.h>
#include <pk11pub.h>
#include <prio.h>
#include <secitem.h>

/* `type` declares and `release` is a statement: neither goes in parentheses. NOLINTBEGIN(bugprone-macro-parentheses) */
#define DEFINE_SCOPE(name, type, release)                                                                              \
    static inline void scope_release_##name(type *p)                                                                   \
    {                                                                                                                  \
        if (*p != NULL)                                                                                                \
            release;                                                                                                   \
        *p = NULL;                                                                                                     \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

DEFINE_SCOPE(cert, CERTCertificate *, CERT_DestroyCertificate(*p))
DEFINE_SCOPE(cert_list, CERTCertList *, CERT_DestroyCertList(*p))
DEFINE_SCOPE(private_key, SECKEYPrivateKey *, SECKEY_DestroyPrivateKey(*p))
DEFINE_SCOPE(public_key, SECKEYPublicKey *, SECKEY_DestroyPublicKey(*p))
DEFINE_SCOPE(spki, CERTSubjectPublicKeyInfo *, SECKEY_DestroySubjectPublicKeyInfo(*p))
DEFINE_SCOPE(slot, PK11SlotInfo *, PK11_FreeSlot(*p))
DEFINE_SCOPE(slot_list, PK11SlotList *, PK11_FreeSlotList(*p))
DEFINE_SCOPE(sym_key, PK11SymKey *, PK11_FreeSymKey(*p))
DEFINE_SCOPE(pk11_context, PK11Context *, PK11_DestroyContext(*p, PR_TRUE))
DEFINE_SCOPE(item, SECItem *, SECITEM_ZfreeItem(*p, PR_TRUE))
DEFINE_SCOPE(arena, PLArenaPool *, PORT_FreeArena(*p, PR_TRUE))
DEFINE_SCOPE(fd, PRFileDesc *, PR_Close(*p))

#define SCOPED(name) __attribute__((cleanup(scope_release_##name)))

#define SCOPED_CERT         SCOPED(cert) CERTCertificate *
#define SCOPED_CERT_LIST    SCOPED(cert_list) CERTCertList *
#define SCOPED_PRIVATE_KEY  SCOPED(private_key) SECKEYPrivateKey *
#define SCOPED_PUBLIC_KEY   SCOPED(public_key) SECKEYPublicKey *
#define SCOPED_SPKI         SCOPED(spki) CERTSubjectPublicKeyInfo *
#define SCOPED_SLOT         SCOPED(slot) PK11SlotInfo *
#define SCOPED_SLOT_LIST    SCOPED(slot_list) PK11SlotList *
#define SCOPED_SYM_KEY      SCOPED(sym_key) PK11SymKey *
#define SCOPED_PK11_CONTEXT SCOPED(pk11_context) PK11Context *
#define SCOPED_ITEM         SCOPED(item) SECItem *
#define SCOPED_ARENA        SCOPED(arena) PLArenaPool *
#define SCOPED_FD           SCOPED(fd) PRFileDesc *

/* Hand the reference on: gives the value and leaves NULL for the guard. */
#define SCOPE_TAKE(p)                                                                                                  \
    __extension__({                                                                                                    \
        __typeof__(p) scope_taken = (p);                                                                               \
        (p) = NULL;                                                                                                    \
        scope_taken;                                                                                                   \
    })

#endif
