//! Reports the measurements, as a table for a terminal and as docs/benchmarks.md.

use crate::Outcome;
use crate::measure::first_line;
use std::path::Path;
use std::time::Duration;

/// One measurement beside its reference.
pub struct Figure {
    what: String,
    measured: String,
    against: String,
    ratio: f64,
    bar: Bar,
}

/// The limit of a ratio.
enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    /// Compares a measurement with another of the same run, or with a limit.
    pub fn beside(what: impl Into<String>, measured: String, against: String, ratio: f64, bar: f64) -> Self {
        Figure { what: what.into(), measured, against, ratio, bar: Bar::AtMost(bar) }
    }

    /// Compares a time with a peer's, which must be this many times as long.
    pub fn faster(what: impl Into<String>, ours: Duration, peer: &str, theirs: Duration, times: f64) -> Self {
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        let against = format!("{peer} {}", time(theirs));
        Figure { what: what.into(), measured: time(ours), against, ratio, bar: Bar::AtLeast(times) }
    }

    /// Compares a time with a fixed limit.
    pub fn of_time(what: impl Into<String>, measured: Duration, most: Duration) -> Self {
        let ratio = measured.as_secs_f64() / most.as_secs_f64();
        Figure::beside(what, time(measured), format!("at most {}", time(most)), ratio, 1.0)
    }

    /// Compares a peak memory with a fixed limit.
    pub fn of_memory(what: impl Into<String>, measured: u64, most: u64) -> Self {
        let ratio = measured as f64 / most as f64;
        Figure::beside(what, bytes(measured), bytes(most), ratio, 1.0)
    }

    /// Whether it is within its bar.
    pub fn holds(&self) -> bool {
        match self.bar {
            Bar::AtMost(bar) => self.ratio <= bar,
            Bar::AtLeast(bar) => self.ratio >= bar,
        }
    }

    fn cells(&self) -> [String; 5] {
        let mark = if self.holds() { "✓" } else { "✗" };
        let bar = match self.bar {
            Bar::AtMost(bar) => format!("{mark} at most {}", shown(bar)),
            Bar::AtLeast(bar) => format!("{mark} at least {}", shown(bar)),
        };
        [self.what.clone(), self.measured.clone(), self.against.clone(), shown(self.ratio), bar]
    }
}

const HEADERS: [&str; 5] = ["figure", "measured", "beside", "ratio", "bar"];

/// Formats a ratio with three significant digits.
fn shown(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}×") } else { format!("{ratio:.1}×") }
}

/// Formats a time.
pub fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 0.01 => format!("{:.0} ms", seconds * 1e3),
        seconds if seconds >= 0.001 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{:.0} µs", seconds * 1e6),
    }
}

/// Formats a size.
pub fn bytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

/// The machine and the peers of the measurement, and what could not be measured.
pub struct Machine {
    hardware: String,
    versions: Vec<String>,
    left_out: Vec<String>,
}

impl Machine {
    /// Describes this machine.
    pub fn here() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let hardware = format!("{cores} cores, {}", model.map_or("processor unknown", |(_, model)| model));
        let versions = [first_line(crate::files::STABLEKEY, &["--version"]), first_line("rustc", &["--version"])];
        Machine { hardware, versions: versions.into_iter().flatten().collect(), left_out: Vec::new() }
    }

    /// Adds a peer.
    pub fn peer(&mut self, name: &str, version: Option<String>) {
        let told = format!("{name} {}", version.unwrap_or_default());
        if !self.versions.contains(&told) {
            self.versions.push(told);
        }
    }

    /// Adds a figure that cannot be measured here, and why.
    pub fn left_out(&mut self, why: &str) {
        self.left_out.push(why.to_string());
    }
}

/// Formats the figures for a terminal.
pub fn text(figures: &[Figure], machine: &Machine) -> String {
    let rows: Vec<[String; 5]> =
        std::iter::once(HEADERS.map(str::to_string)).chain(figures.iter().map(Figure::cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut out = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    for why in &machine.left_out {
        out.push_str(&format!("left out: {why}\n"));
    }
    out
}

/// Returns the heading of a group in docs/benchmarks.md.
fn heading(group: &str) -> String {
    format!("## {group}\n")
}

/// Returns the section of a group in docs/benchmarks.md.
pub fn part(group: &str, figures: &[Figure], machine: &Machine) -> String {
    let mut out = heading(group);
    out.push('\n');
    let row = |cells: [String; 5]| format!("| {} |\n", cells.join(" | "));
    out.push_str(&row(HEADERS.map(str::to_string)));
    out.push_str("|---|---:|---:|---:|---:|\n");
    figures.iter().for_each(|figure| out.push_str(&row(figure.cells())));
    out.push_str(&format!("\nMeasured on {}, with {}.\n", machine.hardware, machine.versions.join(", ")));
    for why in &machine.left_out {
        out.push_str(&format!("\nLeft out: {why}.\n"));
    }
    out
}

/// Returns the section of a group from the text of docs/benchmarks.md.
pub fn part_in<'a>(group: &str, page: &'a str) -> Option<&'a str> {
    let part = &page[page.find(&heading(group))?..];
    Some(part.find("\n## ").map_or(part, |end| &part[..end]))
}

