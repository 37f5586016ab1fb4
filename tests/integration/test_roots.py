"""Mozilla's roots, newer than NSS has them: yett trust, roots, distrust, trust = system, and the age of it all."""
import datetime
import hashlib
import json
import subprocess

import pytest
from authority import Authority
from conftest import YETT, Yett, connect
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from peers import EchoServer, server_tls, wait_until

OLD = "2026-05-02"  # a day after the list that is compiled in


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """An authority that a newer list has, and a server of it."""
    root = Authority(tmp_path_factory.mktemp("web") / "root", "Newly Added Root")
    root.site = root.server("localhost")
    return root


def trust(*args, check=True):
    result = subprocess.run([YETT, "trust", *map(str, args)], capture_output=True, text=True, timeout=120, check=False)
    if check:
        assert result.returncode == 0, result.stderr
    return result


def der(path):
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER)


def octal(name, data):
    digits = "".join(f"\\{b:03o}" for b in data)
    lines = [digits[i:i + 64] for i in range(0, len(digits), 64)]
    return "\n".join([f"{name} MULTILINE_OCTAL", *lines, "END", ""])


def serial(cert):
    number = cert.serial_number
    data = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return bytes([2, len(data)]) + data


def certdata(path, roots):
    """A certdata.txt of (certificate file, distrust after, trust)."""
    text = "BEGINDATA\n"
    for file, after, trusted in roots:
        cert = x509.load_pem_x509_certificate(file.read_bytes())
        names = octal("CKA_ISSUER", cert.issuer.public_bytes()) + octal("CKA_SERIAL_NUMBER", serial(cert))
        text += "CKA_CLASS CK_OBJECT_CLASS CKO_CERTIFICATE\n" + names + octal("CKA_VALUE", der(file))
        if after:
            text += octal("CKA_NSS_SERVER_DISTRUST_AFTER", after.encode())
        text += f"\nCKA_CLASS CK_OBJECT_CLASS CKO_NSS_TRUST\n{names}CKA_TRUST_SERVER_AUTH CK_TRUST {trusted}\n\n"
    path.write_text(text)
    return path


def service(port, target, trusted="mozilla"):
    return (f"[service out]\nlisten = 127.0.0.1:{port}\nconnect = localhost:{target}\nconnect_tls = implicit\n"
            f"trust = {trusted}\nrevocation = off\n")


def echoes(port):
    try:
        with connect(port, timeout=30) as s:
            s.sendall(b"hello")
            return s.recv(100) == b"hello"
    except OSError:
        return False


def test_trust_update_takes_in_a_certdata_and_the_proxy_goes_by_it(yett, web, folder, port):
    kept = folder / "roots.list"
    file = certdata(folder / "certdata.txt", [(web.cert, None, "CKT_NSS_TRUSTED_DELEGATOR")])
    with EchoServer(tls=server_tls(web.site)) as backend:
        running = yett(service(port, backend.port), settings=f"roots = {kept}\nadmin = unix:{folder}/admin\n")
        assert not echoes(port)
        refused = trust("update", "--roots", kept, file, check=False)  # it lacks all that NSS has
        assert refused.returncode == 1 and "is it all of Mozilla's" in refused.stderr, refused
        assert not kept.exists()
        said = trust("update", "--roots", kept, "--force", "--date", OLD, file).stdout
        assert "+ CN=Newly Added Root" in said and f"{kept}: 1 roots for servers, as of {OLD}" in said, said
        running.command("reload")
        assert echoes(port)
        age = running.status()["roots"]
        assert age["kept"] is True and age["date"] == OLD
        assert f"Mozilla's roots are as of {OLD}" in running.command("status").stdout
        metrics = subprocess.run(["curl", "-sS", "--unix-socket", f"{folder}/admin", "http://localhost/metrics"],
                                 capture_output=True, text=True, check=True).stdout
        assert "\nyett_mozilla_roots_age_seconds " in metrics
        kept.rename(folder / "away.list")  # the workers go by what they have read, and so does what is shown
        assert running.status()["roots"]["kept"] is True and running.status()["roots"]["date"] == OLD
        assert echoes(port)
        running.command("reload")
        assert running.status()["roots"]["kept"] is False
        (folder / "away.list").rename(kept)
    status = json.loads(trust("status", "--json", "--roots", kept).stdout)
    assert (status["source"], status["path"], status["date"], status["roots"]) == ("kept", str(kept), OLD, 1)
    older = trust("update", "--roots", kept, "--date", "2026-05-01", file, check=False)
    assert older.returncode == 1 and f"is newer, of {OLD}" in older.stderr, older


