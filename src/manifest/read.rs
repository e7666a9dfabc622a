//! Reads text into resources, and collects all problems of a run.

use super::content::Content;
use super::cut::{Slice, cut};
use super::locate::find;
use super::problem::{FileProblem, shown};
use super::shape::{ShapeFinding, check};
use super::source::{SourceFile, SourcePlace, first_line_of};
use super::tree::{self, Id, Tree};
use super::words::nearest;
use super::{limits, mask, schema, sniff, syntax, typed};
use crate::api::{API_VERSION, GROUP, Kind, Object, Resource, names, rules};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A resource and its position.
#[derive(Clone, Debug)]
pub struct ReadDocument {
    /// The resource of the document.
    pub resource: Resource,
    /// The namespace in its metadata, as `kubectl get -o yaml` prints it.
    pub namespace: Option<String>,
    /// The position of the document.
    pub origin: SourcePlace,
}

/// A document that names its object but violates its schema or a rule: that object is blocked.
#[derive(Clone, Debug)]
pub struct InvalidDocument {
    /// The kind of the object.
    pub kind: Kind,
    /// The name of the object.
    pub name: String,
    /// All problems of the document.
    pub problems: Vec<FileProblem>,
    /// The position of the document.
    pub origin: SourcePlace,
}

/// A file that could not be parsed completely: it may contain any object.
#[derive(Clone, Debug)]
pub struct Unparsed {
    /// The path of the file, as shown to people.
    pub file: String,
    /// The problems of the file.
    pub problems: Vec<FileProblem>,
    /// Whether it may contain Stablekey's resources at any path: a file that certainly does not is ignored outside
    /// tenants' folders.
    pub ours: bool,
    /// Whether it exceeds the size limit: its content can only be searched, by [`super::may_be_ours`].
    pub unsearched: bool,
}

/// The result of reading files.
#[derive(Clone, Debug, Default)]
pub struct DocumentsRead {
    /// The resources, in the order of files and documents.
    pub documents: Vec<ReadDocument>,
    /// Stablekey's documents that are invalid.
    pub invalid: Vec<InvalidDocument>,
    /// Files that could not be parsed completely.
    pub unparsed: Vec<Unparsed>,
    /// The number of documents of other kinds.
    pub other_kinds: usize,
    /// The number of documents that Stablekey itself printed as JSON, such as reports. They are no manifests.
    pub reports: usize,
    /// The number of files that were read.
    pub files: usize,
    /// The number of problems that are not reported individually.
    pub omitted: usize,
    /// Files with only blanks, as an interrupted write leaves them.
    pub blank: Vec<String>,
}

impl DocumentsRead {
    /// Adds the results of reading other files.
    pub fn extend(&mut self, other: DocumentsRead) {
        match self.documents.is_empty() {
            true => self.documents = other.documents,
            false => self.documents.extend(other.documents),
        }
        self.invalid.extend(other.invalid);
        for Unparsed { file, problems, ours, unsearched } in other.unparsed {
            self.unparsed_as(file, problems, ours);
            self.unparsed.last_mut().into_iter().for_each(|last| last.unsearched |= unsearched);
        }
        self.blank.extend(other.blank);
        self.other_kinds += other.other_kinds;
        self.reports += other.reports;
        self.files += other.files;
        self.omitted += other.omitted;
    }

    /// All problems, in the order of files and lines.
    pub fn problems(&self) -> Vec<&FileProblem> {
        let invalid = self.invalid.iter().flat_map(|invalid| &invalid.problems);
        let unparsed = self.unparsed.iter().flat_map(|unparsed| &unparsed.problems);
        let mut all: Vec<_> = invalid.chain(unparsed).collect();
        all.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        all
    }

    /// Whether no document of any kind was found.
    fn has_no_document(&self) -> bool {
        let counts = [self.documents.len(), self.invalid.len(), self.unparsed.len(), self.other_kinds, self.reports];
        counts.iter().all(|count| *count == 0)
    }

