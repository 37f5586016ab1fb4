"""file_keys = agent: the private keys of files are in a process of their own, and no worker's memory has them."""
import base64
import os
import pwd
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading

import pytest
from authority import Authority
from conftest import PATIENCE, SLOW_TOKEN, YETT, connect, free_port
from peers import EchoServer, client_tls, server_tls, wait_until
from test_pin_memory import regions
from test_sandbox import Probe, agent_part, frame

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can look into other processes' memory")

AGENT = "file_keys = agent\n"
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
WHERE = pytest.mark.parametrize("where", ["worker", "agent"])
COMPUTES = pytest.mark.parametrize("accelerator", ["none", "auto"])


# --- a key, in each form that it can have in memory ---

def element(data, at=0):
    """(tag, contents, end) of a DER element."""
    size, at_contents = data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7f
        size, at_contents = int.from_bytes(data[at + 2:at + 2 + count], "big"), at + 2 + count
    return data[at], data[at_contents:at_contents + size], at_contents + size


def elements(data):
    at, found = 0, []
    while at < len(data):
        tag, contents, at = element(data, at)
        found.append((tag, contents))
    return found


def forms(path):
    """{name: bytes} of a private key's secrets: its numbers in both byte orders, and its encodings."""
    text = re.search("-----BEGIN PRIVATE KEY-----\n(.*)-----END PRIVATE KEY-----", path.read_text(), re.DOTALL)[1]
    pkcs8 = base64.b64decode(text)
    inner = elements(elements(element(pkcs8)[1])[2][1])[0][1]
    fields = [contents for _, contents in elements(inner)]
    if len(fields) > 5:
        numbers = dict(zip(("d", "p", "q", "dp", "dq", "qinv"), (f.lstrip(b"\0") for f in fields[3:9])))
    else:
        numbers = {"d": fields[1]}
    found = {name: number for name, number in numbers.items()}
    found |= {f"{name}, reversed": number[::-1] for name, number in numbers.items()}
    # Encodings by the middle of them: the beginning is the same for all keys of a kind, and the public half may be last.
    middle = pkcs8.index(numbers["d"])
    found["PKCS#8"] = pkcs8[middle - 7:middle + 24]
    lines = text.splitlines()
    start = len("".join(lines)) * middle // len(pkcs8) // 64
    found["PEM"] = lines[start].encode()
    assert all(len(x) >= 24 for x in found.values()), found
    return found


def found_in(pid, *paths):
    """What of these files' private keys is in a process's memory."""
    wanted = {f"{path.name}: {name}": value for path in paths for name, value in forms(path).items()}
    found = set()
    for _, data in regions(pid):
        found |= {name for name, value in wanted.items() if value in data}
    return found


def agent_of(running):
    (agent,) = [m for m in running.status()["modules"] if m["name"] == "file-keys"]
    return agent


def assert_in_agent_alone(running, *paths):
    for slot, pid in running.workers().items():
        assert found_in(pid, *paths) == set(), slot
    assert found_in(running.process.pid, *paths) == set()
    # Both modules keep big numbers in limbs, and so the other way round; each key is there in some form.
    have = found_in(agent_of(running)["pid"], *paths)
    assert {name.split(":")[0] for name in have} == {path.name for path in paths}, have


# --- services ---

def server(port, target, *identities, name="web", extra=""):
    return (f"[service {name}]\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
            f"identity = {', '.join(f'file:{i.pem}' for i in identities)}\nconnect = 127.0.0.1:{target}\n"
            f"connect_tls = none\n{extra}")


def client(port, target, trust, identity):
    return (f"[service out]\nlisten = 127.0.0.1:{port}\nlisten_tls = none\nconnect = localhost:{target}\n"
            f"connect_tls = implicit\ntrust = file:{trust}\nidentity = file:{identity.pem}\n")


def settings(where="agent", accelerator="none"):
    return f"file_keys = {where}\naccelerator = {accelerator}\n"


def once(port, context, session=None):
    with context.wrap_socket(connect(port), server_hostname="localhost", session=session) as tls:
        tls.sendall(b"hello")
        assert tls.recv(5) == b"hello"  # tickets of TLS 1.3 come with the first data
        return tls.session, tls.session_reused


