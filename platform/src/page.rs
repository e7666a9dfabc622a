//! Pages of a list: as Relay has them, with cursors that are offsets, and at most 100 elements.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The most elements of a page, and how many there are without `first`.
pub const MOST: usize = 100;

/// Arguments that choose a part of a list.
#[derive(Clone, Debug, Default)]
pub struct Window {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
    pub offset: Option<i32>,
}

impl Window {
    /// The two arguments that nested lists take.
    pub fn of(first: Option<i32>, after: Option<String>) -> Self {
        Window { first, after, ..Window::default() }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub nodes: Vec<Option<T>>,
    pub start: usize,
    pub total: usize,
}

/// Cuts a page out of a list. `Err`: the arguments are refused.
pub fn page<T>(all: Vec<T>, window: &Window) -> Result<Page<T>, String> {
    let total = all.len();
    let (first, last) = (limit("first", window.first)?, limit("last", window.last)?);
    let offset = match window.offset {
        Some(offset) => usize::try_from(offset).map_err(|_| "Argument offset must be non-negative".to_string())?,
        None => 0,
    };
    if window.offset.is_some() && window.before.is_some() {
        return Err("You can't provide a `before` value at the same time as an `offset` value".to_string());
    }
    let mut start = position(window.after.as_deref())?.map_or(0, |after| after + 1).saturating_add(offset).min(total);
    let mut end = position(window.before.as_deref())?.unwrap_or(total).clamp(start, total);
    match (first, last) {
        (None, None) => end = end.min(start + MOST),
        (first, last) => {
            end = end.min(start + first.unwrap_or(total));
            start = start.max(end.saturating_sub(last.unwrap_or(total)));
        }
    }
    let nodes = all.into_iter().skip(start).take(end - start).map(Some).collect();
    Ok(Page { nodes, start, total })
}

fn limit(name: &str, value: Option<i32>) -> Result<Option<usize>, String> {
    let Some(value) = value else { return Ok(None) };
    let limit = usize::try_from(value).map_err(|_| format!("Argument {name} must be non-negative"))?;
    if limit > MOST {
        return Err(format!("Requesting {value} records exceeds the `{name}` limit of {MOST} records."));
    }
    Ok(Some(limit))
}

/// Parses a cursor. prism's first page has `after: ""`.
fn position(cursor: Option<&str>) -> Result<Option<usize>, String> {
    let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) else { return Ok(None) };
    let decoded = STANDARD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let position = decoded.as_deref().and_then(|text| text.strip_prefix("arrayconnection:")).map(str::parse);
    match position {
        Some(Ok(position)) => Ok(Some(position)),
        _ => Err(format!("Invalid cursor {cursor}")),
    }
}

/// Encodes the cursor of an element.
pub fn cursor(position: usize) -> String {
    STANDARD.encode(format!("arrayconnection:{position}"))
}

impl<T> Page<T> {
    /// A page with every element of a list.
    pub fn whole(nodes: Vec<T>) -> Self {
        Page { total: nodes.len(), start: 0, nodes: nodes.into_iter().map(Some).collect() }
    }

    pub fn has_next(&self) -> bool {
        self.start + self.nodes.len() < self.total
    }

    pub fn has_previous(&self) -> bool {
        self.start > 0
    }

    /// The cursor of the first element.
    pub fn start_cursor(&self) -> Option<String> {
        (!self.nodes.is_empty()).then(|| cursor(self.start))
    }

    /// The cursor of the last element.
    pub fn end_cursor(&self) -> Option<String> {
        (!self.nodes.is_empty()).then(|| cursor(self.start + self.nodes.len() - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(window: Window) -> Vec<i32> {
        page((0..250).collect(), &window).unwrap().nodes.into_iter().flatten().collect()
    }

    #[test]
    fn pages_follow_each_other() {
        let all: Vec<i32> = (0..250).collect();
        let first = page(all.clone(), &Window::of(None, Some(String::new()))).unwrap();
        assert_eq!((first.nodes.len(), first.total, first.has_next(), first.has_previous()), (100, 250, true, false));
        let second = page(all.clone(), &Window::of(Some(100), first.end_cursor())).unwrap();
        assert_eq!((second.nodes[0], second.has_previous()), (Some(100), true));
        let third = page(all.clone(), &Window::of(Some(100), second.end_cursor())).unwrap();
        assert_eq!((third.nodes.len(), third.has_next()), (50, false));
        let beyond = page(all, &Window::of(Some(100), third.end_cursor())).unwrap();
        assert_eq!((beyond.nodes.len(), beyond.end_cursor()), (0, None));
    }

    #[test]
    fn a_page_can_be_counted_from_the_end() {
        assert_eq!(nodes(Window { last: Some(2), ..Window::default() }), [248, 249]);
        assert_eq!(nodes(Window { last: Some(2), before: Some(cursor(10)), ..Window::default() }), [8, 9]);
        assert_eq!(nodes(Window { first: Some(2), offset: Some(7), ..Window::default() }), [7, 8]);
        assert_eq!(
            nodes(Window { first: Some(2), offset: Some(7), after: Some(cursor(1)), ..Window::default() }),
            [9, 10]
        );
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for (window, text) in [
            (Window::of(Some(101), None), "limit of 100"),
            (Window::of(Some(-1), None), "non-negative"),
            (Window::of(None, Some("x".into())), "Invalid cursor x"),
            (Window { last: Some(101), ..Window::default() }, "limit of 100"),
        ] {
            assert!(page(vec![1], &window).unwrap_err().contains(text));
        }
    }
}
