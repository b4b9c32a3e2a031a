{{/*
All that the operator may do, in this one file, and what people may. Each of the operator's rules belongs to an effect or a watch
of it, and a test holds both equal. There is no wildcard and nothing on Secrets: Jobs read the database's URL, the operator never does.
*/}}

{{/* In every namespace that is served. */}}
{{- define "sluice.rules.served" -}}
# Runs are read; what became of them is written to their status only.
- apiGroups: [sluice.dev]
  resources: [migrationruns]
  verbs: [get, list, watch]
- apiGroups: [sluice.dev]
  resources: [migrationruns/status]
  verbs: [get, patch, update]
# An attempt is a Job: created suspended, resumed by a patch, deleted when its history is over.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
# A budget for each attempt, against drains.
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [create, delete]
# The gate: images are approved by an annotation; what runs is read before.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, patch]
# What is held has no ReplicaSet that could be started; what served is created again where it is gone; what is rolled back is
# taken out of its Deployment's sight.
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [list, create, patch, delete]
# The evidence: the pods of Jobs, their logs, and events on those that cannot start.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* In the operator's own namespace: who leads, and which run holds which database. */}}
{{- define "sluice.rules.own" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, list, watch, create, update, delete]
{{- end }}

{{/* For people who look. */}}
{{- define "sluice.rules.view" -}}
- apiGroups: [sluice.dev]
  resources: [migrationruns, migrationruns/status]
  verbs: [get, list, watch]
{{- end }}

{{/* For people who migrate, beside what they see. */}}
{{- define "sluice.rules.edit" -}}
- apiGroups: [sluice.dev]
  resources: [migrationruns]
  verbs: [create, update, patch, delete, deletecollection]
{{- end }}
