{{/* Names and labels; everything is cut to what Kubernetes accepts. */}}

{{- define "sluice.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* 45 characters leave room for the longest suffix in 63. */}}
{{- define "sluice.fullname" -}}
{{- $name := include "sluice.name" . }}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- .Values.fullnameOverride | default $full | trunc 45 | trimSuffix "-" }}
{{- end }}

{{- define "sluice.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "sluice.fullname" .) "default") }}
{{- end }}

{{/* The operator as the API server knows it. */}}
{{- define "sluice.username" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "sluice.serviceAccountName" . }}
{{- end }}

{{- define "sluice.image" -}}
{{- with .Values.image }}
{{- .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "sluice.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sluice.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sluice.labels" -}}
{{ include "sluice.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Not empty where the objects of the whole cluster may be written. */}}
{{- define "sluice.clusterwide" -}}
{{- if eq .Values.scope "Cluster" }}true{{ end }}
{{- end }}

{{/* Not empty where there are admission policies. */}}
{{- define "sluice.policies" -}}
{{- if and .Values.policies.enabled (include "sluice.clusterwide" .) }}true{{ end }}
{{- end }}

{{/* The namespaces that are served, as a list in JSON; an empty one means all. */}}
{{- define "sluice.served" -}}
{{- $own := include "sluice.clusterwide" . | empty | ternary (list .Release.Namespace) list }}
{{- .Values.watchNamespaces | default $own | toJson }}
{{- end }}
