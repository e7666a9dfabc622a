//! Questions and answers, whatever asks them: a terminal, or a page.

/// A question. `A` says what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question<A> {
    /// What is asked.
    pub asked: A,
    /// The question in words, without a question mark.
    pub text: String,
    /// What to know for the answer.
    pub help: String,
    /// The possible answers.
    pub form: Form,
    /// The flag that answers it: `--key KEY`.
    pub flag: String,
}

/// The possible answers to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// One of several.
    Choice {
        /// The choices.
        choices: Vec<Choice>,
        /// The choice that is taken unless another one is.
        suggested: Option<usize>,
    },
    /// Any number of several.
    Several {
        /// The choices.
        choices: Vec<String>,
        /// The choices that are taken unless others are.
        suggested: Vec<usize>,
    },
    /// A text.
    Text {
        /// The text that is taken unless another one is.
        suggested: Option<String>,
        /// Whether it may not be empty.
        required: bool,
        /// Texts that complete a beginning.
        completions: Vec<String>,
    },
    /// The name of one of many. A part of it is enough where no other one has it.
    Search {
        /// The names.
        names: Vec<String>,
    },
    /// A reference to a Secret, `NAME/KEY`.
    Reference {
        /// The reference that is taken unless another one is.
        suggested: Option<String>,
        /// Whether it may not be empty.
        required: bool,
    },
    /// A text with a proposal that only a person can take.
    Proposal {
        /// The proposed text.
        proposed: String,
        /// Why nothing is taken without a person.
        why: String,
    },
    /// Yes or no.
    YesNo {
        /// The answer that is taken unless the other one is.
        suggested: bool,
    },
}

/// One of several answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The answer.
    pub value: String,
    /// The answer in words.
    pub text: String,
}

/// An answer.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// A text, or one of several.
    Text(String),
    /// Any number of several.
    Several(Vec<String>),
    /// Yes or no.
    Yes(bool),
}

/// Does not print the text, which may be a secret.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer(…)")
    }
}

impl Answer {
    /// The text; empty for other answers.
    pub fn text(&self) -> &str {
        match self {
            Answer::Text(text) => text,
            Answer::Several(_) | Answer::Yes(_) => "",
        }
    }

    /// The choices; none for other answers.
    pub fn several(&self) -> &[String] {
        match self {
            Answer::Several(several) => several,
            Answer::Text(_) | Answer::Yes(_) => &[],
        }
    }

    /// Whether it is yes.
    pub fn is_yes(&self) -> bool {
        *self == Answer::Yes(true)
    }
}

impl<A> Question<A> {
    /// The answer that is taken without a person; `None` if there is none.
    pub fn suggestion(&self) -> Option<Answer> {
        match &self.form {
            Form::Choice { choices, suggested } => Some(Answer::Text(choices.get((*suggested)?)?.value.clone())),
            Form::Several { choices, suggested } => {
                Some(Answer::Several(suggested.iter().filter_map(|at| choices.get(*at).cloned()).collect()))
            }
            Form::Text { suggested, required, .. } | Form::Reference { suggested, required } => {
                let none = (!required).then(String::new);
                suggested.clone().or(none).map(Answer::Text)
            }
            Form::Proposal { .. } | Form::Search { .. } => None,
            Form::YesNo { suggested } => Some(Answer::Yes(*suggested)),
        }
    }
}
