"""Updates of nested stacks keep the attributes of the resources that don't change."""

from typing import Any

from ministack.services.cloudformation import provisioners

Provisioned = tuple[str, dict[str, Any]]


def install() -> None:
    """Wrap two functions of ministack that no table leads to.

    In a nested stack ministack calls `_update_resource` without the resource's known attributes. For an unchanged
    resource it then answers with none, and every Fn::GetAtt on it fails the update.
    """
    provision, update = provisioners._provision_resource, provisioners._update_resource
    known: dict[tuple[str, str], dict[str, Any]] = {}

    def provision_and_remember(resource_type: str, logical_id: str, properties: Any, stack: str) -> Provisioned:
        physical_id, attributes = provision(resource_type, logical_id, properties, stack)
        known[stack, logical_id] = attributes
        return physical_id, attributes

    def update_with_attributes(  # noqa: PLR0917 the signature is ministack's
        resource_type: str,
        physical_id: str,
        old: dict[str, Any],
        new: dict[str, Any],
        stack: str,
        logical_id: str | None = None,
        old_attributes: dict[str, Any] | None = None,
    ) -> Provisioned:
        key = stack, logical_id or physical_id
        attributes = old_attributes or known.get(key)
        updated_id, updated = update(resource_type, physical_id, old, new, stack, logical_id, attributes)
        known[key] = updated
        return updated_id, updated

    provisioners._provision_resource = provision_and_remember
    provisioners._update_resource = update_with_attributes
