//! The message about an integration whose definition file was not delivered to a cluster: the same in plans and from
//! the binder.

use crate::api::{Kubeconfig, KubernetesLocation, LocationSpec, TenantSpec};

/// An integration in a cluster without the file that it refers to. In a folder it would be invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDelivered {
    /// The problem.
    pub text: String,
    /// The command that delivers the definition: ready to paste if the tenant is known, with the context for its
    /// cluster.
    pub command: String,
}

impl NotDelivered {
    /// Builds the message for a file of a tenant; `TENANT` stands for an unknown name.
    pub fn new(file: &str, tenant: &str, location: Option<&KubernetesLocation>) -> Self {
        let tenant = if tenant.is_empty() { "TENANT" } else { tenant };
        let to = if tenant == "TENANT" { String::new() } else { format!(" to {tenant}") };
        let text = format!("its definition is {file}, a file that was not delivered{to}");
        let mut command = format!("stablekey render {tenant} | kubectl apply --server-side");
        if let Some(KubernetesLocation { namespace, kubeconfig }) = location {
            match kubeconfig {
                None => {}
                Some(Kubeconfig::Context(context)) => command.push_str(&format!(" --context {}", word(context))),
                // The cluster is that of the kubeconfig in the Secret; only the user knows which context it is.
                Some(Kubeconfig::SecretRef(_)) => command.push_str(" --context CONTEXT"),
            }
            command.push_str(&format!(" --namespace {namespace}"));
        }
        command.push_str(" -f -");
        NotDelivered { text, command }
    }

    /// Builds the message with the location from the Tenant.
    pub fn of(file: &str, tenant: &str, spec: Option<&TenantSpec>) -> Self {
        let location = match spec.and_then(|spec| spec.location.as_ref()) {
            Some(LocationSpec::Kubernetes(location)) => Some(location),
            _ => None,
        };
        NotDelivered::new(file, tenant, location)
    }
}

/// Quotes a text as one word of a shell.
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
