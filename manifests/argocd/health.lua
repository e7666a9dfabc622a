-- Health of every kind of stablekey.dev, as Argo CD shows it.
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready = conditions.Ready
if obj.kind == "Component" or ((obj.kind == "Tenant" or obj.kind == "CustomerCredentials") and not ready) then
  return { status = "Healthy", message = "" }
end
if not ready then
  return { status = "Progressing", message = "the operator has not reconciled it yet" }
end
if ready.observedGeneration and obj.metadata.generation and ready.observedGeneration < obj.metadata.generation then
  return { status = "Progressing", message = "the operator has not reconciled this version yet" }
end
if ready.status == "True" then
  return { status = "Healthy", message = ready.message }
end
if ready.reason == "AwaitingApproval" or ready.reason == "Suspended" then
  return { status = "Suspended", message = ready.message }
end
if conditions.Stalled and conditions.Stalled.status == "True" then
  return { status = "Degraded", message = ready.message }
end
return { status = "Progressing", message = ready.message }
