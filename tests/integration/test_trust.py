"""Peers that are not accepted: what the log says of them, and what it costs. Blocklist, pins, chains made to hurt."""
import base64
import contextlib
import os
import pathlib
import socket
import ssl
import threading

import pathological
import pytest
from authority import Authority, Certificate, openssl
from conftest import PATIENCE, TOP, connect, free_port
from peers import EchoServer, client_tls, server_tls, wait_until

SUITES = pathlib.Path(os.environ.get("YETT_SUITES", TOP.parent / "shared/suites")) / "sigdos"
SIGNATURE_CHECKS_MAX = 100  # pkix/verify.c: pkix_limits_default
LOG_VALUE_MAX = 768  # proxy/process/log.c


def terminating(port, target, identity, trust, extra=""):
    return (f"[service in]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
            f"identity = file:{identity.pem}\nconnect = 127.0.0.1:{target}\npeer = require\n"
            f"peer_trust = {', '.join(f'file:{t}' for t in trust)}\nallow = any\n{extra}")


def originating(port, target, trust, extra=""):
    return (f"[service out]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nconnect = localhost:{target}\n"
            f"connect_tls = implicit\ntrust = file:{trust}\n{extra}")


def ask(port, context=None):
    """What an echo service behind yett says to us; b"" or None when it refuses."""
    with contextlib.suppress(ssl.SSLError, ConnectionError), connect(port, timeout=20 * PATIENCE) as s:
        s = context.wrap_socket(s, server_hostname="localhost") if context else s
        s.sendall(b"hello")
        return s.recv(100)


def without_issuers(certificate):
    """The same certificate, shown without its issuers."""
    return Certificate(certificate.cert, certificate.key, certificate.cert, certificate.pem, certificate.name)


OLD = ("20240101000000Z", "20250101000000Z")


class Case:
    """A leaf that is refused, and what an administrator has to read of it."""

    def __init__(self, folder, root, kind, purpose):
        self.root = root.cert
        issuer, shown = Authority(folder / "ca", "Inner CA", issuer=root), lambda c: c
        options = {"sans": ("DNS:localhost",)}
        name = "peer"
        if kind == "missing intermediate":
            shown = without_issuers
            self.want = ("unknown_issuer", "CN=Inner CA, which the peer did not send", "CN=peer [unknown_issuer]")
        elif kind == "expired intermediate":
            issuer = Authority(folder / "old", "Old CA", issuer=root, dates=OLD)
            self.want = ("expired_issuer", "CN=Old CA (not after 2025-01-01T00:00:00Z; now is 20",
                         "CN=peer <- CN=Old CA [expired_issuer]")
        elif kind == "expired leaf":
            options["dates"] = OLD
            self.want = ("expired", "CN=peer (not after 2025-01-01T00:00:00Z; now is 20", "CN=peer [expired]")
        elif kind == "unknown root":
            other = Authority(folder / "other", "Other Root")
            issuer = Authority(folder / "ca", "Other CA", issuer=other)
            issuer.chain_text += other.cert.read_text()
            self.want = ("unknown_issuer", "CN=Other Root (it is self-issued, and not among the trusted certificates)",
                         "CN=peer <- CN=Other CA <- CN=Other Root [unknown_issuer]")
        elif kind == "name constraints":
            issuer = Authority(folder / "limited", "Limited CA", issuer=root,
                               extensions="nameConstraints=critical,permitted;DNS:example.org\n")
            self.want = ("name_constraint_violation", "is none that the name constraints of CN=Limited CA permit",
                         "CN=peer [name_constraint_violation] <- CN=Limited CA")
        elif kind == "wrong purpose":
            purpose = {"clientAuth": "serverAuth", "serverAuth": "clientAuth"}[purpose]
            self.want = ("bad_extended_key_usage", f"its extended key usage is {purpose}; ",
                         "CN=peer [bad_extended_key_usage]")
        elif kind == "wrong name":
            options["sans"] = ("DNS:elsewhere.test", "DNS:other.test")
            self.want = ("name_mismatch", "elsewhere.test", "CN=peer [name_mismatch] <- CN=Inner CA")
        self.certificate = shown(issuer.issue(name, purpose=purpose, **options))

    def check(self, line):
        error, reason, path = self.want
        assert line["error"] == error, line
        assert reason in line["reason"], line
        assert line["path"].startswith(path), line
        assert "\n" not in line["reason"] and len(line["reason"]) <= LOG_VALUE_MAX and len(line["path"]) <= LOG_VALUE_MAX
        assert line["signature_checks"] <= SIGNATURE_CHECKS_MAX


