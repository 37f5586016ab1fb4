"""What an authority says of its certificates: CRLs and OCSP responses, of any date and signed by anybody."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.x509 import ocsp


def _certificate(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def _key(path):
    return serialization.load_pem_private_key(path.read_bytes(), None)


def _dates(days):
    """(from, to) in days from now."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return [now + datetime.timedelta(days=d) for d in days]


def crl(authority, revoked=(), *, days=(-1, 7), number=1, signer=None, encoding="PEM"):
    """A CRL of `authority` that lists the certificates `revoked`; number None: it has none, as Easy-RSA makes them; signer:
    another authority whose key signs it."""
    start, end = _dates(days)
    builder = x509.CertificateRevocationListBuilder().issuer_name(_certificate(authority.cert).subject) \
        .last_update(start).next_update(end)
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for certificate in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(_certificate(certificate.cert).serial_number)
            .revocation_date(start).build())
    signed = builder.sign(_key((signer or authority).key), hashes.SHA256())
    return signed.public_bytes(getattr(serialization.Encoding, encoding))


def _tlv(tag, contents):
    size = len(contents)
    length = bytes([size]) if size < 128 else b"\x84" + size.to_bytes(4, "big")
    while length[0] > 0x81 and length[1] == 0:  # the shortest form
        length = bytes([length[0] - 1]) + length[2:]
    return bytes([tag]) + length + contents


def _elements(contents):
    while contents:
        size, start = contents[1], 2
        if size >= 128:
            start = 2 + size - 128
            size = int.from_bytes(contents[2:start], "big")
        yield contents[:start + size]
        contents = contents[start + size:]


def large_crl(authority, entries, revoked=()):
    """A CRL (DER) with so many entries, those of `revoked` last; written here, since the library takes minutes for it."""
    small = x509.load_der_x509_crl(crl(authority, revoked, encoding="DER"))
    tbs = list(_elements(next(_elements(small.tbs_certlist_bytes))[_head_size(small.tbs_certlist_bytes):]))
    own = tbs[5][_head_size(tbs[5]):] if revoked else b""
    date = _tlv(0x17, b"240101000000Z")
    filler = b"".join(_tlv(0x30, _tlv(0x02, b"\x4f" + n.to_bytes(15, "big")) + date) for n in range(entries))
    tbs[5:6 if revoked else 5] = [_tlv(0x30, filler + own)]
    body = _tlv(0x30, b"".join(tbs))
    key = _key(authority.key)
    how = [ec.ECDSA(hashes.SHA256())] if isinstance(key, ec.EllipticCurvePrivateKey) else \
        [padding.PKCS1v15(), hashes.SHA256()]
    signature = key.sign(body, *how)
    return _tlv(0x30, body + tbs[1] + _tlv(0x03, b"\0" + signature))


def _head_size(element):
    return 2 if element[1] < 128 else 2 + element[1] - 128


def ocsp_response(authority, certificate, status="good", *, days=(-1, 7), signer=None):
    """A response (DER) about `certificate` (or the path of one): good, revoked, unknown, or try_later."""
    if status == "try_later":
        return ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER) \
            .public_bytes(serialization.Encoding.DER)
    start, end = _dates(days)
    issuer = _certificate(authority.cert)
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=_certificate(getattr(certificate, "cert", certificate)), issuer=issuer, algorithm=hashes.SHA1(),
        cert_status=getattr(ocsp.OCSPCertStatus, status.upper()), this_update=start, next_update=end,
        revocation_time=start if status == "revoked" else None, revocation_reason=None)
    signed = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer).sign(
        _key((signer or authority).key), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


def requested_serial(request):
    return ocsp.load_der_ocsp_request(request).serial_number


def serial_of(certificate):
    return _certificate(getattr(certificate, "cert", certificate)).serial_number
