{{/*
The rule of the gate in CEL. src/gate says the same in Rust, and tests/gate holds both equal. docs/gate.md is for people.
*/}}

{{/* What enforces the gate, from the value and from what the cluster offers. */}}
{{- define "sluice.gate.enforcement" -}}
{{- $kind := "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" }}
{{- /* `helm template` knows versions, but no kinds unless told by --api-versions: there the version decides. */}}
{{- $asked := .Capabilities.APIVersions.Has "v1/Pod" }}
{{- $offered := or (.Capabilities.APIVersions.Has $kind) (and (not $asked) (semverCompare ">=1.36.0-0" .Capabilities.KubeVersion.Version)) }}
{{- if ne .Values.gate.enforcement "Auto" }}{{ .Values.gate.enforcement }}
{{- else if not (include "sluice.policies" .) }}Reactive
{{- else if $offered }}AdmissionPolicy
{{- /* The webhook's configuration belongs to the whole cluster: an operator of one namespace gets it only when asked for. */}}
{{- else if .Values.watchNamespaces }}Reactive
{{- else }}Webhook
{{- end }}
{{- end }}

{{/* Names of containers, from an expression for annotations. */}}
{{- define "sluice.gate.names" -}}
{{ . }}[?'sluice.dev/containers'].orValue('').split(',').map(n, n.trim()).filter(n, n != '')
{{- end }}

{{/* Which containers carry the release, from a variable of names: those named, else all that serve. An init container with
restartPolicy Always serves beside the others, any other has ended by then. */}}
{{- define "sluice.gate.carriers" -}}
{{ . }}.size() > 0 ? variables.allContainers.filter(c, c.name in {{ . }})
: object.spec.template.spec.containers
+ object.spec.template.spec.?initContainers.orValue([]).filter(c, c.?restartPolicy.orValue('') == 'Always')
{{- end }}

{{/* Deployments with the label on the old or the new object, so neither adding nor removing it slips by. */}}
{{- define "sluice.gate.selector" -}}
objectSelector:
  matchExpressions:
  - {key: sluice.dev/gated, operator: Exists}
{{- end }}

{{/* Who writes, and what stands on the old and the new object. */}}
{{- define "sluice.gate.seen" -}}
- name: byOperator
  expression: request.userInfo.username == {{ include "sluice.username" . | squote }}
- name: annotations
  expression: object.metadata.?annotations.orValue({})
- name: oldAnnotations
  expression: "oldObject == null ? {} : oldObject.metadata.?annotations.orValue({})"
- name: gated
  expression: "'sluice.dev/gated' in object.metadata.?labels.orValue({})"
# The rule writes a list at its every pass. A labelled Deployment without one is older than the rule, and is taken up like
# one that gets its label now.
- name: wasGated
  expression: >-
    oldObject != null && 'sluice.dev/gated' in oldObject.metadata.?labels.orValue({})
    && 'sluice.dev/approved-images' in variables.oldAnnotations
- name: allContainers
  expression: object.spec.template.spec.containers + object.spec.template.spec.?initContainers.orValue([])
# As of the old object once it is gated.
- name: names
  expression: >-
    {{ include "sluice.gate.names" "(variables.wasGated ? variables.oldAnnotations : variables.annotations)" }}
- name: carriers
  expression: >-
    {{- include "sluice.gate.carriers" "variables.names" | nindent 4 }}
- name: missing
  expression: variables.names.filter(n, !variables.allContainers.exists(c, c.name == n))
{{- end }}

{{/* What is open, from the variable `approved`, and what of the template is not. */}}
{{- define "sluice.gate.judged" -}}
# Each line of sluice.dev/bypass begins with an image. The guard has asked for the right of whoever wrote it.
- name: bypassed
  expression: >-
    variables.annotations[?'sluice.dev/bypass'].orValue('').split('\n').map(line, line.split(' ')[0])
- name: open
  expression: variables.approved.split('\n') + variables.bypassed
- name: unapproved
  expression: >-
    variables.carriers.filter(c, c.?image.orValue('') == '' || !(c.image in variables.open)).map(c, c.?image.orValue(''))
{{- end }}

{{/* A binding, from a dict of: root, name, kind, actions. */}}
{{- define "sluice.gate.binding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: {{ .kind }}Binding
metadata: {{- include "sluice.policy.metadata" (dict "root" .root "name" .name "kept" false) | nindent 2 }}
spec:
  policyName: {{ include "sluice.fullname" .root }}-{{ .name }}
  {{- with .actions }}
  validationActions: {{ toJson . }}
  {{- end }}
  {{- with .root.Values.watchNamespaces }}
  matchResources:
    namespaceSelector:
      matchExpressions:
      - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
  {{- end }}
{{- end }}