KINDS = ["missing intermediate", "expired intermediate", "expired leaf", "unknown root", "name constraints",
         "wrong purpose"]


@pytest.mark.parametrize("kind", KINDS)
def test_log_says_why_a_client_is_refused(yett, authority, echo, folder, port, kind):
    case = Case(folder / "certs", authority, kind, "clientAuth")
    running = yett(terminating(port, echo.port, authority.localhost, [case.root]))
    assert not ask(port, client_tls(authority, cert=case.certificate))
    running.wait_for_log("client_tls_failed")
    line, = running.log_lines("client_tls_failed")
    assert "the client's certificate is not accepted" in line["reason"]
    case.check(line)
    assert echo.connections == 0


@pytest.mark.parametrize("kind", [*KINDS, "wrong name"])
def test_log_says_why_a_server_is_refused(yett, authority, folder, port, kind):
    case = Case(folder / "certs", authority, kind, "serverAuth")
    with EchoServer(tls=server_tls(case.certificate)) as backend:
        running = yett(originating(port, backend.port, case.root))
        assert not ask(port)
        running.wait_for_log("target_tls_failed")
        line, = running.log_lines("target_tls_failed")
        assert "the server's certificate is not accepted" in line["reason"]
        case.check(line)


def test_a_long_name_does_not_hide_the_rest_of_the_line(yett, authority, echo, folder, port):
    """Whoever makes a certificate chooses its name: here 64 characters, the most a common name may have, of three bytes."""
    name = "\N{SNOWMAN}" * 64
    stranger = Authority(folder / "other", "Other CA").client("mallory", subject=f"/CN={name}")
    running = yett(terminating(port, echo.port, authority.localhost, [authority.cert]))
    assert not ask(port, client_tls(authority, cert=stranger))
    running.wait_for_log("client_tls_failed")
    line, = running.log_lines("client_tls_failed")
    assert "its issuer is CN=Other CA" in line["reason"] and line["path"].endswith("... [unknown_issuer]"), line


# ---- blocklist and pins ----

def name_of(certificate, which):
    """The DER of a subject or issuer, in base64, by way of a text form that openssl makes."""
    der = certificate if isinstance(certificate, bytes) else openssl("x509", "-in", certificate, "-outform", "DER")
    return base64.b64encode(names_in(der)[which]).decode()


def elements(der):
    """The elements one after the other in `der`, whole and their contents."""
    while der:
        size, start = der[1], 2
        if size & 0x80:
            start = 2 + (size & 0x7f)
            size = int.from_bytes(der[2:start], "big")
        yield der[:start + size], der[start:start + size]
        der = der[start + size:]


def names_in(der):
    """RFC 5280 section 4.1: version, serial, signature, issuer, validity, subject."""
    certificate = next(elements(der))[1]
    fields = [whole for whole, _ in elements(next(elements(certificate))[1])]
    return {"issuer": fields[3], "subject": fields[5]}


def spki_sha256(cert):
    key = openssl("x509", "-in", cert, "-noout", "-pubkey")
    return openssl("dgst", "-sha256", "-r", input=openssl("pkey", "-pubin", "-outform", "DER", input=key)).split()[0].decode()


def sha256(cert):
    return openssl("dgst", "-sha256", "-r", input=openssl("x509", "-in", cert, "-outform", "DER")).split()[0].decode()


def serial(cert):
    return openssl("x509", "-in", cert, "-noout", "-serial").decode().strip().split("=")[1]


