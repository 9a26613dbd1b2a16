"""Writes licences.json anew from the metadata of the packages that the lock files pin.

    python -m infra.build.read_licences

Installed packages are read where they stand (.venv, .venv-local and the others); what isn't installed on this machine,
since it is for another system or Python, is fetched for a moment. A licence that can't be told ends in an error: look
at the package, then add what it says to READ_BY_HAND.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from infra.build.licences import FACTS, Standing, judge, normal_name, pins
from infra.build.template import ROOT
from infra.build.wheels import find_uv

# What the licence file says where the metadata says too little, or leaves out that one may choose.
READ_BY_HAND: Mapping[str, str] = {
    "boolean-py": "BSD-2-Clause",
    "cached-property": "BSD-3-Clause",
    "click": "BSD-3-Clause",
    "colorama": "BSD-3-Clause",
    "cookiecutter": "BSD-3-Clause",
    "dateparser": "BSD-3-Clause",
    "dockerfile-parse": "BSD-3-Clause",
    "gitdb": "BSD-3-Clause",
    "itsdangerous": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "jsonata-python": "Apache-2.0",
    "mpmath": "BSD-3-Clause",
    "networkx": "BSD-3-Clause",
    "parliament": "BSD-3-Clause",
    "ply": "BSD-3-Clause",
    "python-dateutil": "BSD-3-Clause AND (Apache-2.0 OR BSD-3-Clause)",  # what is older than 2018 stands under BSD only
    "semantic-version": "BSD-2-Clause",
    "sympy": "BSD-3-Clause",
    "text-unidecode": "Artistic-1.0-Perl OR GPL-2.0-or-later",  # "under the terms of either": we take the first
    "toolz": "BSD-3-Clause",
}
# What a wheel holds beyond what its metadata says: the libraries of a compiler, for instance.
BUNDLED: Mapping[str, str] = {
    "numpy": "LGPL-2.1-or-later AND GPL-3.0-or-later WITH GCC-exception-3.1",  # libquadmath, libgfortran
}
NAMES: Mapping[str, str] = {
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "the mit license (mit)": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}


class UnknownLicenceError(Exception):
    """A package doesn't say under which licence it stands, or in words that are not known here."""


def licence_of(distribution: Distribution) -> str:
    """SPDX expression of an installed package. Raises UnknownLicenceError."""
    metadata = distribution.metadata.json
    name = normal_name(str(metadata["name"]))
    stated = str(metadata.get("license_expression", ""))
    by_hand = [READ_BY_HAND[name]] if name in READ_BY_HAND else []
    texts = [stated, *by_hand, str(metadata.get("license", "")), *_classified(metadata.get("classifier", []))]
    for text in texts:
        expression = NAMES.get(text.strip().lower(), text.strip())
        if judge(expression) is not Standing.UNKNOWN:
            return f"{expression} AND {BUNDLED[name]}" if name in BUNDLED else expression
    raise UnknownLicenceError(f"{name}: {[text[:60] for text in texts if text]}")


def _classified(classifiers: Iterable[str]) -> list[str]:
    """Licences of the classifiers: `License :: OSI Approved :: MIT License` is `MIT License`."""
    return [one.rpartition("::")[2] for one in classifiers if one.startswith("License ::")]


def installed(root: Path = ROOT) -> dict[str, Distribution]:
    """Every package that is installed in an environment of this checkout, by `name==version`."""
    folders = sorted(root.glob(".venv*/lib/python3*/site-packages"))
    return {
        f"{normal_name(one.metadata['Name'])}=={one.version}": one
        for one in distributions(path=list(map(str, folders)))
    }


def read_all(root: Path = ROOT) -> dict[str, str]:
    """The licence of every pin. Raises UnknownLicenceError, or CalledProcessError where a package can't be fetched."""
    found, here = {}, installed(root)
    with tempfile.TemporaryDirectory() as scratch:
        for number, pin in enumerate(pins(root)):
            distribution = here.get(pin) or _fetched(pin, Path(scratch, str(number)), root)
            found[pin] = licence_of(distribution)
    return found


def _fetched(pin: str, folder: Path, root: Path) -> Distribution:
    """A package alone, for whichever system has it: only its metadata is read, nothing of it runs."""
    command = [str(find_uv(root)), "pip", "install", "--quiet", "--no-config", "--no-deps", "--target", str(folder)]
    command += ["--only-binary", ":all:", "--python", sys.executable, "--python-version", "3.13"]
    for platform in ("linux", "windows"):
        done = subprocess.run([*command, "--python-platform", platform, pin], check=False, capture_output=True)  # noqa: S603 ours
        if done.returncode == 0:
            break
    done.check_returncode()
    return next(iter(distributions(path=[str(folder)])))


def main() -> int:
    """Write the file; the exit code is 1 where a licence is one that we don't take, with its name on stderr."""
    facts = read_all()
    (ROOT / FACTS).write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    refused = [f"{pin}: {text}" for pin, text in facts.items() if judge(text) is not Standing.PERMITTED]
    sys.stderr.write("".join(f"{line}\n" for line in refused))
    return int(bool(refused))


if __name__ == "__main__":
    sys.exit(main())
