//! The process metrics that every Prometheus client has, under the names that dashboards use.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Unit;
use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::fs;
use std::time::{Duration, SystemTime};

/// The current process. Without `/proc` the values that need it are left out.
#[derive(Debug)]
pub(super) struct Process {
    started: SystemTime,
}

impl Process {
    /// Starts the measurements of a process that has just started.
    pub(super) fn started() -> Self {
        Process { started: SystemTime::now() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu = Duration::try_from(cpu).unwrap_or_default().as_secs_f64();
        let help = "CPU time of the process.";
        encoder
            .encode_descriptor("process_cpu", help, Some(&Unit::Seconds), MetricType::Counter)?
            .encode_counter(&cpu, None::<&Exemplar<[(&str, &str); 0], f64>>)?;
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let help = "Start time of the process.";
        gauge(&mut encoder, "process_start_time", help, Some(&Unit::Seconds), Some(started))?;
        let help = "Resident memory of the process.";
        gauge(&mut encoder, "process_resident_memory", help, Some(&Unit::Bytes), resident())?;
        gauge(&mut encoder, "process_open_fds", "Open file descriptors.", None, open_files())
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: Option<impl EncodeGaugeValue>,
) -> fmt::Result {
    let Some(value) = value else { return Ok(()) };
    encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?.encode_gauge(&value)
}

/// Returns the resident memory in bytes.
fn resident() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
    kilobytes.parse::<i64>().ok()?.checked_mul(1024)
}

fn open_files() -> Option<i64> {
    // One of them is the directory handle of this call.
    i64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok().map(|files| files - 1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    #[test]
    fn the_names_and_units_are_those_of_every_client() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process::started()));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let value = |name: &str| -> f64 {
            let sample = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            sample.unwrap_or_else(|| panic!("{name}: {text}")).parse().unwrap()
        };
        assert!(value("process_cpu_seconds_total") > 0.0);
        assert!(value("process_start_time_seconds") > 1.7e9);
        assert!((1e6..1e11).contains(&value("process_resident_memory_bytes")));
        assert!((3.0..1e6).contains(&value("process_open_fds")));
    }
}