def test_blocklist_refuses_clients_and_servers_after_a_reload(yett, authority, folder, echo, port):
    inner = Authority(folder / "inner", "Inner CA", issuer=authority)
    carol, server = inner.client("carol"), inner.server("localhost")
    blocklist, out = folder / "blocklist", free_port()
    blocklist.write_text("# nobody yet\n")
    with EchoServer(tls=server_tls(server)) as backend:
        running = yett(terminating(port, echo.port, authority.localhost, [authority.cert])
                       + originating(out, backend.port, authority.cert),
                       settings=f"blocklist = file:{blocklist}\n")
        tls = client_tls(authority, cert=carol)
        assert ask(port, tls) == ask(out) == b"hello"
        rules = {f"sha256:{sha256(carol.cert)}": ("distrusted", b"hello"),
                 f"issuer-serial:{name_of(server.cert, 'issuer')}:{serial(server.cert)}": (b"hello", "distrusted"),
                 f"subject-spki:{name_of(inner.cert, 'subject')}:{spki_sha256(inner.cert)}":
                     ("distrusted_issuer", "distrusted_issuer")}
        for rule, want in rules.items():
            blocklist.write_text(f"{rule} # went wrong\n")
            running.command("reload")
            for at, event, asked in ((want[0], "client_tls_failed", lambda: ask(port, tls)),
                                     (want[1], "target_tls_failed", lambda: ask(out))):
                before = len(running.log_lines(event))
                got = asked()
                if at == b"hello":
                    assert got == b"hello"
                    continue
                assert not got
                wait_until(lambda: len(running.log_lines(event)) > before, f"another {event}", 20)  # noqa: B023
                assert [x["error"] for x in running.log_lines(event)[before:]] == [at]


def test_blocklist_with_a_bad_line_is_refused(yett, authority, folder, echo, port):
    blocklist = folder / "blocklist"
    blocklist.write_text("# ok\nsha256:1234\nsha-1:1234\n")
    running = yett(f"[service s]\nlisten = 127.0.0.1:{port}\nconnect = 127.0.0.1:{echo.port}\n")
    running.settings += f"blocklist = file:{blocklist}\n"
    running.configure(f"[service s]\nlisten = 127.0.0.1:{port}\nconnect = 127.0.0.1:{echo.port}\n")
    result = running.command("check", check=False)
    assert result.returncode == 1
    assert [line.split(": ")[0] for line in (result.stdout + result.stderr).splitlines() if str(blocklist) in line] == \
        [f"{blocklist}:2", f"{blocklist}:3"]
    assert running.command("reload", check=False).returncode != 0
    assert ask(port) == b"hello"


@pytest.mark.parametrize("which", ["leaf", "root", "stranger"])
def test_pins_of_servers_and_clients(yett, authority, folder, echo, port, which):
    inner = Authority(folder / "inner", "Inner CA", issuer=authority)
    stranger = Authority(folder / "stranger", "Stranger")
    carol, server = inner.client("carol"), inner.server("localhost")
    pinned = {"leaf": [carol.cert, server.cert], "root": [authority.cert], "stranger": [stranger.cert]}[which]
    pins = "pin_spki_sha256 = " + ", ".join(spki_sha256(c) for c in pinned) + "\n"
    out = free_port()
    with EchoServer(tls=server_tls(server)) as backend:
        running = yett(terminating(port, echo.port, authority.localhost, [authority.cert], pins)
                       + originating(out, backend.port, authority.cert, pins))
        answers = ask(port, client_tls(authority, cert=carol)), ask(out)
        if which != "stranger":
            assert answers == (b"hello", b"hello")
            return
        assert not any(answers)
        for event in ("client_tls_failed", "target_tls_failed"):
            running.wait_for_log(event)
            line, = running.log_lines(event)
            assert line["error"] == "pin_mismatch", line
            assert line["path"] in ("CN=carol [pin_mismatch] <- CN=Inner CA <- CN=Test CA",
                                    "CN=localhost [pin_mismatch] <- CN=Inner CA <- CN=Test CA"), line


# ---- remembered intermediates ----

def test_a_forgotten_intermediate_is_remembered(yett, authority, folder, echo, port):
    """From a client with the same trust; and a stranger's is not, whoever sends it."""
    inner = Authority(folder / "inner", "Inner CA", issuer=authority)
    carol, dave = inner.client("carol"), inner.client("dave")
    other = Authority(folder / "other", "Other CA", issuer=Authority(folder / "root", "Other Root"))
    mallory = other.client("mallory")
    running = yett(terminating(port, echo.port, authority.localhost, [authority.cert]), settings="workers = 1\n")
    assert not ask(port, client_tls(authority, cert=without_issuers(dave)))
    assert ask(port, client_tls(authority, cert=carol)) == b"hello"
    assert ask(port, client_tls(authority, cert=without_issuers(dave))) == b"hello"
    for certificate in (mallory, without_issuers(mallory)):
        assert not ask(port, client_tls(authority, cert=certificate))
    running.wait_for_counter("verifications_failed_total", 3)
    assert [x["error"] for x in running.log_lines("client_tls_failed")] == ["unknown_issuer"] * 3