def shown(port, authority):
    """The certificate of the server, DER."""
    with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as tls:
        return tls.getpeercert(binary_form=True)


def der(certificate):
    return ssl.PEM_cert_to_DER_cert(certificate.cert.read_text())


@pytest.fixture
def both(authority):
    return authority.localhost, authority.localhost_rsa


# --- where the keys are ---

@COMPUTES
def test_no_worker_has_a_key_where_an_agent_has_them(yett, authority, echo, port, both, accelerator):
    out = free_port()
    with EchoServer(tls=server_tls(authority.localhost, authority)) as target:
        running = yett(server(port, echo.port, *both) + client(out, target.port, authority.cert, authority.alice),
                       settings=settings("agent", accelerator))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for ciphers in ("ECDSA+SHA256", "RSA-PSS+SHA256"):
                with_openssl(port, authority, version, ciphers)
        with connect(out) as s:
            s.sendall(b"hello")  # to a server that wants a certificate
            assert s.recv(5) == b"hello"
        assert_in_agent_alone(running, *(i.key for i in (*both, authority.alice)))
        before = set(running.workers().values())
        running.command("reload")
        wait_until(lambda: (now := set(running.workers().values())) and not now & before, "new workers", 20 * PATIENCE)
        once(port, client_tls(authority))
        assert_in_agent_alone(running, *(i.key for i in (*both, authority.alice)))
        assert agent_of(running)["restarts"] == 0


def with_openssl(port, authority, version, sigalgs):
    flag = {ssl.TLSVersion.TLSv1_2: "-tls1_2", ssl.TLSVersion.TLSv1_3: "-tls1_3"}[version]
    result = subprocess.run(["openssl", "s_client", flag, "-connect", f"127.0.0.1:{port}", "-servername", "localhost",
                             "-sigalgs", sigalgs, "-CAfile", authority.cert, "-verify_return_error"],
                            input=b"", capture_output=True, timeout=60 * PATIENCE)
    assert result.returncode == 0, result


@COMPUTES
def test_the_search_finds_each_key_where_workers_have_them(yett, authority, echo, port, both, accelerator):
    """So that it would have found one above."""
    running = yett(server(port, echo.port, *both), settings=settings("worker", accelerator))
    for pid in running.workers().values():
        have = found_in(pid, *(i.key for i in both))
        assert {name.split(":")[0] for name in have} == {i.key.name for i in both}, have
    assert running.status()["modules"] == []


@COMPUTES
@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_keys_that_are_replaced_are_gone_from_the_agent(yett, authority, echo, port, folder, kind, accelerator):
    old, new = another(authority, "old", kind), another(authority, "new", kind)
    pem = folder / "server.pem"
    replace(pem, old)
    other = authority.localhost
    configuration = (server(port, echo.port, other) + server(free_port(), echo.port, other, name="two").replace(
        f"file:{other.pem}", f"file:{pem}"))
    running = yett(configuration, settings=settings("agent", accelerator))
    agent = agent_of(running)["pid"]
    assert found_in(agent, old.key)
    replace(pem, new)
    running.command("reload")
    wait_until(lambda: not found_in(agent, old.key), "the old key to be gone", 30 * PATIENCE)
    assert agent_of(running)["pid"] == agent
    assert_in_agent_alone(running, new.key, other.key)


def another(authority, stem, key="ecdsa"):
    """A certificate for localhost with files of its own."""
    return authority.server(stem, key=key, sans=("DNS:localhost", "IP:127.0.0.1"))


def replace(path, certificate):
    fresh = path.with_suffix(".new")
    fresh.write_bytes(certificate.pem.read_bytes())
    fresh.chmod(0o600)
    fresh.rename(path)


# --- what they are good for ---

