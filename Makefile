# One door: `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help build test lint generate

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

build: ## Build the binary
	cargo build --locked

lint: ## Formatting and clippy, warnings as errors
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings

test: ## Every test that needs no cluster
	cargo test --locked

generate: ## Print the CRDs again, then what follows from them
	cargo run --locked --quiet -- crds > crds/.new && mv crds/.new crds/migrationruns.sluice.dev.yaml
	HELM=$(HELM) charts/render

include charts/generate.mk
