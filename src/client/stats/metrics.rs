//! The counters of a client as OpenMetrics text.
//!
//! The text is valid in two formats. OpenMetrics names a counter `x` in its metadata and `x_total` in
//! its samples, and the Prometheus text format, which promtool reads, names it `x_total` in both. A
//! counter therefore has no TYPE line: in OpenMetrics, `x_total` is a metric of unknown type.

use std::fmt::{Display, Write};

use super::{BOUNDS_US, PerOperation, Stats, get};
use crate::api::Operation;
use crate::error::Status;

/// The metrics, while they are written.
struct Text(String);

/// Writing to a `String` cannot fail.
macro_rules! push {
    ($text:expr, $($part:tt)*) => {{
        let _ = write!($text.0, $($part)*);
    }};
}

impl Text {
    /// Begins a counter.
    fn counter(&mut self, name: &str, help: &str) {
        push!(self, "# HELP bw_webrtc_{name} {help}\n");
    }

    /// Begins a metric of another type.
    fn typed(&mut self, name: &str, kind: &str, help: &str) {
        push!(self, "# TYPE bw_webrtc_{name} {kind}\n");
        self.counter(name, help);
    }

    /// Adds a value. `labels` are complete, including their braces, or empty.
    fn sample(&mut self, name: &str, labels: impl Display, value: impl Display) {
        push!(self, "bw_webrtc_{name}{labels} {value}\n");
    }