@VERSIONS
@WHERE
@COMPUTES
@pytest.mark.parametrize("kind", ["localhost", "localhost_rsa"])
def test_sessions_resume_on_every_worker_and_across_a_reload(yett, authority, echo, port, version, where, kind,
                                                             accelerator):
    running = yett(server(port, echo.port, getattr(authority, kind)), settings=settings(where, accelerator))
    context = client_tls(authority, version=version)
    session, reused = once(port, context)
    assert not reused
    for _ in range(8):
        session, reused = once(port, context, session)
        assert reused
    running.command("reload")
    for _ in range(8):
        session, reused = once(port, context, session)
        assert reused


@VERSIONS
def test_resuming_asks_the_agent_for_nothing(yett, authority, echo, port, version):
    running = yett(server(port, echo.port, authority.localhost), settings=AGENT)
    context = client_tls(authority, version=version)
    session, _ = once(port, context)
    wait_until(lambda: agent_of(running)["signatures"] > 0, "the first signature to be counted", 20 * PATIENCE)
    for _ in range(4):
        session, reused = once(port, context, session)
        assert reused
    once(port, context)  # one more, so that what came between would be counted before it
    before = agent_of(running)["signatures"]
    signed = wait_until(lambda: (n := agent_of(running)["signatures"]) >= 2 + OPENING * len(running.workers()) and n,
                        f"the last signature to be counted, after {before}", 20 * PATIENCE)
    assert signed == 2 + OPENING * len(running.workers())


OPENING = 1  # signatures that a worker has made as it opens an identity: do certificate and key belong together?


@VERSIONS
@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_client_certificates_of_each_kind(yett, authority, port, version, kind):
    identity = authority.client("carol", key=kind)
    with EchoServer(tls=server_tls(authority.localhost, authority, version)) as target:
        running = yett(client(port, target.port, authority.cert, identity), settings=AGENT)
        with connect(port) as s:
            s.sendall(b"hello")
            assert s.recv(5) == b"hello"
        assert "carol" in running.wait_for_log('"shown"')


def test_the_chain_is_that_of_the_file(yett, folder, authority, echo, port):
    middle = Authority(folder / "middle", "Middle CA", issuer=authority)
    identity = middle.server()
    yett(server(port, echo.port, identity), settings=AGENT)
    once(port, client_tls(authority))
    result = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-showcerts"], input=b"",
                            capture_output=True, timeout=60 * PATIENCE)
    assert result.stdout.count(b"BEGIN CERTIFICATE") == identity.chain.read_text().count("BEGIN CERTIFICATE") == 2


