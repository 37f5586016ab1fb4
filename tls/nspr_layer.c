/* see tls/nspr_layer.h
 *
 * Every method of the table is there and has its own type. SSL_ImportFD() and libssl call getpeername, getsocketoption
 * (non-blocking?), send, recv, shutdown, poll and close; a missing one would crash, one that returns a friendly zero
 * would lie (a zero from recv is the end of the stream). */
#include "tls/nspr_layer.h"

#include <prerror.h>
#include <prinit.h>
#include <string.h>

static PRDescIdentity layer_identity = PR_INVALID_IO_LAYER;
static PRCallOnceType layer_once;
static PRIOMethods layer_methods;

static struct tls_transport *transport_of(PRFileDesc *fd)
{
    return (struct tls_transport *)(void *)fd->secret;
}

static PRStatus not_implemented(void)
{
    PR_SetError(PR_NOT_IMPLEMENTED_ERROR, 0);
    return PR_FAILURE;
}

static uint64_t count_records(struct tls_record_reader *reader, struct span bytes)
{
    uint64_t count = 0;

    while (tls_record_reader_next(reader, &bytes))
        count++;
    return count;
}

/* see tls/nspr_layer.h */
void tls_transport_note_last(struct tls_transport *t, struct span bytes)
{
    size_t kept;

    if (bytes.size > sizeof(t->last))
        bytes = span_skip(bytes, bytes.size - sizeof(t->last));
    kept = sizeof(t->last) - bytes.size;
    kept = kept < t->last_size ? kept : t->last_size;
    memmove(t->last, t->last + t->last_size - kept, kept);
    memcpy(t->last + kept, bytes.data, bytes.size);
    t->last_size = kept + bytes.size;
}

static void see_silenced(struct tls_transport *t, struct span bytes)
{
    while (tls_record_reader_next(&t->silenced, &bytes)) {
        size_t body_size = tls_record_body_size(t->silenced.header);

        if (body_size > t->silenced_body_max)
            t->silenced_body_max = body_size;
    }
}

static PRInt32 PR_CALLBACK layer_recv(PRFileDesc *fd, void *data, PRInt32 amount, PRIntn flags, PRIntervalTime timeout)
{
    struct tls_transport *t = transport_of(fd);
    struct span held;
    size_t size;

    (void)timeout;
    if (t == NULL || flags != 0 || amount < 0) {
        PR_SetError(PR_INVALID_ARGUMENT_ERROR, 0);
        return -1;
    }
    held = buffer_span(&t->in);
    if (t->gated && t->readable < held.size)
        held.size = t->readable;
    if (held.size == 0) {
        if (t->ended && t->in.size == 0)
            return 0;
        PR_SetError(PR_WOULD_BLOCK_ERROR, 0);
        return -1;
    }
    size = held.size < (size_t)amount ? held.size : (size_t)amount;
    memcpy(data, held.data, size);
    t->read_records += count_records(&t->read, span_of(data, size));
    tls_transport_note_last(t, span_of(data, size));
    if (t->notes != NULL)
        tls_wire_note_see(&t->notes->read, span_of(data, size));
    if (t->gated)
        t->readable -= size;
    if (t->keeping && !buffer_append(&t->kept, span_of(data, size)))
        t->keeping = false;
    buffer_consume(&t->in, size);
    return (PRInt32)size;
}

static PRInt32 PR_CALLBACK layer_send(PRFileDesc *fd, const void *data, PRInt32 amount, PRIntn flags,
                                      PRIntervalTime timeout)
{
    struct tls_transport *t = transport_of(fd);
    size_t size;

    (void)timeout;
    if (t == NULL || flags != 0 || amount < 0) {
        PR_SetError(PR_INVALID_ARGUMENT_ERROR, 0);
        return -1;
    }
    if (t->silent) {
        see_silenced(t, span_of(data, (size_t)amount));
        return amount;
    }
    size = buffer_room(&t->out) < (size_t)amount ? buffer_room(&t->out) : (size_t)amount;
    t->write_refused = t->write_refused || size < (size_t)amount;
    if (size == 0 && amount != 0) {
        PR_SetError(PR_WOULD_BLOCK_ERROR, 0);
        return -1;
    }
    t->written_records += count_records(&t->written, span_of(data, size));
    if (t->notes != NULL)
        tls_wire_note_see(&t->notes->written, span_of(data, size));
    return buffer_append(&t->out, span_of(data, size)) ? (PRInt32)size : -1;
}

static PRInt32 PR_CALLBACK layer_read(PRFileDesc *fd, void *data, PRInt32 amount)
{
    return layer_recv(fd, data, amount, 0, PR_INTERVAL_NO_WAIT);
}

static PRInt32 PR_CALLBACK layer_write(PRFileDesc *fd, const void *data, PRInt32 amount)
{
    return layer_send(fd, data, amount, 0, PR_INTERVAL_NO_WAIT);
}

