"""The packages on a clean Debian: installed, used, upgraded, removed, purged. In this order: each test goes on where the one before
has left the machine."""
import hashlib
import re

from conftest import PACKAGES, PATIENCE, clean_root, paths, within
from peers import wait_until

SERVE = "curl -sS --max-time 60 --cacert /etc/yett/first-ca.pem https://localhost/"
KEPT = ("/etc/yett/yett.conf", "/etc/yett/conf.d/first.conf", "/etc/yett/first.pem", "/etc/yett/blocklist",
        "/var/lib/yett/nss/cert9.db", "/var/lib/yett/nss/key4.db")


def active(machine):
    return machine.run("systemctl is-active yett", check=False).stdout.strip()


def sums(machine):
    return {p: hashlib.sha256((machine.root / p.lstrip("/")).read_bytes()).hexdigest() for p in KEPT} | {
        p.name: p.read_bytes() for p in (machine.root / "var/lib/yett/crls").iterdir()}


def serves(machine):
    wait_until(lambda: "hello from the web server" in machine.run(SERVE, check=False).stdout, "the first service", 60 * PATIENCE)


def test_two_builds_are_the_same():
    """The second one was made of the same commit, from nothing."""
    first, second = ({p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((PACKAGES / kind).glob("*.deb"))}
                     for kind in ("new", "again"))
    assert first == second and len(first) == 4


def test_by_hand_where_no_systemd_runs():
    """The unit's user, capability and command, in a root that is not booted; and the commands that need no running yett."""
    with clean_root("new") as root:
        within(root, "apt-get install -y --no-install-recommends /packages/new/*.deb")
        within(root, "/root/yett/tests/commands")
        within(root, "/root/yett/tests/first-service", options=("--private-network",))
        unit = within(root, "cat /lib/systemd/system/yett.service").stdout
        assert "ExecStart=/usr/bin/yett run" in unit
        verified = within(root, "systemd-analyze verify --man=no yett.service", check=False)
        assert verified.returncode == 0 and "yett" not in verified.stderr, verified
        # apt's own look at it, and dpkg's.
        assert within(root, "dpkg --audit && dpkg --verify yett yett-accelerator").stdout == ""


def test_the_version_before_serves(booted):
    assert booted.run("dpkg-query -W -f '${Version}' yett").stdout == "0.1.0"
    booted.run("systemd-run --unit=web python3 -m http.server --bind 127.0.0.1 --directory /srv 18080; "
               "echo 'hello from the web server' >/srv/index.html")
    # The script's own web server finds the port taken, and ends; the unit's serves, also after the script.
    booted.run("/root/yett/tests/first-service")
    serves(booted)
    booted.run("printf 'blocklist = file:/etc/yett/blocklist\\ndrain_timeout = 2s\\n' >>/etc/yett/yett.conf && "
               f"echo 'sha256:{'0' * 64}' >/etc/yett/blocklist")
    booted.run("runuser -u yett -- yett cert create --ca --subject 'CN=Kept CA' --out /var/lib/yett/kept.pem")
    # A list of what is revoked, by openssl from a key of its own.
    booted.run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -out c -subj /CN=Lists -days 9 "
               "2>/dev/null && touch i && printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=i\\ndefault_md=sha256\\n"
               "default_crl_days=9\\n' >conf && openssl ca -config conf -gencrl -keyfile k -cert c -out crl 2>/dev/null && "
               "chmod 755 /root && cp crl /tmp/crl && chmod 644 /tmp/crl && runuser -u yett -- yett crl add /tmp/crl")
    booted.run("systemctl reload yett")
    assert active(booted) == "active"


def test_an_upgrade_keeps_what_is_there(booted):
    before, pid = sums(booted), booted.run("systemctl show -P MainPID yett").stdout
    assert any(isinstance(x, bytes) for x in before.values()), "a CRL"
    said = booted.run("dpkg --install /packages/new/*.deb </dev/null")
    assert "conffile" not in said.stderr.lower() and "Configuration file" not in said.stdout, said
    assert sums(booted) == before
    assert booted.run("dpkg-query -W -f '${Version}' yett").stdout > "0.1.0+git"
    assert active(booted) == "active" and booted.run("systemctl show -P MainPID yett").stdout != pid
    serves(booted)
    assert "Kept CA" in booted.run("runuser -u yett -- yett cert list").stdout
    assert "Lists" in booted.run("runuser -u yett -- yett crl list").stdout
    assert booted.run("stat -c '%U:%G %a' /var/lib/yett").stdout == "yett:yett 700\n"
    assert booted.run("dpkg --audit").stdout == ""


def test_the_unit_is_what_this_systemd_makes_best_of(booted):
    booted.run("systemd-analyze verify --man=no yett.service")
    version = int(re.match(r"systemd (\d+)", booted.run("systemctl --version").stdout)[1])
    shown = dict(x.split("=", 1) for x in booted.run("systemctl show yett").stdout.splitlines() if "=" in x)
    assert shown["Type"] == ("notify-reload" if version >= 253 else "notify")
    assert shown["User"] == "yett" and shown["WatchdogUSec"] == "30s" and shown["NoNewPrivileges"] == "yes"
    booted.run("systemd-analyze security --threshold=25 --no-pager yett.service")
    # Who does what, by the kernel: nobody is root, and one capability is all there is.
    for pid in booted.run("systemctl show -P MainPID yett").stdout.split():
        status = booted.run(f"cat /proc/{pid}/status").stdout
        assert not re.search(r"^Uid:\t0\t", status, re.M) and "NoNewPrivs:\t1" in status
        assert int(re.search(r"^CapBnd:\t(\w+)", status, re.M)[1], 16) == 1 << 10
    # The reload comes back when it is done, and a bad configuration changes nothing.
    booted.run("systemctl reload yett")
    booted.run("echo nonsense >/etc/yett/conf.d/bad.conf")
    booted.run("systemctl reload yett", check=False)
    assert active(booted) == "active"
    booted.run("rm /etc/yett/conf.d/bad.conf && systemctl reload yett")
    serves(booted)


