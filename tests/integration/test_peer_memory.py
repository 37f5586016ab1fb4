"""A peer that shows a certificate with the issuer and serial number of another peer's must not stop that one.

NSS keeps the certificates it has decoded, by these two, in memory of the whole process, for as long as a socket holds them, and
decodes no other with the same two. The attackers here append such a certificate to a chain of their own, in every place that a
peer can have, and keep their connection; one worker serves both them and their victims.
"""
import concurrent.futures
import contextlib
import datetime
import ssl
import threading

import pytest
from authority import Authority
from conftest import PATIENCE, connect
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from peers import EchoServer, ScriptedServer, client_tls, free_port, server_tls, wait_until

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])


def junk(of):
    """PEM of a certificate with the issuer and serial number of the one in the file `of`, signed by nobody."""
    real = x509.load_pem_x509_certificate(of.read_bytes())
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder(
        real.issuer, x509.Name.from_rfc4514_string("CN=junk"), key.public_key(), real.serial_number,
        now - datetime.timedelta(days=1), now + datetime.timedelta(days=30)).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def with_junk(context, certificate, *victims):
    """The context shows the certificate, and behind it junk of the victims'."""
    chain = certificate.chain.with_suffix(".junk.pem")
    chain.write_text(certificate.chain.read_text() + "".join(junk(v.cert) for v in victims))
    context.load_cert_chain(str(chain), str(certificate.key))
    return context


def records(data):
    """Bytes of TLS, cut into records."""
    out = []
    while data:
        size = 5 + int.from_bytes(data[3:5], "big")
        out.append(data[:size])
        data = data[size:]
    return out


class RawTls:
    """One end of TLS over a socket, whose records a test passes on one by one."""

    def __init__(self, sock, context, **options):
        self.sock, self.incoming, self.outgoing = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, **options)

    def step(self):
        """What it wants to say next, as records; None when the handshake is done."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
            return self.outgoing.read() and None
        return records(self.outgoing.read())

    def say(self, some):
        self.sock.sendall(b"".join(some))

    def hear(self):
        data = self.sock.recv(65536)
        self.incoming.write(data)
        return data

    def flight_after(self, flights):
        """Speak `flights` of its own flights; the next one, not yet said."""
        said = 0
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            mine = records(self.outgoing.read())
            if mine and said == flights:
                return mine
            if mine:
                self.say(mine)
                said += 1
            if not self.hear():
                raise ConnectionError("the other one has left in the middle of the handshake")


def answers(port, text=b"served"):
    """Whether the plain service reaches its target by TLS."""
    with contextlib.suppress(OSError), connect(port) as s:
        s.sendall(text)
        return s.recv(100) == text
    return False


@pytest.fixture
def people(folder, authority):
    """Two authorities: the victims' and that of the clients we let in."""
    authority.clients = Authority(folder / "clients", "Clients CA")
    authority.insider = authority.clients.client("insider")
    return authority


@pytest.fixture
def scene(yett, people):
    """scene(version): a service that asks clients for certificates, and one that goes to a victim by TLS of that version."""
    stack = contextlib.ExitStack()

    def start(version, peer="require", extra=""):
        echo = stack.enter_context(EchoServer())
        victim = stack.enter_context(EchoServer(tls=server_tls(people.localhost, version=version)))
        ports = free_port(), free_port()
        running = yett(
            f"[service in]\nprotocol = tcp\nlisten = 127.0.0.1:{ports[0]}\nlisten_tls = implicit\n"
            f"identity = file:{people.localhost_rsa.pem}\nconnect = 127.0.0.1:{echo.port}\nconnect_tls = none\n"
            f"peer = {peer}\npeer_trust = file:{people.clients.cert}, file:{people.cert}\nallow = any\n{extra}"
            f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{ports[1]}\nlisten_tls = none\n"
            f"connect = localhost:{victim.port}\nconnect_tls = implicit\ntrust = file:{people.cert}\n{extra}",
            settings="workers = 1\n")
        return running, *ports

    with stack:
        yield start


def client_of(people, version, *, refused=False):
    """A context of an attacking client, with junk of the victims' server and client certificates."""
    own = Authority(people.clients.folder / "nobody", "Nobody").client("mallory") if refused else people.insider
    return with_junk(client_tls(version=version), own, people.localhost, people.alice)


def victims_are_served(running, people, version, in_port, out_port):
    assert answers(out_port), running.log()[-3000:]
    with connect(in_port) as plain, client_tls(people, cert=people.alice, version=version).wrap_socket(
            plain, server_hostname="localhost") as s:
        s.sendall(b"alice")
        assert s.recv(100) == b"alice", running.log()[-3000:]


# --- clients ---