/// Joins sections to docs/benchmarks.md.
pub fn markdown(parts: &[String]) -> String {
    let mut out = String::from(
        "# Benchmarks\n\n\
         Written by `make bench`; do not edit. Each figure stands beside what it is held to, measured in the same\n\
         run. Seconds differ from machine to machine and from run to run: the ratios count. `make bench ONLY=hub`\n\
         measures one group and writes its part.\n",
    );
    for part in parts {
        out.push_str(&format!("\n{}\n", part.trim_end()));
    }
    out.push_str(
        "\n## What is measured\n\n\
         - All data come from one generator (`bench/src/generate.rs`): 6 inputs a connection; for every 10 connections an\n  \
         integration of 20 steps that is bound to them. The second tenant is as an apply of a `Mirror` sync left it;\n  \
         since then 1 % of the connections changed in the first, and a few were edited or taken away in the second.\n  \
         Each plan that is timed is checked: it has to count exactly these.\n\
         - Times are medians; of a plan, the least of three processes' medians. Each figure of the engine is taken in a process of its own; memory is that process's peak,\n  \
         the generated data included. Instructions are counted by callgrind, without those that generate the data: they\n  \
         show a regression where seconds do not.\n\
         - Hostile inputs (`bench/src/hostile.rs`) are answered by `stablekey validate`, in a process each.\n\
         - kubeconform checks schemas only; `validate` also resolves every reference. Both read the same file, offline;\n  \
         kubeconform's schemas are made of our custom resource definitions.\n\
         - Tenants in clusters (`bench/src/clusters.rs`): kube-apiserver and etcd on the same machine, so that they and\n  \
         whoever asks share its cores. A connection has 6 inputs and is a file; ours and kubectl read the same files and\n  \
         take turns, each in a namespace of its own. A median of 3 where everything is made, of 5 where it is looked at.\n  \
         Requests and writes are counted in the audit log. \u{201c}First write to last\u{201d} is taken from it too: from the\n  \
         arrival of the first connection at the server to the last answer, of ours and of the load alike. The load is a\n  \
         plain client that sends the PATCHes that ours sent, made of what stands there then, with as many in flight,\n  \
         and looks at no answer. Memory is that of the command alone: a sync brings 10,000 resources of one cluster to\n  \
         another that has none, and is then planned again.\n\
         - Our own watches and cache of a namespace (`bench/src/caches.rs`), beside reflectors of kube-runtime over the\n  \
         same kinds of the same namespace, each in a process of its own, both with mimalloc; the median of 3. The figure\n  \
         that decides is the peak, since a Pod is killed by its peak: our own stay only while it is at most two thirds\n  \
         of the reflectors'. A plan needs to know who owns which field, so reflectors have to keep managedFields; ours\n  \
         keeps what it needs of them. Beside reflectors that drop them, and could serve no plan, nothing is gained.\n\
         - The operator: its syncer (`bench/src/operator.rs`) mirrors a namespace of one cluster to another. A change is a\n  \
         merge PATCH of the source, timed from its answer until a watch of the target tells of it; beside it a client\n  \
         that does nothing but send on what a watch of the source tells. Of 5 runs of 500 the medians. The binder's is\n  \
         a merge PATCH of a Secret with credentials for tests, until a watch tells of its binding Secret. A burst is sent\n  \
         to the source while the operator is held (SIGSTOP), and its writes are timed by the audit log;\n  \
         beside it the same PATCHes by a plain client, in a namespace of the same cluster. Memory is what\n  \
         is resident at rest.\n\
         - A hub (`bench/src/hub.rs`): peak memory is the kernel's count for the process, set back before each work; the\n  \
         burst is sent while the syncer is held, and everything is listed again because the API servers are restarted.\n  \
         A change in one source is timed until a watch hears of it in each of 20 targets; beside it a client that sends\n  \
         on the same PATCHes, all 20 in flight. A Secret of 3,900 connections is changed, until a watch has heard of\n  \
         every binding Secret; beside it the same PATCHes in another namespace. A sync of 7,000 objects is deleted and\n  \
         made again by another name, and new connections are made while it writes. Watches are those that the audit\n  \
         log has as open.\n\
         - Commits (`bench/src/commits.rs`): the files of both commits come from Git, packed as a clone has them;\n  \
         `validate` reads the same files from the disk. A median of 9, taken in turn.\n\
         - Git as a source (`bench/src/git.rs`): a server of Git over HTTPS on the same machine, and two tenants in two\n  \
         clusters. A merge is timed from the commit until a watch of each cluster tells of its changes; beside it the\n  \
         medians of one fetch, one plan and the same PATCHes to both clusters at once, each by itself. A poll is the\n  \
         two requests that ask the server for the branch; writes are counted in the audit logs.\n\
         - The platform (`bench/src/platform.rs`): a fake of it on the same machine. A tenant is imported, and planned again\n  \
         without a change; requests are those that the fake counts; those of an apply\n  \
         without a change, and of one with a new connection, count those that write. Beside the plan with a delay of each answer a plain\n  \
         client that sends the same requests: the pages of a list one after the other, 4 lists at once.\n\
         - The peers are built from source by the modules in `hack/peers` and `hack/control-plane`.\n",
    );
    out
}

/// Writes a file, and creates its folder.
pub fn write(path: &Path, text: &str) -> Outcome<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(std::fs::write(path, text)?)
}
