"""Writes a bill of materials for each built function: which packages, in which versions and under which licences.

    python -m infra.build.sbom

It reads what `sam build` left in .aws-sam/build, so it tells what is in the zips and not what should be, and writes
.aws-sam/sbom/<function>.cdx.json (CycloneDX 1.6). The same artefact gives the same bytes: the serial number is derived
from them, and the time is the one that every file of a zip has.
"""

import argparse
import hashlib
import sys
import tomllib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

from infra.build.licences import PROJECT, load_facts, normal_name
from infra.build.staging import ZIP_EPOCH
from infra.build.template import ROOT, functions_of, load_template
from infra.build.wheels import BuildError

BUILT = Path(".aws-sam", "build")
WRITTEN = Path(".aws-sam", "sbom")
OUR_LICENCE = "Apache-2.0"
CONTENT = "leastwise:content-sha256"  # of the artefact that is described: see content_digest


def describe(function: str, artefact: Path, facts: Mapping[str, str], project: Mapping[str, Any]) -> str:
    """Bill of materials of one artefact as CycloneDX JSON.

    `facts` are licences by `name==version`, `project` is the table of that name in pyproject.toml. Raises BuildError
    where the artefact holds a package whose licence nobody has looked up.
    """
    digest = content_digest(artefact)
    subject = _subject(function, str(project["version"]), digest)
    held = {normal_name(one.metadata["Name"]): one for one in distributions(path=[str(artefact)])}
    components = {name: _component(name, one.version, facts) for name, one in sorted(held.items())}
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, f"{PROJECT}/{function}/{digest}"),
        metadata=BomMetaData(component=subject, timestamp=datetime.fromtimestamp(ZIP_EPOCH, UTC)),
        components=components.values(),
    )
    _depend(bom, subject, project["dependencies"], components)
    for name, one in held.items():
        _depend(bom, components[name], one.requires or (), components)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def content_digest(artefact: Path) -> str:
    """SHA-256 over path and content of every file, in the order of their paths: the same for the folder and its zip."""
    digest = hashlib.sha256()
    for path in sorted(artefact.rglob("*"), key=lambda one: one.relative_to(artefact).as_posix()):
        if path.is_file():
            digest.update(path.relative_to(artefact).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _subject(function: str, version: str, digest: str) -> Component:
    return Component(
        type=ComponentType.APPLICATION,
        group=PROJECT,
        name=function,
        version=version,
        bom_ref=f"{PROJECT}/{function}@{version}",
        licenses=[LicenseExpression(OUR_LICENCE)],
        properties=[Property(name=CONTENT, value=digest)],
    )


def _component(name: str, version: str, facts: Mapping[str, str]) -> Component:
    licence = facts.get(f"{name}=={version}")
    if licence is None:
        raise BuildError(f"{name} {version} is built in, but its licence is unknown: see infra.build.read_licences")
    purl = PackageURL("pypi", name=name, version=version)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=[LicenseExpression(licence)],
    )


def _depend(bom: Bom, one: Component, requirements: Iterable[str], components: Mapping[str, Component]) -> None:
    """Note what a package asks for, of an extra too: only what is in the artefact can be meant."""
    names = {normal_name(Requirement(text).name) for text in requirements}
    bom.register_dependency(one, [components[name] for name in sorted(names & components.keys())])


def write_all(root: Path = ROOT) -> list[Path]:
    """Write a bill of materials for each function of the template; returns the files.

    Raises BuildError where a function was not built: a list with a gap would be taken for the whole.
    """
    facts = load_facts(root)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    written = []
    (root / WRITTEN).mkdir(parents=True, exist_ok=True)
    for function in functions_of(load_template(root / "template.yaml")):
        artefact = root / BUILT / function
        if not artefact.is_dir():
            raise BuildError(f"{function} was not built: run `make build`")
        path = root / WRITTEN / f"{function}.cdx.json"
        path.write_text(describe(function, artefact, facts, project), encoding="utf-8")
        written.append(path)
    return written


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write and answer the exit code: 0 written, 1 not, with the reason on stderr."""
    argparse.ArgumentParser(prog="infra.build.sbom", description="Write the bills of materials.").parse_args(arguments)
    try:
        written = write_all(root)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{len(written)} bills of materials in {WRITTEN}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
