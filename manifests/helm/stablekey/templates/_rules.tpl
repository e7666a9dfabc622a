{{- /* What each account may do. Why: manifests/binder/role.yaml, manifests/syncer/role.yaml, manifests/sender/role.yaml,
manifests/tenant-access, manifests/token-renewal, manifests/notifications. They are given the chart's root; lease a role, token an account. */ -}}

{{- define "stablekey.rules.source" -}}
- apiGroups: [stablekey.dev]
  resources: [tenants, components, connections, integrations]
  verbs: [list, watch]
- apiGroups: [stablekey.dev]
  resources: [integrations]
  verbs: [get]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end }}

{{- define "stablekey.rules.target" -}}
- apiGroups: [stablekey.dev]
  resources: [tenants, components, connections, customercredentials, integrations]
  verbs: [list, watch]
- apiGroups: [stablekey.dev]
  resources: [connections, integrations]
  verbs: [get, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- end }}

{{- define "stablekey.rules.syncer" -}}
{{ include "stablekey.rules.target" . }}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [delete]
- apiGroups: [stablekey.dev]
  resources: [tenantsyncs]
  verbs: [list, watch]
- apiGroups: [stablekey.dev]
  resources: [tenants/status, tenantsyncs/status]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- /* A rule without names would mean all of them. */}}
{{- with .Values.syncer.kubeconfigSecrets }}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson . }}
  verbs: [list, watch]
{{- end }}
{{- end }}

{{- define "stablekey.rules.sender" -}}
- apiGroups: [stablekey.dev]
  resources: [tenants, tenantsyncs, components, connections, integrations]
  verbs: [list, watch]
- apiGroups: [stablekey.dev]
  resources: [integrations]
  verbs: [get]
- apiGroups: [stablekey.dev]
  resources: [tenants/status, tenantsyncs/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- /* A rule without names would mean all of them. */}}
{{- with concat .Values.sender.tokenSecrets .Values.sender.kubeconfigSecrets }}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson . }}
  verbs: [list, watch]
{{- end }}
{{- end }}

{{- /* A rule without names would mean all of them. */}}
{{- define "stablekey.rules.git-sender" -}}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson .Values.git.secrets }}
  verbs: [list, watch]
{{- end }}

{{- define "stablekey.rules.git-target" -}}
- apiGroups: [stablekey.dev]
  resources: [components, customercredentials]
  verbs: [get, create, patch, delete]
{{- end }}

{{- define "stablekey.rules.git-syncer" -}}
{{ include "stablekey.rules.git-target" . }}
{{ include "stablekey.rules.git-sender" . }}
{{- end }}

{{- define "stablekey.rules.notifications" -}}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ .Values.notifications.secret }}]
  verbs: [get]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, patch]
{{- end }}

{{- define "stablekey.rules.secrets" -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [list]
{{- end }}

{{- define "stablekey.rules.binder" -}}
- apiGroups: [stablekey.dev]
  resources: [tenants, components, connections, customercredentials, integrations]
  verbs: [list, watch]
- apiGroups: [stablekey.dev]
  resources: [connections/status, customercredentials/status, integrations/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch, patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{- define "stablekey.rules.lease" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [stablekey-{{ . }}]
  verbs: [get, update]
{{- end }}

{{- define "stablekey.rules.token" -}}
- apiGroups: [""]
  resources: [serviceaccounts/token]
  resourceNames: [{{ . }}]
  verbs: [create]
{{- end }}

{{- define "stablekey.rules.token-renewal" -}}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson .Values.syncer.kubeconfigSecrets }}
  verbs: [get, patch]
{{- end }}
