/* tls/record_slot.h: which token protects the records that are ours (record.h). Private to tls/.
 *
 * With an accelerator there are two that can, and which of them is faster depends on the cipher and the processor: one
 * library has code for this one's wide instructions and the other has not. So each seals some records when NSS starts,
 * which takes about 2 ms, and its processor time decides. The records of NSS's own sockets are not ours to direct: they
 * follow their keys. */
#ifndef YETT_TLS_RECORD_SLOT_H
#define YETT_TLS_RECORD_SLOT_H

#include "base/base.h"

#include <pk11pub.h>

/* Once, when NSS and the accelerator have started; without an accelerator there is nothing to measure. */
void tls_record_slot_measure(void);

/* The slot for an AEAD's keys (CKM_AES_GCM, CKM_CHACHA20_POLY1305): a reference, or NULL with NSS's error. */
PK11SlotInfo *tls_record_slot(CK_MECHANISM_TYPE aead);

/* As if that one had been measured to be faster. */
enum tls_record_token { TLS_RECORD_TOKEN_NSS, TLS_RECORD_TOKEN_ACCELERATOR };
void tls_record_slot_set(CK_MECHANISM_TYPE aead, enum tls_record_token faster);

#endif