@VERSIONS
def test_client_that_is_refused_and_stays(people, scene, version):
    running, in_port, out_port = scene(version)
    with connect(in_port) as s:
        attacker = RawTls(s, client_of(people, version, refused=True), server_hostname="localhost")
        attacker.say(attacker.flight_after(1))
        running.wait_for_log("unknown_issuer")
        victims_are_served(running, people, version, in_port, out_port)


@VERSIONS
def test_client_that_is_accepted_and_stays(people, scene, version):
    running, in_port, out_port = scene(version)
    with connect(in_port) as plain, client_of(people, version).wrap_socket(plain, server_hostname="localhost") as s:
        s.sendall(b"hello")
        assert s.recv(100) == b"hello"
        victims_are_served(running, people, version, in_port, out_port)
        s.sendall(b"still here")
        assert s.recv(100) == b"still here"


@VERSIONS
@pytest.mark.parametrize("said", [1, 2, 3, 4])
def test_client_that_stalls_in_its_second_flight(people, scene, version, said):
    """Certificate, (ClientKeyExchange,) CertificateVerify, (ChangeCipherSpec,) Finished: so many of its records."""
    running, in_port, out_port = scene(version)
    with connect(in_port) as s:
        attacker = RawTls(s, client_of(people, version), server_hostname="localhost")
        flight = attacker.flight_after(1)
        attacker.say(flight[:said])
        wait_until(lambda: running.counter("connections_open") >= 1, "the attacker to be there")
        victims_are_served(running, people, version, in_port, out_port)


@VERSIONS
def test_more_certificates_than_are_looked_at(people, scene, version):
    """They are refused before NSS decodes the first of them; the client is told."""
    running, in_port, out_port = scene(version)
    context, chain = client_tls(version=version), people.clients.folder / "long.pem"
    chain.write_text(people.insider.chain.read_text() + people.localhost.cert.read_text() * 60)
    context.load_cert_chain(str(chain), str(people.insider.key))
    with connect(in_port) as plain, pytest.raises(ssl.SSLError, match="(?i)bad.certificate"):
        with context.wrap_socket(plain, server_hostname="localhost") as s:
            s.recv(1)
    running.wait_for_log("too_many_certificates")
    victims_are_served(running, people, version, in_port, out_port)


# --- servers ---

class Attacker(ScriptedServer):
    """A TLS server with junk in its chain that says so many records of its first flight, or all of what it has to say, and
    keeps the connection."""

    def __init__(self, context, said=None):
        super().__init__(self.attack)
        self.context, self.said, self.held = context, said, threading.Semaphore(0)

    def attack(self, plain):
        raw = RawTls(plain, self.context, server_side=True)
        if self.said is None:
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                while (mine := raw.step()) is not None:
                    raw.say(mine)
                    if not raw.hear():
                        break
                raw.say(records(raw.outgoing.read()))
        else:
            raw.say(raw.flight_after(0)[:self.said])
        self.held.release()
        self.stopping.wait()


def two_services(yett, people, attacker_port, victim_port, attacker_trust):
    ports = free_port(), free_port()
    running = yett("".join(
        f"[service {name}]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = none\nconnect = localhost:{target}\n"
        f"connect_tls = implicit\ntrust = file:{trust}\n"
        for name, port, target, trust in (("bad", ports[0], attacker_port, attacker_trust),
                                          ("good", ports[1], victim_port, people.cert))), settings="workers = 1\n")
    return running, *ports


def server_of(people, version):
    return with_junk(server_tls(people.mallory, version=version), people.mallory, people.localhost)


@pytest.fixture
def mallory(people, folder):
    """The attacker's server, with a certificate of an authority of its own."""
    people.other = Authority(folder / "other", "Other CA")
    people.mallory = people.other.server("localhost")
    return people.mallory


@VERSIONS
@pytest.mark.parametrize("trusted", [True, False])
def test_server_that_is_connected_to_and_stays(yett, people, mallory, version, trusted):
    context = server_of(people, version)
    with Attacker(context) as bad, EchoServer(tls=server_tls(people.localhost, version=version)) as victim:
        running, bad_port, good_port = two_services(yett, people, bad.port, victim.port,
                                                    people.other.cert if trusted else people.clients.cert)
        with connect(bad_port) as held:
            held.sendall(b"x")
            assert bad.held.acquire(timeout=20 * PATIENCE)
            for _ in range(3):
                assert answers(good_port), running.log()[-3000:]


@VERSIONS
@pytest.mark.parametrize("said", [1, 2, 3, 4, 5])
def test_server_that_stalls_in_its_flight(yett, people, mallory, version, said):
    with Attacker(server_of(people, version), said) as bad, \
            EchoServer(tls=server_tls(people.localhost, version=version)) as victim:
        running, bad_port, good_port = two_services(yett, people, bad.port, victim.port, people.other.cert)
        with connect(bad_port) as held:
            held.sendall(b"x")
            assert bad.held.acquire(timeout=20 * PATIENCE)
            for _ in range(3):
                assert answers(good_port), running.log()[-3000:]


