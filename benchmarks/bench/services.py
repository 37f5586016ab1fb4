"""Start and reload with many services, each with a certificate of its own, at an address of its own."""
import contextlib
import dataclasses
import os
import pathlib
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from .proxies import Haproxy, Hitch, Nginx, Stunnel, Yett
from .rows import Figure, Row
from .work import PROXY_CORE, Failed, children, free_port, processor_seconds, proportional_kib

SECONDS_MAX = 180
SETTLED_SECONDS = 2  # who has answered a first client may not hear signals yet
YETT_SERVICES_A_FILE = 1000


def host_of(number):
    return f"127.1.{number // 250}.{number % 250 + 1}"


def yett_configuration(folder, spec, services, port, echo_port):
    (folder / "conf.d").mkdir(exist_ok=True)
    (folder / "yett.conf").write_text(
        f"[yett]\nworkers = 1\ncontrol = {folder}/c.sock\nlog_level = warning\n"
        + "".join(setting.replace("=", " = ", 1) + "\n" for setting in spec.settings))
    for first in range(0, len(services), YETT_SERVICES_A_FILE):
        (folder / f"conf.d/{first:06}.conf").write_text("".join(
            f"[service s{number}]\nlisten = {host_of(number)}:{port}\nlisten_tls = implicit\nidentity = file:{pem}\n"
            f"connect = 127.0.0.1:{echo_port}\n" for number, pem in services[first:first + YETT_SERVICES_A_FILE]))
    return [spec.path, "run", "-c", folder / "yett.conf"], signal.SIGHUP


def haproxy_configuration(folder, spec, services, port, echo_port):
    (folder / "haproxy.cfg").write_text(
        "global\n  nbthread 1\n  maxconn 1000\ndefaults\n  mode tcp\n  timeout connect 10s\n  timeout client 30m\n"
        "  timeout server 30m\n" + "".join(
            f"frontend f{number}\n  bind {host_of(number)}:{port} ssl crt {pem}\n  default_backend b\n"
            for number, pem in services)
        + f"backend b\n  server s 127.0.0.1:{echo_port}\n")
    return [spec.path, "-W", "-f", folder / "haproxy.cfg"], signal.SIGUSR2


def nginx_configuration(folder, spec, services, port, echo_port):
    (folder / "nginx.conf").write_text(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\nworker_processes 1;\n"
        f"pid {folder}/pid;\nerror_log {folder}/error.log;\nuser root;\nworker_rlimit_nofile 20000;\n"
        "events { worker_connections 18000; }\nstream {\n" + "".join(
            f"  server {{ listen {host_of(number)}:{port} ssl; ssl_certificate {pem}; ssl_certificate_key {pem}; "
            f"proxy_pass 127.0.0.1:{echo_port}; }}\n" for number, pem in services) + "}\n")
    return [spec.path, "-c", folder / "nginx.conf", "-p", folder], signal.SIGHUP


def hitch_configuration(folder, spec, services, port, echo_port):
    (folder / "hitch.conf").write_text(
        f'backend = "[127.0.0.1]:{echo_port}"\nworkers = 1\nuser = "nobody"\ngroup = "nogroup"\nquiet = on\n'
        'daemon = off\nocsp-dir = ""\n' + "".join(
            f'frontend = {{\n  host = "{host_of(number)}"\n  port = "{port}"\n  pem-file = "{pem}"\n}}\n'
            for number, pem in services))
    return [spec.path, f"--config={folder}/hitch.conf"], signal.SIGHUP


def stunnel_configuration(folder, spec, services, port, echo_port):
    (folder / "stunnel.conf").write_text("foreground = yes\npid =\ndebug = 3\n" + "".join(
        f"[s{number}]\naccept = {host_of(number)}:{port}\nconnect = 127.0.0.1:{echo_port}\ncert = {pem}\n"
        for number, pem in services))
    return [spec.path, folder / "stunnel.conf"], signal.SIGHUP


CONFIGURATIONS = {Yett: yett_configuration, Haproxy: haproxy_configuration, Nginx: nginx_configuration,
                  Hitch: hitch_configuration, Stunnel: stunnel_configuration}


def answers(host, port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout=5) as s, context.wrap_socket(s):
            return True
    except OSError:
        return False


@dataclasses.dataclass
class Place:
    work: object
    spec: object


class Services(Row):
    """From the start of the program, and from the signal that has it read its configuration again, to the first handshake
    with the last service, which before the reload was not there."""
    figures = (Figure("start", "s to start", digits=2), Figure("start_cpu", "s of processor time to start", digits=2),
               Figure("reload", "s to reload with one more", digits=2),
               Figure("reload_cpu", "s of processor time to reload", digits=2),
               Figure("kib", "KiB each, once started", digits=1))
    turns_max = 3

    @contextlib.contextmanager
    def prepared(self, work, scale):
        self.services = self.count
        self.certificates = work.folder / "services"
        self.certificates.mkdir(exist_ok=True)
        work.load("certificates", 0, "--folder", self.certificates, "--count", self.services + 1)
        try:
            yield
        finally:
            shutil.rmtree(self.certificates)

    @contextlib.contextmanager
    def start(self, work, spec):
        yield Place(work, spec)

    def turn(self, place):
        folder = pathlib.Path(tempfile.mkdtemp(dir=place.work.folder, prefix=f"{place.spec.name}-"))
        folder.chmod(0o755)
        every = [(n, self.certificates / f"{n}.pem") for n in range(self.services + 1)]
        configure, port = CONFIGURATIONS[place.spec.kind], free_port()
        command, again = configure(folder, place.spec, every[:-1], port, place.work.echo_port)
        with open(folder / "log", "w+", encoding="utf-8") as log:
            begin = time.monotonic()
            process = subprocess.Popen(["taskset", "-c", str(PROXY_CORE), *map(str, command)], stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL, cwd=folder, preexec_fn=raise_files)
            try:
                self.until(process, folder, self.services - 1, port, begin)
                out = {"start": time.monotonic() - begin}
                out["start_cpu"] = sum(processor_seconds(pid) for pid in children(process.pid))
                time.sleep(SETTLED_SECONDS)
                before = {pid: processor_seconds(pid) for pid in children(process.pid)}
                out["kib"] = proportional_kib(children(process.pid)) / self.services
                configure(folder, place.spec, every, port, place.work.echo_port)
                begin = time.monotonic()
                process.send_signal(again)
                self.until(process, folder, self.services, port, begin)
                out["reload"] = time.monotonic() - begin
                out["reload_cpu"] = sum(processor_seconds(pid) - before.get(pid, 0) for pid in children(process.pid))
                return out
            finally:
                end(process)
                shutil.rmtree(folder, ignore_errors=True)

    def until(self, process, folder, number, port, begin):
        while not answers(host_of(number), port):
            said = (folder / "log").read_text(errors="replace")[-300:]
            if process.poll() is not None:
                raise Failed(f"ended: {said}")
            if time.monotonic() - begin > SECONDS_MAX:
                raise Failed(f"not ready after {SECONDS_MAX} s: {said}")
            time.sleep(0.01)


def raise_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def end(process):
    pids = children(process.pid)
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
