//! Differences as HTML: of files, and of fields. Each line has its sign, so that colour says nothing alone.

use crate::api::sensitive::masked;
use crate::author::{DiffLine, PublicDiff};
use crate::engine::model::canonical::Json;
use crate::engine::model::plan::{FieldChange, Op};
use crate::page::layout::line;
use crate::report::value;
use crate::text::count;
use maud::{Markup, html};
use serde_json::Value;

/// The most lines of one diff: files of a first import are longer.
const MOST: usize = 2_000;

/// The diffs of files.
pub(in crate::page) fn files(diffs: &[PublicDiff]) -> Markup {
    let of = |one: &DiffLine| match one {
        DiffLine::At(number) => ("h", "", format!("line {number}")),
        DiffLine::NotShown(number, what) => ("h", "", format!("{} not shown: {what}", count(*number, "line", "lines"))),
        DiffLine::Same(text) => ("", "", text.clone()),
        DiffLine::Old(text) => ("old", "−", text.clone()),
        DiffLine::New(text) => ("new", "+", text.clone()),
    };
    let all: usize = diffs.iter().map(|diff| diff.lines.len()).sum();
    let mut left = MOST;
    html! {
        div.diff.file role="group" aria-label="Changes of files" tabindex="0" {
            @for diff in diffs {
                @let shown = diff.lines.len().min(left);
                @let () = left -= shown;
                @if shown > 0 || diff.lines.is_empty() {
                    div.h { (line(&diff.path)) @match diff.what { "create" => " (new file)", "delete" => " (is removed)", _ => "" } }
                }
                @for one in diff.lines.iter().take(shown) {
                    @let (class, sign, text) = of(one);
                    @if class == "h" { div.h { (line(&text)) } }
                    @else { div class=(class) { span { (sign) } span { (line(&text)) } } }
                }
            }
            @if all > MOST { div.h { "and " (all - MOST) " more lines" } }
        }
    }
}

/// The changes of fields, below the place where the value is declared.
pub(in crate::page) fn fields(at: Option<String>, changes: &[FieldChange]) -> Markup {
    html! {
        div.diff {
            @if let Some(at) = at { div.h { (line(&at)) } }
            @for change in changes { (field(change)) }
        }
    }
}

fn field(change: &FieldChange) -> Markup {
    let (from, to) = (change.from.as_ref().map(Json::value), change.to.as_ref().map(Json::value));
    stated(&change.field.to_string(), change.op, (from.as_ref(), to.as_ref()), &change.parts, change.by.as_deref())
}

/// What is done with a field.
pub(in crate::page) fn stated(
    name: &str,
    op: Op,
    values: (Option<&Value>, Option<&Value>),
    parts: &[String],
    by: Option<&str>,
) -> Markup {
    match op {
        Op::Set | Op::Remove => pair(name, values, parts),
        Op::Record => sentence(name, "in sync; it comes under management"),
        Op::Forget => sentence(name, "was changed by others and is no longer declared: it stays and is forgotten"),
        Op::Release => {
            let by = by.unwrap_or("somebody else");
            sentence(name, &format!("is no longer declared; {by} holds it too, so it stays"))
        }
    }
}

fn sentence(name: &str, text: &str) -> Markup {
    html! { div { span { (line(name)) } span {} span { (line(text)) } } }
}

/// Two values of a field.
pub(in crate::page) fn values(name: &str, from: Option<&Json>, to: Option<&Json>, parts: &[String]) -> Markup {
    let (from, to) = (from.map(Json::value), to.map(Json::value));
    pair(name, (from.as_ref(), to.as_ref()), parts)
}

fn pair(name: &str, (from, to): (Option<&Value>, Option<&Value>), parts: &[String]) -> Markup {
    let shown = |value: Option<&Value>, other: Option<&Value>| {
        value.map(|one| match value::text(one) {
            // As a whole: a line or a part of a secret tells nothing of what it belongs to.
            Some(text) => masked(text).into_owned(),
            None => value::words_beside(one, other),
        })
    };
    let (old, new) = (shown(from, to), shown(to, from));
    html! {
        @for text in old.iter().flat_map(|old| old.lines()) { div.old { span { (line(name)) } span { "−" } span { (line(text)) } } }
        @for text in new.iter().flat_map(|new| new.lines()) { div.new { span { (line(name)) } span { "+" } span { (line(text)) } } }
        @for part in parts { div class=(part_class(part)) { span {} span { (part.chars().next().unwrap_or(' ')) } span { (line(part.get(1..).unwrap_or_default().trim())) } } }
    }
}

fn part_class(part: &str) -> &'static str {
    match part.as_bytes().first() {
        Some(b'+') => "new",
        Some(b'-') => "old",
        _ => "",
    }
}