# ---- chains that make a careless builder verify signatures without end ----

def pem(der):
    return openssl("x509", "-inform", "DER", input=der).decode()


def namesake_leaf(folder, issuer_name):
    """A client's leaf with a key of ours, whose issuer has that name. No certificate of the attack has signed it, as none
    has signed anything in it: to find that out costs signature checks."""
    return Authority(folder / "namesake", issuer_name).issue("mallory", purpose="clientAuth")


def bogus_lattice(folder, width=6, depth=5):
    """`width` certificates on each of `depth` levels, each naming all of the next level as its issuers, the last one a
    root that is trusted, which has signed none of them. Within the lattice every signature is good: each level has one
    key. A builder without limits verifies or walks width ** depth paths."""
    root = Authority(folder / "root", "Root", key="p384")
    chain = ""
    keys = [Authority._key(folder / f"level{i}.key", "ecdsa") for i in range(depth)]
    false_root = Authority(folder / "false", "Root", key="p384")
    extensions = folder / "ca.ext"
    extensions.write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n")
    signer = None
    levels = []
    for level in reversed(range(depth)):
        request, texts = folder / f"level{level}.csr", []
        openssl("req", "-new", "-key", keys[level], "-subj", f"/CN=L{level}", "-out", request)
        issuer = (false_root.cert, false_root.key) if signer is None else signer
        for i in range(width):
            texts.append(openssl("x509", "-req", "-in", request, "-CA", issuer[0], "-CAkey", issuer[1], "-set_serial",
                                 str(1 + i), "-days", "100", "-extfile", extensions, "-sha256").decode())
        levels.append("".join(texts))
        (folder / f"level{level}.pem").write_text(texts[0])
        signer = folder / f"level{level}.pem", keys[level]
    chain = "".join(reversed(levels))
    key, request, cert = Authority._key(folder / "leaf.key", "ecdsa"), folder / "leaf.csr", folder / "leaf.crt"
    openssl("req", "-new", "-key", key, "-subj", "/CN=mallory", "-out", request)
    leaf_extensions = folder / "leaf.ext"
    leaf_extensions.write_text("extendedKeyUsage=clientAuth\nkeyUsage=critical,digitalSignature\n")
    openssl("x509", "-req", "-in", request, "-CA", signer[0], "-CAkey", signer[1], "-set_serial", "77", "-days", "100",
            "-extfile", leaf_extensions, "-out", cert, "-sha256")
    return Certificate(cert, key, cert, cert, "mallory"), chain, root.cert


def suite_attack(folder, path):
    """A case of the suite: its own certificates above, and a leaf whose key we have below."""
    _, _, _, _, _, leaf, extras, roots = path.read_text().rstrip("\n").split("\n")[0].split("\t")

    def decode(field):
        return [base64.b64decode(x) for x in field.replace(";", ",").replace(" ", ",").split(",") if x]

    issuer = names_in(decode(leaf)[0])["issuer"]
    common_name = issuer[issuer.index(b"\x06\x03\x55\x04\x03") + 7:].decode()  # the suite's names are one CN each
    root = folder / "suite-root.pem"
    root.write_text("".join(map(pem, decode(roots))))
    return namesake_leaf(folder, common_name), "".join(map(pem, decode(extras))), root


ATTACKS = ["lattice", *sorted(p.name for p in SUITES.glob("*.tsv"))]


