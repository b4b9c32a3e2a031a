# Included by the Makefile. HELM names the binary, version 3 or 4; tests/cluster builds one.
HELM ?= helm

# Of Prometheus; Debian has it in the package prometheus.
PROMTOOL ?= promtool

.PHONY: generate-chart check-chart check-alerts test-chart test-policies

generate-chart: ## Copy the CRDs into the chart and render what is in deploy
	HELM=$(HELM) charts/render

check-chart: ## Lint and render the chart with many values; no cluster
	HELM=$(HELM) tests/chart/render

check-alerts: ## Play the alerts through time with promtool; no cluster
	PROMTOOL=$(PROMTOOL) tests/alerts/run

test-chart: ## Install, upgrade and uninstall the chart on the cluster of KUBECONFIG
	HELM=$(HELM) tests/chart/install

test-policies: ## Ask the API server of KUBECONFIG for what the policies allow and refuse
	tests/policies/run
