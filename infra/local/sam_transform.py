"""Expand a SAM template: JSON `{template, parameters}` on stdin, the expanded template as JSON on stdout.

Run as a script by an interpreter that has aws-sam-translator; the emulator's own environment must not have it.
"""

import json
import sys
from types import SimpleNamespace

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform


def main() -> int:
    """Expand once; what is wrong with the template goes to stderr."""
    request = json.load(sys.stdin)
    try:
        expanded = transform(request["template"], request["parameters"], SimpleNamespace(load=dict))
    except InvalidDocumentException as error:
        causes = [cause.message for cause in getattr(error, "causes", [])] or [error.message]
        sys.stderr.write("; ".join(causes))
        return 1
    json.dump(expanded, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
