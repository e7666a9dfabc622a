//! The layers of the crate: an import points down, and no files import each other in a cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, UseTree};

/// From bottom to top. The layer of a module is the longest prefix of its name here.
const LAYERS: [&str; 25] = [
    "text",
    "io_error",
    "file_tree",
    "parallel",
    "secret",
    "near_miss",
    "http_client",
    "git",
    "forge",
    "api",
    "engine::model",
    "engine",
    "manifest",
    "platform",
    "kubernetes",
    "tenant",
    "project",
    "apply",
    "author",
    "report",
    "render",
    "hub",
    "page",
    "controller",
    "cli",
];

/// The modules of the crate that are files, with their imports.
struct Crate {
    files: BTreeMap<String, PathBuf>,
    imports: BTreeMap<String, BTreeSet<String>>,
}

/// The paths that a file names, each as parts from the crate's root.
struct Paths {
    module: Vec<String>,
    found: Vec<Vec<String>>,
}

impl Paths {
    fn add(&mut self, parts: Vec<String>) {
        let from_here = |up: usize| self.module[..self.module.len().saturating_sub(up)].to_vec();
        let ups = parts.iter().take_while(|part| *part == "super").count();
        self.found.push(match parts.first().map(String::as_str) {
            Some("crate") => parts[1..].to_vec(),
            Some("super") => [from_here(ups), parts[ups..].to_vec()].concat(),
            Some("self") => [from_here(0), parts[1..].to_vec()].concat(),
            _ => [from_here(0), parts].concat(),
        });
    }

    fn add_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) => self.add(with(&name.ident)),
            UseTree::Rename(name) => self.add(with(&name.ident)),
            UseTree::Glob(_) => self.add(before.to_vec()),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(tree, before)),
        }
    }
}

fn is_of_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("cfg") && a.parse_args::<syn::Path>().is_ok_and(|p| p.is_ident("test")))
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_of_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_tree(&item.tree, &[]);
    }

    /// `pub(in crate::engine)` is not an import.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if parts.len() > 1 {
            self.add(parts);
        }
        visit::visit_path(self, path);
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            false => {}
        }
    }
}

impl Crate {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        files(&root, &mut found);
        let module = |path: &PathBuf| {
            let path = path.strip_prefix(&root).unwrap().with_extension("");
            let parts: Vec<&str> =
                path.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != "mod").collect();
            parts.join("::")
        };
        let is_code = |(module, _): &(String, PathBuf)| {
            !module.split("::").any(|part| part == "tests") && !matches!(module.as_str(), "lib" | "main")
        };
        let files: BTreeMap<String, PathBuf> =
            found.iter().map(|path| (module(path), path.clone())).filter(is_code).collect();
        let imports = files.iter().map(|(module, path)| {
            let file = syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap();
            let mut paths = Paths { module: module.split("::").map(String::from).collect(), found: Vec::new() };
            paths.visit_file(&file);
            let of = |parts: Vec<String>| {
                (1..=parts.len()).rev().map(|n| parts[..n].join("::")).find(|m| files.contains_key(m))
            };
            let imports = paths.found.into_iter().filter_map(of).filter(|other| other != module).collect();
            (module.clone(), imports)
        });
        let imports = imports.collect();
        Crate { files, imports }
    }

    /// Returns the modules that are reachable from one over modules that are not nested in each other: a module and its
    /// submodules count as one.
    fn reached<'a>(&'a self, from: &'a str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&str> = vec![from];
        while let Some(module) = next.pop() {
            let is_above = |other: &&String| module.starts_with(&format!("{other}::"));
            let imports = self.imports.get(module).into_iter().flatten().filter(|other| !is_above(other));
            next.extend(imports.map(String::as_str).filter(|other| reached.insert(*other)));
        }
        reached
    }
}

fn layer(module: &str) -> usize {
    let is_in = |layer: &&str| module == *layer || module.starts_with(&format!("{layer}::"));
    let longest = LAYERS.iter().filter(|layer| is_in(layer)).max_by_key(|layer| layer.len());
    let longest = longest.unwrap_or_else(|| panic!("src/{module} is in no layer: add it to LAYERS"));
    LAYERS.iter().position(|layer| layer == longest).unwrap()
}

#[test]
fn imports_point_downward() {
    let all = Crate::read();
    assert!(all.files.len() > 200, "{}", all.files.len());
    let upward = all.imports.iter().flat_map(|(module, imports)| {
        let above = imports.iter().filter(|other| layer(other) > layer(module));
        above.map(move |other| format!("{module} imports {other}"))
    });
    assert_eq!(upward.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn no_files_import_each_other_in_a_cycle() {
    let all = Crate::read();
    let circles: Vec<&String> =
        all.files.keys().filter(|module| all.reached(module).contains(module.as_str())).collect();
    assert_eq!(circles, Vec::<&String>::new());
}

/// A file without a `mod` is not compiled, and nobody notices.
#[test]
fn every_file_is_declared() {
    let all = Crate::read();
    for (module, path) in &all.files {
        let (above, name) = module.rsplit_once("::").unwrap_or(("lib", module));
        let declares = |path: &PathBuf| {
            let file = syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap();
            file.items.iter().any(|item| matches!(item, syn::Item::Mod(found) if found.ident == name))
        };
        let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
        let parent = if above == "lib" { Some(&lib) } else { all.files.get(above) };
        assert!(parent.is_some_and(declares), "{} is declared by no mod", path.display());
    }
}