def test_many_at_once_on_several_services(yett, authority, echo):
    ports = [free_port() for _ in range(4)]
    identities = [authority.localhost, authority.localhost_rsa, another(authority, "one"), another(authority, "two", "rsa")]
    running = yett("".join(server(p, echo.port, i, name=f"s{n}") for n, (p, i) in enumerate(zip(ports, identities))),
                   settings=AGENT)
    failures = []

    def work(port, identity):
        try:
            for _ in range(10):
                assert shown(port, authority) == der(identity)
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(ports * 3, identities * 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert agent_of(running)["failures"] == 0


# --- life and death ---

def test_an_agent_that_died_is_replaced_with_the_same_keys(yett, authority, echo, port, folder):
    """Whatever has become of the files: they are read by a reload."""
    first, second = another(authority, "first"), another(authority, "second")
    pem = folder / "server.pem"
    replace(pem, first)
    running = yett(server(port, echo.port, authority.localhost).replace(str(authority.localhost.pem), str(pem)),
                   settings=AGENT)
    assert shown(port, authority) == der(first)
    replace(pem, second)
    before = agent_of(running)["pid"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: agent_of(running)["restarts"] == 1 and agent_of(running)["state"] == "ready", "another agent",
               30 * PATIENCE)
    wait_until(lambda: attempt(port, authority), "a handshake", 30 * PATIENCE)
    assert shown(port, authority) == der(first)
    worker = next(iter(running.workers().values()))
    os.kill(worker, signal.SIGKILL)  # and a worker that is started anew shows the certificate of that key
    wait_until(lambda: len(running.workers()) == 2 and worker not in running.workers().values(), "another worker",
               30 * PATIENCE)
    for _ in range(8):
        assert shown(port, authority) == der(first)
    running.command("reload")
    wait_until(lambda: attempt(port, authority) and shown(port, authority) == der(second), "the new certificate",
               30 * PATIENCE)


def attempt(port, authority):
    try:
        once(port, client_tls(authority))
        return True
    except (OSError, AssertionError):
        return False


def test_a_reload_turns_it_on_and_off(yett, authority, echo, port):
    running = yett(server(port, echo.port, authority.localhost), settings=settings("worker"))
    for where in ("agent", "worker", "agent"):
        before = set(running.workers().values())
        running.settings = settings(where)
        running.configure(server(port, echo.port, authority.localhost))
        running.command("reload")
        wait_until(lambda: (now := set(running.workers().values())) and not now & before, "new workers", 20 * PATIENCE)
        once(port, client_tls(authority))
        assert [m["name"] for m in running.status()["modules"]] == (["file-keys"] if where == "agent" else [])


def test_a_bad_reload_changes_nothing(yett, authority, echo, port, folder):
    pem = folder / "server.pem"
    replace(pem, authority.localhost)
    configuration = server(port, echo.port, authority.localhost).replace(str(authority.localhost.pem), str(pem))
    running = yett(configuration, settings=AGENT)
    pem.write_text(authority.localhost.chain.read_text() + authority.alice.key.read_text())
    result = running.command("reload", check=False)
    assert result.returncode == 1
    assert (f'identity file:{pem}: "{pem}": the first certificate and the private key do not belong together'
            in result.stdout + result.stderr), result
    assert shown(port, authority) == der(authority.localhost)
    assert found_in(agent_of(running)["pid"], authority.localhost.key)
    wait_until(lambda: not found_in(agent_of(running)["pid"], authority.alice.key), "the other key to be gone",
               30 * PATIENCE)


def test_workers_that_have_given_root_up_have_never_had_the_keys(yett, authority, echo, port, both):
    for identity in both:
        assert os.stat(identity.pem).st_mode & 0o777 == 0o600 and os.stat(identity.pem).st_uid == 0
    running = yett(server(port, echo.port, *both), settings=AGENT + "user = nobody\n")
    once(port, client_tls(authority))
    assert_in_agent_alone(running, *(i.key for i in both))


# --- mistakes ---

@pytest.mark.parametrize("what, said", [
    ("encrypted", "encrypted"), ("no key", "there is no private key"), ("other key", "do not belong together"),
    ("other rsa key", "do not belong together"), ("readable", "mode 0644"), ("missing", "No such file"),
    ("foreign", "Ed25519")])
def test_mistakes_are_told_as_where_workers_read_the_files(folder, authority, echo, port, what, said):
    pem = folder / "server.pem"
    chain, key = authority.localhost.chain.read_text(), authority.localhost.key.read_text()
    pem.write_text({"encrypted": lambda: chain + encrypted(authority.localhost.key), "no key": lambda: chain,
                    "other key": lambda: chain + authority.alice.key.read_text(),
                    "other rsa key": lambda: authority.localhost_rsa.chain.read_text() +
                                             another(authority, "other", "rsa").key.read_text(),
                    "readable": lambda: chain + key, "missing": lambda: "", "foreign": lambda: chain + foreign()}[what]())
    pem.chmod(0o644 if what == "readable" else 0o600)
    if what == "missing":
        pem.unlink()
    told = []
    for where in ("worker", "agent"):
        config = folder / f"{where}.conf"
        config.write_text(f"[yett]\ncontrol = {folder}/c.sock\nfile_keys = {where}\n" +
                          server(port, echo.port, authority.localhost).replace(str(authority.localhost.pem), str(pem)))
        run = subprocess.run([YETT, "run", "-c", str(config)], capture_output=True, text=True, timeout=60 * PATIENCE)
        check = subprocess.run([YETT, "check", "-c", str(config)], capture_output=True, text=True, timeout=60 * PATIENCE)
        assert run.returncode == 1 and check.returncode == 1, (run, check)
        line = f"{config}:7: identity file:{pem}: "
        for output in (run.stdout + run.stderr, check.stdout + check.stderr):
            told.append(next(x for x in output.splitlines() if line in x).split(line)[1].replace("\\", "").rstrip('"'))
            assert said in told[-1]
    assert len(set(told)) == 1, told


def encrypted(key):
    return subprocess.run(["openssl", "pkcs8", "-topk8", "-in", key, "-passout", "pass:x"], capture_output=True,
                          text=True, check=True).stdout


def foreign():
    return subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], capture_output=True, text=True,
                          check=True).stdout


