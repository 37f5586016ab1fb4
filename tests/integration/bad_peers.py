"""What yett says and counts of one connection: the tests of bad input count lines, and name the counter that rose."""
import random
import re
import socket
import struct
import urllib.request

from conftest import connect
from peers import client_tls, free_port, wait_until

# A TLS alert by its number (RFC 8446 section 6), as the record that a client reads where there are no keys yet.
ALERTS = {"unexpected_message": 10, "record_overflow": 22, "handshake_failure": 40, "illegal_parameter": 47,
          "protocol_version": 70, "internal_error": 80, "unrecognized_name": 112}


def is_alert(answer, name):
    """Whether the answer is a fatal alert without protection, and nothing else, byte for byte (RFC 8446 sections 5.1 and 6;
    the version of a record says 3.1 or 3.3 and means nothing)."""
    return answer in (bytes([21, 3, 1, 0, 2, 2, ALERTS[name]]), bytes([21, 3, 3, 0, 2, 2, ALERTS[name]]))


def tls_service(authority, port, target, extra=""):
    return (f"[service web]\nprotocol = tcp\nlisten = 127.0.0.1:{port}\nlisten_tls = implicit\n"
            f"identity = file:{authority.localhost.pem}\nconnect = 127.0.0.1:{target}\nconnect_tls = none\n{extra}")


class Watched:
    """A yett with one worker and an admin port, of which one looks at what happens from mark() on."""

    def __init__(self, yett, configuration, **options):
        self.admin = free_port()
        settings = f"workers = 1\nadmin = 127.0.0.1:{self.admin}\n" + options.pop("settings", "")
        self.running = yett(configuration, settings=settings, **options)
        self.worker = self.running.workers()
        self.mark()

    def metrics(self):
        """Every metric as /metrics has it, summed over its labels."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=60).read().decode()
        sums = {}
        for name, value in re.findall(r"^yett_(\w+)(?:\{.*\})? (-?\d+)$", text, re.M):
            sums[name] = sums.get(name, 0) + int(value)
        return sums

    def mark(self):
        wait_until(lambda: self.metrics()["connections_open"] == 0, "earlier connections to end", 60)
        self.skip, self.before = len(self.running.log_lines()), self.metrics()

    def lines(self):
        """Every line since the mark."""
        return self.running.log_lines()[self.skip:]

    def rose(self, counter):
        return self.metrics()[counter] - self.before[counter]

    def settle(self, connections=1):
        """Wait until so many connections have come since the mark, and all have ended."""
        wait_until(lambda: self.rose("connections_total") >= connections and self.metrics()["connections_open"] == 0,
                   f"{connections} connections to come and end:\n{self.running.log()[-2000:]}", 60)
        assert self.rose("connections_total") == connections

    def one_line(self, event, end, counter=None, reason=None, error=None):
        """All that was said since the mark, of one connection: this (`end` may be several, of which it is one). Then a good look at the counters, and a new mark."""
        self.settle()
        lines = self.lines()
        assert len(lines) == 1, lines
        line, = lines
        assert line["event"] == event and line["end"] in (end if isinstance(end, tuple) else (end,)), line
        assert line["level"] == ("info" if event == "session_ended" else "warning"), line
        assert line["conn"] and line["service"] and line["client"] and line["duration_ms"] >= 0, line
        if reason is not None:
            assert re.search(reason, line["reason"]), line
        if error is not None:
            assert line["error"] == error, line
        if counter is not None:
            assert self.rose(counter) == 1, (counter, self.before, self.metrics())
        assert self.rose("sessions_failed_total") == (line["level"] == "warning")
        self.mark()
        return line

    def accounted_for(self, connections, silent=0):
        """Each of so many connections has one line, or is counted among those left out; no connection has two. Those `silent`
        that send nothing and leave have none at this level."""
        self.settle(connections)
        connections -= silent

        def written():
            return [x for x in self.lines() if "end" in x]

        def left_out():
            return sum(x["lines"] for x in self.lines() if x["event"] == "log_suppressed")

        wait_until(lambda: len(written()) + left_out() >= connections, "lines and what was left out", 60)
        assert len(written()) + left_out() == connections, self.lines()
        assert len({x["conn"] for x in written()}) == len(written())
        return written()

    def serves_on(self, authority, port, echo=b"serving on"):
        """A good connection, by the same worker process; it has its line."""
        self.mark()
        with client_tls(authority).wrap_socket(connect(port), server_hostname="localhost") as s:
            s.sendall(echo)
            assert s.recv(100) == echo
            s.unwrap()
        self.settle()
        lines = [x for x in self.lines() if "end" in x]
        assert [(x["event"], x["end"]) for x in lines] == [("session_ended", "closed")], lines
        assert lines[0]["received_bytes"] == lines[0]["sent_bytes"] == len(echo)
        assert self.running.workers() == self.worker
        self.mark()


def reset(s):
    """Close with RST."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def read_to_end(s):
    """What comes until the end, and whether that was FIN (True) or RST."""
    answer = b""
    try:
        while more := s.recv(65536):
            answer += more
    except ConnectionResetError:
        return answer, False
    return answer, True


def capability_line(size, separator):
    """An untagged CAPABILITY response that offers STARTTLS, of so many bytes: one-letter words behind `separator`."""
    line = b"* CAPABILITY STARTTLS"
    words = (separator + b"a") * size
    return line + words[:size - len(line) - 2] + b"\r\n"


def capability_flood(connection, separators=(b"\t", b" ", b"  ", b"\0"), rounds=12):
    """An IMAP server that speaks capability lines without end, with everything in them that a rewriter could lengthen,
    of sizes that end in every place of its buffers. Returns what it said."""
    rng = random.Random(1)
    said = [b"* OK hi\r\n"]
    for separator in separators:
        said += [b"* CAPABILITY " + b"x" * 2985 + b"\r\n"] + [capability_line(8188, separator)] * 6
        said += [capability_line(rng.randrange(7600, 8193), separator) for _ in range(16)]
    said = said[:1] + said[1:] * rounds
    connection.sendall(b"".join(said))
    return b"".join(said)