static PRStatus PR_CALLBACK layer_close(PRFileDesc *fd)
{
    fd->secret = NULL;
    fd->dtor(fd);
    return PR_SUCCESS;
}

static PRStatus PR_CALLBACK layer_shutdown(PRFileDesc *fd, PRIntn how)
{
    (void)fd;
    (void)how;
    return PR_SUCCESS; /* the transport is closed by its owner */
}

static PRInt32 PR_CALLBACK layer_available(PRFileDesc *fd)
{
    struct tls_transport *t = transport_of(fd);

    return t == NULL ? 0 : (PRInt32)t->in.size;
}

static PRInt64 PR_CALLBACK layer_available64(PRFileDesc *fd)
{
    return layer_available(fd);
}

static PRInt16 PR_CALLBACK layer_poll(PRFileDesc *fd, PRInt16 in_flags, PRInt16 *out_flags)
{
    struct tls_transport *t = transport_of(fd);

    *out_flags = 0;
    if (t != NULL && (in_flags & PR_POLL_READ) != 0 && (t->in.size != 0 || t->ended))
        *out_flags |= PR_POLL_READ;
    if (t != NULL && (in_flags & PR_POLL_WRITE) != 0 && buffer_room(&t->out) != 0)
        *out_flags |= PR_POLL_WRITE;
    return in_flags;
}

static PRStatus PR_CALLBACK layer_getpeername(PRFileDesc *fd, PRNetAddr *address)
{
    struct tls_transport *t = transport_of(fd);

    if (t == NULL) {
        PR_SetError(PR_NOT_CONNECTED_ERROR, 0);
        return PR_FAILURE;
    }
    memset(address, 0, sizeof(*address));
    address->ipv6.family = PR_AF_INET6;
    address->ipv6.ip = t->peer_address;
    return PR_SUCCESS;
}

static PRStatus PR_CALLBACK layer_getsocketoption(PRFileDesc *fd, PRSocketOptionData *data)
{
    (void)fd;
    if (data->option != PR_SockOpt_Nonblocking)
        return not_implemented();
    data->value.non_blocking = PR_TRUE;
    return PR_SUCCESS;
}

static PRStatus PR_CALLBACK layer_setsocketoption(PRFileDesc *fd, const PRSocketOptionData *data)
{
    (void)fd;
    return data->option == PR_SockOpt_Nonblocking && data->value.non_blocking ? PR_SUCCESS : not_implemented();
}

static PRStatus PR_CALLBACK refuse_fsync(PRFileDesc *fd)
{
    (void)fd;
    return not_implemented();
}

static PROffset32 PR_CALLBACK refuse_seek(PRFileDesc *fd, PROffset32 offset, PRSeekWhence how)
{
    (void)fd;
    (void)offset;
    (void)how;
    return (PROffset32)not_implemented();
}

static PROffset64 PR_CALLBACK refuse_seek64(PRFileDesc *fd, PROffset64 offset, PRSeekWhence how)
{
    (void)fd;
    (void)offset;
    (void)how;
    return (PROffset64)not_implemented();
}

static PRStatus PR_CALLBACK refuse_info(PRFileDesc *fd, PRFileInfo *info)
{
    (void)fd;
    (void)info;
    return not_implemented();
}

static PRStatus PR_CALLBACK refuse_info64(PRFileDesc *fd, PRFileInfo64 *info)
{
    (void)fd;
    (void)info;
    return not_implemented();
}

static PRInt32 PR_CALLBACK refuse_writev(PRFileDesc *fd, const PRIOVec *iov, PRInt32 count, PRIntervalTime timeout)
{
    (void)fd;
    (void)iov;
    (void)count;
    (void)timeout;
    return (PRInt32)not_implemented();
}

static PRStatus PR_CALLBACK refuse_connect(PRFileDesc *fd, const PRNetAddr *address, PRIntervalTime timeout)
{
    (void)fd;
    (void)address;
    (void)timeout;
    return not_implemented();
}

static PRFileDesc *PR_CALLBACK refuse_accept(PRFileDesc *fd, PRNetAddr *address, PRIntervalTime timeout)
{
    (void)fd;
    (void)address;
    (void)timeout;
    (void)not_implemented();
    return NULL;
}

static PRStatus PR_CALLBACK refuse_bind(PRFileDesc *fd, const PRNetAddr *address)
{
    (void)fd;
    (void)address;
    return not_implemented();
}

static PRStatus PR_CALLBACK refuse_listen(PRFileDesc *fd, PRIntn backlog)
{
    (void)fd;
    (void)backlog;
    return not_implemented();
}

