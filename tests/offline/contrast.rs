//! The contrast of the page's colours, computed from the names of its style: axe leaves out what has one glyph.

use stablekey_testing::cli::repository;
use std::collections::BTreeMap;
use std::fs;

/// What texts have, at least: WCAG 2.2, 1.4.3.
const TEXT: f64 = 4.5;

/// What the borders of controls have, at least: WCAG 2.2, 1.4.11.
const CONTROL: f64 = 3.0;

/// Texts and what they stand on. Where a row is pointed at, it is sunk.
const TEXTS: [(&str, &[&str]); 11] = [
    ("--ink", &["--bg", "--sunk", "--grey-bg"]),
    ("--ink-2", &["--bg", "--sunk", "--grey-bg"]),
    ("--accent", &["--bg", "--sunk", "--accent-bg"]),
    ("--on-accent", &["--accent"]),
    ("--ok", &["--bg", "--sunk"]),
    ("--red", &["--bg", "--sunk", "--red-bg"]),
    ("--amber", &["--bg", "--sunk", "--amber-bg"]),
    ("--violet", &["--bg", "--sunk", "--violet-bg"]),
    ("--blue", &["--bg", "--sunk", "--blue-bg"]),
    ("--ink", &["--accent-bg", "--red-bg", "--amber-bg", "--violet-bg", "--blue-bg"]),
    ("--ink-2", &["--accent-bg"]),
];

/// The borders of controls and the outline of what has the focus, and what they stand on.
const CONTROLS: [(&str, &[&str]); 2] = [("--edge", &["--bg", "--sunk"]), ("--accent", &["--bg", "--sunk"])];

/// The colours by their names.
type Colours = BTreeMap<String, [u8; 3]>;

/// The colours of the light theme and of the dark one.
fn themes() -> [Colours; 2] {
    let style = fs::read_to_string(repository("src/page/page.css")).unwrap();
    let (_, light) = style.split_once(":root {").unwrap();
    let (light, rest) = light.split_once('}').unwrap();
    let (_, dark) = rest.split_once(":root {").unwrap();
    let (dark, _) = dark.split_once('}').unwrap();
    [light, dark].map(|theme| theme.split(';').filter_map(colour).collect())
}

fn colour(declaration: &str) -> Option<(String, [u8; 3])> {
    let (name, value) = declaration.split_once(':')?;
    let digits = value.trim().strip_prefix('#')?;
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    Some((name.trim().to_string(), [part(0), part(2), part(4)]))
}

/// The luminance of a colour, as WCAG defines it.
fn luminance(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn colours_can_be_told_apart() {
    assert!((contrast([0, 0, 0], [255, 255, 255]) - 21.0).abs() < 1e-9);
    let mut weak = Vec::new();
    for (theme, colours) in ["light", "dark"].iter().zip(themes()) {
        let of_texts = TEXTS.iter().map(|pair| (pair, TEXT));
        for ((front, backs), least) in of_texts.chain(CONTROLS.iter().map(|pair| (pair, CONTROL))) {
            for back in *backs {
                let found = contrast(colours[*front], colours[*back]);
                if found < least {
                    weak.push(format!("{theme}: {front} on {back} has {found:.2}, and needs {least}"));
                }
            }
        }
    }
    assert!(weak.is_empty(), "{weak:#?}");
}

#[test]
fn both_themes_have_the_same_colours() {
    let [light, dark] = themes().map(|colours| colours.into_keys().collect::<Vec<_>>());
    assert!(light.len() > 15);
    assert_eq!(light, dark);
}
