# Lambda artefacts. `sam build` calls `make build-<LogicalId>` with ARTIFACTS_DIR in the environment; one pattern serves
# every function of template.yaml. A recipe is one command, so that its exit code is the build's.
#
# LEASTWISE_BUILD_TARGET  arm64 (default) | x86_64 | host. It must agree with the parameter Architecture of the template;
#                         host builds for the interpreter at hand, for the local AWS.

LEASTWISE_BUILD_TARGET ?= arm64
BUILD_PYTHON ?= $(firstword $(wildcard .venv/bin/python) python3)

build-options-arm64 := --platform aarch64-manylinux2014
build-options-x86_64 := --platform x86_64-manylinux2014
build-options-host := --host

build-%Function:
	@$(BUILD_PYTHON) -m infra.build.artefact --function $*Function \
		--output "$(or $(ARTIFACTS_DIR),$(error ARTIFACTS_DIR is not set: run sam build))" \
		$(or $(build-options-$(LEASTWISE_BUILD_TARGET)),$(error LEASTWISE_BUILD_TARGET must be arm64, x86_64 or host))