static PRInt32 PR_CALLBACK refuse_recvfrom(PRFileDesc *fd, void *data, PRInt32 amount, PRIntn flags, PRNetAddr *address,
                                           PRIntervalTime timeout)
{
    (void)fd;
    (void)data;
    (void)amount;
    (void)flags;
    (void)address;
    (void)timeout;
    return (PRInt32)not_implemented();
}

static PRInt32 PR_CALLBACK refuse_sendto(PRFileDesc *fd, const void *data, PRInt32 amount, PRIntn flags,
                                         const PRNetAddr *address, PRIntervalTime timeout)
{
    (void)fd;
    (void)data;
    (void)amount;
    (void)flags;
    (void)address;
    (void)timeout;
    return (PRInt32)not_implemented();
}

static PRInt32 PR_CALLBACK refuse_acceptread(PRFileDesc *fd, PRFileDesc **accepted, PRNetAddr **address, void *data,
                                             PRInt32 amount, PRIntervalTime timeout)
{
    (void)fd;
    (void)accepted;
    (void)address;
    (void)data;
    (void)amount;
    (void)timeout;
    return (PRInt32)not_implemented();
}

static PRInt32 PR_CALLBACK refuse_transmitfile(PRFileDesc *fd, PRFileDesc *file, const void *headers, PRInt32 size,
                                               PRTransmitFileFlags flags, PRIntervalTime timeout)
{
    (void)fd;
    (void)file;
    (void)headers;
    (void)size;
    (void)flags;
    (void)timeout;
    return (PRInt32)not_implemented();
}

static PRStatus PR_CALLBACK refuse_getsockname(PRFileDesc *fd, PRNetAddr *address)
{
    (void)fd;
    (void)address;
    return not_implemented();
}

static PRInt32 PR_CALLBACK refuse_sendfile(PRFileDesc *fd, PRSendFileData *data, PRTransmitFileFlags flags,
                                           PRIntervalTime timeout)
{
    (void)fd;
    (void)data;
    (void)flags;
    (void)timeout;
    return (PRInt32)not_implemented();
}

static PRStatus PR_CALLBACK refuse_connectcontinue(PRFileDesc *fd, PRInt16 out_flags)
{
    (void)fd;
    (void)out_flags;
    return not_implemented();
}

static PRIntn PR_CALLBACK refuse_reserved(PRFileDesc *fd)
{
    (void)fd;
    return (PRIntn)not_implemented();
}

static PRStatus make_identity(void)
{
    layer_methods = (PRIOMethods){
        .file_type = PR_DESC_LAYERED,
        .close = layer_close,
        .read = layer_read,
        .write = layer_write,
        .available = layer_available,
        .available64 = layer_available64,
        .fsync = refuse_fsync,
        .seek = refuse_seek,
        .seek64 = refuse_seek64,
        .fileInfo = refuse_info,
        .fileInfo64 = refuse_info64,
        .writev = refuse_writev,
        .connect = refuse_connect,
        .accept = refuse_accept,
        .bind = refuse_bind,
        .listen = refuse_listen,
        .shutdown = layer_shutdown,
        .recv = layer_recv,
        .send = layer_send,
        .recvfrom = refuse_recvfrom,
        .sendto = refuse_sendto,
        .poll = layer_poll,
        .acceptread = refuse_acceptread,
        .transmitfile = refuse_transmitfile,
        .getsockname = refuse_getsockname,
        .getpeername = layer_getpeername,
        .reserved_fn_6 = refuse_reserved,
        .reserved_fn_5 = refuse_reserved,
        .getsocketoption = layer_getsocketoption,
        .setsocketoption = layer_setsocketoption,
        .sendfile = refuse_sendfile,
        .connectcontinue = refuse_connectcontinue,
        .reserved_fn_3 = refuse_reserved,
        .reserved_fn_2 = refuse_reserved,
        .reserved_fn_1 = refuse_reserved,
        .reserved_fn_0 = refuse_reserved,
    };
    layer_identity = PR_GetUniqueIdentity("yett memory transport");
    return layer_identity == PR_INVALID_IO_LAYER ? PR_FAILURE : PR_SUCCESS;
}

PRFileDesc *tls_nspr_layer_create(struct tls_transport *transport)
{
    PRFileDesc *fd;

    if (PR_CallOnce(&layer_once, make_identity) != PR_SUCCESS)
        base_abort("NSPR has no room for an I/O layer");
    fd = PR_CreateIOLayerStub(layer_identity, &layer_methods);
    if (fd == NULL)
        base_abort("out of memory for an NSPR file descriptor");
    fd->secret = (PRFilePrivate *)(void *)transport;
    return fd;
}

struct tls_transport *tls_nspr_layer_transport(PRFileDesc *fd)
{
    PRFileDesc *layer = PR_GetIdentitiesLayer(fd, layer_identity);

    assert(layer != NULL);
    return transport_of(layer);
}
