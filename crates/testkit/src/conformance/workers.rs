//! Worker processes: each runs one case after the other and is replaced when a case kills it.

use std::io::{BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use super::{Outcome, Suite};

/// What one case may take.
const TIME: Duration = Duration::from_secs(60);
/// Address space of a worker, in KiB: 4 GiB.
const MEMORY_KIB: u64 = 4 << 20;

/// Runs all cases on `jobs` workers; the outcomes come in the order of the cases. `show` is called
/// with the number of finished cases.
///
/// # Errors
/// When no worker can be started.
pub fn run_all(
    suite: Suite,
    folder: &Path,
    cases: &[String],
    jobs: usize,
    show: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Outcome>, String> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![None; cases.len()]);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                let mut worker = None;
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(index) else { break };
                    let started = match worker.take() {
                        Some(worker) => Ok(worker),
                        None => Worker::start(suite, folder),
                    };
                    let mut current = match started {
                        Ok(current) => current,
                        Err(error) => {
                            failures.lock().map(|mut list| list.push(error)).ok();
                            break;
                        }
                    };
                    let (outcome, alive) = current.run(case);
                    if alive {
                        worker = Some(current);
                    }
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes[index] = Some(outcome);
                    }
                    show(done.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    if let Some(error) = failures.into_inner().unwrap_or_default().into_iter().next() {
        return Err(error);
    }
    let outcomes = outcomes.into_inner().map_err(|_| "a thread has panicked")?;
    outcomes.into_iter().map(|outcome| outcome.ok_or("a case was left out".to_owned())).collect()
}

struct Worker {
    child: Child,
    cases: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Worker {
    fn start(suite: Suite, folder: &Path) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut command = if cfg!(unix) {
            let mut shell = Command::new("sh");
            let limited = format!("ulimit -v {MEMORY_KIB} && exec \"$0\" \"$@\"");
            shell.arg("-c").arg(limited).arg(program);
            shell
        } else {
            Command::new(program)
        };
        command.arg("worker").arg(suite.name()).arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|e| format!("cannot start a worker: {e}"))?;
        let cases = child.stdin.take();
        let out = child.stdout.take().ok_or("a worker has no output")?;
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, cases, answers })
    }

    /// The outcome, and whether the worker can take another case.
    fn run(&mut self, case: &str) -> (Outcome, bool) {
        let sent = self.cases.as_mut().map(|cases| writeln!(cases, "{case}"));
        let answer = match sent {
            Some(Ok(())) => self.answers.recv_timeout(TIME),
            _ => Err(RecvTimeoutError::Disconnected),
        };
        match answer {
            Ok(line) => match decode(&line) {
                // After a panic, state may be broken.
                Some(Outcome::Died(reason)) => (Outcome::Died(reason), false),
                Some(outcome) => (outcome, true),
                None => (Outcome::Died(format!("the worker said '{line}'")), false),
            },
            Err(RecvTimeoutError::Timeout) => {
                (Outcome::Died(format!("more than {} s", TIME.as_secs())), false)
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait().map_or_else(|e| e.to_string(), |s| s.to_string());
                (Outcome::Died(format!("the process ended: {status}")), false)
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A worker that waits for a case ends by itself; one that is stuck has to be ended.
        self.cases = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes names of cases from standard input until it ends and answers each with a line.
pub fn worker(suite: Suite, folder: &Path) {
    std::panic::set_hook(Box::new(|_| {}));
    for case in std::io::stdin().lines().map_while(Result::ok) {
        let outcome = catch_unwind(AssertUnwindSafe(|| suite.run(folder, &case)));
        let outcome = outcome.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned()));
            Outcome::Died(format!("panic: {}", text.unwrap_or_default()))
        });
        println!("{}", encode(&outcome));
    }
}

/// One line: fields between tabs.
fn encode(outcome: &Outcome) -> String {
    let flat = |text: &str| text.replace(['\n', '\t', '\r'], " ");
    match outcome {
        Outcome::Passed { fixed, inputs } => format!("passed\t{fixed}\t{inputs}"),
        Outcome::Refused { op, reason } => format!("refused\t{}\t{}", flat(op), flat(reason)),
        Outcome::Wrong(place) => format!("wrong\t{}", flat(place)),
        Outcome::Died(reason) => format!("died\t{}", flat(reason)),
    }
}

fn decode(line: &str) -> Option<Outcome> {
    let fields: Vec<&str> = line.split('\t').collect();
    Some(match fields.as_slice() {
        ["passed", fixed, inputs] => {
            Outcome::Passed { fixed: fixed.parse().ok()?, inputs: inputs.parse().ok()? }
        }
        ["refused", op, reason] => {
            Outcome::Refused { op: (*op).to_owned(), reason: (*reason).to_owned() }
        }
        ["wrong", place] => Outcome::Wrong((*place).to_owned()),
        ["died", reason] => Outcome::Died((*reason).to_owned()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_survive_the_pipe() {
        let refused =
            |op: &str, reason: &str| Outcome::Refused { op: op.into(), reason: reason.into() };
        let cases = [
            (Outcome::Passed { fixed: 1, inputs: 2 }, Outcome::Passed { fixed: 1, inputs: 2 }),
            (refused("Loop", "a\nb\tc"), refused("Loop", "a b c")),
            (Outcome::Wrong("x".into()), Outcome::Wrong("x".into())),
            (Outcome::Died(String::new()), Outcome::Died(String::new())),
        ];
        for (sent, received) in cases {
            assert_eq!(decode(&encode(&sent)), Some(received));
        }
        assert_eq!(decode("hello"), None);
    }
}
