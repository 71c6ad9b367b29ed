"""Rules of security, held against the source and against what is written: see SECURITY.md."""

import ast
import socket
from pathlib import Path

import pandas as pd
import pytest

from pipelines.files import manifest, record, tables
from pipelines.inputs import reach
from pipelines.work import cluster

HOME = Path(__file__).parents[1]
SOURCES = sorted(p for folder in ("sinks", "pipelines") for p in (HOME / folder).rglob("*.py"))
CALLS = {"eval", "exec", "compile", "__import__"}
"""Built-in functions that make text run."""
MODULES = {
    "pickle",
    "cPickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "yaml",
    "ctypes",
    "runpy",
    "code",
    "pty",
    "telnetlib",
    "ftplib",
}
"""Modules that make data run, or go where nobody looks."""
NETWORK = {"urllib.request", "http.client", "requests", "httpx", "aiohttp", "socket"}
PROGRAMS = {"subprocess", "os.system", "os.popen", "os.execv", "os.spawnv"}
MAY_REACH = ("pipelines/fetch/", "pipelines/inputs/descriptions.py")
"""Where the network is the task: layers that are asked for, and an index that the user named by its address."""
MAY_CALL_C = ("pipelines/work/heap.py",)
"""Where the C library is called: one function that tells it what to do with freed memory, with numbers of our own."""
MAY_START = ("pipelines/report/printed.py",)
"""Where a program is started, by a list of words and never through a shell: the browser that prints a report."""


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, a.name) for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{a.name}") for a in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(HOME)))
def test_nothing_runs_what_it_reads(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = path.relative_to(HOME).as_posix()
    for line, module in imports(tree):
        called_by_us = module == "ctypes" and name in MAY_CALL_C
        assert called_by_us or module.partition(".")[0] not in MODULES, f"{name}:{line} imports {module}"
        assert not (module in NETWORK and not name.startswith(MAY_REACH)), f"{name}:{line} imports {module}"
        assert module.partition(".")[0] not in PROGRAMS or name in MAY_START, f"{name}:{line} starts programs"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name):
            assert called.id not in CALLS, f"{name}:{node.lineno} calls {called.id}"
        if isinstance(called, ast.Attribute):
            whole = ast.unparse(called)
            assert whole not in PROGRAMS, f"{name}:{node.lineno} calls {whole}"
            assert called.attr not in ("read_pickle", "to_pickle"), f"{name}:{node.lineno} calls {whole}"
            if whole in ("np.load", "numpy.load"):
                allowed = {k.arg: ast.unparse(k.value) for k in node.keywords}.get("allow_pickle")
                assert allowed == "False", f"{name}:{node.lineno} loads pickles"
        for keyword in node.keywords:
            assert not (keyword.arg == "shell" and ast.unparse(keyword.value) == "True"), (
                f"{name}:{node.lineno} starts a shell"
            )


def statements(tree):
    """The first argument of every call that hands SQL to a database."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("execute", "executemany", "executescript")
        ):
            yield node.lineno, node.args[0]


def test_no_name_of_a_user_stands_in_sql():
    """A statement is a constant, or is put together from the program's own constants; values go in as parameters."""
    found = []
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for line, text in statements(tree):
            if isinstance(text, ast.JoinedStr):
                inner = [ast.unparse(v.value) for v in text.values if isinstance(v, ast.FormattedValue)]
                found += [
                    f"{path.name}:{line} {name}" for name in inner if not name.isupper() and not name.startswith("_")
                ]
    assert not found, found


def test_rasters_are_opened_in_formats_that_speak_to_no_service():
    services = {
        "WMS",
        "WCS",
        "WMTS",
        "HTTP",
        "OGCAPI",
        "PLMOSAIC",
        "EEDA",
        "EEDAI",
        "DAAS",
        "STACIT",
        "STACTA",
        "MRF",
        "GTI",
        "DERIVED",
        "PDF",
    }
    assert not services & set(reach.DRIVERS)
    assert "VRT" not in reach.drivers("/vsicurl/http://example.org/a.vrt")


