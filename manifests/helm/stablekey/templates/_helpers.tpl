{{- define "stablekey.selector" -}}
app.kubernetes.io/component: {{ . }}
app.kubernetes.io/name: stablekey
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
