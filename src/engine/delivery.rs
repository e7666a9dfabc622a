//! What is said of an integration whose definition stayed behind in a folder: by plans and by the binder alike.

use crate::api::{Kubeconfig, KubernetesLocation, LocationSpec, TenantSpec};

/// An integration that came to a cluster without the file that it names. In a folder it would be invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDelivered {
    /// What is wrong.
    pub text: String,
    /// The command that delivers it: as it can be pasted where the tenant is known, and the context that reaches it.
    pub command: String,
}

impl NotDelivered {
    /// Of a file, into the tenant of this name; of an unknown one `TENANT` stands for it.
    pub fn new(file: &str, tenant: &str, location: Option<&KubernetesLocation>) -> Self {
        let tenant = if tenant.is_empty() { "TENANT" } else { tenant };
        let to = if tenant == "TENANT" { String::new() } else { format!(" to {tenant}") };
        let text = format!("its definition is {file}, a file that was not delivered{to}");
        let mut command = format!("stablekey render {tenant} | kubectl apply --server-side");
        if let Some(KubernetesLocation { namespace, kubeconfig }) = location {
            match kubeconfig {
                None => {}
                Some(Kubeconfig::Context(context)) => command.push_str(&format!(" --context {}", word(context))),
                // In the cluster whose kubeconfig the Secret holds: whoever runs it knows by which context.
                Some(Kubeconfig::SecretRef(_)) => command.push_str(" --context CONTEXT"),
            }
            command.push_str(&format!(" --namespace {namespace}"));
        }
        command.push_str(" -f -");
        NotDelivered { text, command }
    }

    /// The same, where a tenant's location is said by its Tenant.
    pub fn of(file: &str, tenant: &str, spec: Option<&TenantSpec>) -> Self {
        let location = match spec.and_then(|spec| spec.location.as_ref()) {
            Some(LocationSpec::Kubernetes(location)) => Some(location),
            _ => None,
        };
        NotDelivered::new(file, tenant, location)
    }
}

/// A text as one word of a shell.
fn word(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b':' | b'@' | b'+');
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_string();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SecretKeyRef;

    fn command(kubeconfig: Option<Kubeconfig>) -> String {
        let location = KubernetesLocation { namespace: "eu-apps".into(), kubeconfig };
        let spec = TenantSpec { location: Some(LocationSpec::Kubernetes(location)), ..TenantSpec::default() };
        NotDelivered::of("lead.definition", "eu", Some(&spec)).command
    }

    /// "Every message's command can be pasted as printed."
    #[test]
    fn the_command_has_all_that_is_known() {
        let start = "stablekey render eu | kubectl apply --server-side";
        assert_eq!(command(None), format!("{start} --namespace eu-apps -f -"));
        let context = |name: &str| command(Some(Kubeconfig::Context(name.into())));
        assert_eq!(context("eu"), format!("{start} --context eu --namespace eu-apps -f -"));
        assert_eq!(context("my $(eu)'s"), format!("{start} --context 'my $(eu)'\\''s' --namespace eu-apps -f -"));
        assert_eq!(NotDelivered::of("x", "eu", None).command, format!("{start} -f -"));
        let secret = command(Some(Kubeconfig::SecretRef(SecretKeyRef { name: "eu".into(), key: "kubeconfig".into() })));
        assert_eq!(secret, format!("{start} --context CONTEXT --namespace eu-apps -f -"));
        let unknown = NotDelivered::new("x", "", None);
        assert_eq!(unknown.text, "its definition is x, a file that was not delivered");
    }
}
