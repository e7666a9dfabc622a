{{- /* What Deployments and the like are called, but for their ending. */ -}}
{{- define "stablekey.fullname" -}}
{{ .Values.fullnameOverride | default .Values.nameOverride | default "stablekey" }}
{{- end }}

{{- define "stablekey.app" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default "stablekey" }}
{{- end }}

{{- /* By which pods are found: list of the chart's root and the component. */ -}}
{{- define "stablekey.selector" -}}
app.kubernetes.io/component: {{ index . 1 }}
{{ include "stablekey.app" (index . 0) }}
{{- end }}

{{- /* Labels, with those of everything: list of the chart's root and ours. */ -}}
{{- define "stablekey.labels" -}}
{{ merge (fromYaml (index . 1)) (index . 0).Values.commonLabels | toYaml }}
{{- end }}

{{- /* An image, by its digest where it has one: dict repository, tag, digest. */ -}}
{{- define "stablekey.image" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}

{{- /* Names, and API servers: the egress of a NetworkPolicy. */ -}}
{{- define "stablekey.egress" -}}
- ports:
  - protocol: UDP
    port: 53
  - protocol: TCP
    port: 53
- ports:
  {{- range .apiServerPorts }}
  - protocol: TCP
    port: {{ . }}
  {{- end }}
  {{- with .apiServerCIDRs }}
  to:
  {{- range . }}
  - ipBlock:
      cidr: {{ quote . }}
  {{- end }}
  {{- end }}
{{- end }}

{{- /* The namespaces that are looked after, as JSON. */ -}}
{{- define "stablekey.namespaces" -}}
{{ .Values.namespaces | default (list .Release.Namespace) | toJson }}
{{- end }}

{{- /* A Role and who has it: dict name, namespace, labels, rules, account, home. */ -}}
{{- define "stablekey.role" -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels:
    {{- .labels | nindent 4 }}
rules:
{{ .rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels:
    {{- .labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects:
- kind: ServiceAccount
  name: {{ .account }}
  namespace: {{ .home }}
{{- end }}
