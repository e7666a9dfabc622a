//! A commit that is read beside another one says what it says alone.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use stablekey::file_tree::{ContentId, FileKind, FileTree, ReadTree, TreeEntry};
use stablekey::project::{Project, ProjectArgs, open, open_beside};
use stablekey_testing::objects::{Connection, Document as _, Sync, Tenant};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

/// A commit: its files by their path.
#[derive(Clone, Debug)]
struct Commit(BTreeMap<PathBuf, String>);

impl Commit {
    fn file(&self, path: &Path) -> io::Result<&String> {
        self.0.get(&plain(path)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn plain(path: &Path) -> PathBuf {
    path.strip_prefix("./").unwrap_or(path).components().filter(|part| part.as_os_str() != ".").collect()
}

impl ReadTree for Commit {
    fn kind(&self, path: &Path) -> io::Result<FileKind> {
        let path = plain(path);
        match self.0.contains_key(&path) {
            true => Ok(FileKind::File),
            false if self.0.keys().any(|file| file.starts_with(&path)) => Ok(FileKind::Folder),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn entries(&self, folder: &Path) -> io::Result<Vec<TreeEntry>> {
        let folder = plain(folder);
        let below = self.0.keys().filter_map(|file| file.strip_prefix(&folder).ok()?.components().next());
        let names: BTreeSet<_> = below.map(|name| name.as_os_str().to_os_string()).collect();
        Ok(names.into_iter().map(|name| TreeEntry { kind: self.kind(&folder.join(&name)), name }).collect())
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        self.kind(path).map(|_| plain(path))
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(self.file(path)?.len() as u64)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(Cursor::new(self.file(path)?.clone())))
    }

    fn content_id(&self, path: &Path) -> Option<ContentId> {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.file(path).ok()?.hash(&mut hasher);
        let mut id = ContentId::default();
        id[..8].copy_from_slice(&hasher.finish().to_le_bytes());
        Some(id)
    }
}

/// Documents, good and bad; several declare the same object.
fn documents() -> Vec<String> {
    let connection = |title: &str| {
        let chat = Connection::new("chat", "chat/oauth2").title(title).input("baseUrl", "https://chat.example");
        format!("---\n{}", chat.yaml())
    };
    let tenant = |folder: &str| format!("---\n{}", Tenant::new("dev").in_folder(folder).yaml());
    vec![
        connection("Chat"),
        connection("Another"),
        connection("Chat").replace("Chat", "*t").replace("metadata:", "metadata: &t"),
        connection("Chat").replace("stableKey: ", "stableKeys: "),
        tenant("one"),
        tenant("two"),
        format!("---\n{}", Sync::new("up", "dev", "prod").yaml()),
        format!("---\n{}", Tenant::new("prod").in_folder("one/prod").yaml()),
        "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n".to_string(),
        "---\na: [\n".to_string(),
        "# a comment\n".to_string(),
        "two/\n".to_string(),
        "resources: [a.yaml]\n".to_string(),
    ]
}

fn commit() -> impl Strategy<Value = Commit> {
    const FILES: [&str; 7] = [
        "tenants.yaml",
        "one/a.yaml",
        "one/b.yaml",
        "one/prod/a.yaml",
        "two/a.yaml",
        "two/kustomization.yaml",
        ".stablekeyignore",
    ];
    let text = || proptest::collection::vec(select(documents()), 0..4).prop_map(|documents| documents.concat());
    subsequence(FILES.to_vec(), 0..=FILES.len()).prop_flat_map(move |names| {
        let texts = proptest::collection::vec(text(), names.len());
        texts.prop_map(move |texts| Commit(names.iter().map(PathBuf::from).zip(texts).collect()))
    })
}

fn arguments(commit: &Commit) -> ProjectArgs {
    let files = FileTree::new(commit.clone());
    ProjectArgs { root: ".".into(), files, for_edits: true, may_be_new: true, ..ProjectArgs::default() }
}

/// All that is known of a project, without the tree that it is read from.
fn seen(project: &Project) -> String {
    format!("{:#?}\n{:#?}\n{:#?}", project.problems, project.tenants, project.syncs)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_commit_says_beside_another_what_it_says_alone(before in commit(), after in commit()) {
        let after = open(&arguments(&after), &mut io::empty());
        let beside = open_beside(&arguments(&before), &after);
        prop_assert_eq!(seen(&beside), seen(&open(&arguments(&before), &mut io::empty())));
    }
}
