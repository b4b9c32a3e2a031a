# One door: `make help` lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
# Where the cluster of `make cluster-up` and `make demo` lives; CLUSTER=current uses the one of KUBECONFIG instead.
CLUSTER ?= $(CURDIR)/.cluster
HELM ?= $(or $(shell command -v helm),$(HOME)/.cache/sluice/helm-4.3.1/helm)
.PHONY: help build test lint generate cluster-up down demo test-unit test-api test-gitops fixtures bench score

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

demo: ## Bring a cluster up and show a release that is migrated and one that fails
	@tests/cluster/with $(CLUSTER) tests/cluster/demo $(CLUSTER)

test: ## Every test: units, then a real API server, then a real node with PostgreSQL and Prisma
	@tests/all

cluster-up: ## Start a cluster with a node, PostgreSQL's and the shop's images, and Sluice; print its KUBECONFIG line
	@tests/cluster/with $(CLUSTER)

down: ## End the cluster of cluster-up and demo, with all that belongs to it
	@tests/cluster/down $(CURDIR)/.cluster

build: ## Build the binary
	cargo build --locked

lint: ## Formatting and clippy, warnings as errors
	cargo fmt --all --check
	cargo clippy --locked --all-targets --features cluster -- -D warnings

test-unit: ## The tests that need no cluster
	cargo test --locked --features cluster --lib --bins --test walls --test rbac --test chart --test monitoring --test classify --test fixtures --test adversarial --test fuzz --test command --test docs --test model

test-api: ## The tests that need an API server but no node; KUBERNETES_VERSION says of which release
	@tests/api/all

test-gitops: ## Argo CD against Sluice: what it says of each state, a real one through a release's whole life, Helm 3 and 4 (root)
	@tests/gitops/all

generate: ## Print the CRDs again, then what follows from them and the tables of the documents
	cargo run --locked --quiet -- crds > crds/.new && mv crds/.new crds/migrationruns.sluice.dev.yaml
	HELM=$(HELM) charts/render
	WRITE_DOCS=1 cargo test --quiet --locked --features cluster --test docs --test chart
	WRITE_DOCS=1 cargo test --quiet --locked --features cluster --lib cli::view
	WRITE_DOCS=1 cargo test --quiet --locked --features cluster --test fixtures the_document

fixtures: ## Run the real migration tools through every failure and record what they print (root)
	@tests/tools/record

score: ## Print how well the logs of CORPUS=DIR are read, a directory of logs with labels
	@test -n "$(CORPUS)" || { echo "usage: make score CORPUS=DIR" >&2; exit 2; }
	@cargo build --quiet --locked
	@tests/score $(or $(CARGO_TARGET_DIR),target)/debug/sluice $(CORPUS)

bench: ## Measure what is promised of speed and size, and write the table into the README
	@tests/bench/run

include charts/generate.mk
