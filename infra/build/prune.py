"""Takes out of an artefact what no Lambda function reads at run time.

A smaller zip is fetched and unpacked faster at a cold start, and holds less that an auditor has to look at. Only what
is known to be unused goes: everything of a package that Python could import stays.
"""

import ast
import shutil
from pathlib import Path

from infra.build.wheels import BuildError

CLIENTS = Path("shared", "aws", "clients.py")
SERVICES_CONSTANT = "AWS_SERVICES"

_UNUSED_FOLDERS = frozenset({"__pycache__", "test", "tests"})
_UNUSED_SUFFIXES = frozenset({".md", ".pyc", ".pyi", ".rst"})
# Console scripts, which nobody starts here; type stubs; examples.
_UNUSED_PATTERNS = ("bin", "*-stubs", "boto3/examples")
# What importlib.metadata answers from, and what licences ask to be passed on. Installers' records go.
_KEPT_METADATA = ("METADATA", "entry_points.txt", "LICENSE", "LICENCE", "NOTICE", "COPYING")


def prune_wheels(output: Path, aws_services: frozenset[str]) -> None:
    """Prune installed wheels in place; of the AWS API models only those of `aws_services` stay."""
    for folder in [folder for pattern in _UNUSED_PATTERNS for folder in output.glob(pattern)]:
        shutil.rmtree(folder)
    for path in sorted(output.rglob("*")):
        if path.is_dir() and path.name in _UNUSED_FOLDERS:
            shutil.rmtree(path)
        elif path.is_file() and path.suffix in _UNUSED_SUFFIXES and not _is_licence(path):
            path.unlink()
    _prune_metadata(output)
    _prune_api_models(output / "botocore" / "data", aws_services)
    _prune_api_models(output / "boto3" / "data", aws_services)


def read_aws_services(root: Path) -> frozenset[str]:
    """Names of the AWS services that the project calls: the constant AWS_SERVICES of shared/aws/clients.py.

    Read from the source, without importing boto3. A tree without `shared/aws` calls none. Raises BuildError where the
    constant is missing or not a tuple of strings: a guess would remove what the functions need.
    """
    if not (root / CLIENTS.parent).is_dir():
        return frozenset()
    try:
        tree = ast.parse((root / CLIENTS).read_text(encoding="utf-8"))
        services = ast.literal_eval(next(filter(None, (_value_of(node, SERVICES_CONSTANT) for node in tree.body))))
    except (OSError, StopIteration, SyntaxError, ValueError) as error:
        raise BuildError(f"{CLIENTS} has no literal constant {SERVICES_CONSTANT}") from error
    if not isinstance(services, tuple) or not all(isinstance(name, str) for name in services):
        raise BuildError(f"{SERVICES_CONSTANT} in {CLIENTS} is not a tuple of strings")
    return frozenset(services)


def _is_licence(path: Path) -> bool:
    return "licenses" in path.parts or path.name.startswith(_KEPT_METADATA)


def _value_of(node: ast.stmt, name: str) -> ast.expr | None:
    """Value that a statement assigns to `name`, or None where it doesn't."""
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    else:
        return None
    return node.value if any(isinstance(target, ast.Name) and target.id == name for target in targets) else None


def _prune_metadata(output: Path) -> None:
    for info in output.glob("*.dist-info"):
        for path in info.iterdir():
            if path.is_dir():
                if path.name != "licenses":
                    shutil.rmtree(path)
            elif not path.name.startswith(_KEPT_METADATA):
                path.unlink()


def _prune_api_models(data: Path, aws_services: frozenset[str]) -> None:
    """Remove the folders of other services; files at the top (endpoints, partitions, retries) stay."""
    if not data.is_dir():
        return
    if data.parent.name == "botocore":
        unknown = sorted(name for name in aws_services if not (data / name).is_dir())
        if unknown:
            raise BuildError(f"botocore has no API model of {', '.join(unknown)}: check {SERVICES_CONSTANT}")
    for folder in data.iterdir():
        if folder.is_dir() and folder.name not in aws_services:
            shutil.rmtree(folder)
