{{/*
Metadata and binding of a policy, from a dict of: root, name (the suffix), kept (stays at `helm uninstall`).
*/}}

{{- define "sluice.policy.metadata" -}}
name: {{ include "sluice.fullname" .root }}-{{ .name }}
labels:
  {{- include "sluice.labels" .root | nindent 2 }}
  {{- if .kept }}
  app.kubernetes.io/component: protection
  {{- end }}
{{- if and .kept .root.Values.policies.keep }}
annotations:
  helm.sh/resource-policy: keep
{{- end }}
{{- end }}

{{- define "sluice.policy.binding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{- include "sluice.policy.metadata" . | nindent 2 }}
spec:
  policyName: {{ include "sluice.fullname" .root }}-{{ .name }}
  validationActions: [Deny]
  {{- with .root.Values.watchNamespaces }}
  matchResources:
    namespaceSelector:
      matchExpressions:
      - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
  {{- end }}
{{- end }}