def test_the_watchdog_ends_a_supervisor_that_stands_still(booted):
    pid = booted.run("systemctl show -P MainPID yett").stdout.strip()
    booted.run("mkdir -p /run/systemd/system/yett.service.d && printf '[Service]\\nWatchdogSec=2s\\n' "
               ">/run/systemd/system/yett.service.d/quick.conf && systemctl daemon-reload && systemctl restart yett")
    pid = booted.run("systemctl show -P MainPID yett").stdout.strip()
    booted.run(f"kill -STOP {pid}")
    wait_until(lambda: booted.run("systemctl show -P MainPID yett").stdout.strip() not in ("0", pid) and
               active(booted) == "active", "another yett", 120 * PATIENCE)
    assert "watchdog" in booted.run("journalctl -u yett --no-pager").stdout.lower()
    booted.run("rm -r /run/systemd/system/yett.service.d && systemctl daemon-reload && systemctl restart yett")
    serves(booted)


def test_logcheck_passes_over_what_is_routine(booted):
    booted.run(f"{SERVE}; curl -sS http://127.0.0.1:443/ || true")
    wait_until(lambda: "fault=client" in booted.run("journalctl -u yett --no-pager").stdout, "a client's fault")
    lines = booted.run("journalctl -t yett -t systemd -u yett --no-pager -o short").stdout
    assert "event=session_ended" in lines
    (booted.root / "root/yett/lines").write_text(lines)
    left = booted.run("grep -vEf /etc/logcheck/ignore.d.server/yett lines", check=False).stdout
    assert not re.search("level=info", left) and "fault=client" not in left, left


def test_certbots_hook(booted):
    booted.run("cp /etc/yett/first.pem before.pem && mkdir -p live/first && "
               "yett cert create --database sql:/root/ca --ca --subject CN=New --out new-ca.pem && "
               "yett cert create --database sql:/root/ca --issuer new-ca.pem --subject CN=localhost --san dns:localhost "
               "--out live/first/fullchain.pem --out-key live/first/privkey.pem")
    booted.run("RENEWED_LINEAGE=/root/yett/live/first /usr/libexec/yett/certbot-deploy")
    assert booted.run("stat -c '%U:%G %a' /etc/yett/first.pem").stdout == "root:yett 640\n"
    assert "hello" in booted.run(SERVE.replace("/etc/yett/first-ca.pem", "new-ca.pem")).stdout
    booted.run("cp before.pem /etc/yett/first.pem && systemctl reload yett")
    serves(booted)


def test_a_port_that_systemd_opens(booted):
    booted.run("systemctl stop yett && cp /usr/share/doc/yett/examples/systemd/yett.socket /etc/systemd/system/ && "
               "cp /etc/yett/conf.d/first.conf . && sed -i 's/^listen  *=.*/listen = systemd:https/' /etc/yett/conf.d/first.conf && "
               "systemctl daemon-reload && systemctl start yett.socket")
    booted.run("systemd-analyze verify --man=no yett.socket")
    assert active(booted) == "inactive"
    serves(booted)  # the first client starts it
    assert active(booted) == "active"
    booted.run("systemctl stop yett.socket yett && rm /etc/systemd/system/yett.socket && cp first.conf /etc/yett/conf.d/ && "
               "systemctl daemon-reload && systemctl start yett")
    serves(booted)


def test_removed_it_is_gone_but_for_what_was_made_with_it(booted):
    before = sums(booted)
    booted.run("apt-get remove -y yett yett-accelerator")
    assert active(booted) == "inactive"
    assert booted.run("ls -l /proc/[0-9]*/exe 2>/dev/null | grep /yett", check=False).returncode == 1
    assert sums(booted) == before
    for path in ("/usr/bin/yett", "/run/yett", "/usr/lib/systemd/system/yett.service", "/lib/systemd/system/yett.service"):
        assert not (booted.root / path.lstrip("/")).exists(), path


def test_installed_again_it_serves_as_before(booted):
    booted.run("dpkg --install /packages/new/*.deb </dev/null && systemctl start yett")
    serves(booted)


def test_purged_nothing_is_left_but_the_administrators_own(booted):
    booted.run("systemctl stop yett && apt-get purge -y yett yett-accelerator")
    own = {"/etc/yett", "/etc/yett/conf.d", "/etc/yett/conf.d/first.conf", "/etc/yett/first.pem", "/etc/yett/first-ca.pem",
           "/etc/yett/blocklist"}
    machines_own = re.compile(r"^/etc/(passwd|group|shadow|gshadow|subuid|subgid|\.pwd\.lock|machine-id|.*-$)|^/var/lib/(dbus)"
                              r"|^/srv/|^/var/spool/rsyslog|^/(etc|var)/\.updated$|^/etc/credstore|^/etc/resolv|__pycache__")
    left = {p for p in paths(booted.root) - booted.before if not machines_own.search(p)}
    assert left == own, (left - own, own - left)
    assert "yett" not in booted.run("systemctl list-unit-files --no-pager").stdout
