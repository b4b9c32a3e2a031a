{{/* What a PodMonitor and a ServiceMonitor have in common, from a dict of: root, monitor, endpoints (the field's name). */}}
{{- define "sluice.monitor" -}}
metadata:
  name: {{ include "sluice.fullname" .root }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "sluice.labels" .root | nindent 4 }}
    {{- with .monitor.additionalLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels: {{- include "sluice.selectorLabels" .root | nindent 6 }}
  {{ .endpoints }}:
  - port: http
    path: /metrics
    interval: {{ .monitor.interval }}
    {{- with .monitor.scrapeTimeout }}
    scrapeTimeout: {{ . }}
    {{- end }}
    {{- with .monitor.relabelings }}
    relabelings: {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with .monitor.metricRelabelings }}
    metricRelabelings: {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
