# Included by the Makefile. HELM names the binary, version 3 or 4; tests/cluster builds one.
HELM ?= helm

.PHONY: generate-chart check-chart test-chart test-policies

generate-chart: ## Copy the CRDs into the chart and render deploy/install.yaml
	HELM=$(HELM) charts/render

check-chart: ## Lint and render the chart with many values; no cluster
	HELM=$(HELM) tests/chart/render

test-chart: ## Install, upgrade and uninstall the chart on the cluster of KUBECONFIG
	HELM=$(HELM) tests/chart/install

test-policies: ## Ask the API server of KUBECONFIG for what the policies allow and refuse
	tests/policies/run
