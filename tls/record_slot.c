/* see tls/record_slot.h */
#include "tls/record_slot.h"

#include "base/nss_scope.h"
#include "tls/accelerator.h"

#include <stdlib.h>

enum {
    SIZE = 16384, /* what is much is in records of this size; for small ones neither library's cipher matters */
    RECORDS = 16, /* in a row: some 100 µs */
    TRIES = 3,    /* the best counts: whatever else the processor did is in the others */
    NONCE_SIZE = 12,
    TAG_SIZE = 16,
};

static struct {
    CK_MECHANISM_TYPE mechanism;
    unsigned key_size;
    enum tls_record_token faster;
} ciphers[] = {{CKM_AES_GCM, 16, TLS_RECORD_TOKEN_NSS}, {CKM_CHACHA20_POLY1305, 32, TLS_RECORD_TOKEN_NSS}};

void tls_record_slot_set(CK_MECHANISM_TYPE aead, enum tls_record_token faster)
{
    for (size_t i = 0; i < ARRAY_LEN(ciphers); i++)
        if (ciphers[i].mechanism == aead)
            ciphers[i].faster = faster;
}

PK11SlotInfo *tls_record_slot(CK_MECHANISM_TYPE aead)
{
    PK11SlotInfo *accelerator = tls_accelerator_slot();

    for (size_t i = 0; accelerator != NULL && i < ARRAY_LEN(ciphers); i++)
        if (ciphers[i].mechanism == aead && ciphers[i].faster == TLS_RECORD_TOKEN_ACCELERATOR)
            return PK11_ReferenceSlot(accelerator);
    return PK11_GetInternalSlot();
}

/* A key of zeros, under which nothing is ever sent. */
static PK11Context *begin(PK11SlotInfo *slot, CK_MECHANISM_TYPE mechanism, unsigned key_size)
{
    static uint8_t zeros[32];
    SECItem item = {.type = siBuffer, .data = zeros, .len = key_size}, none = {.type = siBuffer};
    PK11SymKey *key = PK11_ImportSymKey(slot, mechanism, PK11_OriginUnwrap, CKA_ENCRYPT, &item, NULL);
    PK11Context *context =
        key == NULL ? NULL : PK11_CreateContextBySymKey(mechanism, CKA_NSS_MESSAGE | CKA_ENCRYPT, key, &none);

    if (key != NULL)
        PK11_FreeSymKey(key);
    return context;
}

static bool seal(PK11Context *context, uint8_t *record)
{
    uint8_t nonce[NONCE_SIZE] = {0}, additional[1] = {0}, tag[TAG_SIZE];
    int size = 0;

    return PK11_AEADOp(context, CKG_NO_GENERATE, 0, nonce, sizeof(nonce), additional, sizeof(additional), record, &size,
                       SIZE, tag, sizeof(tag), record, SIZE) == SECSuccess;
}

/* UINT64_MAX: it cannot. */
static uint64_t measure(PK11SlotInfo *slot, CK_MECHANISM_TYPE mechanism, unsigned key_size)
{
    SCOPED_PK11_CONTEXT context = begin(slot, mechanism, key_size);
    uint8_t *record = base_alloc(SIZE);
    uint64_t best = UINT64_MAX;
    bool ok = context != NULL && seal(context, record);

    for (unsigned try = 0; ok && try < TRIES; try++) {
        uint64_t start = base_thread_us(), taken;

        for (unsigned i = 0; ok && i < RECORDS; i++)
            ok = seal(context, record);
        taken = base_thread_us() - start;
        best = taken < best ? taken : best;
    }
    free(record);
    return ok ? best : UINT64_MAX;
}

void tls_record_slot_measure(void)
{
    SCOPED_SLOT nss = PK11_GetInternalSlot();
    PK11SlotInfo *accelerator = tls_accelerator_slot();

    if (accelerator == NULL || nss == NULL)
        return;
    for (size_t i = 0; i < ARRAY_LEN(ciphers); i++) {
        uint64_t here = measure(nss, ciphers[i].mechanism, ciphers[i].key_size);
        uint64_t there = measure(accelerator, ciphers[i].mechanism, ciphers[i].key_size);

        ciphers[i].faster = there < here ? TLS_RECORD_TOKEN_ACCELERATOR : TLS_RECORD_TOKEN_NSS;
    }
}
