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
    if let Some(why) = difference(browser, name) {
        panic!("{why}");
    }
}

/// How often a picture that differs is taken again.
const AGAIN: usize = 2;

/// The same, as a sentence; `None` if the page looks as in the picture.
pub fn difference(browser: &Browser, name: &str) -> Option<String> {
    let kept = repository("tests/browser/pictures").join(format!("{name}.png"));
    let [new, differing] = ["new", "differing"].map(|kind| scratch(&format!("{name}.{kind}.png")));
    browser.picture(&new);
    if overwrites() {
        fs::copy(&new, kept).unwrap();
        return None;
    }
    let (kept_at, new_at) = (kept.display(), new.display());
    if !kept.exists() {
        return Some(format!("there is no {kept_at}; {new_at} would be it (PICTURES=overwrite)"));
    }
    let mut count = differing_pixels(&kept, &new, &differing);
    // On a busy machine Chromium may paint the corners of borders otherwise, once.
    for _ in 0..AGAIN {
        if count == 0 {
            break;
        }
        browser.picture(&new);
        count = differing_pixels(&kept, &new, &differing);
    }
    let differing = differing.display();
    (count > 0).then(|| {
        format!("{count} pixels differ from {kept_at}: look at {new_at} and {differing}, then PICTURES=overwrite")
    })
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