    /// Adds problems of a file to those that were found before.
    fn unparsed_as(&mut self, file: String, problems: Vec<FileProblem>, ours: bool) {
        match self.unparsed.iter_mut().rev().find(|unparsed| unparsed.file == file) {
            Some(unparsed) => {
                unparsed.problems.extend(problems);
                unparsed.ours |= ours;
            }
            None => self.unparsed.push(Unparsed { file, problems, ours, unsearched: false }),
        }
    }

    /// Limits the number of reported problems of one file: a generated file can have millions.
    fn limit_reported(&mut self, path: &str) {
        let mut omitted = self.omitted;
        let mut keep = |of: &mut dyn Iterator<Item = &mut Vec<FileProblem>>| {
            let mut room = limits::FILE_FINDINGS;
            for problems in of {
                omitted += problems.len().saturating_sub(room);
                problems.truncate(room);
                room -= problems.len();
            }
        };
        keep(&mut self.invalid.iter_mut().map(|invalid| &mut invalid.problems));
        keep(&mut self.unparsed.iter_mut().map(|unparsed| &mut unparsed.problems));
        let last = self.invalid.iter_mut().map(|invalid| &mut invalid.problems).rfind(|reported| !reported.is_empty());
        let last = last.or_else(|| self.unparsed.last_mut().map(|unparsed| &mut unparsed.problems));
        if let (Some(reported), 1..) = (last, omitted) {
            let (line, column) = reported.last().map_or((0, 0), |last| (last.line, last.column));
            let message = format!("{omitted} more mistakes of this file are not shown");
            reported.push(FileProblem {
                line,
                column,
                ..FileProblem::of_file(path, message, "fix those that are, and look again")
            });
        }
        self.omitted = omitted;
    }

    /// The result for a file that could not be read; `ours` tells whether it may contain Stablekey's resources.
    pub(super) fn of_problem(problem: FileProblem, ours: bool) -> Self {
        DocumentsRead {
            files: 1,
            unparsed: vec![Unparsed { file: problem.file.clone(), problems: vec![problem], ours, unsearched: false }],
            ..DocumentsRead::default()
        }
    }
}

impl DocumentsRead {
    /// Whether this is an earlier reading of the same file with the same text, as far as that is known.
    pub fn is_same_as(&self, before: &DocumentsRead) -> bool {
        let file = |read: &DocumentsRead| read.documents.first().map(|document| Arc::clone(&document.origin.file));
        self.files == 1 && before.files == 1 && file(self).zip(file(before)).is_some_and(|(a, b)| Arc::ptr_eq(&a, &b))
    }

    /// Whether this is what was read of a file with this text. Where it has no document, that is not known.
    fn is_of(&self, path: &str, text: &str) -> bool {
        let file = self.documents.first().map(|document| &document.origin.file);
        self.files == 1 && file.is_some_and(|file| file.path == path && *file.text == text)
    }
}

/// Reads a file from its bytes.
pub fn read_bytes(path: &str, bytes: Vec<u8>) -> DocumentsRead {
    read_content_like(path, bytes.into(), &DocumentsRead::default())
}

/// Reads a file from its content. Documents of the same text as in an earlier reading are taken from there.
pub fn read_content_like(path: &str, content: Content, before: &DocumentsRead) -> DocumentsRead {
    match super::bytes::to_text(path, content) {
        Ok(text) => read_text_like(path, text, before),
        Err(wrong) => {
            let (problem, bytes) = *wrong;
            DocumentsRead::of_problem(problem, sniff::names_us(&bytes))
        }
    }
}

/// Reads a file from its text.
pub fn read_text(path: &str, text: String) -> DocumentsRead {
    read_text_like(path, Arc::new(text), &DocumentsRead::default())
}

