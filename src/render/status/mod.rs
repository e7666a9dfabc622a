//! The status as text and as Markdown.

mod markdown;
mod text;

pub use markdown::{status_markdown, todo_markdown};
pub use text::status_text;