def refuse_mallory(yett, authority, echo, port, folder, leaf, extras, root):
    """What the log says each time a client shows that chain, while others are served as if nothing were."""
    chain = folder / "attack.pem"
    chain.write_text(leaf.cert.read_text() + extras)
    mallory = client_tls(authority, cert=Certificate(leaf.cert, leaf.key, chain, chain, "mallory"))
    alice = client_tls(authority, cert=authority.alice)
    running = yett(terminating(port, echo.port, authority.localhost, [root, authority.cert]), settings="workers = 1\n")
    workers = running.workers()

    with connect(port, timeout=20 * PATIENCE) as s, alice.wrap_socket(s, server_hostname="localhost") as before:
        before.sendall(b"one")
        assert before.recv(100) == b"one"
        for _ in range(3):
            assert not ask(port, mallory)
        before.sendall(b"two")
        assert before.recv(100) == b"two"
    assert ask(port, alice) == b"hello"

    lines = running.log_lines("client_tls_failed")
    assert len(lines) == 3
    if all(line["error"] == "too_many_certificates" for line in lines):
        assert running.workers() == workers  # so many that none was looked at
        return lines
    for line in lines:
        print(f"{line['signature_checks']} signature checks, {line['verification_us']} us, {line['duration_ms']} ms of session")
        assert line["signature_checks"] <= SIGNATURE_CHECKS_MAX and line["verification_us"] > 0, line
        assert "the client's certificate is not accepted" in line["reason"] and line["path"].startswith("CN=mallory"), line
    checked = sum(line["signature_checks"] for line in lines)
    running.wait_for_counter("signature_checks_total", checked)
    assert running.workers() == workers
    assert checked <= running.counter("signature_checks_total") <= checked + 4  # alice's, the same one twice
    return lines


@pytest.mark.parametrize("attack", ATTACKS)
def test_many_signatures_cost_little_and_the_worker_goes_on(yett, authority, echo, folder, port, attack):
    certs = folder / "certs"
    certs.mkdir()
    leaf, extras, root = bogus_lattice(certs) if attack == "lattice" else suite_attack(certs, SUITES / attack)
    for line in refuse_mallory(yett, authority, echo, port, certs, leaf, extras, root):
        assert line["error"] in ("unknown_issuer", "bad_signature", "limit_exceeded", "too_many_certificates"), line
        assert 0 < line.get("signature_checks", 0) or line["error"] == "too_many_certificates", line


@pytest.mark.parametrize("shape", pathological.ATTACKS)
def test_chains_of_pathological_shapes_are_refused_within_the_limits(yett, authority, echo, folder, port, shape):
    certs = folder / "certs"
    certs.mkdir()
    attack = pathological.ATTACKS[shape](certs)
    for line in refuse_mallory(yett, authority, echo, port, certs, attack.leaf, attack.extras, attack.root):
        assert line["error"] == attack.error and attack.reason in line["reason"], line


# ---- one address that makes a worker verify without end ----

FLOOD = 120  # connections, each of which costs a step as dear as one can be
THREADS = 9  # of a group, on which the first of a flood may be before anybody knows


def show_chain(port, mallory):
    """A connection that has shown its chain: all of it in one piece, so that one step judges it. In TLS 1.3 a client is done
    before it is judged."""
    s, incoming, outgoing = connect(port, timeout=120), ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = mallory.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            s.sendall(outgoing.read())
            received = s.recv(65536)
            assert received, "yett closed the connection before it could have seen the chain"
            incoming.write(received)
    s.sendall(outgoing.read())
    return s


def shown_by(attack, folder):
    """The certificate of an attack as what its owner shows."""
    chain = folder / "attack.pem"
    chain.write_text(attack.leaf.cert.read_text() + attack.extras)
    return Certificate(attack.leaf.cert, attack.leaf.key, chain, chain, "mallory")


def flooded(yett, authority, echo, port, folder, settings="", timeout="120s"):
    """A worker on one core, and the context of a client whose chain costs all that a chain may."""
    certs = folder / "certs"
    certs.mkdir()
    attack = pathological.dear_keys_below_the_root(certs, 25)
    mallory = client_tls(authority, cert=shown_by(attack, certs), version=ssl.TLSVersion.TLSv1_3)
    running = yett(terminating(port, echo.port, authority.localhost, [attack.root, authority.cert],
                               f"handshake_timeout = {timeout}\n"),
                   settings=f"workers = 1\n{settings}")
    for task in os.listdir(f"/proc/{running.workers()[0]}/task"):
        os.sched_setaffinity(int(task), {min(os.sched_getaffinity(0))})  # its later threads inherit it
    return running, mallory


def ask_from(source, port, context):
    with socket.create_connection(("127.0.0.1", port), 120 * PATIENCE, source_address=(source, 0)) as s, \
            context.wrap_socket(s, server_hostname="localhost") as tls:
        tls.sendall(b"hello")
        return tls.recv(100)


