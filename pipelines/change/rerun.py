"""A run done again from its manifest, and held against it: inputs, software, parameters, results."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.assess import again
from pipelines.assess import run as assessing
from pipelines.change import change as changing
from pipelines.change import changestudy
from pipelines.errors import InputError
from pipelines.files import manifest

_COMPARED: Final = (".csv", ".parquet", ".tif", ".vrt", ".ovr")
"""Outputs that hold the results and nothing of when and where they were made."""
_ONE_FOR_ALL: Final = ("regions", "region_id", "region_name", "region_layer")


@dataclass(frozen=True)
class Compared:
    """What is the same and what is not, by part: each a list of sentences on what differs, empty where nothing does.

    compared : how many inputs and outputs were held against one another; out : the new run, None where it was not kept.
    """

    inputs: list[str]
    software: list[str]
    parameters: list[str]
    results: list[str]
    compared: dict[str, int]
    out: Path | None

    @property
    def same(self) -> bool:
        """Whether the results are the same to the last bit."""
        return not self.results


def rerun(given: Path, out: Path | None = None, *, allow_network: bool = False, **options: Any) -> Compared:
    """Run again what a manifest (or the folder that holds it) tells.

    out : where the new run is kept; it is thrown away where not given. options : how to run, of ``sinks assess``. Raises
    InputError when the manifest cannot be run.
    """
    path = given / manifest.NAME if given.is_dir() else given
    if not path.is_file():
        raise InputError(
            f"{given}: there is no {manifest.NAME} here; name the output folder of a finished run, or its manifest"
        )
    before = manifest.read_file(path)
    with tempfile.TemporaryDirectory() as aside:
        folder = out or Path(aside) / "run"
        _run(before, path, folder, allow_network, options)
        after = manifest.read(folder)
    return compare(before, after, out)


def _run(about: Mapping[str, Any], path: Path, out: Path, allow_network: bool, options: Mapping[str, Any]) -> None:
    kind = about.get("kind", "")
    how = {"out": str(out), "allow_network": allow_network, **{k: v for k, v in options.items() if v is not None}}
    if kind == "":
        table = again.options_of(about["study"], path, str(about.get("started_in", "")), allow_network)
        assessing.assess(again.checked({**table, **how}, str(path)))
    elif kind == changing.KIND:
        changing.change(_change(about, path, allow_network, how))
    else:
        raise InputError(f"{path}: is of a '{kind}'; only an assessment and a change can be done again")


def _change(
    about: Mapping[str, Any], path: Path, allow_network: bool, how: Mapping[str, Any]
) -> changestudy.ChangeStudy:
    told, home = about["study"], str(about.get("started_in", ""))
    epochs = told["epochs"]
    if not (isinstance(epochs, list) and epochs and all(isinstance(e, dict) for e in epochs)):
        raise InputError(f"{path}: tells no epochs; run the change again")
    tables = [again.options_of(e, path, home, allow_network) for e in epochs]
    shared: dict[str, Any] = {k: tables[0][k] for k in _ONE_FOR_ALL if k in tables[0]}
    own = {k: v for k, v in told.items() if k != "epochs"}
    each = [{k: v for k, v in t.items() if k not in (*_ONE_FOR_ALL, "maps")} for t in tables]
    return changestudy.checked(each, {**shared, **own, **how}, str(path))


# ------------------------------------------------------------------------------------------ comparing


def compare(before: Mapping[str, Any], after: Mapping[str, Any], out: Path | None) -> Compared:
    """Two manifests of one study, part by part."""
    earlier, later = _inputs(before), _inputs(after)
    one, two = (_digests(m) for m in (before, after))
    results = [f"{n} was not made this time" for n in one if n not in two]
    results += [f"{n} is new" for n in two if n not in one]
    results += [f"{n} has other content" for n in one if n in two and one[n] != two[n]]
    versions = before.get("versions", {}), after.get("versions", {})
    return Compared(
        [
            f"{n} {_differing(earlier.get(n), later.get(n))}"
            for n in sorted({*earlier, *later})
            if earlier.get(n) != later.get(n)
        ],
        _unlike(*versions),
        _unlike(*({k: m.get(k) for k in ("parameters", "options", "forest_definition")} for m in (before, after))),
        results,
        {"inputs": len(earlier), "outputs": len(one)},
        out,
    )


def _inputs(about: Mapping[str, Any]) -> dict[str, str]:
    """Digest of every input by name; the time of a file is not its content."""
    found = {}
    for name, told in about.get("inputs", {}).items():
        layers = {name: told} if "fingerprint" in told else {f"{layer} of {name}": t for layer, t in told.items()}
        for layer, each in layers.items():
            parts = str(each["fingerprint"]).split("-")
            found[layer] = f"{parts[0]} bytes, {parts[2]}" if len(parts) == 3 else str(each["fingerprint"])
    return found | {name: f"sha256 {told['sha256'][:16]}" for name, told in about.get("files", {}).items()}


def _digests(about: Mapping[str, Any]) -> dict[str, str]:
    own = {n: t["sha256"] for n, t in about.get("outputs", {}).items() if n.endswith(_COMPARED)}
    return {n: digest for n, digest in own.items() if "/" not in n or n.startswith("maps/")}


def _differing(one: str | None, other: str | None) -> str:
    return f"was {one or 'not there'} and is {other or 'not there'}"


def _unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return [
        f"{k} was {one.get(k, 'not told')} and is {other.get(k, 'not told')}"
        for k in {**one, **other}
        if one.get(k) != other.get(k)
    ]