def test_check_needs_no_agent(folder, authority, echo, port):
    config = folder / "yett.conf"
    config.write_text(f"[yett]\ncontrol = {folder}/c.sock\n{AGENT}" + server(port, echo.port, authority.localhost))
    result = subprocess.run([YETT, "check", "-c", str(config)], capture_output=True, text=True, timeout=60 * PATIENCE)
    assert result.returncode == 0, result


def test_nobody_logs_in_to_it(yett, authority, echo, port):
    running = yett(server(port, echo.port, authority.localhost), settings=AGENT)
    for command in ("login", "logout"):
        result = subprocess.run([YETT, "token", command, "-c", running.config, "file-keys"], input="1234\n", text=True,
                                capture_output=True, timeout=60 * PATIENCE)
        assert result.returncode == 1 and "no module" in result.stdout + result.stderr, result
    once(port, client_tls(authority))


def test_its_name_is_no_module_s(folder, authority, echo, port, token):
    config = folder / "yett.conf"
    config.write_text(f"[yett]\ncontrol = {folder}/c.sock\n{AGENT}" + server(port, echo.port, authority.localhost) +
                      token.settings().replace("[module token]", "[module file-keys]"))
    result = subprocess.run([YETT, "check", "-c", str(config)], capture_output=True, text=True, timeout=60 * PATIENCE)
    assert result.returncode == 1 and "with file_keys = agent this name is taken" in result.stdout + result.stderr


# --- who may ask for what ---

def uris(running):
    """The URIs of file keys that a worker knows: those of its generation."""
    pid = next(iter(running.workers().values()))
    return {x.decode() for _, data in regions(pid) for x in re.findall(rb"file-key:[0-9a-f]{64}(?=\0)", data)}


def test_an_old_worker_has_no_signature_of_a_new_generation_s_key(yett, folder, authority, echo):
    """The agent is asked by code inside of the old worker, with what the new ones ask with."""
    port = free_port()
    frames = {name: folder / name for name in ("own", "find", "sign", "list")}
    probe = Probe(yett, folder, user=None, landlock=0, settings=AGENT, extra=server(port, echo.port, authority.localhost),
                  environment={"PROBE_AGENT": str(folder / "yett0/agent-file-keys.sock"),
                               **{f"PROBE_AGENT_{name.upper()}": f"@{path}" for name, path in frames.items()}})
    (own,) = uris(probe.yett)

    def reload():
        before = set(probe.yett.workers().values())
        probe.yett.configure(probe.configuration + server(port, echo.port, authority.localhost_rsa))
        probe.yett.command("reload")
        wait_until(lambda: (now := set(probe.yett.workers().values())) and not now & before, "new workers",
                   20 * PATIENCE)
        (other,) = uris(probe.yett)
        assert other != own
        frames["own"].write_text(frame(1, own))
        frames["find"].write_text(frame(1, other))
        frames["sign"].write_text(frame(2, other, struct.pack(">QBBHH", 0, 2, 0, 0, 32) + b"x" * 32))
        frames["list"].write_text(frame(6, other, struct.pack(">HQ", 0, 0)))

    got = agent_part(probe.run(before=reload))
    probe.close()
    assert got == {"agent_own_key": "done", "agent_other_key_find": "EPERM", "agent_other_key_sign": "EPERM",
                   "agent_other_list": "EPERM"}


@pytest.mark.parametrize("kind, rest", [(1, b""), (2, struct.pack(">QBBHH", 0, 1, 0, 0, 32) + b"x" * 32)],
                         ids=["find", "sign"])
