//! The presentation of one field change.

use crate::api::sensitive::masked;
use crate::engine::model::canonical::Json;
use crate::engine::model::plan::{FieldChange, Op};
use crate::report::value;
use crate::text as escape;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// The most compact presentation of a change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Short values, side by side; `None` for an absent value.
    Values { from: Option<String>, to: Option<String> },
    /// One long text, with the changed words marked.
    Words(Vec<(ChangeTag, String)>),
    /// Several lines, with the changed lines marked; `None` stands for skipped equal lines.
    Lines(Vec<Option<(ChangeTag, String)>>),
    /// A sentence: the value does not change, only the ownership record.
    Sentence(String),
}

/// Selects the presentation of a change for a terminal.
pub(super) fn shown(change: &FieldChange) -> Shown {
    let (from, to) = (change.from.as_ref().map(Json::value), change.to.as_ref().map(Json::value));
    let (from, to) = (from.as_ref(), to.as_ref());
    match change.op {
        Op::Set | Op::Remove => {
            if let (Some(from), Some(to)) = (from.and_then(value::text), to.and_then(value::text)) {
                // Before they are cut: a part of a secret tells nothing of what it belongs to.
                let (from, to) = (masked(from), masked(to));
                let (from, to) = (from.as_ref(), to.as_ref());
                if from.contains('\n') || to.contains('\n') {
                    return Shown::Lines(lines(from, to));
                }
                if from.contains(' ') && escape::shorten(from, value::MOST) != from {
                    return Shown::Words(words(from, to));
                }
            }
            let beside = |value: Option<&Value>, other| value.map(|v| value::words_beside(v, other));
            let (from, to) = (beside(from, to), beside(to, from));
            let hidden = |text: Option<String>| text.map(|text| masked(&text).into_owned());
            let (from, to) = (hidden(from), hidden(to));
            let short =
                |text: &Option<String>| text.as_ref().map(|t| shorten_middle(t, from.as_deref(), to.as_deref()));
            Shown::Values { from: short(&from), to: short(&to) }
        }
        op => Shown::Sentence(operation_text(op, change.by.as_deref())),
    }
}

/// The operation on a field whose value does not change.
pub(super) fn operation_text(op: Op, by: Option<&str>) -> String {
    match op {
        Op::Set | Op::Remove => String::new(),
        Op::Record => "in sync; it comes under management".to_string(),
        Op::Forget => "was changed by others and is no longer declared: it stays and is forgotten".to_string(),
        Op::Release => {
            format!("is no longer declared; {} holds it too, so it stays", by.unwrap_or("somebody else"))
        }
    }
}

/// Cuts a long value so that the difference stays visible.
fn shorten_middle(text: &str, from: Option<&str>, to: Option<&str>) -> String {
    if escape::shorten(text, value::MOST) == text {
        return text.to_string();
    }
    let (a, b) = (from.unwrap_or_default(), to.unwrap_or_default());
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let skip = if same + 20 > value::MOST { same.saturating_sub(20) } else { 0 };
    let rest: String = text.chars().skip(skip).collect();
    let rest = both_ends(&rest);
    if skip > 0 { format!("…{rest}") } else { rest }
}

/// Cuts the middle of a long text: the end of a host name identifies its owner.
fn both_ends(text: &str) -> String {
    const END: usize = 24;
    if escape::shorten(text, value::MOST) == text {
        return text.to_string();
    }
    let end: Vec<char> = text.chars().rev().take(END).collect();
    let head = escape::shorten(text, value::MOST - END);
    head.chars().chain(end.into_iter().rev()).collect()
}

/// The words of two texts, with changes marked; long equal runs are cut in the middle.
fn words(from: &str, to: &str) -> Vec<(ChangeTag, String)> {
    let mut marked: Vec<(ChangeTag, String)> = Vec::new();
    for change in TextDiff::from_words(from, to).iter_all_changes() {
        match marked.last_mut() {
            Some((tag, text)) if *tag == change.tag() => text.push_str(change.value()),
            _ => marked.push((change.tag(), change.value().to_string())),
        }
    }
    let last = marked.len().saturating_sub(1);
    for (position, (tag, text)) in marked.iter_mut().enumerate() {
        if *tag == ChangeTag::Equal {
            *text = around(text, position > 0, position < last);
        } else {
            *text = escape::shorten(text, 4 * value::MOST).into_owned();
        }
    }
    marked
}