def test_a_cluster_file_names_a_class_of_a_known_package(tmp_path):
    for name in ("os.system", "subprocess.Popen", "builtins.eval", "pipelines.cli.main", "distributed", "..os.x", ""):
        path = tmp_path / "c.toml"
        path.write_text(f'class = "{name}"\n')
        with (
            pytest.raises(Exception, match=r"a cluster comes from one of|cannot be used") as told,
            cluster._started(str(path)),
        ):
            pass
        assert type(told.value).__name__ == "InputError"


def test_the_dashboard_listens_on_this_machine_only():
    with cluster._address(cluster.Workers(1, dashboard=True)) as address:
        from distributed import Client

        with Client(address) as client:
            services = client.scheduler_info()["services"]
            port = services["dashboard"]
            assert client.dashboard_link.startswith(("http://127.0.0.1:", "http://localhost:"))
            own = [i for i in {socket.gethostbyname(socket.gethostname())} if not i.startswith("127.")]
            for place in own:
                with socket.socket() as caller:
                    caller.settimeout(2)
                    assert caller.connect_ex((place, port)) != 0


@pytest.mark.parametrize(("cell", "written"), [
    ("=1+1", "'=1+1"), ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"), ("-2+3", "'-2+3"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"), ("\r=1", "'\r=1"),
    ("-5", "-5"), ("+5.5e3", "+5.5e3"), ("-", "'-"), ("forest", "forest"), ("a=1", "a=1"), ("", ""), ("甲", "甲"),
])  # fmt: skip
def test_no_cell_is_a_formula(tmp_path, cell, written):
    tables.write_table(pd.DataFrame({"name": [cell, "x"], "value": [-1.5, 2.0]}), tmp_path / "t.csv")
    found = pd.read_csv(tmp_path / "t.csv", dtype={"name": str}, keep_default_na=False, lineterminator="\n")
    assert found["name"][0] == written
    assert found["value"].tolist() == [-1.5, 2.0]
    tables.write_table(pd.DataFrame({"name": [cell]}), tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet")["name"][0] == cell


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "..", "", "a\\..\\x", "a\0b"])
def test_no_manifest_names_what_lies_outside_of_its_folder(tmp_path, name):
    import json

    (tmp_path / "manifest.json").write_text(json.dumps({"outputs": {name: {"sha256": "0", "bytes": 1}}}))
    with pytest.raises(Exception, match="outside of its folder"):
        manifest.read(tmp_path)


def test_no_record_names_what_lies_outside_of_the_work(tmp_path):
    home = tmp_path / "out" / ".work" / "pieces"
    home.mkdir(parents=True)
    (tmp_path / "precious").write_text("x")
    record.write(home / "r.npz", {"a": tmp_path / "precious"})
    with pytest.raises(record.DamagedError):
        record.read(home / "r.npz", {}, within=home.parent)
    record.write(home / "s.npz", {"a": home / "x.tif"})
    assert record.read(home / "s.npz", {}, within=home.parent)["a"] == home / "x.tif"


def test_the_report_shows_names_and_never_runs_them(tmp_path):
    from click.testing import CliRunner

    from catalogue import Scene, halves
    from pipelines.cli import main

    evil = "</script><script>alert('pwned')</script>", '"><img src=x onerror=alert(1)>'
    scene = Scene.fresh(tmp_path)
    scene.regions(halves(), code=["a", "b"], name=list(evil))
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in scene.given.items()]
    done = CliRunner().invoke(main, ["assess", *flags, f"--out={tmp_path / 'out'}", "--quiet"])
    assert done.exit_code == 0, done.stderr
    pages = list((tmp_path / "out").glob("*.html"))
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "alert(" in text, "the names are shown"
        assert "<script>alert(" not in text
        assert "<img src=x" not in text
