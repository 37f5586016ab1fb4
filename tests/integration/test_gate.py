"""benchmarks/gate: what it does with counts. (Counting itself is ctest's "instructions".)"""
import importlib.machinery
import importlib.util
import sys

import pytest

from conftest import TOP


@pytest.fixture(scope="module")
def gate():
    sys.path.insert(0, str(TOP / "benchmarks"))
    try:
        loader = importlib.machinery.SourceFileLoader("gate", str(TOP / "benchmarks/gate"))
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader("gate", loader))
        loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(TOP / "benchmarks"))


@pytest.mark.parametrize(("now", "good", "says"), [
    (1000, True, "+0.00%"), (1019, True, "+1.90%"), (1021, False, "+2.10%: grown"), (900, True, "less; record it")])
def test_growth_of_more_than_two_percent_fails(gate, now, good, says):
    lines, found = gate.compare({"nss": {"full": 1000}}, {"nss": {"full": now}})
    assert found is good
    assert says in lines[1]


def test_one_that_has_grown_among_others_fails(gate):
    stored = {"nss": {"a": 1000, "b": 1000}, "accelerator": {"a": 1000, "b": 1000}}
    assert not gate.compare(stored, {**stored, "accelerator": {"a": 1000, "b": 1100}})[1]


def test_what_is_not_stored_is_told_and_fails_nothing(gate):
    lines, good = gate.compare(None, {"nss": {"full": 1000}})
    assert good and lines[1].endswith("not stored")


def test_how_far_runs_are_apart(gate):
    runs = [{"nss": {"a": 1000, "b": 2000}}, {"nss": {"a": 1010, "b": 2000}}, {"nss": {"a": 1005, "b": 2000}}]
    assert gate.spread(runs) == (pytest.approx(0.01), "nss, a")
    assert gate.medians(runs) == {"nss": {"a": 1005, "b": 2000}}
