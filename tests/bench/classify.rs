//! How fast the binary reads logs, and how much memory that takes.
//!
//! Speeds are bytes by seconds of processor time, the start of the process included, so that what else the machine does
//! counts little. Each log is read several times and the best counts: noise only adds.

use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use regex::RegexSetBuilder;
use sluice::classify::Tool;

use crate::figures::Table;
use crate::{count, logs, say};

/// What is promised: MB/s on realistic logs, and the share of it on any other.
const AIM: f64 = 200.0;
const SHARE: f64 = 1.0 / 3.0;
/// The tool by which logs are read, besides `auto`.
const TOOL: Tool = Tool::Prisma;

pub fn measure(table: &mut Table) {
    let folder = tempfile::tempdir().unwrap();
    let (size, times) = (count("BENCH_LOG_MB", 64) * 1_000_000, count("BENCH_LOG_TIMES", 3));
    let words = folder.path().join("words");
    fs::write(&words, TOOL.words().map(|(needle, _)| regex::escape(needle) + "\n").collect::<String>()).unwrap();
    let mut slowest = f64::MAX;
    for log in logs::realistic(size) {
        let path = written(folder.path(), &log);
        let speed = |command: &mut Command| speed(command, &path, times);
        let (auto, one) = (speed(sluice("auto").arg(&path)), speed(sluice("Prisma").arg(&path)));
        let grep = speed(Command::new("grep").env("LC_ALL", "C").args(["-E", "-i", "-c", "-f"]).arg(&words).arg(&path));
        let set = speed(
            Command::new(std::env::current_exe().unwrap()).arg("regex-set").stdin(fs::File::open(&path).unwrap()),
        );
        slowest = slowest.min(auto).min(one);
        let beside = format!("one tool: {one:.0}; `grep -E -i`, same words: {grep:.0}; regex set: {set:.0} MB/s");
        row(table, &format!("classify, {}", log.name), "≥ 200 MB/s", auto.min(one) >= AIM, auto, times, &beside);
    }
    for log in logs::adversarial(size) {
        let path = written(folder.path(), &log);
        let (auto, one) =
            (speed(sluice("auto").arg(&path), &path, times), speed(sluice("Prisma").arg(&path), &path, times));
        let aim = format!("≥ {:.0} MB/s", AIM * SHARE);
        let kept = auto.min(one) >= AIM * SHARE;
        let beside =
            format!("one tool: {one:.0} MB/s; the slower of both to the slowest above: {:.2}", auto.min(one) / slowest);
        row(table, &format!("classify, {}", log.name), &aim, kept, auto, times, &beside);
    }
    start(table);
    memory(table);
}

/// From the call to the verdict on a log of one line, by the clock: what somebody at a prompt waits for.
fn start(table: &mut Table) {
    const TIMES: usize = 21;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, "Error: P1001: Can't reach database server at `db:5432`\n").unwrap();
    let once = || {
        let begun = Instant::now();
        let output = sluice("auto").arg(&path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        begun.elapsed().as_secs_f64() * 1e3
    };
    let mut took: Vec<f64> = (0..TIMES).map(|_| once()).collect();
    took.sort_unstable_by(f64::total_cmp);
    let (median, most) = (took[TIMES / 2], took[TIMES - 1]);
    let beside = format!("slowest: {most:.1} ms");
    table.value(
        "classify, from the call to the verdict",
        "< 50 ms",
        median < 50.0,
        &format!("{median:.1} ms"),
        TIMES,
        &beside,
    );
}

/// The same memory, however long the log is. A stream of 10 GB takes minutes: less is read unless it is asked for.
fn memory(table: &mut Table) {
    let (small, stream) = (1_000_000, count("BENCH_STREAM_MB", 2_000) * 1_000_000);
    let (least, most) = (peak(small), peak(stream));
    let text = format!("{:.1} MiB", most as f64 / 1024.0);
    let what = format!("classify, peak memory for {:.1} GB (BENCH_STREAM_MB=10000 for all)", stream as f64 / 1e9);
    let beside = format!("1 MB: {:.1} MiB", least as f64 / 1024.0);
    table.value(&what, "as for 1 MB", most <= least + 2048, &text, 1, &beside);
}

fn row(table: &mut Table, what: &str, aim: &str, kept: bool, speed: f64, times: usize, beside: &str) {
    table.value(what, aim, kept, &format!("{speed:.0} MB/s"), times, beside);
}

fn sluice(tool: &str) -> Command {
    let mut command = Command::new(std::env::var_os("SLUICE").expect("SLUICE is not set"));
    command.args(["classify", "--exit-code", "1", "--tool", tool]);
    command
}

fn written(folder: &Path, log: &logs::Log) -> std::path::PathBuf {
    say!("{}", log.name);
    let path = folder.join("log");
    fs::write(&path, &log.bytes).unwrap();
    path
}

/// MB/s of the best run. A shell tells the processor time of what it has waited for. The output goes into a file, since grep
/// stops at the first match where nobody reads it.
fn speed(command: &mut Command, log: &Path, times: usize) -> f64 {
    let mut timed = Command::new("bash");
    timed.args(["-c", r#"TIMEFORMAT='%U %S'; time "$@" >"$0.out" 2>&1 <"$0""#]).arg(log).arg(command.get_program());
    timed.args(command.get_args());
    timed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let seconds = (0..times).map(|_| {
        let said = timed.output().unwrap().stderr;
        let said = String::from_utf8(said).unwrap();
        said.split_whitespace().map(|part| part.parse::<f64>().unwrap()).sum::<f64>()
    });
    fs::metadata(log).unwrap().len() as f64 / 1e6 / seconds.fold(f64::MAX, f64::min).max(1e-3)
}

/// The most memory that the process has had, in KiB, when it has read `size` bytes and waits for more.
fn peak(size: usize) -> u64 {
    let piece = logs::realistic(1_000_000).swap_remove(0).bytes;
    let mut child = sluice("Prisma").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    for _ in 0..size.div_ceil(piece.len()) {
        pipe.write_all(&piece).unwrap();
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    drop(pipe);
    child.wait().unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The plain program: every pattern asked of every line.
pub fn regex_set() {
    let patterns = TOOL.words().map(|(needle, pattern)| match pattern {
        "" => format!("(?i){}", regex::escape(needle)),
        pattern => pattern.to_owned(),
    });
    // With the default bound it gives up on so many patterns, and takes minutes instead of seconds.
    let set = RegexSetBuilder::new(patterns).dfa_size_limit(64 << 20).build().unwrap();
    let mut input = io::BufReader::with_capacity(1 << 20, io::stdin().lock()).take(u64::MAX);
    let (mut line, mut hits) = (Vec::new(), 0);
    while input.read_until(b'\n', &mut line).unwrap() > 0 {
        hits += set.matches(&String::from_utf8_lossy(&line)).iter().count();
        line.clear();
    }
    println!("{hits}");
}
