//! Measurements: medians, a process of its own for resource usage, instruction counts for noisy machines.

use crate::Outcome;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Returns the median of several measurements.
pub fn median<T: Ord + Copy + Default>(mut samples: Vec<T>) -> T {
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

/// Returns how long some work takes, without the time to drop its result.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = std::hint::black_box(work());
    (result, start.elapsed())
}

/// Returns the median time of each command, run alternating so that disturbances affect all.
pub fn side_by_side(rounds: usize, commands: &mut [Command]) -> Outcome<Vec<Duration>> {
    let mut samples = vec![Vec::with_capacity(rounds); commands.len()];
    for _ in 0..rounds {
        for (command, samples) in commands.iter_mut().zip(&mut samples) {
            let (status, time) = timed(|| command.stdin(Stdio::null()).stdout(Stdio::null()).status());
            if !status?.success() {
                return Err(format!("{command:?} failed").into());
            }
            samples.push(time);
        }
    }
    Ok(samples.into_iter().map(median).collect())
}

/// Returns how long a command takes, which must end with this exit code.
pub fn run(command: &mut Command, exit: i32) -> Outcome<Duration> {
    let (status, time) = timed(|| command.stdin(Stdio::null()).stdout(Stdio::null()).status());
    match status?.code() {
        Some(code) if code == exit => Ok(time),
        code => Err(format!("{command:?} ended with {code:?}, not {exit}").into()),
    }
}

/// Returns the peak memory of a command in bytes, which must end with this exit code.
pub fn memory_of(command: &Command, exit: i32) -> Outcome<u64> {
    let mut itself = Command::new(std::env::current_exe()?);
    itself.arg("--memory-of").arg(command.get_program()).args(command.get_args());
    itself.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        itself.current_dir(folder);
    }
    let output = itself.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.trim().split_once(' ') {
        Some((code, bytes)) if code == exit.to_string() => Ok(bytes.parse()?),
        _ => Err(format!("{command:?} did not end with {exit}: {text}").into()),
    }
}

/// Runs a task in a process of its own, and returns the number that it prints.
pub fn child(task: &str, connections: usize) -> Outcome<u64> {
    let output = itself(task, connections)?.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.trim().parse() {
        Ok(number) if output.status.success() => Ok(number),
        _ => Err(format!("the measurement {task:?} failed: {text}").into()),
    }
}

/// Counts the instructions of a task; `None` without valgrind.
pub fn instructions(task: &str, connections: usize) -> Outcome<Option<u64>> {
    let itself = itself(task, connections)?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    let Ok(output) = valgrind.arg(itself.get_program()).args(itself.get_args()).output() else { return Ok(None) };
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.map(Some).ok_or_else(|| format!("valgrind counted nothing:\n{text}").into())
}

fn itself(task: &str, connections: usize) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--child", task, &connections.to_string()]);
    Ok(command)
}

/// Returns the peak memory of this process so far, in bytes.
pub fn peak_memory() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// Returns the peak memory of any child process so far, in bytes.
pub fn peak_memory_of_children() -> Outcome<u64> {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?;
    Ok(u64::try_from(usage.max_rss())? * 1024)
}

/// Returns the first output line of a command; `None` if it does not exist.
pub fn first_line(program: impl AsRef<Path>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program.as_ref()).args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or("").trim().to_string())
}
