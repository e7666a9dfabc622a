//! Suggestions for misspelt keys and names.

/// The maximum length of a useful list.
const MOST: usize = 3;
/// The minimum similarity of two keys that are known to mean the same kind of thing, from 0 to 1.
const SIMILAR: f64 = 0.72;
/// The minimum similarity if nothing else about the keys is known.
const VERY_SIMILAR: f64 = 0.8;

/// At most three of `candidates` that `key` may be a misspelling of, the most similar first. Nothing else is known of
/// them, so that only what is near counts.
pub(crate) fn near_misses<'a>(key: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let near = |candidate: &&str| are_similar(key, candidate);
    similar_of_kind(key, candidates.into_iter().filter(near))
}

/// At most three of `candidates` that may be meant by `key`, the most similar first. All are the kind of thing that is
/// wanted, such as connections of one component, so that a distant name is worth a suggestion too.
pub(crate) fn similar_of_kind<'a>(key: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = fold(key);
    let may_be = |candidate: &&str| *candidate != key && !differ_by_ending(key, candidate);
    let mut ranked: Vec<(f64, &str)> =
        candidates.into_iter().filter(may_be).map(|c| (strsim::jaro_winkler(&wanted, &fold(c)), c)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    ranked.dedup_by(|a, b| a.1 == b.1);
    ranked.retain(|(similarity, _)| *similarity >= SIMILAR);
    ranked.truncate(MOST);
    ranked.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The one candidate that `name` is almost certainly a misspelling of: it differs only in case and separators, or in a
/// letter or two.
pub(crate) fn meant<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = fold(name);
    let distance = |candidate: &str| {
        let folded = fold(candidate);
        let distance = strsim::osa_distance(&wanted, &folded);
        // In a short name, one letter is a large difference.
        (distance <= 1 + folded.len() / 8 && distance * 3 <= folded.len().max(1)).then_some(distance)
    };
    let near = candidates.into_iter().filter(|candidate| *candidate != name && !differ_by_ending(name, candidate));
    near.filter_map(|candidate| Some((distance(candidate)?, candidate))).min().map(|(_, candidate)| candidate)
}

/// Whether two names differ only in case and separators.
pub(crate) fn is_same_folded(a: &str, b: &str) -> bool {
    !fold(a).is_empty() && fold(a) == fold(b)
}

/// Whether two keys are so similar that one may be a misspelling of the other, whatever they connect to.
pub(crate) fn are_similar(a: &str, b: &str) -> bool {
    !differ_by_ending(a, b) && strsim::jaro_winkler(&fold(a), &fold(b)) >= VERY_SIMILAR
}

/// A sentence for an unknown name: suggestions first, then all existing names, or the first of many. `there are eu,
/// us`; `did you mean eu-prod? there are default, eu-prod and 12 more`.
pub(crate) fn what_there_is<'a>(name: &str, there: impl IntoIterator<Item = &'a str>) -> String {
    let mut there: Vec<&str> = there.into_iter().collect();
    there.sort_unstable();
    there.dedup();
    let near = near_misses(name, there.iter().copied());
    let all = all_of(&there);
    if near.is_empty() || near.len() == there.len() {
        all
    } else {
        format!("did you mean {}? {all}", near.join(" or "))
    }
}

/// The help for an unknown name: `did you mean eu-prod?` where one is near, else what there is: all names, or the first
/// of many.
pub(crate) fn near_or_all<'a>(name: &str, there: impl IntoIterator<Item = &'a str>) -> String {
    let mut there: Vec<&str> = there.into_iter().collect();
    there.sort_unstable();
    there.dedup();
    match near_misses(name, there.iter().copied()).as_slice() {
        [] => all_of(&there),
        near => format!("did you mean {}?", near.join(" or ")),
    }
}

/// All names in a sentence.
fn all_of(there: &[&str]) -> String {
    match there {
        [] => "there is none".to_string(),
        [one] => format!("there is {one}"),
        several => format!("there are {}", listed(several)),
    }
}

/// A list of names. Of a long list, the first ones and the number of the others.
pub(crate) fn listed(names: &[&str]) -> String {
    const READ: usize = 10;
    match names.len().checked_sub(READ).filter(|more| *more > 0) {
        None => names.join(", "),
        Some(more) => format!("{} and {more} more", names.get(..READ).unwrap_or(names).join(", ")),
    }
}

