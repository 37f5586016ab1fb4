"""What an authority says of its certificates: CRLs and OCSP responses, of any date and signed by anybody."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp


def _certificate(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def _key(path):
    return serialization.load_pem_private_key(path.read_bytes(), None)


def _dates(days):
    """(from, to) in days from now."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    return [now + datetime.timedelta(days=d) for d in days]


def crl(authority, revoked=(), *, days=(-1, 7), number=1, signer=None, encoding="PEM"):
    """A CRL of `authority` that lists the certificates `revoked`; signer: another authority whose key signs it."""
    start, end = _dates(days)
    builder = x509.CertificateRevocationListBuilder().issuer_name(_certificate(authority.cert).subject) \
        .last_update(start).next_update(end).add_extension(x509.CRLNumber(number), critical=False)
    for certificate in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(_certificate(certificate.cert).serial_number)
            .revocation_date(start).build())
    signed = builder.sign(_key((signer or authority).key), hashes.SHA256())
    return signed.public_bytes(getattr(serialization.Encoding, encoding))


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
