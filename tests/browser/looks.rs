//! What the page looks like, compared with the pictures of tests/browser/pictures at every pixel.
//!
//! `PICTURES=overwrite cargo test --test browser` takes them anew.

use crate::browser::Browser;
use crate::driver::ask;
use serde_json::json;
use stablekey_testing::cli::repository;
use std::fs;
use std::path::{Path, PathBuf};

/// Fails if the page does not look as in the picture NAME.png. What it looks like is then beside the build.
#[track_caller]
pub fn compare(browser: &Browser, name: &str) {
    let kept = repository("tests/browser/pictures").join(format!("{name}.png"));
    let [new, differing] = ["new", "differing"].map(|kind| scratch(&format!("{name}.{kind}.png")));
    browser.picture(&new);
    if overwrites() {
        fs::copy(&new, kept).unwrap();
        return;
    }
    assert!(kept.exists(), "there is no {}; {} would be it (PICTURES=overwrite)", kept.display(), new.display());
    let count = differing_pixels(&kept, &new, &differing);
    assert!(
        count == 0,
        "{count} pixels differ from {}: look at {} and {}, then PICTURES=overwrite",
        kept.display(),
        new.display(),
        differing.display()
    );
}

/// Whether pictures are taken anew, and not compared.
pub fn overwrites() -> bool {
    std::env::var_os("PICTURES").is_some_and(|value| value == "overwrite")
}

/// Counts the pixels in which two pictures differ, and paints them red in a third one; of pictures of different sizes, it
/// counts all of the larger one and paints none.
pub fn differing_pixels(left: &Path, right: &Path, into: &Path) -> u64 {
    ask(0, "differ", json!({"left": left, "right": right, "into": into})).unwrap().as_u64().unwrap()
}

/// A file that is no part of the tree.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

#[test]
fn the_pictures_take_little_room() {
    let pictures = fs::read_dir(repository("tests/browser/pictures"));
    let sizes = pictures.into_iter().flatten().map(|entry| entry.unwrap().metadata().unwrap().len());
    assert!(sizes.sum::<u64>() <= 4_000_000);
}
