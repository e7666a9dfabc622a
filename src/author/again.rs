//! The command that makes a connection from answers that were given: nothing has to be answered again.

use super::command::command;
use super::connection::{Answers, NewConnection, Whose};
use super::values::{Values, Without, option};
use crate::api::{Credentials, Input};
use crate::engine::model::command::EditCommand;
use crate::project::Project;

impl Answers {
    /// The command with these answers as options. It asks what is still open; if nothing is, it asks nothing.
    pub fn command(&self, project: &Project, made: Option<&NewConnection>) -> String {
        let mut words = Vec::new();
        let spec = made.map(|made| &made.spec);
        let component = spec.map(|spec| spec.component.typed());
        let type_ = spec.map(|spec| spec.type_.clone());
        let credentials = spec.map(|spec| spec.credentials).or(self.credentials).or(match self.whose {
            Some(Whose::Users) => Some(Credentials::User),
            Some(Whose::Organization) => Some(Credentials::OrganizationGlobal),
            // Who supplies them is still to be asked.
            Some(Whose::Customers) | None => None,
        });
        let given = [
            ("--tenant", made.map(|made| made.tenant.clone()).or_else(|| self.tenant.clone())),
            ("--component", component.or_else(|| self.component.clone())),
            ("--type", type_.or_else(|| self.type_.clone())),
            ("--credentials", credentials.map(|credentials| credentials.as_str().to_string())),
            ("--key", spec.map(|spec| spec.stable_key.clone()).or_else(|| self.key.clone())),
        ];
        // What is like another one is complete without it.
        let like = self.like.clone().filter(|_| made.is_none());
        for (name, value) in given.into_iter().chain([("--like", like)]) {
            value.into_iter().for_each(|value| option(&mut words, name, &value));
        }
        if let Some(theirs) = &self.per_customer {
            match theirs.is_empty() {
                true => option(&mut words, "--per-customer", ""),
                false => theirs.iter().for_each(|name| option(&mut words, "--per-customer", name)),
            }
        }
        words.extend(self.of_own().options(Without::Empty));
        let new = EditCommand::new_object("connection").with(words);
        command(project, if made.is_some() { new.without_question() } else { new })
    }

    /// The values without the inputs of customers, which are named apart.
    fn of_own(&self) -> Values {
        let mut values = self.values.clone();
        let is_theirs = |input: &Option<Input>| input.as_ref().is_some_and(Input::is_per_customer);
        values.inputs.retain(|_, input| self.per_customer.is_none() || !is_theirs(input));
        values
    }
}
