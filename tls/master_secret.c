/* see tls/master_secret.h */
#include "tls/master_secret.h"

#include "base/nss_scope.h"
#include "tls/accelerator.h"

#include <string.h>

enum {
    HANDLES_MAX = 1024,  /* looked at, backwards; a handshake makes about ten, and other threads make theirs */
    CANDIDATES_MAX = 32, /* secrets of the right size that are tried: each costs a key expansion */
    FINISHED_MAX = 64,
};

/* Making pairs for one key exchange without the check that keys of longer life get. NSS 3.110 makes them in its own
 * token, whatever the lists say, where that token has the mechanism (ssl_CreateECDHEPrivateKey()); NSS 3.87 knows of
 * none. */
static const CK_MECHANISM_TYPE ecdhe_key_pair_gen = CKM_NSS + 47;

/* Where NSS derives master secrets: where that of the key exchange was made, if it can be done there, and else in its
 * own token. A secret that is unwrapped from a session goes where the key that wraps it was made for (wrapping.c). So
 * beside an accelerator NSS's own token has some of them with the newer NSS, and none with the older. */
static PK11SlotInfo *accelerator_slot(void)
{
    PK11SlotInfo *accelerator = tls_accelerator_slot();

    return accelerator != NULL && PK11_DoesMechanism(accelerator, CKM_NSS_TLS_EXTENDED_MASTER_KEY_DERIVE_DH)
               ? accelerator
               : NULL;
}

/* An object of class "data" is the one that tokens make with the least ado: softoken for a third of what a key costs.
 */
static CK_OBJECT_HANDLE mark(PK11SlotInfo *slot)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_BYTE value = 0;
    CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_VALUE, &value, sizeof(value)}};
    PK11GenericObject *object = PK11_CreateManagedGenericObject(slot, template, ARRAY_LEN(template), PR_FALSE);
    CK_OBJECT_HANDLE handle;

    if (object == NULL)
        return 0;
    handle = PK11_GetObjectHandle(PK11_TypeGeneric, object, NULL);
    (void)PK11_DestroyGenericObject(object);
    return handle;
}

struct tls_master_marks tls_master_secret_mark(void)
{
    SCOPED_SLOT own = PK11_GetInternalSlot();
    PK11SlotInfo *accelerator = accelerator_slot();
    bool in_own = own != NULL && (accelerator == NULL || PK11_DoesMechanism(own, ecdhe_key_pair_gen));

    return (struct tls_master_marks){.own = in_own ? mark(own) : 0,
                                     .accelerator = accelerator != NULL ? mark(accelerator) : 0};
}

static bool read_secret(PK11SlotInfo *slot, CK_OBJECT_HANDLE handle, uint8_t out[static TLS_RECORD_MASTER_SIZE])
{
    PK11SymKey *key =
        PK11_SymKeyFromHandle(slot, NULL, PK11_OriginUnwrap, CKM_TLS_MASTER_KEY_DERIVE, handle, PR_FALSE, NULL);
    SECItem *data; /* the key's, which wipes it */
    bool found = false;

    if (key == NULL)
        return false;
    if (PK11_GetKeyLength(key) == TLS_RECORD_MASTER_SIZE && PK11_ExtractKeyValue(key) == SECSuccess) {
        data = PK11_GetKeyData(key);
        found = data != NULL && data->len == TLS_RECORD_MASTER_SIZE;
        if (found)
            memcpy(out, data->data, TLS_RECORD_MASTER_SIZE);
    }
    PK11_FreeSymKey(key);
    return found;
}

/* Whether the direction opens the record with the Finished, as number 0. */
static bool opens_finished(struct tls_record_direction *d, const struct tls_wire_note *note)
{
    struct span record = span_of(note->finished, note->finished_size);
    uint8_t out[FINISHED_MAX];
    unsigned type;
    size_t size;
    bool opens = record.size > TLS_RECORD_HEADER_SIZE + tls_record_overhead(d) &&
                 record.size == TLS_RECORD_HEADER_SIZE + tls_record_body_size(record.data) &&
                 tls_record_open(d, record, out, &size, &type);

    base_wipe(out, sizeof(out));
    return opens;
}

/* NSS takes the sequence number for what stands of a nonce in a record, as we do: only then is it certain that none of
 * ours was used before. */
static bool counts_as_we_do(const struct tls_record_direction *d, const struct tls_wire_note *note)
{
    static const uint8_t zero[TLS_RECORD_EXPLICIT_SIZE];

    return !d->explicit_nonce || memcmp(note->finished + TLS_RECORD_HEADER_SIZE, zero, sizeof(zero)) == 0;
}

static bool try_secret(const struct tls_wire_notes *notes, const struct tls_record_suite *suite, bool is_server,
                       const struct tls_record_master *master, struct tls_record_direction *read,
                       struct tls_record_direction *write)
{
    struct tls_record_direction *client = is_server ? read : write, *server = is_server ? write : read;
    bool found = tls_record_directions_init12(suite, master, TLS_RECORD_OPEN, TLS_RECORD_OPEN, client, server) &&
                 opens_finished(read, &notes->read) && opens_finished(write, &notes->written) &&
                 counts_as_we_do(write, &notes->written);

    if (!found) {
        tls_record_direction_clear(read);
        tls_record_direction_clear(write);
        return false;
    }
    tls_record_direction_rest(write);
    write->use = TLS_RECORD_SEAL;
    read->sequence = notes->read.records;
    write->sequence = notes->written.records;
    return true;
}

/* The last secrets of one token; `master` has the randoms. */
static bool search(PK11SlotInfo *slot, CK_OBJECT_HANDLE mark, const struct tls_wire_notes *notes,
                   const struct tls_record_suite *suite, bool is_server, struct tls_record_master *master,
                   struct tls_record_direction *read, struct tls_record_direction *write)
{
    bool found = false;

    for (unsigned back = 1, tried = 0; !found && back <= HANDLES_MAX && back < mark && tried < CANDIDATES_MAX; back++)
        if (read_secret(slot, mark - back, master->secret)) {
            tried++;
            found = try_secret(notes, suite, is_server, master, read, write);
        }
    return found;
}

bool tls_master_secret_find(const struct tls_wire_notes *notes, const struct tls_record_suite *suite, bool is_server,
                            const struct tls_master_marks *marks, struct tls_record_direction *read,
                            struct tls_record_direction *write)
{
    const struct tls_wire_note *client = is_server ? &notes->read : &notes->written;
    const struct tls_wire_note *server = is_server ? &notes->written : &notes->read;
    SCOPED_SLOT own = PK11_GetInternalSlot();
    struct tls_record_master master;
    bool found;

    if (client->hello_size < TLS_WIRE_HELLO_SIZE || server->hello_size < TLS_WIRE_HELLO_SIZE)
        return false;
    memcpy(master.client_random, client->hello + TLS_WIRE_HELLO_SIZE - TLS_RECORD_RANDOM_SIZE, TLS_RECORD_RANDOM_SIZE);
    memcpy(master.server_random, server->hello + TLS_WIRE_HELLO_SIZE - TLS_RECORD_RANDOM_SIZE, TLS_RECORD_RANDOM_SIZE);
    found = (marks->own != 0 && search(own, marks->own, notes, suite, is_server, &master, read, write)) ||
            (marks->accelerator != 0 &&
             search(accelerator_slot(), marks->accelerator, notes, suite, is_server, &master, read, write));
    base_wipe(&master, sizeof(master));
    return found;
}
