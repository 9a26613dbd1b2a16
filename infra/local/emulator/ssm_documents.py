"""Systems Manager documents, which ministack lacks: Automation runbooks are stored as documents."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import yaml
from ministack.core.responses import get_account_id

from infra.local.emulator.clock import epoch_now
from infra.local.emulator.errors import AwsError
from infra.local.emulator.gateway import JsonOperation, add_json_operations


@dataclass
class Document:
    """A document with its versions' texts: version 1 is `contents[0]`."""

    name: str
    kind: str
    format: str
    owner: str
    contents: list[str]
    default_version: int = 1
    created: float = field(default_factory=epoch_now)

    def parsed(self, version: int | None = None) -> dict[str, Any]:
        """The content of a version, by default the default one."""
        return parse_content(self.contents[(version or self.default_version) - 1])


class SsmDocuments:
    """The documents of this AWS by name, and the operations on them."""

    def __init__(self) -> None:
        self._documents: dict[str, Document] = {}

    def install(self) -> None:
        """Add the operations to ministack's `ssm`."""
        operations: dict[str, JsonOperation] = {
            "CreateDocument": self.create,
            "DescribeDocument": lambda request: {"Document": self._describe(self.get(request["Name"]))},
            "GetDocument": self._get_document,
            "UpdateDocument": self.update,
            "UpdateDocumentDefaultVersion": self._update_default_version,
            "DeleteDocument": self.delete,
        }
        add_json_operations("ssm", operations)

    def get(self, name: str, error_code: str = "InvalidDocument") -> Document:
        """A document by its name or ARN. Raises AwsError when there is none."""
        document = self._documents.get(name.rsplit("document/", 1)[-1])
        if document is None:
            raise AwsError(error_code, f"Document with name {name} does not exist.")
        return document

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer CreateDocument, after a check that the content can be read."""
        name = request["Name"]
        if name in self._documents:
            raise AwsError("DocumentAlreadyExists", f"The specified document {name} already exists.")
        parse_content(request["Content"])
        document = Document(
            name,
            request.get("DocumentType", "Command"),
            request.get("DocumentFormat", "JSON"),
            get_account_id(),
            [request["Content"]],
        )
        self._documents[name] = document
        return {"DocumentDescription": self._describe(document)}

    def update(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer UpdateDocument: a new version, which is not the default yet."""
        document = self.get(request["Name"])
        parse_content(request["Content"])
        if request["Content"] == document.contents[-1]:
            raise AwsError(
                "DuplicateDocumentContent", "The content of the association document matches another document."
            )
        document.contents.append(request["Content"])
        return {"DocumentDescription": self._describe(document)}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer DeleteDocument."""
        del self._documents[self.get(request["Name"]).name]
        return {}

    def _update_default_version(self, request: dict[str, Any]) -> dict[str, Any]:
        document = self.get(request["Name"])
        document.default_version = _version(document, request["DocumentVersion"])
        return {"Description": {"Name": document.name, "DefaultVersion": str(document.default_version)}}

    def _get_document(self, request: dict[str, Any]) -> dict[str, Any]:
        document = self.get(request["Name"])
        version = _version(document, request.get("DocumentVersion", "$DEFAULT"))
        return {
            "Name": document.name,
            "DocumentVersion": str(version),
            "Status": "Active",
            "Content": document.contents[version - 1],
            "DocumentType": document.kind,
            "DocumentFormat": document.format,
        }

    def _describe(self, document: Document) -> dict[str, Any]:
        content = document.parsed()
        parameters = content.get("parameters") or {}
        return {
            "Name": document.name,
            "Status": "Active",
            "Owner": document.owner,
            "CreatedDate": document.created,
            "DocumentType": document.kind,
            "DocumentFormat": document.format,
            "SchemaVersion": str(content.get("schemaVersion", "")),
            "Description": content.get("description", ""),
            "DocumentVersion": str(document.default_version),
            "LatestVersion": str(len(document.contents)),
            "DefaultVersion": str(document.default_version),
            "Hash": hashlib.sha256(document.contents[document.default_version - 1].encode()).hexdigest(),
            "HashType": "Sha256",
            "Parameters": [_parameter(name, definition) for name, definition in parameters.items()],
        }


def parse_content(text: str) -> dict[str, Any]:
    """A document's content: JSON is YAML too. Raises AwsError when it's neither."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise AwsError("InvalidDocumentContent", f"The content can't be read: {error}") from error
    if not isinstance(content, dict):
        raise AwsError("InvalidDocumentContent", "The content is no mapping.")
    return content


def _version(document: Document, text: str) -> int:
    known = {"$DEFAULT": document.default_version, "$LATEST": len(document.contents)}
    version = known.get(text) or (int(text) if text.isdigit() else 0)
    if not 1 <= version <= len(document.contents):
        raise AwsError("InvalidDocumentVersion", f"Document version {text} does not exist.")
    return version


def _parameter(name: str, definition: dict[str, Any]) -> dict[str, str]:
    described = {"Name": name, "Type": definition.get("type", "String")}
    if "description" in definition:
        described["Description"] = definition["description"]
    if "default" in definition:
        default = definition["default"]
        described["DefaultValue"] = default if isinstance(default, str) else json.dumps(default)
    return described