fn read_text_like(path: &str, text: Arc<String>, before: &DocumentsRead) -> DocumentsRead {
    if before.is_of(path, &text) {
        return before.clone();
    }
    if let Err(problem) = super::bytes::check_text(path, &text) {
        return DocumentsRead::of_problem(problem, sniff::names_us(text.as_bytes()));
    }
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return DocumentsRead { files: 1, blank: vec![path.to_string()], ..DocumentsRead::default() };
    }
    let slices = cut(&text);
    if slices.len() > limits::DOCUMENTS {
        let message = format!("the file holds {} documents, and {} is the most", slices.len(), limits::DOCUMENTS);
        let problem = FileProblem::of_file(path, message, "split it into several files");
        return DocumentsRead::of_problem(problem, sniff::names_us(text.as_bytes()));
    }
    let file = Arc::new(SourceFile { path: path.to_string(), text });
    let known = known(before);
    let aliased = AtomicUsize::new(0);
    let read = |slices: &[Slice]| {
        let reading = DocumentsRead { documents: Vec::with_capacity(slices.len()), ..DocumentsRead::default() };
        let mut reader = FileReader { file: &file, known: &known, aliased: &aliased, reported: 0, reading };
        slices.iter().for_each(|slice| reader.slice(slice));
        reader.reading
    };
    let mut reading = DocumentsRead { files: 1, ..DocumentsRead::default() };
    for part in super::threads::in_parts(&slices, |slice| slice.range.len(), read) {
        reading.extend(part);
    }
    // A comment means that somebody wrote the file; `---`, `null` and `{}` alone may be the rest of a damaged file.
    let is_rest = reading.has_no_document() && !file.text.lines().any(|line| line.trim_start().starts_with('#'));
    if is_rest {
        reading.blank.push(path.to_string());
    }
    // A kustomization is not counted as a document of another kind.
    if super::kustomization::is_one(path) {
        reading.other_kinds = 0;
    }
    reading.limit_reported(path);
    reading
}

/// The documents of a reading by their text. One with anchors is not among them: the aliases of a whole file are limited.
fn known(before: &DocumentsRead) -> HashMap<&str, &ReadDocument> {
    let alone = before.documents.iter().filter(|document| document.origin.item.is_none());
    let by_text = alone.map(|document| (document.origin.text(), document)).filter(|(text, _)| !text.contains('&'));
    // Growing would compute the hash of every text again.
    let mut known = HashMap::with_capacity(before.documents.len());
    known.extend(by_text);
    known
}

struct FileReader<'f> {
    file: &'f Arc<SourceFile>,
    /// Documents that were read before, by their text.
    known: &'f HashMap<&'f str, &'f ReadDocument>,
    /// The amount of text that aliases of the file repeat so far.
    aliased: &'f AtomicUsize,
    /// The number of reported problems of invalid documents.
    reported: usize,
    reading: DocumentsRead,
}

/// A document while it is read.
struct ParsedDocument<'a, 't> {
    tree: &'a Tree<'t>,
    id: Id,
    first_line: u32,
    origin: SourcePlace,
}

