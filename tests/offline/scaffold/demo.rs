//! `stablekey demo`: the examples of an installed binary.

use stablekey_testing::cli;
use stablekey_testing::project::Project;

#[test]
fn the_examples_are_laid_down_byte_for_byte() {
    for example in ["us-eu", "first", "dev-prod"] {
        let root = Project::empty();
        root.run(&["demo", "tryout", "--example", example]).exits(0).prints("Next: stablekey plan tryout");
        assert_eq!(root.files("tryout"), cli::files(&cli::repository("examples").join(example)), "{example}");
    }
    let root = Project::empty();
    root.run(&["demo"]).exits(0).prints("Next: stablekey plan stablekey-demo");
    root.run(&["plan", "stablekey-demo"]).exits(3);
}

#[test]
fn a_folder_that_is_not_empty_stays_as_it_is() {
    let root = Project::empty().with("there/mine.txt", "mine").with_folder("empty");
    root.run(&["demo", "there"]).exits(1).prints("there is not empty: nothing was written");
    root.run(&["demo", "there/mine.txt"]).exits(1).prints("is no folder");
    assert_eq!(root.files("there").len(), 1);
    root.run(&["demo", "empty", "--example", "first"]).exits(0);
    root.run(&["demo", "x", "--example", "frist"]).exits(1).prints("first");
}
