//! Fakes of the APIs of GitHub and GitLab, as far as reports on pull requests need them: comments, checks, statuses, pull
//! requests, artifacts and files; and a receiver of notifications. They listen on loopback, in plain HTTP.
//!
//! ```no_run
//! use stablekey_testing::forge::{Fault, GitHub, Rights};
//! let github = GitHub::start();
//! let number = github.open_pull_request("change", "main");
//! github.fail("POST", "/comments", Fault::Forbidden, 1);
//! // A client of github.url() with github.token(Rights::Write) …
//! assert_eq!(github.comments(number).len(), 1);
//! ```
//!
//! | Module | Content |
//! |---|---|
//! | `server` | the HTTP server, faults, and the record of requests |
//! | `github`, `gitlab` | the APIs |
//! | `receiver` | a receiver of notifications |
//! | `archive` | the ZIP archive of an artifact |
//! | `description` | GitHub's own description of its API, and the check of requests and answers by it |

mod archive;
mod description;
mod github;
mod gitlab;
mod receiver;
mod server;

pub use archive::zip;
pub use description::Description;
pub use github::{CheckRun, Comment, CommitStatus, GitHub, PullRequest, Rights};
pub use gitlab::{GitLab, GitLabRights, MergeRequest, Note, PipelineStatus};
pub use receiver::WebhookReceiver;
pub use server::{Exchange, Fault};