impl FileReader<'_> {
    fn slice(&mut self, slice: &Slice) {
        let text = self.file.text.get(slice.range.clone()).unwrap_or("");
        let origin = || SourcePlace {
            file: Arc::clone(self.file),
            range: slice.range.clone(),
            first_line: slice.first_line,
            item: None,
        };
        if let Some(known) = self.known.get(text) {
            self.reading.documents.push(ReadDocument { origin: origin(), ..(*known).clone() });
            return;
        }
        if sniff::is_foreign(text) {
            self.reading.other_kinds += 1;
            return;
        }
        match tree::parse(text) {
            Ok(None) => {}
            Ok(Some(tree)) if tree.is_null(tree.root) => {}
            Ok(Some(tree)) if tree.is_map(tree.root) && tree.entries(tree.root).is_empty() => {}
            Ok(Some(tree)) if tree.list(tree.root).is_some_and(<[_]>::is_empty) => {}
            Ok(Some(tree)) => {
                let (first_line, origin) = (slice.first_line, origin());
                self.document(&ParsedDocument { tree: &tree, id: tree.root, first_line, origin });
            }
            Err(fault) => {
                let (at, words) = syntax::words(text, &fault);
                let end = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
                let spans = syntax::spans(text, at);
                let problem = FileProblem::at(self.file, text, slice.first_line, at..at + end, &spans, words);
                self.reading.unparsed_as(self.file.path.clone(), vec![problem], sniff::could_be_ours(text));
            }
        }
    }

    fn document(&mut self, found: &ParsedDocument<'_, '_>) {
        let ParsedDocument { tree, id, .. } = *found;
        if let Some((key, words)) = unclear(tree, id) {
            return self.unreadable(found, &key, words);
        }
        let text_of = |key: &str| tree.get(id, key).and_then(|value| tree.scalar(value));
        let (api_version, kind) = (text_of("apiVersion"), text_of("kind"));
        let group = api_version.map(|text| text.split('/').next().unwrap_or(""));
        let is_list = kind.is_some_and(|kind| kind.ends_with("List")) && found.origin.item.is_none();
        if let Some(version) = api_version.filter(|version| sniff::is_nearly_ours(version, kind)) {
            return self.unreadable(found, "apiVersion", nearly_ours(version));
        }
        match (api_version, group, kind) {
            (Some("v1"), _, Some("List")) if is_list => self.list(found),
            (Some(_), Some(GROUP), Some(kind)) if is_list && Kind::parse(kind).is_none() => self.list(found),
            (Some(API_VERSION), _, Some(kind)) => match Kind::parse(kind) {
                Some(kind) => self.object(found, kind),
                None => self.unreadable(found, "kind", unknown_kind(kind)),
            },
            (Some(API_VERSION), _, None) => self.unreadable(found, "kind", missing_kind()),
            (Some(version), Some(GROUP), _) => self.unreadable(found, "apiVersion", unknown_version(version)),
            (None, _, Some(kind)) if Kind::parse(kind).is_some() => {
                self.unreadable(found, "apiVersion", missing_version(kind));
            }
            (None, _, None) if text_of("schema").is_some_and(|schema| schema.starts_with("stablekey.dev/")) => {
                self.reading.reports += 1;
            }
            _ => self.reading.other_kinds += 1,
        }
    }

    fn list(&mut self, list: &ParsedDocument<'_, '_>) {
        let Some(items) = list.tree.get(list.id, "items") else { return };
        for (position, id) in list.tree.items(items).iter().enumerate() {
            let origin = SourcePlace { item: Some(super::source::count(position)), ..list.origin.clone() };
            self.document(&ParsedDocument { id: *id, origin, ..*list });
        }
    }

    /// A document of Stablekey without an identifiable object: the file may contain any object.
    fn unreadable(&mut self, found: &ParsedDocument<'_, '_>, key: &str, (message, help): (String, String)) {
        let at = find(found.tree, found.id, &[key]).unwrap_or_else(|| head(found));
        let at = first_line_of(found.tree.text, at);
        let spans = mask::spans(found.tree, found.id, Some(schema::of_any()));
        let is_others_elsewhere = ELSEWHERE_OTHERS.contains(&message.as_str());
        let problem = FileProblem::at(self.file, found.tree.text, found.first_line, at, &spans, (message, help));
        let text = found.tree.text;
        // A document that is not a resource belongs to somebody else, unless it mentions Stablekey.
        let ours = found.tree.get(found.id, "apiVersion").is_some() || sniff::could_be_ours(text);
        // Outside tenants' folders, documents that only contain Stablekey's resources (values of a chart, a template)
        // are read by their own tool.
        let ours = ours && !is_others_elsewhere;
        self.reading.unparsed_as(self.file.path.clone(), vec![problem], ours);
    }

    fn object(&mut self, found: &ParsedDocument<'_, '_>, kind: Kind) {
        let ParsedDocument { tree, id, .. } = *found;
        let metadata = tree.get(id, "metadata");
        let text_of = |key: &str| metadata.and_then(|id| tree.get(id, key)).and_then(|id| tree.scalar(id));
        let Some(name) = text_of("name").filter(|name| !name.is_empty()) else {
            let help = format!("write `metadata: {{name: …}}`, the name of this {kind}");
            return self.unreadable(found, "metadata", ("metadata.name is missing".into(), help));
        };
        // If no object can have the name, or kubectl reads it differently, it is unknown which object is meant.
        let unclear_name = !names::is_object_name(name)
            || metadata.and_then(|id| tree.get(id, "name")).is_some_and(|id| tree.plain(id).is_some());
        let schema = schema::of(kind);
        let mut checked = check(tree, id, schema, found.first_line);
        let resource = resource(kind, tree, id);
        match &resource {
            Ok(resource) => checked.findings.extend(violations(tree, id, resource)),
            // A mismatch is reported only if the schema check did not find it.
            Err(misfit) if checked.findings.is_empty() => {
                let at = misfit.node.map_or_else(|| head(found), |node| tree.node(node).span());
                let (message, help) = (misfit.message.clone(), "write it as the message shows".into());
                checked.findings.push(ShapeFinding { at: first_line_of(tree.text, at), message, help });
            }
            Err(_) => {}
        }
        if self.aliased.fetch_add(checked.aliased, Ordering::Relaxed) > limits::ALIASED_BYTES {
            let message = format!("the aliases of this file repeat more than {} MiB", limits::ALIASED_BYTES >> 20);
            let help = "write the values out, or split the file".into();
            checked.findings.push(ShapeFinding { at: head(found), message, help });
        }
        match resource {
            Ok(resource) if checked.findings.is_empty() => self.reading.documents.push(ReadDocument {
                resource,
                namespace: text_of("namespace").map(str::to_string),
                origin: found.origin.clone(),
            }),
            _ => {
                checked.findings.sort_by_key(|finding| finding.at.start);
                let room = limits::FILE_FINDINGS.saturating_sub(self.reported);
                self.reading.omitted += checked.findings.len().saturating_sub(room);
                checked.findings.truncate(room);
                self.reported += checked.findings.len();
                let spans = mask::spans(tree, id, Some(schema));
                let problem = |f: ShapeFinding| {
                    FileProblem::at(self.file, tree.text, found.first_line, f.at, &spans, (f.message, f.help))
                };
                let problems = checked.findings.into_iter().map(problem).collect();
                if unclear_name {
                    return self.reading.unparsed_as(self.file.path.clone(), problems, true);
                }
                self.reading.invalid.push(InvalidDocument {
                    kind,
                    name: shown(name),
                    problems,
                    origin: found.origin.clone(),
                });
            }
        }
    }
}

