"""Builds the artefact of one Lambda function: its service, `shared/` and the locked wheels, nothing else.

`sam build` calls it through the targets of functions.mk. By hand:

    python -m infra.build.artefact --function UsageFunction --output DIR
    python -m infra.build.artefact --function UsageFunction --output DIR --platform x86_64-manylinux2014
    python -m infra.build.artefact --function UsageFunction --output DIR --host
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.build.prune import read_aws_services
from infra.build.staging import copy_normalised, normalise, stage_wheels
from infra.build.template import ROOT, TEMPLATE, TemplateError, handler_of, load_template
from infra.build.wheels import HOST, LAMBDA_PLATFORM, LAMBDA_PYTHON, BuildError, Target

SERVICE_PARTS = 2  # `services.remediator.watching.handler` is of the service `services/remediator`

# Of the data the service reference, too: only what is compiled from it is read by a function.
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.md", ".*", "service-reference.json.gz")


def build_artefact(function: str, output: Path, target: Target, root: Path = ROOT) -> None:
    """Write the artefact of `function` into the folder `output`, which must be empty or absent.

    The same tree and lock give the same bytes, modes and times, so that an unchanged function is not deployed again.
    Raises BuildError or TemplateError; what is left in `output` then must not be deployed.
    """
    module, _ = handler_of(load_template(root / TEMPLATE.name), function)
    service = Path(*module.split(".")[:SERVICE_PARTS])
    if output.exists() and any(output.iterdir()):
        raise BuildError(f"{output} is not empty")
    if not (root / service).is_dir():
        raise BuildError(f"{function} names {module}, but there is no {service}")
    wheels = stage_wheels(root, target, read_aws_services(root))
    output.mkdir(parents=True, exist_ok=True)
    copy_normalised(wheels, output)
    for package in (Path("shared"), service):
        copy_source(root, package, output)


def copy_source(root: Path, package: Path, output: Path) -> None:
    """Copy a package with the data it reads; documents and the scripts that compile its data stay behind."""
    shutil.copytree(root / package, output / package, ignore=_LEFT_OUT)
    for script in (output / package).rglob("data/*.py"):
        script.unlink()
    normalise(output / package.parts[0])


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; --host excludes a target of its own."""
    parser = argparse.ArgumentParser(prog="infra.build.artefact", description="Build one Lambda artefact.")
    parser.add_argument("--function", required=True, help="logical id of the function in template.yaml")
    parser.add_argument("--output", required=True, type=Path, help="empty folder to build into")
    parser.add_argument("--python", default=LAMBDA_PYTHON, help="Python version of the target (%(default)s)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--platform", default=LAMBDA_PLATFORM, help="platform of the target, as uv names it (%(default)s)"
    )
    where.add_argument("--host", action="store_true", help="build for the interpreter that runs this command")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and answer the exit code: 0 built, 1 not built, with the reason on stderr."""
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    target = HOST if options.host else Target(options.python, options.platform)
    try:
        build_artefact(options.function, options.output, target)
    except (BuildError, TemplateError) as error:
        sys.stderr.write(f"{options.function}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