/// The part of an equal run that is next to a change before (and after) it.
fn around(text: &str, before: bool, after: bool) -> String {
    const KEPT: usize = 24;
    let all: Vec<char> = text.chars().collect();
    let (head, tail) = (if before { KEPT } else { 0 }, if after { KEPT } else { 0 });
    if all.len() <= head + tail + 1 {
        return text.to_string();
    }
    // Cut between words if possible.
    let head: String = all.iter().take(head).collect();
    let head = head.rsplit_once(' ').map_or(head.as_str(), |(words, _)| words);
    let tail: String = all.iter().skip(all.len() - tail).collect();
    let tail = tail.split_once(' ').map_or(tail.as_str(), |(_, words)| words);
    let blank = |side: &str| if side.is_empty() { "" } else { " " };
    format!("{head}{}…{}{tail}", blank(head), blank(tail))
}

/// The lines of two texts, with two lines of context around each change.
pub(super) fn lines(from: &str, to: &str) -> Vec<Option<(ChangeTag, String)>> {
    // Without line ends: whether the last line has one does not matter.
    let (from, to): (Vec<&str>, Vec<&str>) = (from.lines().collect(), to.lines().collect());
    let diff = TextDiff::from_slices(&from, &to);
    let groups = diff.grouped_ops(2);
    let mut out = Vec::new();
    for (position, group) in groups.iter().enumerate() {
        let starts_late = group.first().is_some_and(|op| op.old_range().start > 0);
        if position > 0 || starts_late {
            out.push(None);
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            out.push(Some((change.tag(), change.value().to_string())));
        }
    }
    let reaches_end = groups.last().and_then(|g| g.last()).is_none_or(|op| op.old_range().end == from.len());
    if !reaches_end {
        out.push(None);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::field::{Field, FieldKind};
    use serde_json::json;

    fn set(from: Value, to: Value) -> FieldChange {
        let field = Field::named(FieldKind::Input, "x").into_owned();
        FieldChange { field, op: Op::Set, from: Some(from.into()), to: Some(to.into()), parts: Vec::new(), by: None }
    }

    #[test]
    fn short_values_stand_side_by_side() {
        let shown = shown(&set(json!({"value": "api"}), json!({"value": "api refresh"})));
        assert_eq!(shown, Shown::Values { from: Some("api".into()), to: Some("api refresh".into()) });
    }

    #[test]
    fn long_urls_are_cut_where_they_are_the_same() {
        let url = |end: &str| json!({"value": format!("https://login.example.com/{}{end}", "long/".repeat(14))});
        let Shown::Values { from: Some(from), to: Some(to) } = shown(&set(url("a"), url("b"))) else { panic!() };
        assert!(from.starts_with('…') && from.ends_with("/long/a"), "{from}");
        assert!(to.ends_with("/long/b"), "{to}");
    }

    /// A cut at the end would hide from the approver where the secret goes.
    #[test]
    fn the_end_of_a_long_host_is_seen() {
        let to = json!({"value": format!("https://login.good.example.{}evil.test/", "a.".repeat(60))});
        let Shown::Values { from: Some(from), to: Some(to) } =
            shown(&set(json!({"value": "https://login.good.example/"}), to))
        else {
            panic!()
        };
        assert_eq!(from, "https://login.good.example/");
        assert!(to.starts_with("https://login.good.example.a.") && to.ends_with("a.evil.test/"), "{to}");
        assert!(to.contains('…') && to.chars().count() <= value::MOST, "{to}");
    }

    #[test]
    fn long_texts_show_the_words_that_change() {
        let text =
            |when: &str| json!(format!("{} leads are copied {when} {}", "all the ".repeat(10), "so it is ".repeat(9)));
        let Shown::Words(words) = shown(&set(text("nightly"), text("hourly"))) else { panic!() };
        let texts: Vec<&str> = words.iter().map(|(_, t)| t.as_str()).collect();
        assert_eq!(texts, ["… the  leads are copied ", "nightly", "hourly", " so it is so it is so …"]);
    }

    #[test]
    fn many_lines_show_the_lines_that_change() {
        let from = "1\n2\n3\n4\n5\n6\n7\n8\n";
        let shown = shown(&set(json!(from), json!(from.replace('5', "five"))));
        let Shown::Lines(lines) = shown else { panic!() };
        let text: Vec<String> =
            lines.iter().map(|l| l.as_ref().map_or("…".into(), |(tag, line)| format!("{tag}{line}"))).collect();
        assert_eq!(text, ["…", " 3", " 4", "-5", "+five", " 6", " 7", "…"]);
    }
}
