//! What each check means, an example that shows it, and what to do: the one table behind docs/checks.md and
//! `stablekey explain CODE`. Every example is run by `tests/offline/checks.rs`.
//!
//! In an example each file begins with its path, in a comment. A document needs no apiVersion: it is added where the
//! example is shown or run. An example with a Tenant is a project, any other is files of one tenant.

use super::{CheckGuide, Example};
use crate::engine::model::code::Code;

/// The guide to each check, in the order of the codes.
pub(super) const GUIDES: &[CheckGuide] = &[
    CheckGuide {
        code: Code::BindingMissing,
        meaning: "The integration would have no connection for this variable, and fails when a step needs it.",
        example: Example::Files(
            r#"# lead-router.yaml
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: salesforce-oauth}
"#,
        ),
        fix: "Create a Connection with this key in the tenant, or bind the variable to another key (`did you mean` suggests similar ones); for a single tenant, use an override in the sync.",
    },
    CheckGuide {
        code: Code::BindingNotReady,
        meaning: "The connection that the variable names is there, and lacks an input that its type requires (SK0105).",
        example: Example::Files(
            r#"# crm.yaml
kind: Component
metadata: {name: salesforce}
spec:
  key: salesforce
  types:
    - key: oauth2
      inputs: {tokenUrl: {required: true}}
---
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
"#,
        ),
        fix: "Complete the connection: a required input is missing.",
    },
    CheckGuide {
        code: Code::KeyDiffers,
        meaning: "A stable key means the same connection everywhere: an integration that is synced would find another kind of connection under it.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}}
# us-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
# eu-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: basic
  credentials: OrganizationGlobal
"#,
        ),
        fix: "Use another key in one of the tenants: a sync of an integration that uses it is blocked.",
    },
    CheckGuide {
        code: Code::ComponentNotServed,
        meaning: "The definition gives a step a connection of another component. Some components share their credentials (SharePoint and OneDrive); for others the step fails.",
        example: Example::Files(
            r#"# lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  definition: {file: lead-router.definition}
  connections:
    - {name: CRM, stableKey: crm}
# lead-router.definition
definitionVersion: 7
name: Lead router
requiredConfigVars:
  - {key: CRM, dataType: connection, useScopedConfigVar: crm}
flows:
  - name: New lead
    steps:
      - name: Notify
        action: {key: postMessage, component: {key: slack, isPublic: true, version: LATEST}}
        inputs:
          connection: {type: configVar, value: CRM}
"#,
        ),
        fix: "If the two components share their credentials, this is correct; else bind the variable to a connection of the step's component.",
    },
    CheckGuide {
        code: Code::InputMissing,
        meaning: "The Component says that connections of this type need the input.",
        example: Example::Files(
            r#"# crm.yaml
kind: Component
metadata: {name: salesforce}
spec:
  key: salesforce
  types:
    - key: oauth2
      inputs: {tokenUrl: {required: true}}
---
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
"#,
        ),
        fix: "Give the input a value, a secretRef or `perCustomer: true`.",
    },
    CheckGuide {
        code: Code::PerCustomerOnGlobal,
        meaning: "Such a connection has one set of credentials for all customers, so no customer can supply a value.",
        example: Example::NotInFiles(
            "In files, and in a cluster with the CRDs of Stablekey, such a document is invalid and is reported as SK0125. A location without these rules can contain one.",
        ),
        fix: "A global connection has one set of credentials for all customers: give the input a value or a secretRef, or create a new Connection with OrganizationCustomer credentials.",
    },
    CheckGuide {
        code: Code::CredentialRedirect,
        meaning: "A credential redirect: by an update, a create, a replacement, a binding that moves, or in any other way. Whoever controls the new host would receive the secret. The action needs approval.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
  connections: Mirror
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: postgres}
  type: postgres
  credentials: OrganizationGlobal
  inputs:
    host: {value: new.example}
    password: {secretRef: {name: warehouse, key: password}}
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
# eu-prod/old.yaml
kind: Connection
metadata: {name: old}
spec:
  stableKey: old
  component: {key: postgres}
  type: postgres
  credentials: OrganizationGlobal
  inputs:
    host: {value: old.example}
    password: {secretRef: {name: warehouse, key: password}}