/// The position of problems with a whole document: its first key.
fn head(found: &ParsedDocument<'_, '_>) -> std::ops::Range<usize> {
    let span = |id: Id| found.tree.node(id).span();
    found.tree.entries(found.id).first().map_or(span(found.id), |entry| span(entry.key))
}

fn resource(kind: Kind, tree: &Tree<'_>, id: Id) -> Result<Resource, typed::Misfit> {
    fn object<S: serde::de::DeserializeOwned>(tree: &Tree<'_>, id: Id) -> Result<Arc<Object<S>>, typed::Misfit> {
        typed::read(tree, id).map(Arc::new)
    }
    Ok(match kind {
        Kind::Tenant => Resource::Tenant(object(tree, id)?),
        Kind::Component => Resource::Component(object(tree, id)?),
        Kind::Connection => Resource::Connection(object(tree, id)?),
        Kind::CustomerCredentials => Resource::CustomerCredentials(object(tree, id)?),
        Kind::Integration => Resource::Integration(object(tree, id)?),
        Kind::TenantSync => Resource::TenantSync(object(tree, id)?),
    })
}

/// The rules that the resource violates, with their positions. The message of a rule has the problem and, after a
/// colon, what to do.
fn violations(tree: &Tree<'_>, id: Id, resource: &Resource) -> Vec<ShapeFinding> {
    let finding = |violation: rules::Violation| {
        let path: Vec<&str> = violation.path.iter().map(String::as_str).collect();
        let at = find(tree, id, &path).unwrap_or_else(|| tree.node(id).span());
        // A colon within braces is part of an example.
        let colon = violation.message.split_once(": ").filter(|(message, _)| !message.contains('{'));
        let (message, help) = match colon {
            Some((message, help)) if help.contains(' ') => (message.to_string(), help.to_string()),
            Some((message, one)) => (message.to_string(), format!("write {one}")),
            None => (violation.message.clone(), "write it as the message shows".to_string()),
        };
        ShapeFinding {
            at: first_line_of(tree.text, at),
            message: format!("{}: {message}", violation.path.join(".")),
            help,
        }
    };
    rules::violations(resource).into_iter().chain(rules::in_files(resource)).map(finding).collect()
}

