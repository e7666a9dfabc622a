//! A command that makes an edit, as a link to the form of this page that makes the same.

use crate::engine::model::command::EditCommand;
use crate::page::address::PageAddress;
use crate::page::layout::line;
use maud::{Markup, html};

/// The command, with the link where there is a form for it.
pub(in crate::page) fn offer(command: &EditCommand) -> Markup {
    html! {
        @if let Some((to, label)) = form(command).filter(|(to, _)| to != "#") { p.then { a.button href=(to) { (line(&label)) } } }
        pre.command { (line(&command.to_string())) }
    }
}

/// The address of the form, and what it does.
fn form(command: &EditCommand) -> Option<(String, String)> {
    let words: Vec<&str> = command.words().collect();
    let option = |name: &str| words.iter().position(|word| *word == name).and_then(|at| words.get(at + 1).copied());
    let with = |address: PageAddress, names: &[(&str, &str)]| {
        names.iter().fold(address, |address, (field, name)| address.with(field, option(name).unwrap_or_default()))
    };
    match words.as_slice() {
        ["new", "connection", ..] => {
            let names = [
                ("tenant", "--tenant"),
                ("component", "--component"),
                ("type", "--type"),
                ("credentials", "--credentials"),
                ("like", "--like"),
                ("key", "--key"),
            ];
            let label = option("--key").map_or("Add a connection".to_string(), |key| format!("Create {key}"));
            Some((with(PageAddress::new("/new"), &names).text(), label))
        }
        ["switch", tenant, integration, ..] if !integration.starts_with('-') => {
            let address = PageAddress::new("/switch").with("tenant", tenant).with("integration", integration);
            let names = [("variable", "--variable"), ("step", "--step"), ("data-source", "--data-source")];
            let label = option("--to").map_or("Switch".to_string(), |to| format!("Bind to {to}"));
            Some((with(address, &names).text(), label))
        }
        ["set", rest @ ..] => {
            let key = rest.iter().enumerate().find(|(at, word)| {
                !word.starts_with('-') && at.checked_sub(1).and_then(|at| rest.get(at)) != Some(&"--tenant")
            });
            let address = PageAddress::new("/set").with("key", key?.1);
            Some((with(address, &[("tenant", "--tenant")]).text(), format!("Edit {}", key?.1)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Option<(String, String)> {
        form(&EditCommand::of(words))
    }

    #[test]
    fn commands_have_forms() {
        let new = of(&["new", "connection", "--tenant", "eu", "--component", "zendesk", "--key", "a b"]).unwrap();
        assert_eq!(new, ("/new?tenant=eu&component=zendesk&key=a+b".to_string(), "Create a b".to_string()));
        let switch = of(&["switch", "eu", "digest", "--variable", "Zendesk", "--to", "z"]).unwrap();
        assert_eq!(
            switch,
            ("/switch?tenant=eu&integration=digest&variable=Zendesk".to_string(), "Bind to z".to_string())
        );
        let set = of(&["set", "--tenant", "eu", "crm", "scopes=api"]).unwrap();
        assert_eq!(set, ("/set?key=crm&tenant=eu".to_string(), "Edit crm".to_string()));
        assert_eq!(of(&["switch", "eu", "--all", "--from", "a", "--to", "b"]), None);
        assert_eq!(of(&["resume", "eu"]), None);
    }
}