"#,
        ),
        fix: "Check where the secrets would be sent. If it is intended, approve it.",
    },
    CheckGuide {
        code: Code::WriterConflict,
        meaning: "Neither has precedence over the other, so the object stays as it is.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: dev}
spec: {region: us, environment: dev, location: {directory: {path: dev}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod, dev]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
  connections: Mirror
---
kind: TenantSync
metadata: {name: dev-to-eu}
spec:
  from: dev
  to: [eu-prod]
  integrations: ["*"]
  connections: Mirror
# us-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  title: Salesforce
---
kind: Integration
metadata: {name: leads}
spec:
  connections:
    - {name: CRM, stableKey: crm}
# dev/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  title: Salesforce (dev)
---
kind: Integration
metadata: {name: orders}
spec:
  connections:
    - {name: CRM, stableKey: crm}
"#,
        ),
        fix: "Two syncs differ: let only one of them declare the value, declare it in the target's own source, which has precedence over both, or let one sync ignore it (an override with `keep: true`). Until then the object is not changed.",
    },
    CheckGuide {
        code: Code::SyncRing,
        meaning: "Each tenant would be made like the other, without end. None of these syncs is carried out.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}, acceptFrom: [eu-prod]}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
---
kind: TenantSync
metadata: {name: eu-to-us}
spec:
  from: eu-prod
  to: [us-prod]
  integrations: ["*"]
"#,
        ),
        fix: "Remove one of the syncs from the cycle.",
    },
    CheckGuide {
        code: Code::SyncMatchesNothing,
        meaning: "A pattern in `integrations` selects nothing, so the sync does not do what it was written for.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["lead-*"]
# us-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
"#,
        ),
        fix: "Correct the names in `integrations`, or remove the sync.",
    },
    CheckGuide {
        code: Code::SyncNotAccepted,
        meaning: "A tenant decides itself whose syncs it takes. Until it accepts this one, nothing of it is written.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
"#,
        ),
        fix: "If the target should accept it, add the source to its `acceptFrom`.",
    },
    CheckGuide {
        code: Code::TooManyChanges,
        meaning: "The share is that of updates and deletes among the live objects; the Tenant sets the limit (`policy.approval`, 30 % of 10 or more unless it says otherwise). All updates and deletes of the tenant then need approval.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod], policy: {approval: {percent: 10, from: 1}}}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
  connections: Mirror
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  title: Salesforce
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
# eu-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
"#,
        ),
        fix: "Check the number of changes. If it is intended, approve it.",
    },
    CheckGuide {
        code: Code::SourceEmpty,
        meaning: "What it wrote would no longer be declared, and a writer that prunes would remove it: more often a source that was read from the wrong place than a wish.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, source: {path: declared, prune: true}}
# eu-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  title: CRM
# eu-prod/stablekey.lock
stablekey.lock v1
Connection/crm eu-prod made title=0000000000000000@source
# declared/README.yaml
# Nothing is declared here any more.
"#,
        ),
        fix: "Check that the source is read correctly (a moved path, an empty branch). If it is intended, approve it.",
    },
    CheckGuide {
        code: Code::CustomerInputNotPerCustomer,
        meaning: "The connection has this input for all customers, or not at all, so the value of one customer has no effect.",
        example: Example::Files(
            r#"# acme.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationCustomer
  inputs: {path: {value: /x}}
---
kind: CustomerCredentials
metadata: {name: acme-crm}
spec:
  customer: Acme
  connection: crm
  inputs: {path: {value: /y}}
"#,
        ),
        fix: "Remove the input, or mark it `perCustomer: true` in the Connection.",
    },
    CheckGuide {
        code: Code::CustomerInputMissing,
        meaning: "The connection leaves the input to each customer, and this customer has no value for it.",
        example: Example::Files(
            r#"# acme.yaml
kind: Component
metadata: {name: salesforce}
spec:
  key: salesforce
  types:
    - key: basic
      inputs: {host: {required: true}}
---
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: basic
  credentials: OrganizationCustomer
  inputs: {host: {perCustomer: true}}
---
kind: CustomerCredentials
metadata: {name: acme-crm}
spec:
  customer: Acme
  connection: crm
  inputs: {}
"#,
        ),
        fix: "Add the input to the customer's credentials.",
    },
    CheckGuide {
        code: Code::CustomerConnectionMissing,
        meaning: "No connection of the tenant has this stable key, so nothing uses the credentials.",
        example: Example::Files(
            r#"# acme.yaml
kind: CustomerCredentials
metadata: {name: acme-crm}
spec:
  customer: Acme
  connection: crm
  inputs: {host: {value: acme.example}}
"#,
        ),
        fix: "Correct `connection` (a stable key), or remove the credentials.",
    },
    CheckGuide {
        code: Code::CustomerTwice,
        meaning: "It is not defined which of the two counts. They are counted after `replaces`.",
        example: Example::Files(
            r#"# acme.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationCustomer
  inputs: {host: {perCustomer: true}}
---
kind: CustomerCredentials
metadata: {name: acme-crm}
spec:
  customer: Acme
  connection: crm
  inputs: {host: {value: a.example}}
---
kind: CustomerCredentials
metadata: {name: acme-crm-2}
spec:
  customer: Acme
  connection: crm
  inputs: {host: {value: b.example}}
"#,
        ),
        fix: "Keep one of the two, or give each set a `name` of its own.",
    },
    CheckGuide {
        code: Code::ReplacesAmbiguous,
        meaning: "Which of the two stands in for the older key is not defined, so none does.",
        example: Example::Files(
            r#"# crm.yaml
kind: Connection
metadata: {name: crm-2}
spec:
  stableKey: crm-2
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  replaces: [crm]
---
kind: Connection
metadata: {name: crm-3}
spec:
  stableKey: crm-3
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  replaces: [crm]
"#,
        ),
        fix: "Remove the older key from one of the two `replaces`; until then the old binding stays.",
    },
    CheckGuide {
        code: Code::ReplacesDiffers,
        meaning: "It cannot stand in for the older key: customers would have to sign in to it anew.",
        example: Example::Files(
            r#"# crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Connection
metadata: {name: crm-2}
spec:
  stableKey: crm-2
  component: {key: salesforce}
  type: oauth2
  credentials: Customer
  replaces: [crm]
"#,
        ),
        fix: "Bind the integrations to the new key one by one: the counted customers have to sign in again.",
    },
    CheckGuide {
        code: Code::SecretLiteral,
        meaning: "The type of the connection says that the input is a secret. A value under a name that stands for a secret (see below) is refused when the file is read.",
        example: Example::Files(
            r#"# crm.yaml
kind: Component
metadata: {name: salesforce}
spec:
  key: salesforce
  types:
    - key: basic
      inputs: {pin: {secret: true}}
---
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: basic
  credentials: OrganizationGlobal
  inputs: {pin: {value: "1234"}}
"#,
        ),
        fix: "Put it into a Secret and write a secretRef. Everybody with access to the file has the secret: rotate it.",
    },
    CheckGuide {
        code: Code::CredentialsDiffer,
        meaning: "A sync binds the integration to a connection of the same kind whose credentials other people supply.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
# eu-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: Customer
"#,
        ),
        fix: "Check that it is intended: different people supply the credentials of the target and of the source.",
    },
    CheckGuide {
        code: Code::OverrideMatchesNothing,
        meaning: "An override that names a connection, an input, an integration or a variable which is not there would silently do nothing.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
  connections: Mirror
  overrides:
    - {tenant: eu-prod, stableKey: crmm, input: scopes, value: api, reason: EU app}
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
"#,
        ),
        fix: "Correct the override, or remove it. Until then its sync writes nothing to that tenant.",
    },
    CheckGuide {
        code: Code::Occupied,
        meaning: "The object that would be written has the name of one that is there and is something else.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
  connections: Mirror
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
# eu-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: Customer
"#,
        ),
        fix: "Use another key: component, type and credentials never change.",
    },
    CheckGuide {
        code: Code::FileBroken,
        meaning: "A file in a tenant's folder that cannot be parsed, a dangling link, a link out of the root: what is not read is unknown, and never counts as absent.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
# us-prod/crm.yaml
kind: Connection
spec: {stableKey: crm
"#,
        ),
        fix: "Fix the file. Until then nothing is created or removed in that tenant.",
    },
    CheckGuide {
        code: Code::ObjectInvalid,
        meaning: "The document can be parsed, and breaks a rule. Its line is shown with the rule.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
# us-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec: {stableKey: crm, component: {key: salesforce}, type: oauth2, credentials: Everybody}
"#,
        ),
        fix: "Correct the object. Until then it is blocked, and so are the objects that need it.",
    },
    CheckGuide {
        code: Code::SyncUnknownTenant,
        meaning: "The sync is not carried out.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prd]
  integrations: ["*"]
"#,
        ),
        fix: "Correct the name; a sync refers to Tenants in the same files.",
    },
    CheckGuide {
        code: Code::BindingUnknown,
        meaning: "Something that was not read may be the connection that the variable names, so it is neither bound nor missing.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
# us-prod/lead-router.yaml
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
# us-prod/crm.yaml
kind: Connection
spec: {stableKey: crm
"#,
        ),
        fix: "Fix the unreadable file: it may contain the connection.",
    },
    CheckGuide {
        code: Code::WriterGone,
        meaning: "The ownership record names a writer that is not among the tenant's source and syncs.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}}
# eu-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  title: CRM
# eu-prod/stablekey.lock
stablekey.lock v1
Connection/crm eu-prod made title=0000000000000000@sync/old
"#,
        ),
        fix: "Nothing is lost: its objects stay. In a cluster, the writer may be a sync of another hub or folder, which is fine. If the writer was renamed, restore its old name, or let the new one declare the same objects: it takes them over. Else remove the objects' lines from `stablekey.lock` (in a cluster: their annotation `stablekey.dev/wrote`), so that they belong to the tenant. Delete objects that are not needed manually. `adopt` does not help here: the objects are recorded already.",
    },
    CheckGuide {
        code: Code::NotAllowed,
        meaning: "The change is planned, and is not carried out.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod], policy: {actions: [Update]}}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
  connections: Mirror
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
"#,
        ),
        fix: "Allow the action in the tenant's `policy.actions`, or make the change manually.",
    },
    CheckGuide {
        code: Code::VariableUndeclared,
        meaning: "`connections` says what each variable means, and is complete: without an entry nobody knows which connection the definition needs. It is an error where a listed variable that the definition does not use has nearly the same name.",
        example: Example::Files(
            r#"# lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  definition: {file: lead-router.definition}
  connections: []
# lead-router.definition
definitionVersion: 7
name: Lead router
requiredConfigVars:
  - {key: CRM, dataType: connection, useScopedConfigVar: crm}
flows:
  - name: New lead
    steps:
      - name: Notify
        action: {key: postMessage, component: {key: salesforce, isPublic: true, version: LATEST}}
        inputs:
          connection: {type: configVar, value: CRM}
"#,
        ),
        fix: "Add the variable to `connections` of the Integration.",
    },
    CheckGuide {
        code: Code::TenantUnreachable,
        meaning: "Nothing is planned for it, and nothing that depends on it. The other tenants continue.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prd}}}
"#,
        ),
        fix: "Make its location readable; the other tenants continue.",
    },
    CheckGuide {
        code: Code::ServerRefuses,
        meaning: "Stablekey asks the API server by a dry run.",
        example: Example::NotInFiles("Only a cluster shows it."),
        fix: "Only with `plan --server`: an admission policy, a quota or missing permissions. The text is that of the API server.",
    },
    CheckGuide {
        code: Code::SecretMissing,
        meaning: "The binder reads only Secrets that opt in.",
        example: Example::NotInFiles("Only a cluster shows it."),
        fix: "Supply the Secret, with label `stablekey.dev/for: connections`, and add the connection's stable key to its annotation `stablekey.dev/keys`, in addition to its content.",
    },
    CheckGuide {
        code: Code::SecretKeyMissing,
        meaning: "The Secret is there, and has no content for the input.",
        example: Example::NotInFiles("Only a cluster shows it."),
        fix: "Add the key to the Secret, or correct the secretRef.",
    },
    CheckGuide {
        code: Code::SecretNotForKey,
        meaning: "A Secret serves only the stable keys that its owner names.",
        example: Example::NotInFiles("Only a cluster shows it."),
        fix: "If the connection may use it, the owner of the Secret adds the stable key to its annotation `stablekey.dev/keys`.",
    },
    CheckGuide {
        code: Code::SecretUnreadable,
        meaning: "An annotation that cannot be read allows nothing.",
        example: Example::NotInFiles("Only a cluster shows it."),
        fix: "Correct `stablekey.dev/hosts` (`login.example, api.example:8443`) or `stablekey.dev/expires` (`2030-01-31T00:00:00Z`). Until then the Secret is not used.",
    },
    CheckGuide {
        code: Code::SecretExpired,
        meaning: "The Secret says itself when it expires; after that it is not used.",
        example: Example::NotInFiles(
            "Only a cluster, and a tenant on the platform that takes its secrets from one, shows it.",
        ),
        fix: "Supply a new one and update its annotation `stablekey.dev/expires`.",
    },
    CheckGuide {
        code: Code::HostNotPinned,
        meaning: "The owner of the Secret allows only certain hosts.",
        example: Example::NotInFiles("Only a cluster shows it."),
        fix: "Check who changed the endpoint. If it is intended, the owner of the Secret adds the host to its annotation `stablekey.dev/hosts`.",
    },
    CheckGuide {
        code: Code::ConsentNeeded,
        meaning: "Stablekey runs no OAuth: the token comes from a sign-in.",
        example: Example::NotInFiles("Only a cluster shows it."),
        fix: "Sign in, and put the token into the Secret of the connection's token input. If its type has no such input, add one to the Component (`refreshToken: {secret: true}`) and to the connection, with a secretRef.",
    },
    CheckGuide {
        code: Code::BindingNameTaken,
        meaning: "Stablekey writes a binding Secret only where there is none, or its own.",
        example: Example::NotInFiles("Only a cluster shows it."),
        fix: "Rename that Secret. It is never overwritten.",
    },
    CheckGuide {
        code: Code::InputNotInBinding,
        meaning: "A binding Secret has an entry for each input.",
        example: Example::NotInFiles("Only a cluster shows it."),
        fix: "A key is letters, digits, `-`, `_` and `.`, and neither `type` nor `provider`.",
    },
    CheckGuide {
        code: Code::BindingTooLarge,
        meaning: "A Secret has at most 1 MiB.",
        example: Example::NotInFiles("Only a cluster shows it."),
        fix: "Reduce the values: together they may have 1 MiB.",
    },
    CheckGuide {
        code: Code::CustomerOnGlobal,
        meaning: "The connection has one set of credentials for all customers, or each user has one.",
        example: Example::Files(
            r#"# acme.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: CustomerCredentials
metadata: {name: acme-crm}
spec:
  customer: Acme
  connection: crm
  inputs: {host: {value: acme.example}}
"#,
        ),
        fix: "Remove the credentials, or refer to a connection with OrganizationCustomer or Customer credentials.",
    },
    CheckGuide {
        code: Code::ConnectionNotReady,
        meaning: "The location reports that it does not work.",
        example: Example::NotInFiles("Only a cluster, and a tenant on the platform, shows it."),
        fix: "In a cluster, see the conditions of the connection. On the platform, follow the link of the finding to sign in again, or see the log of the connection there.",
    },
    CheckGuide {
        code: Code::DefinitionMissing,
        meaning: "Without its definition it is not known which step uses which variable, and there is nothing to copy.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  definition: {configMap: {name: lead-router-3f9a1c}}
  connections:
    - {name: CRM, stableKey: crm}
"#,
        ),
        fix: "If it refers to a file, deliver it: `stablekey render TENANT | kubectl apply --server-side --namespace NS -f -`. If it refers to a ConfigMap, put the definition into it, under key `definition`, with label `stablekey.dev/definition: \"true\"`. Until then no sync copies the integration, and in its own cluster it is not ready: with reason `DefinitionNotDelivered` (a file), `DefinitionMissing` (no such ConfigMap) or `DefinitionUnreadable`.",
    },
    CheckGuide {
        code: Code::FileShared,
        meaning: "A file outside all tenants may be linked from several. It counts in each of them.",
        example: Example::NotInFiles("It takes a link, which an example of files cannot show."),
        fix: "Replace the link in the tenant's folder by a copy of the file, or change the shared file itself.",
    },
    CheckGuide {
        code: Code::DefinitionUnread,
        meaning: "A newer definition may use connections in ways that this version does not know.",
        example: Example::Files(
            r#"# lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  definition: {file: lead-router.definition}
  connections:
    - {name: CRM, stableKey: crm}
# lead-router.definition
definitionVersion: 99
name: Lead router
requiredConfigVars:
  - {key: CRM, dataType: connection, useScopedConfigVar: crm}
flows:
  - name: New lead
    steps:
      - name: Notify
        action: {key: postMessage, component: {key: salesforce, isPublic: true, version: LATEST}}
        inputs:
          connection: {type: configVar, value: CRM}
"#,
        ),
        fix: "Update stablekey, or export the integration in a supported version. Until then no sync copies it, and no connection of the tenant is removed.",
    },
    CheckGuide {
        code: Code::NameUnknown,
        meaning: "A wrong name never switches a rule off. A tenant that describes no components is not checked.",
        example: Example::Files(
            r#"# crm.yaml
kind: Component
metadata: {name: salesforce}
spec:
  key: salesforce
  types:
    - key: oauth2
      inputs: {scopes: {}}
---
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {scope: {value: api}}
"#,
        ),
        fix: "Correct the name at its line. It is an error if a similar name is suggested, else a warning.",
    },
    CheckGuide {
        code: Code::IntegrationMissing,
        meaning: "The name is exact, so the sync cannot do what it was written for.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: [lead-ruter]
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
"#,
        ),
        fix: "Correct the name in the sync's `integrations`, or remove it.",
    },
    CheckGuide {
        code: Code::OverrideTwice,
        meaning: "It is not defined which of the two counts.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
  connections: Mirror
  overrides:
    - {tenant: eu-prod, stableKey: crm, input: scopes, value: api, reason: EU app}
    - {tenant: eu-prod, stableKey: crm, input: scopes, value: full, reason: wider}
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {scopes: {value: web}}
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
"#,
        ),
        fix: "Keep one of the two. Until then the sync writes nothing to that tenant.",
    },
    CheckGuide {
        code: Code::BindingWaits,
        meaning: "A working binding waits for a working one.",
        example: Example::Files(
            r#"# crm.yaml
kind: Component
metadata: {name: salesforce}
spec:
  key: salesforce
  types:
    - key: oauth2
      inputs: {tokenUrl: {required: true}}
---
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {tokenUrl: {value: "https://login.example/token"}}
---
kind: Connection
metadata: {name: crm-2}
spec:
  stableKey: crm-2
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  replaces: [crm]
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
"#,
        ),
        fix: "Complete the named connection. The variable then moves automatically.",
    },
    CheckGuide {
        code: Code::CustomersSignIn,
        meaning: "The change ends what customers signed in to. The action needs approval, and says how many they are.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
  connections: Mirror
# us-prod/lead-router.yaml
kind: Component
metadata: {name: salesforce}
spec:
  key: salesforce
  types:
    - {key: oauth2, oauth2: AuthorizationCode}
---
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: Customer
  inputs: {scopes: {value: api}}
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
# eu-prod/crm.yaml
kind: Component
metadata: {name: salesforce}
spec:
  key: salesforce
  types:
    - {key: oauth2, oauth2: AuthorizationCode}
---
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: Customer
---
kind: CustomerCredentials
metadata: {name: acme-crm}
spec:
  customer: Acme
  connection: crm
  origin: Customer
  inputs: {}
"#,
        ),
        fix: "Check the number of customers. If it is intended, approve it, and inform them.",
    },
    CheckGuide {
        code: Code::NameMeansOther,
        meaning: "A sync finds integrations by their names, and would make one of the two the other.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  title: Lead router
  connections:
    - {name: CRM, stableKey: crm}
# eu-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  title: Leads of partners
  connections:
    - {name: CRM, stableKey: crm}
"#,
        ),
        fix: "If they are two integrations, rename one of them: a sync would overwrite one with the other. If they are the same, give them the same title, or keep the target's title with an override.",
    },
    CheckGuide {
        code: Code::KeyMeansOther,
        meaning: "A sync finds connections by their stable keys. Inputs that say who it is (client ID, account) differ. Between production and another environment they should: see SK0176.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {clientId: {value: us-app}}
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
# eu-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {clientId: {value: eu-app}}
"#,
        ),
        fix: "If each tenant has its own app or account, declare it in an override of the sync. If these are two connections, give one of them another stable key: a sync would bind integrations to the wrong one.",
    },
    CheckGuide {
        code: Code::EditByHand,
        meaning: "Stablekey edits documents in place and keeps all else byte for byte. Where a change would also change something else, it does not edit.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
  connections: Mirror
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {scopes: {value: api}}
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
# eu-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: &inputs {host: {value: x.example}}
  test: {inputs: *inputs}
"#,
        ),
        fix: "Make the change manually, or simplify the document (without the anchor, alias or `? key` in the message); then plan again.",
    },
    CheckGuide {
        code: Code::PruneNeedsDelete,
        meaning: "The writer says that it removes, and the tenant that nothing is removed.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod]}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
  prune: true
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
"#,
        ),
        fix: "Add Delete to the target's `policy.actions`, or remove `prune`. A target in a cluster has two Tenants, the hub's and its own: both must allow it.",
    },
    CheckGuide {
        code: Code::KustomizationDiffers,
        meaning: "`kubectl apply -k` would deliver less, or fail.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
# us-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
# us-prod/kustomization.yaml
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: []
"#,
        ),
        fix: "`stablekey apply` updates it with your consent. To exclude a file, list it there as a comment: `# - connections/not-this-one.yaml`. If a listed file does not exist, restore it, or remove it from `resources`. Remove a `namePrefix` or `nameSuffix` yourself: a connection's name is its stable key.",
    },
    CheckGuide {
        code: Code::ComponentNotPublished,
        meaning: "Components are published with the platform's own tools.",
        example: Example::NotInFiles("Only a tenant on the platform shows it."),
        fix: "Publish the component to that tenant with the platform's own tools, then plan again. Stablekey reads components on the platform and never writes them.",
    },
    CheckGuide {
        code: Code::CodeNative,
        meaning: "Its code is not here.",
        example: Example::NotInFiles("Only a tenant on the platform shows it."),
        fix: "Publish it with prism, from its code. On the platform an integration that is written in code is read for its bindings, and never written.",
    },
    CheckGuide {
        code: Code::SecretAbsent,
        meaning: "The platform takes all inputs of a connection at once.",
        example: Example::NotInFiles("Only a tenant on the platform shows it."),
        fix: "Supply it as the manual step says. The platform takes all inputs at once, so a change of one needs every secret of the connection that stays, until `stablekey doctor TENANT --measure` has shown that it leaves the others alone. As a reason for approval: an import would empty secrets that only the platform has, because something beside them changes. Enter them again there afterwards.",
    },
    CheckGuide {
        code: Code::SecretTwice,
        meaning: "A secret is known by the file or variable that supplies it, not by its spelling.",
        example: Example::NotInFiles("Only a tenant on the platform shows it."),
        fix: "Give each a file or variable of its own, or name one secret in both: else one would be sent in place of the other.",
    },
    CheckGuide {
        code: Code::VersionsLost,
        meaning: "On the platform an older version of an integration names the connections that it was published with.",
        example: Example::NotInFiles("Only a tenant on the platform shows it."),
        fix: "The connection is in use by older versions, or has credentials of customers, which go with it. Approve the removal if nobody needs them any more.",
    },
    CheckGuide {
        code: Code::AccountMayNot,
        meaning: "The platform limits what a user may change.",
        example: Example::NotInFiles("Only a tenant on the platform shows it."),
        fix: "Use the token of a user whose role may, or make the change there yourself.",
    },
    CheckGuide {
        code: Code::SignOutUnknown,
        meaning: "The platform does not say whether an update of a connection signs its customers out.",
        example: Example::NotInFiles("Only a tenant on the platform shows it."),
        fix: "Approve the update, or measure what updates do on this stack: `stablekey doctor TENANT --measure COMPONENT/TYPE`.",
    },
    CheckGuide {
        code: Code::SecretOlder,
        meaning: "The record says which version of each secret was sent.",
        example: Example::NotInFiles("Only a tenant on the platform shows it."),
        fix: "A later apply sent a newer version: your checkout may be old, and so may the file with the secret. Pull, then plan again; approve it only to undo a rotation.",
    },
    CheckGuide {
        code: Code::ConnectionTwice,
        meaning: "Component, type, credentials and every input are equal, and neither replaces the other. Two connections with only per-customer inputs are not compared: customers may have two accounts. Where a source changed a key in place, the warning names `stablekey rename-key`.",
        example: Example::Files(
            r#"# crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {clientId: {value: app-1}}
---
kind: Connection
metadata: {name: salesforce}
spec:
  stableKey: salesforce
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {clientId: {value: app-1}}
"#,
        ),
        fix: "Choose one key, move what uses the other to it, then remove the other. If they were meant to be two accounts, give one of them the account that it was made for.",
    },
    CheckGuide {
        code: Code::ConnectionUnused,
        meaning: "No variable is bound to it, no customer has credentials for it, and embedded workflows may not use it. A tenant without integrations is not checked, and neither is one where an integration is blocked or something could not be read: it may use the connection.",
        example: Example::Files(
            r#"# crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
---
kind: Connection
metadata: {name: old-crm}
spec:
  stableKey: old-crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
"#,
        ),
        fix: "Remove it, or bind what it was made for to it.",
    },
    CheckGuide {
        code: Code::TestInProduction,
        meaning: "The environment of the tenant is `prod` or `production`, and a connection in use sends a secret that the test inputs of a connection of the tenant name; or a variable is bound to the platform's own connection, which is for building only. Production would read or write test data, or tests would change the data of customers.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
# us-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {password: {secretRef: {name: sandbox, key: password}}}
  test: {inputs: {password: {secretRef: {name: sandbox, key: password}}}}
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
"#,
        ),
        fix: "Give production and the test runner credentials of their own: another secretRef in `inputs`, or in `test.inputs`.",
    },
    CheckGuide {
        code: Code::SecretShared,
        meaning: "One file or variable supplies a secret of a tenant whose environment is `prod` or `production` and a secret of a tenant whose environment is another one. Equal names of Secrets say nothing: each tenant has Secrets of its own.",
        example: Example::NotInFiles(
            "Only tenants on the platform show it, whose folders of secrets lead to one file by links.",
        ),
        fix: "Give each environment a secret of its own: who may see that of dev must not be able to use production.",
    },
    CheckGuide {
        code: Code::AppShared,
        meaning: "Two connections of one component have the same client ID (or app ID), one in a tenant whose environment is `prod` or `production`, one in a tenant whose environment is another one. Whoever has the app of one environment can sign in to the other.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: dev}
spec: {region: us, environment: dev, location: {directory: {path: dev}}}
# us-prod/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {clientId: {value: app-1}}
# dev/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {clientId: {value: app-1}}
"#,
        ),
        fix: "Register an app for each environment, and write its client ID in that tenant. Where a sync brings the connection, write an override with a reason.",
    },
    CheckGuide {
        code: Code::SignInSupplied,
        meaning: "The type is OAuth 2.0 with an authorization code: a person signs in. With `OrganizationCustomer` credentials the organization supplies them for each customer, and no customer is asked. It is no finding where a token is an input per customer (such as `refreshToken`): the organization then has the tokens.",
        example: Example::Files(
            r#"# crm.yaml
kind: Component
metadata: {name: salesforce}
spec:
  key: salesforce
  types:
    - {key: oauth2, oauth2: AuthorizationCode}
---
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationCustomer
"#,
        ),
        fix: "Credentials never change: make a new connection with `Customer` credentials, and move the integrations to it. If you have each customer's token, add an input for it that is per customer.",
    },
    CheckGuide {
        code: Code::CredentialsExpire,
        meaning: "The annotation `stablekey.dev/expires` of the Connection, the CustomerCredentials or, in a cluster, the Secret says when the credentials expire: a day (`2030-01-31`) or a time (RFC 3339). The finding begins 14 days before, and where the annotation is no time.",
        example: Example::Files(
            r#"# crm.yaml
kind: Connection
metadata: {name: crm, annotations: {stablekey.dev/expires: next summer}}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
"#,
        ),
        fix: "Renew the credentials, then move the annotation.",
    },
    CheckGuide {
        code: Code::CredentialsExpired,
        meaning: "The annotation `stablekey.dev/expires` of the Connection or the CustomerCredentials lies in the past. A Secret that has expired is SK0137.",
        example: Example::Files(
            r#"# crm.yaml
kind: Connection
metadata: {name: crm, annotations: {stablekey.dev/expires: "2020-01-31"}}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
"#,
        ),
        fix: "Renew the credentials, then move the annotation.",
    },
    CheckGuide {
        code: Code::DefinitionOfOneTenant,
        meaning: "An input of a step or a config variable contains an id of the platform (the id of an instance, a customer, a connection or a config variable), or a host of one stack. A sync copies the definition unchanged, and no other tenant has that id.",
        example: Example::Files(
            r#"# lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
---
kind: Integration
metadata: {name: lead-router}
spec:
  definition: {file: lead-router.definition}
  connections:
    - {name: CRM, stableKey: crm}
# lead-router.definition
definitionVersion: 7
name: Lead router
requiredConfigVars:
  - {key: CRM, dataType: connection, useScopedConfigVar: crm}
flows:
  - name: New lead
    steps:
      - name: Notify
        action: {key: postMessage, component: {key: salesforce, isPublic: true, version: LATEST}}
        inputs:
          connection: {type: configVar, value: CRM}
          url: {type: value, value: "https://hooks.prismatic.io/trigger/SW5zdGFuY2U6MDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAx"}
"#,
        ),
        fix: "Use a config variable that each tenant sets, or a stable key, in place of the id.",
    },
    CheckGuide {
        code: Code::OverrideVoid,
        meaning: "The value that the override names is never written, and whoever reads the sync believes that it is.",
        example: Example::Files(
            r#"# tenants.yaml
kind: Tenant
metadata: {name: us-prod}
spec: {region: us, environment: prod, location: {directory: {path: us-prod}}}
---
kind: Tenant
metadata: {name: eu-prod}
spec: {region: eu, environment: prod, location: {directory: {path: eu-prod}}, acceptFrom: [us-prod], source: {path: declared}}
---
kind: TenantSync
metadata: {name: us-to-eu}
spec:
  from: us-prod
  to: [eu-prod]
  integrations: ["*"]
  connections: Mirror
  overrides:
    - {tenant: eu-prod, stableKey: crm, input: scopes, value: api, reason: EU app}
# us-prod/lead-router.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {scopes: {value: web}}
---
kind: Integration
metadata: {name: lead-router}
spec:
  connections:
    - {name: CRM, stableKey: crm}
# declared/crm.yaml
kind: Connection
metadata: {name: crm}
spec:
  stableKey: crm
  component: {key: salesforce}
  type: oauth2
  credentials: OrganizationGlobal
  inputs: {scopes: {value: full}}
"#,
        ),
        fix: "What a tenant's source declares goes before a sync, and so before its overrides. Take the override out (the finding names the command), or take the field out of the source.",
    },
];