const WRAPPED: &str = "this holds resources of stablekey.dev, and is no List";
const NO_KIND: &str = "the document has no kind";
const ENCRYPTED: &str = "the document is encrypted: what it holds is unknown";
const TEMPLATE: &str = "this is a template and no resource: what it makes is unknown";
const NO_RESOURCE: &str = "this is no resource: what the file held is unknown";
/// The problems of documents that may have been anything within a tenant's folder, and belong to somebody else
/// elsewhere.
const ELSEWHERE_OTHERS: [&str; 5] = [WRAPPED, NO_KIND, ENCRYPTED, TEMPLATE, NO_RESOURCE];

/// The reason why a document is not a resource, although it may have been one of Stablekey's, and the key that shows
/// it. A damaged file (the text of a link, a pointer to Git LFS, half a document) may still be valid YAML.
fn unclear(tree: &Tree<'_>, id: Id) -> Option<(String, (String, String))> {
    let whole = |message: &str, help: &str| Some((String::new(), (message.to_string(), help.to_string())));
    if let Some(items) = tree.list(id) {
        let is_patch = |item: &Id| tree.get(*item, "op").is_some() && tree.get(*item, "path").is_some();
        let is_resource =
            |item: &Id| key_like(tree, *item, "apiVersion").is_some() || key_like(tree, *item, "kind").is_some();
        return match items.iter().any(|item| is_resource(item) && !is_patch(item)) {
            true => whole(
                "this is a list of resources, and no resource",
                "write each as a document of its own, after `---`",
            ),
            false => None,
        };
    }
    if !tree.is_map(id) {
        return whole(
            "this is a text and no resource: what the file held is unknown",
            "restore the file, for example from Git; a link or a pointer to a large file may have been checked out as its text",
        );
    }
    let is_map = |key: &str| tree.get(id, key).is_some_and(|value| tree.is_map(value));
    let is_resource = is_map("metadata") || is_map("spec") || key_like(tree, id, "apiVersion").is_some();
    for name in ["apiVersion", "kind"].into_iter().filter(|_| is_resource) {
        match key_like(tree, id, name) {
            Some((key, _)) if key != name => {
                let words = (format!("`{}` is not `{name}`", shown(key)), format!("write `{name}`"));
                return Some((key.to_string(), words));
            }
            Some((_, value)) if tree.scalar(value).is_none() && !tree.is_null(value) => {
                let words = (format!("{name} is no text"), format!("write `{name}: …`"));
                return Some((name.to_string(), words));
            }
            _ => {}
        }
    }
    let text_of = |key: &str| tree.get(id, key).and_then(|value| tree.scalar(value));
    let (version, kind) = (text_of("apiVersion"), text_of("kind"));
    let near = |kind: &str| nearest(kind, Kind::ALL.map(Kind::as_str).into_iter());
    let of_ours = |item: &Id| {
        let text_of = |key: &str| tree.get(*item, key).and_then(|value| tree.scalar(value));
        let ours = |version: &str| version.starts_with(GROUP) || sniff::is_nearly_ours(version, text_of("kind"));
        // A reference has only a name.
        let is_whole = ["metadata", "spec"].iter().any(|key| tree.get(*item, key).is_some());
        is_whole && text_of("apiVersion").is_some_and(ours)
    };
    let has_own_resources = |value: Id| tree.list(value).is_some_and(|items| items.iter().any(of_ours));
    let group = version.map(|version| version.split('/').next().unwrap_or(""));
    let is_list = kind.is_some_and(|kind| kind.ends_with("List"))
        && (version == Some("v1") && kind == Some("List") || group == Some(GROUP));
    let has = |name: &str| tree.get(id, name).is_some();
    let restore = "restore the file, for example from Git";
    let is_encrypted = |text: Option<&str>| text.is_some_and(|text| text.starts_with("ENC["));
    if is_map("sops") || is_encrypted(version) || is_encrypted(kind) {
        return whole(ENCRYPTED, "keep resources in clear, and secrets in Secrets that they name");
    }
    let entries = tree.entries(id);
    if entries.iter().any(|entry| tree.scalar(entry.key).is_none()) {
        return whole(TEMPLATE, "write what it makes into the folder");
    }
    // A chart has an apiVersion without a kind too.
    let is_chart = has("name") && has("version");
    if key_like(tree, id, "apiVersion").is_some()
        && version != Some(API_VERSION)
        && !is_chart
        && kind.is_none_or(|kind| kind.trim().is_empty())
    {
        return whole(NO_KIND, restore);
    }
    // The output of a server or tool instead of a document: `404: Not Found`, `Error: …`, `{"message": …}`.
    let is_answer = |key: &str| {
        ["error", "message"].iter().any(|word| key.eq_ignore_ascii_case(word))
            || key.bytes().all(|b| b.is_ascii_digit())
    };
    let is_flat = entries.iter().all(|entry| tree.scalar(entry.value).is_some());
    let tells = entries.iter().filter_map(|entry| tree.scalar(entry.key)).any(is_answer);
    if is_flat && tells && !has("apiVersion") && !has("kind") {
        return whole(NO_RESOURCE, restore);
    }
    match (version, kind) {
        (None, Some(kind)) if Kind::parse(kind).is_none() && near(kind).is_some() => {
            Some(("kind".to_string(), unknown_kind(kind)))
        }
        (None, kind) if is_map("metadata") && is_map("spec") && kind.is_none_or(|kind| Kind::parse(kind).is_none()) => {
            whole("the document has no apiVersion", "add `apiVersion: …`, as every resource has it")
        }
        _ if !is_list && tree.entries(id).iter().any(|entry| has_own_resources(entry.value)) => {
            let help = "write each as a document of its own, or all as items of `apiVersion: v1` and `kind: List`";
            let words = (WRAPPED.to_string(), help.to_string());
            Some(("kind".to_string(), words))
        }
        _ => None,
    }
}

