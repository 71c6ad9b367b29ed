"""A finished run in a store: whole or not there, and a copy that broke off goes on."""

import json

import fsspec
import pytest
from click.testing import CliRunner

from pipelines.assess import run
from pipelines.assess.study import checked
from pipelines.cli import main
from pipelines.errors import InputError, RunError
from pipelines.files import manifest, store
from scenes import small


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("publish")
    given = {**small(folder), "legend": "worldcover", "maps": ["ecosystem"], "draws": 0, "quiet": True}
    run.assess(checked({**given, "out": str(folder / "run")}))
    return folder / "run"


@pytest.fixture
def url(request):
    """An empty place in a store in memory."""
    place = f"memory://bucket/{request.node.name}"
    yield place
    fsspec.filesystem("memory").store.clear()


def there(url):
    memory, base = fsspec.core.url_to_fs(url)
    return {p.removeprefix(base + "/"): memory.cat_file(p) for p in memory.find(base)}


def test_all_that_the_manifest_names_arrives(result, url):
    found = store.publish(result, url)
    files = there(url)
    about = manifest.read(result)
    assert set(files) == {*about["outputs"], manifest.NAME}
    assert all(files[name] == (result / name).read_bytes() for name in files)
    assert found["sent"] == len(about["outputs"])
    assert store.publish(result, url) == {"sent": 0, "bytes": 0, "there": len(about["outputs"])}


def test_a_copy_that_broke_off_goes_on(result, url, monkeypatch):
    send, seen = store._send, []

    def breaks(there, path, target, size):
        if len(seen) == 3:
            raise OSError("connection reset")
        seen.append(path.name)
        send(there, path, target, size)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_send", breaks)
        with pytest.raises(RunError, match=r"the store failed \(connection reset\); what arrived is kept"):
            store.publish(result, url)
    assert manifest.NAME not in there(url)  # nothing that looks whole
    found = store.publish(result, url)
    assert found["there"] == 3
    assert store.UNDER_WAY not in there(url)
    assert manifest.NAME in there(url)


def test_a_file_that_arrives_cut_short_is_sent_again(result, url, monkeypatch):
    size, lies = store._size, iter([5])
    monkeypatch.setattr(store, "_size", lambda there, target: next(lies, None) or size(there, target))
    store.publish(result, url)
    assert there(url)["accounts.csv"] == (result / "accounts.csv").read_bytes()


def test_another_run_is_not_written_over(result, url, tmp_path):
    store.publish(result, url)
    memory, base = fsspec.core.url_to_fs(url)
    other = json.loads(memory.cat_file(f"{base}/manifest.json"))
    other["outputs"]["accounts.csv"]["sha256"] = "0"
    memory.pipe_file(f"{base}/manifest.json", json.dumps(other).encode())
    with pytest.raises(InputError, match="another run was published here"):
        store.publish(result, url)
    store.publish(result, url, overwrite=True)
    assert json.loads(there(url)["manifest.json"])["outputs"] == manifest.read(result)["outputs"]


def test_a_whole_run_is_not_written_over_for_a_list_of_arrivals_that_stayed_beside_it(result, url):
    """A copy that was killed after its manifest had arrived."""
    store.publish(result, url)
    memory, base = fsspec.core.url_to_fs(url)
    other = json.loads(memory.cat_file(f"{base}/manifest.json"))
    other["outputs"]["accounts.csv"]["sha256"] = "0"
    memory.pipe_file(f"{base}/manifest.json", json.dumps(other).encode())
    memory.pipe_file(f"{base}/{store.UNDER_WAY}", b"{}")
    with pytest.raises(InputError, match="another run was published here"):
        store.publish(result, url)
    store.publish(result, url, overwrite=True)
    assert store.UNDER_WAY not in there(url)


def test_what_is_said(result, tmp_path):
    to = (tmp_path / "store").as_uri()
    said = CliRunner().invoke(main, ["publish", str(result), to, "--json"])
    assert said.exit_code == 0, said.output
    assert (tmp_path / "store" / "maps" / "ecosystem.tif").is_file()
    for place, words in (("s3x://a", "no place that is known"), ("nothing", "")):
        answer = CliRunner().invoke(main, ["publish", str(tmp_path / "none") if not words else str(result), place])
        assert answer.exit_code == 2
        assert words in answer.output


def test_a_damaged_run_is_not_published(result, tmp_path):
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(result, copy)
    (copy / "coverage.csv").write_text("x")
    with pytest.raises(InputError, match=r"coverage\.csv is not as it was written"):
        store.publish(copy, (tmp_path / "store").as_uri())