def test_an_address_that_costs_much_waits_behind_others(yett, authority, echo, folder, port):
    running, mallory = flooded(yett, authority, echo, port, folder)
    alice = client_tls(authority, cert=authority.alice)
    with contextlib.ExitStack() as held:
        for _ in range(FLOOD):
            held.enter_context(show_chain(port, mallory))
        before = running.status()["services"][0]["counters"]
        assert ask_from("127.0.0.2", port, alice) == b"hello"
        after = running.status()["services"][0]["counters"]
        print(f"waiting: {before['handshake_queue_waiting']}, then {after['handshake_queue_waiting']}")
        # First come, first served, she would have waited for all but those on a thread.
        assert before["handshake_queue_waiting"] > 4 * THREADS, before
        assert after["handshake_queue_waiting"] > 2 * THREADS, after
        wait_until(lambda: running.counter("verifications_failed_total") == FLOOD, "his turn, each time", 120 * PATIENCE)
    counters = running.status()["services"][0]["counters"]
    assert counters["handshake_queue_behind_total"] >= FLOOD - 4 * THREADS, counters
    assert counters["handshake_queue_refused_total"] == 0
    assert {x["error"] for x in running.log_lines("client_tls_failed")} == {"limit_exceeded"}


def test_a_full_queue_refuses_the_address_that_costs_much(yett, authority, echo, folder, port):
    running, mallory = flooded(yett, authority, echo, port, folder, "handshake_queue_max = 10\n")
    alice = client_tls(authority, cert=authority.alice)
    stop, flood = threading.Event(), []

    def go_on():
        while not stop.is_set():
            flood.append(show_chain(port, mallory))
            if len(flood) > FLOOD:
                flood.pop(0).close()

    flooding = threading.Thread(target=go_on)
    flooding.start()
    try:
        running.wait_for_counter("handshake_queue_refused_total", 10)
        running.wait_for_counter("handshake_queue_behind_total", 10)
        for i in range(20):
            assert ask_from(f"127.0.0.{2 + i}", port, alice) == b"hello"
    finally:
        stop.set()
        flooding.join()
        for s in flood:
            s.close()
    running.wait_for_counter("handshakes_server_total", 20)
    refused = running.log_lines("client_tls_failed", error="handshake_queue_full")
    assert refused and all(x["end"] == "overload" and x["client"].startswith("127.0.0.1:") for x in refused), refused
    assert any("this client's have cost much lately" in x["reason"] for x in refused), refused


def test_those_who_time_out_in_the_queue_are_done_with(yett, authority, echo, folder, port):
    running, mallory = flooded(yett, authority, echo, port, folder, timeout="1s")
    with contextlib.ExitStack() as held:
        for _ in range(FLOOD):
            held.enter_context(show_chain(port, mallory))
        wait_until(lambda: running.counter("connections_open") == 0, "the sessions to end", 60 * PATIENCE)
    wait_until(lambda: running.counter("handshake_queue_waiting") == 0, "the queue to be empty", 60 * PATIENCE)
    counters = running.status()["services"][0]["counters"]
    assert counters["timeouts_handshake_total"] > 0, counters
    assert counters["timeouts_handshake_total"] + counters["verifications_failed_total"] == FLOOD, counters


def test_what_a_server_costs_is_put_down_to_who_asked_for_it(yett, folder, port):
    attack = pathological.dear_keys_below_the_root(folder, server_name="localhost")
    with EchoServer(tls=server_tls(shown_by(attack, folder))) as server:
        running = yett(originating(port, server.port, attack.root), settings="workers = 1\n")

        def asked_from(*sources):
            for source in sources:
                with contextlib.suppress(ConnectionError), \
                        socket.create_connection(("127.0.0.1", port), 20 * PATIENCE, source_address=(source, 0)) as s:
                    assert not s.recv(100)
            return running.counter("handshake_queue_behind_total")

        wait_until(lambda: asked_from("127.0.0.1") > 10, "mallory to have cost much", 60 * PATIENCE)
        behind = asked_from()
        assert asked_from("127.0.0.2") == behind
        assert asked_from("127.0.0.1", "127.0.0.1") >= behind + 2
    assert {x["error"] for x in running.log_lines("target_tls_failed")} == {"limit_exceeded"}