/// The entry of a map with this key, in any case.
fn key_like<'t>(tree: &'t Tree<'_>, id: Id, name: &str) -> Option<(&'t str, Id)> {
    let keys = || tree.entries(id).iter().filter_map(|entry| Some((tree.scalar(entry.key)?, entry.value)));
    keys().find(|(key, _)| *key == name).or_else(|| keys().find(|(key, _)| key.eq_ignore_ascii_case(name)))
}

fn nearly_ours(version: &str) -> (String, String) {
    (
        format!("`{}` is not stablekey.dev, and looks much like it", shown(version)),
        format!("write `apiVersion: {API_VERSION}`"),
    )
}

fn unknown_kind(kind: &str) -> (String, String) {
    let names = Kind::ALL.map(Kind::as_str);
    let help = match nearest(kind, names.into_iter()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the kinds are {}", names.join(", ")),
    };
    (format!("{GROUP} has no kind{}", called(kind)), help)
}

fn missing_kind() -> (String, String) {
    ("the document has no kind".into(), format!("add `kind: …`, one of {}", Kind::ALL.map(Kind::as_str).join(", ")))
}

fn unknown_version(version: &str) -> (String, String) {
    (format!("there is no version{}", called(version)), format!("write `apiVersion: {API_VERSION}`"))
}

/// The name of an unknown item in a message. A text of several words is hidden: it may include a line that lost its
/// colon, perhaps with a password.
fn called(text: &str) -> String {
    if text.contains(char::is_whitespace) { " of that name".into() } else { format!(" `{}`", shown(text)) }
}

fn missing_version(kind: &str) -> (String, String) {
    (format!("this {kind} has no apiVersion"), format!("add `apiVersion: {API_VERSION}`"))
}