def test_server_of_tls12_that_never_finishes(yett, people, mallory):
    """It has said all but its Finished, and so NSS's socket waits, with what it was shown. It is ended for the other's sake."""
    class Silent(Attacker):
        def attack(self, plain):
            raw = RawTls(plain, self.context, server_side=True)
            raw.say(raw.flight_after(0))
            raw.hear()
            self.held.release()
            self.stopping.wait()

    with Silent(server_of(people, V12)) as bad, EchoServer(tls=server_tls(people.localhost)) as victim:
        running, bad_port, good_port = two_services(yett, people, bad.port, victim.port, people.other.cert)
        with connect(bad_port) as held:
            held.sendall(b"x")
            assert bad.held.acquire(timeout=20 * PATIENCE)
            assert answers(good_port), running.log()[-3000:]


@VERSIONS
def test_two_targets_through_an_http_proxy(yett, people, mallory, version):
    """Whoever may name targets brings one of their own."""
    def page(connection):
        while not (head := connection.recv(65536)).endswith(b"\r\n\r\n"):
            assert head
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage")

    with Attacker(server_of(people, version)) as bad, \
            ScriptedServer(page, tls=server_tls(people.localhost, version=version)) as victim:
        port = free_port()
        targets = ", ".join(f"{host}:{target.port}" for target in (bad, victim)
                            for host in ("localhost", "127.0.0.0/8", "[::1]"))
        running = yett(f"[service web]\nprotocol = http-proxy\nlisten = 127.0.0.1:{port}\nlisten_tls = none\n"
                       f"allow_target = {targets}\ntrust = file:{people.cert}, file:{people.other.cert}\n",
                       settings="workers = 1\n")
        with connect(port) as held:
            held.sendall(f"GET https://localhost:{bad.port}/ HTTP/1.1\r\nHost: localhost:{bad.port}\r\n\r\n".encode())
            assert bad.held.acquire(timeout=20 * PATIENCE)
            for _ in range(3):
                with connect(port) as s, s.makefile("rb") as answer:
                    s.sendall(f"GET https://localhost:{victim.port}/ HTTP/1.1\r\n"
                              f"Host: localhost:{victim.port}\r\n\r\n".encode())
                    assert answer.readline() == b"HTTP/1.1 200 OK\r\n", running.log()[-3000:]


# --- under load ---

@VERSIONS
def test_victims_are_served_while_many_attack(people, scene, version):
    """Attackers that are refused, accepted and stalled come all the time; whoever is in the right is served, every time."""
    running, in_port, out_port = scene(version, extra="connections_per_address_max = 0\n")
    contexts = [client_of(people, version, refused=refused) for refused in (False, True)]
    stop = threading.Event()

    def attack(number):
        held = []
        while not stop.is_set():
            with contextlib.suppress(OSError, ssl.SSLError):
                s = connect(in_port)
                held.append(s)
                attacker = RawTls(s, contexts[number % 2], server_hostname="localhost")
                flight = attacker.flight_after(1)
                attacker.say(flight[:1 + number % len(flight)] if number % 3 else flight)
            if len(held) > 20:
                held.pop(0).close()
            number += 1
        for s in held:
            s.close()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        attackers = [pool.submit(attack, i) for i in range(4)]
        try:
            for _ in range(20):
                victims_are_served(running, people, version, in_port, out_port)
        finally:
            stop.set()
        for a in attackers:
            a.result()


@VERSIONS
def test_different_certificates_with_the_same_names_wait_for_one_another(yett, people, folder, version):
    """Two authorities of the same name, made by the same script, have both given a certificate with the serial number 1001.
    Each is good where it is trusted; neither is in the wrong."""
    twins = [Authority(folder / f"twin{i}", "Twin CA") for i in range(2)]
    servers = [EchoServer(tls=server_tls(twin.server("localhost"), version=version)) for twin in twins]
    with servers[0] as one, servers[1] as two:
        running, *ports = two_services(yett, people, one.port, two.port, twins[0].cert)
        configuration = running.config.read_text().replace(str(people.cert), str(twins[1].cert))
        running.config.write_text(configuration)
        running.command("reload")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert all(pool.map(lambda i: answers(ports[i % 2], b"%d" % i), range(200))), running.log()[-3000:]
        with connect(ports[0]) as first:
            first.sendall(b"stays")
            assert first.recv(10) == b"stays"
            assert answers(ports[1]), running.log()[-3000:]