def test_nobody_but_a_worker_has_an_answer_of_it(yett, authority, echo, port, kind, rest):
    """Not even root, who asks from outside."""
    running = yett(server(port, echo.port, authority.localhost), settings=AGENT)
    (uri,) = uris(running)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20 * PATIENCE)
        s.connect(str(running.folder / "agent-file-keys.sock"))
        s.sendall(bytes.fromhex(frame(kind, uri, rest)))
        answer = s.recv(4096)
    assert answer[4] == 5 and b"does not name it" in answer  # FAILED
    once(port, client_tls(authority))


def test_a_slow_token_keeps_no_file_s_key_waiting(yett, folder, authority, token, echo, port):
    """While the token hangs, with a handshake that waits for it."""
    uri, second, hang = token.put(authority.localhost_rsa, "server"), free_port(), folder / "hang"
    running = yett(token.settings(module=SLOW_TOKEN, YETT_TEST_SIGN_DELAY_MS=0, YETT_TEST_HANG_FILE=hang) +
                   server(port, echo.port, authority.localhost) +
                   server(second, echo.port, authority.localhost_rsa, name="card").replace(
                       f"file:{authority.localhost_rsa.pem}", uri), settings=AGENT)
    once(second, client_tls(authority))
    wait_until(lambda: signed_by_token(running) == 1, "the token's signature to be counted", 20 * PATIENCE)
    hang.write_text("")
    waiting = [client_tls(authority).wrap_socket(connect(second), server_hostname="localhost",
                                                 do_handshake_on_connect=False) for _ in range(4)]
    for tls in waiting:
        tls.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
    wait_until(lambda: running.counter("connections_total", "card") >= 5, "the token to be asked", 20 * PATIENCE)
    for _ in range(20):
        once(port, client_tls(authority))
    assert signed_by_token(running) == 1
    for tls in waiting:
        tls.close()
    hang.unlink()


def signed_by_token(running):
    return next(m["signatures"] for m in running.status()["modules"] if m["name"] == "token")


def test_a_token_s_agent_is_not_asked_for_files_nor_this_one_for_tokens(yett, authority, token, echo, port):
    uri, second = token.put(authority.localhost_rsa, "server"), free_port()
    running = yett(token.settings() + server(port, echo.port, authority.localhost) +
                   server(second, echo.port, authority.localhost_rsa, name="card").replace(
                       f"file:{authority.localhost_rsa.pem}", uri), settings=AGENT)
    assert shown(port, authority) == der(authority.localhost)
    assert shown(second, authority) == der(authority.localhost_rsa)
    assert {m["name"]: m["failures"] for m in running.status()["modules"]} == {"token": 0, "file-keys": 0}
    assert found_in(agent_of(running)["pid"], authority.localhost.key)
    card = next(m["pid"] for m in running.status()["modules"] if m["name"] == "token")
    assert found_in(card, authority.localhost.key) == set()


def test_the_agent_s_socket_is_its_user_s(yett, authority, echo, port):
    running = yett(server(port, echo.port, authority.localhost), settings=AGENT + "user = nobody\n")
    info = os.stat(running.folder / "agent-file-keys.sock")
    assert info.st_mode & 0o777 == 0o600 and info.st_uid == pwd.getpwnam("nobody").pw_uid


def test_an_agent_that_hangs_is_counted_and_told_apart_from_tokens(yett, authority, echo, port):
    running = yett(f"[service a]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\nhandshake_timeout = 30s\n"
                   f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{echo.port}\nconnect_tls = none\n",
                   settings=AGENT + "workers = 1\n")
    agent, = [module["pid"] for module in running.status()["modules"]]
    assert "could not sign" not in running.command("status").stdout
    os.kill(agent, signal.SIGSTOP)
    try:
        with pytest.raises((ssl.SSLError, OSError)):
            client_tls(authority).wrap_socket(connect(port), server_hostname="localhost")
        line, = wait_until(lambda: [x for x in running.log_lines("client_tls_failed") if x["end"] == "identity_unavailable"],
                           "the end of the handshake", 60 * PATIENCE)
        assert "token" not in line["advice"] and "keys of files" in line["advice"], line
        assert "1 sessions ended since a key of ours could not sign" in running.command("status").stdout
    finally:
        os.kill(agent, signal.SIGCONT)
