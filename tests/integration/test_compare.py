"""benchmarks/compare: that it measures, in turns, what it says; not how fast anything is."""
import importlib
import json
import os
import subprocess
import sys

import pytest

from conftest import BUILD, PATIENCE, TOP, YETT

ROWS = ("full_ecdsa_1.3", "resumed_1.2", "chacha20", "client_certificate", "connecting", "connecting_resumed", "mib_64")


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(TOP / "benchmarks"))
    try:
        yield {name: importlib.import_module(f"bench.{name}") for name in ("proxies", "report", "rows")}
    finally:
        sys.path.remove(str(TOP / "benchmarks"))


def test_two_builds_are_held_against_each_other_row_by_row(folder):
    out = folder / "compare.json"
    done = subprocess.run(
        [TOP / "benchmarks/compare", "--quick", "--turns", "2", "--rows", ",".join(ROWS), "--base", "other", "--json", out,
         "--yett", YETT, "--load", BUILD / "benchmarks/load", "--proxies", f"yett,other={YETT}+accelerator=none"],
        capture_output=True, text=True, timeout=400 * PATIENCE, env={**os.environ, "TMPDIR": str(folder)})
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(out.read_text())
    assert list(result["rows"]) == list(ROWS)
    assert result["machine"]["proxies"]["other"]["settings"] == ["accelerator=none"]
    for key, row in result["rows"].items():
        for name in ("yett", "other"):
            assert len(row["proxies"][name]["turns"]) == 2, (key, name, done.stderr)
            assert all(turn["us"] > 0 and turn["per_second"] > 0 for turn in row["proxies"][name]["turns"])
        assert [(r["of"], r["to"]) for r in row["ratios"]["us"]] == [("yett", "other")]
        assert row["title"] in done.stdout
    full = result["rows"]["full_ecdsa_1.3"]["proxies"]["yett"]["turns"]
    assert [turn["tickets"] for turn in full] == [1, 1]


def test_ratios_are_those_of_turns_and_to_one_best_peer(bench):
    proxies, report, rows = bench["proxies"], bench["report"], bench["rows"]
    specs = proxies.parse_specs("yett,old=/old/yett,haproxy,nginx", "/new/yett")
    cells = {name: {"turns": [{"us": us} for us in turns]} for name, turns in
             {"yett": (90, 100, 99), "old": (200, 200, 200), "haproxy": (50, 120, 120), "nginx": (100, 100, 110)}.items()}
    found = report.ratios(rows.MICROSECONDS, cells, specs, "old")
    assert {(r["of"], r["to"]) for r in found} == {("yett", "nginx"), ("old", "nginx"), ("yett", "old"), ("haproxy", "old"),
                                                   ("nginx", "old")}
    first = found[0]
    assert (first["of"], first["to"], first["median"], first["min"], first["max"]) == ("yett", "nginx", 0.9, 0.9, 1.0)


def test_a_proxy_that_fails_is_told_and_costs_nobody_else(bench):
    proxies, report, rows = bench["proxies"], bench["report"], bench["rows"]
    specs = proxies.parse_specs("yett,haproxy,nginx", "/new/yett")
    cells = {"yett": {"turns": [{"us": 10, "per_second": 5}]}, "haproxy": {"failed": "8 of 10\nconnections failed"},
             "nginx": {"not_here": "OpenSSL 3.0.19"}}
    assert report.ratios(rows.MICROSECONDS, cells, specs, "") == []
    text = report.table([rows.Row("r", "a row")], {"r": {"proxies": cells, "ratios": {"us": []}}}, specs, "")
    assert "| a row (µs) | 10 (5/s) | failed: 8 of 10 connections failed | not here: OpenSSL 3.0.19 |  |" in text


@pytest.mark.parametrize("text", ["unknown", "yett,yett", "haproxy+accelerator=none", "=x"])
def test_columns_that_cannot_be(bench, text):
    with pytest.raises(SystemExit):
        bench["proxies"].parse_specs(text, "/new/yett")


def test_columns(bench):
    specs = bench["proxies"].parse_specs("yett+accelerator=auto,old=/old/yett+accelerator=none+workers=2,nginx,new=yett",
                                         "/new/yett")
    assert [(s.name, s.path, s.settings, s.is_peer) for s in specs] == [
        ("yett", "/new/yett", ("accelerator=auto",), False), ("old", "/old/yett", ("accelerator=none", "workers=2"), False),
        ("nginx", "nginx", (), True), ("new", "/new/yett", (), False)]