def test_a_root_is_an_anchor_only_for_leaves_from_before_its_end(yett, web, folder, port):
    kept = folder / "roots.list"
    file = certdata(folder / "certdata.txt", [(web.cert, "241130235959Z", "CKT_NSS_TRUSTED_DELEGATOR")])
    trust("update", "--roots", kept, "--force", file)
    with EchoServer(tls=server_tls(web.site)) as backend:
        running = yett(service(port, backend.port), settings=f"roots = {kept}\n")
        assert not echoes(port)
        running.wait_for_log("distrust")


@pytest.mark.parametrize("rule, passes", [("2019-01-01", False), ("never", False), ("removed", False),
                                          ("2199-01-01", True)])
def test_distrust_ends_the_trust_in_any_root(yett, web, folder, port, rule, passes):
    file = folder / "distrust"
    file.write_text(f"# root\n{hashlib.sha256(der(web.cert)).hexdigest()} {rule}  # why\n")
    with EchoServer(tls=server_tls(web.site)) as backend:
        yett(service(port, backend.port, f"file:{web.cert}"), settings=f"distrust = file:{file}\n")
        assert echoes(port) is passes
    result = subprocess.run([YETT, "verify", "--trust", web.cert, "--distrust", file, web.site.chain],
                            capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == (0 if passes else 1), result


def test_a_mistake_in_a_distrust_file_is_told_with_its_line(web, folder, port):
    file = folder / "distrust"
    file.write_text("# root\n00 never\n")
    running = Yett(folder / "y", service(port, port, f"file:{web.cert}"), settings=f"distrust = file:{file}\n")
    result = running.command("check", check=False)
    assert result.returncode == 1 and f"{file}:2: the first word is not a SHA-256" in result.stdout, result.stdout


def test_check_warns_of_a_list_that_is_old(folder, port, web):
    kept = folder / "roots.list"
    file = certdata(folder / "certdata.txt", [(web.cert, None, "CKT_NSS_TRUSTED_DELEGATOR")])
    running = Yett(folder / "y", service(port, port), settings=f"roots = {kept}\n")
    for days, warns in ((91, True), (5, False)):
        day = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)).strftime("%Y-%m-%d")
        trust("update", "--roots", kept, "--force", "--date", day, file)
        result = running.command("check")
        assert ("warning: trust = mozilla: what is known of Mozilla's roots is of " + day in result.stdout) is warns
        assert "good, 1 service" in result.stdout
    running.configure(service(port, port, f"file:{web.cert}"))  # nobody uses it
    trust("update", "--roots", kept, "--force", "--date", "2020-01-01", file)
    assert "warning" not in running.command("check").stdout


def test_a_damaged_list_is_a_finding(folder, port):
    kept = folder / "roots.list"
    kept.write_text("yett-roots 1\ndate 2026-11-01\nroot AAAA what\n")
    kept.chmod(0o644)
    running = Yett(folder / "y", service(port, port), settings=f"roots = {kept}\n")
    result = running.command("check", check=False)
    assert result.returncode == 1 and f"{kept}:3: " in result.stdout, result.stdout


@pytest.mark.parametrize("content, want", [
    ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not a usable certificate"),
    ("BEGINDATA\nCKA_CLASS CK_OBJECT_CLASS CKO_CERTIFICATE\nnonsense\n", ":3: this is no attribute"),
    ("hello\n", ""),
])
def test_trust_update_says_what_is_wrong_with_a_file(folder, content, want):
    file = folder / "list"
    file.write_text(content)
    file.chmod(0o644)
    result = trust("update", "--roots", folder / "kept", file, check=False)
    assert result.returncode == 1 and f"{file}" in result.stderr and want in result.stderr, result.stderr
    assert not (folder / "kept").exists()


def test_trust_update_refuses_a_bundle_with_a_certificate_of_no_authority(folder, web):
    file = folder / "bundle.pem"
    file.write_bytes(web.cert.read_bytes() + web.site.cert.read_bytes())
    file.chmod(0o644)
    result = trust("update", "--roots", folder / "kept", "--force", file, check=False)
    assert result.returncode == 1 and "is no authority's certificate" in result.stderr, result.stderr


def test_system_is_what_ca_certificates_has(yett, web, folder, port):
    """The system's roots are not ours to change: a server of ours is refused, and the list is there."""
    with EchoServer(tls=server_tls(web.site)) as backend:
        running = yett(service(port, backend.port, "system"))
        assert not echoes(port)
        wait_until(lambda: "unknown_issuer" in running.log(), "the refusal")
        assert "roots" not in running.status()