    /// Adds a value of each operation.
    fn by_operation(&mut self, name: &str, used: &[Used<'_>], value: fn(&PerOperation) -> u64) {
        for (operation, of) in used {
            self.sample(name, format_args!("{{operation=\"{}\"}}", operation.name), value(of));
        }
    }

    fn duration(&mut self, operation: &Operation, of: &PerOperation) {
        let name = operation.name;
        let bounds = BOUNDS_US.iter().map(|bound| format!("{:?}", *bound as f64 / 1e6));
        let mut count = 0;
        for (bound, times) in bounds.chain(["+Inf".to_owned()]).zip(&of.times) {
            count += get(times);
            let labels = format_args!("{{operation=\"{name}\",le=\"{bound}\"}}");
            self.sample("call_duration_seconds_bucket", labels, count);
        }
        let labels = format_args!("{{operation=\"{name}\"}}");
        // The sum of the buckets that were written, because they may change meanwhile.
        self.sample("call_duration_seconds_count", labels, count);
        let sum = get(&of.time_sum);
        let seconds = format_args!("{}.{:06}", sum / 1_000_000, sum % 1_000_000);
        self.sample("call_duration_seconds_sum", labels, seconds);
    }
}

type Used<'a> = (&'a Operation, &'a PerOperation);

impl Stats {
    /// The counters as OpenMetrics text. All labels are names of the library, which need no escapes.
    pub fn metrics(&self) -> String {
        let used: Vec<Used<'_>> = self.used_operations().collect();
        let mut text = Text(String::with_capacity(2048 + used.len() * 2048));
        text.counter("calls_total", "Completed calls, by the status that the caller received.");
        for (operation, of) in &used {
            for (status, count) in Status::ALL.iter().zip(&of.statuses) {
                let count = get(count);
                if count > 0 || *status == Status::Ok {
                    let (operation, status) = (operation.name, status.name());
                    let labels = format_args!("{{operation=\"{operation}\",status=\"{status}\"}}");
                    text.sample("calls_total", labels, count);
                }
            }
        }
        // Before the attempts, so that there are never more retries than attempts.
        text.counter("retries_total", "Attempts after the first of a call.");
        text.by_operation("retries_total", &used, |of| get(&of.retries));
        text.counter("attempts_total", "Attempts of calls.");
        text.by_operation("attempts_total", &used, |of| get(&of.attempts));
        text.typed("calls_in_flight", "gauge", "Calls that are being executed.");
        text.by_operation("calls_in_flight", &used, PerOperation::in_flight);
        text.typed("call_duration_seconds", "histogram", "Durations of executed calls.");
        push!(text, "# UNIT bw_webrtc_call_duration_seconds seconds\n");
        for (operation, of) in &used {
            text.duration(operation, of);
        }
        text.typed("queue_calls", "gauge", "Calls in queues, by their stage.");
        for (stage, count) in ["waiting", "running", "done"].iter().zip(&self.queue.stages) {
            text.sample("queue_calls", format_args!("{{stage=\"{stage}\"}}"), get(count));
        }
        for (name, help, count) in [
            (
                "queue_cancelled_total",
                "Calls that were cancelled in queues.",
                &self.queue.cancelled,
            ),
            ("late_responses_total", "Responses that no caller received.", &self.late_responses),
            ("connections_opened_total", "Opened connections.", &self.connections_opened),
            ("connections_reused_total", "Uses of an idle connection.", &self.connections_reused),
            ("token_requests_total", "Requests for an access token.", &self.token_requests),
        ] {
            text.counter(name, help);
            text.sample(name, "", get(count));
        }
        push!(text, "# EOF\n");
        text.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{CREATE_SESSION, GET_SESSION};
    use std::time::Duration;

    #[test]
    fn metrics_contain_every_counter() {
        let stats = Stats::default();
        let running = stats.begin(&CREATE_SESSION);
        let call = stats.begin(&CREATE_SESSION);
        (1..=3).for_each(|number| call.attempt(number));
        drop(call);
        for (micros, status) in [(999, Status::Ok), (20_000_000, Status::Timeout)] {
            stats.end(&CREATE_SESSION, status, Some(Duration::from_micros(micros)));
        }
        stats.begin_internal(&GET_SESSION).attempt(1);
        stats.connection(true);
        stats.connection(false);
        stats.token_request();
        stats.late_response();
        stats.queued(None, Some(0));
        stats.completed(&CREATE_SESSION, Status::Cancelled, None, false);
        let text = stats.metrics();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let buckets = |operation: &str, counts: [u32; 11]| {
            let bounds = "0.001 0.005 0.01 0.025 0.05 0.1 0.25 1.0 2.5 10.0 +Inf".split(' ');
            let bucket = |(bound, count)| {
                let labels = format!("operation=\"{operation}\",le=\"{bound}\"");
                format!("bw_webrtc_call_duration_seconds_bucket{{{labels}}} {count}")
            };
            bounds.zip(counts).map(bucket).collect::<Vec<String>>()
        };
        let expected = [
            vec![
                r#"bw_webrtc_calls_total{operation="createSession",status="BW_OK"} 1"#.to_owned(),
                r#"bw_webrtc_calls_total{operation="createSession",status="BW_E_TIMEOUT"} 1"#
                    .into(),
                r#"bw_webrtc_calls_total{operation="createSession",status="BW_E_CANCELLED"} 1"#
                    .into(),
                r#"bw_webrtc_calls_total{operation="getSession",status="BW_OK"} 0"#.into(),
                r#"bw_webrtc_retries_total{operation="createSession"} 2"#.into(),
                r#"bw_webrtc_retries_total{operation="getSession"} 0"#.into(),
                r#"bw_webrtc_attempts_total{operation="createSession"} 3"#.into(),
                r#"bw_webrtc_attempts_total{operation="getSession"} 1"#.into(),
                r#"bw_webrtc_calls_in_flight{operation="createSession"} 1"#.into(),
                r#"bw_webrtc_calls_in_flight{operation="getSession"} 0"#.into(),
            ],
            buckets("createSession", [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]),
            vec![
                r#"bw_webrtc_call_duration_seconds_count{operation="createSession"} 2"#.into(),
                r#"bw_webrtc_call_duration_seconds_sum{operation="createSession"} 20.000999"#
                    .into(),
            ],
            buckets("getSession", [0; 11]),
            vec![
                r#"bw_webrtc_call_duration_seconds_count{operation="getSession"} 0"#.into(),
                r#"bw_webrtc_call_duration_seconds_sum{operation="getSession"} 0.000000"#.into(),
                r#"bw_webrtc_queue_calls{stage="waiting"} 1"#.into(),
                r#"bw_webrtc_queue_calls{stage="running"} 0"#.into(),
                r#"bw_webrtc_queue_calls{stage="done"} 0"#.into(),
                "bw_webrtc_queue_cancelled_total 1".into(),
                "bw_webrtc_late_responses_total 1".into(),
                "bw_webrtc_connections_opened_total 1".into(),
                "bw_webrtc_connections_reused_total 1".into(),
                "bw_webrtc_token_requests_total 1".into(),
            ],
        ]
        .concat();
        assert_eq!(samples, expected);
        assert!(text.ends_with("\n# EOF\n"));
        drop(running);
    }
}
