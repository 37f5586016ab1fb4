"""Chains that are made to cost those who verify them more than those who make them: the shapes of x509-limbo's pathological and
nc-dos groups, as client certificates. Each function returns an Attack; its leaf has a key of ours, so that a client can use it.
"""
import datetime
import ipaddress
import itertools
from dataclasses import dataclass

from authority import Certificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERIALS = itertools.count(1000)


@dataclass
class Attack:
    leaf: Certificate
    extras: str  # PEM, what the peer sends besides
    root: object  # path of what is trusted
    error: str
    reason: str  # part of the sentence in the log


def _key(curve=ec.SECP256R1):
    return ec.generate_private_key(curve())


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(subject, key, issuer, signer, *extensions):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(
        _name(issuer), _name(subject), key.public_key(), next(SERIALS), now - datetime.timedelta(days=1),
        now + datetime.timedelta(days=30))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, hashes.SHA256())


def _usage(sign, issue):
    return x509.KeyUsage(sign, False, False, False, False, issue, issue, False, False)


def _authority(subject, key, issuer, signer, *extensions):
    return _certificate(subject, key, issuer, signer, (x509.BasicConstraints(True, None), True),
                        (_usage(False, True), True), *extensions)


def _text(*certificates):
    return "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in certificates)


def _leaf(folder, issuer, signer, *extensions, purpose=ExtendedKeyUsageOID.CLIENT_AUTH):
    key = _key()
    leaf = _certificate("mallory", key, issuer, signer, (_usage(True, False), True),
                        (x509.ExtendedKeyUsage([purpose]), False), *extensions)
    cert, key_path = folder / "mallory.crt", folder / "mallory.key"
    cert.write_text(_text(leaf))
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    return Certificate(cert, key_path, cert, cert, "mallory")


def _root(folder):
    key, path = _key(), folder / "root.pem"
    path.write_text(_text(_authority("Root", key, "Root", key)))
    return key, path


def distinct_keys(folder, count=40):
    """Authorities of one name, each signed by another of them, and nobody by the root."""
    keys = [_key() for _ in range(count)]
    certs = [_authority("Pathological CA", key, "Pathological CA", keys[i - 1]) for i, key in enumerate(keys)]
    return Attack(_leaf(folder, "Pathological CA", keys[-1]), _text(*certs), _root(folder)[1], "unknown_issuer",
                  "Pathological CA")


def distinct_keys_below_the_root(folder, count=40):
    """Likewise, but names lead to the root, which has signed none of them: what it costs to find that out is limited."""
    keys = [_key() for _ in range(count)]
    certs = [_authority("Pathological CA", key, "Pathological CA" if i else "Root", keys[i - 1])
             for i, key in enumerate(keys)]
    return Attack(_leaf(folder, "Pathological CA", keys[-1]), _text(*certs), _root(folder)[1], "limit_exceeded",
                  "cost of signature checks")


def dear_keys_below_the_root(folder, count=40, server_name=None):
    """The dearest keys, none of which has signed the leaf; it is a server's where a name is given."""
    keys = [_key(ec.SECP384R1) for _ in range(count)]
    certs = [_authority("Pathological CA", key, "Root", key) for key in keys]
    server = {"purpose": ExtendedKeyUsageOID.SERVER_AUTH} if server_name else {}
    names = [(x509.SubjectAlternativeName([x509.DNSName(server_name)]), False)] if server_name else []
    return Attack(_leaf(folder, "Pathological CA", _key(), *names, **server), _text(*certs), _root(folder)[1], "limit_exceeded",
                  "cost of signature checks")


def same_key(folder, count=40):
    key = _key()
    certs = [_authority("Pathological CA", key, "Pathological CA", key) for _ in range(count)]
    return Attack(_leaf(folder, "Pathological CA", key), _text(*certs), _root(folder)[1], "unknown_issuer",
                  "Pathological CA")


def cycle(folder):
    """Two authorities that have signed each other."""
    one, two = _key(), _key()
    certs = [_authority("CA 1", one, "CA 2", two), _authority("CA 2", two, "CA 1", one)]
    return Attack(_leaf(folder, "CA 1", one), _text(*certs), _root(folder)[1], "unknown_issuer", "CA")


def _constrained(folder, names, constraints):
    """A good path, if all names are compared with all constraints."""
    root_key, root = _root(folder)
    key = _key()
    ca = _authority("Constrained CA", key, "Root", root_key, (constraints, True))
    leaf = _leaf(folder, "Constrained CA", key, (x509.SubjectAlternativeName(names), False))
    return Attack(leaf, _text(ca), root, "limit_exceeded", "comparisons of names")


def constrained_host_names(folder, count=1000):
    return _constrained(folder, [x509.DNSName(f"h{i}.example") for i in range(count)],
                        x509.NameConstraints([x509.DNSName("example")], [x509.DNSName(f"x{i}.test") for i in range(count)]))


def constrained_mail_addresses(folder, count=1000):
    return _constrained(folder, [x509.RFC822Name(f"a{i}@example.com") for i in range(count)],
                        x509.NameConstraints([x509.RFC822Name(f"b{i}@example.com") for i in range(count)] +
                                             [x509.RFC822Name("example.com")], None))


def constrained_directory_names(folder, count=700):
    return _constrained(folder, [x509.DirectoryName(_name(f"n{i}")) for i in range(count)],
                        x509.NameConstraints([x509.DirectoryName(_name(f"n{i}")) for i in reversed(range(count))], None))


def constrained_addresses(folder, count=1500):
    return _constrained(folder, [x509.IPAddress(_address(i)) for i in range(count)],
                        x509.NameConstraints(None, [x509.IPAddress(_network(i)) for i in range(count)]))


def _address(i):
    return ipaddress.IPv4Address(f"10.0.{i // 256}.{i % 256}")


def _network(i):
    return ipaddress.IPv4Network(f"172.16.{i // 256}.{i % 256}/32")


ATTACKS = {f.__name__: f for f in (
    distinct_keys, distinct_keys_below_the_root, dear_keys_below_the_root, same_key, cycle, constrained_host_names,
    constrained_mail_addresses, constrained_directory_names, constrained_addresses)}