/// Whether two names have different endings that an import added: they were then derived from different texts.
fn differ_by_ending(a: &str, b: &str) -> bool {
    match (ending(a), ending(b)) {
        (Some(a), Some(b)) => a != b,
        _ => false,
    }
}

/// Six hexadecimal digits after the last `-`.
fn ending(name: &str) -> Option<&str> {
    const LENGTH: usize = 6;
    let (_, ending) = name.rsplit_once('-')?;
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (ending.len() == LENGTH && ending.bytes().all(is_hex)).then_some(ending)
}

fn fold(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::{are_similar, is_same_folded, meant, near_misses, near_or_all, similar_of_kind, what_there_is};

    #[test]
    fn existing_names_are_listed_with_suggestions() {
        assert_eq!(what_there_is("asia", ["us", "eu"]), "there are eu, us");
        assert_eq!(what_there_is("eu-prd", ["eu"]), "there is eu");
        assert_eq!(what_there_is("eu-prood", ["us-dev", "eu-prod"]), "did you mean eu-prod? there are eu-prod, us-dev");
        assert_eq!(what_there_is("a", []), "there is none");
        let many: Vec<String> = (0..30).map(|n| format!("n{n:02}")).collect();
        assert!(what_there_is("x", many.iter().map(String::as_str)).ends_with("n09 and 20 more"));
    }

    #[test]
    fn only_a_near_name_is_suggested_and_else_what_there_is() {
        let there = ["salesforce", "postgres", "slack", "slack"];
        assert_eq!(near_or_all("stripe", there), "there are postgres, salesforce, slack");
        assert_eq!(near_or_all("salesfroce", there), "did you mean salesforce?");
        assert_eq!(near_or_all("a", ["salesforce"]), "there is salesforce");
        assert_eq!(near_or_all("a", []), "there is none");
        assert!(near_misses("stripe", there).is_empty());
        assert_eq!(similar_of_kind("stripe", ["postgres"]), ["postgres"]);
        let many: Vec<String> = (0..30).map(|n| format!("n{n:02}")).collect();
        assert!(near_or_all("x", many.iter().map(String::as_str)).ends_with("n09 and 20 more"));
    }

    #[test]
    fn the_likeliest_come_first_and_at_most_three() {
        let keys = ["salesforce-oauth", "salesforce_oauth2", "Salesforce-OAuth", "slack", "sap", "salesforce-basic"];
        let near = near_misses("salesforce-oauth", keys);
        assert_eq!(near, ["Salesforce-OAuth", "salesforce_oauth2", "salesforce-basic"]);
    }

    #[test]
    fn keys_that_differ_in_a_letter_or_in_case_are_similar() {
        assert!(are_similar("salesforce-oauth", "Salesforce_OAuth2"));
        assert!(are_similar("crm", "crn"));
        assert!(!are_similar("crm", "warehouse"));
    }

    #[test]
    fn different_endings_mean_different_things() {
        assert!(!are_similar("chat-oauth2-9e6e09", "chat-oauth2-7da1dc"));
        assert!(near_misses("chat-oauth2-9e6e09", ["chat-oauth2-7da1dc"]).is_empty());
        assert_eq!(near_misses("chat-oauth2-9e6e09", ["chat-oauth2"]), ["chat-oauth2"]);
        assert!(are_similar("chat-decade", "chat-decades"));
    }

    #[test]
    fn a_name_is_meant_where_it_is_a_letter_or_two_away() {
        let types = ["oauth2", "basic", "apiKey"];
        assert_eq!(meant("outh2", types), Some("oauth2"));
        assert_eq!(meant("OAuth_2", types), Some("oauth2"));
        assert_eq!(meant("bsaic", types), Some("basic"));
        assert_eq!(meant("api-key", types), Some("apiKey"));
        assert_eq!(meant("token", types), None);
        assert_eq!(meant("slak-bot", ["slack-bot", "slack"]), Some("slack-bot"));
        assert_eq!(meant("a", ["b"]), None);
        assert!(is_same_folded("my-key", "My_Key") && !is_same_folded("-", "_"));
    }

    #[test]
    fn distant_names_are_no_near_misses() {
        assert!(near_misses("crm", ["salesforce-oauth"]).is_empty());
    }
}
